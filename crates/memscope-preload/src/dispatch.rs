//! Which bodies the hooks have: those of the mode.
//!
//! The stubs of the functions that are called all the time jump through a pointer each, which is set when the mode is known;
//! so no mode pays for another, and a program that is not recorded pays for a jump. Before that the pointers lead to
//! bodies that start recording and then do what the mode wants. The other functions look at the mode when they are called.
//!
//! Invariant: a body of one mode never runs on a region of another.

use crate::host::{self, Behind, Chunks};
use core::arch::naked_asm;
use core::ffi::{c_int, c_void};
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use memscope_capture::arch::Entry;
use memscope_capture::hooks::{self, Host, RawBlock};
use memscope_capture::process::{BLANK, PROCESS, STARTING};
use memscope_capture::{counting, sampled};
use memscope_region::header::{MODE_COUNTING, MODE_EXACT, MODE_SAMPLED};

/// Counting, where sizes can be read from the C library's chunks.
const COUNTING_CHUNKS: u32 = u32::MAX - 2;

/// The process is not recorded.
pub(crate) const NOT_RECORDED: u32 = u32::MAX - 1;

/// The region is not there yet.
const UNDECIDED: u32 = u32::MAX;

static MODE: AtomicU32 = AtomicU32::new(UNDECIDED);

/// Puts the bodies of a mode in place.
pub(crate) fn choose(mode: u32) {
    let mode = match mode {
        MODE_COUNTING if host::are_chunks_known() => COUNTING_CHUNKS,
        mode => mode,
    };
    // ORDERING: relaxed; what the bodies read is published by the process.
    MODE.store(mode, Ordering::Relaxed);
    malloc::put(mode);
    calloc::put(mode);
    realloc::put(mode);
    free::put(mode);
}

/// The mode that was chosen, as the region's header has it.
pub(crate) fn chosen() -> u32 {
    // ORDERING: relaxed, as above.
    match MODE.load(Ordering::Relaxed) {
        COUNTING_CHUNKS => MODE_COUNTING,
        mode @ (MODE_SAMPLED | MODE_COUNTING) => mode,
        _ => MODE_EXACT,
    }
}

/// The mode, after recording was started if it can be.
#[cold]
#[inline(never)]
fn decide() -> u32 {
    if PROCESS.state() == BLANK {
        Behind::start();
    }
    // ORDERING: relaxed, as above.
    let mode = MODE.load(Ordering::Relaxed);
    if mode == UNDECIDED && PROCESS.state() == STARTING {
        PROCESS.note_early_event();
    }
    mode
}

/// The mode of a function that has one body for all.
#[inline(always)]
fn mode() -> u32 {
    // ORDERING: relaxed, as above.
    match MODE.load(Ordering::Relaxed) {
        UNDECIDED => decide(),
        mode => mode,
    }
}

/// Defines a hooked function: its stub, which notes the state at entry in the registers that the arguments leave free and
/// jumps through the pointer, and a body for each mode.
macro_rules! dispatched {
    ($($name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?, $sp:literal, $rbp:literal, $entry:ident {
        exact: $exact:expr,
        sampled: $sampled:expr,
        counting: $counting:expr,
        chunks: $chunks:expr,
        none: $none:expr,
    })*) => {
        $(
            /// The stub, the bodies and the pointer to the mode's.
            mod $name {
                use super::*;

                static BODY: AtomicPtr<c_void> = AtomicPtr::new(first as *mut c_void);

                #[doc = concat!("`", stringify!($name), "`.")]
                #[unsafe(naked)]
                #[unsafe(no_mangle)]
                unsafe extern "C" fn $name() {
                    naked_asm!(
                        // A signal may come in between; what it interrupted can be unwound.
                        ".cfi_startproc",
                        concat!("mov ", $sp, ", rsp"),
                        concat!("mov ", $rbp, ", rbp"),
                        "jmp qword ptr [rip + {body}]",
                        ".cfi_endproc",
                        body = sym BODY,
                    )
                }

                unsafe extern "C" fn exact($($argument: $type,)* sp: usize, rbp: usize) $(-> $result)? {
                    let $entry = Entry { sp, rbp };
                    // SAFETY: called by the stub only, with the state at its entry; so are the others.
                    unsafe { $exact }
                }

                unsafe extern "C" fn sampled($($argument: $type,)* sp: usize, rbp: usize) $(-> $result)? {
                    let $entry = Entry { sp, rbp };
                    // SAFETY: as above.
                    unsafe { $sampled }
                }

                unsafe extern "C" fn counting($($argument: $type),*) $(-> $result)? {
                    // SAFETY: as above.
                    unsafe { $counting }
                }

                unsafe extern "C" fn counting_chunks($($argument: $type),*) $(-> $result)? {
                    // SAFETY: as above.
                    unsafe { $chunks }
                }

                unsafe extern "C" fn none($($argument: $type),*) $(-> $result)? {
                    // SAFETY: as above.
                    unsafe { $none }
                }

                unsafe extern "C" fn first($($argument: $type,)* sp: usize, rbp: usize) $(-> $result)? {
                    // SAFETY: as above.
                    unsafe {
                        match decide() {
                            MODE_EXACT => exact($($argument,)* sp, rbp),
                            MODE_SAMPLED => sampled($($argument,)* sp, rbp),
                            MODE_COUNTING => counting($($argument),*),
                            COUNTING_CHUNKS => counting_chunks($($argument),*),
                            _ => none($($argument),*),
                        }
                    }
                }

                pub(super) fn put(mode: u32) {
                    let body = match mode {
                        MODE_EXACT => exact as *mut c_void,
                        MODE_SAMPLED => sampled as *mut c_void,
                        MODE_COUNTING => counting as *mut c_void,
                        COUNTING_CHUNKS => counting_chunks as *mut c_void,
                        _ => none as *mut c_void,
                    };
                    // ORDERING: relaxed; code needs no publishing.
                    BODY.store(body, Ordering::Relaxed);
                }
            }
        )*
    };
}

dispatched! {
    malloc(size: usize) -> RawBlock, "rsi", "rdx", entry {
        exact: hooks::malloc::<Behind>(size, entry),
        sampled: sampled::hooks::malloc::<Behind>(size, entry),
        counting: counting::malloc::<Behind>(size),
        chunks: counting::malloc::<Chunks>(size),
        none: Behind::malloc(size),
    }
    calloc(count: usize, size: usize) -> RawBlock, "rdx", "rcx", entry {
        exact: hooks::calloc::<Behind>(count, size, entry),
        sampled: sampled::hooks::calloc::<Behind>(count, size, entry),
        counting: counting::calloc::<Behind>(count, size),
        chunks: counting::calloc::<Chunks>(count, size),
        none: Behind::calloc(count, size),
    }
    realloc(block: RawBlock, size: usize) -> RawBlock, "rdx", "rcx", entry {
        exact: hooks::realloc::<Behind>(block, size, entry),
        sampled: sampled::hooks::realloc::<Behind>(block, size, entry),
        counting: counting::realloc::<Behind>(block, size),
        chunks: counting::realloc::<Chunks>(block, size),
        none: Behind::realloc(block, size),
    }
}

/// `free`, which needs no stack: the same without a state at entry.
mod free {
    use super::*;

    static BODY: AtomicPtr<c_void> = AtomicPtr::new(first as *mut c_void);

    /// `free`.
    #[unsafe(naked)]
    #[unsafe(no_mangle)]
    unsafe extern "C" fn free() {
        naked_asm!(
            ".cfi_startproc",
            "jmp qword ptr [rip + {body}]",
            ".cfi_endproc",
            body = sym BODY,
        )
    }

    unsafe extern "C" fn exact(block: RawBlock) {
        // SAFETY: called by the stub only, so as the C function; so are the others.
        unsafe { hooks::free::<Behind>(block) }
    }

    unsafe extern "C" fn sampled(block: RawBlock) {
        // SAFETY: as above.
        unsafe { sampled::hooks::free::<Behind>(block) }
    }

    unsafe extern "C" fn counting(block: RawBlock) {
        // SAFETY: as above.
        unsafe { counting::free::<Behind>(block) }
    }

    unsafe extern "C" fn counting_chunks(block: RawBlock) {
        // SAFETY: as above.
        unsafe { counting::free::<Chunks>(block) }
    }

    unsafe extern "C" fn none(block: RawBlock) {
        // SAFETY: as above.
        unsafe { Behind::free(block) }
    }

    #[cold]
    unsafe extern "C" fn first(block: RawBlock) {
        // SAFETY: as above. It decides.
        unsafe { release(block) }
    }

    pub(super) fn put(mode: u32) {
        let body = match mode {
            MODE_EXACT => exact as *mut c_void,
            MODE_SAMPLED => sampled as *mut c_void,
            MODE_COUNTING => counting as *mut c_void,
            COUNTING_CHUNKS => counting_chunks as *mut c_void,
            _ => none as *mut c_void,
        };
        // ORDERING: relaxed, as above.
        BODY.store(body, Ordering::Relaxed);
    }
}

/// A `realloc` whose stub was another's.
///
/// # Safety
/// As for the C function; `sp` and `rbp` are the state at the stub's entry.
pub(crate) unsafe fn reallocate(block: RawBlock, size: usize, entry: Entry) -> RawBlock {
    // SAFETY: passed on.
    unsafe {
        match mode() {
            MODE_EXACT => hooks::realloc::<Behind>(block, size, entry),
            MODE_SAMPLED => sampled::hooks::realloc::<Behind>(block, size, entry),
            MODE_COUNTING => counting::realloc::<Behind>(block, size),
            COUNTING_CHUNKS => counting::realloc::<Chunks>(block, size),
            _ => Behind::realloc(block, size),
        }
    }
}

/// A `free` whose stub was another's.
///
/// # Safety
/// As for the C function.
pub(crate) unsafe fn release(block: RawBlock) {
    // SAFETY: passed on.
    unsafe {
        match mode() {
            MODE_EXACT => hooks::free::<Behind>(block),
            MODE_SAMPLED => sampled::hooks::free::<Behind>(block),
            MODE_COUNTING => counting::free::<Behind>(block),
            COUNTING_CHUNKS => counting::free::<Chunks>(block),
            _ => Behind::free(block),
        }
    }
}

/// A function that returns an aligned block of `size` bytes, or null; `call` calls the real one.
///
/// # Safety
/// As for the C functions; `entry` is the state at the stub's.
pub(crate) unsafe fn aligned(
    size: usize,
    entry: Entry,
    call: impl FnOnce() -> RawBlock,
) -> RawBlock {
    // SAFETY: passed on.
    unsafe {
        match mode() {
            MODE_EXACT => hooks::aligned::<Behind>(size, entry, call),
            MODE_SAMPLED => sampled::hooks::aligned::<Behind>(size, entry, call),
            MODE_COUNTING => counting::aligned::<Behind>(size, call),
            COUNTING_CHUNKS => counting::aligned::<Chunks>(size, call),
            _ => call(),
        }
    }
}

/// `posix_memalign`; `call` calls the real function, which stores to `place`.
///
/// # Safety
/// See [`aligned`].
pub(crate) unsafe fn posix_memalign(
    place: *mut RawBlock,
    size: usize,
    entry: Entry,
    call: impl FnOnce() -> c_int,
) -> c_int {
    // SAFETY: passed on.
    unsafe {
        match mode() {
            MODE_EXACT => hooks::posix_memalign::<Behind>(place, size, entry, call),
            MODE_SAMPLED => sampled::hooks::posix_memalign::<Behind>(place, size, entry, call),
            MODE_COUNTING => counting::posix_memalign::<Behind>(place, size, call),
            COUNTING_CHUNKS => counting::posix_memalign::<Chunks>(place, size, call),
            _ => call(),
        }
    }
}
