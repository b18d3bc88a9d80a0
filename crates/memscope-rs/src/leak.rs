//! Leaks: what there is evidence for, and which evidence.
//!
//! Memory that is alive is not a leak. It is listed here if one of three things was observed:
//! - growing: at each of at least three moments (marks, and now) more blocks of the place were alive than at the one
//!   before, and none are fewer now; or, where the program made no marks, they were never fewer at an analysis than at the
//!   one before, and more at five at least;
//! - outlived: blocks that were allocated in a scope are alive, and the scope is over;
//! - alive at end: the program is over, and blocks are alive that nobody will free.
//!
//! Invariant: a program that frees everything has none. What the standard library keeps for itself (the buffer of stdout,
//! what it knows of threads) is nobody's leak, and is left out.
//! Deliberately absent: guesses by age or size.

use crate::mark::{Mark, Marks};
use crate::recording::Aside;
use crate::report::{Lines, SiteReport};
use crate::task::ScopeKind;
use memscope_profile::Profile;
use memscope_report::text::counted;
use std::fmt;

/// How many moments it takes to call it growing.
const MIN_SERIES: usize = 3;

/// The same of analyses, at which nothing but the time is known to be alike.
const MIN_LOOKS: usize = 5;

/// A place whose blocks are believed to be leaked, and why. [`Report::leaks`](crate::Report::leaks) has them, found as part of
/// [`Tracker::analyze`](crate::Tracker::analyze) at no further cost.
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
/// use memscope_rs::{Evidence, tracker};
///
/// let t = tracker!();
/// let mut kept = Vec::new();
/// let request = t.scope("request");
/// kept.push(Box::new(7_u64)); // what a request should have freed
/// drop(request);
/// let report = t.analyze();
/// let evidence = Evidence::Outlived { scope: "request".to_owned() };
/// assert!(report.leaks.iter().all(|leak| leak.evidence == evidence));
/// assert_eq!(report.leaks.iter().map(|leak| leak.live_bytes).max(), Some(32)); // the vector; and 8 in the box
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Leak {
    /// What was observed.
    pub evidence: Evidence,
    /// How many of its blocks are alive; of what outlived a scope, those that were allocated in the scope.
    pub live_blocks: u64,
    /// Their bytes.
    pub live_bytes: u64,
    /// Where they were allocated.
    pub site: SiteReport,
    /// Names of the variables that they were tracked as, sorted; empty if they were not.
    pub variables: Vec<String>,
}

/// What was observed of blocks that are believed to be leaked.
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
/// use memscope_rs::{Evidence, tracker};
///
/// let t = tracker!();
/// let mut cache = Vec::new();
/// for hour in ["one", "two", "three"] {
///     cache.push(Box::new(7_u64));
///     t.mark(hour);
/// }
/// let report = t.analyze();
/// let is_growing = |evidence: &Evidence| matches!(evidence, Evidence::Growing { series } if series[0].0 == "one");
/// assert!(report.leaks.iter().any(|leak| is_growing(&leak.evidence)), "{report}");
/// # drop(cache);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum Evidence {
    /// More were alive at each of at least three marks (or two, and now) than at the one before; or, if the program made
    /// no marks, they became more from analysis to analysis, five times at least, and never fewer.
    Growing {
        /// The marks and how many blocks were alive at each; if the number is another now, that (called `now`) at last.
        /// Analyses are called by the time since the tracker was made: `12.5 s`.
        series: Vec<(String, u64)>,
    },
    /// They were allocated in a [`scope`](crate::Tracker::scope) that is over.
    Outlived {
        /// The scope, after those that it lay in: `server/request`.
        scope: String,
    },
    /// The program is over. Only the report that a [`Session`](crate::Session) writes at the end has this.
    AliveAtEnd,
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Evidence::Growing { series } => {
                f.write_str("growing: ")?;
                for (at, (mark, blocks)) in series.iter().enumerate() {
                    let comma = if at == 0 { "" } else { ", " };
                    // The text is none of the program's blocks.
                    let aside = Aside::new();
                    let blocks = counted(*blocks, "block");
                    drop(aside);
                    write!(f, "{comma}{blocks} at {mark:?}")?;
                }
                Ok(())
            }
            Evidence::Outlived { scope } => write!(f, "outlived the scope {scope:?}"),
            Evidence::AliveAtEnd => f.write_str("alive at the end of the program"),
        }
    }
}

/// All leaks, most bytes first.
pub(crate) fn find(profile: &Profile, lines: &Lines<'_>, marks: &Marks, at_end: bool) -> Vec<Leak> {
    let mut leaks = growing(profile, lines, marks);
    leaks.extend(outlived(profile, lines));
    if at_end {
        let told: Vec<_> = leaks.iter().map(|leak| leak.site.place.clone()).collect();
        leaks.extend(alive(profile, lines).filter(|leak| !told.contains(&leak.site.place)));
    }
    leaks.sort_by_key(|leak| std::cmp::Reverse(leak.live_bytes));
    leaks
}

fn leak(profile: &Profile, lines: &Lines<'_>, line: usize, evidence: Evidence) -> Leak {
    let site = lines.site(line);
    let (live_blocks, live_bytes) = (site.counts.live_blocks(), site.counts.live_bytes());
    let variables = variables(profile, lines.sites(line).iter().copied());
    Leak { evidence, live_blocks, live_bytes, site, variables }
}

/// The names that blocks of these sites bear.
fn variables(profile: &Profile, sites: impl Iterator<Item = u32>) -> Vec<String> {
    let sites = sites.filter_map(|site| profile.sites.get(site as usize));
    let labels = sites.filter(|site| site.counts.live_blocks() > 0).map(|site| site.label);
    let labels = labels.filter_map(|label| profile.labels.get(label.checked_sub(1)? as usize));
    let mut names: Vec<_> = labels.map(|label| label.name.clone()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn growing(profile: &Profile, lines: &Lines<'_>, marks: &Marks) -> Vec<Leak> {
    // Marks are moments that the program chose, for being alike; analyses may be at any, so it takes more of them.
    let by_marks = series(lines, marks.named()).into_iter().enumerate();
    let mut by_looks = series(lines, marks.looks());
    let found = by_marks.filter_map(|(line, mut series)| {
        let now = lines.counts(line).live_blocks();
        // Now may be the very moment of the last mark.
        if series.last().is_none_or(|(_, last)| *last != now) {
            series.push(("now".to_owned(), now));
        }
        let grows =
            |series: &Series| series.is_sorted_by(|(_, earlier), (_, later)| earlier < later);
        let mut looks = std::mem::take(&mut by_looks[line]);
        looks.dedup_by_key(|(_, blocks)| *blocks);
        let series = if series.len() >= MIN_SERIES && grows(&series) {
            series
        } else if marks.named().next().is_none() && looks.len() >= MIN_LOOKS && grows(&looks) {
            looks
        } else {
            return None;
        };
        (!lines.is_the_librarys(line)).then_some((line, series))
    });
    found.map(|(line, series)| leak(profile, lines, line, Evidence::Growing { series })).collect()
}

/// Moments, and how many blocks were alive at each.
type Series = Vec<(String, u64)>;

/// The series of each line.
fn series<'m>(lines: &Lines<'_>, marks: impl Iterator<Item = &'m Mark>) -> Vec<Series> {
    let mut series = vec![Series::new(); lines.len()];
    for mark in marks {
        // One at which nothing was recorded says nothing of growth.
        let Some(sites) = &mark.sites else { continue };
        let mut blocks = vec![0_i64; lines.len()];
        for (id, alive) in sites {
            if let Some(line) = lines.of(*id) {
                blocks[line] += alive.blocks;
            }
        }
        for (series, blocks) in series.iter_mut().zip(blocks) {
            series.push((mark.name.clone(), blocks.max(0) as u64));
        }
    }
    series
}

fn alive(profile: &Profile, lines: &Lines<'_>) -> impl Iterator<Item = Leak> {
    let alive = (0..lines.len()).filter(|line| lines.counts(*line).live_blocks() > 0);
    let alive = alive.filter(|line| !lines.is_the_librarys(*line));
    alive.map(|line| leak(profile, lines, line, Evidence::AliveAtEnd))
}

/// Blocks of sites in scopes that are over, by scope and line.
fn outlived(profile: &Profile, lines: &Lines<'_>) -> Vec<Leak> {
    let mut leaks: Vec<(usize, u32, Leak)> = Vec::new();
    for line in 0..lines.len() {
        for &place in lines.sites(line) {
            let Some(site) = profile.sites.get(place as usize) else { continue };
            let (blocks, bytes) = (site.counts.live_blocks(), site.counts.live_bytes());
            let Some(scope) = closed_scope(profile, site.task).filter(|_| blocks > 0) else {
                continue;
            };
            let known = leaks.iter_mut().find(|(of, by, _)| (*of, *by) == (line, scope));
            if let Some((.., leak)) = known {
                leak.live_blocks += blocks;
                leak.live_bytes += bytes;
                continue;
            }
            let evidence = Evidence::Outlived { scope: path(profile, scope) };
            let leak = Leak {
                evidence,
                live_blocks: blocks,
                live_bytes: bytes,
                site: lines.site(line),
                variables: variables(profile, lines.sites(line).iter().copied()),
            };
            leaks.push((line, scope, leak));
        }
    }
    leaks.into_iter().map(|(.., leak)| leak).collect()
}

/// The innermost scope that a task lies in, if none of that path is under way: the task's number or its ancestor's.
fn closed_scope(profile: &Profile, mut task: u32) -> Option<u32> {
    while let Some(there) = task.checked_sub(1).and_then(|at| profile.tasks.get(at as usize)) {
        if there.kind == ScopeKind::Scope as u32 {
            return (there.open == 0).then_some(task);
        }
        task = there.parent;
    }
    None
}

/// A task's names from the outermost in.
pub(crate) fn path(profile: &Profile, mut task: u32) -> String {
    let mut names = Vec::new();
    while let Some(there) = task.checked_sub(1).and_then(|at| profile.tasks.get(at as usize)) {
        names.push(there.name.as_str());
        task = there.parent;
    }
    names.reverse();
    names.join("/")
}
