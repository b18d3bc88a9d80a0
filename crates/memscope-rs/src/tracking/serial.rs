//! Numbers that are never used twice in a process.
//!
//! Invariants: never 0, which stands for none; no order between threads follows from them.

use std::sync::atomic::Ordering::Relaxed;

use super::sync::UnorderedU64;

pub(super) struct Serial(UnorderedU64);

impl Serial {
    pub(super) const fn new() -> Self {
        Self(UnorderedU64::new(1))
    }

    pub(super) fn next(&self) -> u64 {
        self.0.fetch_add(1, Relaxed)
    }
}
