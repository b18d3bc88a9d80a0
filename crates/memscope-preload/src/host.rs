//! The allocator behind the hooks: the next `malloc` in the order of loading, which is the C library's unless the user
//! preloads another.
//!
//! Each function is looked up once, with dlsym(RTLD_NEXT), which does not allocate when it finds what it seeks. The
//! four functions that everything needs come from the C library directly until then (`__libc_malloc` and so on), so that
//! dlsym itself could be served.

use crate::behind::behind;
use core::ffi::{CStr, c_char, c_void};
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use memscope_capture::hooks::{Host, RawBlock};

unsafe extern "C" {
    fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
    fn __libc_malloc(size: usize) -> RawBlock;
    fn __libc_calloc(count: usize, size: usize) -> RawBlock;
    fn __libc_realloc(block: RawBlock, size: usize) -> RawBlock;
    fn __libc_free(block: RawBlock);
}

const RTLD_NEXT: *mut c_void = -1isize as *mut c_void;

/// A function behind one of ours, looked up at first use.
pub(crate) struct Next {
    function: AtomicPtr<c_void>,
    name: &'static CStr,
}

impl Next {
    pub(crate) const fn new(name: &'static CStr) -> Self {
        Self::with(name, core::ptr::null_mut())
    }

    const fn with(name: &'static CStr, function: *mut c_void) -> Self {
        Self { function: AtomicPtr::new(function), name }
    }

    /// The function's address; null if nothing behind us has it.
    #[inline(always)]
    pub(crate) fn get(&self) -> *mut c_void {
        // ORDERING: relaxed; code needs no publishing.
        let function = self.function.load(Ordering::Relaxed);
        if function.is_null() { self.look_up() } else { function }
    }

    #[cold]
    #[inline(never)]
    fn look_up(&self) -> *mut c_void {
        // SAFETY: the name is a C string.
        let function = unsafe { dlsym(RTLD_NEXT, self.name.as_ptr()) };
        // ORDERING: relaxed, as above; two threads find the same.
        self.function.store(function, Ordering::Relaxed);
        function
    }
}

/// The functions that may have another implementation than the C library's.
static MALLOC: Next = Next::with(c"malloc", __libc_malloc as *mut c_void);
static CALLOC: Next = Next::with(c"calloc", __libc_calloc as *mut c_void);
static REALLOC: Next = Next::with(c"realloc", __libc_realloc as *mut c_void);
static FREE: Next = Next::with(c"free", __libc_free as *mut c_void);
pub(crate) static POSIX_MEMALIGN: Next = Next::new(c"posix_memalign");
pub(crate) static ALIGNED_ALLOC: Next = Next::new(c"aligned_alloc");
pub(crate) static MEMALIGN: Next = Next::new(c"memalign");
pub(crate) static VALLOC: Next = Next::new(c"valloc");
pub(crate) static PVALLOC: Next = Next::new(c"pvalloc");
pub(crate) static MALLOC_USABLE_SIZE: Next = Next::new(c"malloc_usable_size");
pub(crate) static DLCLOSE: Next = Next::new(c"dlclose");

/// Finds the four functions that everything needs, and returns log2 of the bytes that no two blocks begin in. Before
/// it the functions are the C library's own.
///
/// The C library's blocks begin at least 32 bytes apart. Others have classes of 8 bytes; asked for 16 at least, they
/// keep 16 bytes apart, so calls to them go through functions that ask for as much.
pub(crate) fn resolve() -> u32 {
    let shift = resolve_needed();
    // ORDERING: relaxed; this runs at the first event, before any other thread has come here.
    GRANULE_SHIFT.store(shift, Ordering::Relaxed);
    shift
}

static GRANULE_SHIFT: AtomicU32 = AtomicU32::new(0);

/// What [`resolve`] gave.
pub(crate) fn granule_shift() -> u32 {
    // ORDERING: relaxed, as in `resolve`.
    GRANULE_SHIFT.load(Ordering::Relaxed)
}

fn resolve_needed() -> u32 {
    if core::ptr::eq(MALLOC.look_up(), __libc_malloc as *mut c_void) {
        return 5;
    }
    CALLOC.look_up();
    REALLOC.look_up();
    FREE.look_up();
    for (next, other, spaced) in [
        (&MALLOC, &OTHER_MALLOC, spaced_malloc as *mut c_void),
        (&CALLOC, &OTHER_CALLOC, spaced_calloc as *mut c_void),
        (&REALLOC, &OTHER_REALLOC, spaced_realloc as *mut c_void),
    ] {
        // ORDERING: relaxed; this runs at the first event, before any other thread has come here.
        other.store(next.function.load(Ordering::Relaxed), Ordering::Relaxed);
        next.function.store(spaced, Ordering::Relaxed);
    }
    4
}

/// Looks up the others, so that none has to be sought where the dynamic linker's lock may be held: in a signal handler,
/// in a child of fork.
pub(crate) fn resolve_others() {
    for next in [
        &POSIX_MEMALIGN,
        &ALIGNED_ALLOC,
        &MEMALIGN,
        &VALLOC,
        &PVALLOC,
        &MALLOC_USABLE_SIZE,
        &DLCLOSE,
    ] {
        next.get();
    }
}

/// The least that an allocator other than the C library's is asked for.
const LEAST_BYTES: usize = 16;

static OTHER_MALLOC: AtomicPtr<c_void> = AtomicPtr::new(core::ptr::null_mut());
static OTHER_CALLOC: AtomicPtr<c_void> = AtomicPtr::new(core::ptr::null_mut());
static OTHER_REALLOC: AtomicPtr<c_void> = AtomicPtr::new(core::ptr::null_mut());

/// Calls the function at a place that holds one of this type.
macro_rules! call {
    ($place:expr, fn($($argument:ident: $type:ty),*) $(-> $result:ty)?) => {{
        // ORDERING: relaxed, as in `Next::get`.
        let function = $place.load(Ordering::Relaxed);
        // SAFETY: a function of this name has this type, and the place is never null when it is called through.
        unsafe {
            core::mem::transmute::<*mut c_void, unsafe extern "C" fn($($type),*) $(-> $result)?>(function)(
                $($argument),*
            )
        }
    }};
}

unsafe extern "C" fn spaced_malloc(size: usize) -> RawBlock {
    let size = size.max(LEAST_BYTES);
    call!(OTHER_MALLOC, fn(size: usize) -> RawBlock)
}

unsafe extern "C" fn spaced_calloc(count: usize, size: usize) -> RawBlock {
    // A product that overflows stays as it is, and fails.
    let (count, size) = match count.checked_mul(size) {
        Some(bytes) if bytes < LEAST_BYTES => (1, LEAST_BYTES),
        _ => (count, size),
    };
    call!(OTHER_CALLOC, fn(count: usize, size: usize) -> RawBlock)
}

unsafe extern "C" fn spaced_realloc(block: RawBlock, size: usize) -> RawBlock {
    // Size 0 may mean to free.
    let size = if size == 0 { 0 } else { size.max(LEAST_BYTES) };
    call!(OTHER_REALLOC, fn(block: RawBlock, size: usize) -> RawBlock)
}

/// The allocator behind the hooks.
pub(crate) struct Behind;

impl Host for Behind {
    fn start() {
        crate::start::start();
    }

    #[inline(always)]
    unsafe fn malloc(size: usize) -> RawBlock {
        call!(MALLOC.function, fn(size: usize) -> RawBlock)
    }

    #[inline(always)]
    unsafe fn calloc(count: usize, size: usize) -> RawBlock {
        call!(CALLOC.function, fn(count: usize, size: usize) -> RawBlock)
    }

    #[inline(always)]
    unsafe fn realloc(block: RawBlock, size: usize) -> RawBlock {
        call!(REALLOC.function, fn(block: RawBlock, size: usize) -> RawBlock)
    }

    #[inline(always)]
    unsafe fn free(block: RawBlock) {
        call!(FREE.function, fn(block: RawBlock));
    }

    unsafe fn usable_bytes(block: RawBlock) -> usize {
        behind!(MALLOC_USABLE_SIZE, fn(RawBlock) -> usize, (block), 0)
    }
}

/// The same, where blocks are the C library's and lie in chunks as we know them: how large a block is stands before it.
pub(crate) struct Chunks;

impl Host for Chunks {
    fn start() {
        Behind::start();
    }

    #[inline(always)]
    unsafe fn malloc(size: usize) -> RawBlock {
        // SAFETY: passed on; likewise below.
        unsafe { Behind::malloc(size) }
    }

    #[inline(always)]
    unsafe fn calloc(count: usize, size: usize) -> RawBlock {
        // SAFETY: as above.
        unsafe { Behind::calloc(count, size) }
    }

    #[inline(always)]
    unsafe fn realloc(block: RawBlock, size: usize) -> RawBlock {
        // SAFETY: as above.
        unsafe { Behind::realloc(block, size) }
    }

    #[inline(always)]
    unsafe fn free(block: RawBlock) {
        // SAFETY: as above.
        unsafe { Behind::free(block) }
    }

    #[inline(always)]
    unsafe fn usable_bytes(block: RawBlock) -> usize {
        // SAFETY: as above.
        unsafe { chunk_usable_bytes(block) }
    }
}

/// Bits of a chunk's size that are flags, and the one of a chunk that is a mapping of its own.
const CHUNK_FLAGS: usize = 7;
const CHUNK_IS_MAPPED: usize = 2;

/// What `malloc_usable_size` of the C library says, without calling it: the word before a block holds the chunk's size.
/// The chunk's last word is the block's too unless the chunk is a mapping of its own.
#[inline(always)]
unsafe fn chunk_usable_bytes(block: RawBlock) -> usize {
    // SAFETY: the caller's promise.
    let word = unsafe { *block.cast::<usize>().sub(1) };
    if word & CHUNK_IS_MAPPED != 0 {
        return mapped_usable_bytes(word);
    }
    // Without the flags, less 8; written so that it shares no instruction with the other case.
    (word | CHUNK_FLAGS).wrapping_sub(CHUNK_FLAGS + 8)
}

/// The same of a chunk that is a mapping of its own.
#[cold]
fn mapped_usable_bytes(word: usize) -> usize {
    (word & !CHUNK_FLAGS).wrapping_sub(16)
}

/// Whether the C library's blocks lie in chunks as we know them.
pub(crate) fn are_chunks_known() -> bool {
    if !core::ptr::eq(MALLOC.get(), __libc_malloc as *mut c_void) {
        return false;
    }
    // SAFETY: any size may be asked for.
    let block = unsafe { __libc_malloc(100) };
    if block.is_null() {
        return false;
    }
    let told = behind!(MALLOC_USABLE_SIZE, fn(RawBlock) -> usize, (block), 0);
    // SAFETY: the C library's block; nobody else has it.
    unsafe {
        let read = chunk_usable_bytes(block);
        __libc_free(block);
        told == read
    }
}
