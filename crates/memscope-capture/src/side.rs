//! Threads whose events are looked at before they are recorded: set aside, so that they are none of the program's, or
//! measured.
//!
//! Whoever reads a recording in the process that is recorded allocates, and must not change what it reads. So it is set
//! aside meanwhile: its allocations are not recorded, but marked where their records would be, so that their frees,
//! whenever and on whatever thread they come, are known to be no event either. A block of the program's that it frees is
//! recorded as ever.
//!
//! A thread that a reader starts is set aside from its first event on. It is known by its name, and only looked for while a
//! thread is set aside.
//!
//! Such a thread's word leads to the cold path, so nobody else pays for any of this.
//!
//! What a measured thread does is read off its row, and off what stands here beside it: the row of a process that changed
//! its mode has weights, or lacks the frees of blocks that were never recorded. The allocator is told every block's size, so
//! nothing of that is an estimate.
//!
//! Invariants: what is entered is left on the same thread, last entered first left; a measuring during which the mode was
//! changed, or which ends in a child of fork, says nothing.

use crate::arch;
use crate::event::{self, Forgotten};
use crate::own;
use crate::process::PROCESS;
use crate::thread::{Guard, SIDE, ThreadState};
use core::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering, fence};
pub(crate) use memscope_region::record::MARK;
use memscope_region::row::{Fill, ThreadCells};
use memscope_region::sys;

/// How the names of threads begin that readers start.
const READER: &[u8] = b"memscope-";

/// How many threads have set themselves aside.
static READERS: AtomicU32 = AtomicU32::new(0);

/// What is out of the ordinary about a thread. All of it is the thread's own.
#[derive(Debug)]
pub(crate) struct Side {
    /// How often it was set aside and has not come back.
    aside: AtomicU32,
    /// How many measurings are under way.
    measuring: AtomicU32,
    /// The most live bytes seen by the innermost measuring.
    high_bytes: AtomicI64,
    /// What a measured thread did beside what its row says of it: in a region of mode sampled everything, in another the
    /// frees of what was not recorded exactly. Each is changed by one instruction, which a signal cannot split.
    beside: Beside,
}

#[derive(Debug)]
struct Beside {
    allocations: AtomicU64,
    allocated_bytes: AtomicU64,
    frees: AtomicU64,
    freed_bytes: AtomicU64,
    reallocs: AtomicU64,
}

impl Side {
    pub(crate) const fn new() -> Self {
        Self {
            aside: AtomicU32::new(0),
            measuring: AtomicU32::new(0),
            high_bytes: AtomicI64::new(0),
            beside: Beside {
                allocations: AtomicU64::new(0),
                allocated_bytes: AtomicU64::new(0),
                frees: AtomicU64::new(0),
                freed_bytes: AtomicU64::new(0),
                reallocs: AtomicU64::new(0),
            },
        }
    }

    /// For the thread that takes the state over.
    pub(crate) fn reset(&self) {
        self.aside.fill(0);
        self.measuring.fill(0);
    }

    fn is_aside(&self) -> bool {
        // ORDERING: relaxed; the thread's own.
        self.aside.load(Ordering::Relaxed) != 0
    }
}

/// What a thread has done so far, by itself: allocations and frees, with their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct ThreadCounts {
    /// Allocations; a realloc is one.
    pub allocations: u64,
    /// Bytes requested by them.
    pub allocated_bytes: u64,
    /// Frees; the old half of a realloc is one.
    pub frees: u64,
    /// Bytes that they gave back.
    pub freed_bytes: u64,
    /// Reallocs among the allocations.
    pub reallocs: u64,
}

impl ThreadCounts {
    /// What the calling thread has done. In a process that changed its mode only the difference of two such means
    /// something, and only if the thread was measured in between.
    fn of(thread: &ThreadState) -> Self {
        let (row, beside): (&ThreadCells, _) = (thread.row(), &thread.side.beside);
        // The numbers of such a row are weights.
        let is_whole = !own::is_region_sampled();
        // ORDERING: relaxed; the thread reads its own counters.
        let sum = |row: &AtomicU64, beside: &AtomicU64| {
            let in_row = if is_whole { row.load(Ordering::Relaxed) } else { 0 };
            in_row.wrapping_add(beside.load(Ordering::Relaxed))
        };
        Self {
            allocations: sum(&row.allocations, &beside.allocations),
            allocated_bytes: sum(&row.allocated_bytes, &beside.allocated_bytes),
            frees: sum(&row.frees, &beside.frees),
            freed_bytes: sum(&row.freed_bytes, &beside.freed_bytes),
            reallocs: sum(&row.reallocs, &beside.reallocs),
        }
    }

    fn live_bytes(self) -> i64 {
        self.allocated_bytes.wrapping_sub(self.freed_bytes) as i64
    }
}

/// The state of the calling thread, which is looked at first.
pub(crate) fn thread() -> Option<&'static ThreadState> {
    if arch::thread_word() != SIDE {
        return None;
    }
    // SAFETY: the word is `SIDE` only while the second one leads to the thread's state, which lives for ever.
    unsafe { (arch::side_word() as *const ThreadState).as_ref() }
}

/// Whether the calling thread is set aside.
pub(crate) fn is_aside() -> bool {
    thread().is_some_and(|thread| thread.side.is_aside())
}

/// The state of a thread that is looked at first, if its event is to be recorded.
#[cold]
pub(crate) fn admitted() -> Option<&'static ThreadState> {
    let thread = thread().filter(|thread| !thread.side.is_aside())?;
    look_at_live(thread);
    Some(thread)
}

/// Notes the live bytes of a thread if they are the most so far. What it holds before each event is all that it ever held,
/// but for the last.
fn look_at_live(thread: &ThreadState) {
    // ORDERING: relaxed; the thread's own. Atomic, because a signal may come in between.
    thread.side.high_bytes.fetch_max(ThreadCounts::of(thread).live_bytes(), Ordering::Relaxed);
}

/// Counts, if the calling thread is measured, an allocation that its row does not have, or only as a weight.
#[cold]
#[inline(never)]
pub(crate) fn note_allocation(size: usize, is_realloc: bool) {
    let Some(thread) = thread().filter(|thread| !thread.side.is_aside()) else { return };
    look_at_live(thread);
    let beside = &thread.side.beside;
    // ORDERING: relaxed; the thread's own, see [`Side::beside`]; likewise below.
    beside.allocations.fetch_add(1, Ordering::Relaxed);
    beside.allocated_bytes.fetch_add(size as u64, Ordering::Relaxed);
    beside.reallocs.fetch_add(is_realloc.into(), Ordering::Relaxed);
}

/// The same of the free of a block of `size` bytes. Of one that nothing is known of a reader may be the owner, if it is a
/// reader that frees it (`is_known`: not so).
#[cold]
#[inline(never)]
pub(crate) fn note_free(size: usize, is_known: bool) {
    let Some(thread) = thread().filter(|thread| is_known || !thread.side.is_aside()) else {
        return;
    };
    look_at_live(thread);
    let beside = &thread.side.beside;
    // ORDERING: relaxed, as above.
    beside.frees.fetch_add(1, Ordering::Relaxed);
    beside.freed_bytes.fetch_add(size as u64, Ordering::Relaxed);
}

/// Takes back a [`note_free`].
#[cold]
pub(crate) fn note_not_freed(size: usize, is_known: bool) {
    let Some(thread) = thread().filter(|thread| is_known || !thread.side.is_aside()) else {
        return;
    };
    // ORDERING: relaxed, as above.
    thread.side.beside.frees.fetch_sub(1, Ordering::Relaxed);
    thread.side.beside.freed_bytes.fetch_sub(size as u64, Ordering::Relaxed);
}

/// An allocation that was not recorded: if its thread is set aside, it is marked.
#[cold]
#[inline(never)]
pub(crate) fn allocated(block: usize) {
    if block == 0 || !PROCESS.is_on() || !thread().is_some_and(|thread| thread.side.is_aside()) {
        return;
    }
    if let Some(place) = PROCESS.record(block).or_else(|| PROCESS.make_record(block)) {
        place.fill(MARK);
    }
}

/// A free that was not recorded. If its thread is set aside and the block is the program's, it is recorded after all.
#[cold]
#[inline(never)]
pub(crate) fn freeing(block: usize, moving: bool) -> Option<Forgotten> {
    thread().filter(|thread| thread.side.is_aside() && PROCESS.is_on())?;
    let place = PROCESS.record(block)?;
    // ORDERING: relaxed; the record belongs to whoever owns the block.
    match place.load(Ordering::Relaxed) {
        0 => None,
        MARK => {
            place.fill(0);
            None
        }
        _ => admit(|guard| event::freeing(guard, block, moving)),
    }
}

/// Records the free of a block of the program's by a thread that is set aside. `None` if the thread is not.
#[cold]
#[inline(never)]
pub(crate) fn admit<T>(free: impl FnOnce(&mut Guard) -> Option<T>) -> Option<T> {
    let thread = thread().filter(|thread| thread.side.is_aside() && PROCESS.is_on())?;
    // ORDERING: relaxed; the thread's own.
    let aside = thread.side.aside.swap(0, Ordering::Relaxed);
    let done = Guard::take(|| {}).and_then(|mut guard| free(&mut guard));
    thread.side.aside.fill(aside);
    done
}

/// The same for a free that nobody will take back.
#[cold]
#[inline(never)]
pub(crate) fn freed(block: usize) {
    freeing(block, false);
}

/// Sets the calling thread, whose state was just made, aside for good if a reader started it. Whether it did.
pub(crate) fn take_for_reader(thread: &'static ThreadState) -> bool {
    // ORDERING: relaxed; a reader's own thread begins after the count was raised, and that is ordered by its start.
    if READERS.load(Ordering::Relaxed) == 0 {
        return false;
    }
    let mut name = [0u8; 16];
    sys::thread_name(&mut name);
    if !name.starts_with(READER) {
        return false;
    }
    thread.side.aside.fill(1);
    watch(thread);
    true
}

fn watch(thread: &'static ThreadState) {
    arch::set_side_word(core::ptr::from_ref(thread) as usize);
    arch::set_thread_word(SIDE);
}

/// Makes the calling thread one that is looked at first. `None` if it has no state and can have none.
fn look(start: impl Fn()) -> Option<&'static ThreadState> {
    if let Some(thread) = thread() {
        return Some(thread);
    }
    let thread = Guard::take(start)?.thread();
    watch(thread);
    Some(thread)
}

/// Back to the fast path, if there is nothing left to look at.
fn look_away(thread: &'static ThreadState) {
    // ORDERING: relaxed; the thread's own.
    if !thread.side.is_aside() && thread.side.measuring.load(Ordering::Relaxed) == 0 {
        arch::set_thread_word(core::ptr::from_ref(thread) as usize);
    }
}

/// Sets the calling thread aside until [`leave`]; whether that could be done.
pub fn step(start: impl Fn()) -> bool {
    let Some(thread) = look(start) else { return false };
    // ORDERING: relaxed; see `take_for_reader`.
    READERS.fetch_add(1, Ordering::Relaxed);
    // ORDERING: relaxed; the thread's own.
    thread.side.aside.fill(thread.side.aside.load(Ordering::Relaxed) + 1);
    true
}

/// Takes back one [`step`] that could be done.
pub fn leave() {
    if let Some(thread) = thread() {
        // ORDERING: relaxed, as in `step`.
        READERS.fetch_sub(1, Ordering::Relaxed);
        // ORDERING: relaxed; the thread's own.
        thread.side.aside.fill(thread.side.aside.load(Ordering::Relaxed).saturating_sub(1));
        look_away(thread);
    }
}

/// A measuring under way: what the thread had done, and what an outer measuring had seen.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Measuring {
    before: ThreadCounts,
    outer_high_bytes: i64,
    /// Where the thread's state is.
    thread: usize,
    /// How often the mode had been changed.
    changes: u32,
}

/// Begins to measure the calling thread. `None`: the mode is not exact, or nothing is recorded here.
pub fn measure(start: impl Fn()) -> Option<Measuring> {
    // Whoever was about to change the mode has done so, or is noticed in the end.
    let changes = own::changes();
    drop(Guard::take(&start));
    if changes.is_none() || !own::may_measure() || !PROCESS.is_on() {
        return None;
    }
    own::look_at_sizes();
    let thread = look(start)?;
    let before = ThreadCounts::of(thread);
    // ORDERING: relaxed; the thread's own.
    let outer_high_bytes = thread.side.high_bytes.swap(before.live_bytes(), Ordering::Relaxed);
    thread.side.measuring.fill(thread.side.measuring.load(Ordering::Relaxed) + 1);
    let thread = core::ptr::from_ref(thread) as usize;
    Some(Measuring { before, outer_high_bytes, thread, changes: changes.unwrap_or_default() })
}

impl Measuring {
    /// Ends it: what the thread did meanwhile, and by how much its live bytes rose at most. Measurings of one thread end
    /// in the reverse order of their beginning.
    ///
    /// `None` if that is not known: the mode was changed meanwhile, or this is a child of fork that was made meanwhile.
    pub fn end(&self) -> Option<(ThreadCounts, u64)> {
        let thread = thread().filter(|thread| {
            PROCESS.is_on()
                && !thread.is_retired()
                && core::ptr::from_ref(*thread) as usize == self.thread
        })?;
        let after = ThreadCounts::of(thread);
        // ORDERING: relaxed; the thread's own.
        let high_bytes = thread.side.high_bytes.load(Ordering::Relaxed).max(after.live_bytes());
        thread.side.high_bytes.store(high_bytes.max(self.outer_high_bytes), Ordering::Relaxed);
        thread.side.measuring.fill(thread.side.measuring.load(Ordering::Relaxed).saturating_sub(1));
        look_away(thread);
        // ORDERING: acquire; if an event of this thread saw another mode, the change is seen here.
        fence(Ordering::Acquire);
        if own::changes() != Some(self.changes) {
            return None;
        }
        let before = self.before;
        let counts = ThreadCounts {
            allocations: after.allocations.wrapping_sub(before.allocations),
            allocated_bytes: after.allocated_bytes.wrapping_sub(before.allocated_bytes),
            frees: after.frees.wrapping_sub(before.frees),
            freed_bytes: after.freed_bytes.wrapping_sub(before.freed_bytes),
            reallocs: after.reallocs.wrapping_sub(before.reallocs),
        };
        Some((counts, (high_bytes - before.live_bytes()).max(0) as u64))
    }
}
