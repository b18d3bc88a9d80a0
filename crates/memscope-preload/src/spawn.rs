//! Children that begin with an image of their own: `posix_spawn`, `system` and `popen`, hooked.
//!
//! `posix_spawn` is given an environment with our variables, as the exec family is. `system` and `popen` make their
//! child inside the C library, which takes `environ`: it is exchanged for the time of the call, and only where nobody
//! could see it, in a process that has but one thread. Elsewhere their child is not followed.
//!
//! Invariants: what fails with our variables is done again as the program asked for it; a child is counted once it is
//! made.

use crate::behind::behind;
use crate::child::count_child;
use crate::environment::{Entries, Environment};
use crate::exec::Arguments;
use crate::follow::Kept;
use crate::host::Next;
use crate::image::{self, HERE};
use crate::mapping::Owner;
use core::arch::global_asm;
use core::ffi::{c_char, c_int, c_void};
use memscope_capture::process::PROCESS;
use memscope_region::hello::{Notice, OPTION_NO_CHILDREN};
use memscope_region::sys;

unsafe extern "C" {
    static mut environ: Entries;
}

static POSIX_SPAWN: Next = Next::new(c"posix_spawn");
static POSIX_SPAWNP: Next = Next::new(c"posix_spawnp");
static SYSTEM: Next = Next::new(c"system");
static POPEN: Next = Next::new(c"popen");

/// The error number of a function that the C library does not have.
const ENOSYS: c_int = 38;

/// What `system` and `popen` execute.
const SHELL: *const c_char = c"/bin/sh".as_ptr();

/// Looks up the functions behind ours, as [`crate::exec::resolve`] does.
pub(crate) fn resolve() {
    for next in [&POSIX_SPAWN, &POSIX_SPAWNP, &SYSTEM, &POPEN] {
        next.get();
    }
}

/// What is needed to follow children, if they are to be followed.
fn kept_for_children() -> Option<&'static Kept> {
    Kept::get().filter(|kept| PROCESS.writer().is_some() && !kept.has_option(OPTION_NO_CHILDREN))
}

/// Counts the child `pid` that was made, and says that it is not followed.
///
/// # Safety
/// `path` is null or a C string.
unsafe fn note_unfollowed(pid: c_int, path: *const c_char) {
    count_child();
    if let Some(kept) = kept_for_children() {
        let notice = Notice { pid: pid.cast_unsigned(), parent: sys::pid() };
        // SAFETY: the caller's promise.
        unsafe { kept.tell(notice, path) };
    }
}

/// The arguments of `posix_spawn`, as the program passed them.
struct Spawn {
    pid: *mut c_int,
    path: *const c_char,
    actions: *const c_void,
    attributes: *const c_void,
    arguments: Arguments,
}

impl Spawn {
    /// Calls the function behind. The child's id is written to `pid` on success.
    fn call(
        &self,
        next: &Next,
        path: *const c_char,
        environment: Entries,
        pid: &mut c_int,
    ) -> c_int {
        let place: *mut c_int = pid;
        behind!(
            *next,
            fn(
                *mut c_int,
                *const c_char,
                *const c_void,
                *const c_void,
                Arguments,
                Entries,
            ) -> c_int,
            (place, path, self.actions, self.attributes, self.arguments, environment),
            ENOSYS
        )
    }

    /// Makes the child. `found` is the file that was looked at and is executed if the child is followed; null if there is
    /// none.
    ///
    /// # Safety
    /// As for `posix_spawn`.
    unsafe fn make(&self, next: &Next, found: *const c_char, environment: Entries) -> c_int {
        let mut pid = 0;
        // SAFETY: the caller's promise.
        let is_absolute = !found.is_null() && unsafe { *found } == b'/'.cast_signed();
        // Actions may change the folder that a relative path is looked up in.
        let is_certain = is_absolute || (!found.is_null() && self.actions.is_null());
        let ours = kept_for_children().filter(|_| is_certain).and_then(|kept| {
            let linker = || image::dynamic_linker(HERE, found, true);
            // SAFETY: the caller's promise.
            unsafe { kept.environment(linker, environment, Owner::Process) }
        });
        let is_followed = ours.is_some_and(|ours: Environment| {
            self.call(&POSIX_SPAWN, found, ours.entries(), &mut pid) == 0
        });
        if is_followed {
            count_child();
        } else {
            let result = self.call(next, self.path, environment, &mut pid);
            if result != 0 {
                return result;
            }
            // SAFETY: the caller's promise.
            unsafe { note_unfollowed(pid, if found.is_null() { self.path } else { found }) };
        }
        if !self.pid.is_null() {
            // SAFETY: the caller's promise.
            unsafe { *self.pid = pid };
        }
        0
    }
}

/// `posix_spawn`.
///
/// # Safety
/// As for the C function; the same holds for all that follow.
#[unsafe(no_mangle)]
unsafe extern "C" fn posix_spawn(
    pid: *mut c_int,
    path: *const c_char,
    actions: *const c_void,
    attributes: *const c_void,
    arguments: Arguments,
    environment: Entries,
) -> c_int {
    let spawn = Spawn { pid, path, actions, attributes, arguments };
    // SAFETY: the caller's promise.
    unsafe { spawn.make(&POSIX_SPAWN, path, environment) }
}

/// `posix_spawnp`. It searches the caller's PATH, whatever environment is passed on.
///
/// # Safety
/// See [`posix_spawn`].
#[unsafe(no_mangle)]
unsafe extern "C" fn posix_spawnp(
    pid: *mut c_int,
    path: *const c_char,
    actions: *const c_void,
    attributes: *const c_void,
    arguments: Arguments,
    environment: Entries,
) -> c_int {
    let spawn = Spawn { pid, path, actions, attributes, arguments };
    // SAFETY: the caller's promise, and that of the C library's variable.
    unsafe {
        let found = image::search(path, environ, Owner::Process);
        let file = found.as_ref().map_or(core::ptr::null(), image::Path::as_ptr);
        spawn.make(&POSIX_SPAWNP, file, environment)
    }
}

// Not 0 while the process has one thread. The reference is weak: a C library without it is one that does not tell.
global_asm!(
    ".weak __libc_single_threaded",
    ".pushsection .text.memscope_single_threaded,\"ax\",@progbits",
    ".hidden memscope_single_threaded",
    ".globl memscope_single_threaded",
    ".type memscope_single_threaded,@function",
    "memscope_single_threaded:",
    "mov rax, qword ptr [rip + __libc_single_threaded@GOTPCREL]",
    "test rax, rax",
    "jz 2f",
    "movzx eax, byte ptr [rax]",
    "2: ret",
    ".popsection",
);

unsafe extern "C" {
    fn memscope_single_threaded() -> c_int;
}

/// Runs `call`, which executes the shell with `environ`, so that the shell is followed if it can be. Gives the result and
/// whether it is followed.
///
/// # Safety
/// `call` does what `system` or `popen` does.
unsafe fn with_our_environment<T>(call: impl FnOnce() -> T) -> (T, bool) {
    // SAFETY: the function only reads; the variable is the C library's, and this is the only thread.
    unsafe {
        if memscope_single_threaded() != 0
            && let Some(kept) = kept_for_children()
            && let theirs = environ
            && let linker = (|| image::dynamic_linker(HERE, SHELL, true))
            && let Some(ours) = kept.environment(linker, theirs, Owner::Process)
        {
            environ = ours.entries();
            let result = call();
            // A signal handler may have changed it, which then stays.
            if environ == ours.entries() {
                environ = theirs;
            } else {
                ours.keep_for_ever();
            }
            return (result, true);
        }
    }
    (call(), false)
}

/// `system`.
///
/// # Safety
/// As for the C function.
#[unsafe(no_mangle)]
unsafe extern "C" fn system(command: *const c_char) -> c_int {
    let call = || behind!(SYSTEM, fn(*const c_char) -> c_int, (command), -1);
    if command.is_null() {
        return call();
    }
    // SAFETY: the call is that of `system`.
    let (result, is_followed) = unsafe { with_our_environment(call) };
    note_shell(is_followed);
    result
}

/// `popen`.
///
/// # Safety
/// As for the C function.
#[unsafe(no_mangle)]
unsafe extern "C" fn popen(command: *const c_char, mode: *const c_char) -> *mut c_void {
    let missing = core::ptr::null_mut();
    let call = || {
        behind!(POPEN, fn(*const c_char, *const c_char) -> *mut c_void, (command, mode), missing)
    };
    // SAFETY: the call is that of `popen`.
    let (stream, is_followed) = unsafe { with_our_environment(call) };
    if !stream.is_null() {
        note_shell(is_followed);
    }
    stream
}

/// Counts a shell whose process id the C library keeps to itself.
fn note_shell(is_followed: bool) {
    if is_followed {
        count_child();
    } else {
        // SAFETY: the path is a C string.
        unsafe { note_unfollowed(0, SHELL) };
    }
}
