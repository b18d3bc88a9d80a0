//! The heap by type: what the blocks are that were alive at the peak, and how that is known.
//!
//! Types of which nothing was alive at the peak are not in the table.

use super::figures::Figures;
use super::page::{Breaks, Ink, Page, span};
use super::table::{self, Column};
use super::units::{self, count, counted};
use memscope_profile::analyze::Metric;
use memscope_profile::model::{Counts, End, Profile, TypeEvidence};
use memscope_profile::types::{EvidenceShares, TypeHistogram, TypeLine};
use std::io;
use std::ops::RangeInclusive;

/// Columns for the name of a type: it is what the table is for, so figures give way to it.
const NAME_COLUMNS: RangeInclusive<usize> = 36..=60;

/// How the blocks of nothing known are called.
const UNKNOWN: &str = "(unknown)";

pub(super) fn write(profile: &Profile, top: usize, page: &mut Page<'_>) -> io::Result<()> {
    let figures = Figures::of(&profile.run);
    let histogram = TypeHistogram::new(profile, Metric::Peak);
    if top == 0 || histogram.present().is_empty() || profile.types.is_empty() {
        return Ok(());
    }
    page.blank()?;
    let about = format!(", at the peak: {}", evidence(&histogram.shares, figures));
    page.paragraph(0, 2, Breaks::Words, &[span(Ink::Strong, "Types"), span(Ink::Plain, about)])?;
    let (shown, rest) = histogram.present().split_at(top.min(histogram.present().len()));
    let names = shown.iter().map(|line| name(line)).collect();
    let left_out = table::write(
        ("type", names),
        columns(shown, &histogram, profile, figures),
        NAME_COLUMNS,
        page,
    )?;
    if !rest.is_empty() {
        of_the_rest(rest, &histogram, figures, page)?;
    }
    if left_out.is_empty() {
        return Ok(());
    }
    let text = format!(" …  on a wider page: {}", left_out.join(", "));
    page.paragraph(0, 4, Breaks::Words, &[span(Ink::Faint, text)])
}

fn of_the_rest(
    rest: &[TypeLine<'_>],
    histogram: &TypeHistogram<'_>,
    figures: Figures,
    page: &mut Page<'_>,
) -> io::Result<()> {
    let bytes = rest.iter().fold(0, |sum: u64, line| sum.saturating_add(line.counts.peak_bytes));
    let share = figures.share(bytes, histogram.shares.total());
    let text = format!(
        " …  {}: {} ({share})",
        counted(rest.len() as u64, "more type"),
        figures.bytes(bytes)
    );
    page.paragraph(0, 4, Breaks::Words, &[span(Ink::Faint, text)])
}

/// How much is known how well: `93 % has a type (61 % of a size that fits), 7 % only a function`.
pub(crate) fn evidence(shares: &EvidenceShares, figures: Figures) -> String {
    let of = |part| figures.share(part, shares.total());
    let mut text = format!("{} has a type", of(shares.size_checked.saturating_add(shares.named)));
    if shares.size_checked > 0 {
        text.push_str(&format!(" ({} one whose size fits)", of(shares.size_checked)));
    }
    for (part, what) in [(shares.raw, "only a function"), (shares.unknown, "neither")] {
        if part > 0 {
            text.push_str(&format!(", {} {what}", of(part)));
        }
    }
    text
}

fn name<'p>(line: &TypeLine<'p>) -> &'p str {
    if line.name.is_empty() { UNKNOWN } else { line.name }
}

fn columns(
    lines: &[TypeLine<'_>],
    histogram: &TypeHistogram<'_>,
    profile: &Profile,
    figures: Figures,
) -> Vec<Column> {
    let total = histogram.shares.total();
    let column = |heading, cell: &dyn Fn(&TypeLine<'_>, &Counts) -> String| {
        (heading, lines.iter().map(|line| cell(line, &line.counts)).collect())
    };
    let live = if profile.run.end == End::Running { "live now" } else { "live at end" };
    let mut columns = vec![
        column("peak", &|_, counts| figures.bytes(counts.peak_bytes)),
        column("share", &|_, counts| figures.share(counts.peak_bytes, total)),
        column("blocks", &|_, counts| figures.count(counts.peak_blocks)),
        column("room for", &|line, _| {
            line.peak_capacity.map_or_else(|| "-".to_owned(), |it| figures.count(it))
        }),
        column("known by", &|line, _| known_by(line.evidence).to_owned()),
        column(live, &|_, counts| figures.bytes(counts.live_bytes())),
        column("mean block", &|_, counts| {
            counts.mean_block_bytes().map_or_else(String::new, |it| figures.bytes(it))
        }),
        column("largest", &|_, counts| largest_block(counts).unwrap_or_else(|| "-".to_owned())),
        column("allocated", &|_, counts| figures.bytes(counts.allocated_bytes)),
        column("allocations", &|_, counts| figures.count(counts.allocations)),
        column("sites", &|line, _| count(line.sites.len() as u64)),
    ];
    if profile.totals.growth.is_some() {
        columns.extend([
            column("copied by growing", &|_, counts| figures.bytes(counts.growth.copied_bytes)),
            column("given back", &|_, counts| figures.bytes(counts.growth.given_back_bytes)),
        ]);
    }
    columns
}

/// The largest block: `24.0 KiB`, and `≥24.0 KiB` if that is the largest in a sample. `None` if it is not known.
pub(crate) fn largest_block(counts: &Counts) -> Option<String> {
    let mark = if counts.is_largest_of_sample() { "≥" } else { "" };
    counts.largest_block().map(|bytes| format!("{mark}{}", units::bytes(bytes)))
}

/// In a word, how a type is known.
pub(crate) fn known_by(evidence: TypeEvidence) -> &'static str {
    match evidence {
        TypeEvidence::SizeChecked => "size",
        TypeEvidence::Named => "name",
        TypeEvidence::Raw => "function",
        TypeEvidence::Unknown => "-",
    }
}
