//! Stacks are those that an unwinder finds: frame by frame, from the caller of the allocator's method on.
#![cfg(not(feature = "off"))]

use memscope_rs::{Memscope, tracker};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, RefCell};

/// An allocator that takes the stack of each allocation that it is asked for while it is told to.
struct Witness;

thread_local! {
    static WATCHING: Cell<bool> = const { Cell::new(false) };
    static STACKS: RefCell<Vec<(usize, Vec<usize>)>> = const { RefCell::new(Vec::new()) };
}

impl Witness {
    fn look(&self, size: usize) {
        if !WATCHING.replace(false) {
            return;
        }
        let mut stack = Vec::new();
        backtrace::trace(|frame| {
            stack.push(frame.ip() as usize);
            true
        });
        // It ends with a frame at address 0, which is none.
        while stack.last() == Some(&0) {
            stack.pop();
        }
        STACKS.with_borrow_mut(|stacks| stacks.push((size, stack)));
        WATCHING.set(true);
    }
}

// SAFETY: every method is the system allocator's.
unsafe impl GlobalAlloc for Witness {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.look(layout.size());
        // SAFETY: passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.look(layout.size());
        // SAFETY: passed on.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        self.look(size);
        // SAFETY: passed on.
        unsafe { System.realloc(block, layout, size) }
    }
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: passed on.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOC: Memscope<Witness> = Memscope::new(Witness);

/// Allocates at every depth, so that stacks share their outer parts. Sizes tell the allocations apart.
#[inline(never)]
fn descend(depth: usize, kept: &mut Vec<Vec<u8>>) {
    kept.push(vec![1; 1_000_000 + depth]);
    kept.push(vec![0; 2_000_000 + depth]);
    let mut grown = Vec::with_capacity(100);
    grown.reserve_exact(3_000_000 + depth);
    kept.push(grown);
    if depth > 0 {
        descend(depth - 1, kept);
    }
    std::hint::black_box(kept);
}

#[test]
fn stacks_are_the_unwinders() {
    const DEPTH: usize = 20;
    let mut kept = Vec::with_capacity(3 * (DEPTH + 1));
    WATCHING.set(true);
    descend(DEPTH, &mut kept);
    WATCHING.set(false);

    let report = tracker!().analyze();
    let profile = report.profile();
    let mut compared = 0;
    for (size, theirs) in STACKS.take().iter().filter(|(size, _)| *size >= 1_000_000) {
        let bytes = *size as u64;
        let site = profile.sites.iter().find(|site| site.counts.allocated_bytes == bytes);
        let site = site.unwrap_or_else(|| panic!("no site of {size} bytes"));
        let mut ours = Vec::new();
        let mut stack = site.stack;
        while stack != 0 {
            let node = profile.stacks[stack as usize - 1];
            ours.push(profile.addresses[node.address as usize].address as usize);
            stack = node.parent;
        }
        // The witness begins inside the allocator.
        let begin = theirs.iter().position(|ip| *ip == ours[0]);
        let begin = begin.unwrap_or_else(|| panic!("{ours:x?} begins nowhere in {theirs:x?}"));
        assert_eq!(ours, theirs[begin..], "{size}");
        assert!(begin < 12, "{begin} frames before the allocator's caller");
        compared += 1;
    }
    assert_eq!(compared, 3 * (DEPTH + 1));
}
