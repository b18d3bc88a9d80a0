//! The few system calls that the writing side makes, all of them on cold paths, none of them through libc: a hook
//! must leave `errno` alone and must not meet a lock.
//!
//! Errors are the kernel's numbers, positive.

use crate::arch::syscall;
use libc::{
    SYS_clock_gettime, SYS_close, SYS_connect, SYS_ftruncate, SYS_getpid, SYS_gettid, SYS_madvise,
    SYS_memfd_create, SYS_mmap, SYS_mremap, SYS_munmap, SYS_openat, SYS_read, SYS_sched_yield,
    SYS_sendmsg, SYS_socket,
};

/// The size of a page.
pub const PAGE_BYTES: usize = 4096;

/// The kernel's error number.
pub type Errno = i32;

fn check(result: isize) -> Result<usize, Errno> {
    if (-4095..0).contains(&result) { Err(-result as i32) } else { Ok(result as usize) }
}

/// Makes a call whose arguments need no more care than being passed.
///
/// # Safety
/// As for the call itself.
unsafe fn call(number: i64, arguments: [usize; 6]) -> Result<usize, Errno> {
    // SAFETY: passed on to the caller.
    check(unsafe { syscall(number, arguments) })
}

/// Fresh private memory, zeroed, nowhere touched.
pub fn map_private(bytes: usize) -> Result<*mut u8, Errno> {
    let protection = (libc::PROT_READ | libc::PROT_WRITE) as usize;
    let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE) as usize;
    // SAFETY: a new anonymous mapping at an address of the kernel's choice harms nobody.
    unsafe { call(SYS_mmap, [0, bytes, protection, flags, usize::MAX, 0]) }
        .map(|address| address as *mut u8)
}

/// Maps `bytes` of a file shared, from its start.
pub fn map_file(fd: i32, bytes: usize) -> Result<*mut u8, Errno> {
    let protection = (libc::PROT_READ | libc::PROT_WRITE) as usize;
    // SAFETY: as above; the file is ours.
    unsafe { call(SYS_mmap, [0, bytes, protection, libc::MAP_SHARED as usize, fd as usize, 0]) }
        .map(|address| address as *mut u8)
}

/// Maps `bytes` of the file that the shared page at `seed` belongs to, beginning with that page, at a new place. No
/// file descriptor is needed, so none has to be kept open. (mremap with an old size of 0 duplicates a shared mapping.)
///
/// # Safety
/// `seed` is a page of a live shared mapping.
pub unsafe fn map_from_seed(seed: *mut u8, bytes: usize) -> Result<*mut u8, Errno> {
    // SAFETY: the old mapping stays as it is; the new one lies where the kernel finds room.
    unsafe { call(SYS_mremap, [seed as usize, 0, bytes, libc::MREMAP_MAYMOVE as usize, 0, 0]) }
        .map(|address| address as *mut u8)
}

/// Removes a mapping.
///
/// # Safety
/// Nobody uses the memory any more.
pub unsafe fn unmap(address: *mut u8, bytes: usize) {
    // SAFETY: the caller's promise. A failure leaves the memory mapped, which harms nothing.
    let _ = unsafe { call(SYS_munmap, [address as usize, bytes, 0, 0, 0, 0]) };
}

/// Advises the kernel about pages; returns whether it listened.
///
/// # Safety
/// The advice must not destroy what is there.
pub unsafe fn advise(address: *mut u8, bytes: usize, advice: i32) -> bool {
    // SAFETY: the caller's promise.
    unsafe { call(SYS_madvise, [address as usize, bytes, advice as usize, 0, 0, 0]) }.is_ok()
}

/// A sparse file of `bytes` in memory, closed on exec.
pub fn memory_file(name: &core::ffi::CStr, bytes: u64) -> Result<i32, Errno> {
    // SAFETY: the name is a C string.
    let fd = unsafe {
        call(SYS_memfd_create, [name.as_ptr() as usize, libc::MFD_CLOEXEC as usize, 0, 0, 0, 0])
    }?;
    // SAFETY: the descriptor is the one just made.
    match unsafe { call(SYS_ftruncate, [fd, bytes as usize, 0, 0, 0, 0]) } {
        Ok(_) => Ok(fd as i32),
        Err(errno) => {
            close(fd as i32);
            Err(errno)
        }
    }
}

/// Closes a descriptor of ours.
pub fn close(fd: i32) {
    // SAFETY: callers pass descriptors that they opened themselves.
    let _ = unsafe { call(SYS_close, [fd as usize, 0, 0, 0, 0, 0]) };
}

/// Opens a file for reading, closed on exec.
pub fn open(path: &core::ffi::CStr) -> Result<i32, Errno> {
    let flags = (libc::O_RDONLY | libc::O_CLOEXEC) as usize;
    // SAFETY: the path is a C string.
    unsafe { call(SYS_openat, [libc::AT_FDCWD as usize, path.as_ptr() as usize, flags, 0, 0, 0]) }
        .map(|fd| fd as i32)
}

/// Reads up to `buffer.len()` bytes.
pub fn read(fd: i32, buffer: &mut [u8]) -> Result<usize, Errno> {
    // SAFETY: the kernel writes at most the buffer's length into it.
    unsafe { call(SYS_read, [fd as usize, buffer.as_mut_ptr() as usize, buffer.len(), 0, 0, 0]) }
}

/// The process's id.
pub fn pid() -> u32 {
    // SAFETY: no arguments.
    unsafe { syscall(SYS_getpid, [0; 6]) as u32 }
}

/// The calling thread's id.
pub fn tid() -> u32 {
    // SAFETY: no arguments.
    unsafe { syscall(SYS_gettid, [0; 6]) as u32 }
}

/// Lets others run.
pub fn yield_now() {
    // SAFETY: no arguments.
    unsafe { syscall(SYS_sched_yield, [0; 6]) };
}

/// A clock in nanoseconds; 0 if there is no such clock.
pub fn clock_ns(clock: i32) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel fills `time`.
    match unsafe { call(SYS_clock_gettime, [clock as usize, &raw mut time as usize, 0, 0, 0, 0]) } {
        Ok(_) => time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64,
        Err(_) => 0,
    }
}

/// A connected SOCK_SEQPACKET socket to the abstract address `name`; never waits.
pub fn connect_abstract(name: &[u8]) -> Result<i32, Errno> {
    let mut address = libc::sockaddr_un { sun_family: libc::AF_UNIX as u16, sun_path: [0; 108] };
    let path = address.sun_path.get_mut(1..1 + name.len()).ok_or(libc::ENAMETOOLONG)?;
    for (to, from) in path.iter_mut().zip(name) {
        *to = *from as libc::c_char;
    }
    let length = core::mem::offset_of!(libc::sockaddr_un, sun_path) + 1 + name.len();
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
    // SAFETY: plain numbers.
    let fd =
        unsafe { call(SYS_socket, [libc::AF_UNIX as usize, kind as usize, 0, 0, 0, 0]) }? as i32;
    // SAFETY: the address outlives the call.
    match unsafe { call(SYS_connect, [fd as usize, &raw const address as usize, length, 0, 0, 0]) }
    {
        Ok(_) => Ok(fd),
        Err(errno) => {
            close(fd);
            Err(errno)
        }
    }
}

/// Sends a message with a descriptor attached.
pub fn send_with_descriptor(socket: i32, message: &[u8], fd: i32) -> Result<(), Errno> {
    const SPACE: usize = 24; // CMSG_SPACE(sizeof(int)) on 64-bit
    #[repr(C, align(8))]
    struct Control {
        length: usize,
        level: i32,
        kind: i32,
        fd: i32,
        padding: i32,
    }
    let mut control =
        Control { length: 20, level: libc::SOL_SOCKET, kind: libc::SCM_RIGHTS, fd, padding: 0 };
    const { assert!(size_of::<Control>() == SPACE) };
    let mut part = libc::iovec { iov_base: message.as_ptr() as *mut _, iov_len: message.len() };
    // SAFETY: an all-zero msghdr is a valid one.
    let mut header: libc::msghdr = unsafe { core::mem::zeroed() };
    header.msg_iov = &raw mut part;
    header.msg_iovlen = 1;
    header.msg_control = (&raw mut control).cast();
    header.msg_controllen = SPACE as _;
    // SAFETY: header, part and control outlive the call and say their true lengths.
    unsafe {
        call(
            SYS_sendmsg,
            [socket as usize, &raw const header as usize, libc::MSG_NOSIGNAL as usize, 0, 0, 0],
        )
    }
    .map(|_| ())
}
