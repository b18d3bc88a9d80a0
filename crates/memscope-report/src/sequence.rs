//! Lists in JSON that are made while they are written, so that none of them is held.

use serde::ser::{Serialize, Serializer};

/// A list that is made while it is written: from a function that gives its items anew.
pub(crate) struct Sequence<F>(pub(crate) F);

impl<F, I> Serialize for Sequence<F>
where
    F: Fn() -> I,
    I: Iterator<Item: Serialize>,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((self.0)())
    }
}
