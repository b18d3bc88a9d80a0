//! Whether a block can be one of the sample: a byte for each page of 4 KiB, which counts the sampled blocks that begin in
//! it.
//!
//! By page, and not by a hash of the address: the byte of a page lies beside those of its neighbours, so a line of the
//! cache serves 256 KiB of the program's memory, and only 1 in 128 pages of small blocks holds a sample. Pages
//! that are 16 GiB apart share a byte.
//!
//! Invariants: a byte is not 0 as long as a sampled block begins in one of its pages. One that has reached its greatest
//! value stays there. Deliberately absent: certainty; the record tells.

use core::sync::atomic::{AtomicU8, Ordering};
use memscope_region::sys;

const PAGE_BITS: u32 = 12;

/// Only what is touched takes memory.
const PAGES: usize = 1 << 22;

/// A table of counts by page.
#[derive(Debug)]
#[repr(C, align(4096))]
pub struct Filter([AtomicU8; PAGES]);

/// The process's.
pub static FILTER: Filter = Filter::new();

impl Filter {
    /// An empty filter.
    pub const fn new() -> Self {
        Self([const { AtomicU8::new(0) }; PAGES])
    }

    /// Keeps the kernel from giving it a huge page for each byte that is set.
    pub fn prepare(&'static self) {
        let place = core::ptr::from_ref(self).cast_mut().cast();
        // SAFETY: the pages are ours alone, and the advice changes nothing that they hold.
        unsafe { sys::advise(place, size_of::<Self>(), libc::MADV_NOHUGEPAGE) };
    }

    #[inline(always)]
    fn count(&self, block: usize) -> &AtomicU8 {
        &self.0[block >> PAGE_BITS & (PAGES - 1)]
    }

    /// Whether the block can be one of the sample.
    #[inline(always)]
    pub fn may_hold(&self, block: usize) -> bool {
        // ORDERING: relaxed; whoever frees a block was handed it after it had been entered.
        self.count(block).load(Ordering::Relaxed) != 0
    }

    /// Enters a block.
    pub fn enter(&self, block: usize) {
        // ORDERING: relaxed, as above; the change is one step, so that no two threads' get lost.
        let change = |count: u8| count.checked_add(1);
        let _ = self.count(block).fetch_update(Ordering::Relaxed, Ordering::Relaxed, change);
    }

    /// Takes out a block that was entered.
    pub fn leave(&self, block: usize) {
        // ORDERING: relaxed, as above.
        let change = |count: u8| if count == u8::MAX { None } else { count.checked_sub(1) };
        let _ = self.count(block).fetch_update(Ordering::Relaxed, Ordering::Relaxed, change);
    }
}

impl Default for Filter {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_held_until_its_last_block_left() {
        static FILTER: Filter = Filter::new();
        let block = 0x7f12_3456_7000;
        assert!(!FILTER.may_hold(block));
        FILTER.enter(block);
        FILTER.enter(block + 64);
        FILTER.leave(block);
        assert!(FILTER.may_hold(block) && FILTER.may_hold(block + 4095));
        assert!(!FILTER.may_hold(block - 1) && !FILTER.may_hold(block + 4096));
        FILTER.leave(block + 64);
        assert!(!FILTER.may_hold(block));
        FILTER.leave(block);
        assert!(!FILTER.may_hold(block));
    }

    #[test]
    fn a_count_that_is_full_is_never_lowered() {
        static FILTER: Filter = Filter::new();
        for _ in 0..300 {
            FILTER.enter(4096);
        }
        for _ in 0..300 {
            FILTER.leave(4096);
        }
        assert!(FILTER.may_hold(4096));
    }
}
