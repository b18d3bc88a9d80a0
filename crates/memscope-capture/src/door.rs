//! What the library in a program asks of capture, as a table of functions.
//!
//! A program may carry the library and be run under `memscope run` as well; then there are two copies of this crate in
//! the process, and one of them records: that of the preloaded library, which everything goes through. It shows its table
//! under a name that the program's copy refers to weakly. So each block is recorded once, in one region, and names,
//! tasks and measurings are those of that recording.
//!
//! Invariant: a table of another version is not used, and then the program's copy leaves recording to the preloaded
//! library alone.
//! Deliberately absent: the way of an allocation where there is one copy only. That is called directly.

use crate::arch::{self, Entry};
use crate::name::{self, LabelCounts, Name, Naming, Sought};
use crate::process::PROCESS;
use crate::side::{self, Measuring, ThreadCounts};
use crate::{hooks, own, task};
use memscope_region::Kind;
use memscope_region::record::Record;

/// The version of the table; raised with any change to it.
const VERSION: u32 = 3;

/// No task was current, because nothing is recorded.
const NONE: u64 = u64::MAX;

/// The table. Its functions are those of the modules of the same names.
#[derive(Debug)]
#[repr(C)]
pub struct Door {
    version: u32,
    record: unsafe extern "C" fn(kind: u8, block: usize, size: usize, sp: usize, rbp: usize),
    forget: extern "C" fn(block: usize, moving: bool) -> u32,
    follow: extern "C" fn(site: u32, block: usize),
    knows: extern "C" fn(block: usize) -> bool,
    step: extern "C" fn() -> bool,
    leave: extern "C" fn(),
    tick: extern "C" fn(),
    label: unsafe extern "C" fn(tracker: u32, text: *const u8, bytes: usize, line: u32) -> u32,
    give: extern "C" fn(label: u32, block: usize) -> u32,
    start_of: extern "C" fn(sought: &Sought) -> usize,
    note_handles: extern "C" fn(label: u32, strong: u32, weak: u32),
    label_counts: extern "C" fn(label: u32, counts: &mut LabelCounts),
    task: unsafe extern "C" fn(parent: u32, kind: u32, name: *const u8, bytes: usize) -> u32,
    switch: extern "C" fn(task: u32) -> u64,
    current_task: extern "C" fn() -> u32,
    count_open: extern "C" fn(task: u32, by: i32),
    task_live_bytes: extern "C" fn(task: u32) -> i64,
    measure: extern "C" fn(measuring: &mut Measuring) -> bool,
    end_measure: extern "C" fn(&Measuring, counts: &mut ThreadCounts, peak: &mut u64) -> bool,
}

/// This copy's table. The preloaded library shows it as `memscope_door`.
pub static DOOR: Door = Door::here();

impl Door {
    /// The table of this copy.
    pub const fn here() -> Self {
        /// # Safety
        /// As [`hooks::record`].
        unsafe extern "C" fn record(kind: u8, block: usize, size: usize, sp: usize, rbp: usize) {
            let kind = Kind::from_u8(kind).unwrap_or(Kind::Malloc);
            // SAFETY: the caller's promise.
            unsafe {
                hooks::record(|| {}, Entry { sp, rbp }, kind, block as hooks::RawBlock, size);
            }
        }
        extern "C" fn forget(block: usize, moving: bool) -> u32 {
            let forgotten = hooks::forget_moving(|| {}, block as hooks::RawBlock, moving);
            forgotten.and_then(|forgotten| forgotten.marked_site()).unwrap_or_default()
        }
        extern "C" fn follow(site: u32, block: usize) {
            name::follow(site, block);
        }
        extern "C" fn knows(block: usize) -> bool {
            // ORDERING: relaxed; the block is the caller's.
            let load = |place: &core::sync::atomic::AtomicU64| {
                place.load(core::sync::atomic::Ordering::Relaxed)
            };
            PROCESS.record(block).is_some_and(|place| Record(load(place)).0 != 0)
        }
        extern "C" fn step() -> bool {
            own::look_at_records();
            side::step(|| {})
        }
        extern "C" fn leave() {
            side::leave();
        }
        extern "C" fn tick() {
            own::tick();
        }
        /// # Safety
        /// The text is `bytes` long.
        unsafe extern "C" fn label(tracker: u32, text: *const u8, bytes: usize, line: u32) -> u32 {
            // SAFETY: the caller's promise.
            let text = unsafe { core::slice::from_raw_parts(text, bytes) };
            name::make(&Name { tracker, text, line }).unwrap_or_default()
        }
        extern "C" fn give(label: u32, block: usize) -> u32 {
            name::give(label, block) as u32
        }
        extern "C" fn start_of(sought: &Sought) -> usize {
            name::start_of(sought).unwrap_or_default()
        }
        extern "C" fn note_handles(label: u32, strong: u32, weak: u32) {
            name::note_handles(label, strong, weak);
        }
        extern "C" fn label_counts(label: u32, counts: &mut LabelCounts) {
            *counts = name::counts(label);
        }
        /// # Safety
        /// The name is `bytes` long.
        unsafe extern "C" fn task(parent: u32, kind: u32, name: *const u8, bytes: usize) -> u32 {
            // SAFETY: the caller's promise.
            let name = unsafe { core::slice::from_raw_parts(name, bytes) };
            task::intern(parent, kind, name).unwrap_or_default()
        }
        extern "C" fn switch(task: u32) -> u64 {
            task::switch(task).map_or(NONE, u64::from)
        }
        extern "C" fn current_task() -> u32 {
            task::current()
        }
        extern "C" fn count_open(task: u32, by: i32) {
            task::count_open(task, by);
        }
        extern "C" fn task_live_bytes(task: u32) -> i64 {
            task::live_bytes(task)
        }
        extern "C" fn measure(measuring: &mut Measuring) -> bool {
            side::measure(|| {}).map(|begun| *measuring = begun).is_some()
        }
        extern "C" fn end_measure(
            measuring: &Measuring,
            counts: &mut ThreadCounts,
            peak_bytes: &mut u64,
        ) -> bool {
            measuring.end().map(|done| (*counts, *peak_bytes) = done).is_some()
        }
        Self {
            version: VERSION,
            record,
            forget,
            follow,
            knows,
            step,
            leave,
            tick,
            label,
            give,
            start_of,
            note_handles,
            label_counts,
            task,
            switch,
            current_task,
            count_open,
            task_live_bytes,
            measure,
            end_measure,
        }
    }

    /// Records a block that another allocator than the C library returned.
    ///
    /// # Safety
    /// The calling thread is in the function that was entered at `entry`, and owns the block.
    pub(crate) unsafe fn record(&self, entry: Entry, kind: Kind, block: usize, size: usize) {
        // SAFETY: the caller's promise.
        unsafe { (self.record)(kind as u8, block, size, entry.sp, entry.rbp) };
    }

    /// Records that a block is about to be freed or (`moving`) moved; the site whose label a moved one takes along, or 0.
    pub(crate) fn forget(&self, block: usize, moving: bool) -> u32 {
        (self.forget)(block, moving)
    }

    /// See [`Door::forget`].
    pub(crate) fn follow(&self, site: u32, block: usize) {
        (self.follow)(site, block);
    }

    /// Whether a block that begins there is recorded.
    pub(crate) fn knows(&self, block: usize) -> bool {
        (self.knows)(block)
    }

    /// See [`side::step`].
    pub fn step(&self) -> bool {
        (self.step)()
    }

    /// See [`side::leave`].
    pub fn leave(&self) {
        (self.leave)();
    }

    /// See [`own::tick`].
    pub fn tick(&self) {
        (self.tick)();
    }

    /// See [`name::make`]; 0 for none.
    pub fn label(&self, tracker: u32, text: &str, line: u32) -> u32 {
        // SAFETY: the text's own length.
        unsafe { (self.label)(tracker, text.as_ptr(), text.len(), line) }
    }

    /// See [`name::give`].
    #[inline]
    pub fn give(&self, label: u32, block: usize) -> Naming {
        match (self.give)(label, block) {
            0 => Naming::Named,
            1 => Naming::Already,
            _ => Naming::Unknown,
        }
    }

    /// See [`name::start_of`].
    pub fn start_of(&self, sought: &Sought) -> Option<usize> {
        Some((self.start_of)(sought)).filter(|start| *start != 0)
    }

    /// See [`name::note_handles`].
    pub fn note_handles(&self, label: u32, strong: u32, weak: u32) {
        (self.note_handles)(label, strong, weak);
    }

    /// See [`name::counts`].
    pub fn label_counts(&self, label: u32) -> LabelCounts {
        let mut counts = LabelCounts::default();
        (self.label_counts)(label, &mut counts);
        counts
    }

    /// See [`task::intern`]; 0 for none.
    pub fn task(&self, parent: u32, kind: u32, name: &str) -> u32 {
        // SAFETY: the name's own length.
        unsafe { (self.task)(parent, kind, name.as_ptr(), name.len()) }
    }

    /// See [`task::switch`].
    #[inline]
    pub fn switch(&self, task: u32) -> Option<u32> {
        u32::try_from((self.switch)(task)).ok()
    }

    /// See [`task::current`].
    pub fn current_task(&self) -> u32 {
        (self.current_task)()
    }

    /// See [`task::count_open`].
    pub fn count_open(&self, task: u32, by: i32) {
        (self.count_open)(task, by);
    }

    /// See [`task::live_bytes`].
    pub fn task_live_bytes(&self, task: u32) -> i64 {
        (self.task_live_bytes)(task)
    }

    /// See [`side::measure`].
    pub fn measure(&self) -> Option<Measuring> {
        let mut measuring = Measuring::default();
        (self.measure)(&mut measuring).then_some(measuring)
    }

    /// See [`Measuring::end`].
    pub fn end_measure(&self, measuring: &Measuring) -> Option<(ThreadCounts, u64)> {
        let (mut counts, mut peak_bytes) = (ThreadCounts::default(), 0);
        (self.end_measure)(measuring, &mut counts, &mut peak_bytes).then_some((counts, peak_bytes))
    }
}

/// Whether a preloaded library records this process.
#[inline(always)]
pub fn is_preloaded() -> bool {
    arch::preloaded_door() != 0
}

/// The table of the preloaded library. `None` if there is none, or it is of another version.
#[inline(always)]
pub fn preloaded() -> Option<&'static Door> {
    // SAFETY: the symbol is the table's, which lives as long as the process; whatever its version, it begins with it.
    let door = unsafe { (arch::preloaded_door() as *const Door).as_ref() };
    door.filter(|door| door.version == VERSION)
}

/// The table of whoever records this process.
#[inline]
pub fn door() -> &'static Door {
    preloaded().unwrap_or(&DOOR)
}
