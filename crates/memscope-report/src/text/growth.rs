//! What growing cost: the places whose blocks were copied most because they grew step by step, and what would have spared
//! that.
//!
//! Only what `realloc` did is known. Where nothing had to be copied, nothing is said. Deliberately absent: a judgement on
//! whether it matters; the figures stand beside it.

use super::figures::Figures;
use super::page::{Breaks, Ink, Page, span};
use super::units::{count, counted};
use super::{Options, site_name};
use memscope_profile::analyze::{Analysis, Line, Metric};
use memscope_profile::model::{Counts, Growth, HeapType, Kind, Profile};
use std::io;

/// No more places than these.
const MAX_LINES: usize = 5;

/// A place with less than one part in so many of what was copied is not shown.
const LEAST_PART: u64 = 100;

/// Blocks that grew fewer times than this, on average, are not worth advice.
const LEAST_STEPS: f64 = 2.0;

pub(super) fn write(
    analysis: &Analysis<'_>,
    options: &Options,
    page: &mut Page<'_>,
) -> io::Result<()> {
    let profile = analysis.profile();
    let figures = Figures::of(&profile.run);
    let Some(growth) = profile.totals.growth.filter(|growth| growth.copied_bytes > 0) else {
        return Ok(());
    };
    let mut lines = lines(analysis);
    lines.retain(|line| copied(line) >= growth.copied_bytes / LEAST_PART);
    lines.truncate(MAX_LINES.min(options.top));
    if lines.is_empty() {
        return Ok(());
    }
    page.blank()?;
    let about = format!(", {}", about(&growth, figures));
    page.paragraph(0, 2, Breaks::Words, &[span(Ink::Strong, "Growth"), span(Ink::Plain, about)])?;
    for (number, line) in (1..).zip(&lines) {
        let lead = format!("{number:>2}. ");
        let share = figures.share(copied(line), growth.copied_bytes);
        page.paragraph(
            0,
            4,
            Breaks::Words,
            &[
                span(Ink::Plain, lead),
                span(Ink::Strong, figures.bytes(copied(line))),
                span(Ink::Plain, format!("  {share}  ")),
                span(Ink::Faint, steps(profile, line, figures)),
            ],
        )?;
        let place = line.sites.first().map(|site| site_name(analysis, *site, &options.base));
        page.paragraph(4, 6, Breaks::Words, &[span(Ink::Plain, place.unwrap_or_default())])?;
        if let Some(advice) = advice(profile, line, figures) {
            page.paragraph(4, 6, Breaks::Words, &[span(Ink::Plain, advice)])?;
        }
    }
    Ok(())
}

/// What all growing cost.
pub(crate) fn about(growth: &Growth, figures: Figures) -> String {
    let mut about = format!(
        "{} copied because blocks grew ({})",
        figures.bytes(growth.copied_bytes),
        counted(growth.growths, "time")
    );
    for (bytes, what) in [
        (growth.remapped_bytes, "moved with their pages, without a copy"),
        (growth.given_back_bytes, "given back by shrinking"),
    ] {
        if bytes > 0 {
            about.push_str(&format!("; {} {what}", figures.bytes(bytes)));
        }
    }
    about
}

/// The places from which something was copied, that with the most first.
pub(crate) fn lines(analysis: &Analysis<'_>) -> Vec<Line> {
    let mut lines = analysis.rank(Metric::Allocations, usize::MAX).lines;
    lines.retain(|line| copied(line) > 0);
    lines.sort_by_key(|line| (u64::MAX - copied(line), line.sites.first().copied()));
    lines
}

fn copied(line: &Line) -> u64 {
    line.counts.growth.copied_bytes
}

/// How many times each block grew, on average.
fn steps_each(line: &Line) -> Option<f64> {
    let (blocks, _) = line.counts.last_blocks();
    (blocks > 0).then(|| line.counts.growth.growths as f64 / blocks as f64)
}

/// The mean bytes with which the blocks began that grew here; `None` if they began elsewhere, or only some did here.
fn first_bytes_mean(profile: &Profile, line: &Line) -> Option<u64> {
    let (last_blocks, _) = line.counts.last_blocks();
    let sites = line.sites.iter().filter_map(|site| profile.sites.get(*site as usize));
    let mut first = Counts::default();
    sites.filter(|it| it.kind != Kind::Realloc as u8).for_each(|it| first.add(&it.counts));
    first.mean_block_bytes().filter(|_| first.allocations == last_blocks)
}

/// `Vec<Order>: 9.0 steps from 96 B to 24.0 KiB, 3 times`.
pub(crate) fn steps(profile: &Profile, line: &Line, figures: Figures) -> String {
    let name = heap_type(profile, line).map_or("", |it| it.name.as_str());
    let (blocks, _) = line.counts.last_blocks();
    let text = match (steps_each(line), line.counts.last_bytes_mean()) {
        (Some(steps), Some(last)) => {
            let each = if blocks == 1 { "once" } else { &format!("{} times", count(blocks)) };
            let first = first_bytes_mean(profile, line);
            let from = first.map_or(String::new(), |it| format!(" from {}", figures.bytes(it)));
            format!("{steps:.1} steps{from} to {}, {each}", figures.bytes(last))
        }
        _ => counted(line.counts.growth.growths, "step"),
    };
    if name.is_empty() { text } else { format!("{name}: {text}") }
}

/// What a person would say who knows the place.
pub(crate) fn advice(profile: &Profile, line: &Line, figures: Figures) -> Option<String> {
    steps_each(line).filter(|steps| *steps >= LEAST_STEPS)?;
    let last_bytes = line.counts.last_bytes_mean()?;
    let values = heap_type(profile, line)
        .filter(|it| it.evidence.is_typed())
        .and_then(|it| last_bytes.checked_div(it.value_bytes))
        .filter(|values| *values > 0);
    let room = values.map_or_else(|| figures.bytes(last_bytes), count);
    let (blocks, _) = line.counts.last_blocks();
    let usual = if blocks > 1 { ", the mean at the end" } else { "" };
    Some(format!("reserve room for {room} before the first step{usual}"))
}

/// The type of most of what was copied.
fn heap_type<'p>(profile: &'p Profile, line: &Line) -> Option<&'p HeapType> {
    let sites = line.sites.iter().filter_map(|site| profile.sites.get(*site as usize));
    profile.heap_type(sites.max_by_key(|site| site.counts.growth.copied_bytes)?)
}

#[cfg(test)]
mod tests {
    use crate::text::{Options, write};
    use memscope_profile::model::{
        Address, Counts, Frame, Growth, HeapType, Profile, Site, StackNode, TypeEvidence,
    };

    /// One vector that grew nine times, from 48 bytes to 24 kB, always to a new place.
    fn profile(types: Vec<HeapType>) -> Profile {
        let growth = Growth {
            growths: 9,
            copied_bytes: 24_528,
            outgrown_blocks: 9,
            outgrown_bytes: 24_528,
            ..Growth::default()
        };
        let counts = Counts {
            allocations: 10,
            allocated_bytes: 24_528 + 24_576,
            frees: 10,
            freed_bytes: 24_528 + 24_576,
            growth,
            ..Counts::default()
        };
        let mut profile = Profile {
            strings: vec![String::new(), "shop::load".into()],
            frames: vec![Frame { function: 1, ..Frame::default() }],
            addresses: vec![Address { frames_len: 1, ..Address::default() }],
            stacks: vec![StackNode::default()],
            sites: vec![Site { stack: 1, kind: 3, heap_type: 1, counts, ..Site::default() }],
            types,
            ..Profile::default()
        };
        profile.totals.allocations = 10;
        profile.totals.growth = Some(growth);
        profile
    }

    fn text(profile: &Profile) -> String {
        let mut out = Vec::new();
        write(profile, &Options::default(), &mut out).expect("a Vec takes everything");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn it_says_what_was_copied_and_what_to_reserve() {
        let order = HeapType {
            name: "Vec<Order>".into(),
            evidence: TypeEvidence::SizeChecked,
            value_bytes: 24,
            ..HeapType::default()
        };
        let said = text(&profile(vec![order.clone()]));
        assert!(said.contains("Growth, 24"), "{said}");
        assert!(said.contains("Vec<Order>: 9.0 steps to 24"), "{said}");
        assert!(said.contains("reserve room for 1,024 before the first step\n"), "{said}");
        // Where a value's size is not known, bytes are.
        let unknown = text(&profile(vec![HeapType { value_bytes: 0, ..order }]));
        assert!(unknown.contains("reserve room for 24"), "{unknown}");
    }

    #[test]
    fn where_a_block_began_is_said_if_it_was_here() {
        let mut profile = profile(Vec::new());
        let [grown] = profile.sites[..] else { panic!("one site") };
        let of = |kind, allocations, allocated_bytes| {
            let counts = Counts { allocations, allocated_bytes, ..Counts::default() };
            Site { kind, heap_type: 0, counts, ..grown }
        };
        // All that were outgrown but the first are the realloc's.
        let rest = of(3, 9, 24_528 + 24_576 - 48);
        let rest = Site { counts: Counts { growth: grown.counts.growth, ..rest.counts }, ..rest };
        profile.sites = vec![of(1, 1, 48), rest];
        let said = text(&profile);
        assert!(said.contains(" 9.0 steps from 48 B to 24.0 KiB, once"), "{said}");
        // A block that began elsewhere.
        profile.sites.remove(0);
        assert!(!text(&profile).contains(" steps from "), "{}", text(&profile));
    }

    #[test]
    fn what_is_not_known_or_did_not_happen_is_not_said() {
        let mut profile = profile(Vec::new());
        profile.totals.growth = None;
        assert!(!text(&profile).contains("Growth"));
        profile.totals.growth = Some(Growth::default());
        assert!(!text(&profile).contains("Growth"));
    }
}
