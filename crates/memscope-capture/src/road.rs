//! What is to be done about an allocation of a process that records itself, decided before the inner allocator is asked: with a few
//! instructions, so that one of which nothing is recorded but a number goes past the stubs.
//!
//! Invariant: an allocation is taken from the thread's countdown once, here, if the mode is sampled.
//! Deliberately absent: doing it (see [`crate::global`]), and frees, which look at the block.

use crate::own::{self, CHANGED, COUNTING, EXACT, SAMPLED, SPECIAL};
use crate::thread::SIDE;
use crate::{arch, sampled};

/// What is to be done about an allocation.
pub(crate) enum Road {
    /// It is recorded with its stack.
    Stack,
    /// Its thread's countdown has run out: it may be in the sample.
    Sample,
    /// It is only counted.
    Count,
    /// It is only passed on.
    Nothing,
    /// What it is has to be looked at more closely.
    Other,
}

impl Road {
    /// For an allocation of `size` bytes, which is taken from the countdown if there is one.
    #[inline(always)]
    pub(crate) fn of(size: usize) -> Self {
        let way = own::way();
        if way & !CHANGED == EXACT {
            return Self::Stack;
        }
        if way == COUNTING {
            return Self::Count;
        }
        // What a reader allocates after a change of the mode is marked.
        if way >= CHANGED && (way >= SPECIAL || arch::thread_word() == SIDE) {
            return Self::Other;
        }
        match way & !CHANGED {
            SAMPLED if arch::spend(sampled::gap::spent_on(size)) => Self::Sample,
            COUNTING => Self::Count,
            _ => Self::Nothing,
        }
    }
}
