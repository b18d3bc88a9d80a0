//! The hooks before an allocator that does what a test tells it, and stubs to enter them by.
//!
//! Blocks are mere addresses: nothing ever touches what a hook records, so any address will do. What the allocator
//! does next is set per thread, and every thread has a row of its own, so tests in one process do not meet.
#![allow(dead_code, reason = "each test binary uses a part")]

use core::arch::naked_asm;
use core::ffi::c_int;
use memscope_capture::arch::Entry;
use memscope_capture::hooks::{self, Host, RawBlock};
use memscope_capture::process::{PROCESS, Start};
use memscope_capture::thread::Guard;
use memscope_region::record::Record;
use memscope_region::row::ThreadCells;
use memscope_region::table::REGION_BYTES;
use memscope_region::{MissCause, sys};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

thread_local! {
    /// What the allocator returns next; 0: it refuses.
    static NEXT: Cell<usize> = const { Cell::new(0) };
    /// The record of the block that was last given back, as it stood when the allocator was asked to.
    static AT_GIVING_BACK: Cell<u64> = const { Cell::new(0) };
}

/// The allocator behind the hooks.
pub(crate) struct Told;

impl Host for Told {
    fn start() {
        start();
    }
    unsafe fn malloc(_: usize) -> RawBlock {
        NEXT.get() as RawBlock
    }
    unsafe fn calloc(_: usize, _: usize) -> RawBlock {
        NEXT.get() as RawBlock
    }
    unsafe fn realloc(block: RawBlock, _: usize) -> RawBlock {
        AT_GIVING_BACK.set(record(block as usize).0);
        NEXT.get() as RawBlock
    }
    unsafe fn free(block: RawBlock) {
        AT_GIVING_BACK.set(record(block as usize).0);
    }
    unsafe fn usable_bytes(_: RawBlock) -> usize {
        USABLE_BYTES
    }
}

/// What every block is said to have room for.
pub(crate) const USABLE_BYTES: usize = 100;

/// Makes the region, once.
pub(crate) fn start() {
    if PROCESS.claim_start() {
        let fd = sys::memory_file(c"law", REGION_BYTES).expect("a memory file");
        PROCESS.start(&Start { fd, granule_shift: 5, ..Start::default() }).expect("a region");
        // What is mapped from now on is mapped without it.
        sys::close(fd);
    }
    while !PROCESS.is_on() {
        std::thread::yield_now();
    }
}

/// The record at an address; empty where there is none.
pub(crate) fn record(address: usize) -> Record {
    Record(PROCESS.record(address).map_or(0, |place| place.load(Relaxed)))
}

/// The record of the block given back last, as it stood then.
pub(crate) fn record_at_giving_back() -> Record {
    Record(AT_GIVING_BACK.get())
}

/// The calling thread's row.
pub(crate) fn row() -> &'static ThreadCells {
    start();
    Guard::take(start).expect("no hook is entered").row()
}

/// Numbers of the calling thread's row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Numbers {
    pub(crate) attempts: u64,
    pub(crate) successes: u64,
    pub(crate) allocations: u64,
    pub(crate) allocated_bytes: u64,
    pub(crate) frees: u64,
    pub(crate) freed_bytes: u64,
    pub(crate) temporary: u64,
    pub(crate) reallocs: u64,
    pub(crate) failed: u64,
    pub(crate) unknown_frees: u64,
    pub(crate) misses: [u64; MissCause::COUNT],
}

impl Numbers {
    /// What the calling thread's row holds now.
    pub(crate) fn now() -> Self {
        let row = row();
        let load = |cell: &AtomicU64| cell.load(Relaxed);
        Self {
            attempts: load(&row.attempts),
            successes: load(&row.successes),
            allocations: load(&row.allocations),
            allocated_bytes: load(&row.allocated_bytes),
            frees: load(&row.frees),
            freed_bytes: load(&row.freed_bytes),
            temporary: load(&row.temporary),
            reallocs: load(&row.reallocs),
            failed: load(&row.failed),
            unknown_frees: load(&row.unknown_frees),
            misses: core::array::from_fn(|cause| load(&row.misses[cause])),
        }
    }
}

/// Defines functions that enter a hook as the preload library's do: with the stack pointer of their first
/// instruction.
macro_rules! entered {
    ($($stub:ident($($argument:ident: $type:ty),*) -> $result:ty, $sp:literal, $rbp:literal => $body:ident, $entry:ident: $call:expr;)*) => {
        $(
            #[unsafe(naked)]
            unsafe extern "C" fn $stub($($argument: $type),*) -> $result {
                naked_asm!(
                    concat!("mov ", $sp, ", rsp"),
                    concat!("mov ", $rbp, ", rbp"),
                    "jmp {body}",
                    body = sym $body,
                )
            }

            unsafe extern "C" fn $body($($argument: $type,)* sp: usize, rbp: usize) -> $result {
                let $entry = Entry { sp, rbp };
                // SAFETY: the stub passed the state at its entry; blocks are never touched.
                unsafe { $call }
            }
        )*
    };
}

entered! {
    enter_malloc(size: usize) -> RawBlock, "rsi", "rdx" => malloc_body,
        entry: hooks::malloc::<Told>(size, entry);
    enter_calloc(count: usize, size: usize) -> RawBlock, "rdx", "rcx" => calloc_body,
        entry: hooks::calloc::<Told>(count, size, entry);
    enter_realloc(block: RawBlock, size: usize) -> RawBlock, "rdx", "rcx" => realloc_body,
        entry: hooks::realloc::<Told>(block, size, entry);
    enter_aligned(size: usize) -> RawBlock, "rsi", "rdx" => aligned_body,
        entry: hooks::aligned::<Told>(size, entry, || NEXT.get() as RawBlock);
    enter_posix_memalign(place: *mut RawBlock, size: usize) -> c_int, "rdx", "rcx" => memalign_body,
        entry: hooks::posix_memalign::<Told>(place, size, entry, || match NEXT.get() {
            0 => libc::ENOMEM,
            block => {
                *place = block as RawBlock;
                0
            }
        });
}

/// `malloc`, to which the allocator answers `answer`. As a function of its own it is the caller that the stack names.
#[inline(never)]
pub(crate) fn malloc(size: usize, answer: usize) -> usize {
    NEXT.set(answer);
    // SAFETY: blocks are never touched; likewise below.
    std::hint::black_box(unsafe { enter_malloc(size) } as usize)
}

#[inline(never)]
pub(crate) fn calloc(count: usize, size: usize, answer: usize) -> usize {
    NEXT.set(answer);
    // SAFETY: as above.
    std::hint::black_box(unsafe { enter_calloc(count, size) } as usize)
}

#[inline(never)]
pub(crate) fn realloc(block: usize, size: usize, answer: usize) -> usize {
    NEXT.set(answer);
    // SAFETY: as above.
    std::hint::black_box(unsafe { enter_realloc(block as RawBlock, size) } as usize)
}

#[inline(never)]
pub(crate) fn aligned(size: usize, answer: usize) -> usize {
    NEXT.set(answer);
    // SAFETY: as above.
    std::hint::black_box(unsafe { enter_aligned(size) } as usize)
}

/// The result and what stands in the place of the block.
#[inline(never)]
pub(crate) fn posix_memalign(size: usize, answer: usize) -> (c_int, usize) {
    NEXT.set(answer);
    let mut place = 7 as RawBlock;
    // SAFETY: as above; the place can be written.
    let result = std::hint::black_box(unsafe { enter_posix_memalign(&raw mut place, size) });
    (result, place as usize)
}

pub(crate) fn free(block: usize) {
    // SAFETY: as above.
    unsafe { hooks::free::<Told>(block as RawBlock) }
}

/// Sets `errno`.
pub(crate) fn set_errno(value: c_int) {
    // SAFETY: the C library's place for this thread's.
    unsafe { *libc::__errno_location() = value };
}

/// Reads `errno`.
pub(crate) fn errno() -> c_int {
    // SAFETY: as above.
    unsafe { *libc::__errno_location() }
}
