//! The heap by type: a line for each, and how well types are known.
//!
//! Invariants: every site is in exactly one line, so the lines' sums are the sites' sums; the order is the same every time.

use crate::analyze::Metric;
use crate::model::{Counts, Profile, TypeEvidence};
use std::collections::HashMap;

/// All blocks of a type.
///
/// ```
/// use memscope_profile::analyze::Metric;
/// use memscope_profile::model::{Counts, HeapType, Profile, Site, TypeEvidence, TypeLayout};
/// use memscope_profile::types::TypeHistogram;
///
/// let site = |heap_type, peak_bytes| Site {
///     heap_type,
///     counts: Counts { peak_blocks: 1, peak_bytes, ..Counts::default() },
///     ..Site::default()
/// };
/// let orders = HeapType {
///     name: "Vec<Order>".into(),
///     evidence: TypeEvidence::SizeChecked,
///     layout: TypeLayout::Array,
///     value_bytes: 24,
/// };
/// let profile = Profile { types: vec![orders], sites: vec![site(1, 240), site(0, 80)], ..Profile::default() };
/// let heap = TypeHistogram::new(&profile, Metric::Peak);
/// let line = &heap.lines[0];
/// assert_eq!((line.name, line.counts.peak_bytes, line.peak_capacity), ("Vec<Order>", 240, Some(10)));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct TypeLine<'p> {
    /// The type's name; empty for blocks of which nothing is known.
    pub name: &'p str,
    /// How well it is known: as well as at the site where it is known least.
    pub evidence: TypeEvidence,
    /// The sum of its sites' counts.
    pub counts: Counts,
    /// Bytes of a value; `None` if not known, or not the same at all sites.
    pub value_bytes: Option<u64>,
    /// Room for so many values in the blocks alive at the peak; `None` if the size of a value is not known.
    pub peak_capacity: Option<u64>,
    /// Room for so many values in the blocks alive at the end.
    pub live_capacity: Option<u64>,
    /// Places in [`Profile::sites`], in their order there. Never empty.
    pub sites: Vec<u32>,
}

/// The heap by type.
///
/// ```
/// use memscope_profile::analyze::Metric;
/// use memscope_profile::model::{Counts, HeapType, Profile, Site, TypeEvidence, TypeLayout};
/// use memscope_profile::types::TypeHistogram;
///
/// let site = |heap_type, peak_bytes| Site {
///     heap_type,
///     counts: Counts { peak_blocks: 1, peak_bytes, ..Counts::default() },
///     ..Site::default()
/// };
/// let orders = HeapType {
///     name: "Vec<Order>".into(),
///     evidence: TypeEvidence::SizeChecked,
///     layout: TypeLayout::Array,
///     value_bytes: 24,
/// };
/// let profile = Profile { types: vec![orders], sites: vec![site(1, 240), site(0, 80)], ..Profile::default() };
/// let heap = TypeHistogram::new(&profile, Metric::Peak);
/// for line in heap.present() {
///     println!("{:8} bytes {}", line.counts.peak_bytes, if line.name.is_empty() { "?" } else { line.name });
/// }
/// assert_eq!(heap.shares.typed(), 0.75);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct TypeHistogram<'p> {
    /// By what it is sorted.
    pub metric: Metric,
    /// Each type that a site has, that with the most first.
    pub lines: Vec<TypeLine<'p>>,
    /// How much of the metric is known how well.
    pub shares: EvidenceShares,
}

/// How much is known how well, in the unit of a metric.
///
/// ```
/// use memscope_profile::types::EvidenceShares;
///
/// let shares = EvidenceShares { size_checked: 60, named: 20, raw: 15, unknown: 5 }; // bytes, of Metric::Peak
/// assert_eq!((shares.total(), shares.typed()), (100, 0.8));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EvidenceShares {
    /// How much is of a type whose size fits.
    pub size_checked: u64,
    /// How much is of a type.
    pub named: u64,
    /// How much is known by a function only.
    pub raw: u64,
    /// How much is of nothing known.
    pub unknown: u64,
}

impl EvidenceShares {
    /// The sum of these, in the unit of the metric. Three additions.
    ///
    /// ```
    /// use memscope_profile::types::EvidenceShares;
    ///
    /// assert_eq!(EvidenceShares { named: 20, raw: 15, ..EvidenceShares::default() }.total(), 35);
    /// ```
    pub fn total(&self) -> u64 {
        [self.size_checked, self.named, self.raw, self.unknown]
            .iter()
            .fold(0, |sum, part| sum.saturating_add(*part))
    }

    /// With a type, in parts of the whole from 0 to 1; 0 if there is nothing. A division.
    ///
    /// ```
    /// use memscope_profile::types::EvidenceShares;
    ///
    /// assert_eq!(EvidenceShares { named: 30, raw: 10, ..EvidenceShares::default() }.typed(), 0.75);
    /// assert_eq!(EvidenceShares::default().typed(), 0.0);
    /// ```
    pub fn typed(&self) -> f64 {
        self.size_checked.saturating_add(self.named) as f64 / self.total().max(1) as f64
    }

    fn add(&mut self, evidence: TypeEvidence, value: u64) {
        let part = match evidence {
            TypeEvidence::SizeChecked => &mut self.size_checked,
            TypeEvidence::Named => &mut self.named,
            TypeEvidence::Raw => &mut self.raw,
            TypeEvidence::Unknown => &mut self.unknown,
        };
        *part = part.saturating_add(value);
    }
}

impl<'p> TypeHistogram<'p> {
    /// Sums the profile's sites by type. Looks at each site once. One pass over the sites, some hundred nanoseconds for each.
    ///
    /// ```
    /// use memscope_profile::analyze::Metric;
    /// use memscope_profile::model::{Counts, HeapType, Profile, Site, TypeEvidence, TypeLayout};
    /// use memscope_profile::types::TypeHistogram;
    ///
    /// let site = |heap_type, peak_bytes| Site {
    ///     heap_type,
    ///     counts: Counts { peak_blocks: 1, peak_bytes, ..Counts::default() },
    ///     ..Site::default()
    /// };
    /// let orders = HeapType {
    ///     name: "Vec<Order>".into(),
    ///     evidence: TypeEvidence::SizeChecked,
    ///     layout: TypeLayout::Array,
    ///     value_bytes: 24,
    /// };
    /// let profile = Profile { types: vec![orders], sites: vec![site(1, 240), site(0, 80)], ..Profile::default() };
    /// let heap = TypeHistogram::new(&profile, Metric::Peak);
    /// let names: Vec<_> = heap.lines.iter().map(|line| line.name).collect();
    /// assert_eq!(names, ["Vec<Order>", ""]);
    /// ```
    pub fn new(profile: &'p Profile, metric: Metric) -> Self {
        let mut places: HashMap<(&str, bool), usize> = HashMap::new();
        let mut lines: Vec<TypeLine<'p>> = Vec::new();
        let mut shares = EvidenceShares::default();
        for (number, site) in (0_u32..).zip(&profile.sites) {
            let heap_type = profile.heap_type(site);
            let (name, evidence) =
                heap_type.map_or(("", TypeEvidence::Unknown), |it| (&it.name, it.evidence));
            shares.add(evidence, metric.value(&site.counts));
            let capacity = |blocks, bytes| match heap_type {
                Some(heap_type) if blocks > 0 => heap_type.capacity(blocks, bytes),
                _ => Some(0),
            };
            let peak = capacity(site.counts.peak_blocks, site.counts.peak_bytes);
            let live = capacity(site.counts.live_blocks(), site.counts.live_bytes());
            let place = *places.entry((name, evidence == TypeEvidence::Raw)).or_insert(lines.len());
            if place == lines.len() {
                let sites = Vec::new();
                let counts = Counts::default();
                let known = evidence != TypeEvidence::Raw && evidence != TypeEvidence::Unknown;
                let none = known.then_some(0);
                let value_bytes = heap_type.map(|it| it.value_bytes);
                lines.push(TypeLine {
                    name,
                    evidence,
                    counts,
                    value_bytes,
                    peak_capacity: none,
                    live_capacity: none,
                    sites,
                });
            }
            let line = &mut lines[place];
            line.evidence = line.evidence.max(evidence);
            line.counts.add(&site.counts);
            let add = |sum: Option<u64>, more: Option<u64>| Some(sum?.saturating_add(more?));
            line.peak_capacity = add(line.peak_capacity, peak);
            line.live_capacity = add(line.live_capacity, live);
            line.value_bytes = line
                .value_bytes
                .filter(|bytes| *bytes > 0 && heap_type.is_some_and(|it| it.value_bytes == *bytes));
            line.sites.push(number);
        }
        lines.sort_by_key(|line| std::cmp::Reverse(metric.value(&line.counts)));
        Self { metric, lines, shares }
    }

    /// The lines that have some of the metric. A search.
    ///
    /// ```
    /// use memscope_profile::analyze::Metric;
    /// use memscope_profile::model::{Counts, HeapType, Profile, Site, TypeEvidence, TypeLayout};
    /// use memscope_profile::types::TypeHistogram;
    ///
    /// let site = |heap_type, peak_bytes| Site {
    ///     heap_type,
    ///     counts: Counts { peak_blocks: 1, peak_bytes, ..Counts::default() },
    ///     ..Site::default()
    /// };
    /// let orders = HeapType {
    ///     name: "Vec<Order>".into(),
    ///     evidence: TypeEvidence::SizeChecked,
    ///     layout: TypeLayout::Array,
    ///     value_bytes: 24,
    /// };
    /// let profile = Profile { types: vec![orders], sites: vec![site(1, 240), site(0, 80)], ..Profile::default() };
    /// let heap = TypeHistogram::new(&profile, Metric::Peak);
    /// assert_eq!(heap.present().len(), 2);
    /// assert_eq!(TypeHistogram::new(&profile, Metric::Temporary).present().len(), 0);
    /// ```
    pub fn present(&self) -> &[TypeLine<'p>] {
        let end = self.lines.partition_point(|line| self.metric.value(&line.counts) > 0);
        &self.lines[..end]
    }
}
