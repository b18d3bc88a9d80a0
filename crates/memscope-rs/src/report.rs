//! The report: everything that was recorded, read at one moment, with functions and lines.
//!
//! Invariants: the numbers are those that `memscope report` would show, because the same code reads them; what is not
//! known is not guessed. Whoever reads is set aside, and so is the thread that names the functions, so reading changes
//! nothing of what it reads.
//! Deliberately absent: layout of the text for terminals, which is memscope-report's.

use crate::heap::{CaptureStats, Heap};
use crate::recording::{self, Aside};
use memscope_profile::Profile;
use memscope_profile::analyze::{Analysis, Class, Line, Metric};
use memscope_profile::model::{Counts, End, Thread};
use memscope_profile::symbolize::{SymbolSearch, symbolize};
use std::fmt;

/// How many sites a report lists.
const MAX_SITES: usize = 100;

/// What to say first where nothing is recorded.
const NOT_INSTALLED: &str = "\
No allocator of memscope's is installed, so lifetimes and sizes are unknown. To install it:
    #[global_allocator]
    static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
";

/// A function at a place in the source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Place {
    /// Its name, generics whole; empty if it is not known.
    pub function: String,
    /// The source file; empty if it is not known.
    pub file: String,
    /// The line; 0 if it is not known.
    pub line: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.function.is_empty() { "?" } else { &self.function })?;
        if !self.file.is_empty() {
            write!(f, " ({}:{})", self.file, self.line)?;
        }
        Ok(())
    }
}

/// A place in the program that allocates: all sites that a person cannot tell apart.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SiteReport {
    /// The innermost function that is the program's own (or, if none is, the innermost of all).
    pub place: Place,
    /// The stack of the site with the most, innermost function first, without those of allocators.
    pub stack: Vec<Place>,
    /// What happened there.
    pub counts: Counts,
}

/// Everything that was recorded, at one moment. Made by [`Tracker::analyze`](crate::Tracker::analyze).
///
/// `Display` prints it for people. With feature `serde` it is `Serialize`.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Report {
    /// Sums over the whole process.
    pub heap: Heap,
    /// How much of what happened was recorded.
    pub completeness: CaptureStats,
    /// Where the memory was allocated that is alive, most bytes first; at most 100.
    pub sites: Vec<SiteReport>,
    /// The threads, in the order in which they were first seen.
    pub threads: Vec<Thread>,
    profile: Profile,
}

impl Report {
    pub(crate) fn read() -> Self {
        let _aside = Aside::new();
        let profile = recording::region()
            .and_then(|region| region.read(End::Running).ok())
            .map(|reading| named(reading.profile));
        match profile {
            Some(profile) => Self::of(profile),
            None => Self {
                heap: Heap::default(),
                completeness: CaptureStats::of(&Default::default()),
                sites: Vec::new(),
                threads: Vec::new(),
                profile: Profile::default(),
            },
        }
    }

    fn of(profile: Profile) -> Self {
        let analysis = Analysis::new(&profile);
        let ranking = analysis.rank(Metric::LiveAtEnd, MAX_SITES);
        let sites = ranking.lines.iter().map(|line| site(&analysis, line)).collect();
        Self {
            heap: Heap::of(&profile.totals),
            completeness: CaptureStats::of(&profile.completeness),
            sites,
            threads: profile.threads.clone(),
            profile,
        }
    }

    /// The profile that the report was made from, for [`memscope_profile`]'s analyses.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }
}

/// Names the functions.
fn named(mut profile: Profile) -> Profile {
    let search = SymbolSearch { threads: 1, ..SymbolSearch::default() };
    symbolize(&mut profile, &search, &|_| {});
    profile
}

fn site(analysis: &Analysis<'_>, line: &Line) -> SiteReport {
    let profile = analysis.profile();
    let stack = line.sites.first().and_then(|site| profile.sites.get(*site as usize));
    let frames = profile.stack_frames(stack.map_or(0, |site| site.stack));
    let mut own = None;
    let mut stack = Vec::new();
    for frame in frames {
        let class = analysis.class(&frame);
        if class == Class::Allocator {
            continue;
        }
        let place = Place {
            function: frame.function().to_owned(),
            file: frame.file().to_owned(),
            line: frame.frame().map_or(0, |frame| frame.line),
        };
        if class == Class::User && own.is_none() {
            own = Some(place.clone());
        }
        stack.push(place);
    }
    let place = own.or_else(|| stack.first().cloned()).unwrap_or_default();
    SiteReport { place, stack, counts: line.counts }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let _aside = Aside::new();
        if !self.heap.is_recorded {
            return f.write_str(NOT_INSTALLED);
        }
        let mut text = Vec::new();
        let options = memscope_report::text::Options::default();
        memscope_report::text::write(&self.profile, &options, &mut text).map_err(|_| fmt::Error)?;
        f.write_str(&String::from_utf8_lossy(&text))
    }
}
