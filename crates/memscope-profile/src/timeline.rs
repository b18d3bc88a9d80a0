//! Records how memory moved: samples of the totals by site, kept as differences, bounded however long a run is.
//!
//! ```text
//! record(0 ms, totals) record(100 ms, totals) ...      each sample: what changed since the one before
//! too many samples, or too many changes in them        -> every other sample is merged into the next,
//!                                                         and the interval doubles
//! finish(places)                                       -> Timeline, by place in the profile
//! ```
//!
//! Invariant: the sum of all changes up to a sample that is kept equals the totals that were recorded for it.
//! Deliberately absent: a clock. Whoever records says when.

use crate::model::{Sample, SiteChange, Timeline};
use crate::region::{SitePlaces, SiteTotal, SiteTotals};

/// The most samples that are kept.
///
/// ```
/// use memscope_profile::{region::SiteTotals, timeline::{MAX_SAMPLES, Recorder}};
///
/// let mut recorder = Recorder::new(1);
/// (0..2000).for_each(|ms| recorder.record(ms, &SiteTotals::default()));
/// assert!(recorder.finish(&Default::default()).samples.len() <= MAX_SAMPLES);
/// ```
pub const MAX_SAMPLES: usize = 512;
/// The most changes that are kept in all samples together, about 40 MB. Few samples are kept even if they have more.
const MAX_CHANGES: usize = 1 << 20;
/// So many samples are kept whatever they weigh.
const MIN_SAMPLES: usize = 8;

/// Keeps the samples of a run.
///
/// ```
/// use memscope_profile::{region::SiteTotals, timeline::Recorder};
///
/// let mut recorder = Recorder::new(100);
/// for ms in [0, 100, 200] {
///     recorder.record(ms, &SiteTotals::default()); // filled by Region::site_totals
/// }
/// let timeline = recorder.finish(&Default::default()); // Reading::sites
/// assert_eq!((timeline.interval_ms, timeline.samples.len()), (100, 3));
/// ```
#[derive(Clone, Debug)]
pub struct Recorder {
    interval_ms: u64,
    samples: Vec<Sample>,
    /// How many changes the samples have together.
    changes: usize,
    /// By site id, as they were at the last sample.
    last: Vec<SiteTotal>,
}

impl Recorder {
    /// A recorder for samples `interval_ms` apart (at least 1). Allocates nothing.
    ///
    /// ```
    /// use memscope_profile::timeline::Recorder;
    ///
    /// assert_eq!(Recorder::new(0).interval_ms(), 1);
    /// ```
    pub fn new(interval_ms: u64) -> Self {
        let interval_ms = interval_ms.max(1);
        Self { interval_ms, samples: Vec::new(), changes: 0, last: Vec::new() }
    }

    /// The time that two samples should be apart now. It doubles as the run grows long. In milliseconds; a field.
    ///
    /// ```
    /// use memscope_profile::{region::SiteTotals, timeline::Recorder};
    ///
    /// let mut recorder = Recorder::new(1);
    /// (0..600).for_each(|ms| recorder.record(ms, &SiteTotals::default()));
    /// assert_eq!(recorder.interval_ms(), 2); // there were too many
    /// ```
    pub fn interval_ms(&self) -> u64 {
        self.interval_ms
    }

    /// Keeps a sample taken at `ms` milliseconds since the start. A time before the last sample's counts as the
    /// last sample's. Costs a comparison for each site. It keeps 40 bytes for each site that has changed.
    ///
    /// ```
    /// use memscope_profile::{region::SiteTotals, timeline::Recorder};
    ///
    /// let mut recorder = Recorder::new(100);
    /// recorder.record(50, &SiteTotals::default());
    /// recorder.record(20, &SiteTotals::default()); // no time before the last
    /// assert_eq!(recorder.finish(&Default::default()).samples.len(), 1);
    /// ```
    pub fn record(&mut self, ms: u64, totals: &SiteTotals) {
        let totals = totals.totals();
        self.last.resize(self.last.len().max(totals.len()), SiteTotal::default());
        let mut sample = Sample { ms, ..Sample::default() };
        for (site, last) in self.last.iter_mut().enumerate() {
            let now = totals.get(site).copied().unwrap_or_default();
            sample.live_bytes = sample.live_bytes.wrapping_add(now.live_bytes);
            sample.live_blocks = sample.live_blocks.wrapping_add(now.live_blocks);
            sample.allocations = sample.allocations.wrapping_add(now.allocations);
            if now != *last {
                sample.changes.push(SiteChange {
                    site: site as u32,
                    live_blocks: now.live_blocks.wrapping_sub(last.live_blocks) as i64,
                    live_bytes: now.live_bytes.wrapping_sub(last.live_bytes) as i64,
                    allocations: now.allocations.wrapping_sub(last.allocations),
                    allocated_bytes: now.allocated_bytes.wrapping_sub(last.allocated_bytes),
                });
                *last = now;
            }
        }
        // Counters are read while they are written, and a free may be seen before its allocation.
        sample.live_bytes = (sample.live_bytes as i64).max(0) as u64;
        sample.live_blocks = (sample.live_blocks as i64).max(0) as u64;
        self.changes += sample.changes.len();
        match self.samples.last_mut() {
            Some(before) if sample.ms <= before.ms => {
                sample.ms = before.ms;
                let changes = before.changes.len() + sample.changes.len();
                *before = merged(std::mem::take(before), sample);
                self.changes = self.changes - changes + before.changes.len();
            }
            _ => self.samples.push(sample),
        }
        while self.samples.len() > MAX_SAMPLES
            || self.changes > MAX_CHANGES && self.samples.len() > MIN_SAMPLES
        {
            self.thin();
        }
    }

    /// The timeline, with sites by their places in the profile. Changes of sites that are not in it are left out. Sorts the
    /// changes of each sample.
    ///
    /// ```
    /// use memscope_profile::{region::SiteTotals, timeline::Recorder};
    ///
    /// let mut recorder = Recorder::new(100);
    /// recorder.record(50, &SiteTotals::default());
    /// assert_eq!(recorder.finish(&Default::default()).samples[0].ms, 50);
    /// ```
    pub fn finish(self, places: &SitePlaces) -> Timeline {
        let mut samples = self.samples;
        for sample in &mut samples {
            sample.changes.retain_mut(|change| match places.get(change.site) {
                Some(place) => {
                    change.site = place;
                    true
                }
                None => false,
            });
            sample.changes.sort_by_key(|change| change.site);
            sample.changes = summed(std::mem::take(&mut sample.changes));
        }
        Timeline { interval_ms: self.interval_ms, samples }
    }

    /// Merges every other sample into the next.
    fn thin(&mut self) {
        let mut thinned = Vec::with_capacity(self.samples.len() / 2 + 1);
        let mut samples = std::mem::take(&mut self.samples).into_iter();
        while let Some(first) = samples.next() {
            thinned.push(match samples.next() {
                Some(second) => merged(first, second),
                None => first,
            });
        }
        self.changes = thinned.iter().map(|sample| sample.changes.len()).sum();
        self.samples = thinned;
        self.interval_ms = self.interval_ms.saturating_mul(2);
    }
}

/// The later sample, with the changes of both.
fn merged(first: Sample, mut second: Sample) -> Sample {
    let mut changes = first.changes;
    changes.append(&mut second.changes);
    // Stable, and both runs are sorted: a merge.
    changes.sort_by_key(|change| change.site);
    Sample { changes: summed(changes), ..second }
}

/// Adds up neighbours of the same site, and drops what comes to nothing.
fn summed(changes: Vec<SiteChange>) -> Vec<SiteChange> {
    let mut sums: Vec<SiteChange> = Vec::with_capacity(changes.len());
    for change in changes {
        match sums.last_mut() {
            Some(sum) if sum.site == change.site => {
                sum.live_blocks = sum.live_blocks.wrapping_add(change.live_blocks);
                sum.live_bytes = sum.live_bytes.wrapping_add(change.live_bytes);
                sum.allocations = sum.allocations.wrapping_add(change.allocations);
                sum.allocated_bytes = sum.allocated_bytes.wrapping_add(change.allocated_bytes);
            }
            _ => sums.push(change),
        }
    }
    sums.retain(|it| *it != SiteChange { site: it.site, ..SiteChange::default() });
    sums.shrink_to_fit();
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a plain copy of every sample would have kept.
    type Snapshot = (u64, Vec<SiteTotal>);

    fn total(counts: (u64, u64, u64, u64)) -> SiteTotal {
        let (allocations, allocated_bytes, live_blocks, live_bytes) = counts;
        SiteTotal { allocations, allocated_bytes, live_blocks, live_bytes }
    }

    /// Adds up the changes again.
    fn replay(timeline: &Timeline, sites: usize) -> Vec<Snapshot> {
        let mut totals = vec![SiteTotal::default(); sites];
        let mut snapshots = Vec::new();
        for sample in &timeline.samples {
            assert!(sample.changes.is_sorted_by(|a, b| a.site < b.site));
            for change in &sample.changes {
                assert_ne!(*change, SiteChange { site: change.site, ..SiteChange::default() });
                let total = &mut totals[change.site as usize];
                total.allocations += change.allocations;
                total.allocated_bytes += change.allocated_bytes;
                total.live_blocks = total.live_blocks.wrapping_add_signed(change.live_blocks);
                total.live_bytes = total.live_bytes.wrapping_add_signed(change.live_bytes);
            }
            let sum = |of: fn(&SiteTotal) -> u64| totals.iter().map(of).sum::<u64>();
            assert_eq!(sample.live_bytes, sum(|it| it.live_bytes));
            assert_eq!(sample.live_blocks, sum(|it| it.live_blocks));
            assert_eq!(sample.allocations, sum(|it| it.allocations));
            snapshots.push((sample.ms, totals.clone()));
        }
        snapshots
    }

    fn identity(sites: u32) -> SitePlaces {
        SitePlaces::from_pairs((0..sites).map(|site| (site, site)))
    }

    proptest! {
        // Histories are long, to be thinned more than once; so there are fewer of them.
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn every_sample_kept_is_what_was_recorded(
            steps in prop::collection::vec(
                (0..3_u64, prop::collection::vec((0..9_usize, 0..50_u64, 0..90_u64), 0..4)),
                0..3000,
            ),
        ) {
            let mut recorder = Recorder::new(1);
            let mut totals = vec![SiteTotal::default(); 9];
            let mut recorded: Vec<Snapshot> = Vec::new();
            let mut ms = 0;
            for (pause, changes) in steps {
                ms += pause;
                for (site, allocated_bytes, live_bytes) in changes {
                    totals[site].allocations += 1;
                    totals[site].allocated_bytes += allocated_bytes;
                    totals[site].live_blocks = live_bytes % 7;
                    totals[site].live_bytes = live_bytes;
                }
                recorder.record(ms, &SiteTotals::from_totals(totals.clone()));
                recorded.retain(|(at, _)| *at != ms);
                recorded.push((ms, totals.clone()));
            }
            let interval_ms = recorder.interval_ms();
            let timeline = recorder.finish(&identity(9));
            prop_assert!(timeline.samples.len() <= MAX_SAMPLES);
            prop_assert!(recorded.len() <= MAX_SAMPLES || timeline.samples.len() >= MAX_SAMPLES / 2);
            prop_assert_eq!(interval_ms, timeline.interval_ms);
            let kept = replay(&timeline, 9);
            prop_assert!(kept.iter().all(|it| recorded.contains(it)));
            prop_assert_eq!(kept.last(), recorded.last());
        }
    }

    #[test]
    fn memory_is_bounded_by_changes_too() {
        let sites = 70_000;
        let mut recorder = Recorder::new(100);
        for ms in 0..100_u64 {
            let totals = vec![total((ms, ms * 10, ms % 3, ms % 7)); sites];
            recorder.record(ms * 100, &SiteTotals::from_totals(totals));
            assert!(recorder.changes <= MAX_CHANGES + sites);
        }
        let timeline = recorder.finish(&identity(sites as u32));
        assert!((MIN_SAMPLES / 2..20).contains(&timeline.samples.len()));
        assert_eq!(replay(&timeline, sites).last().map(|it| it.0), Some(9900));
    }

    #[test]
    fn sites_that_became_one_are_added_up() {
        let mut recorder = Recorder::new(100);
        let totals = vec![
            total((0, 0, 0, 0)),
            total((1, 10, 1, 10)),
            total((2, 5, 1, 3)),
            total((9, 9, 9, 9)),
        ];
        recorder.record(7, &SiteTotals::from_totals(totals));
        let timeline = recorder.finish(&SitePlaces::from_pairs([(1, 4), (2, 4)]));
        let expected = SiteChange {
            site: 4,
            live_blocks: 2,
            live_bytes: 13,
            allocations: 3,
            allocated_bytes: 15,
        };
        assert_eq!(timeline.samples[0].changes, [expected]);
    }
}
