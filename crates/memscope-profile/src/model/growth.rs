//! What reallocs cost: bytes copied because a block moved, bytes given back, and blocks that were outgrown.

use super::Counts;
use serde::{Deserialize, Serialize};

/// What reallocs made larger or smaller. Each is counted where it was called, but for the outgrown blocks, which are
/// counted where they were allocated.
///
/// Only what `realloc` does is known: a hash table that allocates a new block, copies and frees the old one by itself is not
/// here.
///
/// ```
/// use memscope_profile::model::{Counts, Growth};
///
/// // Two vectors that grew from 64 to 128 to 256 bytes each.
/// let growth = Growth { growths: 4, copied_bytes: 384, outgrown_blocks: 4, outgrown_bytes: 384, ..Growth::default() };
/// let counts = Counts { allocations: 6, allocated_bytes: 896, growth, ..Counts::default() };
/// assert_eq!(counts.last_bytes_mean(), Some(256)); // what to reserve at once
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Growth {
    /// How many reallocs made a block larger.
    pub growths: u64,
    /// Bytes of old blocks that had to be copied because the block moved.
    pub copied_bytes: u64,
    /// Bytes of old blocks that moved with their pages, which copies nothing. (The C library moves large blocks so.)
    pub remapped_bytes: u64,
    /// How many reallocs made a block smaller.
    pub shrinks: u64,
    /// Bytes that these gave back.
    pub given_back_bytes: u64,
    /// How many blocks a realloc made larger.
    pub outgrown_blocks: u64,
    /// Their bytes before.
    pub outgrown_bytes: u64,
}

impl Growth {
    /// Adds what happened elsewhere, saturating. Seven additions.
    ///
    /// ```
    /// use memscope_profile::model::Growth;
    ///
    /// let mut growth = Growth { growths: 1, copied_bytes: 64, ..Growth::default() };
    /// growth.add(&Growth { growths: 2, copied_bytes: 100, ..Growth::default() });
    /// assert_eq!((growth.growths, growth.copied_bytes), (3, 164));
    /// ```
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
    /// How many blocks were never outgrown, and their bytes: of a vector that grew step by step the last block alone. Two
    /// subtractions.
    ///
    /// ```
    /// use memscope_profile::model::{Counts, Growth};
    ///
    /// let growth = Growth { outgrown_blocks: 2, outgrown_bytes: 192, ..Growth::default() };
    /// let counts = Counts { allocations: 3, allocated_bytes: 448, growth, ..Counts::default() };
    /// assert_eq!(counts.last_blocks(), (1, 256));
    /// ```
    pub fn last_blocks(&self) -> (u64, u64) {
        (
            self.allocations.saturating_sub(self.growth.outgrown_blocks),
            self.allocated_bytes.saturating_sub(self.growth.outgrown_bytes),
        )
    }

    /// The mean bytes to which blocks grew here, rounded down; `None` if none did. A division.
    ///
    /// ```
    /// use memscope_profile::model::{Counts, Growth};
    ///
    /// let growth = Growth { growths: 2, outgrown_blocks: 2, outgrown_bytes: 192, ..Growth::default() };
    /// let counts = Counts { allocations: 3, allocated_bytes: 448, growth, ..Counts::default() };
    /// assert_eq!(counts.last_bytes_mean(), Some(256));
    /// ```
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
}
