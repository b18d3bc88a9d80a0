//! The report: everything that was recorded, read at one moment, with functions and lines.
//!
//! Invariants: the numbers are those that `memscope report` would show, because the same code reads them; what is not
//! known is not guessed. Whoever reads is set aside, and so is the thread that names the functions, so reading changes
//! nothing of what it reads.
//! Deliberately absent: layout of the text for terminals, which is memscope-report's.

use crate::heap::{CaptureStats, Heap};
use crate::leak::{self, Leak};
use crate::mark::Marks;
use crate::recording::{self, Aside};
use memscope_profile::Profile;
use memscope_profile::analyze::{Analysis, Class, Line, Metric};
use memscope_profile::model::{Counts, End, Thread};
use memscope_profile::region::SitePlaces;
use memscope_profile::symbolize::{SymbolSearch, symbolize};
use memscope_report::text::counted;
use std::fmt;

/// How many sites a report lists.
const MAX_SITES: usize = 100;

/// What to say first where nothing is recorded.
pub(crate) const NOT_INSTALLED: &str = "\
Nothing is recorded, so sizes and lifetimes are unknown: memscope's allocator is not installed (or is off).
To install it:
    #[global_allocator]
    static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
";

/// Functions of the standard library in which it allocates what it keeps for itself.
const LIBRARYS_OWN: [&str; 4] = ["std::io::stdio::", "std::thread::", "std::sys::", "std::rt::"];

/// Where the standard library names the functions of a backtrace. It keeps what it has read for the next one; crates that it
/// is built with do the reading.
const LIBRARYS_SYMBOLS: &str = "std::backtrace_rs::symbolize::";

/// A function at a place in the source.
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
/// let kept = vec![0_u8; 1000];
/// let report = memscope_rs::tracker!().analyze();
/// let place = &report.sites[0].place;
/// println!("{} in {}, line {}", place.function, place.file, place.line);
/// assert!(place.function.contains("main"), "{place}");
/// # drop(kept);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Place {
    /// Its name, generics whole; empty if it is not known.
    pub function: String,
    /// The source file; empty if it is not known.
    pub file: String,
    /// The line, from 1 on; 0 if it is not known.
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
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
/// let kept = vec![0_u8; 1000];
/// let report = memscope_rs::tracker!().analyze();
/// let of_kept = |site: &&memscope_rs::SiteReport| site.counts.live_bytes() >= 1000;
/// let site = report.sites.iter().find(of_kept).unwrap();
/// println!("{} blocks are alive at {}, called by", site.counts.live_blocks(), site.place);
/// site.stack.iter().for_each(|place| println!("  {place}"));
/// # drop(kept);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SiteReport {
    /// The innermost function that is the program's own (or, if none is, the innermost of all).
    pub place: Place,
    /// The stack of the site with the most, innermost function first, without those of allocators.
    pub stack: Vec<Place>,
    /// What happened there since recording began: blocks, bytes and events.
    pub counts: Counts,
}

/// A variable that was tracked: all values of one type under one name at one place, through one tracker. Bytes are those that
/// were asked for.
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
/// use memscope_rs::{track, tracker};
///
/// let t = tracker!();
/// let orders = vec![0_u8; 100];
/// track!(t, orders);
/// let report = t.analyze();
/// let variable = &report.variables[0];
/// assert_eq!((variable.name.as_str(), variable.live_bytes), ("orders", 100));
/// # drop(orders);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Variable {
    /// The variable, as it stands in the source.
    pub name: String,
    /// The type of the value, as [`std::any::type_name`] has it.
    pub type_name: String,
    /// The source file in which it was tracked.
    pub file: String,
    /// The line, from 1 on.
    pub line: u32,
    /// Blocks that ever had the name. One that was moved by a realloc is one.
    pub allocations: u64,
    /// Bytes that they had when they were tracked.
    pub allocated_bytes: u64,
    /// How often one of them was moved by a realloc.
    pub reallocations: u64,
    /// Blocks of them that are alive.
    pub live_blocks: u64,
    /// Bytes of them that are alive.
    pub live_bytes: u64,
    /// The most bytes of them that were alive at once.
    pub peak_bytes: u64,
    /// How many strong handles the block that was tracked last had then, if it is an `Rc`'s or `Arc`'s; else 0.
    pub strong_count: u32,
    /// How many weak handles it had.
    pub weak_count: u32,
    /// Where its live blocks were allocated, most bytes first.
    pub sites: Vec<Place>,
}

/// A task, scope or span: what was allocated while it was current, but not while one of its children was. Bytes are those that
/// were asked for.
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
/// let task = memscope_rs::task_scope("import");
/// let rows = vec![0_u8; 100];
/// drop(task);
/// let report = memscope_rs::tracker!().analyze();
/// let import = &report.tasks[0];
/// assert_eq!((import.name.as_str(), import.allocations, import.live_bytes), ("import", 1, 100));
/// # drop(rows);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct TaskReport {
    /// Its name.
    pub name: String,
    /// Its name with those of the tasks that it lies in, outermost first: `import/parse`.
    pub path: String,
    /// Allocations; a realloc is one.
    pub allocations: u64,
    /// Bytes requested by them.
    pub allocated_bytes: u64,
    /// Blocks of them that are alive, whoever has them now.
    pub live_blocks: u64,
    /// Bytes of them that are alive.
    pub live_bytes: u64,
    /// The most bytes of them that were alive at once. Exact while one thread at a time is in the task.
    pub peak_bytes: u64,
    /// Its children: places in [`Report::tasks`].
    pub children: Vec<usize>,
}

/// Everything that was recorded, at one moment. Made by [`Tracker::analyze`](crate::Tracker::analyze).
///
/// `Display` prints it for people. With feature `serde` it is `Serialize`, and with `html` it has `to_html`. Sizes are in
/// bytes as they were requested.
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
/// use memscope_rs::{task_scope, track, tracker};
///
/// let t = tracker!();
/// let import = task_scope("import");
/// let rows = vec![0_u64; 100];
/// drop(import);
/// track!(t, rows);
///
/// let report = t.analyze();
/// let rows_are = report.variables.iter().find(|variable| variable.name == "rows").unwrap();
/// assert_eq!((rows_are.live_blocks, rows_are.live_bytes), (1, 800));
/// assert_eq!(rows_are.type_name, "alloc::vec::Vec<u64>");
/// assert_eq!(report.tasks[0].path, "import");
/// assert!(report.sites.iter().any(|site| site.counts.live_bytes() == 800));
/// # drop(rows);
/// ```
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Report {
    /// Sums over the whole process.
    pub heap: Heap,
    /// How much of what happened was recorded.
    pub completeness: CaptureStats,
    /// What there is evidence for that it was leaked, most bytes first. What is merely alive is not here.
    pub leaks: Vec<Leak>,
    /// Where the memory was allocated that is alive, most bytes first; at most 100.
    pub sites: Vec<SiteReport>,
    /// Variables that were tracked, most live bytes first.
    pub variables: Vec<Variable>,
    /// Tasks, scopes and spans. A parent comes before its children.
    pub tasks: Vec<TaskReport>,
    /// The threads, in the order in which they were first seen.
    pub threads: Vec<Thread>,
    #[cfg_attr(feature = "serde", serde(skip))]
    profile: Profile,
}

impl Report {
    pub(crate) fn read(marks: &Marks, end: End, at_end: bool) -> Self {
        match read_profile(end) {
            Some((profile, places)) => Self::of(profile, &places, marks, at_end),
            None => Self {
                heap: Heap::default(),
                completeness: CaptureStats::of_nothing(),
                leaks: Vec::new(),
                sites: Vec::new(),
                variables: Vec::new(),
                tasks: Vec::new(),
                threads: Vec::new(),
                profile: Profile::default(),
            },
        }
    }

    fn of(profile: Profile, places: &SitePlaces, marks: &Marks, at_end: bool) -> Self {
        let lines = Lines::new(&profile, places);
        let live = (0..lines.len()).filter(|line| lines.counts(*line).live_bytes() > 0);
        Self {
            heap: Heap::of(&profile.totals),
            completeness: CaptureStats::of(&profile.completeness),
            leaks: leak::find(&profile, &lines, marks, at_end),
            sites: live.take(MAX_SITES).map(|line| lines.site(line)).collect(),
            variables: variables(&profile, &lines),
            tasks: tasks(&profile),
            threads: profile.threads.clone(),
            profile,
        }
    }

    /// The profile that the report was made from, for [`memscope_profile`]'s analyses. A field.
    ///
    /// ```
    /// # #[global_allocator]
    /// # static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
    /// let report = memscope_rs::tracker!().analyze();
    /// assert_eq!(report.profile().totals.allocations, report.heap.allocations);
    /// ```
    pub fn profile(&self) -> &Profile {
        &self.profile
    }
}

/// The recording as it is now, with functions named. `None`: nothing is recorded.
pub(crate) fn read_profile(end: End) -> Option<(Profile, SitePlaces)> {
    let reading = recording::region()?.read(end).ok()?;
    let mut profile = reading.profile;
    let search = SymbolSearch { threads: 1, ..SymbolSearch::default() };
    symbolize(&mut profile, &search, &|_| {});
    Some((profile, reading.sites))
}

/// Sites that a person cannot tell apart, most live bytes first, and which line a site of the region belongs to.
pub(crate) struct Lines<'a> {
    analysis: Analysis<'a>,
    lines: Vec<Line>,
    /// By place of the site.
    by_place: Vec<usize>,
    places: &'a SitePlaces,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(profile: &'a Profile, places: &'a SitePlaces) -> Self {
        let analysis = Analysis::new(profile);
        // What is alive was allocated at its site, or named there, which counts the same.
        let mut lines = analysis.rank(Metric::Allocations, usize::MAX).lines;
        lines.sort_by_key(|line| std::cmp::Reverse(line.counts.live_bytes()));
        let mut by_place = vec![usize::MAX; profile.sites.len()];
        for (number, line) in lines.iter().enumerate() {
            for site in &line.sites {
                by_place[*site as usize] = number;
            }
        }
        Self { analysis, lines, by_place, places }
    }

    pub(crate) fn len(&self) -> usize {
        self.lines.len()
    }

    pub(crate) fn counts(&self, line: usize) -> &Counts {
        &self.lines[line].counts
    }

    /// Places of its sites in the profile.
    pub(crate) fn sites(&self, line: usize) -> &[u32] {
        &self.lines[line].sites
    }

    /// The line of a site of the region.
    pub(crate) fn of(&self, id: u32) -> Option<usize> {
        self.of_place(self.places.get(id)?)
    }

    fn of_place(&self, place: u32) -> Option<usize> {
        self.by_place.get(place as usize).copied().filter(|line| *line != usize::MAX)
    }

    pub(crate) fn site(&self, line: usize) -> SiteReport {
        let mut own = None;
        let mut stack = Vec::new();
        self.visit(line, |class, place| {
            if class == Class::User && own.is_none() {
                own = Some(place.clone());
            }
            stack.push(place);
            true
        });
        let place = own.or_else(|| stack.first().cloned()).unwrap_or_default();
        SiteReport { place, stack, counts: self.lines[line].counts }
    }

    /// The stack of one of its sites, innermost first, in the words of the text report.
    pub(crate) fn stack_lines(&self, site: u32, base: &str) -> Vec<String> {
        memscope_report::text::site_stack(&self.analysis, site, base)
    }

    /// Whether the standard library allocates here what it keeps for itself.
    pub(crate) fn is_the_librarys(&self, line: usize) -> bool {
        let (mut is_users, mut is_librarys, mut is_kept_debug_information) = (false, false, false);
        self.visit(line, |class, place| {
            let name = place.function.trim_start_matches('<');
            if !is_users && !is_librarys {
                is_users = class == Class::User;
                is_librarys = !is_users && LIBRARYS_OWN.iter().any(|own| name.starts_with(own));
            }
            is_kept_debug_information |= name.starts_with(LIBRARYS_SYMBOLS);
            !is_librarys && !is_kept_debug_information
        });
        is_librarys || is_kept_debug_information || !is_users
    }

    /// Visits the frames of the site with the most, innermost first, but for allocators', until told to stop.
    fn visit(&self, line: usize, mut visit: impl FnMut(Class, Place) -> bool) {
        let profile = self.analysis.profile();
        let site = self.lines[line].sites.first();
        let stack = site.and_then(|site| profile.sites.get(*site as usize));
        for frame in profile.stack_frames(stack.map_or(0, |site| site.stack)) {
            let class = self.analysis.class(&frame);
            if class == Class::Allocator {
                continue;
            }
            let place = Place {
                function: frame.function().to_owned(),
                file: frame.file().to_owned(),
                line: frame.frame().map_or(0, |frame| frame.line),
            };
            if !visit(class, place) {
                return;
            }
        }
    }
}

fn variables(profile: &Profile, lines: &Lines<'_>) -> Vec<Variable> {
    let mut sites: Vec<Vec<(u64, usize)>> = vec![Vec::new(); profile.labels.len()];
    for (place, site) in (0..).zip(&profile.sites) {
        let label = site.label.checked_sub(1).and_then(|label| sites.get_mut(label as usize));
        if let (Some(sites), Some(line)) = (label, lines.of_place(place))
            && site.counts.live_bytes() > 0
        {
            sites.push((site.counts.live_bytes(), line));
        }
    }
    let mut variables: Vec<_> = (1..)
        .zip(profile.labels.iter().zip(sites))
        .filter(|(id, (label, _))| label.tracker != *id)
        .map(|(_, (label, mut sites))| {
            sites.sort_unstable_by_key(|(bytes, _)| std::cmp::Reverse(*bytes));
            let mut places: Vec<Place> = Vec::new();
            for (_, line) in sites {
                let place = lines.site(line).place;
                if !places.contains(&place) {
                    places.push(place);
                }
            }
            Variable {
                name: label.name.clone(),
                type_name: label.type_name.clone(),
                file: label.file.clone(),
                line: label.line,
                allocations: label.blocks,
                allocated_bytes: label.bytes,
                reallocations: label.moves,
                live_blocks: label.live_blocks,
                live_bytes: label.live_bytes,
                peak_bytes: label.peak_bytes,
                strong_count: label.strong,
                weak_count: label.weak,
                sites: places,
            }
        })
        .collect();
    variables.sort_by_key(|variable| std::cmp::Reverse(variable.live_bytes));
    variables
}

fn tasks(profile: &Profile) -> Vec<TaskReport> {
    let mut tasks: Vec<_> = (1..)
        .zip(&profile.tasks)
        .map(|(id, task)| TaskReport {
            name: task.name.clone(),
            path: leak::path(profile, id),
            allocations: 0,
            allocated_bytes: 0,
            live_blocks: 0,
            live_bytes: 0,
            peak_bytes: task.peak_bytes,
            children: Vec::new(),
        })
        .collect();
    for site in &profile.sites {
        let task = site.task.checked_sub(1).and_then(|task| tasks.get_mut(task as usize));
        if let Some(task) = task {
            task.allocations += site.counts.allocations;
            task.allocated_bytes += site.counts.allocated_bytes;
            task.live_blocks += site.counts.live_blocks();
            task.live_bytes += site.counts.live_bytes();
        }
    }
    for (place, task) in profile.tasks.iter().enumerate() {
        if let Some(parent) = task.parent.checked_sub(1) {
            tasks[parent as usize].children.push(place);
        }
    }
    for task in &mut tasks {
        task.peak_bytes = task.peak_bytes.max(task.live_bytes);
    }
    tasks
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
        f.write_str(&String::from_utf8_lossy(&text))?;
        self.write_leaks(f)
    }
}

impl Report {
    /// What a person wants to know at the end of a run, in a few lines.
    pub(crate) fn write_summary(&self, f: &mut dyn fmt::Write) -> fmt::Result {
        if !self.heap.is_recorded {
            return f.write_str(NOT_INSTALLED);
        }
        let Heap { allocations, allocated_bytes, peak_bytes, live_bytes, live_blocks, .. } =
            self.heap;
        writeln!(f, "memscope: {}", self.completeness)?;
        writeln!(
            f,
            "{} of {}, {} at most at once, {} in {} at the end",
            counted(allocations, "allocation"),
            counted(allocated_bytes, "byte"),
            counted(peak_bytes, "byte"),
            counted(live_bytes, "byte"),
            counted(live_blocks, "block")
        )?;
        self.write_leaks(f)
    }

    fn write_leaks(&self, f: &mut dyn fmt::Write) -> fmt::Result {
        if self.leaks.is_empty() {
            return f.write_str("\nLeaks: none that there is evidence for.\n");
        }
        writeln!(f, "\nLeaks: {}", self.leaks.len())?;
        for (number, leak) in (1..).zip(&self.leaks) {
            writeln!(
                f,
                "{number:2}. {} in {}, {}",
                counted(leak.live_bytes, "byte"),
                counted(leak.live_blocks, "block"),
                leak.evidence
            )?;
            writeln!(f, "    {}", leak.site.place)?;
            if !leak.variables.is_empty() {
                writeln!(f, "    tracked as {}", leak.variables.join(", "))?;
            }
        }
        Ok(())
    }
}
