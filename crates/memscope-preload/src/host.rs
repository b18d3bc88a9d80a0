//! The allocator behind the hooks: the next `malloc` in the order of loading, which is the C library's unless the user
//! preloads another.
//!
//! Each function is looked up once, with dlsym(RTLD_NEXT), which does not allocate when it finds what it seeks. The
//! four functions that everything needs come from the C library directly until then (`__libc_malloc` and so on), so that
//! dlsym itself could be served.

use core::ffi::{CStr, c_char, c_void};
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use memscope_capture::hooks::{Host, RawBlock};

unsafe extern "C" {
    fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
    fn __libc_malloc(size: usize) -> RawBlock;
    fn __libc_calloc(count: usize, size: usize) -> RawBlock;
    fn __libc_realloc(block: RawBlock, size: usize) -> RawBlock;
    fn __libc_free(block: RawBlock);
}

const RTLD_NEXT: *mut c_void = -1isize as *mut c_void;

/// A function of the allocator behind, looked up at first use.
pub(crate) struct Next {
    function: AtomicPtr<c_void>,
    name: &'static CStr,
}

impl Next {
    const fn new(name: &'static CStr) -> Self {
        Self { function: AtomicPtr::new(core::ptr::null_mut()), name }
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
pub(crate) static MALLOC: Next = Next::new(c"malloc");
static CALLOC: Next = Next::new(c"calloc");
static REALLOC: Next = Next::new(c"realloc");
static FREE: Next = Next::new(c"free");
pub(crate) static POSIX_MEMALIGN: Next = Next::new(c"posix_memalign");
pub(crate) static ALIGNED_ALLOC: Next = Next::new(c"aligned_alloc");
pub(crate) static MEMALIGN: Next = Next::new(c"memalign");
pub(crate) static VALLOC: Next = Next::new(c"valloc");
pub(crate) static PVALLOC: Next = Next::new(c"pvalloc");
pub(crate) static DLCLOSE: Next = Next::new(c"dlclose");

/// Finds the four functions that everything needs, and returns log2 of the bytes that no two blocks begin in. Before
/// it the functions are the C library's own.
///
/// The C library's blocks begin at least 32 bytes apart. Others have classes of 8 bytes; asked for 16 at least, they
/// keep 16 bytes apart.
pub(crate) fn resolve() -> u32 {
    for next in [&MALLOC, &CALLOC, &REALLOC, &FREE] {
        next.look_up();
    }
    if core::ptr::eq(MALLOC.get(), __libc_malloc as *const c_void) {
        return 5;
    }
    // ORDERING: relaxed; set before the first event is recorded.
    LEAST_BYTES.store(16, Ordering::Relaxed);
    4
}

/// The least that the allocator behind is asked for.
static LEAST_BYTES: AtomicUsize = AtomicUsize::new(0);

#[inline(always)]
fn at_least(size: usize) -> usize {
    // ORDERING: relaxed, as in `resolve`.
    size.max(LEAST_BYTES.load(Ordering::Relaxed))
}

/// Calls the function that `next` names, or the C library's if it was not looked up yet.
macro_rules! call {
    ($next:ident, $early:ident, fn($($argument:ident: $type:ty),*) $(-> $result:ty)?) => {{
        // ORDERING: relaxed, as in `Next::get`.
        let function = $next.function.load(Ordering::Relaxed);
        if function.is_null() {
            // SAFETY: the caller's promise is that of the C function.
            unsafe { $early($($argument),*) }
        } else {
            // SAFETY: a function of this name has this type.
            unsafe {
                core::mem::transmute::<*mut c_void, unsafe extern "C" fn($($type),*) $(-> $result)?>(function)(
                    $($argument),*
                )
            }
        }
    }};
}

/// The allocator behind the hooks.
pub(crate) struct Behind;

impl Host for Behind {
    fn start() {
        crate::start::start();
    }

    #[inline(always)]
    unsafe fn malloc(size: usize) -> RawBlock {
        let size = at_least(size);
        call!(MALLOC, __libc_malloc, fn(size: usize) -> RawBlock)
    }

    #[inline(always)]
    unsafe fn calloc(count: usize, size: usize) -> RawBlock {
        // A product that overflows stays as it is, and fails.
        let (count, size) = match count.checked_mul(size) {
            Some(bytes) if bytes < at_least(0) => (1, at_least(0)),
            _ => (count, size),
        };
        call!(CALLOC, __libc_calloc, fn(count: usize, size: usize) -> RawBlock)
    }

    #[inline(always)]
    unsafe fn realloc(block: RawBlock, size: usize) -> RawBlock {
        // Size 0 may mean to free.
        let size = if size == 0 { 0 } else { at_least(size) };
        call!(REALLOC, __libc_realloc, fn(block: RawBlock, size: usize) -> RawBlock)
    }

    #[inline(always)]
    unsafe fn free(block: RawBlock) {
        call!(FREE, __libc_free, fn(block: RawBlock));
    }
}
