//! What this process records of itself, for the rest of the crate: whether it does, its region, and a thread that is set
//! aside while it reads.
//!
//! Invariant: with feature `off`, and without an installed allocator, everything here says "not recording", and nothing
//! else in the crate needs to know why.
//! Deliberately absent: the allocator (see [`crate::Memscope`]).

use crate::allocator;
use memscope_profile::Region;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;

/// Sets the calling thread aside while it lives: what the thread allocates meanwhile is none of the program's.
pub(crate) struct Aside {
    stepped: bool,
    /// Left on the thread that entered.
    _thread: std::marker::PhantomData<*const ()>,
}

impl Aside {
    pub(crate) fn new() -> Self {
        Self { stepped: step(), _thread: std::marker::PhantomData }
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        if self.stepped {
            leave();
        }
    }
}

/// The region as it is now, with the clock set; `None` if nothing is recorded here.
pub(crate) fn region() -> Option<Region> {
    let file = allocator::region().or_else(supervised)?;
    tick();
    Region::open(file).ok()
}

/// How many generations up a supervisor is looked for.
const MAX_GENERATIONS: usize = 8;

/// The region that `memscope run` holds for this process: an ancestor has it open. `None` if that cannot be read.
fn supervised() -> Option<File> {
    if !is_supervised() {
        return None;
    }
    let own = std::process::id();
    let mut ancestor = std::os::unix::process::parent_id();
    for _ in 0..MAX_GENERATIONS {
        for entry in fs::read_dir(format!("/proc/{ancestor}/fd")).into_iter().flatten().flatten() {
            let path = entry.path();
            let is_region = fs::read_link(&path)
                .is_ok_and(|target| target.as_os_str().as_bytes().starts_with(b"/memfd:memscope"));
            if is_region
                && let Ok(file) = File::open(&path)
                && let Ok(copy) = file.try_clone()
                && Region::open(copy).and_then(|region| region.pid()).ok() == Some(own)
            {
                return Some(file);
            }
        }
        // The fourth field, after a name in parentheses that may hold anything.
        let stat = fs::read_to_string(format!("/proc/{ancestor}/stat")).ok()?;
        ancestor = stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()?;
    }
    None
}

#[cfg(not(feature = "off"))]
mod capture {
    //! What is asked of whoever records this process: this program's own capture, or a preloaded library's.

    use crate::mode::RecordingMode;
    use memscope_capture::door::door;
    use memscope_capture::keeper;
    use memscope_capture::name::{LabelCounts, Naming, Sought};
    use memscope_capture::own::{self, Refused};
    use memscope_capture::side::ThreadCounts;
    use std::ffi::CStr;
    use std::io;
    use std::ops::RangeInclusive;

    /// A measuring under way.
    #[derive(Debug)]
    pub(crate) struct Measuring(memscope_capture::side::Measuring);

    impl Measuring {
        /// `None`: it is not known.
        pub(crate) fn end(self) -> Option<(ThreadCounts, u64)> {
            door().end_measure(&self.0)
        }
    }

    pub(crate) fn is_supervised() -> bool {
        memscope_capture::door::preloaded().is_some()
    }

    pub(crate) fn step() -> bool {
        door().step()
    }

    pub(crate) fn leave() {
        door().leave();
    }

    pub(crate) fn tick() {
        door().tick();
    }

    /// The id of a new label, 0 if there is none. A tracker of 0: it is itself one.
    pub(crate) fn label(tracker: u32, text: &str, line: u32) -> u32 {
        door().label(tracker, text, line)
    }

    /// Names the block that begins at an address; whether it had not borne the name before. `None`: it is not known.
    #[inline]
    pub(crate) fn give(label: u32, block: usize) -> Option<bool> {
        match door().give(label, block) {
            Naming::Named => Some(true),
            Naming::Already => Some(false),
            Naming::Unknown => None,
        }
    }

    pub(crate) fn start_of(
        address: usize,
        back_bytes: usize,
        bytes: RangeInclusive<usize>,
    ) -> Option<usize> {
        let (least_bytes, most_bytes) = (*bytes.start() as u64, *bytes.end() as u64);
        door().start_of(&Sought { address, back_bytes, least_bytes, most_bytes })
    }

    pub(crate) fn note_handles(label: u32, strong: u32, weak: u32) {
        door().note_handles(label, strong, weak);
    }

    pub(crate) fn label_counts(label: u32) -> LabelCounts {
        door().label_counts(label)
    }

    /// The id of a task of this kind and name under a parent, 0 if there is none.
    pub(crate) fn task(parent: u32, kind: u32, name: &str) -> u32 {
        door().task(parent, kind, name)
    }

    #[inline]
    pub(crate) fn switch(task: u32) -> Option<u32> {
        door().switch(task)
    }

    #[inline]
    pub(crate) fn current_task() -> u32 {
        door().current_task()
    }

    pub(crate) fn count_open(task: u32, by: i32) {
        door().count_open(task, by);
    }

    pub(crate) fn task_live_bytes(task: u32) -> i64 {
        door().task_live_bytes(task)
    }

    /// Changes what is recorded. An error is why not, and what to do.
    pub(crate) fn switch_mode(mode: RecordingMode) -> Result<(), (&'static str, &'static str)> {
        let number = match mode {
            RecordingMode::Exact => own::EXACT,
            RecordingMode::Sampled => own::SAMPLED,
            RecordingMode::Counting => own::COUNTING,
            RecordingMode::Off => own::OFF,
        };
        own::switch(number).map_err(|refused| match refused {
            Refused::NotInstalled => (
                "memscope's allocator is not installed",
                "#[global_allocator] static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();",
            ),
            Refused::Supervised => {
                ("memscope run records this process", "The command's options choose the mode.")
            }
            Refused::NoRegion => (
                "there is no memory for a recording",
                "A child of fork is not recorded, and a limit of the file size (ulimit -f) leaves no room.",
            ),
        })
    }

    pub(crate) fn mode() -> RecordingMode {
        match own::now() {
            own::EXACT => RecordingMode::Exact,
            own::SAMPLED => RecordingMode::Sampled,
            own::COUNTING => RecordingMode::Counting,
            _ => RecordingMode::Off,
        }
    }

    pub(crate) fn measure() -> Option<Measuring> {
        door().measure().map(Measuring)
    }

    /// Has the recording put into a file if the process ends before [`renounce`].
    pub(crate) fn keep_in(path: &CStr, may_fork: fn() -> bool) -> io::Result<()> {
        if keeper::is_needed() && !may_fork() {
            return Err(io::Error::other("a filter of system calls may forbid a fork"));
        }
        keeper::keep_in(path).map_err(io::Error::from_raw_os_error)
    }

    pub(crate) fn renounce() {
        keeper::renounce();
    }
}

#[cfg(feature = "off")]
mod capture {
    //! Nothing is recorded.

    use crate::mode::RecordingMode;
    use std::ffi::CStr;
    use std::io;
    use std::ops::RangeInclusive;

    /// The sums of a label: none.
    #[derive(Clone, Copy, Debug, Default)]
    pub(crate) struct LabelCounts {
        pub(crate) live_blocks: u64,
        pub(crate) live_bytes: u64,
        pub(crate) peak_bytes: u64,
        pub(crate) blocks: u64,
        pub(crate) bytes: u64,
        pub(crate) moves: u64,
    }

    /// What a thread has done: nothing that is known.
    #[derive(Clone, Copy, Debug, Default)]
    pub(crate) struct ThreadCounts {
        pub(crate) allocations: u64,
        pub(crate) allocated_bytes: u64,
        pub(crate) frees: u64,
        pub(crate) freed_bytes: u64,
        pub(crate) reallocs: u64,
    }

    /// A measuring that never begins.
    #[derive(Debug)]
    pub(crate) enum Measuring {}

    impl Measuring {
        pub(crate) fn end(self) -> Option<(ThreadCounts, u64)> {
            match self {}
        }
    }

    pub(crate) fn is_supervised() -> bool {
        false
    }

    pub(crate) fn step() -> bool {
        false
    }

    pub(crate) fn leave() {}

    pub(crate) fn tick() {}

    pub(crate) fn label(_: u32, _: &str, _: u32) -> u32 {
        0
    }

    pub(crate) fn give(_: u32, _: usize) -> Option<bool> {
        None
    }

    pub(crate) fn start_of(_: usize, _: usize, _: RangeInclusive<usize>) -> Option<usize> {
        None
    }

    pub(crate) fn note_handles(_: u32, _: u32, _: u32) {}

    pub(crate) fn label_counts(_: u32) -> LabelCounts {
        LabelCounts::default()
    }

    pub(crate) fn task(_: u32, _: u32, _: &str) -> u32 {
        0
    }

    pub(crate) fn switch(_: u32) -> Option<u32> {
        None
    }

    pub(crate) fn current_task() -> u32 {
        0
    }

    pub(crate) fn count_open(_: u32, _: i32) {}

    pub(crate) fn task_live_bytes(_: u32) -> i64 {
        0
    }

    pub(crate) fn switch_mode(_: RecordingMode) -> Result<(), (&'static str, &'static str)> {
        Err(("feature off of memscope-rs is on", "It compiles recording to nothing."))
    }

    pub(crate) fn mode() -> RecordingMode {
        RecordingMode::Off
    }

    pub(crate) fn measure() -> Option<Measuring> {
        None
    }

    pub(crate) fn keep_in(_: &CStr, _: fn() -> bool) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn renounce() {}
}

pub(crate) use capture::*;
