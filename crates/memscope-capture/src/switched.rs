//! The events of a process that records itself and has changed its mode at least once.
//!
//! Invariants:
//! - A block that was recorded is found when it is freed, in whatever mode: its record is looked at first, and it is freed in
//!   the way in which it was allocated. Only what has no record is treated by the mode of the moment.
//! - What is allocated goes by the mode alone. So a block that is moved by a realloc while nothing is recorded is a
//!   block that was freed.
//! - A block without a record that is freed: while counting it is counted, so where some were allocated while nothing was
//!   counted, live bytes come out too low; while recording it is unknown, but for one that must have been counted, because
//!   nothing else was ever done.
//!
//! A free looks at the shadow first, in every mode. That is all that a change costs: what has no record, and in mode exact
//! what has an ordinary one, goes the way that it would go in a process that began in the mode.

use crate::arch::{self, Entry};
use crate::event::{self, Forgotten};
use crate::hooks::{self, Host, RawBlock};
use crate::own::{self, COUNTING, EXACT, SAMPLED};
use crate::process::{PROCESS, STARTING};
use crate::side::{self, MARK};
use crate::thread::{Guard, SIDE};
use crate::{counted, sampled, site};
use core::sync::atomic::Ordering;
use memscope_region::Kind;
use memscope_region::record::Record;

/// What became of a block that is about to be freed.
#[derive(Debug)]
pub(crate) enum Gone {
    /// Nothing: it has no record, and none is missed.
    Nothing,
    /// It was none of the program's.
    Aside,
    /// It was only counted.
    Counted,
    /// It was recorded exactly, or is counted among the frees of unknown blocks.
    Exactly(Option<Forgotten>),
    /// It was in a sample.
    Sampled(Option<sampled::event::Left>),
}

/// Records a block that an allocator returned, as the mode has it.
///
/// # Safety
/// The calling thread is in the stub that was entered at `entry`, and owns the block.
#[cold]
#[inline(never)]
pub(crate) unsafe fn allocated<H: Host>(entry: Entry, kind: Kind, block: RawBlock, size: usize) {
    if PROCESS.state() == STARTING {
        PROCESS.note_early_event();
        return;
    }
    let is_region_sampled = own::is_region_sampled();
    match own::now() {
        EXACT if !is_region_sampled => {
            // SAFETY: passed on; likewise below.
            unsafe { hooks::record(H::start, entry, kind, block, size) };
        }
        EXACT => {
            if !block.is_null() {
                side::note_allocation(size, kind == Kind::Realloc);
            }
            // SAFETY: as above.
            unsafe { record_odd(entry, kind, block, size) }
        }
        SAMPLED if sampled::hooks::is_sampled(size) => {
            // SAFETY: as above.
            unsafe { record_sampled::<H>(entry, kind, block, size) };
        }
        COUNTING if block.is_null() => {
            if let Some(mut guard) = Guard::take(H::start) {
                event::failed(&mut guard);
            }
        }
        COUNTING if !side::is_aside() => {
            if is_region_sampled {
                counted::allocated_among_samples(size);
            } else {
                counted::allocated(|| {}, size);
            }
        }
        // What a reader allocates is marked, whatever is recorded, for the day that it is freed.
        _ => side::allocated(block as usize),
    }
}

/// Records a block that is in the sample, in whatever region.
///
/// # Safety
/// See [`allocated`].
pub(crate) unsafe fn record_sampled<H: Host>(
    entry: Entry,
    kind: Kind,
    block: RawBlock,
    size: usize,
) {
    // SAFETY: passed on.
    unsafe {
        if own::is_region_sampled() {
            sampled::hooks::record::<H>(entry, kind, block, size);
        } else {
            record_odd(entry, kind, block, size);
        }
    }
}

/// Records a block that counts in another way than the region's mode has it.
///
/// # Safety
/// See [`allocated`].
unsafe fn record_odd(entry: Entry, kind: Kind, block: RawBlock, size: usize) {
    let Some(mut guard) = Guard::take(|| {}) else {
        side::allocated(block as usize);
        return;
    };
    if block.is_null() {
        event::failed(&mut guard);
        return;
    }
    // SAFETY: the caller's promise.
    unsafe { sampled::event::allocated(&mut guard, entry, kind, block as usize, size, true) };
}

/// Whether a block has a record.
#[inline(always)]
pub(crate) fn has_record(block: usize) -> bool {
    record_of(block).0 != 0
}

/// Whether a block has a record of mode exact, with neither a label nor a task.
#[inline(always)]
pub(crate) fn is_exact(block: usize) -> bool {
    let record = record_of(block);
    record.site() != 0 && !record.is_marked()
}

#[inline(always)]
fn record_of(block: usize) -> Record {
    // ORDERING: relaxed; the record belongs to whoever owns the block.
    Record(PROCESS.record(block).map_or(0, |place| place.load(Ordering::Relaxed)))
}

/// Whether the block is freed as one of a sample: all are in a region of mode sampled, and odd ones in another.
fn is_in_sample(record: Record) -> bool {
    record.site() != 0
        && (own::is_region_sampled() || record.is_marked() && site::is_odd(&PROCESS, record.site()))
}

impl Gone {
    /// Whether it is a free of the program's that the thread's row does not have as what it is: a block and its bytes.
    fn is_beside_row(&self) -> bool {
        match self {
            Self::Aside => false,
            Self::Exactly(Some(forgotten)) => forgotten.block().0 == 0,
            _ => true,
        }
    }

    /// Whether the block had a record.
    fn is_of_known(&self) -> bool {
        matches!(self, Self::Sampled(_))
    }
}

/// Records that a block of `size` bytes is about to be freed, or moved by a realloc.
#[cold]
#[inline(never)]
pub(crate) fn freeing(block: RawBlock, size: usize, moving: bool) -> Gone {
    let record = record_of(block as usize);
    let gone = if record.0 == 0 {
        freeing_unrecorded(block, size, moving)
    } else if is_in_sample(record) {
        Gone::Sampled(sampled::hooks::forget_known(|| {}, block, moving))
    } else if record.0 == MARK {
        put_mark(block, 0);
        Gone::Aside
    } else {
        Gone::Exactly(hooks::forget_moving(|| {}, block, moving))
    };
    if arch::thread_word() == SIDE && gone.is_beside_row() {
        side::note_free(size, gone.is_of_known());
    }
    gone
}

/// Stores the mark of what a reader allocated, or takes it away.
fn put_mark(block: RawBlock, mark: u64) {
    if let Some(place) = PROCESS.record(block as usize) {
        // ORDERING: relaxed, as in `record_of`.
        place.store(mark, Ordering::Relaxed);
    }
}

/// The same of a block without a record.
fn freeing_unrecorded(block: RawBlock, size: usize, moving: bool) -> Gone {
    if PROCESS.state() == STARTING {
        PROCESS.note_early_event();
    }
    let is_counted = match own::now() {
        COUNTING => true,
        EXACT => own::was_always_counted(),
        _ => return Gone::Nothing,
    };
    match (is_counted, own::is_region_sampled()) {
        (true, true) => counted::freed_among_samples(size),
        (true, false) => counted::freed(|| {}, size),
        (false, true) => return Gone::Nothing,
        (false, false) => return Gone::Exactly(hooks::forget_moving(|| {}, block, moving)),
    }
    Gone::Counted
}

/// Takes back what [`freeing`] did: a realloc failed, and the block is still there.
#[cold]
pub(crate) fn not_moved(block: RawBlock, size: usize, gone: Gone) {
    if gone.is_beside_row() {
        side::note_not_freed(size, gone.is_of_known());
    }
    match gone {
        Gone::Exactly(forgotten) => {
            if let (Some(forgotten), Some(mut guard)) = (forgotten, Guard::take(|| {})) {
                event::take_back(&mut guard, block as usize, forgotten);
            }
        }
        Gone::Sampled(Some(left)) => {
            if let Some(mut guard) = Guard::take(|| {}) {
                sampled::event::take_back(&mut guard, block as usize, left);
            }
        }
        Gone::Counted => counted::not_freed(size),
        Gone::Aside => put_mark(block, MARK),
        Gone::Sampled(None) | Gone::Nothing => {}
    }
}
