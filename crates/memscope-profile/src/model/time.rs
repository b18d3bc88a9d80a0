//! How memory moved: the timeline, as differences from sample to sample.

use serde::{Deserialize, Serialize};

/// Live bytes over time, and by site.
///
/// ```
/// use memscope_profile::model::{Sample, Timeline};
///
/// let sample = |ms, live_bytes| Sample { ms, live_bytes, ..Sample::default() };
/// let timeline = Timeline { interval_ms: 100, samples: vec![sample(0, 10), sample(100, 70), sample(200, 40)] };
/// let highest = timeline.samples.iter().max_by_key(|it| it.live_bytes).unwrap();
/// assert_eq!((highest.ms, highest.live_bytes), (100, 70));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Timeline {
    /// Time between two samples at the end, in milliseconds. (It doubles, and every other sample is merged into
    /// the next, when there are too many.)
    pub interval_ms: u64,
    /// The samples, oldest first.
    pub samples: Vec<Sample>,
}

/// The state at a moment, as the difference from the sample before.
///
/// ```
/// use memscope_profile::model::{Sample, SiteChange};
///
/// let grown = SiteChange { site: 4, live_blocks: 1, live_bytes: 60, allocations: 2, allocated_bytes: 90 };
/// let sample = Sample { ms: 100, live_bytes: 70, live_blocks: 2, allocations: 9, changes: vec![grown] };
/// let before = sample.live_bytes as i64 - sample.changes.iter().map(|it| it.live_bytes).sum::<i64>();
/// assert_eq!(before, 10);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// Milliseconds since the start.
    pub ms: u64,
    /// Live bytes of the process.
    pub live_bytes: u64,
    /// Live blocks of the process.
    pub live_blocks: u64,
    /// Allocations so far.
    pub allocations: u64,
    /// What changed, by site; sorted by site.
    pub changes: Vec<SiteChange>,
}

/// How a site's live blocks and allocations changed between two samples.
///
/// ```
/// use memscope_profile::model::SiteChange;
///
/// let change = SiteChange { site: 4, live_blocks: -1, live_bytes: -30, allocations: 2, allocated_bytes: 90 };
/// assert_eq!(change.allocated_bytes as i64 - change.live_bytes, 120); // bytes freed meanwhile
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteChange {
    /// Place in [`Profile::sites`](super::Profile::sites).
    pub site: u32,
    /// Change of live blocks.
    pub live_blocks: i64,
    /// Change of live bytes.
    pub live_bytes: i64,
    /// Allocations in between.
    pub allocations: u64,
    /// Bytes requested in between.
    pub allocated_bytes: u64,
}
