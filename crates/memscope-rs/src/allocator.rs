//! The allocator that a program installs, and the file of the region that it records in: the one place of this crate
//! with unsafe code.
//!
//! Invariants: every method goes to the same method of the inner allocator; nothing here allocates; with feature `off`
//! nothing is done but that.
//! Deliberately absent: installing itself. The program says `#[global_allocator]`.

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs::File;

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
/// Cost: tens of nanoseconds for each allocation and free, and per live block 8 bytes for every 32 of address space.
#[derive(Debug)]
pub struct Memscope<A = System> {
    #[cfg(not(feature = "off"))]
    global: memscope_capture::global::Global<A>,
    #[cfg(feature = "off")]
    inner: A,
}

impl Memscope {
    /// Records what the system's allocator does.
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
    /// no two blocks share a record; the size that is recorded is the one that was asked for.
    ///
    /// ```
    /// use std::alloc::System;
    /// static ALLOC: memscope_rs::Memscope<System> = memscope_rs::Memscope::new(System);
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
    /// weight by which sums are estimated. An event that is not in the sample costs a few nanoseconds. Values are not named
    /// and code is not measured in this mode.
    ///
    /// `MEMSCOPE_MODE` (`exact`, `sampled`, `counting`, `off`) and `MEMSCOPE_INTERVAL` in the environment have the last word
    /// about how recording begins; [`switch_to`](crate::switch_to) changes it later.
    ///
    /// ```
    /// use memscope_rs::Memscope;
    /// static ALLOC: Memscope = Memscope::system().sampled(512 << 10);
    /// ```
    #[must_use]
    pub const fn sampled(self, interval_bytes: u64) -> Self {
        self.set(1, Some(interval_bytes))
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
    /// assert!(tracker!().heap().live_bytes >= before + 5000);
    /// # drop(data);
    /// ```
    #[must_use]
    pub const fn counting(self) -> Self {
        self.set(2, None)
    }

    /// Records nothing until [`switch_to`](crate::switch_to) begins it. A nanosecond for each event. The environment has the
    /// last word, as in [`Memscope::sampled`].
    ///
    /// ```
    /// use memscope_rs::Memscope;
    /// static ALLOC: Memscope = Memscope::system().off();
    /// ```
    #[must_use]
    pub const fn off(self) -> Self {
        self.set(3, None)
    }

    /// Chooses a mode by its number in the region, and the mean bytes between two samples.
    #[allow(unused_mut, unused_variables)]
    const fn set(mut self, mode: u32, interval_bytes: Option<u64>) -> Self {
        #[cfg(not(feature = "off"))]
        {
            use memscope_capture::own::Settings;
            let interval_bytes = match interval_bytes {
                Some(interval_bytes) => interval_bytes,
                None => self.global.settings().interval_bytes,
            };
            self.global.set(Settings { mode, interval_bytes });
        }
        self
    }

    /// The inner allocator.
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

/// Has a function called when the process exits.
pub(crate) fn at_exit(function: extern "C" fn()) {
    unsafe extern "C" {
        safe fn atexit(function: extern "C" fn()) -> i32;
    }
    // Where there is no room for it, the guard's own end is all there is.
    atexit(function);
}
