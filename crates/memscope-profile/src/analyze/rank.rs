//! Rankings: the lines with the most of something, and their share of all of it.
//!
//! Order is by value, largest first; equal values keep the order of the profile's sites. Lines without any of it
//! are left out. Sums saturate: a profile with absurd counts gives absurd shares, not a panic.

use crate::estimate::Deviations;
use crate::model::{Counts, Profile};

/// By what lines are ranked.
///
/// ```
/// use memscope_profile::{analyze::Metric, model::Counts};
///
/// let counts = Counts { allocations: 3, peak_bytes: 100, ..Counts::default() };
/// assert_eq!((Metric::Peak.value(&counts), Metric::Allocations.value(&counts)), (100, 3));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Metric {
    /// Bytes alive at the process's peak.
    Peak,
    /// Bytes alive at the end, or when read.
    LiveAtEnd,
    /// Number of allocations.
    Allocations,
    /// Bytes requested over the whole run.
    AllocatedBytes,
    /// Number of blocks freed with no allocation in between on the same thread.
    Temporary,
}

impl Metric {
    /// Every metric, in the order in which a report shows them.
    pub const ALL: [Metric; 5] = [
        Metric::Peak,
        Metric::LiveAtEnd,
        Metric::Allocations,
        Metric::AllocatedBytes,
        Metric::Temporary,
    ];

    /// How much of it is in `counts`: bytes or a number of events, see [`Metric::is_bytes`]. A field or a subtraction.
    ///
    /// ```
    /// use memscope_profile::{analyze::Metric, model::Counts};
    ///
    /// let counts = Counts { allocated_bytes: 100, freed_bytes: 40, ..Counts::default() };
    /// assert_eq!(Metric::LiveAtEnd.value(&counts), 60);
    /// ```
    pub fn value(self, counts: &Counts) -> u64 {
        match self {
            Metric::Peak => counts.peak_bytes,
            Metric::LiveAtEnd => counts.live_bytes(),
            Metric::Allocations => counts.allocations,
            Metric::AllocatedBytes => counts.allocated_bytes,
            Metric::Temporary => counts.temporary,
        }
    }

    /// How far [`Metric::value`] may be off, as a standard deviation. In the same unit; 0 where nothing is estimated. A
    /// field.
    ///
    /// ```
    /// use memscope_profile::{analyze::Metric, estimate::Deviations, model::Counts};
    ///
    /// let deviations = Deviations { peak_bytes: 5, ..Deviations::default() };
    /// assert_eq!(Metric::Peak.deviation(&Counts { deviations, ..Counts::default() }), 5);
    /// ```
    pub fn deviation(self, counts: &Counts) -> u64 {
        let Deviations { allocations, allocated_bytes, temporary, peak_bytes, live_bytes, .. } =
            counts.deviations;
        match self {
            Metric::Peak => peak_bytes,
            Metric::LiveAtEnd => live_bytes,
            Metric::Allocations => allocations,
            Metric::AllocatedBytes => allocated_bytes,
            Metric::Temporary => temporary,
        }
    }

    /// Whether [`Metric::value`] is in bytes. Else it is a number of events. A comparison.
    ///
    /// ```
    /// use memscope_profile::analyze::Metric;
    ///
    /// let in_bytes: Vec<_> = Metric::ALL.into_iter().filter(|it| it.is_bytes()).collect();
    /// assert_eq!(in_bytes, [Metric::Peak, Metric::LiveAtEnd, Metric::AllocatedBytes]);
    /// ```
    pub fn is_bytes(self) -> bool {
        matches!(self, Metric::Peak | Metric::LiveAtEnd | Metric::AllocatedBytes)
    }
}

/// One line of a ranking: a site, or several that a person cannot tell apart.
///
/// ```
/// use memscope_profile::analyze::Metric;
/// use memscope_profile::model::{Counts, Profile, Site};
///
/// let site = |peak_bytes| Site { counts: Counts { peak_bytes, ..Counts::default() }, ..Site::default() };
/// let profile = Profile { sites: vec![site(10), site(30)], ..Profile::default() };
/// let ranking = profile.rank_sites(Metric::Peak, 1);
/// let line = &ranking.lines[0];
/// assert_eq!((line.sites[0], line.value, line.share), (1, 30, 0.75));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Places in [`Profile::sites`], the one with the most first. Never empty.
    pub sites: Vec<u32>,
    /// The sum of the sites' counts.
    pub counts: Counts,
    /// How much of the metric is here, in bytes or as a number of events: see [`Metric::is_bytes`].
    pub value: u64,
    /// `value` as a part of the ranking's total, from 0 to 1.
    pub share: f64,
}

/// The lines with the most of a metric.
///
/// ```
/// use memscope_profile::analyze::Metric;
/// use memscope_profile::model::{Counts, Profile, Site};
///
/// let site = |peak_bytes| Site { counts: Counts { peak_bytes, ..Counts::default() }, ..Site::default() };
/// let profile = Profile { sites: vec![site(10), site(30)], ..Profile::default() };
/// let ranking = profile.rank_sites(Metric::Peak, 1);
/// assert_eq!((ranking.total, ranking.omitted_lines, ranking.omitted_value), (40, 1, 10));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Ranking {
    /// By what it is ranked.
    pub metric: Metric,
    /// The metric's sum over all lines, shown or not; in bytes or as a number of events, see [`Metric::is_bytes`].
    pub total: u64,
    /// The largest lines, largest first.
    pub lines: Vec<Line>,
    /// How many further lines have some of it.
    pub omitted_lines: usize,
    /// How much of it they have together, in the same unit.
    pub omitted_value: u64,
}

impl Counts {
    /// Adds another's counts to these, saturating. Two dozen additions, about 15 ns; of the largest blocks it is the
    /// larger.
    ///
    /// ```
    /// use memscope_profile::model::Counts;
    ///
    /// let mut counts = Counts { allocations: 1, largest_block_bytes: 64, ..Counts::default() };
    /// counts.add(&Counts { allocations: 2, largest_block_bytes: 32, ..Counts::default() });
    /// assert_eq!((counts.allocations, counts.largest_block_bytes), (3, 64));
    /// ```
    pub fn add(&mut self, other: &Counts) {
        self.allocations = self.allocations.saturating_add(other.allocations);
        self.allocated_bytes = self.allocated_bytes.saturating_add(other.allocated_bytes);
        self.frees = self.frees.saturating_add(other.frees);
        self.freed_bytes = self.freed_bytes.saturating_add(other.freed_bytes);
        self.temporary = self.temporary.saturating_add(other.temporary);
        self.peak_blocks = self.peak_blocks.saturating_add(other.peak_blocks);
        self.peak_bytes = self.peak_bytes.saturating_add(other.peak_bytes);
        self.largest_block_bytes = self.largest_block_bytes.max(other.largest_block_bytes);
        self.growth.add(&other.growth);
        self.deviations.add(&other.deviations);
    }
}

/// Ranks groups of sites; keeps the `top` largest.
pub(super) fn rank<'a>(
    profile: &Profile,
    groups: impl Iterator<Item = (&'a Counts, &'a [u32])>,
    metric: Metric,
    top: usize,
) -> Ranking {
    let mut all: Vec<_> = groups
        .map(|(counts, sites)| (metric.value(counts), counts, sites))
        .filter(|(value, ..)| *value > 0)
        .collect();
    let order = |(value, _, sites): &(u64, &Counts, &'a [u32])| {
        (std::cmp::Reverse(*value), sites.first().copied())
    };
    let total = sum(all.iter().map(|it| it.0));
    if top < all.len() {
        all.select_nth_unstable_by_key(top, order);
    }
    let shown = top.min(all.len());
    let (shown, omitted) = all.split_at_mut(shown);
    shown.sort_unstable_by_key(order);
    let site_value =
        |site: &u32| profile.sites.get(*site as usize).map_or(0, |site| metric.value(&site.counts));
    let lines = shown.iter().map(|(value, counts, sites)| {
        let mut sites = sites.to_vec();
        sites.sort_by_key(|site| std::cmp::Reverse(site_value(site)));
        Line { sites, counts: **counts, value: *value, share: *value as f64 / total as f64 }
    });
    Ranking {
        metric,
        total,
        lines: lines.collect(),
        omitted_lines: omitted.len(),
        omitted_value: sum(omitted.iter().map(|it| it.0)),
    }
}

fn sum(values: impl Iterator<Item = u64>) -> u64 {
    values.fold(0, u64::saturating_add)
}

impl Profile {
    /// Ranks the sites themselves, each a line of its own. See [`super::Analysis::rank`] for lines fit for people.
    /// Looks at every site once, and sorts what it keeps.
    ///
    /// ```
    /// use memscope_profile::analyze::Metric;
    /// use memscope_profile::model::{Counts, Profile, Site};
    ///
    /// let site = |peak_bytes| Site { counts: Counts { peak_bytes, ..Counts::default() }, ..Site::default() };
    /// let profile = Profile { sites: vec![site(10), site(30)], ..Profile::default() };
    /// let values: Vec<_> = profile.rank_sites(Metric::Peak, 5).lines.iter().map(|it| it.value).collect();
    /// assert_eq!(values, [30, 10]);
    /// ```
    pub fn rank_sites(&self, metric: Metric, top: usize) -> Ranking {
        let places: Vec<u32> = (0..self.sites.len() as u32).collect();
        let groups =
            self.sites.iter().zip(places.chunks(1)).map(|(site, place)| (&site.counts, place));
        rank(self, groups, metric, top)
    }
}
