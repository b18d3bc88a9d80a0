//! A process that stays when this one is killed, and then puts its recording into a file.
//!
//! The region of a process that records itself is memory without a name, and it goes with the last process that has it
//! open. So a child is made, which has it open and sleeps until the program is gone. What it is to do then stands in a page
//! that both have: the name of a file, or that there is nothing to do, because the program has kept a profile itself. The
//! program need not end the child, or even know its number.
//!
//! Invariants:
//! - The program does not notice the child: it is none that `wait` tells of (no signal is sent at its end), it belongs to
//!   no terminal and no group of the program's, and it holds neither the program's files nor its memory: what fork gave it
//!   of both it gives back at once, but for the code, and the stack that it runs on.
//! - The child makes system calls and nothing else. So it waits for no lock that a thread it has not got had taken.
//!
//! Deliberately absent: a thread for it (that ends with the program), and a file from the start, whose pages the kernel
//! would write to the disk over and over, and which kills the program when the disk is full.

use crate::arch;
use crate::own;
use crate::process::PROCESS;
use core::cell::UnsafeCell;
use core::ffi::CStr;
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use memscope_region::row::Fill;
use memscope_region::sys::{self, Errno, child};

/// What the child is called in the list of processes.
const NAME: &CStr = c"memscope-keeper";

/// The longest name of a file, with its zero.
const PATH_BYTES: usize = 4096;

/// What is added to the file's name while it is being written.
const PART: &[u8] = b".part";

/// What the child is to do. In a page of its own that both processes have.
#[repr(C)]
struct Will {
    /// The process whose recording is to be kept; 0: of none.
    of: AtomicU32,
    /// The process that the child waits for.
    parent: u32,
    /// The name of the file, up to its zero. Written by the parent while `of` is 0, read by the child when the parent is
    /// gone.
    path: UnsafeCell<[u8; PATH_BYTES]>,
}

/// The page; null before there was a child.
static WILL: AtomicPtr<Will> = AtomicPtr::new(core::ptr::null_mut());
/// The child; 0: there is none.
static CHILD: AtomicU32 = AtomicU32::new(0);

fn will() -> Option<&'static Will> {
    // ORDERING: acquire pairs with the release of the store.
    // SAFETY: the page is never unmapped, here or in a child of fork, and was filled before it was stored.
    unsafe { WILL.load(Ordering::Acquire).as_ref() }
}

/// The descriptor of this process's own region, if that has no name. A child of fork has none.
fn nameless_region() -> Option<i32> {
    // ORDERING: relaxed; constant since the start.
    let recorded = PROCESS.writer()?.header().pid.load(Ordering::Relaxed);
    let region = own::descriptor().filter(|_| recorded == sys::pid())?;
    sys::status(region).is_ok_and(|status| status.st_nlink == 0).then_some(region)
}

/// Whether the recording would be lost with this process: it records itself, in a region without a name.
pub fn is_needed() -> bool {
    nameless_region().is_some()
}

/// From now on, if this process ends in whatever way before it [`renounces`](renounce), its region is written to a file of
/// this name, an absolute one: moments later, by a child that is made now, which costs about what a fork does.
///
/// Does nothing where it [is not needed](is_needed). One thread at a time may call this or [`renounce`].
///
/// # Errors
/// If the name is too long, or there can be no further process.
pub fn keep_in(path: &CStr) -> Result<(), Errno> {
    let Some(region) = nameless_region() else { return Ok(()) };
    let own_pid = sys::pid();
    let path = path.to_bytes_with_nul();
    if path.len() > PATH_BYTES - PART.len() {
        return Err(libc::ENAMETOOLONG);
    }
    let will = match will() {
        Some(will) => will,
        None => make_will(own_pid)?,
    };
    will.of.fill(0);
    // SAFETY: the child looks only when this process is gone, and callers come one at a time.
    unsafe { (&mut *will.path.get())[..path.len()].copy_from_slice(path) };
    // ORDERING: release; the name is there before.
    will.of.store(own_pid, Ordering::Release);
    // ORDERING: relaxed here and below; one thread at a time.
    if !child::is_running(CHILD.load(Ordering::Relaxed)) {
        CHILD.store(make_child(will, region)?, Ordering::Relaxed);
    }
    Ok(())
}

/// There is nothing to be kept any more, unless [`keep_in`] is called again. Ends the child.
pub fn renounce() {
    // A child of fork has all this as well.
    if let Some(will) = will().filter(|will| will.parent == sys::pid()) {
        will.of.fill(0);
        // ORDERING: relaxed; one thread at a time.
        child::end(CHILD.swap(0, Ordering::Relaxed));
    }
}

fn make_will(parent: u32) -> Result<&'static Will, Errno> {
    let page = sys::map_shared(size_of::<Will>())?.cast::<Will>();
    // SAFETY: the mapping was just made, is large enough, aligned to a page and zeroed, which is a will; nobody else has
    // it yet.
    unsafe { (*page).parent = parent };
    // ORDERING: release; the page was filled before.
    WILL.store(page, Ordering::Release);
    will().ok_or(libc::ENOMEM)
}

fn make_child(will: &'static Will, region: i32) -> Result<u32, Errno> {
    let parent = child::watch(will.parent)?;
    // SAFETY: the child attends to the will and never returns.
    let made = unsafe { child::make() };
    if made == Ok(0) {
        attend(will, region, parent);
    }
    sys::close(parent);
    made
}

/// What the child does: it has the region's descriptor, and one that says when the parent has ended.
fn attend(will: &'static Will, region: i32, parent: i32) -> ! {
    child::leave_session();
    child::set_name(NAME);
    // A terminal does not mind who has it open. Others may wait until nobody has.
    let errors = if child::is_terminal(libc::STDERR_FILENO) { libc::STDERR_FILENO } else { region };
    child::close_all_but([errors, region, parent]);
    let on_stack = &raw const region as usize;
    // The kernel itself writes where the thread pointer leads (restartable sequences).
    let kept = [core::ptr::from_ref(will) as usize, on_stack, arch::thread_pointer()];
    // SAFETY: this is all that is used from now on.
    unsafe { child::unmap_all_but(kept) };
    // ORDERING: acquire pairs with the release in `keep_in`.
    if child::wait(parent).is_ok() && will.of.load(Ordering::Acquire) == will.parent {
        // SAFETY: the parent is gone, and nobody else writes it.
        let path = unsafe { &*will.path.get() };
        tell(will.parent, path, write(region, path));
    }
    child::exit()
}

/// Writes the region into a file of this name.
fn write(region: i32, path: &[u8; PATH_BYTES]) -> Result<(), Errno> {
    let to = CStr::from_bytes_until_nul(path).map_err(|_| libc::EINVAL)?;
    let mut part = [0u8; PATH_BYTES];
    let length = to.count_bytes();
    part[..length].copy_from_slice(to.to_bytes());
    part.get_mut(length..length + PART.len()).ok_or(libc::ENAMETOOLONG)?.copy_from_slice(PART);
    let part = CStr::from_bytes_until_nul(&part).map_err(|_| libc::ENAMETOOLONG)?;
    let file = sys::named_file(part, 0)?;
    let written = child::copy(region, file).and_then(|()| child::rename(part, to));
    if written.is_err() {
        child::remove(part);
    }
    written
}

/// Says on a terminal what became of the recording.
fn tell(parent: u32, path: &[u8; PATH_BYTES], written: Result<(), Errno>) {
    let path = path.split(|byte| *byte == 0).next().unwrap_or_default();
    let mut digits = [0; 10];
    let count = own::decimal(parent, &mut digits);
    let parent = &digits[..count];
    let say = |pieces: &[&[u8]]| {
        for piece in pieces {
            // Where nobody listens there is nobody to tell.
            let _ = sys::write(libc::STDERR_FILENO, piece);
        }
    };
    let became: &[u8] = match written {
        Ok(()) => b"Its recording is kept: memscope report ",
        Err(_) => b"Its recording could not be written to ",
    };
    say(&[b"memscope: process ", parent, b" ended before its session. ", became, path, b"\n"]);
}
