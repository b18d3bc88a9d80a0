//! What belongs to one thread, and the guard that proves that its hook was not re-entered.
//!
//! A thread's state is found through one thread-local word. It is never freed: when a thread has died, the next
//! thread whose control block lies at the same address takes the state over (there is no destructor to run), and the
//! dead one's row is closed with its own totals.

use crate::arch;
use crate::arena::Arena;
use crate::frame::Bounds;
use crate::growth::Growths;
use crate::process::{PROCESS, Process, Shadow, THREADS};
use crate::side::{self, Side};
use crate::site::Sites;
use crate::stack::Walker;
use crate::task::Current;
use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, compiler_fence};
use memscope_region::header::MODE_COUNTING;
use memscope_region::row::{BY_MODE_FLUSHED, Fill, MissCause, ThreadCells};
use memscope_region::{Header, Table, sys};

/// A thread's state.
#[derive(Debug)]
pub struct ThreadState {
    /// Not 0 while a hook of this thread records; [`RETIRED`] if it is of a process that this one was forked from.
    busy: AtomicU32,
    /// The thread's row.
    row: AtomicPtr<ThreadCells>,
    /// The region's header and the shadow, here so that they lie beside what else an event needs.
    header: &'static Header,
    shadow: Shadow,
    /// The thread pointer of the thread that it belongs to.
    pointer: AtomicUsize,
    /// Not 0 while the thread forks.
    forking: AtomicU32,
    /// The next in [`THREADS`].
    pub next: AtomicPtr<ThreadState>,
    /// What is out of the ordinary about it.
    pub(crate) side: Side,
    state: UnsafeCell<State>,
}

// SAFETY: the state is reached through a guard only, which the owning thread alone can take.
unsafe impl Sync for ThreadState {}

/// What a hook works on while it holds the guard.
#[derive(Debug)]
pub struct State {
    /// Memory.
    pub arena: Arena,
    /// The last stack.
    pub walker: Walker,
    /// The ways to counter rows.
    pub sites: Sites,
    /// The block allocated last, for telling temporary ones; 0 if it is freed.
    pub last_block: usize,
    /// The task that is current.
    pub task: Current,
    /// How often the name was looked up.
    name_looks: u32,
    /// The ways to rows of growth.
    pub growths: Growths,
}

/// Proof that this thread's hook runs un-reentered. Given back when dropped.
#[derive(Debug)]
pub struct Guard {
    thread: &'static ThreadState,
}

/// The state belongs to a thread of a process that this one was forked from.
const RETIRED: u32 = 2;

/// The thread-local word of a thread that is being given a state.
const REGISTERING: usize = 1;

/// The thread-local word of a thread that could not be given a state.
const NOWHERE: usize = 2;

/// The thread-local word of a thread whose events are looked at first, see [`crate::side`]. The words above are
/// addresses of states.
pub(crate) const SIDE: usize = 3;

/// Looks at the thread's name so often, at new stacks: a thread names itself soon after it starts.
const NAME_LOOKS: u32 = 32;

impl Guard {
    /// Takes the guard of the calling thread. `None`: the event is not to be recorded, and is counted where it must be.
    #[inline(always)]
    pub fn take(start: impl Fn()) -> Option<Guard> {
        let word = arch::thread_word();
        if word <= SIDE || !PROCESS.is_on() {
            return Self::take_cold(start);
        }
        // SAFETY: above `SIDE` the word is what `register` gave, which lives for ever.
        Self::enter(unsafe { &*(word as *const ThreadState) })
    }

    /// The hook of the thread is being re-entered; or the state is of a thread of the process that this one was forked
    /// from, and nobody's any more.
    #[cold]
    #[inline(never)]
    fn take_busy(thread: &'static ThreadState) -> Option<Guard> {
        // ORDERING: relaxed, as in `enter`.
        if thread.busy.load(Ordering::Relaxed) == RETIRED {
            arch::set_thread_word(0);
            return Self::take_cold(|| {});
        }
        thread.note_reentered();
        None
    }

    /// Takes the guard of a thread's state, unless its hook is being re-entered.
    #[inline(always)]
    pub(crate) fn enter(thread: &'static ThreadState) -> Option<Guard> {
        // ORDERING: relaxed with compiler fences: the flag is for signal handlers on this very thread.
        if thread.busy.load(Ordering::Relaxed) != 0 {
            return Self::take_busy(thread);
        }
        thread.busy.store(1, Ordering::Relaxed);
        compiler_fence(Ordering::SeqCst);
        Some(Guard { thread })
    }

    #[cold]
    #[inline(never)]
    fn take_cold(start: impl Fn()) -> Option<Guard> {
        use crate::process::{BLANK, ON, STARTING, WAITING};
        if PROCESS.state() == BLANK {
            start();
        }
        match PROCESS.state() {
            ON => {}
            WAITING if PROCESS.end_waiting() => {}
            STARTING => {
                PROCESS.note_early_event();
                return None;
            }
            _ => return None,
        }
        match arch::thread_word() {
            NOWHERE => {
                PROCESS.note_unthreaded_miss(MissCause::Threads);
                return None;
            }
            SIDE => return Self::enter(side::admitted()?),
            // A signal handler that interrupted the registering: a second state for one thread would be one too many.
            REGISTERING => {
                PROCESS.note_unthreaded_miss(MissCause::Reentered);
                return None;
            }
            _ => arch::set_thread_word(REGISTERING),
        }
        match register(&PROCESS) {
            Ok(thread) => {
                arch::set_thread_word(core::ptr::from_ref(thread) as usize);
                if side::take_for_reader(thread) {
                    return None;
                }
                Self::enter(thread)
            }
            Err(cause) => {
                // Trying again at each event would cost more than it could bring.
                arch::set_thread_word(NOWHERE);
                PROCESS.note_unthreaded_miss(cause);
                None
            }
        }
    }

    /// The thread.
    pub(crate) fn thread(&self) -> &'static ThreadState {
        self.thread
    }

    /// The thread's row.
    #[inline(always)]
    pub fn row(&self) -> &'static ThreadCells {
        // SAFETY: set by `register` to a row that is mapped for ever.
        // ORDERING: relaxed; this thread stored it.
        unsafe { &*self.thread.row.load(Ordering::Relaxed) }
    }

    /// The record's place for an address, if its chunk is there.
    #[inline(always)]
    pub fn record(&self, address: usize) -> Option<&'static AtomicU64> {
        self.thread.shadow.record(address)
    }

    /// The region's header.
    #[inline(always)]
    pub fn header(&self) -> &'static Header {
        self.thread.header
    }

    /// The thread's state.
    #[inline(always)]
    pub fn state(&mut self) -> &mut State {
        // SAFETY: the guard is the only way here, there is one at a time (`busy`), and it is borrowed.
        unsafe { &mut *self.thread.state.get() }
    }

    /// Counts a miss.
    #[cold]
    pub fn miss(&self, cause: MissCause) {
        let misses = &self.row().misses[cause as usize];
        // ORDERING: relaxed; one writer (but for `Reentered`, which is not counted here).
        misses.store(misses.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// Takes the thread's name from the kernel, the first few times that it is asked to.
    #[cold]
    pub fn look_at_name(&mut self) {
        let row = self.row();
        let state = self.state();
        if state.name_looks < NAME_LOOKS {
            state.name_looks += 1;
            store_name(row);
        }
    }
}

impl Drop for Guard {
    #[inline(always)]
    fn drop(&mut self) {
        // ORDERING: relaxed with a compiler fence, as in `enter`.
        compiler_fence(Ordering::SeqCst);
        self.thread.busy.store(0, Ordering::Relaxed);
    }
}

impl ThreadState {
    /// The thread's row.
    pub(crate) fn row(&self) -> &'static ThreadCells {
        // SAFETY: as in `Guard::row`.
        // ORDERING: relaxed, as there.
        unsafe { &*self.row.load(Ordering::Relaxed) }
    }

    /// The calling thread's, if it has one.
    pub fn own() -> Option<&'static Self> {
        let word = arch::thread_word();
        if word == SIDE {
            return side::thread();
        }
        // SAFETY: above `SIDE` the word is what `register` gave, which lives for ever.
        (word > SIDE).then(|| unsafe { &*(word as *const Self) })
    }

    /// Whether the thread is in a fork. Its child has a copy of the answer.
    pub fn is_forking(&self) -> bool {
        // ORDERING: relaxed; for the thread itself and its copy.
        self.forking.load(Ordering::Relaxed) != 0
    }

    /// Says whether the thread is in a fork.
    pub fn set_forking(&self, is_forking: bool) {
        self.forking.fill(is_forking.into());
    }

    /// Whether it is of a thread of a process that this one was forked from.
    pub(crate) fn is_retired(&self) -> bool {
        // ORDERING: relaxed, as in `take_busy`.
        self.busy.load(Ordering::Relaxed) == RETIRED
    }

    /// In a child of fork: no event is to come here any more.
    pub fn retire(&self) {
        self.busy.fill(RETIRED);
    }

    /// Counts an event in a signal handler that interrupted a hook. It is an attempt as well; the reader adds it, for
    /// the counter of attempts may be half-way through its own update.
    #[cold]
    #[inline(never)]
    fn note_reentered(&self) {
        // SAFETY: as in `Guard::row`.
        // ORDERING: relaxed, this thread's own.
        let row = unsafe { &*self.row.load(Ordering::Relaxed) };
        // ORDERING: relaxed; one instruction, so a signal on this thread cannot split it.
        row.misses[MissCause::Reentered as usize].fetch_add(1, Ordering::Relaxed);
    }
}

/// Gives the calling thread a state and a row.
fn register(process: &Process) -> Result<&'static ThreadState, MissCause> {
    let writer = process.writer().ok_or(MissCause::NotReady)?;
    let shadow = process.shadow().ok_or(MissCause::NotReady)?;
    process.fold_early_events(writer.header());
    let pointer = arch::thread_pointer();
    // ORDERING: acquire, so that a state is seen as it was made.
    let mut next = THREADS.load(Ordering::Acquire);
    // SAFETY: states live for ever.
    while let Some(thread) = unsafe { next.as_ref() } {
        // ORDERING: relaxed; a thread whose control block is where ours is has ended.
        if thread.pointer.load(Ordering::Relaxed) == pointer {
            take_over(writer, thread);
            return Ok(thread);
        }
        next = thread.next.load(Ordering::Relaxed);
    }
    let row = writer
        .claim(Table::Threads, 1)
        .and_then(|row| writer.thread(row))
        .ok_or(MissCause::Threads)?;
    let mut arena = Arena::new();
    let make = |arena: &mut Arena| {
        let walker = Walker::new(arena, process, own_stack(pointer))?;
        let sites = Sites::new(arena)?;
        Some((walker, sites))
    };
    let place: *mut ThreadState =
        arena.take(size_of::<ThreadState>()).ok_or(MissCause::Threads)?.cast();
    let (walker, sites) = make(&mut arena).ok_or(MissCause::Threads)?;
    open_row(row, pointer);
    // SAFETY: fresh memory of the right size, aligned to a cache line.
    let thread = unsafe {
        place.write(ThreadState {
            busy: AtomicU32::new(0),
            row: AtomicPtr::new(core::ptr::from_ref(row).cast_mut()),
            header: writer.header(),
            shadow,
            pointer: AtomicUsize::new(pointer),
            forking: AtomicU32::new(0),
            next: AtomicPtr::new(core::ptr::null_mut()),
            side: Side::new(),
            state: UnsafeCell::new(State {
                arena,
                walker,
                sites,
                growths: Growths::new(),
                last_block: 0,
                task: Current::NONE,
                name_looks: 0,
            }),
        });
        &*place
    };
    // ORDERING: release publishes the state; a lost race only means to try again.
    let mut head = THREADS.load(Ordering::Relaxed);
    loop {
        thread.next.store(head, Ordering::Relaxed);
        match THREADS.compare_exchange_weak(head, place, Ordering::Release, Ordering::Relaxed) {
            Ok(_) => return Ok(thread),
            Err(now) => head = now,
        }
    }
}

/// Gives a dead thread's state to the calling thread, under a row of its own if there is one left.
fn take_over(writer: &memscope_region::writer::Writer, thread: &'static ThreadState) {
    // SAFETY: the row that the dead thread had.
    // ORDERING: relaxed; the caller is the only one to touch this state now.
    let old = unsafe { &*thread.row.load(Ordering::Relaxed) };
    if let Some(row) = writer.claim(Table::Threads, 1).and_then(|row| writer.thread(row)) {
        open_row(row, thread.pointer.load(Ordering::Relaxed));
        // What the dead thread had not yet added to the process's live bytes is added now.
        let rest = old.unflushed_bytes.swap(0, Ordering::Relaxed);
        writer.header().live_bytes.fetch_add(rest, Ordering::Relaxed);
        if writer.header().mode.load(Ordering::Relaxed) == MODE_COUNTING {
            old.by_mode[BY_MODE_FLUSHED].fetch_add(rest, Ordering::Relaxed);
        }
        old.state.fill(2);
        thread.row.fill(core::ptr::from_ref(row).cast_mut());
    }
    // SAFETY: the owner is dead and the caller takes its place; no guard is out.
    let state = unsafe { &mut *thread.state.get() };
    // ORDERING: relaxed, as above.
    state.walker.restart(own_stack(thread.pointer.load(Ordering::Relaxed)));
    state.last_block = 0;
    state.task = Current::NONE;
    state.name_looks = 0;
    thread.side.reset();
    thread.busy.fill(0);
}

fn open_row(row: &ThreadCells, pointer: usize) {
    row.tid.fill(sys::tid());
    row.thread_pointer.fill(pointer as u64);
    row.birth.fill(PROCESS.tick());
    store_name(row);
    // ORDERING: release, the marker.
    row.state.store(1, Ordering::Release);
}

fn store_name(row: &ThreadCells) {
    let mut name = [0u8; 16];
    sys::thread_name(&mut name);
    for (cell, word) in row.name.iter().zip(name.chunks_exact(8)) {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(word);
        // ORDERING: relaxed; a reader may see half of an old name, which harms nothing.
        cell.store(u64::from_ne_bytes(bytes), Ordering::Relaxed);
    }
}

unsafe extern "C" {
    /// Where the main thread's stack began, set by the loader.
    #[link_name = "__libc_stack_end"]
    static STACK_END: *const c_void;
}

/// The calling thread's own stack. The C library puts a thread's control block at the top of its stack, in the
/// same mapping; the main thread's stack ends where the loader says and may grow down to its limit.
fn own_stack(pointer: usize) -> Bounds {
    if sys::pid() == sys::tid() {
        // SAFETY: set before any code of ours runs.
        let high = unsafe { STACK_END } as usize;
        let limit = sys::stack_limit().min(1 << 36) as usize;
        let bounds = Bounds { low: high.saturating_sub(limit), high };
        let here = (&raw const limit) as usize;
        // A child of fork goes on where its parent's thread was, which need not have been the first.
        let is_elsewhere = !(bounds.low..bounds.high).contains(&here) && here < pointer;
        return match mapping_of(pointer).filter(|_| is_elsewhere) {
            Some(mapping) if mapping.low <= here => Bounds { low: mapping.low, high: pointer },
            _ => bounds,
        };
    }
    let low = mapping_of(pointer).map_or(0, |mapping| mapping.low);
    if low == 0 {
        // No /proc here: the usual size of a thread's stack, a little less.
        return Bounds { low: pointer.saturating_sub(2 << 20), high: pointer };
    }
    Bounds { low, high: pointer }
}

/// The mapping that covers an address, asked of the kernel. `None` if it cannot be told.
#[cold]
pub fn mapping_of(address: usize) -> Option<Bounds> {
    sys::mapping_of(address).map(|(low, high)| Bounds { low, high })
}
