//! Children that go on in the same image: fork, `_Fork` and vfork, hooked.
//!
//! A child of fork finds the page of the process's state wiped, whatever way it was made, and would start anew at its
//! first event. The hooks make it start at once, so that it is known even if it never allocates, and let it say what it
//! inherited. A child of vfork has its parent's memory until it executes another image: it is counted, and is otherwise
//! its parent.
//!
//! Invariants: every child is counted once (see [`memscope_capture::fork`]); the hooks take no lock, allocate nothing and leave `errno` alone.
//!
//! Deliberately absent: clone, which programs hardly call. Its child starts at its first event.

use crate::behind::behind;
use crate::exec::missing;
use crate::host::Next;
use crate::start;
use core::arch::naked_asm;
use core::ffi::{c_int, c_void};
use core::sync::atomic::Ordering;
use memscope_capture::fork::Fork;
use memscope_capture::process::PROCESS;

static FORK: Next = Next::new(c"fork");
static BARE_FORK: Next = Next::new(c"_Fork");
static VFORK: Next = Next::new(c"vfork");

/// Looks up the functions behind ours, as [`crate::exec::resolve`] does. `_Fork` is not among them: an older C library
/// has none.
pub(crate) fn resolve() {
    FORK.get();
    VFORK.get();
}

/// Forks by the function behind.
fn fork_by(next: &Next) -> c_int {
    let fork = Fork::begin(start::start);
    let pid = behind!(*next, fn() -> c_int, (), missing());
    if pid == 0 {
        start::start();
        fork.in_child();
    } else {
        fork.in_parent(pid > 0);
    }
    pid
}

/// `fork`.
///
/// # Safety
/// As for the C function; the same holds for all that follow.
#[unsafe(no_mangle)]
unsafe extern "C" fn fork() -> c_int {
    fork_by(&FORK)
}

/// `_Fork`.
///
/// # Safety
/// See [`fork`].
#[unsafe(no_mangle)]
unsafe extern "C" fn _Fork() -> c_int {
    fork_by(&BARE_FORK)
}

/// `vfork`. It returns twice, so the function behind is jumped to with the stack as it was.
#[unsafe(naked)]
#[unsafe(no_mangle)]
unsafe extern "C" fn vfork() {
    naked_asm!(
        ".cfi_startproc",
        "sub rsp, 8",
        ".cfi_adjust_cfa_offset 8",
        "call {count}",
        "add rsp, 8",
        ".cfi_adjust_cfa_offset -8",
        "test rax, rax",
        "jz 2f",
        "jmp rax",
        "2: jmp {missing}",
        ".cfi_endproc",
        count = sym count_and_find_vfork,
        missing = sym vfork_is_missing,
    )
}

/// Counts the child that is about to be made; one that then cannot be made is counted as well. Gives the function behind.
extern "C" fn count_and_find_vfork() -> *mut c_void {
    count_child();
    VFORK.get()
}

extern "C" fn vfork_is_missing() -> c_int {
    missing()
}

/// Counts a child that does not count itself.
pub(crate) fn count_child() {
    if let Some(writer) = PROCESS.writer() {
        // ORDERING: relaxed, a counter.
        writer.header().children.fetch_add(1, Ordering::Relaxed);
    }
}
