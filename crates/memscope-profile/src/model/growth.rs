//! What reallocs cost: bytes copied because a block moved, bytes given back, and blocks that were outgrown.

use super::Counts;
use crate::estimate::Deviations;
use serde::{Deserialize, Serialize};

/// What reallocs made larger or smaller. Each is counted where it was called, but for the outgrown blocks, which are
/// counted where they were allocated.
///
/// Only what `realloc` does is known: a hash table that allocates a new block, copies and frees the old one by itself is not
/// here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Growth {
    /// Reallocs that made a block larger.
    pub growths: u64,
    /// Bytes of old blocks that had to be copied because the block moved.
    pub copied_bytes: u64,
    /// Bytes of old blocks that moved with their pages, which copies nothing. (The C library moves large blocks so.)
    pub remapped_bytes: u64,
    /// Reallocs that made a block smaller.
    pub shrinks: u64,
    /// Bytes that these gave back.
    pub given_back_bytes: u64,
    /// Blocks that a realloc made larger.
    pub outgrown_blocks: u64,
    /// Their bytes before.
    pub outgrown_bytes: u64,
}

impl Growth {
    /// Adds what happened elsewhere, saturating.
    pub fn add(&mut self, other: &Self) {
        for (own, other) in [
            (&mut self.growths, other.growths),
            (&mut self.copied_bytes, other.copied_bytes),
            (&mut self.remapped_bytes, other.remapped_bytes),
            (&mut self.shrinks, other.shrinks),
            (&mut self.given_back_bytes, other.given_back_bytes),
            (&mut self.outgrown_blocks, other.outgrown_blocks),
            (&mut self.outgrown_bytes, other.outgrown_bytes),
        ] {
            *own = own.saturating_add(other);
        }
    }
}

impl Counts {
    /// Blocks that were never outgrown, and their bytes: of a vector that grew step by step the last block alone.
    pub fn last_blocks(&self) -> (u64, u64) {
        (
            self.allocations.saturating_sub(self.growth.outgrown_blocks),
            self.allocated_bytes.saturating_sub(self.growth.outgrown_bytes),
        )
    }

    /// The largest block has at least so many bytes; `None` if nothing is known of it. The sizes of single blocks are not
    /// recorded, but some block is as large as the mean of any of the sums. Of one block alone, that is its size.
    pub fn largest_least_bytes(&self) -> Option<u64> {
        let freed = (self.frees, self.freed_bytes);
        let all = (self.allocations, self.allocated_bytes);
        let live = (self.live_blocks(), self.live_bytes());
        let peak = (self.peak_blocks, self.peak_bytes);
        let outgrown = (self.growth.outgrown_blocks, self.growth.outgrown_bytes);
        let means = [all, freed, live, peak, self.last_blocks(), outgrown]
            .into_iter()
            .filter(|(blocks, _)| *blocks > 0)
            .map(|(blocks, bytes)| bytes.div_ceil(blocks));
        means.max().filter(|_| self.deviations == Deviations::default())
    }

    /// The mean bytes to which blocks grew here; `None` if none did.
    pub fn last_bytes_mean(&self) -> Option<u64> {
        let (blocks, bytes) = self.last_blocks();
        (self.growth.growths > 0 && blocks > 0).then(|| bytes / blocks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_outgrown_is_not_the_last() {
        // Two vectors that grew from 64 to 128 to 256 bytes each, all at one place.
        let growth = Growth {
            growths: 4,
            outgrown_blocks: 4,
            outgrown_bytes: 2 * (64 + 128),
            ..Growth::default()
        };
        let counts = Counts {
            allocations: 6,
            allocated_bytes: 2 * (64 + 128 + 256),
            growth,
            ..Counts::default()
        };
        assert_eq!((counts.last_blocks(), counts.last_bytes_mean()), ((2, 512), Some(256)));
        assert_eq!(Counts { growth: Growth::default(), ..counts }.last_bytes_mean(), None);
    }

    #[test]
    fn some_block_is_as_large_as_every_mean() {
        let counts = Counts { allocations: 3, allocated_bytes: 100, ..Counts::default() };
        assert_eq!(counts.largest_least_bytes(), Some(34));
        // One of 60 and two of 20, of which a small one was freed.
        let freed = Counts { frees: 1, freed_bytes: 20, ..counts };
        assert_eq!(freed.largest_least_bytes(), Some(40));
        let peak = Counts { peak_blocks: 1, peak_bytes: 60, ..freed };
        assert_eq!(peak.largest_least_bytes(), Some(60));
        let growth = Growth { outgrown_blocks: 2, outgrown_bytes: 30, ..Growth::default() };
        assert_eq!(Counts { growth, ..counts }.largest_least_bytes(), Some(70));
        assert_eq!(Counts::default().largest_least_bytes(), None);
        // Sums that are estimates prove nothing.
        let deviations = Deviations { allocations: 1, ..Deviations::default() };
        assert_eq!(Counts { deviations, ..counts }.largest_least_bytes(), None);
    }
}
