//! For how much a sampled block stands.
//!
//! A block that is in the sample with probability p counts 1/p times (Horvitz and Thompson), which is right on average
//! whatever the sizes are. The variance of that is (1-p)/p for each block that there was, and (1-p)/p² for each in the
//! sample is right on average again. A variance in bytes is that times the square of the size.

use memscope_region::row::SAMPLED_BYTES_MORE;

/// Counts in rows are multiples of 1 / this, so that weights near 1 need not be rounded to 1 or 2.
pub const COUNTS_PER_BLOCK: u64 = memscope_region::row::COUNTS_PER_BLOCK;

/// For how much a sampled block stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weight {
    /// Blocks, in units of 1 / [`COUNTS_PER_BLOCK`].
    pub count: u64,
    /// Bytes.
    pub bytes: u64,
    /// Variance of the blocks, in whole blocks squared.
    pub count_variance: f64,
    /// Variance of the bytes.
    pub bytes_variance: f64,
}

impl Weight {
    /// A block that stands for itself.
    pub fn whole(size: u64) -> Self {
        Self { count: COUNTS_PER_BLOCK, bytes: size, count_variance: 0.0, bytes_variance: 0.0 }
    }

    /// The weight of a block of `size` bytes in a sample with this interval.
    pub fn new(size: u64, interval: f64) -> Self {
        let size = size as f64;
        let probability = -libm::expm1(-(size + SAMPLED_BYTES_MORE as f64) / interval);
        let weight = 1.0 / probability;
        let variance = weight * (weight - 1.0);
        Self {
            count: (weight * COUNTS_PER_BLOCK as f64 + 0.5) as u64,
            bytes: (weight * size + 0.5) as u64,
            count_variance: variance,
            bytes_variance: variance * size * size,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_blocks_stand_for_an_interval_and_large_ones_for_themselves() {
        let interval = 524_288.0;
        let small = Weight::new(0, interval);
        assert!((small.count as f64 / COUNTS_PER_BLOCK as f64 - 8192.5).abs() < 0.01, "{small:?}");
        assert_eq!(small.bytes, 0);
        let medium = Weight::new(1984, interval);
        assert!((medium.bytes as f64 - 1984.0 * 256.5).abs() < 10.0, "{medium:?}");
        let large = Weight::new(100 << 20, interval);
        assert_eq!((large.count, large.bytes), (COUNTS_PER_BLOCK, 100 << 20));
        assert!(large.count_variance < 1e-9);
    }

    #[test]
    fn no_size_and_no_interval_is_without_a_weight() {
        for interval in [1.0, 64.0, 524_288.0, 1e12] {
            for size in [0, 1, 1 << 20, u64::MAX] {
                let weight = Weight::new(size, interval);
                assert!(weight.count >= COUNTS_PER_BLOCK && weight.bytes >= size, "{weight:?}");
                assert!(weight.count_variance >= 0.0 && weight.bytes_variance.is_finite());
            }
        }
    }
}
