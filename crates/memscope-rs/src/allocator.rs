//! The allocator that a program installs, and the file of the region that it records in: the one place of this crate
//! with unsafe code.
//!
//! Invariants: every method goes to the same method of the inner allocator; nothing here allocates; with feature `off`
//! nothing is done but that.
//! Deliberately absent: installing itself. The program says `#[global_allocator]`.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::CStr;
use std::fs::File;
use std::path::PathBuf;

/// A global allocator that records what it passes on to another: every allocation with its full stack.
///
/// ```
/// use memscope_rs::Memscope;
///
/// #[global_allocator]
/// static ALLOC: Memscope = Memscope::system();
///
/// let before = memscope_rs::tracker!().heap().allocations;
/// let data = vec![1_u8; 1024];
/// assert!(memscope_rs::tracker!().heap().allocations > before);
/// # drop(data);
/// ```
///
/// Recording starts by itself at the first allocation, in a region of shared memory that the process makes, and ends
/// with the process. `MEMSCOPE_MODE=off` in the environment leaves it out. Under `memscope run` the allocations of
/// [`Memscope::system`] are recorded by the command, each once, and not again here.
///
/// An allocation and its free together cost about 20 ns more than the inner allocator's in mode exact, and about 1 ns in the
/// others. In mode exact each live block takes 8 bytes of record for every 32 of address space.
///
/// Nothing here fails or panics: where no recording can be made, the inner allocator goes on alone, and
/// [`Tracker::tracking_stats`](crate::Tracker::tracking_stats) says so.
#[derive(Debug)]
pub struct Memscope<A = System> {
    #[cfg(not(feature = "off"))]
    global: memscope_capture::global::Global<A>,
    #[cfg(feature = "off")]
    inner: A,
}

impl Memscope {
    /// Records what the system's allocator does. A constant; what recording costs says [`Memscope`].
    ///
    /// ```
    /// use memscope_rs::Memscope;
    ///
    /// #[global_allocator]
    /// static ALLOC: Memscope = Memscope::system();
    ///
    /// assert!(memscope_rs::tracker!().heap().is_recorded);
    /// ```
    pub const fn system() -> Self {
        Self {
            #[cfg(not(feature = "off"))]
            global: memscope_capture::global::Global::of_libc(System),
            #[cfg(feature = "off")]
            inner: System,
        }
    }
}

impl<A> Memscope<A> {
    /// Records what `inner` does, which may be any allocator. Requests for less than 32 bytes are raised to 32, so that
    /// no two blocks share a record; the size that is recorded is the one that was asked for. A constant.
    ///
    /// ```
    /// use memscope_rs::{Memscope, tracker};
    /// use mimalloc::MiMalloc;
    ///
    /// #[global_allocator]
    /// static ALLOC: Memscope<MiMalloc> = Memscope::new(MiMalloc);
    ///
    /// let before = tracker!().heap().live_bytes;
    /// let data = vec![0_u8; 5000];
    /// assert_eq!(tracker!().heap().live_bytes - before, 5000);
    /// # drop(data);
    /// ```
    pub const fn new(inner: A) -> Self {
        Self {
            #[cfg(not(feature = "off"))]
            global: memscope_capture::global::Global::new(inner),
            #[cfg(feature = "off")]
            inner,
        }
    }

    /// Records a sample only: on average one allocation in every `interval_bytes` bytes, each with its full stack and with a
    /// weight by which sums are estimated. An event that is not in the sample costs about a nanosecond. Blocks that are
    /// allocated in this mode have no names, for most are not in the sample and the others stand for more than themselves; and
    /// code is not measured. After [`switch_to`](crate::switch_to) mode exact there is both.
    ///
    /// `MEMSCOPE_MODE` (`exact`, `sampled`, `counting`, `off`) and `MEMSCOPE_INTERVAL` (bytes) in the environment have the last
    /// word about how recording begins; a value that is none of these is told of on the standard error, and changes nothing.
    /// [`switch_to`](crate::switch_to) changes the mode later. The interval stays: what a sampled block stands for follows from
    /// it and the block's size, when it is allocated as when it is freed.
    ///
    /// ```
    /// use memscope_rs::{Memscope, RecordingMode, recording_mode};
    ///
    /// #[global_allocator]
    /// static ALLOC: Memscope = Memscope::system().sampled(512 << 10); // one in 512 KiB
    ///
    /// let data = vec![0_u8; 64 << 20]; // so much is in any such sample
    /// assert_eq!(recording_mode(), RecordingMode::Sampled);
    /// assert!(memscope_rs::tracker!().heap().allocated_bytes >= 64 << 20);
    /// # drop(data);
    /// ```
    #[must_use]
    pub const fn sampled(self, interval_bytes: u64) -> Self {
        self.set(Some(1), Some(interval_bytes), None)
    }

    /// Only counts: allocations, frees and bytes of each thread, what is alive, and the most that was. About a nanosecond
    /// for each event; no stacks. The environment has the last word, as in [`Memscope::sampled`].
    ///
    /// ```
    /// use memscope_rs::{Memscope, tracker};
    ///
    /// #[global_allocator]
    /// static ALLOC: Memscope = Memscope::system().counting();
    ///
    /// let before = tracker!().heap().live_bytes;
    /// let data = vec![0_u8; 5000];
    /// assert_eq!(tracker!().heap().live_bytes - before, 5000);
    /// # drop(data);
    /// ```
    #[must_use]
    pub const fn counting(self) -> Self {
        self.set(Some(2), None, None)
    }

    /// Records nothing until [`switch_to`](crate::switch_to) begins it. A nanosecond for each event. The environment has the
    /// last word, as in [`Memscope::sampled`].
    ///
    /// ```
    /// use memscope_rs::{Memscope, RecordingMode, switch_to, tracker};
    ///
    /// #[global_allocator]
    /// static ALLOC: Memscope = Memscope::system().off();
    ///
    /// # fn main() -> Result<(), memscope_rs::Error> {
    /// assert!(!tracker!().heap().is_recorded);
    /// switch_to(RecordingMode::Exact)?; // from here on
    /// let data = vec![0_u8; 1000];
    /// assert_eq!(tracker!().heap().live_bytes, 1000);
    /// # drop(data);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub const fn off(self) -> Self {
        self.set(Some(3), None, None)
    }

    /// Keeps the recording in a file, named `name` with a dot and the process id after it, in place of memory. It stays
    /// when the process is killed (also by SIGKILL, and when it aborts), and `memscope report` reads it.
    ///
    /// `MEMSCOPE_FILE` in the environment has the last word, but not in a program that runs with more rights than its caller.
    /// Where the file cannot be made, a line on the standard error says so, and the recording is in memory. The file is sparse:
    /// it takes up what was recorded, some megabytes at least, and the kernel writes it to the disk by and by. A
    /// [`Session`](crate::Session) removes it when it has kept the profile; without one it stays in any case.
    ///
    /// ```
    /// use memscope_rs::{Memscope, memscope_profile::Region};
    ///
    /// #[global_allocator]
    /// static ALLOC: Memscope = Memscope::system().in_file(c"/tmp/server.region");
    ///
    /// drop(std::hint::black_box(vec![0_u8; 100])); // recording begins with the first allocation
    /// let path = format!("/tmp/server.region.{}", std::process::id());
    /// assert_eq!(Region::open_path(path.as_ref())?.pid()?, std::process::id());
    /// # std::fs::remove_file(path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn in_file(self, name: &'static CStr) -> Self {
        self.set(None, None, Some(name))
    }

    /// Chooses a mode by its number in the region, the mean bytes between two samples, and a file.
    #[allow(unused_mut, unused_variables)]
    const fn set(
        mut self,
        mode: Option<u32>,
        interval_bytes: Option<u64>,
        file: Option<&'static CStr>,
    ) -> Self {
        #[cfg(not(feature = "off"))]
        {
            let mut settings = self.global.settings();
            if let Some(mode) = mode {
                settings.mode = mode;
            }
            if let Some(interval_bytes) = interval_bytes {
                settings.interval_bytes = interval_bytes;
            }
            if file.is_some() {
                settings.file = file;
            }
            self.global.set(settings);
        }
        self
    }

    /// The inner allocator, for what it can do besides. A field; what is allocated through it directly is not recorded.
    ///
    /// ```
    /// use memscope_rs::{Memscope, tracker};
    /// use std::alloc::{GlobalAlloc, Layout, System};
    ///
    /// #[global_allocator]
    /// static ALLOC: Memscope<System> = Memscope::new(System);
    ///
    /// let (layout, before) = (Layout::new::<[u8; 1000]>(), tracker!().heap().live_bytes);
    /// // SAFETY: the layout has a size, and the block is freed by whom it came from.
    /// unsafe {
    ///     let block = ALLOC.inner().alloc(layout);
    ///     assert_eq!(tracker!().heap().live_bytes, before); // unseen
    ///     ALLOC.inner().dealloc(block, layout);
    /// }
    /// ```
    pub const fn inner(&self) -> &A {
        #[cfg(not(feature = "off"))]
        return self.global.inner();
        #[cfg(feature = "off")]
        &self.inner
    }
}

#[cfg(not(feature = "off"))]
// SAFETY: each method is the inner allocator's, asked for the same layout or, always alike, for one that is larger.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Memscope<A> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: passed on; likewise below.
        unsafe { self.global.alloc(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { self.global.dealloc(block, layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe { self.global.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: as above.
        unsafe { self.global.realloc(block, layout, new_size) }
    }
}

#[cfg(feature = "off")]
// SAFETY: each method is the inner allocator's.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Memscope<A> {
    #[inline(always)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: passed on; likewise below.
        unsafe { self.inner.alloc(layout) }
    }

    #[inline(always)]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { self.inner.dealloc(block, layout) }
    }

    #[inline(always)]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe { self.inner.alloc_zeroed(layout) }
    }

    #[inline(always)]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: as above.
        unsafe { self.inner.realloc(block, layout, new_size) }
    }
}

/// The file of the region that this process records itself in; `None` if it does not.
#[cfg(not(feature = "off"))]
pub(crate) fn region() -> Option<File> {
    use std::os::fd::BorrowedFd;
    let descriptor = memscope_capture::own::descriptor()?;
    // SAFETY: it was just looked at, and is open for as long as it takes to duplicate it.
    let descriptor = unsafe { BorrowedFd::borrow_raw(descriptor) };
    descriptor.try_clone_to_owned().ok().map(File::from)
}

/// The file of the region: there is none.
#[cfg(feature = "off")]
pub(crate) fn region() -> Option<File> {
    None
}

/// The file of the region, if it has a name by which it is still there.
pub(crate) fn region_path() -> Option<PathBuf> {
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::MetadataExt;
    let file = region()?;
    let path = std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).ok()?;
    let (own, named) = (file.metadata().ok()?, path.symlink_metadata().ok()?);
    ((own.dev(), own.ino()) == (named.dev(), named.ino())).then_some(path)
}

/// Has a function called when the process exits.
pub(crate) fn at_exit(function: extern "C" fn()) {
    unsafe extern "C" {
        safe fn atexit(function: extern "C" fn()) -> i32;
    }
    // Where there is no room for it, the guard's own end is all there is.
    atexit(function);
}
