//! The start: at the first event, in the constructor, or in a child of fork, the region is made and handed to the supervisor; in the
//! constructor the program's environment is made what it would be without us (see [`crate::environment`]).
//!
//! The first event may come before any constructor, and before the C library's `environ` is set. The kernel put the
//! environment on the stack before it started the loader, and the loader says where: that is read.

use crate::environment::{self, Entries, variable};
use crate::follow::{self, Kept};
use crate::{child, dispatch, exec, host, spawn};
use core::ffi::{CStr, c_char, c_int, c_void};
use memscope_capture::arch;
use memscope_capture::process::{PROCESS, Start};
use memscope_capture::sampled;
use memscope_region::hello::{
    DEFAULT_INTERVAL_BYTES, Hello, INTERVAL_VARIABLE, MODE_VARIABLE, OPTION_NO_ARGUMENTS,
    OPTION_NO_CHILDREN, OPTION_WAIT, OPTIONS_VARIABLE, SOCKET_VARIABLE,
};
use memscope_region::table::{Table, region_bytes_within};
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
        dispatch::choose(dispatch::NOT_RECORDED);
    }
}

/// Where the region goes and how it is made.
struct Orders {
    socket: &'static [u8],
    options: &'static [u8],
    granule_shift: u32,
    mode: u32,
    interval_bytes: u64,
    /// As [`Start::forked_from`].
    forked_from: u32,
}

impl Orders {
    /// Those of a program that was started.
    fn of_image(environment: Entries) -> Option<Self> {
        // SAFETY: an environment, which lives as long as the process.
        let value = |name| unsafe { variable(environment, name) }.map(CStr::to_bytes);
        // SAFETY: as above.
        let (mode, interval_bytes) = unsafe { mode(environment) };
        Some(Self {
            granule_shift: host::resolve(),
            mode,
            interval_bytes,
            socket: value(SOCKET_VARIABLE)?,
            options: value(OPTIONS_VARIABLE).unwrap_or_default(),
            forked_from: 0,
        })
    }

    /// Those of a child of fork: what was kept. The dynamic linker's lock may be held in it, by a thread that it does not
    /// have, so nothing is looked up.
    fn of_child(forked_from: u32) -> Option<Self> {
        let is_wanted = |kept: &&Kept| !kept.has_option(OPTION_NO_CHILDREN) && kept.is_free();
        let kept = Kept::get().filter(is_wanted)?;
        // An older C library is asked for modules under that lock.
        (arch::dl_find_object() != 0).then_some(())?;
        Some(Self {
            granule_shift: host::granule_shift(),
            mode: dispatch::chosen(),
            interval_bytes: sampled::gap::interval_bytes() as u64,
            socket: kept.socket(),
            options: kept.options(),
            forked_from,
        })
    }
}

fn make_region() -> Option<()> {
    // SAFETY: the kernel laid out the environment above argv, which ends with a null.
    let environment: Entries = unsafe { STACK_END.add(*STACK_END.cast::<usize>() + 2) };
    let orders = match PROCESS.leave_parent() {
        0 => Orders::of_image(environment),
        parent => Orders::of_child(parent),
    }?;
    if orders.socket.len() > NAME_BYTES {
        return None;
    }
    let region_bytes = region_bytes_within(sys::file_limit())?;
    let socket = sys::connect_abstract(orders.socket).ok()?;
    let sent = hand_over(&orders, socket, region_bytes);
    sys::close(socket);
    sent?;
    dispatch::choose(orders.mode);
    if orders.forked_from == 0 {
        // SAFETY: the program has not begun, and this is done once.
        unsafe { follow::keep(environment) };
    }
    Some(())
}

/// Makes the region and sends it through the socket.
fn hand_over(orders: &Orders, socket: i32, region_bytes: u64) -> Option<()> {
    let fd = sys::memory_file(c"memscope", region_bytes).ok()?;
    let sent = hand_over_file(orders, socket, fd);
    sys::close(fd);
    sent
}

/// Makes the region in a file and sends it.
fn hand_over_file(orders: &Orders, socket: i32, fd: i32) -> Option<()> {
    // One chunk of text is the longest command line that is kept.
    let bytes = Table::Text.rows_per_chunk() as usize;
    let buffer = sys::map_private(bytes).ok()?;
    // SAFETY: the mapping was just made, zeroed.
    let buffer_bytes = unsafe { core::slice::from_raw_parts_mut(buffer, bytes) };
    let mut length = read_whole(c"/proc/self/cmdline", buffer_bytes);
    if orders.options.contains(&OPTION_NO_ARGUMENTS) {
        let command = &buffer_bytes[..length];
        length = command.iter().position(|byte| *byte == 0).map_or(length, |end| end + 1);
    }
    let mut path = [0u8; 4096];
    let path_length = sys::read_link(c"/proc/self/exe", &mut path).unwrap_or(0);
    let options = Start {
        fd,
        granule_shift: orders.granule_shift,
        mode: orders.mode,
        interval_bytes: orders.interval_bytes,
        command: &buffer_bytes[..length],
        exe: &path[..path_length],
        forked_from: orders.forked_from,
        waiting: orders.options.contains(&OPTION_WAIT),
    };
    let started = PROCESS.start(&options);
    // SAFETY: nothing refers to the buffer any more.
    unsafe { sys::unmap(buffer, bytes) };
    let parent = if orders.forked_from == 0 { sys::parent_pid() } else { orders.forked_from };
    let hello = Hello { pid: sys::pid(), parent, version: header::VERSION };
    started.and_then(|()| sys::send_with_descriptor(socket, &hello.encode(), fd)).ok()
}

/// The mode that is asked for, and the interval. What cannot be understood is exact.
///
/// # Safety
/// As for [`variable`].
unsafe fn mode(environment: Entries) -> (u32, u64) {
    // SAFETY: the caller's promise.
    let value = |name| unsafe { variable(environment, name) }.map(CStr::to_bytes);
    match value(MODE_VARIABLE) {
        Some(b"counting") => (header::MODE_COUNTING, 0),
        Some(b"sampled") => {
            let digits = value(INTERVAL_VARIABLE).and_then(|digits| str::from_utf8(digits).ok());
            let interval = digits.and_then(|digits| digits.parse().ok()).filter(|bytes| *bytes > 0);
            (header::MODE_SAMPLED, interval.unwrap_or(DEFAULT_INTERVAL_BYTES))
        }
        _ => (header::MODE_EXACT, 0),
    }
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
    child::resolve();
    spawn::resolve();
    host::resolve_others();
    // SAFETY: constructors run before main, on the only thread.
    unsafe { environment::restore(environment) };
}

#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCT: unsafe extern "C" fn(c_int, *const *const c_char, *mut *mut c_char) = construct;

const _: () = assert!(size_of::<*const c_void>() == 8);
