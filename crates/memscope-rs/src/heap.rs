//! Sums over the whole process, and how complete they are: what can be had without looking at a stack.
//!
//! Invariant: reading costs a few system calls and changes nothing of what it reads.
//! Deliberately absent: sites and stacks (see [`crate::Report`]).

use crate::mode::RecordingMode;
use crate::recording::{self, Aside};
use crate::tracking::DetailedStats;
use memscope_profile::model::{Completeness, MissCause, Mode, Totals};
use std::fmt;

/// Sums over the whole process from the start of recording on, at one moment.
///
/// All are 0 if nothing is recorded: see [`Heap::is_recorded`]. Bytes are those that were asked for, and in mode sampled all
/// numbers are estimates. Reading it ([`Tracker::heap`](crate::Tracker::heap)) costs about ten microseconds, whatever was
/// recorded.
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
/// let t = memscope_rs::tracker!();
/// let before = t.heap();
/// let data = vec![0_u8; 5000];
/// assert!(t.heap().live_bytes >= before.live_bytes + 5000);
/// # drop(data);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Heap {
    /// Whether anything is recorded at all: a [`Memscope`](crate::Memscope) is installed and not off.
    pub is_recorded: bool,
    /// Allocations; a realloc is one.
    pub allocations: u64,
    /// Bytes requested by them.
    pub allocated_bytes: u64,
    /// Frees; the old half of a realloc is one.
    pub frees: u64,
    /// Bytes that they gave back.
    pub freed_bytes: u64,
    /// Blocks alive now.
    pub live_blocks: u64,
    /// Bytes alive now.
    pub live_bytes: u64,
    /// The most bytes that were alive at once. Exact with one thread; with several known to within 64 KiB for each, for
    /// threads publish what they hold in steps.
    pub peak_bytes: u64,
}

impl Heap {
    pub(crate) fn read() -> Self {
        let _aside = Aside::new();
        let totals = recording::region().and_then(|region| region.totals().ok());
        totals.map_or_else(Self::default, |totals| Self::of(&totals))
    }

    pub(crate) fn of(totals: &Totals) -> Self {
        Self {
            is_recorded: true,
            allocations: totals.allocations,
            allocated_bytes: totals.allocated_bytes,
            frees: totals.frees,
            freed_bytes: totals.freed_bytes,
            live_blocks: totals.live_blocks,
            live_bytes: totals.live_bytes,
            peak_bytes: totals.peak_bytes,
        }
    }
}

/// How much of what happened was recorded, counted by the recording itself.
///
/// An attempt is an allocation or a free (a realloc is one of each); it succeeds if it was recorded, and is missed for
/// one of the causes in [`CaptureStats::misses_by_cause`]. See
/// [`Tracker::tracking_stats`](crate::Tracker::tracking_stats) for an example.
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
/// let stats = memscope_rs::tracker!().tracking_stats();
/// println!("{stats}"); // 100.00% complete (…), and what was missed, by its cause
/// assert!(stats.detailed.successes + stats.detailed.misses <= stats.detailed.attempts);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct CaptureStats {
    /// Whether anything is recorded at all: a [`Memscope`](crate::Memscope) is installed and not off. If not, all counts
    /// are 0 and say nothing.
    pub is_recorded: bool,
    /// Attempts, successes and misses, and the ratios that follow from them.
    pub detailed: DetailedStats,
    /// Each cause for which attempts were missed, in words, and how many were. Empty if none was.
    pub misses_by_cause: Vec<(String, u64)>,
    /// How many frees were of blocks that were allocated before recording began, or whose allocation was missed.
    pub unknown_frees: u64,
    /// How many events have a stack that could not be walked to its end.
    pub truncated_stacks: u64,
    /// If the mode was changed: the milliseconds since the start at which each began, and which. The latest eleven.
    pub eras: Vec<(u64, RecordingMode)>,
}

impl CaptureStats {
    pub(crate) fn read() -> Self {
        let _aside = Aside::new();
        let completeness = recording::region().and_then(|region| region.completeness().ok());
        completeness.map_or_else(Self::of_nothing, |completeness| Self::of(&completeness))
    }

    /// Where nothing is recorded.
    pub(crate) fn of_nothing() -> Self {
        Self { is_recorded: false, ..Self::of(&Completeness::default()) }
    }

    pub(crate) fn of(completeness: &Completeness) -> Self {
        let misses: u64 = completeness.misses.iter().sum();
        let by_cause = MissCause::ALL.into_iter().filter_map(|cause| {
            let count = completeness.misses[cause as usize];
            (count > 0).then(|| (words(cause).to_owned(), count))
        });
        Self {
            is_recorded: true,
            detailed: DetailedStats::new(completeness.attempts, completeness.successes, misses),
            misses_by_cause: by_cause.collect(),
            unknown_frees: completeness.unknown_frees,
            truncated_stacks: completeness.truncated_stacks,
            eras: completeness.eras.iter().map(|era| (era.from_ms, mode(era.mode))).collect(),
        }
    }
}

fn mode(mode: Option<Mode>) -> RecordingMode {
    match mode {
        Some(Mode::Exact) => RecordingMode::Exact,
        Some(Mode::Sampled) => RecordingMode::Sampled,
        Some(Mode::Counting) => RecordingMode::Counting,
        None => RecordingMode::Off,
    }
}

fn words(cause: MissCause) -> &'static str {
    match cause {
        MissCause::Reentered => "in a signal handler that interrupted the recording",
        MissCause::NotReady => "before recording was ready",
        MissCause::Threads => "no room for another thread",
        MissCause::Sites => "no room for another stack",
        MissCause::Counters => "no room for another counter",
        MissCause::Records => "no room for records of so many addresses",
    }
}

impl fmt::Display for CaptureStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_recorded {
            return f.write_str("nothing is recorded, so how complete it is is unknown");
        }
        self.detailed.fmt(f)?;
        for (cause, count) in &self.misses_by_cause {
            write!(f, "; {count} missed: {cause}")?;
        }
        if self.unknown_frees > 0 {
            write!(f, "; frees of unrecorded blocks: {}", self.unknown_frees)?;
        }
        if self.truncated_stacks > 0 {
            write!(f, "; stacks cut short: {}", self.truncated_stacks)?;
        }
        for (from_ms, mode) in &self.eras {
            write!(f, "; {mode} from {:.3} s on", *from_ms as f64 / 1e3)?;
        }
        Ok(())
    }
}
