//! Private memory of one thread's state that is never given back: small pieces are cut from chunks, large ones are
//! mappings of their own.
//!
//! What lies here is bounded by what distinct stacks, sites and live threads need, never by the number of events.

use memscope_region::sys::{self, HUGE_PAGE_BYTES, PAGE_BYTES};

/// Chunks that small pieces are cut from. Only what is touched takes memory.
const CHUNK_BYTES: usize = 64 << 10;

/// A source of zeroed memory with one owner.
#[derive(Debug)]
pub struct Arena {
    next: *mut u8,
    left: usize,
}

impl Arena {
    /// An arena that has taken nothing yet.
    pub const fn new() -> Self {
        Self { next: core::ptr::null_mut(), left: 0 }
    }

    /// `bytes` of zeroed memory, aligned to a cache line, or `None` if the system has none.
    pub fn take(&mut self, bytes: usize) -> Option<*mut u8> {
        let bytes = bytes.next_multiple_of(64);
        if bytes >= HUGE_PAGE_BYTES && bytes.is_multiple_of(HUGE_PAGE_BYTES) {
            return sys::map_private_huge(bytes).ok();
        }
        if bytes >= CHUNK_BYTES / 4 {
            return sys::map_private(bytes.next_multiple_of(PAGE_BYTES)).ok();
        }
        if self.left < bytes {
            self.next = sys::map_private(CHUNK_BYTES).ok()?;
            self.left = CHUNK_BYTES;
        }
        let piece = self.next;
        self.next = piece.wrapping_add(bytes);
        self.left -= bytes;
        Some(piece)
    }

    /// Gives back a piece that [`Arena::take`] made, if it was a mapping of its own.
    ///
    /// # Safety
    /// Nobody uses the piece any more, and `bytes` is what was asked for.
    pub unsafe fn give_back(&mut self, piece: *mut u8, bytes: usize) {
        let bytes = bytes.next_multiple_of(64);
        if bytes >= CHUNK_BYTES / 4 {
            // SAFETY: the caller's promise.
            unsafe { sys::unmap(piece, bytes.next_multiple_of(PAGE_BYTES)) };
        }
    }
}

impl Default for Arena {
    fn default() -> Self {
        Self::new()
    }
}
