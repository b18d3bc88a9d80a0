//! The warning that a tracking is less than 90 % complete.
//!
//! It is given by whoever asks for the figures, never by whoever records, and needs no clock: an instance warns again
//! only when its attempts have doubled since, so at most 64 times in its life.
//!
//! Deliberately absent: a logging framework. A hook can hand the figures to any.

use std::io::Write;
use std::sync::OnceLock;
use std::sync::atomic::Ordering::Relaxed;

use super::detailed::DetailedStats;
use super::sync::{AtomicU64, const_fn};

/// Below this completeness a reading warns.
pub(super) const WARN_BELOW: f64 = 0.9;

static HOOK: OnceLock<fn(&DetailedStats)> = OnceLock::new();

/// Sets what is done, in the whole process, when an instance is found to be less than 90 % complete. Without a hook a
/// line is written to stderr; `on_low_completeness(|_| ())` silences it.
///
/// The hook runs on the thread that asked for the figures, at most once per doubling of the instance's attempts.
/// Returns whether it was set: the first hook stays. A store; recording never looks at it.
///
/// ```
/// use memscope_rs::tracking::{TrackingStats, on_low_completeness};
///
/// assert!(on_low_completeness(|stats| println!("too low: {stats}")));
/// assert!(!on_low_completeness(|_| ()));
///
/// let stats = TrackingStats::new();
/// stats.record_attempt();
/// stats.record_miss();
/// stats.get_detailed_stats(); // too low: 0.00% complete (1 attempt, ...
/// ```
pub fn on_low_completeness(hook: fn(&DetailedStats)) -> bool {
    HOOK.set(hook).is_ok()
}

/// When an instance warned last.
pub(super) struct Warning {
    /// Its attempts at that time, 0 if it never did.
    attempts: AtomicU64,
}

impl Warning {
    const_fn! {
        pub(super) fn new() -> Self {
            Self { attempts: AtomicU64::new(0) }
        }
    }

    /// Forgets that there ever was one.
    pub(super) fn reset(&self) {
        self.attempts.store(0, Relaxed);
    }

    /// Warns, if it is time to. `threads` may each be between an attempt and its outcome, which is no loss.
    #[cold]
    pub(super) fn warn(&self, stats: &DetailedStats, threads: u64) {
        let last = self.attempts.load(Relaxed);
        if !is_due(stats, threads, last) {
            return;
        }
        // Of several threads that find it due, one warns.
        if self.attempts.compare_exchange(last, stats.attempts, Relaxed, Relaxed).is_err() {
            return;
        }
        match HOOK.get() {
            Some(hook) => hook(stats),
            None => {
                // Where stderr is closed there is nobody to tell.
                let _ = writeln!(std::io::stderr(), "memscope: tracking is only {stats}");
            }
        }
    }
}

fn is_due(stats: &DetailedStats, threads: u64, last_attempts: u64) -> bool {
    let in_flight = stats.open().min(threads);
    let accounted = (stats.successes.saturating_add(in_flight)) as f64;
    accounted < WARN_BELOW * stats.attempts as f64
        && stats.attempts >= last_attempts.saturating_mul(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_ninety_percent_is_due_and_ninety_is_not() {
        assert!(is_due(&DetailedStats::new(100, 89, 11), 1, 0));
        assert!(!is_due(&DetailedStats::new(100, 90, 10), 1, 0));
        assert!(is_due(&DetailedStats::new(1, 0, 1), 1, 0));
    }

    #[test]
    fn what_threads_may_have_in_flight_is_no_loss() {
        assert!(!is_due(&DetailedStats::new(2, 0, 0), 2, 0));
        assert!(is_due(&DetailedStats::new(3, 0, 0), 2, 0));
    }

    #[test]
    fn the_attempts_must_double_before_the_next() {
        assert!(!is_due(&DetailedStats::new(199, 0, 199), 1, 100));
        assert!(is_due(&DetailedStats::new(200, 0, 200), 1, 100));
    }
}
