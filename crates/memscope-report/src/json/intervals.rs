//! The 95 % intervals of a sampled run's estimates, as the JSON has them.
//!
//! Deliberately absent: intervals of what a thread's row does not estimate (what is alive, and was at the peak).

use memscope_profile::estimate::Intervals;
use memscope_profile::model::{Counts, Mode, Run, Thread, Totals};

/// A lower and an upper bound.
type Bounds = (u64, u64);

/// Bounds by the names of the estimates.
#[derive(Debug, serde::Serialize)]
pub(super) struct IntervalsForm {
    allocations: Bounds,
    allocated_bytes: Bounds,
    frees: Bounds,
    freed_bytes: Bounds,
    #[serde(flatten)]
    held: Option<HeldForm>,
}

/// The same, of what is temporary or alive.
#[derive(Debug, serde::Serialize)]
struct HeldForm {
    temporary: Bounds,
    peak_blocks: Bounds,
    peak_bytes: Bounds,
    live_blocks: Bounds,
    live_bytes: Bounds,
}

impl IntervalsForm {
    /// Those of the whole process; `None` if the run was not sampled.
    pub(super) fn of_totals(totals: &Totals, run: &Run) -> Option<Self> {
        let counts = Counts {
            allocations: totals.allocations,
            allocated_bytes: totals.allocated_bytes,
            frees: totals.frees,
            freed_bytes: totals.freed_bytes,
            temporary: totals.temporary,
            peak_blocks: totals.peak_blocks,
            peak_bytes: totals.peak_bytes,
            deviations: totals.deviations,
            ..Counts::default()
        };
        Self::of(&counts, totals.live_blocks, totals.live_bytes, run)
    }

    pub(super) fn of_site(counts: &Counts, run: &Run) -> Option<Self> {
        Self::of(counts, counts.live_blocks(), counts.live_bytes(), run)
    }

    pub(super) fn of_thread(thread: &Thread, run: &Run) -> Option<Self> {
        let counts = Counts {
            allocations: thread.allocations,
            allocated_bytes: thread.allocated_bytes,
            frees: thread.frees,
            freed_bytes: thread.freed_bytes,
            deviations: thread.deviations,
            ..Counts::default()
        };
        Self::of(&counts, 0, 0, run).map(|form| Self { held: None, ..form })
    }

    fn of(counts: &Counts, live_blocks: u64, live_bytes: u64, run: &Run) -> Option<Self> {
        if run.mode != Mode::Sampled {
            return None;
        }
        let intervals = Intervals::new(run.interval_bytes);
        let bytes = |estimate, deviation| intervals.bytes(estimate, deviation).into_inner();
        let count = |estimate, deviation| intervals.count(estimate, deviation).into_inner();
        let deviations = &counts.deviations;
        Some(Self {
            allocations: count(counts.allocations, deviations.allocations),
            allocated_bytes: bytes(counts.allocated_bytes, deviations.allocated_bytes),
            frees: count(counts.frees, deviations.frees),
            freed_bytes: bytes(counts.freed_bytes, deviations.freed_bytes),
            held: Some(HeldForm {
                temporary: count(counts.temporary, deviations.temporary),
                peak_blocks: count(counts.peak_blocks, deviations.peak_blocks),
                peak_bytes: bytes(counts.peak_bytes, deviations.peak_bytes),
                live_blocks: count(live_blocks, deviations.live_blocks),
                live_bytes: bytes(live_bytes, deviations.live_bytes),
            }),
        })
    }
}
