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
//! Invariant: what is entered is left on the same thread, last entered first left.

use crate::arch;
use crate::event::{self, Forgotten};
use crate::own;
use crate::process::PROCESS;
use crate::thread::{Guard, SIDE, ThreadState};
use core::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use memscope_region::header::MODE_EXACT;
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
}

impl Side {
    pub(crate) const fn new() -> Self {
        Self {
            aside: AtomicU32::new(0),
            measuring: AtomicU32::new(0),
            high_bytes: AtomicI64::new(0),
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
    fn of(row: &ThreadCells) -> Self {
        // ORDERING: relaxed; the thread reads its own counters.
        let load = |cell: &core::sync::atomic::AtomicU64| cell.load(Ordering::Relaxed);
        Self {
            allocations: load(&row.allocations),
            allocated_bytes: load(&row.allocated_bytes),
            frees: load(&row.frees),
            freed_bytes: load(&row.freed_bytes),
            reallocs: load(&row.reallocs),
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
    // ORDERING: relaxed; the thread's own. What it holds before each event is all that it ever held, but for the last.
    let live_bytes = ThreadCounts::of(thread.row()).live_bytes();
    if live_bytes > thread.side.high_bytes.load(Ordering::Relaxed) {
        thread.side.high_bytes.store(live_bytes, Ordering::Relaxed);
    }
    Some(thread)
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
    let thread = thread().filter(|thread| thread.side.is_aside() && PROCESS.is_on())?;
    let place = PROCESS.record(block)?;
    // ORDERING: relaxed; the record belongs to whoever owns the block.
    match place.load(Ordering::Relaxed) {
        0 => None,
        MARK => {
            place.fill(0);
            None
        }
        _ => {
            let aside = thread.side.aside.swap(0, Ordering::Relaxed);
            let forgotten =
                Guard::take(|| {}).and_then(|mut guard| event::freeing(&mut guard, block, moving));
            thread.side.aside.fill(aside);
            forgotten
        }
    }
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
}

/// Begins to measure the calling thread. `None`: nothing is recorded here.
pub fn measure(start: impl Fn()) -> Option<Measuring> {
    // ORDERING: relaxed; constant since the start.
    let mode = |guard: Guard| guard.header().mode.load(Ordering::Relaxed);
    if Guard::take(&start).is_some_and(|guard| mode(guard) != MODE_EXACT) || !own::may_measure() {
        return None;
    }
    let thread = look(start)?;
    let before = ThreadCounts::of(thread.row());
    // ORDERING: relaxed; the thread's own.
    let outer_high_bytes = thread.side.high_bytes.swap(before.live_bytes(), Ordering::Relaxed);
    thread.side.measuring.fill(thread.side.measuring.load(Ordering::Relaxed) + 1);
    Some(Measuring { before, outer_high_bytes })
}

impl Measuring {
    /// Ends it: what the thread did meanwhile, and by how much its live bytes rose at most. Measurings of one thread end
    /// in the reverse order of their beginning.
    pub fn end(&self) -> (ThreadCounts, u64) {
        let Some(thread) = thread() else { return (ThreadCounts::default(), 0) };
        let after = ThreadCounts::of(thread.row());
        // ORDERING: relaxed; the thread's own.
        let high_bytes = thread.side.high_bytes.load(Ordering::Relaxed).max(after.live_bytes());
        thread.side.high_bytes.store(high_bytes.max(self.outer_high_bytes), Ordering::Relaxed);
        thread.side.measuring.fill(thread.side.measuring.load(Ordering::Relaxed).saturating_sub(1));
        look_away(thread);
        let before = self.before;
        let counts = ThreadCounts {
            allocations: after.allocations.wrapping_sub(before.allocations),
            allocated_bytes: after.allocated_bytes.wrapping_sub(before.allocated_bytes),
            frees: after.frees.wrapping_sub(before.frees),
            freed_bytes: after.freed_bytes.wrapping_sub(before.freed_bytes),
            reallocs: after.reallocs.wrapping_sub(before.reallocs),
        };
        (counts, (high_bytes - before.live_bytes()).max(0) as u64)
    }
}
