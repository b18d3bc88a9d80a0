//! An event becomes numbers: the record of the block, the counters of the site and of the thread, the peak.
//!
//! Counters have one writer, so they are plain loads and stores. The order within an event: the attempt is counted
//! first and the success last; an allocation's record is stored after its counters, a free's is cleared before the real
//! free.
//!
//! The peak: live bytes are the header's plus what each thread has not yet added to it. They are compared with the
//! largest only when they are about to fall, so a growing program pays nothing; if they are above it, the epoch is raised,
//! and every counter row copies its present values aside before its next change. With one thread the peak and its
//! composition are exact.

use crate::arch::Entry;
use crate::frame::Taken;
use crate::process::{PROCESS, birth};
use crate::site::Sites;
use crate::thread::Guard;
use crate::{name, sampled, side, site, task};
use core::sync::atomic::{AtomicU64, Ordering};
use memscope_region::record::Record;
use memscope_region::row::{CounterCells, Fill, ThreadCells};
use memscope_region::{Header, Kind, MissCause, Table};

/// Live bytes that a thread may hold back before it adds them to the header.
pub const UNFLUSHED_BYTES: i64 = 64 << 10;

/// Adds to a counter that only this thread writes.
#[inline(always)]
pub(crate) fn add(counter: &AtomicU64, amount: u64) {
    // ORDERING: relaxed; one writer, and readers want each value, not an order between them.
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(amount), Ordering::Relaxed);
}

/// Copies a row's values aside if the peak was raised since its last change.
#[inline(always)]
pub(crate) fn keep_peak(header: &Header, counter: &CounterCells) {
    // ORDERING: relaxed; with one thread the epoch is this thread's own store, with several the peak is known to
    // within what threads hold back.
    let epoch = header.peak_epoch.load(Ordering::Relaxed);
    if counter.epoch.load(Ordering::Relaxed) != epoch {
        // ORDERING: relaxed, the thread's own counters.
        let load = |cell: &AtomicU64| cell.load(Ordering::Relaxed);
        let blocks = load(&counter.allocations).wrapping_sub(load(&counter.frees));
        let bytes = load(&counter.allocated_bytes).wrapping_sub(load(&counter.freed_bytes));
        counter.fill_peak_blocks(blocks);
        counter.peak_bytes.fill(bytes);
        counter.epoch.fill(epoch);
    }
}

/// Changes the live bytes by what this thread did.
#[inline(always)]
fn change_live(header: &Header, row: &ThreadCells, change: i64) {
    // ORDERING: relaxed; this thread is the cell's one writer.
    let held = (row.unflushed_bytes.load(Ordering::Relaxed) as i64).wrapping_add(change);
    if (held.wrapping_add(UNFLUSHED_BYTES) as u64) < 2 * UNFLUSHED_BYTES as u64 {
        row.unflushed_bytes.store(held as u64, Ordering::Relaxed);
    } else {
        flush(header, row, held);
    }
}

/// Adds what the thread holds back to the process's live bytes, if it is time.
#[inline(always)]
pub(crate) fn flush_if_due(header: &Header, row: &ThreadCells) {
    // ORDERING: relaxed; this thread is the cell's one writer.
    let held = row.unflushed_bytes.load(Ordering::Relaxed) as i64;
    if (held.wrapping_add(UNFLUSHED_BYTES) as u64) >= 2 * UNFLUSHED_BYTES as u64 {
        flush(header, row, held);
    }
}

#[cold]
fn flush(header: &Header, row: &ThreadCells, held: i64) {
    // ORDERING: relaxed; a sum.
    row.unflushed_bytes.store(0, Ordering::Relaxed);
    header.live_bytes.fetch_add(held as u64, Ordering::Relaxed);
}

/// Before live bytes fall: if they are the largest so far, that is the peak.
#[inline(always)]
pub(crate) fn before_fall(header: &Header, row: &ThreadCells) {
    // ORDERING: relaxed; see `keep_peak`.
    let live = header
        .live_bytes
        .load(Ordering::Relaxed)
        .wrapping_add(row.unflushed_bytes.load(Ordering::Relaxed));
    if live as i64 > header.peak_bytes.load(Ordering::Relaxed) as i64 {
        raise_peak(header, live);
    }
}

#[cold]
#[inline(never)]
fn raise_peak(header: &Header, live: u64) {
    // ORDERING: relaxed; the larger of two threads' peaks stays, and each raises the epoch.
    if header.peak_bytes.fetch_max(live, Ordering::Relaxed) < live {
        header.peak_tick.store(header.tick.load(Ordering::Relaxed), Ordering::Relaxed);
        header.peak_epoch.fetch_add(1, Ordering::Relaxed);
    }
}

/// Records that `block` of `size` bytes was allocated by the call that entered at `entry`. Returns its site, 0 if it was
/// missed.
///
/// # Safety
/// The calling thread is in the hook that was entered there, and owns the block.
#[inline(always)]
pub unsafe fn allocated(
    guard: &mut Guard,
    entry: Entry,
    kind: Kind,
    block: usize,
    size: usize,
) -> u32 {
    let (row, header) = (guard.row(), guard.header());
    add(&row.attempts, 1);
    let Some(place) = guard.record(block).or_else(|| PROCESS.make_record(block)) else {
        guard.miss(MissCause::Records);
        return 0;
    };
    let state = guard.state();
    // SAFETY: the caller's promise.
    let counter = match unsafe { state.walker.recall(&PROCESS, entry, salt(kind, state.task.id)) } {
        Some(counter) => counter,
        // SAFETY: the caller's promise.
        None => match unsafe { walked(guard, entry, kind) } {
            Some(counter) => counter,
            None => return 0,
        },
    };
    // ORDERING: relaxed; the record belongs to whoever owns the block, and handing a block on orders it.
    if place.load(Ordering::Relaxed) != 0 {
        free_late(guard, place, block);
    }
    // ORDERING: relaxed; this thread stored the site.
    let site = counter.site.load(Ordering::Relaxed);
    let record = Record::new(site, size as u64, birth(header));
    if record.size_is_elsewhere() && !store_size(block, size as u64) {
        guard.miss(MissCause::Records);
        return 0;
    }
    keep_peak(header, counter);
    add(&counter.allocations, 1);
    add(&counter.allocated_bytes, size as u64);
    counter.note_size(size as u64);
    place.fill(record.0 | guard.state().task.mark);
    change_live(header, row, size as i64);
    guard.state().last_block = block;
    add(&row.allocations, 1);
    add(&row.allocated_bytes, size as u64);
    if kind == Kind::Realloc {
        add(&row.reallocs, 1);
    }
    add(&row.successes, 1);
    site
}

/// The counters of the caller's stack, by a walk; `None` is counted as a miss.
///
/// # Safety
/// As for [`allocated`].
#[inline(never)]
pub(crate) unsafe fn walked(
    guard: &mut Guard,
    entry: Entry,
    kind: Kind,
) -> Option<&'static CounterCells> {
    let state = guard.state();
    let called = salt(kind, state.task.id);
    // SAFETY: the caller's promise.
    if let Some(counter) = unsafe { state.walker.recall_beyond(&PROCESS, entry, called) } {
        return Some(counter);
    }
    // SAFETY: the caller's promise.
    let taken = unsafe {
        state.walker.take(&mut state.arena, &PROCESS, entry, |home| state.sites.prefetch(home))
    };
    if taken.marks != 0 && !note_marks(guard, taken) {
        return None;
    }
    let state = guard.state();
    let task = state.task.id;
    let counter = match state.sites.find(Sites::key(taken, kind, task), state.walker.home()) {
        Some(counter) => counter,
        None => new_stack(guard, taken, kind)?,
    };
    guard.state().walker.remember(entry, salt(kind, task), counter);
    Some(counter)
}

/// What tells the counters of one stack apart.
#[inline(always)]
fn salt(kind: Kind, task: u32) -> u64 {
    u64::from(task) << 32 | kind as u64
}

/// Counts what is out of the ordinary about a stack. Whether there is a stack at all.
#[cold]
fn note_marks(guard: &mut Guard, taken: Taken) -> bool {
    let row = guard.row();
    if taken.has(Taken::FAILED) {
        guard.miss(MissCause::Sites);
        return false;
    }
    add(&row.truncated_stacks, taken.has(Taken::TRUNCATED).into());
    add(&row.foreign_stacks, taken.has(Taken::FOREIGN).into());
    add(&row.slow_walks, taken.has(Taken::SLOW).into());
    true
}

/// The counter row of a stack that the thread meets for the first time; `None` is counted as a miss.
#[cold]
#[inline(never)]
fn new_stack(guard: &mut Guard, taken: Taken, kind: Kind) -> Option<&'static CounterCells> {
    add(&guard.row().new_stacks, 1);
    let state = guard.state();
    let task = state.task.id;
    let made = state.sites.make(&mut state.arena, &PROCESS, &mut state.walker, taken, kind, task);
    state.walker.recent.make_room(&mut state.arena, state.sites.stacks());
    guard.look_at_name();
    made.map_err(|cause| guard.miss(cause)).ok()
}

/// Counts the free of the block that was here before, which was missed. (Or clears what is left of a large block's size.)
#[cold]
#[inline(never)]
fn free_late(guard: &mut Guard, place: &AtomicU64, block: usize) {
    // ORDERING: relaxed, as in `allocated`.
    let stale = Record(place.load(Ordering::Relaxed));
    // What is left of the size of a large block, whose free was missed too, is no record.
    // ORDERING: relaxed; the count only grows.
    let sites = guard.header().rows[Table::Sites as usize].load(Ordering::Relaxed);
    if !(1..=sites).contains(&stale.site()) {
        return;
    }
    if stale.is_marked() && site::is_odd(&PROCESS, stale.site()) {
        sampled::event::freeing(guard, block, true);
    } else {
        freed_at(guard, place, stale, block, false);
    }
}

/// The record after a block's own, which holds the size of a large one.
fn size_place(block: usize) -> Option<&'static AtomicU64> {
    let next = block + (1 << PROCESS.granule_shift());
    PROCESS.record(next).or_else(|| PROCESS.make_record(next))
}

/// Stores a large block's size; whether there was room.
#[cold]
pub(crate) fn store_size(block: usize, size: u64) -> bool {
    // ORDERING: relaxed; it belongs to the block's owner.
    size_place(block).map(|place| place.store(size, Ordering::Relaxed)).is_some()
}

/// Takes a large block's size out of the record after its own, and clears it.
#[cold]
pub(crate) fn take_size(block: usize) -> u64 {
    // ORDERING: relaxed, as above.
    size_place(block).map_or(0, |place| place.swap(0, Ordering::Relaxed))
}

/// A block whose free was recorded, and what is needed to take that back.
#[derive(Clone, Copy, Debug)]
pub struct Forgotten {
    /// Its record; empty if the block was unknown.
    record: Record,
    size: u64,
    /// Whether it was the block allocated last.
    was_last: bool,
}

impl Forgotten {
    /// The site of the block, if it has a label or a task.
    #[inline(always)]
    pub(crate) fn marked_site(self) -> Option<u32> {
        self.record.is_marked().then(|| self.record.site())
    }

    /// The site of the block, 0 if it was unknown, and its bytes.
    #[inline(always)]
    pub(crate) fn block(self) -> (u32, u64) {
        (self.record.site(), self.size)
    }

    const UNKNOWN: Self = Self { record: Record(0), size: 0, was_last: false };
}

/// Records that `block` is about to be freed. `moving`: by a realloc, whose block lives on elsewhere; that is not
/// counted as temporary. Returns what is needed to take it back.
#[inline(always)]
pub fn freeing(guard: &mut Guard, block: usize, moving: bool) -> Option<Forgotten> {
    let row = guard.row();
    add(&row.attempts, 1);
    let Some(place) = guard.record(block) else {
        unknown_free(row);
        return Some(Forgotten::UNKNOWN);
    };
    // ORDERING: relaxed; the record belongs to whoever owns the block.
    let record = Record(place.load(Ordering::Relaxed));
    if record.site() == 0 {
        return no_block(row, place);
    }
    let forgotten = freed_at(guard, place, record, block, moving);
    if forgotten.is_some() {
        add(&row.successes, 1);
    }
    forgotten
}

/// A free of a block that has no site: it is unknown, or was made while its thread was set aside, which is no event.
#[cold]
fn no_block(row: &ThreadCells, place: &AtomicU64) -> Option<Forgotten> {
    // ORDERING: relaxed, as in `freeing`.
    if place.load(Ordering::Relaxed) == side::MARK {
        place.store(0, Ordering::Relaxed);
        add(&row.attempts, 1u64.wrapping_neg());
        return None;
    }
    unknown_free(row);
    Some(Forgotten::UNKNOWN)
}

#[cold]
fn unknown_free(row: &ThreadCells) {
    add(&row.unknown_frees, 1);
    add(&row.successes, 1);
}

/// Counts the free of the block whose record is `record`, at `place`.
#[inline(always)]
fn freed_at(
    guard: &mut Guard,
    place: &AtomicU64,
    record: Record,
    block: usize,
    moving: bool,
) -> Option<Forgotten> {
    let (row, header) = (guard.row(), guard.header());
    let state = guard.state();
    let counter = match state.sites.find_site(record.site()) {
        Some(counter) => counter,
        None => match state.sites.make_site(&mut state.arena, &PROCESS, record.site()) {
            Ok(counter) => counter,
            Err(cause) => {
                guard.miss(cause);
                return None;
            }
        },
    };
    // ORDERING: relaxed, as in `freeing`.
    place.store(0, Ordering::Relaxed);
    let size = if record.size_is_elsewhere() { take_size(block) } else { record.size_field() };
    before_fall(header, row);
    if record.is_marked() && !task::freeing_plain(guard, record.site(), size) {
        marked_freeing(guard, record.site(), size);
    }
    keep_peak(header, counter);
    add(&counter.frees, 1);
    add(&counter.freed_bytes, size);
    let was_last = guard.state().last_block == block;
    if was_last {
        guard.state().last_block = 0;
        if !moving {
            add(&counter.temporary, 1);
            add(&row.temporary, 1);
        }
    }
    change_live(header, row, -(size as i64));
    add(&row.frees, 1);
    add(&row.freed_bytes, size);
    Some(Forgotten { record, size, was_last })
}

/// What a label and a task must know of a free.
#[cold]
#[inline(never)]
fn marked_freeing(guard: &mut Guard, site: u32, size: u64) {
    task::freeing(guard, site, size);
    name::freeing(site, size);
}

/// Takes back a free that did not happen: a realloc failed and its block is still there.
#[cold]
pub fn take_back(guard: &mut Guard, block: usize, forgotten: Forgotten) {
    let (row, header) = (guard.row(), guard.header());
    if forgotten.record.site() == 0 {
        add(&row.unknown_frees, 1u64.wrapping_neg());
        add(&row.attempts, 1u64.wrapping_neg());
        add(&row.successes, 1u64.wrapping_neg());
        return;
    }
    let (Some(place), Some(counter)) =
        (PROCESS.record(block), guard.state().sites.find_site(forgotten.record.site()))
    else {
        return;
    };
    if forgotten.record.size_is_elsewhere() {
        store_size(block, forgotten.size);
    }
    // ORDERING: relaxed; the block is still the caller's.
    place.store(forgotten.record.0, Ordering::Relaxed);
    keep_peak(header, counter);
    add(&counter.frees, 1u64.wrapping_neg());
    add(&counter.freed_bytes, forgotten.size.wrapping_neg());
    add(&row.frees, 1u64.wrapping_neg());
    add(&row.freed_bytes, forgotten.size.wrapping_neg());
    add(&row.attempts, 1u64.wrapping_neg());
    add(&row.successes, 1u64.wrapping_neg());
    change_live(header, row, forgotten.size as i64);
    if forgotten.record.is_marked() {
        task::taken_back(guard, forgotten.record.site(), forgotten.size);
        name::taken_back(forgotten.record.site(), forgotten.size);
    }
    if forgotten.was_last {
        guard.state().last_block = block;
    }
}

/// Counts an allocation that failed.
#[cold]
pub fn failed(guard: &mut Guard) {
    let row = guard.row();
    add(&row.attempts, 1);
    add(&row.failed, 1);
    add(&row.successes, 1);
}
