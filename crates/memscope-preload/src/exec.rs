//! Execution of another image in the program's place: the exec family, hooked, and the two functions that make a child
//! of another image, counted.
//!
//! The constructor took our variables out of the environment. Here they are put into the environment of the image to
//! come, if it comes in the place of the process that is recorded and our library can be loaded into it. It then makes
//! a region of its own, and the supervisor goes on with that.
//!
//! Invariants:
//! - What the program asked for is always done: an image is first executed with our variables; if that returns, it
//!   failed, and the call is made again as the program made it. Its result and `errno` are the real function's.
//! - The file that is executed with our variables is the file that was looked at.
//! - Nothing is changed that another thread, a parent of vfork or a signal handler could see: the environment is
//!   passed on as an argument, in memory of our own. Nothing allocates, locks, or goes through the C library.
//! - A child, whose process id is another, is left as it is and counted.
//!
//! Deliberately absent: children that are followed; `system` and `popen`, whose children the C library makes itself.

use crate::behind::behind;
use crate::environment::{Entries, Ours};
use crate::host::Next;
use crate::image::{self, HERE, Identity};
use core::arch::naked_asm;
use core::ffi::{c_char, c_int, c_void};
use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use memscope_capture::process::PROCESS;
use memscope_region::sys;
use memscope_region::table::REGION_BYTES;

unsafe extern "C" {
    static environ: Entries;
    fn __errno_location() -> *mut c_int;
}

static EXECVE: Next = Next::new(c"execve");
static EXECV: Next = Next::new(c"execv");
static EXECVP: Next = Next::new(c"execvp");
static EXECVPE: Next = Next::new(c"execvpe");
static FEXECVE: Next = Next::new(c"fexecve");
static EXECVEAT: Next = Next::new(c"execveat");
static POSIX_SPAWN: Next = Next::new(c"posix_spawn");
static POSIX_SPAWNP: Next = Next::new(c"posix_spawnp");
static SYSTEM: Next = Next::new(c"system");
static POPEN: Next = Next::new(c"popen");

/// The error number of a function that the C library does not have.
const ENOSYS: c_int = 38;
/// `execveat`: the descriptor itself is meant, or a link and not where it leads.
const AT_EMPTY_PATH: c_int = 0x1000;
const AT_SYMLINK_NOFOLLOW: c_int = 0x100;

/// What an image in the program's place needs to be followed, kept from the start.
struct Kept {
    ours: Ours,
    /// The file at the library's path. It may be another by then: after a chroot, or in another namespace.
    library: Identity,
    /// The dynamic linker that loaded this library, and so can load it again.
    dynamic_linker: Identity,
    /// Whether system calls were restricted at the start, and memscope got by.
    was_confined: bool,
}

/// Null until recording has begun, and for ever if an image could not be followed.
static KEPT: AtomicPtr<Kept> = AtomicPtr::new(core::ptr::null_mut());

/// Looks up the functions behind ours. Later the dynamic linker's lock could be held: in a child of fork, or by the code
/// that a signal interrupted. `execveat` is not among them: an older C library has none, and the dynamic linker allocates
/// to say so.
pub(crate) fn resolve() {
    let spawning = [&POSIX_SPAWN, &POSIX_SPAWNP, &SYSTEM, &POPEN];
    for next in [&EXECVE, &EXECV, &EXECVP, &EXECVPE, &FEXECVE].into_iter().chain(spawning) {
        next.get();
    }
}

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

/// What is counted while it is not known to have failed: an image in this one's place, or a child that executes.
struct Execution {
    count: Option<&'static AtomicU64>,
    /// Whether the image would come in the place of the process that is recorded.
    in_place: bool,
}

impl Execution {
    fn begin() -> Self {
        let Some(writer) = PROCESS.writer() else {
            // A child of fork is counted when it is first seen.
            PROCESS.state();
            return Self { count: None, in_place: false };
        };
        let header = writer.header();
        // ORDERING: relaxed; constant since the start. A child of vfork has its parent's memory and an id of its own.
        let in_place = header.pid.load(Ordering::Relaxed) == sys::pid();
        let count = if in_place { &header.replacements } else { &header.unfollowed_children };
        // ORDERING: relaxed, a counter.
        count.fetch_add(1, Ordering::Relaxed);
        Self { count: Some(count), in_place }
    }

    /// What is needed to follow the image: `None` if it is not to be followed, whatever it is.
    fn kept(&self) -> Option<&'static Kept> {
        // SAFETY: points to memory that lives for ever.
        // ORDERING: acquire, see `keep`.
        let kept = unsafe { KEPT.load(Ordering::Acquire).as_ref() }.filter(|_| self.in_place)?;
        // A filter that came since might end an image that does what memscope needs.
        let is_free = kept.was_confined || !sys::is_confined();
        // It would find no room for its region.
        let has_room = sys::file_limit() >= REGION_BYTES;
        (is_free && has_room && Identity::of(kept.ours.library()) == Some(kept.library))
            .then_some(kept)
    }

    /// Executes an image with our variables in its environment, if it can be followed. Returns if it cannot, or if that
    /// failed.
    ///
    /// # Safety
    /// `environment` is null, or an array of C strings that ends with a null.
    unsafe fn follow(
        &self,
        dynamic_linker: impl FnOnce() -> Option<Identity>,
        environment: Entries,
        execute: impl FnOnce(Entries),
    ) {
        if let Some(kept) = self.kept()
            && dynamic_linker() == Some(kept.dynamic_linker)
            // SAFETY: the caller's promise.
            && let Some(environment) = unsafe { kept.ours.added_to(environment) }
        {
            execute(environment.entries());
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

type Arguments = *const *const c_char;

/// The result of a function that the C library does not have.
fn missing() -> c_int {
    // SAFETY: the thread's own.
    unsafe { *__errno_location() = ENOSYS };
    -1
}

fn real_execve(path: *const c_char, arguments: Arguments, environment: Entries) -> c_int {
    behind!(
        EXECVE,
        fn(*const c_char, Arguments, Entries) -> c_int,
        (path, arguments, environment),
        missing()
    )
}

/// Follows the image at `path`.
///
/// # Safety
/// As for `execve`.
unsafe fn follow_path(
    execution: &Execution,
    path: *const c_char,
    arguments: Arguments,
    environment: Entries,
) {
    let execute = |environment| {
        real_execve(path, arguments, environment);
    };
    // SAFETY: the caller's promise.
    unsafe { execution.follow(|| image::dynamic_linker(HERE, path, true), environment, execute) }
}

/// Follows the image that `execvp` finds. PATH is that of the process, whatever environment is passed on.
///
/// # Safety
/// As for `execvpe`.
unsafe fn follow_name(
    execution: &Execution,
    file: *const c_char,
    arguments: Arguments,
    environment: Entries,
) {
    if execution.in_place
        // SAFETY: the caller's promise, and that of the C library's variable.
        && let Some(found) = unsafe { image::search(file, environ) }
    {
        // SAFETY: the caller's promise; the path is a C string.
        unsafe { follow_path(execution, found.as_ptr(), arguments, environment) };
    }
}

/// `execve`.
///
/// # Safety
/// As for the C function; the same holds for all that follow.
#[unsafe(no_mangle)]
unsafe extern "C" fn execve(
    path: *const c_char,
    arguments: Arguments,
    environment: Entries,
) -> c_int {
    let execution = Execution::begin();
    // SAFETY: the caller's promise; likewise below.
    unsafe { follow_path(&execution, path, arguments, environment) };
    real_execve(path, arguments, environment)
}

/// `execv`.
///
/// # Safety
/// See [`execve`].
#[unsafe(no_mangle)]
unsafe extern "C" fn execv(path: *const c_char, arguments: Arguments) -> c_int {
    let execution = Execution::begin();
    // SAFETY: as above.
    unsafe { follow_path(&execution, path, arguments, environ) };
    behind!(EXECV, fn(*const c_char, Arguments) -> c_int, (path, arguments), missing())
}

/// `execvp`.
///
/// # Safety
/// See [`execve`].
#[unsafe(no_mangle)]
unsafe extern "C" fn execvp(file: *const c_char, arguments: Arguments) -> c_int {
    let execution = Execution::begin();
    // SAFETY: as above.
    unsafe { follow_name(&execution, file, arguments, environ) };
    behind!(EXECVP, fn(*const c_char, Arguments) -> c_int, (file, arguments), missing())
}

/// `execvpe`.
///
/// # Safety
/// See [`execve`].
#[unsafe(no_mangle)]
unsafe extern "C" fn execvpe(
    file: *const c_char,
    arguments: Arguments,
    environment: Entries,
) -> c_int {
    let execution = Execution::begin();
    // SAFETY: as above.
    unsafe { follow_name(&execution, file, arguments, environment) };
    behind!(
        EXECVPE,
        fn(*const c_char, Arguments, Entries) -> c_int,
        (file, arguments, environment),
        missing()
    )
}

/// `fexecve`.
///
/// # Safety
/// See [`execve`].
#[unsafe(no_mangle)]
unsafe extern "C" fn fexecve(fd: c_int, arguments: Arguments, environment: Entries) -> c_int {
    let execution = Execution::begin();
    let execute = |environment| {
        behind!(
            FEXECVE,
            fn(c_int, Arguments, Entries) -> c_int,
            (fd, arguments, environment),
            missing()
        )
    };
    let follow = |environment| {
        execute(environment);
    };
    // SAFETY: as above.
    unsafe { execution.follow(|| image::dynamic_linker_of_open(fd), environment, follow) };
    execute(environment)
}

/// `execveat`.
///
/// # Safety
/// See [`execve`].
#[unsafe(no_mangle)]
unsafe extern "C" fn execveat(
    folder: c_int,
    path: *const c_char,
    arguments: Arguments,
    environment: Entries,
    flags: c_int,
) -> c_int {
    let execution = Execution::begin();
    let execute = |environment| {
        behind!(
            EXECVEAT,
            fn(c_int, *const c_char, Arguments, Entries, c_int) -> c_int,
            (folder, path, arguments, environment, flags),
            missing()
        )
    };
    // SAFETY: the caller's promise.
    let is_empty = !path.is_null() && unsafe { *path } == 0;
    let dynamic_linker = || {
        if is_empty && flags & AT_EMPTY_PATH != 0 {
            image::dynamic_linker_of_open(folder)
        } else {
            image::dynamic_linker(folder, path, flags & AT_SYMLINK_NOFOLLOW == 0)
        }
    };
    let follow = |environment| {
        execute(environment);
    };
    // SAFETY: as above.
    unsafe { execution.follow(dynamic_linker, environment, follow) };
    execute(environment)
}

/// Functions that take the arguments one by one. Those in registers are pushed where the return address was, under those
/// on the stack, so that all lie in one array, and the body is called with it. The return address waits below.
macro_rules! hook_of_list {
    ($($(#[$doc:meta])* $name:ident => $body:ident;)*) => {
        $(
            $(#[$doc])*
            #[unsafe(naked)]
            #[unsafe(no_mangle)]
            unsafe extern "C" fn $name() {
                naked_asm!(
                    "pop rax",
                    "push r9",
                    "push r8",
                    "push rcx",
                    "push rdx",
                    "push rsi",
                    "mov rsi, rsp",
                    // The sixth word since the pop: the stack is aligned for the call.
                    "push rax",
                    "call {body}",
                    "pop rcx",
                    "add rsp, 40",
                    "push rcx",
                    "ret",
                    body = sym $body,
                )
            }
        )*
    };
}

hook_of_list! {
    /// `execl`.
    execl => execv;
    /// `execlp`.
    execlp => execvp;
    /// `execle`.
    execle => execle_body;
}

unsafe extern "C" fn execle_body(path: *const c_char, arguments: Arguments) -> c_int {
    let mut end = arguments;
    // SAFETY: the list ends with a null, behind which the environment stands.
    unsafe {
        while !(*end).is_null() {
            end = end.add(1);
        }
        execve(path, arguments, end.add(1).cast::<Entries>().read())
    }
}

/// Makes a child by the function behind, with all arguments as they are, and counts it.
macro_rules! hook_of_spawn {
    ($($(#[$doc:meta])* $name:ident => $next:ident;)*) => {
        $(
            $(#[$doc])*
            ///
            /// # Safety
            /// As for the C function.
            #[unsafe(no_mangle)]
            unsafe extern "C" fn $name(
                pid: *mut c_int,
                path: *const c_char,
                actions: *const c_void,
                attributes: *const c_void,
                arguments: Arguments,
                environment: Entries,
            ) -> c_int {
                let result = behind!(
                    $next,
                    fn(
                        *mut c_int,
                        *const c_char,
                        *const c_void,
                        *const c_void,
                        Arguments,
                        Entries
                    ) -> c_int,
                    (pid, path, actions, attributes, arguments, environment),
                    ENOSYS
                );
                if result == 0 {
                    count_child();
                }
                result
            }
        )*
    };
}

hook_of_spawn! {
    /// `posix_spawn`.
    posix_spawn => POSIX_SPAWN;
    /// `posix_spawnp`.
    posix_spawnp => POSIX_SPAWNP;
}

/// Counts a child that the C library has made or is about to make.
fn count_child() {
    if let Some(writer) = PROCESS.writer() {
        // ORDERING: relaxed, a counter.
        writer.header().unfollowed_children.fetch_add(1, Ordering::Relaxed);
    }
}

/// `system`.
///
/// # Safety
/// As for the C function.
#[unsafe(no_mangle)]
unsafe extern "C" fn system(command: *const c_char) -> c_int {
    if !command.is_null() {
        count_child();
    }
    behind!(SYSTEM, fn(*const c_char) -> c_int, (command), -1)
}

/// `popen`.
///
/// # Safety
/// As for the C function.
#[unsafe(no_mangle)]
unsafe extern "C" fn popen(command: *const c_char, mode: *const c_char) -> *mut c_void {
    let missing = core::ptr::null_mut();
    let stream =
        behind!(POPEN, fn(*const c_char, *const c_char) -> *mut c_void, (command, mode), missing);
    if !stream.is_null() {
        count_child();
    }
    stream
}
