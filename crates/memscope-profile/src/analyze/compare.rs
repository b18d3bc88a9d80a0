//! What changed between runs: lines of one are found again in the other by their functions and source lines.
//!
//! Addresses differ between two builds, so they are not looked at. A line is first looked for with its functions, files
//! and line numbers; what is left over on both sides (the code around it was edited) is looked for by its functions alone.
//!
//! Invariants: every line of every run is in exactly one change; the changes' sums are the runs' sums over sites.
//! Deliberately absent: whether a change matters, which whoever asks decides.

use super::{Analysis, Class, Metric};
use crate::model::{Counts, Profile};
use crate::types::TypeHistogram;
use std::collections::HashMap;

/// A figure of several runs, in the figure's unit: that of the metric, or bytes where the field that holds it says so. All are 0
/// where no run has it.
///
/// ```
/// use memscope_profile::analyze::{Analysis, Metric, compare};
/// use memscope_profile::model::{Counts, Profile, Site};
///
/// let run = |peak_bytes| Profile {
///     sites: vec![Site { counts: Counts { peak_bytes, ..Counts::default() }, ..Site::default() }],
///     ..Profile::default()
/// };
/// let (one, two, after) = (run(100), run(120), run(115));
/// let before = [&one, &two].map(Analysis::new);
/// let comparison = compare(&before.each_ref(), &[&Analysis::new(&after)], Metric::Peak);
/// let spread = comparison.changes[0].before;
/// assert_eq!((spread.min, spread.mean, spread.max), (100, 110, 120));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spread {
    /// The smallest of the runs' figures.
    pub min: u64,
    /// The mean of the runs' figures, rounded down.
    pub mean: u64,
    /// The largest of the runs' figures.
    pub max: u64,
}

impl Spread {
    fn of(values: &[u64]) -> Self {
        let sum: u128 = values.iter().map(|&value| u128::from(value)).sum();
        Self {
            min: values.iter().copied().min().unwrap_or(0),
            mean: (sum / values.len().max(1) as u128) as u64,
            max: values.iter().copied().max().unwrap_or(0),
        }
    }
}

/// How a line changed.
///
/// ```
/// use memscope_profile::analyze::{Analysis, Change, Metric, compare};
/// use memscope_profile::model::{Counts, Profile, Site};
///
/// let run = |peak_bytes| Profile {
///     sites: vec![Site { counts: Counts { peak_bytes, ..Counts::default() }, ..Site::default() }],
///     ..Profile::default()
/// };
/// let (nothing, before, after) = (run(0), run(100), run(130));
/// let [nothing, before, after] = [&nothing, &before, &after].map(Analysis::new);
/// let kind = |before, after| compare(&[before], &[after], Metric::Peak).changes[0].kind();
/// assert_eq!(kind(&before, &after), Change::Grown);
/// assert_eq!((kind(&nothing, &after), kind(&before, &nothing)), (Change::New, Change::Gone));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It had none before.
    New,
    /// It has none any more.
    Gone,
    /// It has more.
    Grown,
    /// It has less.
    Shrunk,
    /// It has as much.
    Same,
}

/// A line before and after.
///
/// ```
/// use memscope_profile::analyze::{Analysis, Metric, compare};
/// use memscope_profile::model::{Counts, Profile, Site};
///
/// let run = |peak_bytes| Profile {
///     sites: vec![Site { counts: Counts { peak_bytes, ..Counts::default() }, ..Site::default() }],
///     ..Profile::default()
/// };
/// let (before, after) = (run(100), run(130));
/// let comparison = compare(&[&Analysis::new(&before)], &[&Analysis::new(&after)], Metric::Peak);
/// let line = &comparison.changes[0];
/// assert_eq!((line.before.mean, line.after.mean), (100, 130));
/// let site = &[&before, &after][line.run].sites[line.site as usize]; // whose stack is to be shown
/// assert_eq!(site.counts.peak_bytes, 130);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineChange {
    /// A run in which the line is: its place among those before, followed by those after.
    pub run: usize,
    /// The place of the line's largest site in that run.
    pub site: u32,
    /// How much of the metric it had in the runs before.
    pub before: Spread,
    /// How much of the metric it has in the runs after.
    pub after: Spread,
    /// The mean bytes of its blocks, before and after, over the runs that have any.
    pub mean_block_bytes: [Spread; 2],
    /// The bytes of its largest block, likewise.
    pub largest_block_bytes: [Spread; 2],
}

impl LineChange {
    /// From what the line has in each run, of which so many are before.
    fn new(run: usize, site: u32, counts: &[Counts], runs_before: usize, metric: Metric) -> Self {
        let (before, after) = counts.split_at(runs_before);
        let values = |counts: &[Counts]| {
            Spread::of(&counts.iter().map(|it| metric.value(it)).collect::<Vec<_>>())
        };
        let known = |value: fn(&Counts) -> Option<u64>| {
            [before, after].map(|it| Spread::of(&it.iter().filter_map(value).collect::<Vec<_>>()))
        };
        Self {
            run,
            site,
            before: values(before),
            after: values(after),
            mean_block_bytes: known(Counts::mean_block_bytes),
            largest_block_bytes: known(Counts::largest_block),
        }
    }

    /// The mean after less the mean before. In the unit of the metric: bytes or a number of events. A subtraction.
    ///
    /// ```
    /// use memscope_profile::analyze::{Analysis, Metric, compare};
    /// use memscope_profile::model::{Counts, Profile, Site};
    ///
    /// let run = |peak_bytes| Profile {
    ///     sites: vec![Site { counts: Counts { peak_bytes, ..Counts::default() }, ..Site::default() }],
    ///     ..Profile::default()
    /// };
    /// let (before, after) = (run(130), run(100));
    /// let comparison = compare(&[&Analysis::new(&before)], &[&Analysis::new(&after)], Metric::Peak);
    /// assert_eq!(comparison.changes[0].change(), -30);
    /// ```
    pub fn change(&self) -> i64 {
        self.after.mean.wrapping_sub(self.before.mean).cast_signed()
    }

    /// In which way it changed. A few comparisons.
    ///
    /// ```
    /// use memscope_profile::analyze::{Analysis, Change, Metric, compare};
    /// use memscope_profile::model::{Counts, Profile, Site};
    ///
    /// let run = |peak_bytes| Profile {
    ///     sites: vec![Site { counts: Counts { peak_bytes, ..Counts::default() }, ..Site::default() }],
    ///     ..Profile::default()
    /// };
    /// let (before, after) = (run(130), run(100));
    /// let comparison = compare(&[&Analysis::new(&before)], &[&Analysis::new(&after)], Metric::Peak);
    /// assert_eq!(comparison.changes[0].kind(), Change::Shrunk);
    /// ```
    pub fn kind(&self) -> Change {
        match (self.before.max, self.after.max) {
            (0, 1..) => Change::New,
            (1.., 0) => Change::Gone,
            _ if self.change() > 0 => Change::Grown,
            _ if self.change() < 0 => Change::Shrunk,
            _ => Change::Same,
        }
    }

    /// Whether the runs before and after overlap, so that the change may be chance. Never true of single runs that differ.
    /// Two comparisons.
    ///
    /// ```
    /// use memscope_profile::analyze::{Analysis, Metric, compare};
    /// use memscope_profile::model::{Counts, Profile, Site};
    ///
    /// let run = |peak_bytes| Profile {
    ///     sites: vec![Site { counts: Counts { peak_bytes, ..Counts::default() }, ..Site::default() }],
    ///     ..Profile::default()
    /// };
    /// let (one, two, after) = (run(100), run(120), run(115));
    /// let before = [&one, &two].map(Analysis::new);
    /// let comparison = compare(&before.each_ref(), &[&Analysis::new(&after)], Metric::Peak);
    /// assert!(comparison.changes[0].is_within_spread());
    /// ```
    pub fn is_within_spread(&self) -> bool {
        self.before.min <= self.after.max && self.after.min <= self.before.max
    }
}

/// Runs before and after, by one metric.
///
/// ```
/// use memscope_profile::analyze::{Analysis, Metric, compare};
/// use memscope_profile::model::{Counts, Profile, Site, Totals};
///
/// let run = |peak_bytes| Profile {
///     totals: Totals { peak_bytes, ..Totals::default() },
///     sites: vec![Site { counts: Counts { peak_bytes, ..Counts::default() }, ..Site::default() }],
///     ..Profile::default()
/// };
/// let (before, after) = (run(100), run(130));
/// let comparison = compare(&[&Analysis::new(&before)], &[&Analysis::new(&after)], Metric::Peak);
/// assert_eq!((comparison.before.mean, comparison.after.mean, comparison.changes.len()), (100, 130, 1));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// By what they are compared.
    pub metric: Metric,
    /// The whole process's figure before, without what is suppressed.
    pub before: Spread,
    /// The whole process's figure after, likewise.
    pub after: Spread,
    /// Lines that have some of it in any run, the largest change first.
    pub changes: Vec<LineChange>,
}

/// By what a line is found again: function, file name and line of each of its own frames, and its operation.
type Face<'p> = Vec<(&'p str, &'p str, u32)>;

struct Line<'p> {
    run: usize,
    site: u32,
    largest: u64,
    /// By run.
    counts: Vec<Counts>,
    face: Face<'p>,
}

/// Compares runs by a metric. Costs about as much as reading their lines' stacks once.
///
/// ```
/// use memscope_profile::analyze::{Analysis, Metric, compare};
/// use memscope_profile::model::{Counts, Profile, Site};
///
/// let run = |peak_bytes| Profile {
///     sites: vec![Site { counts: Counts { peak_bytes, ..Counts::default() }, ..Site::default() }],
///     ..Profile::default()
/// };
/// let (before, after) = (run(100), run(130));
/// let comparison = compare(&[&Analysis::new(&before)], &[&Analysis::new(&after)], Metric::Peak);
/// assert_eq!(comparison.changes[0].change(), 30);
/// assert!(compare(&[], &[], Metric::Peak).changes.is_empty());
/// ```
pub fn compare(before: &[&Analysis<'_>], after: &[&Analysis<'_>], metric: Metric) -> Comparison {
    let runs = before.len() + after.len();
    let mut lines: Vec<Line<'_>> = Vec::new();
    let mut known: HashMap<Face<'_>, usize> = HashMap::new();
    for (run, analysis) in before.iter().chain(after).enumerate() {
        for line in analysis.rank(metric, usize::MAX).lines {
            let site = line.sites[0];
            let face = face(analysis, site);
            let place = *known.entry(face.clone()).or_insert(lines.len());
            if place == lines.len() {
                let counts = vec![Counts::default(); runs];
                lines.push(Line { run, site, largest: 0, counts, face });
            }
            let known = &mut lines[place];
            known.counts[run].add(&line.counts);
            if line.value > known.largest {
                (known.run, known.site, known.largest) = (run, site, line.value);
            }
        }
    }
    let lines = join_edited(lines, before.len(), metric);
    let changes = lines
        .iter()
        .map(|line| LineChange::new(line.run, line.site, &line.counts, before.len(), metric));
    comparison(before, after, metric, changes.collect())
}

/// Puts the changes in their order, beside the figures of the whole process.
fn comparison(
    before: &[&Analysis<'_>],
    after: &[&Analysis<'_>],
    metric: Metric,
    mut changes: Vec<LineChange>,
) -> Comparison {
    changes.sort_by_key(|it| (std::cmp::Reverse(it.change().unsigned_abs()), it.run, it.site));
    let whole = |runs: &[&Analysis<'_>]| {
        Spread::of(&runs.iter().map(|it| total(it, metric)).collect::<Vec<_>>())
    };
    Comparison { metric, before: whole(before), after: whole(after), changes }
}

/// Compares runs by what the blocks are: a change is of a type, and its site the first with blocks of that type. Blocks of
/// nothing known are left out. Costs a look at each site.
///
/// ```
/// use memscope_profile::analyze::{Analysis, Metric, compare_types};
/// use memscope_profile::model::{Counts, HeapType, Profile, Site};
///
/// let run = |peak_bytes| Profile {
///     types: vec![HeapType { name: "Vec<Order>".into(), ..HeapType::default() }],
///     sites: vec![Site { heap_type: 1, counts: Counts { peak_bytes, ..Counts::default() }, ..Site::default() }],
///     ..Profile::default()
/// };
/// let (before, after) = (run(100), run(130));
/// let comparison = compare_types(&[&Analysis::new(&before)], &[&Analysis::new(&after)], Metric::Peak);
/// let line = &comparison.changes[0];
/// let heap_type = after.heap_type(&after.sites[line.site as usize]).unwrap();
/// assert_eq!((heap_type.name.as_str(), line.change()), ("Vec<Order>", 30));
/// ```
pub fn compare_types(
    before: &[&Analysis<'_>],
    after: &[&Analysis<'_>],
    metric: Metric,
) -> Comparison {
    let runs = before.len() + after.len();
    let mut types: Vec<(usize, u32, Vec<Counts>)> = Vec::new();
    let mut known: HashMap<&str, usize> = HashMap::new();
    for (run, analysis) in before.iter().chain(after).enumerate() {
        for line in TypeHistogram::new(analysis.profile(), metric).present() {
            if line.name.is_empty() {
                continue;
            }
            let place = *known.entry(line.name).or_insert(types.len());
            if place == types.len() {
                types.push((run, line.sites[0], vec![Counts::default(); runs]));
            }
            types[place].2[run].add(&line.counts);
        }
    }
    let changes = types
        .iter()
        .map(|(run, site, counts)| LineChange::new(*run, *site, counts, before.len(), metric));
    comparison(before, after, metric, changes.collect())
}

fn total(analysis: &Analysis<'_>, metric: Metric) -> u64 {
    let Profile { totals, suppressed, .. } = analysis.profile();
    let total = match metric {
        Metric::Peak => totals.peak_bytes,
        Metric::LiveAtEnd => totals.live_bytes,
        Metric::Allocations => totals.allocations,
        Metric::AllocatedBytes => totals.allocated_bytes,
        Metric::Temporary => totals.temporary,
    };
    total.saturating_sub(metric.value(suppressed))
}

fn face<'p>(analysis: &Analysis<'p>, site: u32) -> Face<'p> {
    let profile = analysis.profile();
    let stack = profile.sites.get(site as usize).map_or(0, |site| site.stack);
    let mut own = Vec::new();
    let mut others = Vec::new();
    let mut operation = None;
    for view in profile.stack_frames(stack) {
        let file = view.file().rsplit('/').next().unwrap_or_default();
        match analysis.class(&view) {
            Class::User => own.push((view.function(), file, view.line())),
            Class::Std if own.is_empty() => operation = Some((view.function(), "", 0)),
            _ => {}
        }
        if analysis.class(&view) != Class::Allocator {
            others.push((view.function(), file, view.line()));
        }
    }
    if own.is_empty() {
        return others;
    }
    own.extend(operation);
    own
}

/// Joins each line that only runs before have with one that only runs after have, if their functions agree and there is
/// one of each.
fn join_edited(mut lines: Vec<Line<'_>>, runs_before: usize, metric: Metric) -> Vec<Line<'_>> {
    let mut by_functions: HashMap<Vec<&str>, (Vec<usize>, Vec<usize>)> = HashMap::new();
    for (place, line) in lines.iter().enumerate() {
        let functions = line.face.iter().map(|frame| frame.0).collect();
        let (before, after) = line.counts.split_at(runs_before);
        let has_some = |counts: &[Counts]| counts.iter().any(|it| metric.value(it) > 0);
        match (has_some(before), has_some(after)) {
            (true, false) => by_functions.entry(functions).or_default().0.push(place),
            (false, true) => by_functions.entry(functions).or_default().1.push(place),
            _ => {}
        }
    }
    let mut gone = vec![false; lines.len()];
    for (before, after) in by_functions.into_values() {
        if let ([before], [after]) = (&before[..], &after[..]) {
            let counts = lines[*before].counts[..runs_before].to_vec();
            lines[*after].counts[..runs_before].copy_from_slice(&counts);
            gone[*before] = true;
        }
    }
    let mut gone = gone.into_iter();
    lines.retain(|_| !gone.next().unwrap_or(false));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Address, Counts, Frame, Profile, Site, StackNode};

    /// A profile of sites: function, line and bytes at the peak; `base` is where it was loaded.
    fn profile(base: u64, sites: &[(&str, u32, u64)]) -> Profile {
        let mut profile = Profile { strings: vec![String::new()], ..Profile::default() };
        for (n, (function, line, peak_bytes)) in sites.iter().enumerate() {
            profile.strings.push((*function).to_owned());
            profile.frames.push(Frame { function: n as u32 + 1, line: *line, ..Frame::default() });
            profile.addresses.push(Address {
                address: base + n as u64,
                frames_start: n as u32,
                frames_len: 1,
                ..Address::default()
            });
            profile.stacks.push(StackNode { parent: 0, address: n as u32 });
            let counts = Counts { peak_bytes: *peak_bytes, peak_blocks: 1, ..Counts::default() };
            profile.sites.push(Site { stack: n as u32 + 1, kind: 1, counts, ..Site::default() });
            profile.totals.peak_bytes += peak_bytes;
        }
        profile
    }

    fn changes(before: &[Profile], after: &[Profile]) -> Vec<(String, Change, i64)> {
        let before: Vec<_> = before.iter().map(Analysis::new).collect();
        let after: Vec<_> = after.iter().map(Analysis::new).collect();
        let (before, after): (Vec<_>, Vec<_>) = (before.iter().collect(), after.iter().collect());
        let comparison = compare(&before, &after, Metric::Peak);
        let name = |it: &LineChange| {
            let analysis = before.iter().chain(&after).nth(it.run).expect("a run");
            let stack = analysis.profile().sites[it.site as usize].stack;
            analysis.profile().stack_frames(stack).next().expect("a frame").function().to_owned()
        };
        comparison.changes.iter().map(|it| (name(it), it.kind(), it.change())).collect()
    }

    #[test]
    fn lines_are_found_again_at_other_addresses_and_on_edited_lines() {
        let before = profile(0x1000, &[("a", 1, 100), ("b", 2, 50), ("c", 3, 7), ("d", 9, 5)]);
        let after = profile(0x9999, &[("d", 8, 6), ("e", 5, 30), ("b", 2, 50), ("a", 1, 160)]);
        let expected = [
            ("a", Change::Grown, 60),
            ("e", Change::New, 30),
            ("c", Change::Gone, -7),
            ("d", Change::Grown, 1),
            ("b", Change::Same, 0),
        ];
        let expected = expected.map(|(name, change, by)| (name.to_owned(), change, by));
        assert_eq!(changes(&[before], &[after]), expected);
    }

    #[test]
    fn several_runs_have_a_spread() {
        let runs = [10, 20, 30].map(|bytes| profile(0, &[("a", 1, bytes)]));
        let before: Vec<_> = runs[..2].iter().map(Analysis::new).collect();
        let after: Vec<_> = runs[1..].iter().map(Analysis::new).collect();
        let comparison = compare(
            &before.iter().collect::<Vec<_>>(),
            &after.iter().collect::<Vec<_>>(),
            Metric::Peak,
        );
        assert_eq!(comparison.before, Spread { min: 10, mean: 15, max: 20 });
        let [only] = comparison.changes[..] else { panic!("{comparison:?}") };
        assert_eq!((only.change(), only.kind()), (10, Change::Grown));
        assert!(only.is_within_spread());
    }
}
