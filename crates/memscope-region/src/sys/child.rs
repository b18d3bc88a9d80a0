//! What a process does that makes a child of itself, to outlive it, and what the child does then.
//!
//! Deliberately absent: execution of another program, and everything that a C library does at a fork: no function that was
//! to be called then is called, and locks that other threads hold are held for ever. So the child uses what is here, and
//! no library.

use super::{Errno, PAGE_BYTES, call, open, read};
use core::ffi::CStr;
use libc::{
    SYS_clone, SYS_close, SYS_close_range, SYS_exit_group, SYS_ioctl, SYS_kill, SYS_lseek,
    SYS_munmap, SYS_pidfd_open, SYS_ppoll, SYS_prctl, SYS_renameat, SYS_rt_sigprocmask,
    SYS_sendfile, SYS_setsid, SYS_unlinkat, SYS_wait4,
};

/// How many descriptors are closed one by one, where the kernel cannot close them all at once (before Linux 5.9).
const MAX_DESCRIPTORS: i32 = 1 << 16;

/// What is copied at a time: the most that the kernel copies at once, in whole pages.
const COPIED_BYTES: u64 = (1 << 31) - PAGE_BYTES as u64;

/// Makes a child whose end sends no signal, so that it is none that `wait` tells of. Returns its id, and 0 in the child, which
/// receives no signals but those that cannot be blocked.
///
/// # Safety
/// The child only makes system calls, and ends with [`exit`].
pub unsafe fn make() -> Result<u32, Errno> {
    let (all, mut before) = (u64::MAX, 0u64);
    let set_mask = |new: &u64, old: *mut u64| {
        let how = libc::SIG_SETMASK as usize;
        // SAFETY: the kernel's sets of signals are of eight bytes; it reads one, and writes the other if there is one.
        let _ = unsafe {
            call(
                SYS_rt_sigprocmask,
                [how, &raw const *new as usize, old as usize, size_of::<u64>(), 0, 0],
            )
        };
    };
    set_mask(&all, &raw mut before);
    // SAFETY: without flags the child has a copy of all memory, also of the stack that it goes on with; the rest is the
    // caller's promise.
    let made = unsafe { call(SYS_clone, [0; 6]) };
    if made != Ok(0) {
        set_mask(&before, core::ptr::null_mut());
    }
    made.map(|child| child as u32)
}

/// Whether there is a child of this id that was [made](make) here and has not ended. If it has ended, it is gone for good then.
pub fn is_running(child: u32) -> bool {
    child != 0 && wait_for(child, libc::WNOHANG) == Ok(0)
}

/// Ends a child that was [made](make) here, if it has not ended by itself.
pub fn end(child: u32) {
    // As long as it has not been waited for, no other process has its id.
    if is_running(child) {
        // SAFETY: plain numbers.
        let _ = unsafe { call(SYS_kill, [child as usize, libc::SIGKILL as usize, 0, 0, 0, 0]) };
        while wait_for(child, 0) == Err(libc::EINTR) {}
    }
}

fn wait_for(child: u32, options: i32) -> Result<usize, Errno> {
    let options = (options | libc::__WCLONE) as usize;
    // SAFETY: plain numbers; nothing is written.
    unsafe { call(SYS_wait4, [child as usize, 0, options, 0, 0, 0]) }
}

/// Ends the process.
pub fn exit() -> ! {
    loop {
        // SAFETY: it does not return.
        let _ = unsafe { call(SYS_exit_group, [0; 6]) };
    }
}

/// From now on the process belongs to no terminal, and to no group of its parent's.
pub fn leave_session() {
    // SAFETY: no arguments. It fails for the first of a group, which a new child is not.
    let _ = unsafe { call(SYS_setsid, [0; 6]) };
}

/// Gives the process a name, in place of its command line as well.
pub fn set_name(name: &CStr) {
    // SAFETY: the kernel reads the name up to its zero.
    let _ = unsafe {
        call(SYS_prctl, [libc::PR_SET_NAME as usize, name.as_ptr() as usize, 0, 0, 0, 0])
    };
    let Some((first, bytes)) = command_line() else { return };
    // SAFETY: where the kernel says that the command line is; the process is a child that does not return to whoever
    // reads it.
    let line = unsafe { core::slice::from_raw_parts_mut(first as *mut u8, bytes) };
    let name = name.to_bytes_with_nul();
    for (at, byte) in line.iter_mut().enumerate() {
        *byte = name.get(at).copied().unwrap_or(0);
    }
}

/// Where the command line lies, if it lies in memory that can be written: its first address, and its length.
fn command_line() -> Option<(usize, usize)> {
    let mut buffer = [0u8; 1024];
    let file = open(c"/proc/self/stat").ok()?;
    let length = read(file, &mut buffer).unwrap_or(0);
    super::close(file);
    let text = buffer.get(..length)?;
    // The third field comes after a name in parentheses that may hold anything.
    let third = text.iter().rposition(|byte| *byte == b')')? + 2;
    let mut fields = text.get(third..)?.split(|byte| *byte == b' ').skip(48 - 3).map(decimal);
    let (first, end) = (fields.next()??, fields.next()??);
    let mapping = super::writable_mapping_of(first)?;
    (mapping.0 <= first && first < end && end <= mapping.1).then_some((first, end - first))
}

fn decimal(text: &[u8]) -> Option<usize> {
    core::str::from_utf8(text).ok()?.parse().ok()
}

/// A descriptor by which the end of a process can be waited for (Linux 5.3).
pub fn watch(pid: u32) -> Result<i32, Errno> {
    // SAFETY: plain numbers.
    unsafe { call(SYS_pidfd_open, [pid as usize, 0, 0, 0, 0, 0]) }.map(|fd| fd as i32)
}

/// Waits until a process that is [watched](watch) has ended, with all its threads.
pub fn wait(process: i32) -> Result<(), Errno> {
    let mut asked = libc::pollfd { fd: process, events: libc::POLLIN, revents: 0 };
    loop {
        let at = &raw mut asked as usize;
        // SAFETY: the kernel reads and writes the one entry; there is no time and no set of signals.
        match unsafe { call(SYS_ppoll, [at, 1, 0, 0, 0, 0]) } {
            Ok(0) | Err(libc::EINTR) => {}
            Ok(_) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// Whether a descriptor is a terminal's.
pub fn is_terminal(fd: i32) -> bool {
    // The kernel's `struct termios` is of 36 bytes.
    let mut settings = [0u64; 8];
    let at = settings.as_mut_ptr() as usize;
    // SAFETY: the kernel writes no more than there is room for.
    unsafe { call(SYS_ioctl, [fd as usize, libc::TCGETS as usize, at, 0, 0, 0]) }.is_ok()
}

/// Closes all descriptors but these.
pub fn close_all_but(kept: [i32; 3]) {
    let mut first = 0;
    loop {
        // Up to the next one that is kept.
        let next = kept.iter().copied().filter(|fd| *fd >= first).min();
        close_from(first, next.map_or(i32::MAX, |fd| fd - 1));
        let Some(next) = next else { return };
        first = next + 1;
    }
}

fn close_from(first: i32, last: i32) {
    if first > last {
        return;
    }
    // SAFETY: none of them is used again.
    if unsafe { call(SYS_close_range, [first as usize, last as usize, 0, 0, 0, 0]) }.is_err() {
        for fd in first..=last.min(MAX_DESCRIPTORS) {
            // SAFETY: as above.
            let _ = unsafe { call(SYS_close, [fd as usize, 0, 0, 0, 0, 0]) };
        }
    }
}

/// Gives back all memory but what is a private mapping of a file, as code is, and the mappings that hold one of these
/// addresses.
///
/// # Safety
/// One of the addresses lies on the stack, and nobody uses any memory that is given back.
pub unsafe fn unmap_all_but(kept: [usize; 3]) {
    let Ok(list) = open(c"/proc/self/maps") else { return };
    let mut buffer = [0u8; 1024];
    let mut line = Line::default();
    while let Ok(count @ 1..) = read(list, &mut buffer) {
        for &byte in &buffer[..count] {
            if byte != b'\n' {
                line.take(byte);
                continue;
            }
            let Line { low, high, .. } = line;
            if line.is_given_back() && !kept.iter().any(|at| (low..high).contains(at)) {
                // SAFETY: the caller's promise.
                let _ = unsafe { call(SYS_munmap, [low, high - low, 0, 0, 0, 0]) };
            }
            line = Line::default();
        }
    }
    super::close(list);
}

/// A line of the list of mappings, as far as it was read: `low-high rwxp offset device inode   name`.
#[derive(Clone, Copy, Debug, Default)]
struct Line {
    low: usize,
    high: usize,
    is_shared: bool,
    /// Whether it is a file's: its number is not 0.
    is_file: bool,
    /// Whether the name begins with `[v`: memory that is the kernel's.
    is_kernel: bool,
    /// How many fields are complete, from the dash between the first two on.
    fields: u32,
    before: u8,
}

impl Line {
    fn take(&mut self, byte: u8) {
        let digit = (byte as char).to_digit(16).unwrap_or(0) as usize;
        match (self.fields, byte) {
            (0, b'-') | (1..6, b' ') => self.fields += 1,
            (0, _) => self.low = self.low << 4 | digit,
            (1, _) => self.high = self.high << 4 | digit,
            (2, _) => self.is_shared |= byte == b's',
            (5, _) => self.is_file |= byte != b'0',
            (6, _) => self.is_kernel |= self.before == b'[' && byte == b'v',
            _ => {}
        }
        self.before = byte;
    }

    fn is_given_back(&self) -> bool {
        (self.is_shared || !self.is_file) && !self.is_kernel
    }
}

/// Copies a file in memory into an empty one, without what was never written of it, also at its end.
pub fn copy(from: i32, to: i32) -> Result<(), Errno> {
    let seek = |fd: i32, offset: u64, whence: i32| {
        // SAFETY: plain numbers.
        unsafe { call(SYS_lseek, [fd as usize, offset as usize, whence as usize, 0, 0, 0]) }
            .map(|offset| offset as u64)
    };
    let mut end = 0;
    loop {
        let mut at = match seek(from, end, libc::SEEK_DATA) {
            Ok(first) => first,
            // There is nothing behind.
            Err(libc::ENXIO) => return Ok(()),
            Err(error) => return Err(error),
        };
        end = seek(from, at, libc::SEEK_HOLE)?;
        seek(to, at, libc::SEEK_SET)?;
        while at < end {
            let count = (end - at).min(COPIED_BYTES) as usize;
            // SAFETY: the kernel reads and writes the offset, and moves it on.
            let copied = unsafe {
                call(SYS_sendfile, [to as usize, from as usize, &raw mut at as usize, count, 0, 0])
            }?;
            if copied == 0 {
                return Err(libc::EIO);
            }
        }
    }
}

/// Gives a file another name, in place of what had it.
pub fn rename(from: &CStr, to: &CStr) -> Result<(), Errno> {
    let folder = libc::AT_FDCWD as usize;
    let (from, to) = (from.as_ptr() as usize, to.as_ptr() as usize);
    // SAFETY: both are C strings.
    unsafe { call(SYS_renameat, [folder, from, folder, to, 0, 0]) }.map(|_| ())
}

/// Removes a file.
pub fn remove(path: &CStr) {
    // SAFETY: the path is a C string.
    let _ = unsafe {
        call(SYS_unlinkat, [libc::AT_FDCWD as usize, path.as_ptr() as usize, 0, 0, 0, 0])
    };
}
