//! Totals: four lines, each with a figure for people and the same to the last digit.

use super::figures::{Figures, Unit};
use super::page::{Breaks, Ink, Page, columns, span};
use super::units::{bytes, counted, since_start};
use memscope_profile::model::{End, Mode, Profile};
use std::io;

/// A line of the table: what, how much, and more exactly.
struct Total {
    label: &'static str,
    figure: String,
    details: String,
}

pub(super) fn write(profile: &Profile, page: &mut Page<'_>) -> io::Result<()> {
    let totals = lines(profile);
    let width = |text: fn(&Total) -> &str| {
        totals.iter().map(|total| columns(text(total))).max().unwrap_or(0)
    };
    let (labels, figures) = (width(|total| total.label), width(|total| &total.figure));
    let indent = labels + 2 + figures + 3;
    for Total { label, figure, details } in &totals {
        let pad = |text: &str, width: usize| " ".repeat(width.saturating_sub(columns(text)));
        let label = span(Ink::Plain, format!("{label}{}  ", pad(label, labels)));
        let figure = span(Ink::Strong, format!("{}{figure}   ", pad(figure, figures)));
        let details = span(Ink::Plain, details);
        if indent * 2 <= page.width() {
            page.paragraph(0, indent, Breaks::Words, &[label, figure, details])?;
        } else {
            page.paragraph(0, 0, Breaks::Words, &[label, figure])?;
            page.paragraph(2, 2, Breaks::Words, &[details])?;
        }
    }
    for mark in &profile.marks {
        let text = format!(
            "{}, with {} live after {}",
            since_start(mark.ms),
            bytes(mark.live_bytes),
            counted(mark.allocations, "allocation")
        );
        let name = span(Ink::Strong, format!("Mark {:?}  ", mark.text));
        page.paragraph(0, 2, Breaks::Words, &[name, span(Ink::Plain, text)])?;
    }
    Ok(())
}

/// What to say of a peak that memory never fell from. When it was reached is not known then: the end is only the last
/// moment that it can have been.
pub(crate) fn held_to_the_end(profile: &Profile) -> Option<&'static str> {
    profile.totals.peak_is_end.then_some(match profile.run.end {
        End::Running => "still held now",
        _ => "still held at the end",
    })
}

fn lines(profile: &Profile) -> Vec<Total> {
    let totals = &profile.totals;
    let figures = Figures::of(&profile.run);
    let deviations = &totals.deviations;
    let with_error = |bytes, deviation| {
        let error = figures.error(bytes, deviation, Unit::Bytes);
        figures.exact_bytes(bytes) + &error.map_or(String::new(), |error| format!(" {error}"))
    };
    let mut allocated = format!(
        "{} in {}",
        with_error(totals.allocated_bytes, deviations.allocated_bytes),
        figures.counted(totals.allocations, "allocation")
    );
    if totals.reallocs > 0 {
        allocated += &format!(", {} of them reallocs", figures.count(totals.reallocs));
    }
    if totals.failed > 0 {
        allocated += &format!("; {} failed", counted(totals.failed, "allocation"));
    }
    let live = profile.run.end != End::Running;
    let is_counting = profile.run.mode == Mode::Counting;
    let blocks = |n| match n {
        // How many blocks made up the peak is not counted.
        0 if is_counting => String::new(),
        n => format!(" in {}", figures.counted(n, "block")),
    };
    let mut lines = vec![
        Total {
            label: "Allocated",
            figure: figures.bytes(totals.allocated_bytes),
            details: allocated,
        },
        Total {
            label: "Temporary",
            figure: figures.share(totals.temporary, totals.allocations),
            details: match totals.temporary {
                0 => "no block was freed before its thread allocated again".to_owned(),
                n => format!(
                    "{} freed before their thread allocated again",
                    figures.counted(n, "block")
                ),
            },
        },
        Total {
            label: "Peak",
            figure: figures.bytes(totals.peak_bytes),
            details: format!(
                "{}{}, {}",
                with_error(totals.peak_bytes, deviations.peak_bytes),
                blocks(totals.peak_blocks),
                match held_to_the_end(profile) {
                    Some(held) => held.to_owned(),
                    None => format!("reached {}", since_start(totals.peak_ms)),
                }
            ),
        },
        Total {
            label: if live { "Live at end" } else { "Live now" },
            figure: figures.bytes(totals.live_bytes),
            details: format!(
                "{} in {}",
                with_error(totals.live_bytes, deviations.live_bytes),
                figures.counted(totals.live_blocks, "block")
            ),
        },
    ];
    if is_counting {
        lines.retain(|line| line.label != "Temporary");
    }
    lines
}
