//! Names that the program gives to blocks it has.
//!
//! A name is part of the block's site: naming a block moves it, in the counters, from the site at which it was allocated to
//! one that is like it in all but the label. So a named block needs no memory of its own, everything that is known by site
//! is known by name, and a free finds the name where it finds the site. The record's bit for names only saves frees of
//! other blocks from looking. What bears a label is also counted in the label's row, and in that of the tracker that gave
//! it, so that the peak is known.
//!
//! Invariants: a block has at most one name, the last it was given; a block that moves in a realloc takes its name along; only
//! what was recorded exactly has one, so its numbers are no estimates, whatever mode the process began in.
//! Deliberately absent: names of what has no block.

use crate::event::{add, keep_peak};
use crate::own;
use crate::process::PROCESS;
use crate::sampled::filter::FILTER;
use crate::site;
use crate::thread::Guard;
use core::sync::atomic::{AtomicU64, Ordering};
use memscope_region::header::MODE_SAMPLED;
use memscope_region::record::Record;
use memscope_region::row::{COUNTS_PER_BLOCK, Fill, LabelCells};
use memscope_region::{Header, Table};

/// The largest block whose start is sought from an address within it.
const MAX_SOUGHT_BYTES: usize = 1 << 30;

/// What a label is made of.
#[derive(Clone, Copy, Debug)]
pub struct Name<'a> {
    /// The label of the tracker that gives it; 0: it is itself a tracker.
    pub tracker: u32,
    /// Name, type and file, each ended by a zero byte.
    pub text: &'a [u8],
    /// Line of the file.
    pub line: u32,
}

/// What became of naming a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Naming {
    /// It bears the name now.
    Named = 0,
    /// It bore it before.
    Already = 1,
    /// No block that is known begins there.
    Unknown = 2,
}

/// Makes a label: its id. `None` if nothing is recorded or there is no room.
pub fn make(name: &Name<'_>) -> Option<u32> {
    let writer = PROCESS.writer()?;
    let text_row = writer.claim_text(name.text)?;
    let row = writer.claim(Table::Labels, 1)?;
    let cells = writer.label(row)?;
    cells.tracker.fill(if name.tracker == 0 { row + 1 } else { name.tracker });
    cells.text_row.fill(text_row);
    cells.text_bytes.fill(name.text.len() as u32);
    cells.line.fill(name.line);
    cells.birth.fill(PROCESS.tick());
    // ORDERING: release, the marker.
    cells.state.store(1, Ordering::Release);
    Some(row + 1)
}

fn cells(label: u32) -> Option<&'static LabelCells> {
    PROCESS.writer()?.label(label.checked_sub(1)?)
}

/// The rows in which what bears a label is counted: its own and its tracker's.
fn rows(label: u32) -> impl Iterator<Item = &'static LabelCells> {
    let own = cells(label);
    // ORDERING: relaxed; constant since the label was made.
    let tracker = own.map_or(0, |own| own.tracker.load(Ordering::Relaxed));
    own.into_iter().chain(cells(tracker).filter(move |_| tracker != label))
}

// ORDERING: relaxed throughout; these are sums, and nothing is read on the strength of them.
fn count(label: u32, blocks: i64, bytes: i64) {
    for row in rows(label) {
        row.live_blocks.fetch_add(blocks as u64, Ordering::Relaxed);
        let before = row.live_bytes.fetch_add(bytes as u64, Ordering::Relaxed) as i64;
        let live_bytes = before.wrapping_add(bytes);
        if live_bytes > row.peak_bytes.load(Ordering::Relaxed) as i64 {
            row.peak_bytes.fetch_max(live_bytes as u64, Ordering::Relaxed);
        }
    }
}

/// The size of a block that stays.
fn size(record: Record, block: usize) -> u64 {
    if !record.size_is_elsewhere() {
        return record.size_field();
    }
    // ORDERING: relaxed; the block is the caller's.
    PROCESS
        .record(block + (1 << PROCESS.granule_shift()))
        .map_or(0, |place| place.load(Ordering::Relaxed))
}

/// Gives the block that begins at `block` a name.
///
/// The block stays while this runs: the caller has a reference to it.
pub fn give(label: u32, block: usize) -> Naming {
    // A record that there is not would become memory by being looked at.
    if own::is_region_sampled() && !FILTER.may_hold(block) {
        return Naming::Unknown;
    }
    let Some(mut guard) = Guard::take(|| {}) else { return Naming::Unknown };
    let Some(size) = relabel(&mut guard, label, block) else { return Naming::Unknown };
    let Ok(size) = size else { return Naming::Already };
    for row in rows(label) {
        // ORDERING: relaxed, sums.
        row.blocks.fetch_add(1, Ordering::Relaxed);
        row.bytes.fetch_add(size, Ordering::Relaxed);
    }
    Naming::Named
}

/// Moves a block to the site with this label: its size. `Err` if it is there already; `None` if it is not known.
fn relabel(guard: &mut Guard, label: u32, block: usize) -> Option<Result<u64, ()>> {
    let place = guard.record(block)?;
    // ORDERING: relaxed; the block is the caller's, who had it from its owner.
    let record = Record(place.load(Ordering::Relaxed));
    let header: &Header = guard.header();
    // ORDERING: relaxed; constant since the start.
    let is_region_sampled = header.mode.load(Ordering::Relaxed) == MODE_SAMPLED;
    // A name's numbers are those of its blocks. What is in a sample stands for others, and most blocks are in none.
    let is_odd = record.is_marked() && site::is_odd(&PROCESS, record.site());
    if record.site() == 0 || is_odd != is_region_sampled {
        return None;
    }
    let one = if is_region_sampled { COUNTS_PER_BLOCK } else { 1 };
    let old_label = label_if_named(record);
    if old_label == label {
        return Some(Err(()));
    }
    let state = guard.state();
    let labelled = site::labelled(&PROCESS, &state.sites.site_rows, record.site(), label)?;
    let from = state.sites.make_site(&mut state.arena, &PROCESS, record.site()).ok()?;
    let to = state.sites.make_site(&mut state.arena, &PROCESS, labelled).ok()?;
    // Two threads may name what they share at once; one of them does.
    // ORDERING: relaxed; the record says it all.
    let new = record.moved_to(labelled).0;
    if place.compare_exchange(record.0, new, Ordering::Relaxed, Ordering::Relaxed).is_err() {
        return Some(Err(()));
    }
    let size = size(record, block);
    to.note_size(size);
    // What is recorded exactly among samples has no variance, so the rows of variances stay as they are.
    for (row, blocks, bytes) in [(from, one.wrapping_neg(), size.wrapping_neg()), (to, one, size)] {
        keep_peak(header, row);
        add(&row.allocations, blocks);
        add(&row.allocated_bytes, bytes);
    }
    if old_label != 0 {
        count(old_label, -1, -(size as i64));
    }
    count(label, 1, size as i64);
    Some(Ok(size))
}

fn label_if_named(record: Record) -> u32 {
    if record.is_marked() { site::label_of(&PROCESS, record.site()) } else { 0 }
}

/// A block of this site is about to be freed.
pub(crate) fn freeing(site: u32, size: u64) {
    count(site::label_of(&PROCESS, site), -1, -(size as i64));
}

/// A free did not happen.
#[cold]
pub(crate) fn taken_back(site: u32, size: u64) {
    count(site::label_of(&PROCESS, site), 1, size as i64);
}

/// A block of this site has moved here: it takes its name along.
#[cold]
#[inline(never)]
pub(crate) fn follow(site: u32, block: usize) {
    let label = site::label_of(&PROCESS, site);
    if label != 0
        && let Some(mut guard) = Guard::take(|| {})
        && relabel(&mut guard, label, block).is_some()
    {
        for row in rows(label) {
            // ORDERING: relaxed, a sum.
            row.moves.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Notes how many handles there are to the block that was named last.
pub fn note_handles(label: u32, strong: u32, weak: u32) {
    if let Some(row) = cells(label) {
        row.strong.fill(strong);
        row.weak.fill(weak);
    }
}

/// What blocks of every allocator begin at a multiple of. A record stands for two of these, and does not say in which its
/// block begins.
const BLOCK_ALIGN: usize = 16;

/// A block that is sought by an address within it.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Sought {
    /// The address.
    pub address: usize,
    /// How far before it the block begins at most.
    pub back_bytes: usize,
    /// The least that it was asked for with.
    pub least_bytes: u64,
    /// The most.
    pub most_bytes: u64,
}

/// Where a block begins, rounded down to what a record stands for. Looks at a record for each granule on the way. `None`
/// if there is none that is known, or if it cannot be told from the one behind it, or from one that has no record.
pub fn start_of(sought: &Sought) -> Option<usize> {
    let Sought { address, back_bytes, least_bytes, most_bytes } = *sought;
    let shift = PROCESS.granule_shift();
    if !PROCESS.is_on() || back_bytes > MAX_SOUGHT_BYTES {
        return None;
    }
    let last = address >> shift;
    let first = address.saturating_sub(back_bytes) >> shift;
    let (are_all_recorded, is_sampled) = (own::are_all_recorded(), own::is_region_sampled());
    let mut found = (first..=last).rev().filter_map(|granule| block_of(granule, is_sampled));
    let (start, bytes) = found.next()?;
    let is_sought = |bytes: u64| (least_bytes..=most_bytes).contains(&bytes);
    // A block that begins in the address's own granule may begin behind the address.
    let is_before = start >> shift != last || address % (1 << shift) >= BLOCK_ALIGN;
    if is_before {
        // The address may lie in a block without a record, if there are such.
        let is_within = are_all_recorded || ((address - start) as u64) < bytes;
        return (is_sought(bytes) && is_within).then_some(start);
    }
    // So the one before is asked whether it reaches so far: surely, perhaps, or not.
    let other = found.next().filter(|(_, bytes)| is_sought(*bytes));
    let Some((other, other_bytes)) = other else {
        return (is_sought(bytes) && are_all_recorded).then_some(start);
    };
    let reach = (address - other) as u64;
    let may_reach = reach < other_bytes.saturating_add(BLOCK_ALIGN as u64);
    match (is_sought(bytes), reach < other_bytes) {
        (_, true) => Some(other),
        _ if !are_all_recorded => None,
        (false, false) => may_reach.then_some(other),
        (true, false) => (!may_reach).then_some(start),
    }
}

/// The block that begins in a granule: the granule's address, and its size. In a region of mode sampled a record is looked
/// at only if there can be one, as in [`give`].
fn block_of(granule: usize, is_region_sampled: bool) -> Option<(usize, u64)> {
    let load = |granule: usize| {
        let address = granule << PROCESS.granule_shift();
        let may_be = !is_region_sampled || FILTER.may_hold(address);
        let place: Option<&'static AtomicU64> = if may_be { PROCESS.record(address) } else { None };
        // ORDERING: relaxed; the block is the caller's.
        Record(place.map_or(0, |place| place.load(Ordering::Relaxed)))
    };
    let record = load(granule);
    // The word after the record of a large block is its size.
    let before = load(granule.wrapping_sub(1));
    if record.site() == 0 || before.site() != 0 && before.size_is_elsewhere() {
        return None;
    }
    let start = granule << PROCESS.granule_shift();
    Some((start, size(record, start)))
}

/// The sums of a label.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct LabelCounts {
    /// See [`memscope_region::LabelRow`], as are the others.
    pub live_blocks: u64,
    /// Bytes of the blocks that bear it.
    pub live_bytes: u64,
    /// The most that they were.
    pub peak_bytes: u64,
    /// Blocks that ever bore it.
    pub blocks: u64,
    /// Their bytes when they were named.
    pub bytes: u64,
    /// Moves by realloc.
    pub moves: u64,
}

/// The sums of a label, as they are now.
pub fn counts(label: u32) -> LabelCounts {
    let Some(row) = cells(label) else { return LabelCounts::default() };
    // ORDERING: relaxed; sums.
    let load = |cell: &AtomicU64| (cell.load(Ordering::Relaxed) as i64).max(0) as u64;
    LabelCounts {
        live_blocks: load(&row.live_blocks),
        live_bytes: load(&row.live_bytes),
        peak_bytes: load(&row.peak_bytes),
        blocks: load(&row.blocks),
        bytes: load(&row.bytes),
        moves: load(&row.moves),
    }
}
