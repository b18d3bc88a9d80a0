//! Counting for an allocator that is called from Rust: blocks and bytes of each thread, all in bytes that were asked for,
//! because whoever frees says how many they were. No stacks, no records of blocks.
//!
//! The region is of mode exact, so that the process may go on to record stacks; what is only counted has counters of its own
//! there (see [`BY_MODE_COUNTED`]), so a task's bytes stay those that were recorded with their sites. The live bytes of the
//! process and their peak are those of everything. In a region of mode sampled a block that is counted stands for itself.
//!
//! Invariants: as in [`crate::counting`], whose row of the thread this uses: each counter is changed by one instruction
//! on memory, and the guard is taken only to find the row.

use crate::arch;
use crate::counting::{HELD, find_row, known_row};
use crate::event::{self, UNFLUSHED_BYTES, add, before_fall, flush_if_due};
use crate::process::PROCESS;
use crate::thread::Guard;
use core::ptr::from_ref;
use core::sync::atomic::Ordering;
use memscope_region::header::MODE_SAMPLED;
use memscope_region::row::{BY_MODE_COUNTED, COUNTS_PER_BLOCK, ThreadCells};
use memscope_region::{Header, Table};

/// Counts an allocation of `size` bytes.
pub(crate) fn allocated(start: impl Fn(), size: usize) {
    let Some((row, header)) = known_place().or_else(|| find_place(start)) else { return };
    add(&row.by_mode[BY_MODE_COUNTED], 1);
    add(&row.by_mode[BY_MODE_COUNTED + 1], size as u64);
    add(&row.unflushed_bytes, size as u64);
    flush_if_due(header, row);
}

/// Counts that a block of `size` bytes is about to be freed.
pub(crate) fn freed(start: impl Fn(), size: usize) {
    let Some((row, header)) = known_place().or_else(|| find_place(start)) else { return };
    before_fall(header, row);
    add(&row.by_mode[BY_MODE_COUNTED + 2], 1);
    add(&row.by_mode[BY_MODE_COUNTED + 3], size as u64);
    add(&row.unflushed_bytes, (size as u64).wrapping_neg());
    flush_if_due(header, row);
}

/// What a counted event leaves to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// Nothing.
    Nothing,
    /// The thread holds back so much that it is to be [`flush`]ed.
    Flush,
    /// All: nothing was counted.
    All,
}

/// Counts a block that the inner allocator returned, or that it returned none; returns it. Everything but the usual is
/// left to functions that are called last, so that it takes no registers from the program's path.
#[inline(always)]
pub(crate) fn block(start: impl Fn(), block: *mut u8, size: usize) -> *mut u8 {
    match known_row() {
        Some(row) if !block.is_null() => {
            add(&row.by_mode[BY_MODE_COUNTED], 1);
            add(&row.by_mode[BY_MODE_COUNTED + 1], size as u64);
            let row = from_ref(row).cast();
            // SAFETY: there is such a cell in a row, and it is the calling thread's.
            if unsafe { arch::add_is_at_least::<HELD, UNFLUSHED_BYTES>(row, size as u64) } {
                return flush_before(block);
            }
            block
        }
        _ => block_slowly(start, block, size),
    }
}

#[cold]
#[inline(never)]
fn flush_before(block: *mut u8) -> *mut u8 {
    flush();
    block
}

#[cold]
#[inline(never)]
fn block_slowly(start: impl Fn(), block: *mut u8, size: usize) -> *mut u8 {
    if !block.is_null() {
        allocated(start, size);
    } else if let Some(mut guard) = Guard::take(start) {
        event::failed(&mut guard);
    }
    block
}

/// Counts a free as [`freed`] does, if nothing else is to be done before.
#[inline(always)]
pub(crate) fn freed_plainly(size: usize) -> Left {
    let Some((row, header)) = known_place() else { return Left::All };
    // ORDERING: relaxed; see `event::before_fall`.
    let live = header
        .live_bytes
        .load(Ordering::Relaxed)
        .wrapping_add(row.unflushed_bytes.load(Ordering::Relaxed));
    if live as i64 > header.peak_bytes.load(Ordering::Relaxed) as i64 {
        return Left::All;
    }
    add(&row.by_mode[BY_MODE_COUNTED + 2], 1);
    add(&row.by_mode[BY_MODE_COUNTED + 3], size as u64);
    let row = from_ref(row).cast();
    // SAFETY: as in `block`.
    if unsafe { arch::subtract_is_below::<HELD, { -UNFLUSHED_BYTES }>(row, size as u64) } {
        return Left::Flush;
    }
    Left::Nothing
}

/// Adds what the thread holds back to the process's live bytes, if it is much.
#[cold]
pub(crate) fn flush() {
    if let Some((row, header)) = known_place() {
        flush_if_due(header, row);
    }
}

/// Where a thread counts: its row, and the region's header.
type Place = (&'static ThreadCells, &'static Header);

/// Where the calling thread counts, if that is known.
#[inline(always)]
fn known_place() -> Option<Place> {
    Some((known_row()?, PROCESS.header()?))
}

/// Where the calling thread counts; `None` if its events cannot be counted.
#[cold]
#[inline(never)]
fn find_place(start: impl Fn()) -> Option<Place> {
    Some((find_row(start)?, PROCESS.header()?))
}

/// Where the calling thread counts, in a process that was started.
fn place() -> Option<Place> {
    known_place().or_else(|| find_place(|| {}))
}

/// Counts an allocation of `size` bytes in a region of mode sampled.
pub(crate) fn allocated_among_samples(size: usize) {
    let Some((row, header)) = place() else { return };
    add(&row.attempts, 1);
    add(&row.allocations, COUNTS_PER_BLOCK);
    add(&row.allocated_bytes, size as u64);
    add(&row.unflushed_bytes, size as u64);
    flush_if_due(header, row);
    add(&row.successes, 1);
    // A sampled block that is freed next was not the one allocated last.
    arch::set_sample_mark(0);
    // ORDERING: relaxed; a thread in a task made it, or was handed it by whoever did.
    if header.rows[Table::Tasks as usize].load(Ordering::Relaxed) != 0
        && let Some(mut guard) = Guard::take(|| {})
    {
        guard.state().task.allocated_by_none(size as u64);
    }
}

/// Counts a free of `size` bytes in a region of mode sampled.
pub(crate) fn freed_among_samples(size: usize) {
    let Some((row, header)) = place() else { return };
    add(&row.attempts, 1);
    before_fall(header, row);
    add(&row.frees, COUNTS_PER_BLOCK);
    add(&row.freed_bytes, size as u64);
    add(&row.unflushed_bytes, (size as u64).wrapping_neg());
    flush_if_due(header, row);
    add(&row.successes, 1);
}

/// Takes back a free of `size` bytes.
#[cold]
pub(crate) fn not_freed(size: usize) {
    let Some((row, header)) = place() else { return };
    // ORDERING: relaxed; constant since the start.
    let is_region_sampled = header.mode.load(Ordering::Relaxed) == MODE_SAMPLED;
    let (frees, freed_bytes, one) = if is_region_sampled {
        add(&row.attempts, 1u64.wrapping_neg());
        add(&row.successes, 1u64.wrapping_neg());
        (&row.frees, &row.freed_bytes, COUNTS_PER_BLOCK)
    } else {
        (&row.by_mode[BY_MODE_COUNTED + 2], &row.by_mode[BY_MODE_COUNTED + 3], 1)
    };
    add(frees, one.wrapping_neg());
    add(freed_bytes, (size as u64).wrapping_neg());
    add(&row.unflushed_bytes, size as u64);
}
