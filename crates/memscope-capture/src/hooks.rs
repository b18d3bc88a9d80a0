//! The bodies of the malloc family. The symbols that programs call are tiny stubs elsewhere, which pass on their
//! arguments and the [`Entry`].
//!
//! Each body forwards to the same function of the allocator behind (never malloc for calloc, or malloc and memcpy for
//! realloc), so that the program's memory behaves as it did.

use crate::arch::Entry;
use crate::event::{self, Forgotten};
use crate::thread::Guard;
use crate::{growth, name, side};
use core::ffi::{c_int, c_void};
use core::sync::atomic::Ordering;
use memscope_region::Kind;
use memscope_region::record::Record;

/// A block's address, as C has it.
pub type RawBlock = *mut c_void;

/// The allocator behind the hooks, and how recording is started at the first event.
pub trait Host {
    /// Starts recording, or decides that it is off. Called when nothing was decided yet; may do nothing.
    fn start();
    /// `malloc`.
    ///
    /// # Safety
    /// As for the C function; the same holds for all that follow.
    unsafe fn malloc(size: usize) -> RawBlock;
    /// `calloc`.
    ///
    /// # Safety
    /// See [`Host::malloc`].
    unsafe fn calloc(count: usize, size: usize) -> RawBlock;
    /// `realloc`.
    ///
    /// # Safety
    /// See [`Host::malloc`].
    unsafe fn realloc(block: RawBlock, size: usize) -> RawBlock;
    /// `free`.
    ///
    /// # Safety
    /// See [`Host::malloc`].
    unsafe fn free(block: RawBlock);
    /// The bytes of a block that the program may use: `malloc_usable_size`.
    ///
    /// # Safety
    /// The block is one of this allocator's, and not null.
    unsafe fn usable_bytes(block: RawBlock) -> usize;
}

/// Records a block that an allocator's function returned, or that it returned none.
///
/// # Safety
/// The calling thread is in the hook entered at `entry` and owns the block.
#[inline(always)]
pub(crate) unsafe fn record(
    start: impl Fn(),
    entry: Entry,
    kind: Kind,
    block: RawBlock,
    size: usize,
) {
    let Some(mut guard) = Guard::take(start) else {
        side::allocated(block as usize);
        return;
    };
    if block.is_null() {
        event::failed(&mut guard);
        return;
    }
    // SAFETY: the caller's promise.
    unsafe { event::allocated(&mut guard, entry, kind, block as usize, size) };
}

/// Records that a block is about to be freed.
#[inline(always)]
pub(crate) fn forget(start: impl Fn(), block: RawBlock) {
    if block.is_null() {
        return;
    }
    match Guard::take(start) {
        Some(mut guard) => {
            event::freeing(&mut guard, block as usize, false);
        }
        None => side::freed(block as usize),
    }
}

/// Records that a block is about to be moved by a realloc (or freed by one, if not `moving`). Returns what takes that
/// back.
#[inline(always)]
pub(crate) fn forget_moving(start: impl Fn(), block: RawBlock, moving: bool) -> Option<Forgotten> {
    if block.is_null() {
        return None;
    }
    match Guard::take(start) {
        Some(mut guard) => event::freeing(&mut guard, block as usize, moving),
        None => side::freeing(block as usize, moving),
    }
}

/// Records the block that a realloc made of another, which was forgotten before.
///
/// # Safety
/// As [`record`].
#[inline(always)]
pub(crate) unsafe fn record_again(
    start: impl Fn(),
    entry: Entry,
    forgotten: Option<Forgotten>,
    [old, new]: [RawBlock; 2],
    size: usize,
) {
    match Guard::take(start) {
        Some(mut guard) => {
            // SAFETY: the caller's promise.
            let site =
                unsafe { event::allocated(&mut guard, entry, Kind::Realloc, new as usize, size) };
            if let Some(forgotten) = forgotten.filter(|it| it.marked_site().is_none()) {
                growth::count(&mut guard, site, forgotten, [old, new], size);
                return;
            }
        }
        None => side::allocated(new as usize),
    }
    follow(forgotten, [old, new], size);
}

/// Gives a block that a realloc made the name that the old one had, and counts what it cost where it is now.
#[cold]
pub(crate) fn follow(forgotten: Option<Forgotten>, [old, new]: [RawBlock; 2], size: usize) {
    if let Some(forgotten) = forgotten
        && let Some(site) = forgotten.marked_site()
    {
        name::follow(site, new as usize);
        if let Some(mut guard) = Guard::take(|| {}) {
            let place = guard.record(new as usize);
            // ORDERING: relaxed; the block is the caller's.
            let site = place.map_or(0, |place| Record(place.load(Ordering::Relaxed)).site());
            growth::count(&mut guard, site, forgotten, [old, new], size);
        }
    }
}

/// Records that a realloc failed: the old block is still there.
#[cold]
#[inline(never)]
pub(crate) fn not_moved(start: impl Fn(), block: RawBlock, forgotten: Option<Forgotten>) {
    if let Some(mut guard) = Guard::take(start) {
        if let Some(forgotten) = forgotten {
            event::take_back(&mut guard, block as usize, forgotten);
        }
        event::failed(&mut guard);
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
        let block = H::malloc(size);
        record(H::start, entry, Kind::Malloc, block, size);
        block
    }
}

/// `calloc`.
///
/// # Safety
/// See [`malloc`].
#[inline(always)]
pub unsafe fn calloc<H: Host>(count: usize, size: usize, entry: Entry) -> RawBlock {
    // SAFETY: passed on. If the product overflows the real function returns null.
    unsafe {
        let block = H::calloc(count, size);
        record(H::start, entry, Kind::Calloc, block, count.wrapping_mul(size));
        block
    }
}

/// `free`.
///
/// # Safety
/// See [`malloc`].
#[inline(always)]
pub unsafe fn free<H: Host>(block: RawBlock) {
    // Recorded first: once it is freed, another thread may be given the address.
    forget(H::start, block);
    // SAFETY: passed on.
    unsafe { H::free(block) }
}

/// `realloc`: one free of the old block, one allocation of the new. A failed one leaves the old block as it was; one to
/// size 0 that returns null has freed it.
///
/// # Safety
/// See [`malloc`].
#[inline(always)]
pub unsafe fn realloc<H: Host>(block: RawBlock, size: usize, entry: Entry) -> RawBlock {
    let forgotten = forget_moving(H::start, block, size != 0);
    // SAFETY: passed on.
    let new = unsafe { H::realloc(block, size) };
    if new.is_null() {
        if size == 0 && !block.is_null() {
            return new;
        }
        not_moved(H::start, block, forgotten);
        return new;
    }
    // SAFETY: passed on.
    unsafe { record_again(H::start, entry, forgotten, [block, new], size) };
    new
}

/// A function that returns an aligned block of `size` bytes, or null: `memalign`, `aligned_alloc`, `valloc`, `pvalloc`.
///
/// # Safety
/// See [`malloc`]; `allocate` calls the real function.
#[inline(always)]
pub unsafe fn aligned<H: Host>(
    size: usize,
    entry: Entry,
    allocate: impl FnOnce() -> RawBlock,
) -> RawBlock {
    let block = allocate();
    // SAFETY: passed on.
    unsafe { record(H::start, entry, Kind::Aligned, block, size) };
    block
}

/// `posix_memalign`; `allocate` calls the real function, which stores to `place`.
///
/// # Safety
/// See [`malloc`].
#[inline(always)]
pub unsafe fn posix_memalign<H: Host>(
    place: *mut RawBlock,
    size: usize,
    entry: Entry,
    allocate: impl FnOnce() -> c_int,
) -> c_int {
    let result = allocate();
    // SAFETY: on success the real function stored the block there.
    unsafe {
        let block = if result == 0 { *place } else { core::ptr::null_mut() };
        record(H::start, entry, Kind::Aligned, block, size);
    }
    result
}
