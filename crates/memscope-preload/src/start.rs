//! The start: at the first event, or in the constructor, the region is made and handed to the supervisor; in the
//! constructor the program's environment is made what it would be without us (see [`crate::environment`]).
//!
//! The first event may come before any constructor, and before the C library's `environ` is set. The kernel put the
//! environment on the stack before it started the loader, and the loader says where: that is read.

use crate::environment::{self, Entries, variable};
use crate::{exec, host};
use core::ffi::{CStr, c_char, c_int, c_void};
use memscope_capture::process::{PROCESS, Start};
use memscope_region::hello::{Hello, SOCKET_VARIABLE};
use memscope_region::table::{REGION_BYTES, Table};
use memscope_region::{header, sys};

unsafe extern "C" {
    /// Where the process's arguments lie: argc, argv, null, environment, null.
    #[link_name = "__libc_stack_end"]
    static STACK_END: *const *const c_char;
}

/// Longest abstract socket name.
const NAME_BYTES: usize = 107;

/// Starts recording, if `memscope run` is there to receive the region.
#[cold]
#[inline(never)]
pub(crate) fn start() {
    if !PROCESS.claim_start() {
        return;
    }
    if make_region().is_none() {
        PROCESS.give_up();
    }
}

fn make_region() -> Option<()> {
    let granule_shift = host::resolve();
    // SAFETY: the kernel laid out the environment above argv, which ends with a null.
    let environment: Entries = unsafe { STACK_END.add(*STACK_END.cast::<usize>() + 2) };
    // SAFETY: an environment, which lives as long as the process.
    let name = unsafe { variable(environment, SOCKET_VARIABLE) }?.to_bytes();
    if name.len() > NAME_BYTES || sys::file_limit() < REGION_BYTES {
        return None;
    }
    let socket = sys::connect_abstract(name).ok()?;
    let sent = (|| {
        let fd = sys::memory_file(c"memscope", REGION_BYTES).ok()?;
        // One chunk of text is the longest command line that is kept.
        let bytes = Table::Text.rows_per_chunk() as usize;
        let buffer = sys::map_private(bytes).ok()?;
        // SAFETY: the mapping was just made, zeroed.
        let buffer_bytes = unsafe { core::slice::from_raw_parts_mut(buffer, bytes) };
        let length = read_whole(c"/proc/self/cmdline", buffer_bytes);
        let mut path = [0u8; 4096];
        let path_length = sys::read_link(c"/proc/self/exe", &mut path).unwrap_or(0);
        let options = Start {
            fd,
            granule_shift,
            command: &buffer_bytes[..length],
            exe: &path[..path_length],
        };
        let started = PROCESS.start(&options);
        // SAFETY: nothing refers to the buffer any more.
        unsafe { sys::unmap(buffer, bytes) };
        let hello = Hello { pid: sys::pid(), version: header::VERSION };
        let sent = started.and_then(|()| sys::send_with_descriptor(socket, &hello.encode(), fd));
        sys::close(fd);
        sent.ok()
    })();
    sys::close(socket);
    sent?;
    // SAFETY: the program has not begun, and this is done once.
    unsafe { exec::keep(environment) };
    Some(())
}

/// Reads a file from its start; returns how much of the buffer it filled.
fn read_whole(path: &CStr, buffer: &mut [u8]) -> usize {
    let Ok(fd) = sys::open(path) else { return 0 };
    let mut length = 0;
    while length < buffer.len() {
        match sys::read(fd, &mut buffer[length..]) {
            Ok(0) | Err(_) => break,
            Ok(count) => length += count,
        }
    }
    sys::close(fd);
    length
}

/// The constructor: the loader passes the arguments and the environment.
unsafe extern "C" fn construct(
    _argc: c_int,
    _argv: *const *const c_char,
    environment: *mut *mut c_char,
) {
    start();
    exec::resolve();
    host::resolve_others();
    // SAFETY: constructors run before main, on the only thread.
    unsafe { environment::restore(environment) };
}

#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCT: unsafe extern "C" fn(c_int, *const *const c_char, *mut *mut c_char) = construct;

const _: () = assert!(size_of::<*const c_void>() == 8);
