//! How far estimates may be off.
//!
//! A sampled run counts a block of s bytes with probability p = 1 - e^(-(s+64)/interval), and then 1/p times. That is right
//! on average; how far it may be off follows from what was sampled: the variance is estimated by the sum of (1-p)/p² over
//! the sampled blocks (times s² for bytes), which is right on average as well.
//!
//! From estimate and deviation comes the 95 % interval, by the gamma distribution (Fay and Feuer): an estimate m with
//! variance v is as uncertain as a count of m²/v events, whose bounds hold also where it is small. Towards above, one
//! more block may have been overlooked, of the greatest weight that there is. Bytes weigh much the same whatever the
//! block. A count is another matter: where blocks are large, few are needed to know the bytes, and thousands of small ones
//! may hide beside them; the bound says so.
//!
//! ```
//! use memscope_profile::estimate::Intervals;
//!
//! // 10 MiB were estimated at a site, from a sample each 512 KiB.
//! let bytes = Intervals::new(512 << 10).bytes(10 << 20, 2 << 20);
//! assert!(*bytes.start() > 6 << 20 && *bytes.end() < 16 << 20, "{bytes:?}");
//! ```
//!
//! Deliberately absent: what was not sampled at all; [`unseen_bytes`] says how much that may be.

use memscope_region::row::SAMPLED_BYTES_MORE;
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// Standard deviations of estimates, in the units of what they belong to, rounded. All 0 where nothing is estimated.
///
/// ```
/// use memscope_profile::estimate::Deviations;
///
/// let site = Deviations { live_bytes: 300, ..Deviations::default() };
/// let is_estimated = site != Deviations::default();
/// assert!(is_estimated);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Deviations {
    /// Of the allocations.
    pub allocations: u64,
    /// Of their bytes.
    pub allocated_bytes: u64,
    /// Of the frees.
    pub frees: u64,
    /// Of their bytes.
    pub freed_bytes: u64,
    /// Of the blocks freed with no allocation in between.
    pub temporary: u64,
    /// Of the blocks at the peak.
    pub peak_blocks: u64,
    /// Of the bytes at the peak.
    pub peak_bytes: u64,
    /// Of the blocks alive at the end.
    pub live_blocks: u64,
    /// Of the bytes alive at the end.
    pub live_bytes: u64,
}

impl Deviations {
    /// Those of the sum of two estimates that have nothing to do with each other. Nine roots at most, about 150 ns.
    ///
    /// ```
    /// use memscope_profile::estimate::Deviations;
    ///
    /// let mut sum = Deviations { live_bytes: 3, ..Deviations::default() };
    /// sum.add(&Deviations { live_bytes: 4, ..Deviations::default() });
    /// assert_eq!(sum.live_bytes, 5); // the root of the sum of the squares
    /// ```
    pub fn add(&mut self, other: &Self) {
        for (own, other) in [
            (&mut self.allocations, other.allocations),
            (&mut self.allocated_bytes, other.allocated_bytes),
            (&mut self.frees, other.frees),
            (&mut self.freed_bytes, other.freed_bytes),
            (&mut self.temporary, other.temporary),
            (&mut self.peak_blocks, other.peak_blocks),
            (&mut self.peak_bytes, other.peak_bytes),
            (&mut self.live_blocks, other.live_blocks),
            (&mut self.live_bytes, other.live_bytes),
        ] {
            if other != 0 {
                *own = (*own as f64).hypot(other as f64).round() as u64;
            }
        }
    }
}

/// So many deviations of a normal distribution hold a little more than 95 of 100, for the variance is an estimate too.
const Z: f64 = 2.05;

/// The intervals of a sampled run's estimates.
///
/// ```
/// use memscope_profile::estimate::Intervals;
///
/// let sampled = Intervals::new(512 << 10);
/// let (low, high) = sampled.bytes(10 << 20, 2 << 20).into_inner();
/// println!("10 MiB, between {low} and {high} bytes");
/// assert!(low < 10 << 20 && 10 << 20 < high);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Intervals {
    /// Mean bytes between samples.
    interval_bytes: f64,
}

impl Intervals {
    /// For a run with so many bytes between samples; 0 for one that was not sampled, whose intervals have no width. A
    /// conversion.
    ///
    /// ```
    /// use memscope_profile::{Profile, estimate::Intervals};
    ///
    /// let profile = Profile::default(); // of a run that was recorded exactly
    /// let intervals = Intervals::new(profile.run.interval_bytes);
    /// assert_eq!(intervals.bytes(7, 0), 7..=7);
    /// ```
    pub fn new(interval_bytes: u64) -> Self {
        Self { interval_bytes: interval_bytes as f64 }
    }

    /// In 95 of 100 runs the truth of an estimate in bytes lies within these bounds. Both numbers are in bytes, the second
    /// a standard deviation. Some 30 ns; any numbers will do.
    ///
    /// ```
    /// use memscope_profile::estimate::Intervals;
    ///
    /// assert!(Intervals::new(512 << 10).bytes(10 << 20, 1 << 20).contains(&(11 << 20)));
    /// ```
    pub fn bytes(self, estimate: u64, deviation: u64) -> RangeInclusive<u64> {
        let weight = match estimate {
            0 => self.interval_bytes,
            _ => (deviation as f64).powi(2) / estimate as f64,
        };
        bounds(estimate, deviation, weight)
    }

    /// The same for a number of blocks. Costs the same.
    ///
    /// ```
    /// use memscope_profile::estimate::Intervals;
    ///
    /// let blocks = Intervals::new(512 << 10).count(10, 0);
    /// assert!(*blocks.end() > 1000); // small blocks may hide beside large ones
    /// ```
    pub fn count(self, estimate: u64, deviation: u64) -> RangeInclusive<u64> {
        // An empty block's.
        let weight = self.interval_bytes / SAMPLED_BYTES_MORE as f64;
        bounds(estimate, deviation, weight)
    }
}

fn bounds(estimate: u64, deviation: u64, weight: f64) -> RangeInclusive<u64> {
    let (mean, variance) = (estimate as f64, (deviation as f64).powi(2));
    let low = if variance > 0.0 { mean * bound(mean * mean / variance, -Z) } else { mean };
    let most = mean + weight;
    let high = if weight > 0.0 {
        most * bound(most * most / (variance + weight * weight), Z)
    } else {
        mean
    };
    // Rounded outwards. A mean of more than 2^53 may have lost its last digits.
    (low.floor() as u64).min(estimate)..=(high.ceil() as u64).max(estimate)
}

/// A quantile of the gamma distribution of this shape, as a part of its mean (Wilson and Hilferty).
fn bound(shape: f64, z: f64) -> f64 {
    (1.0 - 1.0 / (9.0 * shape) + z / (3.0 * shape.sqrt())).max(0.0).powi(3)
}

/// What allocates more than this in small blocks is overlooked in less than 5 of 100 runs. A multiplication.
///
/// ```
/// use memscope_profile::estimate::unseen_bytes;
///
/// assert_eq!(unseen_bytes(512 << 10), 1536 << 10);
/// ```
pub fn unseen_bytes(interval_bytes: u64) -> u64 {
    // e^-3 is 0.0498.
    interval_bytes.saturating_mul(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_those_of_the_tables_and_a_little_wider() {
        // Garwood's 95 % limits of a Poisson count.
        for (count, low, high) in
            [(1u64, 0.025, 5.572), (5, 1.623, 11.668), (10, 4.795, 18.39), (100, 81.36, 121.63)]
        {
            let unit = 1_000_000;
            let deviation = ((count as f64).sqrt() * unit as f64) as u64;
            let range = Intervals::new(unit).bytes(count * unit, deviation);
            let (found_low, found_high) =
                (*range.start() as f64 / unit as f64, *range.end() as f64 / unit as f64);
            assert!(found_low <= low && found_low > low * 0.95 - 0.03, "{count}: {range:?}");
            assert!(found_high >= high && found_high < high * 1.05, "{count}: {range:?}");
        }
    }

    #[test]
    fn what_is_not_estimated_has_no_width() {
        let exact = Intervals::new(0);
        assert_eq!(
            (exact.bytes(7, 0), exact.count(7, 0), exact.bytes(0, 0)),
            (7..=7, 7..=7, 0..=0)
        );
        assert!(Intervals::new(1).bytes(u64::MAX, u64::MAX).contains(&u64::MAX));
        assert_eq!(unseen_bytes(1000), 3000);
    }

    #[test]
    fn small_blocks_may_hide_beside_large_ones() {
        let sampled = Intervals::new(512 << 10);
        assert_eq!(sampled.bytes(10 << 20, 0), 10 << 20..=10 << 20);
        let count = sampled.count(1, 0);
        assert!(*count.start() == 1 && (30_000..32_000).contains(count.end()), "{count:?}");
        assert!((1_900_000..2_100_000).contains(sampled.bytes(0, 0).end()));
    }

    #[test]
    fn deviations_of_sums_grow_with_the_root() {
        let mut sum = Deviations { live_bytes: 3, frees: 5, ..Deviations::default() };
        sum.add(&Deviations { live_bytes: 4, ..Deviations::default() });
        assert_eq!((sum.live_bytes, sum.frees, sum.temporary), (5, 5, 0));
    }
}
