//! Whether and how an image that is about to be executed is followed: what is kept for it from the start, what is
//! counted, and who is told if it is not.
//!
//! Invariants: our library is added only where it is sure to load (see [`crate::image`]); what is counted before an
//! execution is taken back if the execution returns, because then it failed.
//!
//! Deliberately absent: the hooks, which are in [`crate::exec`] and [`crate::spawn`].

use crate::environment::{Entries, Environment, Ours};
use crate::image::{self, HERE, Identity};
use crate::mapping::Owner;
use crate::start;
use core::ffi::{CStr, c_char};
use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use memscope_capture::process::{BLANK, PROCESS};
use memscope_region::hello::{Notice, OPTION_NO_CHILDREN, OPTIONS_VARIABLE, SOCKET_VARIABLE};
use memscope_region::sys;
use memscope_region::table::region_bytes_within;

/// What another image, or a child of fork, needs to be followed, kept from the start.
pub(crate) struct Kept {
    ours: Ours,
    /// The file at the library's path. It may be another by then: after a chroot, or in another namespace.
    library: Identity,
    /// The dynamic linker that loaded this library, and so can load it again.
    dynamic_linker: Identity,
    /// Whether system calls were restricted at the start, and memscope got by.
    was_confined: bool,
}

/// Null until recording has begun, and for ever if an image could not be followed. A child of fork has a copy.
static KEPT: AtomicPtr<Kept> = AtomicPtr::new(core::ptr::null_mut());

/// Keeps what is needed to follow. Where that cannot be had, nothing is followed.
///
/// # Safety
/// `environment` is what the process was started with; nobody else uses it yet. Called once, after the start.
pub(crate) unsafe fn keep(environment: Entries) {
    let make = || {
        // SAFETY: the caller's promise.
        let ours = unsafe { Ours::keep(environment) }?;
        let kept = Kept {
            library: Identity::of(ours.library())?,
            dynamic_linker: image::dynamic_linker(HERE, c"/proc/self/exe".as_ptr(), true)?,
            was_confined: sys::is_confined(),
            ours,
        };
        let place: *mut Kept = sys::map_private(size_of::<Kept>()).ok()?.cast();
        // SAFETY: fresh memory, aligned to a page.
        unsafe { place.write(kept) };
        Some(place)
    };
    if let Some(kept) = make() {
        // ORDERING: release, after what it points to was written.
        KEPT.store(kept, Ordering::Release);
    }
}

impl Kept {
    /// What was kept.
    pub(crate) fn get() -> Option<&'static Self> {
        // SAFETY: points to memory that lives for ever.
        // ORDERING: acquire, see `keep`.
        unsafe { KEPT.load(Ordering::Acquire).as_ref() }
    }

    /// The supervisor's socket.
    pub(crate) fn socket(&self) -> &'static [u8] {
        self.ours.value(SOCKET_VARIABLE)
    }

    /// What is to be done otherwise than usual: the letters of the `OPTION_` constants.
    pub(crate) fn options(&self) -> &'static [u8] {
        self.ours.value(OPTIONS_VARIABLE)
    }

    /// Whether one of them is there.
    pub(crate) fn has_option(&self, option: u8) -> bool {
        self.options().contains(&option)
    }

    /// Whether a process may do what memscope needs. A filter on system calls that came since the start might end it.
    pub(crate) fn is_free(&self) -> bool {
        self.was_confined || !sys::is_confined()
    }

    /// Whether an image can be made to load our library, as far as this process and not the image decides.
    fn can_reach_library(&self) -> bool {
        // It would find no room for its region.
        let has_room = region_bytes_within(sys::file_limit()).is_some();
        self.is_free() && has_room && Identity::of(self.ours.library()) == Some(self.library)
    }

    /// The environment for an image that is loaded by this dynamic linker, in memory of `owner`; `None` if it is not to be
    /// followed.
    ///
    /// # Safety
    /// `environment` is null, or an array of C strings that ends with a null.
    pub(crate) unsafe fn environment(
        &self,
        dynamic_linker: impl FnOnce() -> Option<Identity>,
        environment: Entries,
        owner: Owner,
    ) -> Option<Environment> {
        if !self.can_reach_library() || dynamic_linker() != Some(self.dynamic_linker) {
            return None;
        }
        // SAFETY: the caller's promise.
        unsafe { self.ours.added_to(environment, owner) }
    }

    /// Tells the supervisor that a process is an image that is not followed. `path` may be null.
    ///
    /// # Safety
    /// `path` is null or a C string.
    pub(crate) unsafe fn tell(&self, notice: Notice, path: *const c_char) {
        let path = match path.is_null() {
            true => &[],
            // SAFETY: the caller's promise.
            false => unsafe { CStr::from_ptr(path) }.to_bytes(),
        };
        let path = &path[..path.len().min(Notice::PATH_BYTES)];
        if self.is_free()
            && let Ok(socket) = sys::connect_abstract(self.socket())
        {
            // Whoever does not hear it counts the process all the same.
            let _ = sys::send(socket, &notice.encode(), path);
            sys::close(socket);
        }
    }
}

/// In which process an image is about to be executed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the one that is recorded, which it replaces.
    Recorded,
    /// In a child of vfork, whose parent is recorded and waits.
    Borrowed,
    /// In one that could not be recorded itself.
    Unrecorded,
}

/// An execution that is about to happen.
pub(crate) struct Execution {
    place: Place,
    /// What is counted while it is not known to have failed.
    count: Option<&'static AtomicU64>,
}

impl Execution {
    pub(crate) fn begin() -> Self {
        if PROCESS.state() == BLANK {
            // A child of fork that has done nothing yet.
            start::start();
        }
        let Some(writer) = PROCESS.writer() else {
            return Self { place: Place::Unrecorded, count: None };
        };
        let header = writer.header();
        // ORDERING: relaxed; constant since the start. A child of vfork has its parent's memory and an id of its own.
        if header.pid.load(Ordering::Relaxed) != sys::pid() {
            return Self { place: Place::Borrowed, count: None };
        }
        // ORDERING: relaxed, a counter.
        header.replacements.fetch_add(1, Ordering::Relaxed);
        Self { place: Place::Recorded, count: Some(&header.replacements) }
    }

    /// Whose memory is used to make what the image needs.
    pub(crate) fn owner(&self) -> Owner {
        if self.place == Place::Borrowed { Owner::Waiting } else { Owner::Process }
    }

    /// Executes the image at `path` (null if it has none) with our variables in its environment, if it can be followed.
    /// Returns if it cannot, or if that failed; then the image is executed as it would be without us.
    ///
    /// # Safety
    /// `environment` is null, or an array of C strings that ends with a null; `path` is null or a C string.
    pub(crate) unsafe fn follow(
        &self,
        path: *const c_char,
        dynamic_linker: impl FnOnce() -> Option<Identity>,
        environment: Entries,
        execute: impl FnOnce(Entries),
    ) {
        let Some(kept) = Kept::get() else { return };
        if self.place != Place::Recorded && kept.has_option(OPTION_NO_CHILDREN) {
            return;
        }
        // SAFETY: the caller's promise.
        match unsafe { kept.environment(dynamic_linker, environment, self.owner()) } {
            Some(environment) => execute(environment.entries()),
            // What cannot be executed at all will not be, and shells try every folder of PATH.
            // SAFETY: the caller's promise.
            None if path.is_null() || sys::is_executable(unsafe { CStr::from_ptr(path) }) => {
                let pid = sys::pid();
                let is_recorded = self.place == Place::Recorded;
                let parent = if is_recorded { pid } else { sys::parent_pid() };
                // SAFETY: the caller's promise.
                unsafe { kept.tell(Notice { pid, parent }, path) };
            }
            None => {}
        }
    }
}

impl Drop for Execution {
    fn drop(&mut self) {
        if let Some(count) = self.count {
            // ORDERING: relaxed, a counter. Whoever comes here has failed to execute.
            count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}
