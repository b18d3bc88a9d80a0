//! Figures as they are printed: exact ones plain, estimated ones marked `≈` and with their error.
//!
//! What the 95 % interval of an estimate is, says [`memscope_profile::estimate`]. In text it stands beside the figures of
//! bytes, and beside the counts that a section is about.

use super::units;
use memscope_profile::estimate::Intervals;
use memscope_profile::model::{Mode, Run};

/// How figures of a profile are printed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    /// Mean bytes between samples; 0 if figures are exact.
    interval_bytes: u64,
}

impl Figures {
    /// For the figures of a run.
    pub(crate) fn of(run: &Run) -> Self {
        let sampled = run.mode == Mode::Sampled;
        Self { interval_bytes: if sampled { run.interval_bytes } else { 0 } }
    }

    /// For figures that are exact in every run.
    pub(crate) const EXACT: Self = Self { interval_bytes: 0 };

    /// Whether they are estimates.
    pub(crate) fn are_estimates(self) -> bool {
        self.interval_bytes > 0
    }

    fn mark(self, figure: String) -> String {
        if self.are_estimates() { format!("≈{figure}") } else { figure }
    }

    /// Bytes in a unit of their size: `12.3 MiB`.
    pub(crate) fn bytes(self, n: u64) -> String {
        self.mark(units::bytes(n))
    }

    /// Bytes to the last digit: `12,897,123 bytes`.
    pub(crate) fn exact_bytes(self, n: u64) -> String {
        self.counted(n, "byte")
    }

    /// A count and what is counted.
    pub(crate) fn counted(self, n: u64, noun: &str) -> String {
        self.mark(units::counted(n, noun))
    }

    /// A count whose noun stands elsewhere.
    pub(crate) fn count(self, n: u64) -> String {
        self.mark(units::count(n))
    }

    /// A part of a whole in percent, empty if there is no whole.
    pub(crate) fn share(self, part: u64, whole: u64) -> String {
        match units::share(part, whole) {
            None => String::new(),
            // Said to be inexact already.
            Some(share) if share.starts_with(['<', '>']) => share,
            Some(share) => self.mark(share),
        }
    }

    /// The mean size of blocks: `57 B on average`. `None` if there are not several.
    pub(crate) fn mean_size(self, bytes: u64, blocks: u64) -> Option<String> {
        (blocks > 1).then(|| format!("{} on average", self.bytes(bytes / blocks)))
    }

    /// The 95 % interval of an estimate: `± 9 %`, or the bounds where it is wide. `None` for exact figures.
    pub(crate) fn error(self, estimate: u64, deviation: u64, unit: Unit) -> Option<String> {
        if !self.are_estimates() {
            return None;
        }
        let intervals = Intervals::new(self.interval_bytes);
        let interval = match unit {
            Unit::Bytes => intervals.bytes(estimate, deviation),
            Unit::Count => intervals.count(estimate, deviation),
        };
        let percent = 100.0 * (interval.end().saturating_sub(estimate)) as f64 / estimate as f64;
        Some(match percent {
            p if p < 1.0 => "± <1 %".to_owned(),
            p if p < WIDE_PERCENT => format!("± {p:.0} %"),
            _ => {
                let bound = |n| match unit {
                    Unit::Bytes => units::bytes(n),
                    Unit::Count => units::count(n),
                };
                format!("({} to {})", bound(*interval.start()), bound(*interval.end()))
            }
        })
    }
}

/// From here on, both bounds of an interval are written, for they are not equally far.
const WIDE_PERCENT: f64 = 50.0;

/// What an estimate is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Bytes.
    Bytes,
    /// Blocks or events.
    Count,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampled() -> Figures {
        Figures::of(&Run { mode: Mode::Sampled, interval_bytes: 512 << 10, ..Run::default() })
    }

    #[test]
    fn only_estimates_are_marked() {
        let exact = Figures::of(&Run::default());
        assert_eq!(exact.bytes(2048), "2.00 KiB");
        assert_eq!(exact.error(2048, 1, Unit::Bytes), None);
        assert_eq!(sampled().bytes(2048), "≈2.00 KiB");
        assert_eq!(sampled().exact_bytes(2048), "≈2,048 bytes");
    }

    #[test]
    fn the_error_falls_with_the_number_of_samples() {
        let error = |estimate, deviation| sampled().error(estimate, deviation, Unit::Bytes);
        // 100 samples, 10,000, and one.
        assert_eq!(error(100 << 19, 10 << 19).as_deref(), Some("± 23 %"));
        assert_eq!(error(10_000 << 19, 100 << 19).as_deref(), Some("± 2 %"));
        assert_eq!(error(1 << 19, 1 << 19).as_deref(), Some("(4.45 KiB to 2.91 MiB)"));
        // A block of twenty intervals is never overlooked.
        assert_eq!(error(10 << 20, 0).as_deref(), Some("± <1 %"));
        assert_eq!(error(0, 0).as_deref(), Some("(0 B to 1.94 MiB)"));
        assert!(error(u64::MAX, 1).is_some() && error(1, u64::MAX).is_some());
        assert_eq!(sampled().error(8192, 8192, Unit::Count).as_deref(), Some("(71 to 47,673)"));
    }
}
