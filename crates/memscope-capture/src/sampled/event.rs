//! A sampled block enters and leaves: its weight in the rows, its record, the filter.
//!
//! A process that chooses its mode may go on in a region of another mode. Then a block's site says how it counts
//! ([`ODD`](memscope_region::row::ODD)): one in a sample as it does here, one outside a sample for itself. An odd block's
//! record bears the mark, so that whoever frees it looks at the site; so does that of a block with a task. A block that counts for
//! itself may have a name (see [`crate::name`]).
//!
//! The order is that of every event (see [`crate::event`]); the filter is entered before the block is the program's, and
//! left after its record was cleared. The process's live bytes and its peak are estimates, changed at once by whoever
//! has a sample: nothing is held back.

use super::filter::FILTER;
use super::gap::interval_bytes;
use super::weight::Weight;
use crate::arch::{self, Entry};
use crate::event::{add, before_fall, keep_peak, store_size, take_size, walked};
use crate::process::{PROCESS, birth};
use crate::thread::Guard;
use crate::{name, site, task};
use core::sync::atomic::{AtomicU64, Ordering};
use memscope_region::header::MODE_SAMPLED;
use memscope_region::record::{MARK, Record};
use memscope_region::row::{CounterCells, Fill, ThreadCells, VARIANCE};
use memscope_region::{Header, Kind, MissCause, Table};

/// Adds to a cell that holds the bits of a float and that only this thread writes.
fn add_float(cell: &AtomicU64, amount: f64) {
    // ORDERING: relaxed; one writer.
    let sum = f64::from_bits(cell.load(Ordering::Relaxed)) + amount;
    cell.store(sum.to_bits(), Ordering::Relaxed);
}

/// What [`keep_peak`] does, for a row of variances.
fn keep_peak_variance(header: &Header, row: &CounterCells) {
    // ORDERING: relaxed, as in `keep_peak`.
    let epoch = header.peak_epoch.load(Ordering::Relaxed);
    if row.epoch.load(Ordering::Relaxed) != epoch {
        // ORDERING: relaxed, the thread's own.
        let load = |cell: &AtomicU64| f64::from_bits(cell.load(Ordering::Relaxed));
        row.peak_blocks_and_largest.fill((load(&row.allocations) - load(&row.frees)).to_bits());
        row.peak_bytes.fill((load(&row.allocated_bytes) - load(&row.freed_bytes)).to_bits());
        row.epoch.fill(epoch);
    }
}

/// The row of a site's variances.
fn variances(guard: &mut Guard, site: u32) -> Option<&'static CounterCells> {
    let state = guard.state();
    let row = state.sites.make_site(&mut state.arena, &PROCESS, site | VARIANCE);
    row.map_err(|cause| guard.miss(cause)).ok()
}

/// For how much a block of a site stands.
fn weight(header: &Header, is_odd: bool, size: u64) -> Weight {
    if is_odd && is_sampled(header) {
        Weight::whole(size)
    } else {
        Weight::new(size, interval_bytes())
    }
}

/// Whether the region is of mode sampled.
fn is_sampled(header: &Header) -> bool {
    // ORDERING: relaxed; constant since the start.
    header.mode.load(Ordering::Relaxed) == MODE_SAMPLED
}

/// Adds a block, or with a `sign` of -1 takes it away again, to what its thread allocated or freed. In a region of
/// another mode that is counted for all threads together.
fn add_to_sums(header: &Header, row: &ThreadCells, is_free: bool, weight: &Weight, sign: i64) {
    let (count, bytes) =
        (weight.count.wrapping_mul(sign as u64), weight.bytes.wrapping_mul(sign as u64));
    if !is_sampled(header) {
        let at = if is_free { 2 } else { 0 };
        // ORDERING: relaxed; sums.
        header.sample[at].fetch_add(count, Ordering::Relaxed);
        header.sample[at + 1].fetch_add(bytes, Ordering::Relaxed);
        return;
    }
    let [allocations, allocated_bytes, frees, freed_bytes] = &row.by_mode;
    let (counts, variances) = if is_free {
        ([&row.frees, &row.freed_bytes], [frees, freed_bytes])
    } else {
        ([&row.allocations, &row.allocated_bytes], [allocations, allocated_bytes])
    };
    add(counts[0], count);
    add(counts[1], bytes);
    add_float(variances[0], weight.count_variance * sign as f64);
    add_float(variances[1], weight.bytes_variance * sign as f64);
}

/// Records that `block` of `size` bytes, which is in the sample, was allocated by the call that entered at `entry`.
/// `is_odd`: the region is of another mode, or the block counts for itself alone.
///
/// # Safety
/// The calling thread is in the hook that was entered there, and owns the block.
#[inline(never)]
pub unsafe fn allocated(
    guard: &mut Guard,
    entry: Entry,
    kind: Kind,
    block: usize,
    size: usize,
    is_odd: bool,
) {
    let (row, header) = (guard.row(), guard.header());
    add(&row.attempts, 1);
    let Some(place) = guard.record(block).or_else(|| PROCESS.make_record(block)) else {
        guard.miss(MissCause::Records);
        return;
    };
    // SAFETY: the caller's promise.
    let Some(counter) = (unsafe { walked(guard, entry, kind) }) else { return };
    let counter = if is_odd {
        let Some(counter) = odd_row(guard, counter) else { return };
        counter
    } else {
        counter
    };
    // ORDERING: relaxed; this thread stored the site.
    let site = counter.site.load(Ordering::Relaxed);
    let Some(errors) = variances(guard, site) else { return };
    free_late(guard, place, block);
    let record = Record::new(site, size as u64, birth(header));
    if record.size_is_elsewhere() && !store_size(block, size as u64) {
        guard.miss(MissCause::Records);
        return;
    }
    let weight = weight(header, is_odd, size as u64);
    keep_peak(header, counter);
    keep_peak_variance(header, errors);
    add(&counter.allocations, weight.count);
    add(&counter.allocated_bytes, weight.bytes);
    counter.note_size(size as u64);
    add_float(&errors.allocations, weight.count_variance);
    add_float(&errors.allocated_bytes, weight.bytes_variance);
    let state = guard.state();
    place.fill(record.0 | if is_odd { MARK } else { state.task.mark });
    if !is_sampled(header) {
        state.task.allocated_beside(weight.bytes);
    }
    FILTER.enter(block);
    // ORDERING: relaxed; a sum.
    header.live_bytes.fetch_add(weight.bytes, Ordering::Relaxed);
    guard.state().last_block = block;
    arch::set_sample_mark(arch::countdown());
    add_to_sums(header, row, false, &weight, 1);
    if kind == Kind::Realloc && is_sampled(header) {
        add(&row.reallocs, weight.count);
    }
    add(&row.successes, 1);
}

/// The row of the odd site that is like another. `None` is counted as a miss.
#[cold]
fn odd_row(guard: &mut Guard, like: &CounterCells) -> Option<&'static CounterCells> {
    let rows = &guard.state().sites.site_rows;
    // ORDERING: relaxed; this thread stored the site.
    let Some(site) = site::odd(&PROCESS, rows, like.site.load(Ordering::Relaxed)) else {
        guard.miss(MissCause::Sites);
        return None;
    };
    let state = guard.state();
    let row = state.sites.make_site(&mut state.arena, &PROCESS, site);
    row.map_err(|cause| guard.miss(cause)).ok()
}

/// Counts the free of the block that was here before, which was missed.
fn free_late(guard: &mut Guard, place: &AtomicU64, block: usize) {
    // ORDERING: relaxed, as in `allocated`.
    let stale = Record(place.load(Ordering::Relaxed));
    // What is left of the size of a large block is no record.
    // ORDERING: relaxed; the count only grows.
    let sites = guard.header().rows[Table::Sites as usize].load(Ordering::Relaxed);
    if (1..=sites).contains(&stale.site()) {
        freed_at(guard, place, stale, block, true);
    }
}

/// A sampled block whose free was recorded, and what is needed to take that back.
#[derive(Clone, Copy, Debug)]
pub struct Left {
    record: Record,
    size: u64,
    was_last: bool,
}

impl Left {
    /// The site of the block, if it has a label or a task, or is odd.
    pub(crate) fn marked_site(self) -> Option<u32> {
        self.record.is_marked().then(|| self.record.site())
    }
}

/// Records that `block` is about to be freed, if it is in the sample. `moving`: by a realloc. Returns what is needed to
/// take it back.
#[inline(never)]
pub fn freeing(guard: &mut Guard, block: usize, moving: bool) -> Option<Left> {
    let place = guard.record(block)?;
    // ORDERING: relaxed; the record belongs to whoever owns the block.
    let record = Record(place.load(Ordering::Relaxed));
    if record.site() == 0 {
        return None;
    }
    let row = guard.row();
    add(&row.attempts, 1);
    let left = freed_at(guard, place, record, block, moving)?;
    add(&row.successes, 1);
    Some(left)
}

/// Counts the free of the block whose record is `record`, at `place`.
fn freed_at(
    guard: &mut Guard,
    place: &AtomicU64,
    record: Record,
    block: usize,
    moving: bool,
) -> Option<Left> {
    let (row, header) = (guard.row(), guard.header());
    let state = guard.state();
    let counter = state.sites.make_site(&mut state.arena, &PROCESS, record.site());
    let counter = counter.map_err(|cause| guard.miss(cause)).ok()?;
    let errors = variances(guard, record.site())?;
    // ORDERING: relaxed, as in `freeing`.
    place.store(0, Ordering::Relaxed);
    FILTER.leave(block);
    let size = if record.size_is_elsewhere() { take_size(block) } else { record.size_field() };
    let is_odd = record.is_marked() && site::is_odd(&PROCESS, record.site());
    let weight = weight(header, is_odd, size);
    before_fall(header, row);
    if record.is_marked() {
        task::freeing(guard, record.site(), weight.bytes);
        name::freeing(record.site(), size);
    }
    keep_peak(header, counter);
    keep_peak_variance(header, errors);
    add(&counter.frees, weight.count);
    add(&counter.freed_bytes, weight.bytes);
    add_float(&errors.frees, weight.count_variance);
    add_float(&errors.freed_bytes, weight.bytes_variance);
    // Any allocation since would have changed the countdown.
    let was_last = guard.state().last_block == block && arch::countdown() == arch::sample_mark();
    if was_last {
        guard.state().last_block = 0;
        if !moving && is_sampled(header) {
            add(&counter.temporary, weight.count);
            add_float(&errors.temporary, weight.count_variance);
            add(&row.temporary, weight.count);
        }
    }
    // ORDERING: relaxed; a sum.
    header.live_bytes.fetch_sub(weight.bytes, Ordering::Relaxed);
    add_to_sums(header, row, true, &weight, 1);
    Some(Left { record, size, was_last })
}

/// Takes back a free that did not happen: a realloc failed and its block is still there.
#[cold]
pub fn take_back(guard: &mut Guard, block: usize, left: Left) {
    let (row, header) = (guard.row(), guard.header());
    let site = left.record.site();
    let (Some(place), Some(counter), Some(errors)) =
        (guard.record(block), guard.state().sites.find_site(site), variances(guard, site))
    else {
        return;
    };
    if left.record.size_is_elsewhere() {
        store_size(block, left.size);
    }
    FILTER.enter(block);
    // ORDERING: relaxed; the block is still the caller's.
    place.store(left.record.0, Ordering::Relaxed);
    let weight = weight(header, site::is_odd(&PROCESS, site), left.size);
    keep_peak(header, counter);
    keep_peak_variance(header, errors);
    add(&counter.frees, weight.count.wrapping_neg());
    add(&counter.freed_bytes, weight.bytes.wrapping_neg());
    add_float(&errors.frees, -weight.count_variance);
    add_float(&errors.freed_bytes, -weight.bytes_variance);
    add_to_sums(header, row, true, &weight, -1);
    add(&row.attempts, 1u64.wrapping_neg());
    add(&row.successes, 1u64.wrapping_neg());
    // ORDERING: relaxed; a sum.
    header.live_bytes.fetch_add(weight.bytes, Ordering::Relaxed);
    if left.record.is_marked() {
        task::taken_back(guard, site, weight.bytes);
        name::taken_back(site, left.size);
    }
    if left.was_last {
        guard.state().last_block = block;
    }
}
