//! The bodies of the malloc family in mode sampled. What they do for nearly every call is one subtraction or one load, and
//! a jump to the allocator behind.

use super::filter::FILTER;
use super::{event, gap};
use crate::arch::{self, Entry};
use crate::hooks::{Host, RawBlock};
use crate::side;
use crate::thread::Guard;
use core::ffi::c_int;
use memscope_region::Kind;

/// Takes an allocation from the thread's countdown. Whether it is in the sample. For allocators that are called from
/// Rust; the rest is [`record`].
#[inline(always)]
pub fn is_sampled(size: usize) -> bool {
    arch::spend(gap::spent_on(size)) && gap::is_sampled(size)
}

/// Whether a block that is about to be freed can be in the sample: then it is for [`forget`] to know.
#[inline(always)]
pub fn may_be_sampled(block: usize) -> bool {
    FILTER.may_hold(block)
}

/// Records a block that an allocator's function returned for a request that is in the sample, or that it returned none.
///
/// # Safety
/// The calling thread is in the hook entered at `entry` and owns the block.
#[cold]
#[inline(never)]
pub unsafe fn record<H: Host>(entry: Entry, kind: Kind, block: RawBlock, size: usize) {
    let Some(mut guard) = Guard::take(H::start) else { return };
    if block.is_null() {
        crate::event::failed(&mut guard);
        return;
    }
    // SAFETY: the caller's promise.
    unsafe { event::allocated(&mut guard, entry, kind, block as usize, size, false) };
}

/// Records that a block is about to be freed, if it is in the sample.
#[cold]
#[inline(never)]
pub fn forget<H: Host>(block: RawBlock, moving: bool) -> Option<event::Left> {
    if block.is_null() {
        return None;
    }
    forget_known(H::start, block, moving)
}

/// The same of a block that is not null.
pub(crate) fn forget_known(start: impl Fn(), block: RawBlock, moving: bool) -> Option<event::Left> {
    match Guard::take(start) {
        Some(mut guard) => event::freeing(&mut guard, block as usize, moving),
        // A reader may free what is the program's.
        None => side::admit(|guard| event::freeing(guard, block as usize, moving)),
    }
}

/// `malloc`.
///
/// # Safety
/// As for the C function, called by a stub that was entered at `entry`; the same holds for all that follow.
#[inline(always)]
pub unsafe fn malloc<H: Host>(size: usize, entry: Entry) -> RawBlock {
    // SAFETY: passed on.
    unsafe {
        if arch::spend(gap::spent_on(size)) {
            return allocate::<H>(size, entry, Kind::Malloc, || H::malloc(size));
        }
        H::malloc(size)
    }
}

/// What the countdown was too short for: the call of the function behind, and the record.
#[cold]
#[inline(never)]
unsafe fn allocate<H: Host>(
    size: usize,
    entry: Entry,
    kind: Kind,
    call: impl FnOnce() -> RawBlock,
) -> RawBlock {
    let sampled = gap::is_sampled(size);
    let block = call();
    if sampled {
        // SAFETY: the caller's promise.
        unsafe { record::<H>(entry, kind, block, size) };
    }
    block
}

/// `calloc`.
///
/// # Safety
/// See [`malloc`].
#[inline(always)]
pub unsafe fn calloc<H: Host>(count: usize, size: usize, entry: Entry) -> RawBlock {
    // SAFETY: passed on. If the product overflows the real function returns null.
    unsafe {
        let bytes = count.wrapping_mul(size);
        if arch::spend(gap::spent_on(bytes)) {
            return allocate::<H>(bytes, entry, Kind::Calloc, || H::calloc(count, size));
        }
        H::calloc(count, size)
    }
}

/// `free`.
///
/// # Safety
/// See [`malloc`].
#[inline(always)]
pub unsafe fn free<H: Host>(block: RawBlock) {
    // Recorded first: once it is freed, another thread may be given the address.
    if FILTER.may_hold(block as usize) {
        forget::<H>(block, false);
    }
    // SAFETY: passed on.
    unsafe { H::free(block) }
}

/// `realloc`: one free of the old block, one allocation of the new.
///
/// # Safety
/// See [`malloc`].
#[inline(always)]
pub unsafe fn realloc<H: Host>(block: RawBlock, size: usize, entry: Entry) -> RawBlock {
    // SAFETY: passed on.
    unsafe {
        if FILTER.may_hold(block as usize) {
            return realloc_sampled::<H>(block, size, entry);
        }
        if arch::spend(gap::spent_on(size)) {
            return allocate::<H>(size, entry, Kind::Realloc, || H::realloc(block, size));
        }
        H::realloc(block, size)
    }
}

/// A realloc of a block that may be in the sample. A failed one leaves the old block as it was; one to size 0 that returns
/// null has freed it.
#[cold]
#[inline(never)]
unsafe fn realloc_sampled<H: Host>(block: RawBlock, size: usize, entry: Entry) -> RawBlock {
    let left = forget::<H>(block, size != 0);
    let sampled = is_sampled(size);
    // SAFETY: passed on.
    let new = unsafe { H::realloc(block, size) };
    let freed = new.is_null() && size == 0;
    if new.is_null()
        && !freed
        && let Some(left) = left
        && let Some(mut guard) = Guard::take(H::start)
    {
        event::take_back(&mut guard, block as usize, left);
    }
    if sampled && !freed {
        // SAFETY: passed on.
        unsafe { record::<H>(entry, Kind::Realloc, new, size) };
    }
    new
}

/// A function that returns an aligned block of `size` bytes, or null; `call` calls the real one.
///
/// # Safety
/// See [`malloc`].
#[inline(always)]
pub unsafe fn aligned<H: Host>(
    size: usize,
    entry: Entry,
    call: impl FnOnce() -> RawBlock,
) -> RawBlock {
    if arch::spend(gap::spent_on(size)) {
        // SAFETY: passed on.
        return unsafe { allocate::<H>(size, entry, Kind::Aligned, call) };
    }
    call()
}

/// `posix_memalign`; `call` calls the real function, which stores to `place`.
///
/// # Safety
/// See [`malloc`].
#[inline(always)]
pub unsafe fn posix_memalign<H: Host>(
    place: *mut RawBlock,
    size: usize,
    entry: Entry,
    call: impl FnOnce() -> c_int,
) -> c_int {
    let sampled = is_sampled(size);
    let result = call();
    if sampled {
        // SAFETY: on success the real function stored the block there.
        unsafe {
            let block = if result == 0 { *place } else { core::ptr::null_mut() };
            record::<H>(entry, Kind::Aligned, block, size);
        }
    }
    result
}
