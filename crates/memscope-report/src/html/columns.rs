//! Numbers in columns, as they compress best: each as its difference from the one before.

use serde::ser::{Serialize, Serializer};

/// A column that is written as differences. Sums of the first n numbers written are the numbers themselves.
#[derive(Debug, Default)]
pub(super) struct Differences(pub(super) Vec<u64>);

impl Serialize for Differences {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut before = 0;
        serializer.collect_seq(self.0.iter().map(|&number| {
            let difference = number.wrapping_sub(before).cast_signed();
            before = number;
            difference
        }))
    }
}

impl FromIterator<u64> for Differences {
    fn from_iter<I: IntoIterator<Item = u64>>(numbers: I) -> Self {
        Self(numbers.into_iter().collect())
    }
}
