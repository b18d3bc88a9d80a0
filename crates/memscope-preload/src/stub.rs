//! The hooked symbols.
//!
//! A stub notes the state at entry (rsp, and rbp, which is still the caller's) behind the C arguments and jumps to
//! its body, so that the walk begins at the caller: no frame of ours is ever on it. The four functions that are called
//! all the time have a body for each mode; their stubs stand in [`crate::dispatch`].

use crate::behind::behind;
use crate::{dispatch, host};
use core::arch::naked_asm;
use core::ffi::{c_int, c_void};
use memscope_capture::arch::Entry;
use memscope_capture::hooks::RawBlock;
use memscope_capture::process::PROCESS;

/// Each hooked symbol with the registers that its C arguments leave free for the entry, and its body.
macro_rules! hook {
    ($($(#[$doc:meta])* $name:ident, $sp:literal, $rbp:literal => $body:ident;)*) => {
        $(
            $(#[$doc])*
            #[unsafe(naked)]
            #[unsafe(no_mangle)]
            unsafe extern "C" fn $name() {
                naked_asm!(
                    // A signal may come in between; what it interrupted can be unwound.
                    ".cfi_startproc",
                    concat!("mov ", $sp, ", rsp"),
                    concat!("mov ", $rbp, ", rbp"),
                    "jmp {body}",
                    ".cfi_endproc",
                    body = sym $body,
                )
            }
        )*
    };
}

hook! {
    reallocarray, "rcx", "r8" => reallocarray_body;
    posix_memalign, "rcx", "r8" => posix_memalign_body;
    aligned_alloc, "rdx", "rcx" => aligned_alloc_body;
    memalign, "rdx", "rcx" => memalign_body;
    valloc, "rsi", "rdx" => valloc_body;
    pvalloc, "rsi", "rdx" => pvalloc_body;
}

unsafe extern "C" fn reallocarray_body(
    block: RawBlock,
    count: usize,
    size: usize,
    sp: usize,
    rbp: usize,
) -> RawBlock {
    // A product that overflows is a request that no allocator grants; it fails, and is counted, like any other.
    // SAFETY: as above.
    unsafe { dispatch::reallocate(block, count.saturating_mul(size), Entry { sp, rbp }) }
}

/// The error number of a function that does not exist here (EINVAL, as for a bad alignment).
const EINVAL: c_int = 22;

unsafe extern "C" fn posix_memalign_body(
    place: *mut RawBlock,
    alignment: usize,
    size: usize,
    sp: usize,
    rbp: usize,
) -> c_int {
    let allocate = || {
        behind!(
            host::POSIX_MEMALIGN,
            fn(*mut RawBlock, usize, usize) -> c_int,
            (place, alignment, size),
            EINVAL
        )
    };
    // SAFETY: as above.
    unsafe { dispatch::posix_memalign(place, size, Entry { sp, rbp }, allocate) }
}

unsafe extern "C" fn aligned_alloc_body(
    alignment: usize,
    size: usize,
    sp: usize,
    rbp: usize,
) -> RawBlock {
    let missing = core::ptr::null_mut();
    let allocate =
        || behind!(host::ALIGNED_ALLOC, fn(usize, usize) -> RawBlock, (alignment, size), missing);
    // SAFETY: as above.
    unsafe { dispatch::aligned(size, Entry { sp, rbp }, allocate) }
}

unsafe extern "C" fn memalign_body(
    alignment: usize,
    size: usize,
    sp: usize,
    rbp: usize,
) -> RawBlock {
    let missing = core::ptr::null_mut();
    let allocate =
        || behind!(host::MEMALIGN, fn(usize, usize) -> RawBlock, (alignment, size), missing);
    // SAFETY: as above.
    unsafe { dispatch::aligned(size, Entry { sp, rbp }, allocate) }
}

unsafe extern "C" fn valloc_body(size: usize, sp: usize, rbp: usize) -> RawBlock {
    let allocate = || behind!(host::VALLOC, fn(usize) -> RawBlock, (size), core::ptr::null_mut());
    // SAFETY: as above.
    unsafe { dispatch::aligned(size, Entry { sp, rbp }, allocate) }
}

unsafe extern "C" fn pvalloc_body(size: usize, sp: usize, rbp: usize) -> RawBlock {
    let allocate = || behind!(host::PVALLOC, fn(usize) -> RawBlock, (size), core::ptr::null_mut());
    // SAFETY: as above.
    unsafe { dispatch::aligned(size, Entry { sp, rbp }, allocate) }
}

/// `free_sized` of C23.
///
/// # Safety
/// As for the C function.
#[unsafe(no_mangle)]
unsafe extern "C" fn free_sized(block: RawBlock, _size: usize) {
    // SAFETY: the caller's promise. The standard lets free take its place.
    unsafe { dispatch::release(block) }
}

/// `free_aligned_sized` of C23.
///
/// # Safety
/// As for the C function.
#[unsafe(no_mangle)]
unsafe extern "C" fn free_aligned_sized(block: RawBlock, _alignment: usize, _size: usize) {
    // SAFETY: the caller's promise. The standard lets free take its place.
    unsafe { dispatch::release(block) }
}

/// `malloc_usable_size`: an event of no kind, answered by the allocator behind. It stands here so that the answer comes
/// from the same allocator as the block, whatever other library has a function of this name.
///
/// # Safety
/// As for the C function.
#[unsafe(no_mangle)]
unsafe extern "C" fn malloc_usable_size(block: RawBlock) -> usize {
    behind!(host::MALLOC_USABLE_SIZE, fn(RawBlock) -> usize, (block), 0)
}

/// `dlclose`: after it, what was known of the code that went away no longer holds.
///
/// # Safety
/// As for the C function.
#[unsafe(no_mangle)]
unsafe extern "C" fn dlclose(handle: *mut c_void) -> c_int {
    let result = behind!(host::DLCLOSE, fn(*mut c_void) -> c_int, (handle), -1);
    if PROCESS.is_on() {
        PROCESS.modules_may_be_gone();
    }
    result
}
