//! Figures as they are printed: exact ones plain, estimated ones marked `≈` and with their error.
//!
//! The error of bytes: a sampler with a mean interval of R bytes sees a block of s bytes with probability
//! p = 1 - e^(-s/R) and counts it 1/p times, so N such blocks are estimated with the variance N s² (1-p)/p.
//! Blocks of one site are taken to be of their mean size. 1.96 standard deviations to either side hold the truth in
//! 95 of 100 runs. The error of counts depends on the smallest blocks, which a mean does not know, so none is given.

use super::units;
use memscope_profile::model::{Mode, Run};

/// How figures of a profile are printed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    /// Mean bytes between samples; `None` if figures are exact.
    interval_bytes: Option<f64>,
}

impl Figures {
    /// For the figures of a run.
    pub(crate) fn of(run: &Run) -> Self {
        let sampled = run.mode == Mode::Sampled;
        Self { interval_bytes: sampled.then_some(run.interval_bytes as f64) }
    }

    /// Whether they are estimates.
    pub(crate) fn are_estimates(self) -> bool {
        self.interval_bytes.is_some()
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

    /// The 95 % error of an estimate of `bytes` in `blocks`: `± 9 %`. `None` for exact figures and for none.
    pub(crate) fn error(self, bytes: u64, blocks: u64) -> Option<String> {
        let interval = self.interval_bytes.filter(|interval| *interval > 0.0)?;
        if bytes == 0 || blocks == 0 {
            return None;
        }
        let seen = -f64::exp_m1(-(bytes as f64 / blocks as f64) / interval);
        let percent = 196.0 * ((1.0 - seen) / (seen * blocks as f64)).sqrt();
        Some(match percent {
            p if p < 1.0 => "± <1 %".to_owned(),
            p if p < 200.0 => format!("± {p:.0} %"),
            _ => "± 200 % or more".to_owned(),
        })
    }
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
        assert_eq!(exact.error(2048, 1), None);
        assert_eq!(sampled().bytes(2048), "≈2.00 KiB");
        assert_eq!(sampled().exact_bytes(2048), "≈2,048 bytes");
    }

    #[test]
    fn the_error_falls_with_the_number_of_samples_and_with_the_size_of_blocks() {
        // 100 samples of small blocks: 1.96 / 10.
        assert_eq!(sampled().error(100 * (512 << 10), 1_000_000).as_deref(), Some("± 20 %"));
        assert_eq!(sampled().error(10_000 * (512 << 10), 1_000_000).as_deref(), Some("± 2 %"));
        // A block of twenty intervals is never overlooked.
        assert_eq!(sampled().error(10 << 20, 1).as_deref(), Some("± <1 %"));
        assert_eq!(sampled().error(64, 1).as_deref(), Some("± 200 % or more"));
        assert_eq!(sampled().error(0, 0), None);
        assert!(sampled().error(u64::MAX, 1).is_some());
    }
}
