//! Each of the four methods goes to the same method of the inner allocator, with the same layout.

use memscope_rs::Memscope;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Counts calls by method, and the bytes that were asked for.
struct Counting {
    calls: [AtomicUsize; 4],
    allocated_bytes: AtomicUsize,
    freed_bytes: AtomicUsize,
}

// SAFETY: every method is the system allocator's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.calls[0].fetch_add(1, Relaxed);
        self.allocated_bytes.fetch_add(layout.size(), Relaxed);
        // SAFETY: passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.calls[1].fetch_add(1, Relaxed);
        self.allocated_bytes.fetch_add(layout.size(), Relaxed);
        // SAFETY: passed on.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        self.calls[2].fetch_add(1, Relaxed);
        self.allocated_bytes.fetch_add(size, Relaxed);
        self.freed_bytes.fetch_add(layout.size(), Relaxed);
        // SAFETY: passed on.
        unsafe { System.realloc(block, layout, size) }
    }
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        self.calls[3].fetch_add(1, Relaxed);
        self.freed_bytes.fetch_add(layout.size(), Relaxed);
        // SAFETY: passed on.
        unsafe { System.dealloc(block, layout) }
    }
}

static ALLOC: Memscope<Counting> = Memscope::new(Counting {
    calls: [const { AtomicUsize::new(0) }; 4],
    allocated_bytes: AtomicUsize::new(0),
    freed_bytes: AtomicUsize::new(0),
});

fn calls() -> [usize; 4] {
    std::array::from_fn(|method| ALLOC.inner().calls[method].load(Relaxed))
}

#[test]
fn each_method_is_the_inner_allocators_own() {
    for (size, new_size, align) in
        [(1, 2, 1), (16, 8, 16), (31, 33, 8), (100, 3, 64), (5000, 50_000, 4096)]
    {
        let layout = Layout::from_size_align(size, align).unwrap();
        let grown = Layout::from_size_align(new_size, align).unwrap();
        let before = calls();
        let after = |expected: [usize; 4]| {
            let calls: [usize; 4] = std::array::from_fn(|method| calls()[method] - before[method]);
            assert_eq!(calls, expected);
        };
        // SAFETY: blocks are freed once, with their layout, and used within their size.
        unsafe {
            let block = ALLOC.alloc(layout);
            after([1, 0, 0, 0]);
            assert!(!block.is_null() && block.addr().is_multiple_of(align));
            block.write_bytes(0xa5, size);
            let block = ALLOC.realloc(block, layout, new_size);
            after([1, 0, 1, 0]);
            let kept = std::slice::from_raw_parts(block, size.min(new_size));
            assert!(kept.iter().all(|byte| *byte == 0xa5));
            ALLOC.dealloc(block, grown);
            after([1, 0, 1, 1]);
            let block = ALLOC.alloc_zeroed(layout);
            after([1, 1, 1, 1]);
            assert!(std::slice::from_raw_parts(block, size).iter().all(|byte| *byte == 0));
            ALLOC.dealloc(block, layout);
        }
    }
    let inner = ALLOC.inner();
    assert_eq!(inner.allocated_bytes.load(Relaxed), inner.freed_bytes.load(Relaxed));
}
