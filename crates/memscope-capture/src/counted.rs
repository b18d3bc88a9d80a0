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
use crate::counting::find_row;
use crate::event::{self, UNFLUSHED_BYTES, add, before_fall, flush_if_due};
use crate::process::PROCESS;
use crate::thread::Guard;
use core::sync::atomic::Ordering;
use memscope_region::Header;
use memscope_region::header::MODE_SAMPLED;
use memscope_region::row::{BY_MODE_COUNTED, COUNTS_PER_BLOCK, ThreadCells};

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

/// Counts an allocation as [`allocated`] does, if nothing but the counting is to be done. False: it is not counted yet. So
/// the way that nearly every event goes needs no register to be kept.
#[inline(always)]
pub(crate) fn allocated_plainly(size: usize) -> bool {
    let Some((row, _)) = known_place() else { return false };
    if is_flush_due(row, size as u64) {
        return false;
    }
    add(&row.by_mode[BY_MODE_COUNTED], 1);
    add(&row.by_mode[BY_MODE_COUNTED + 1], size as u64);
    add(&row.unflushed_bytes, size as u64);
    true
}

/// Counts a free as [`freed`] does, if nothing but the counting is to be done. False: it is not counted yet.
#[inline(always)]
pub(crate) fn freed_plainly(size: usize) -> bool {
    let Some((row, header)) = known_place() else { return false };
    // ORDERING: relaxed; see `event::before_fall`.
    let live = header
        .live_bytes
        .load(Ordering::Relaxed)
        .wrapping_add(row.unflushed_bytes.load(Ordering::Relaxed));
    let is_above_peak = live as i64 > header.peak_bytes.load(Ordering::Relaxed) as i64;
    if is_above_peak || is_flush_due(row, (size as u64).wrapping_neg()) {
        return false;
    }
    add(&row.by_mode[BY_MODE_COUNTED + 2], 1);
    add(&row.by_mode[BY_MODE_COUNTED + 3], size as u64);
    add(&row.unflushed_bytes, (size as u64).wrapping_neg());
    true
}

/// Whether the thread would hold back too much with so many bytes more.
#[inline(always)]
fn is_flush_due(row: &ThreadCells, more: u64) -> bool {
    // ORDERING: relaxed; this thread is the cell's one writer.
    let held = row.unflushed_bytes.load(Ordering::Relaxed).wrapping_add(more);
    held.wrapping_add(UNFLUSHED_BYTES as u64) >= 2 * UNFLUSHED_BYTES as u64
}

/// Counts that the allocator returned no block.
#[cold]
#[inline(never)]
pub(crate) fn failed(start: impl Fn()) {
    if let Some(mut guard) = Guard::take(start) {
        event::failed(&mut guard);
    }
}

/// Where a thread counts: its row, and the region's header.
type Place = (&'static ThreadCells, &'static Header);

/// Where the calling thread counts, if that is known.
#[inline(always)]
fn known_place() -> Option<Place> {
    let address = arch::counting_row();
    if address == 0 {
        return None;
    }
    // A child of fork finds its parent's row there, and no header.
    let header = PROCESS.header()?;
    // SAFETY: set by `find_row` to a row that is mapped for ever.
    Some((unsafe { &*(address as *const ThreadCells) }, header))
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
