//! The tracker: the handle by which a program asks what was recorded of it.
//!
//! Invariant: asking never blocks another thread and changes nothing of what is asked about.
//! Deliberately absent: state that events feed. All numbers are read from the recording.

use crate::heap::{CaptureStats, Heap};
use crate::report::Report;

/// A handle to what is recorded of this process. Made by [`tracker!`](crate::tracker!).
///
/// Cheap to clone, and may be shared between threads.
#[derive(Clone, Debug, Default)]
pub struct Tracker {}

impl Tracker {
    /// A tracker of its own. [`tracker!`](crate::tracker!) is short for it.
    pub fn new() -> Self {
        Self {}
    }

    /// Sums over the whole process. A few system calls.
    pub fn heap(&self) -> Heap {
        Heap::read()
    }

    /// How much of what happened was recorded, as counted by the recording itself. A few system calls.
    ///
    /// ```
    /// # #[global_allocator]
    /// # static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
    /// let stats = memscope_rs::tracker!().tracking_stats();
    /// assert!(stats.detailed.attempts > 0);
    /// assert_eq!(stats.detailed.completeness, 1.0, "{stats}");
    /// ```
    pub fn tracking_stats(&self) -> CaptureStats {
        CaptureStats::read()
    }

    /// Reads everything that was recorded, names the functions, and says what there is to say.
    ///
    /// Takes tenths of a second, for the debug information of the program is read, and as much memory as that. What it
    /// allocates itself is not recorded.
    pub fn analyze(&self) -> Report {
        Report::read()
    }
}

/// A [`Tracker`] of its own: `let t = tracker!();`
#[macro_export]
macro_rules! tracker {
    () => {
        $crate::Tracker::new()
    };
}
