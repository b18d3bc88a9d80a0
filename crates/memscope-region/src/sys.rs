//! The few system calls that the writing side makes, all of them on cold paths, none of them through libc: a hook
//! must leave `errno` alone and must not meet a lock.
//!
//! Errors are the kernel's numbers, positive.

pub mod child;

use crate::arch::syscall;
use core::ffi::{CStr, c_char};
use core::sync::atomic::AtomicU32;
use libc::{
    SYS_clock_gettime, SYS_close, SYS_connect, SYS_ftruncate, SYS_futex, SYS_getpid, SYS_gettid,
    SYS_madvise, SYS_memfd_create, SYS_mmap, SYS_mremap, SYS_munmap, SYS_openat, SYS_read,
    SYS_sched_yield, SYS_sendmsg, SYS_socket,
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

/// The size of a huge page.
pub const HUGE_PAGE_BYTES: usize = 2 << 20;

/// Fresh private memory for a table of several megabytes that is read in no order: huge pages if the system has them on
/// request, aligned to them. `bytes` is a multiple of [`HUGE_PAGE_BYTES`].
pub fn map_private_huge(bytes: usize) -> Result<*mut u8, Errno> {
    let base = map_private(bytes + HUGE_PAGE_BYTES)?;
    let before = base.align_offset(HUGE_PAGE_BYTES);
    let aligned = base.wrapping_add(before);
    // SAFETY: the ends that are not aligned belong to the mapping just made and were never used; the advice only
    // chooses the size of pages.
    unsafe {
        if before != 0 {
            unmap(base, before);
        }
        if before != HUGE_PAGE_BYTES {
            unmap(aligned.wrapping_add(bytes), HUGE_PAGE_BYTES - before);
        }
        advise(aligned, bytes, libc::MADV_HUGEPAGE);
    }
    Ok(aligned)
}

/// Fresh memory, zeroed, that a child of fork has in common with its parent.
pub fn map_shared(bytes: usize) -> Result<*mut u8, Errno> {
    let protection = (libc::PROT_READ | libc::PROT_WRITE) as usize;
    let flags = (libc::MAP_SHARED | libc::MAP_ANONYMOUS) as usize;
    // SAFETY: as above.
    unsafe { call(SYS_mmap, [0, bytes, protection, flags, usize::MAX, 0]) }
        .map(|address| address as *mut u8)
}

/// Maps `bytes` of a file shared, from `offset` on.
pub fn map_file(fd: i32, offset: u64, bytes: usize) -> Result<*mut u8, Errno> {
    let protection = (libc::PROT_READ | libc::PROT_WRITE) as usize;
    let shared = libc::MAP_SHARED as usize;
    // SAFETY: as above; the file is ours.
    unsafe { call(SYS_mmap, [0, bytes, protection, shared, fd as usize, offset as usize]) }
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
pub fn memory_file(name: &CStr, bytes: u64) -> Result<i32, Errno> {
    // SAFETY: the name is a C string.
    let fd = unsafe {
        call(SYS_memfd_create, [name.as_ptr() as usize, libc::MFD_CLOEXEC as usize, 0, 0, 0, 0])
    }?;
    lengthen(fd as i32, bytes)
}

/// Gives a file of ours its length; closes it if that cannot be.
fn lengthen(fd: i32, bytes: u64) -> Result<i32, Errno> {
    // SAFETY: the descriptor is the caller's.
    let result = unsafe { call(SYS_ftruncate, [fd as usize, bytes as usize, 0, 0, 0, 0]) };
    if result.is_err() {
        close(fd);
    }
    result.map(|_| fd)
}

/// A new sparse file of `bytes` under a name, closed on exec, its owner's alone. What was there by that name is gone,
/// but not what others still have open or mapped of it.
pub fn named_file(path: &CStr, bytes: u64) -> Result<i32, Errno> {
    let (folder, name) = (libc::AT_FDCWD as usize, path.as_ptr() as usize);
    let flags = (libc::O_RDWR | libc::O_CREAT | libc::O_EXCL | libc::O_CLOEXEC) as usize;
    // SAFETY: the path is a C string.
    let fd = unsafe {
        let _ = call(libc::SYS_unlinkat, [folder, name, 0, 0, 0, 0]);
        call(SYS_openat, [folder, name, flags, 0o600, 0, 0])
    }?;
    let result = lengthen(fd as i32, bytes);
    if result.is_err() {
        // SAFETY: as above; the file is the one just made.
        let _ = unsafe { call(libc::SYS_unlinkat, [folder, name, 0, 0, 0, 0]) };
    }
    result
}

/// Another descriptor of the same file, closed on exec, numbered `least` or above.
pub fn duplicate(fd: i32, least: i32) -> Result<i32, Errno> {
    let command = libc::F_DUPFD_CLOEXEC as usize;
    // SAFETY: a new descriptor harms nobody.
    unsafe { call(libc::SYS_fcntl, [fd as usize, command, least as usize, 0, 0, 0]) }
        .map(|fd| fd as i32)
}

/// What tells a file from all others: its device and its number there.
pub fn identity(fd: i32) -> Result<(u64, u64), Errno> {
    // SAFETY: all-zero bytes are a valid stat, and the kernel fills it.
    unsafe {
        let mut status: libc::stat = core::mem::zeroed();
        call(libc::SYS_fstat, [fd as usize, &raw mut status as usize, 0, 0, 0, 0])?;
        Ok((status.st_dev, status.st_ino))
    }
}

/// Closes a descriptor of ours.
pub fn close(fd: i32) {
    // SAFETY: callers pass descriptors that they opened themselves.
    let _ = unsafe { call(SYS_close, [fd as usize, 0, 0, 0, 0, 0]) };
}

/// Opens a file for reading, closed on exec.
pub fn open(path: &CStr) -> Result<i32, Errno> {
    let flags = (libc::O_RDONLY | libc::O_CLOEXEC) as usize;
    // SAFETY: the path is a C string.
    unsafe { call(SYS_openat, [libc::AT_FDCWD as usize, path.as_ptr() as usize, flags, 0, 0, 0]) }
        .map(|fd| fd as i32)
}

/// Opens the file that an execution of `path`, seen from the folder `folder`, would read; closed on exec. Never waits,
/// whatever kind of file it is. `follow`: where a link leads rather than the link.
///
/// The kernel looks at the pointer: a bad one is an error like others.
pub fn open_program(folder: i32, path: *const c_char, follow: bool) -> Result<i32, Errno> {
    let links = if follow { 0 } else { libc::O_NOFOLLOW };
    let flags =
        (libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NONBLOCK | libc::O_NOCTTY | links) as usize;
    // SAFETY: the kernel only reads the path, and checks where it lies.
    unsafe { call(SYS_openat, [folder as usize, path as usize, flags, 0, 0, 0]) }
        .map(|fd| fd as i32)
}

/// Reads up to `buffer.len()` bytes from `offset` on; the descriptor's own position stays.
pub fn read_at(fd: i32, buffer: &mut [u8], offset: u64) -> Result<usize, Errno> {
    let (at, length) = (buffer.as_mut_ptr() as usize, buffer.len());
    // SAFETY: the kernel writes at most the buffer's length into it.
    unsafe { call(libc::SYS_pread64, [fd as usize, at, length, offset as usize, 0, 0]) }
}

/// What an open file is.
pub fn status(fd: i32) -> Result<libc::stat, Errno> {
    // SAFETY: all-zero bytes are a valid stat.
    let mut status: libc::stat = unsafe { core::mem::zeroed() };
    // SAFETY: the kernel fills `status`.
    unsafe { call(libc::SYS_fstat, [fd as usize, &raw mut status as usize, 0, 0, 0, 0]) }
        .map(|_| status)
}

/// Whether the file gives capabilities to those who execute it.
pub fn has_capabilities(fd: i32) -> bool {
    let name = c"security.capability".as_ptr() as usize;
    // SAFETY: asked for its size only, the kernel writes nothing.
    unsafe { call(libc::SYS_fgetxattr, [fd as usize, name, 0, 0, 0, 0]) }.is_ok_and(|size| size > 0)
}

/// Whether the file can be executed by the process's real user.
pub fn is_executable(path: &CStr) -> bool {
    let (at, path) = (libc::AT_FDCWD as usize, path.as_ptr() as usize);
    // SAFETY: the path is a C string.
    unsafe { call(libc::SYS_faccessat, [at, path, libc::X_OK as usize, 0, 0, 0]) }.is_ok()
}

/// The real user and group, if the process acts as they and not as others.
pub fn own_user_and_group() -> Option<(u32, u32)> {
    let id = |number| {
        // SAFETY: no arguments.
        unsafe { syscall(number, [0; 6]) as u32 }
    };
    let (user, group) = (id(libc::SYS_getuid), id(libc::SYS_getgid));
    (user == id(libc::SYS_geteuid) && group == id(libc::SYS_getegid)).then_some((user, group))
}

/// Whether a filter restricts the system calls of this thread.
pub fn is_confined() -> bool {
    // SAFETY: plain numbers.
    let mode = unsafe { call(libc::SYS_prctl, [libc::PR_GET_SECCOMP as usize, 0, 0, 0, 0, 0]) };
    mode != Ok(0)
}

/// Reads up to `buffer.len()` bytes.
pub fn read(fd: i32, buffer: &mut [u8]) -> Result<usize, Errno> {
    // SAFETY: the kernel writes at most the buffer's length into it.
    unsafe { call(SYS_read, [fd as usize, buffer.as_mut_ptr() as usize, buffer.len(), 0, 0, 0]) }
}

/// Writes as much as the file takes at once; how much that was.
pub fn write(fd: i32, bytes: &[u8]) -> Result<usize, Errno> {
    // SAFETY: the kernel reads at most the length of the bytes.
    unsafe { call(libc::SYS_write, [fd as usize, bytes.as_ptr() as usize, bytes.len(), 0, 0, 0]) }
}

/// The process's id.
pub fn pid() -> u32 {
    // SAFETY: no arguments.
    unsafe { syscall(SYS_getpid, [0; 6]) as u32 }
}

/// The id of the process's parent.
pub fn parent_pid() -> u32 {
    // SAFETY: no arguments.
    unsafe { syscall(libc::SYS_getppid, [0; 6]) as u32 }
}

/// The calling thread's id.
pub fn tid() -> u32 {
    // SAFETY: no arguments.
    unsafe { syscall(SYS_gettid, [0; 6]) as u32 }
}

/// How often a wait only lets others run, before it sleeps.
const YIELDS: u32 = 100;

/// How long it sleeps at a time, in nanoseconds.
const SLEEP_NS: i64 = 200_000;

/// Waits a little for a flag that another thread has set to 1; `tries` is how often the caller has waited. Whoever holds the
/// flag may not be running, and yielding alone may never let it: so before long the wait is a short sleep.
pub fn wait_for_flag(flag: &AtomicU32, tries: u32) {
    if tries < YIELDS {
        // SAFETY: no arguments.
        unsafe { syscall(SYS_sched_yield, [0; 6]) };
        return;
    }
    let time = libc::timespec { tv_sec: 0, tv_nsec: SLEEP_NS };
    let (word, wait) = (flag.as_ptr() as usize, libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG);
    // Nobody wakes it: the time is short. A futex, because filters of system calls forbid it least.
    // SAFETY: the kernel compares the word with 1 and reads the time.
    unsafe { syscall(SYS_futex, [word, wait as usize, 1, &raw const time as usize, 0, 0]) };
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

/// How long a connection waits for a listener that does not listen, in seconds.
const PATIENCE_SECONDS: i64 = 5;

/// How often a connection is tried again after a signal.
const CONNECT_TRIES: u32 = 100;

/// A connected SOCK_SEQPACKET socket to the abstract address `name`. Waits while the listener's backlog is full, a few
/// seconds at most.
pub fn connect_abstract(name: &[u8]) -> Result<i32, Errno> {
    let mut address = libc::sockaddr_un { sun_family: libc::AF_UNIX as u16, sun_path: [0; 108] };
    let path = address.sun_path.get_mut(1..1 + name.len()).ok_or(libc::ENAMETOOLONG)?;
    for (to, from) in path.iter_mut().zip(name) {
        *to = *from as c_char;
    }
    let length = core::mem::offset_of!(libc::sockaddr_un, sun_path) + 1 + name.len();
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
    // SAFETY: plain numbers.
    let fd =
        unsafe { call(SYS_socket, [libc::AF_UNIX as usize, kind as usize, 0, 0, 0, 0]) }? as i32;
    let patience = libc::timeval { tv_sec: PATIENCE_SECONDS, tv_usec: 0 };
    let (level, option) = (libc::SOL_SOCKET as usize, libc::SO_SNDTIMEO as usize);
    let (place, bytes) = (&raw const patience as usize, size_of::<libc::timeval>());
    // SAFETY: the value outlives the call. Without it there is no bound, which a kernel always has.
    let _ = unsafe { call(libc::SYS_setsockopt, [fd as usize, level, option, place, bytes, 0]) };
    for _ in 0..CONNECT_TRIES {
        let place = &raw const address as usize;
        // SAFETY: the address outlives the call.
        match unsafe { call(SYS_connect, [fd as usize, place, length, 0, 0, 0]) } {
            Ok(_) => return Ok(fd),
            Err(libc::EINTR) => {}
            Err(errno) => {
                close(fd);
                return Err(errno);
            }
        }
    }
    close(fd);
    Err(libc::EINTR)
}

/// Sends a message made of two parts.
pub fn send(socket: i32, head: &[u8], rest: &[u8]) -> Result<(), Errno> {
    let part = |bytes: &[u8]| libc::iovec {
        iov_base: bytes.as_ptr().cast_mut().cast(),
        iov_len: bytes.len(),
    };
    let mut parts = [part(head), part(rest)];
    // SAFETY: an all-zero msghdr is a valid one.
    let mut header: libc::msghdr = unsafe { core::mem::zeroed() };
    header.msg_iov = parts.as_mut_ptr();
    header.msg_iovlen = parts.len() as _;
    let (place, flags) = (&raw const header as usize, libc::MSG_NOSIGNAL as usize);
    // SAFETY: header and parts outlive the call and say their true lengths.
    unsafe { call(SYS_sendmsg, [socket as usize, place, flags, 0, 0, 0]) }.map(|_| ())
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

/// The calling thread's name, at most 15 bytes and a zero.
pub fn thread_name(name: &mut [u8; 16]) {
    // SAFETY: the kernel writes 16 bytes into the buffer.
    let _ = unsafe {
        call(libc::SYS_prctl, [libc::PR_GET_NAME as usize, name.as_mut_ptr() as usize, 0, 0, 0, 0])
    };
}

fn limit(resource: u32) -> u64 {
    let mut limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the kernel fills `limit`; there is no new one.
    let _ = unsafe {
        call(libc::SYS_prlimit64, [0, resource as usize, 0, &raw mut limit as usize, 0, 0])
    };
    limit.rlim_cur
}

/// How far the main thread's stack may grow, in bytes.
pub fn stack_limit() -> u64 {
    limit(libc::RLIMIT_STACK)
}

/// How large a file may become, in bytes.
pub fn file_limit() -> u64 {
    limit(libc::RLIMIT_FSIZE)
}

/// The mapping that covers an address: its first address and one past its last.
///
/// Linux 6.11 answers by an ioctl on /proc/self/maps (3.5 µs); before, the file is read.
pub fn mapping_of(address: usize) -> Option<(usize, usize)> {
    find_mapping(address, false)
}

/// The same if the mapping can be read and written and is private, as a stack is. (To read a shared file's mapping beyond
/// the file's end would be fatal.)
pub fn writable_mapping_of(address: usize) -> Option<(usize, usize)> {
    find_mapping(address, true)
}

fn find_mapping(address: usize, is_writable: bool) -> Option<(usize, usize)> {
    /// `struct procmap_query` of linux/fs.h.
    #[repr(C)]
    struct Query {
        size: u64,
        flags: u64,
        address: u64,
        start: u64,
        end: u64,
        rest: [u64; 8],
    }
    const PROCMAP_QUERY: usize = 0xc068_6611;
    /// `PROCMAP_QUERY_VMA_READABLE | PROCMAP_QUERY_VMA_WRITABLE`: others are not found.
    const READABLE_AND_WRITABLE: u64 = 3;
    /// `PROCMAP_QUERY_VMA_SHARED`, in the answer's flags, which come first in `rest`.
    const SHARED: u64 = 8;
    let fd = open(c"/proc/self/maps").ok()?;
    let mut query = Query {
        size: size_of::<Query>() as u64,
        flags: if is_writable { READABLE_AND_WRITABLE } else { 0 },
        address: address as u64,
        start: 0,
        end: 0,
        rest: [0; 8],
    };
    const { assert!(size_of::<Query>() == 104) };
    // SAFETY: the query says its own size, and the kernel writes no more.
    let asked = unsafe {
        call(libc::SYS_ioctl, [fd as usize, PROCMAP_QUERY, &raw mut query as usize, 0, 0, 0])
    };
    let found = match asked {
        Ok(_) if is_writable && query.rest[0] & SHARED != 0 => None,
        Ok(_) => Some((query.start as usize, query.end as usize)),
        Err(libc::ENOENT) => None,
        Err(_) => mapping_in_text(fd, address, is_writable),
    };
    close(fd);
    found.filter(|(low, high)| (*low..*high).contains(&address))
}

/// The same from the text of /proc/self/maps, whose lines begin with `low-high rwxp `, read from a descriptor's place on.
pub fn mapping_in_text(fd: i32, address: usize, is_writable: bool) -> Option<(usize, usize)> {
    let mut buffer = [0u8; 1024];
    // Where in a line we are: the first number, the second, the rest; then, one by one, the
    // permissions in the line that is looked for.
    let (mut place, mut low, mut number) = (0, 0usize, 0usize);
    loop {
        let count = read(fd, &mut buffer).ok().filter(|count| *count != 0)?;
        for &byte in &buffer[..count] {
            match (place, byte) {
                (_, b'\n') => (place, number) = (0, 0),
                (0, b'-') => (place, low, number) = (1, number, 0),
                (1, b' ') => {
                    place = match (low..number).contains(&address) {
                        true if !is_writable => return Some((low, number)),
                        true => 3,
                        false => 2,
                    };
                }
                (3, b'r') => place = 4,
                (4, b'w') => place = 5,
                (5, b'-' | b'x') => place = 6,
                (6, b'p') => return Some((low, number)),
                (3.., _) => return None,
                (0 | 1, _) => number = number << 4 | (byte as char).to_digit(16)? as usize,
                _ => {}
            }
        }
    }
}

/// Reads where a symbolic link leads; returns how much of the buffer it filled.
pub fn read_link(path: &CStr, buffer: &mut [u8]) -> Result<usize, Errno> {
    let (at, path) = (libc::AT_FDCWD as usize, path.as_ptr() as usize);
    // SAFETY: the path is a C string, and the kernel writes at most the buffer's length into it.
    unsafe {
        call(libc::SYS_readlinkat, [at, path, buffer.as_mut_ptr() as usize, buffer.len(), 0, 0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kernels before 6.11 answer by the text alone.
    #[test]
    fn the_text_of_the_mappings_says_what_the_kernel_answers() {
        let on_stack = 7_u32;
        let code = the_text_of_the_mappings_says_what_the_kernel_answers as fn() as usize;
        let file = memory_file(c"shared", PAGE_BYTES as u64).expect("a file");
        let shared = map_file(file, 0, PAGE_BYTES).expect("a mapping") as usize;
        close(file);
        for address in [&raw const on_stack as usize, code, shared, 0] {
            for is_writable in [false, true] {
                let fd = open(c"/proc/self/maps").expect("the list");
                let by_text = mapping_in_text(fd, address, is_writable);
                close(fd);
                assert_eq!(
                    by_text,
                    find_mapping(address, is_writable),
                    "{address:x} {is_writable}"
                );
            }
        }
    }
}
