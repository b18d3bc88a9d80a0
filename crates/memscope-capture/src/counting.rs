//! Mode counting: how many blocks and bytes each thread allocates and frees, what is alive, and the most that was. No
//! stacks, no records of blocks.
//!
//! Invariants:
//! - A thread counts in its own row of the region, so a kill loses nothing. Each counter is changed by one instruction on
//!   memory (a relaxed load and store that the compiler joins), so a signal handler's events are not lost either; the
//!   guard is taken only to find the row.
//! - Bytes allocated are those asked for. A block that is freed does not tell what was asked for it, so frees, live bytes
//!   and their peak are in usable bytes: what the allocator made of the request.
//! - A thread's peak is exact. The process's is that of the one thread, or known to within what threads hold back.
//!
//! `row.by_mode` holds what the thread has added to the process's live bytes, the most that it was and will have been at the
//! last flush, and the most that it has held back since.

use crate::arch;
use crate::event::{UNFLUSHED_BYTES, add};
use crate::hooks::{Host, RawBlock};
use crate::process::PROCESS;
use crate::thread::Guard;
use core::ffi::c_int;
use core::mem::offset_of;
use core::ptr::from_ref;
use core::sync::atomic::{AtomicU64, Ordering};
use memscope_region::Header;
use memscope_region::row::{BY_MODE_FLUSHED, BY_MODE_HIGH, BY_MODE_PEAK, Fill, ThreadCells};

/// The calling thread's row, if it is known.
#[inline(always)]
pub(crate) fn known_row() -> Option<&'static ThreadCells> {
    // A child of fork finds its parent's row there, and recording off.
    let address = PROCESS.while_on(arch::counting_row());
    if address == 0 {
        return None;
    }
    // SAFETY: set by `find_row` to a row that is mapped for ever.
    Some(unsafe { &*(address as *const ThreadCells) })
}

/// The calling thread's row; `None` if its events cannot be counted there.
#[cold]
#[inline(never)]
pub(crate) fn find_row(start: impl Fn()) -> Option<&'static ThreadCells> {
    let row = Guard::take(start)?.row();
    arch::set_counting_row(from_ref(row) as u64);
    Some(row)
}

/// Where a row has what its thread holds back, and the most of it.
pub(crate) const HELD: usize = offset_of!(ThreadCells, unflushed_bytes);
const HIGH: usize = offset_of!(ThreadCells, by_mode) + size_of::<u64>() * BY_MODE_HIGH;

/// Counts an allocation of `size` bytes, for which the allocator made a block with `usable` bytes. Whether it is time to
/// [`flush`].
#[inline(always)]
fn add_allocation(row: &ThreadCells, size: usize, usable: usize) -> bool {
    add(&row.allocations, 1);
    add(&row.allocated_bytes, size as u64);
    // SAFETY: there are such cells in a row, and it is the calling thread's.
    if !unsafe { arch::add_is_above::<HELD, HIGH>(from_ref(row).cast(), usable as u64) } {
        return false;
    }
    // ORDERING: relaxed; one writer.
    let held = row.unflushed_bytes.load(Ordering::Relaxed);
    row.by_mode[BY_MODE_HIGH].store(held, Ordering::Relaxed);
    held as i64 >= UNFLUSHED_BYTES
}

/// Counts the free of a block with `usable` bytes. Whether it is time to [`flush`].
#[inline(always)]
fn add_free(row: &ThreadCells, usable: usize) -> bool {
    add(&row.frees, 1);
    let row = from_ref(row).cast();
    // SAFETY: as in `add_allocation`.
    unsafe { arch::subtract_is_below::<HELD, { -UNFLUSHED_BYTES }>(row, usable as u64) }
}

/// Counts an allocation, for allocators that are called from Rust: `usable` is what [`freeing`] will be told.
#[inline(always)]
pub fn allocated(start: impl Fn(), size: usize, usable: usize) {
    let Some(row) = known_row().or_else(|| find_row(start)) else { return };
    if add_allocation(row, size, usable) {
        flush(row);
    }
}

/// Counts that a block is about to be freed, for allocators that are called from Rust.
#[inline(always)]
pub fn freeing(start: impl Fn(), usable: usize) {
    let Some(row) = known_row().or_else(|| find_row(start)) else { return };
    if add_free(row, usable) {
        flush(row);
    }
}

/// Adds what the thread holds back to the process's live bytes.
#[cold]
#[inline(never)]
fn flush(row: &ThreadCells) {
    let Some(writer) = PROCESS.writer() else { return };
    let header: &Header = writer.header();
    // ORDERING: relaxed; the thread's own counters, and sums.
    let load = |cell: &AtomicU64| cell.load(Ordering::Relaxed) as i64;
    let flushed = load(&row.by_mode[BY_MODE_FLUSHED]);
    let peak = flushed + load(&row.by_mode[BY_MODE_HIGH]);
    let held = load(&row.unflushed_bytes);
    row.by_mode[BY_MODE_PEAK].fill(peak.max(load(&row.by_mode[BY_MODE_PEAK])) as u64);
    row.by_mode[BY_MODE_FLUSHED].fill((flushed + held) as u64);
    row.by_mode[BY_MODE_HIGH].fill(0u64);
    row.unflushed_bytes.fill(0u64);
    // ORDERING: relaxed, as above; so are the clock and the largest.
    let live = (header.live_bytes.fetch_add(held as u64, Ordering::Relaxed) as i64) + held;
    if live > 0 && (header.peak_bytes.fetch_max(live as u64, Ordering::Relaxed) as i64) < live {
        header.peak_tick.store(header.tick.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

/// Counts a block that an allocator's function returned, or that it returned none, and returns it. Everything but the usual
/// is left to functions that are called last, so that it takes no registers from the program's path.
///
/// # Safety
/// The calling thread owns the block.
#[inline(always)]
unsafe fn count<H: Host>(block: RawBlock, size: usize) -> RawBlock {
    match known_row() {
        Some(row) if !block.is_null() => {
            // SAFETY: the caller's promise.
            if add_allocation(row, size, unsafe { H::usable_bytes(block) }) {
                return flush_before(row, block);
            }
            block
        }
        // SAFETY: as above.
        _ => unsafe { count_slowly::<H>(block, size) },
    }
}

#[cold]
#[inline(never)]
fn flush_before(row: &ThreadCells, block: RawBlock) -> RawBlock {
    flush(row);
    block
}

#[cold]
#[inline(never)]
unsafe fn count_slowly<H: Host>(block: RawBlock, size: usize) -> RawBlock {
    if block.is_null() {
        if let Some(row) = find_row(H::start) {
            add(&row.failed, 1);
        }
    } else {
        // SAFETY: the caller's promise.
        allocated(H::start, size, unsafe { H::usable_bytes(block) });
    }
    block
}

/// `malloc`.
///
/// # Safety
/// As for the C function; the same holds for all that follow.
#[inline(always)]
pub unsafe fn malloc<H: Host>(size: usize) -> RawBlock {
    // SAFETY: passed on.
    unsafe { count::<H>(H::malloc(size), size) }
}

/// `calloc`.
///
/// # Safety
/// See [`malloc`].
#[inline(always)]
pub unsafe fn calloc<H: Host>(blocks: usize, size: usize) -> RawBlock {
    // SAFETY: passed on. If the product overflows the real function returns null.
    unsafe { count::<H>(H::calloc(blocks, size), blocks.wrapping_mul(size)) }
}

/// `free`.
///
/// # Safety
/// See [`malloc`].
#[inline(always)]
pub unsafe fn free<H: Host>(block: RawBlock) {
    // SAFETY: passed on; the block is the caller's until it is freed.
    unsafe {
        if !block.is_null() {
            match known_row() {
                Some(row) if !add_free(row, H::usable_bytes(block)) => {}
                Some(row) => return free_after_flush::<H>(row, block),
                None => return free_slowly::<H>(block),
            }
        }
        H::free(block);
    }
}

#[cold]
#[inline(never)]
unsafe fn free_after_flush<H: Host>(row: &ThreadCells, block: RawBlock) {
    flush(row);
    // SAFETY: passed on.
    unsafe { H::free(block) }
}

#[cold]
#[inline(never)]
unsafe fn free_slowly<H: Host>(block: RawBlock) {
    // SAFETY: passed on.
    unsafe {
        freeing(H::start, H::usable_bytes(block));
        H::free(block);
    }
}

/// `realloc`: one free of the old block, one allocation of the new. A failed one leaves the old block as it was; one to
/// size 0 that returns null has freed it.
///
/// # Safety
/// See [`malloc`].
#[inline(always)]
pub unsafe fn realloc<H: Host>(block: RawBlock, size: usize) -> RawBlock {
    // SAFETY: passed on; the old block is asked before it may be gone.
    unsafe {
        let old = if block.is_null() { 0 } else { H::usable_bytes(block) };
        let new = H::realloc(block, size);
        if !block.is_null() && (!new.is_null() || size == 0) {
            freeing(H::start, old);
        }
        if !new.is_null() || size != 0 {
            count::<H>(new, size);
            if !new.is_null()
                && let Some(row) = known_row()
            {
                add(&row.reallocs, 1);
            }
        }
        new
    }
}

/// A function that returns an aligned block of `size` bytes, or null; `call` calls the real one.
///
/// # Safety
/// See [`malloc`].
#[inline(always)]
pub unsafe fn aligned<H: Host>(size: usize, call: impl FnOnce() -> RawBlock) -> RawBlock {
    // SAFETY: passed on.
    unsafe { count::<H>(call(), size) }
}

/// `posix_memalign`; `call` calls the real function, which stores to `place`.
///
/// # Safety
/// See [`malloc`].
#[inline(always)]
pub unsafe fn posix_memalign<H: Host>(
    place: *mut RawBlock,
    size: usize,
    call: impl FnOnce() -> c_int,
) -> c_int {
    let result = call();
    // SAFETY: on success the real function stored the block there.
    unsafe {
        let block = if result == 0 { *place } else { core::ptr::null_mut() };
        count::<H>(block, size);
    }
    result
}
