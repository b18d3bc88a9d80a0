//! Execution of another image in a process's place: the exec family, hooked.
//!
//! The constructor took our variables out of the environment. Here they are put into the environment of the image to
//! come, if it is to be followed and our library can be loaded into it (see [`crate::follow`]). It then makes a region of
//! its own, and the supervisor goes on with that.
//!
//! Invariants:
//! - What the program asked for is always done: an image is first executed with our variables; if that returns, it
//!   failed, and the call is made again as the program made it. Its result and `errno` are the real function's.
//! - The file that is executed with our variables is the file that was looked at.
//! - Nothing is changed that another thread, a parent of vfork or a signal handler could see: the environment is
//!   passed on as an argument, in memory of our own. Nothing allocates, locks, or goes through the C library.

use crate::behind::behind;
use crate::environment::Entries;
use crate::follow::Execution;
use crate::host::Next;
use crate::image::{self, HERE};
use core::arch::naked_asm;
use core::ffi::{c_char, c_int};

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

/// The error number of a function that the C library does not have.
const ENOSYS: c_int = 38;
/// `execveat`: the descriptor itself is meant, or a link and not where it leads.
const AT_EMPTY_PATH: c_int = 0x1000;
const AT_SYMLINK_NOFOLLOW: c_int = 0x100;

/// Looks up the functions behind ours. Later the dynamic linker's lock could be held: in a child of fork, or by the code
/// that a signal interrupted. `execveat` is not among them: an older C library has none, and the dynamic linker allocates
/// to say so.
pub(crate) fn resolve() {
    for next in [&EXECVE, &EXECV, &EXECVP, &EXECVPE, &FEXECVE] {
        next.get();
    }
}

pub(crate) type Arguments = *const *const c_char;

/// The result of a function that the C library does not have.
pub(crate) fn missing() -> c_int {
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
    unsafe {
        execution.follow(path, || image::dynamic_linker(HERE, path, true), environment, execute);
    }
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
    // SAFETY: the caller's promise, and that of the C library's variable.
    if let Some(found) = unsafe { image::search(file, environ, execution.owner()) } {
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
    unsafe {
        execution.follow(
            core::ptr::null(),
            || image::dynamic_linker_of_open(fd),
            environment,
            follow,
        );
    }
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
    unsafe { execution.follow(path, dynamic_linker, environment, follow) };
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
