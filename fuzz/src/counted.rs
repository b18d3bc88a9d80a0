//! The memory that an input costs, counted by an allocator that passes everything on.
//!
//! Invariant: all that Rust code takes counts, on whatever thread, and nothing else: libFuzzer's own memory comes from C++.
//! Deliberately absent: inputs at the same time.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

struct Counted;

#[global_allocator]
static COUNTED: Counted = Counted;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

fn grow(bytes: usize) {
    // Relaxed: these are sums; the threads of one input have ended before they are looked at.
    PEAK.fetch_max(LIVE.fetch_add(bytes, Relaxed) + bytes, Relaxed);
}

// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // Relaxed: a sum.
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(block, layout) }
    }
}

/// Runs `work`, which may hold at most `limit_bytes` at once.
///
/// # Panics
/// If it held more: that is a finding. Whenever an input costs twice as much as all before, stderr says how much.
pub fn bounded<T>(limit_bytes: usize, work: impl FnOnce() -> T) -> T {
    // Relaxed: see `grow`.
    let before = LIVE.load(Relaxed);
    PEAK.store(before, Relaxed);
    let result = work();
    let held_bytes = PEAK.load(Relaxed).saturating_sub(before);
    assert!(held_bytes <= limit_bytes, "held {held_bytes} bytes, of {limit_bytes} that it may");
    if held_bytes > 2 * MOST.load(Relaxed) {
        MOST.store(held_bytes, Relaxed);
        eprintln!("memory: an input cost {held_bytes} bytes of {limit_bytes}");
    }
    result
}
