//! Whether the sizes of a site's blocks fit a type of known size.
//!
//! What is known of a site are sums: all its blocks, those freed, those alive at the peak. A sum that a type of that size
//! cannot give contradicts the type; one that it can give is a check only where few others could have given it.
//!
//! Invariant: [`Fit::Checked`] means that every sum that the record has is one that blocks of the type give, and that the
//! sums exclude most other sizes. Deliberately absent: sampled runs, whose sums are estimates.

use super::rules::Family;
use crate::model::Counts;

/// What comparing sizes says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// The sizes fit.
    Checked,
    /// There is nothing to compare: one of the sizes is not known, or every size would fit.
    Unchecked,
    /// They do not fit.
    Contradicted,
}

/// Before the value of an `Arc` or `Rc`: two counts.
pub(super) const SHARED_HEADER_BYTES: u64 = 16;

/// After the places of a hash table: a group of control bytes.
const TABLE_GROUP_BYTES: u64 = 16;

/// Compares a site's sums with a type whose values have `value_bytes`. `is_whole`: the block is one such value, whatever
/// it is a part of.
pub(super) fn compare(family: Family, value_bytes: u64, counts: &Counts) -> Fit {
    let live = (counts.live_blocks(), counts.live_bytes());
    let freed = (counts.frees, counts.freed_bytes);
    let all = (counts.allocations, counts.allocated_bytes);
    let peak = (counts.peak_blocks, counts.peak_bytes);
    let mut result = Fit::Unchecked;
    for (blocks, bytes) in [all, freed, live, peak].into_iter().filter(|sum| sum.0 > 0) {
        match one(family, value_bytes, blocks, bytes) {
            Fit::Contradicted => return Fit::Contradicted,
            Fit::Checked => result = Fit::Checked,
            Fit::Unchecked => {}
        }
    }
    result
}

fn one(family: Family, value_bytes: u64, blocks: u64, bytes: u64) -> Fit {
    let fits = |fits: bool| if fits { Fit::Checked } else { Fit::Contradicted };
    match family {
        Family::Value => fits(bytes == blocks.saturating_mul(value_bytes)),
        // Any number of bytes is a number of bytes.
        Family::Array if value_bytes <= 1 => Fit::Unchecked,
        Family::Array => fits(bytes.is_multiple_of(value_bytes) && bytes / value_bytes >= blocks),
        Family::Shared => {
            let Some(values) = bytes.checked_sub(blocks.saturating_mul(SHARED_HEADER_BYTES)) else {
                return Fit::Contradicted;
            };
            // The whole is padded to the alignment of the counts, so only larger values leave no room for others.
            if value_bytes < 8 || !value_bytes.is_multiple_of(8) {
                return Fit::Unchecked;
            }
            fits(values.is_multiple_of(value_bytes))
        }
        Family::Table if blocks == 1 => fits(table_places(value_bytes, bytes).is_some()),
        Family::Table if value_bytes.is_multiple_of(4) => {
            let places = bytes.checked_sub(blocks.saturating_mul(TABLE_GROUP_BYTES));
            fits(places.is_some_and(|bytes| bytes.is_multiple_of(value_bytes + 1)))
        }
        // Tables of few places are padded.
        Family::Table => Fit::Unchecked,
    }
}

/// How many places a hash table of `bytes` has, if there is a table of so many.
fn table_places(value_bytes: u64, bytes: u64) -> Option<u64> {
    let table_bytes = |places: u64| {
        let values =
            places.checked_mul(value_bytes)?.checked_next_multiple_of(TABLE_GROUP_BYTES)?;
        values.checked_add(places)?.checked_add(TABLE_GROUP_BYTES)
    };
    (1..48).map(|power| 1_u64 << power).find(|&places| table_bytes(places) == Some(bytes))
}

/// How many values there is room for in `blocks` of together `bytes`.
pub(super) fn capacity(family: Family, value_bytes: u64, blocks: u64, bytes: u64) -> u64 {
    let per_value = |bytes: u64| bytes.checked_div(value_bytes).unwrap_or(0);
    match family {
        Family::Value => blocks,
        Family::Array => per_value(bytes),
        Family::Shared => {
            per_value(bytes.saturating_sub(blocks.saturating_mul(SHARED_HEADER_BYTES)))
        }
        Family::Table => {
            let places =
                bytes.saturating_sub(blocks.saturating_mul(TABLE_GROUP_BYTES)) / (value_bytes + 1);
            // One place in eight stays empty.
            places - places.div_ceil(8)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(family: Family, value_bytes: u64, allocations: u64, allocated_bytes: u64) -> Fit {
        compare(family, value_bytes, &Counts { allocations, allocated_bytes, ..Counts::default() })
    }

    #[test]
    fn sizes_that_fit_and_others() {
        assert_eq!(fit(Family::Value, 48, 3, 144), Fit::Checked);
        assert_eq!(fit(Family::Value, 48, 3, 140), Fit::Contradicted);
        assert_eq!(fit(Family::Array, 48, 2, 48 * 12), Fit::Checked);
        assert_eq!(fit(Family::Array, 48, 2, 48), Fit::Contradicted);
        assert_eq!(fit(Family::Array, 48, 1, 100), Fit::Contradicted);
        assert_eq!(fit(Family::Array, 1, 1, 100), Fit::Unchecked);
        assert_eq!(fit(Family::Shared, 8, 1, 16 + 80), Fit::Checked);
        assert_eq!(fit(Family::Shared, 8, 1, 8), Fit::Contradicted);
    }

    #[test]
    fn tables_are_as_hashbrown_lays_them_out() {
        // 4 places of 4 bytes, 16, and 4 control bytes with a group more; 64 places of 48.
        assert_eq!(fit(Family::Table, 4, 1, 36), Fit::Checked);
        assert_eq!(fit(Family::Table, 48, 1, 64 * 48 + 64 + 16), Fit::Checked);
        assert_eq!(fit(Family::Table, 48, 1, 64 * 48 + 64 + 8), Fit::Contradicted);
        assert_eq!(fit(Family::Table, 48, 2, 12 * 49 + 32), Fit::Checked);
        assert_eq!(capacity(Family::Table, 48, 1, 64 * 49 + 16), 56);
    }

    #[test]
    fn each_sum_must_fit() {
        let counts = Counts {
            allocations: 2,
            allocated_bytes: 32,
            frees: 1,
            freed_bytes: 10,
            ..Counts::default()
        };
        assert_eq!(compare(Family::Array, 8, &counts), Fit::Contradicted);
    }
}
