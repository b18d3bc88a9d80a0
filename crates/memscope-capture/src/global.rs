//! The entries of a Rust global allocator that records what it passes on.
//!
//! Each of the four methods goes to the same method of the inner allocator: `vec![0; n]` stays the inner one's
//! `alloc_zeroed`. The methods that allocate go through a stub, as the malloc family's do (see [`crate::hooks`]): it
//! notes the state at entry, so a stack begins at the stub's caller, the `GlobalAlloc` method or, where that ends in a
//! jump, whoever called it. What needs no stack goes past the stubs: one word says how events are treated (see
//! [`crate::own`]), and where that is sampled, counting or off, an event is done with a few instructions in the method.
//!
//! Invariant: an inner allocator is never asked for fewer bytes than a record stands for, with one exception, the C
//! library's, whose blocks begin that far apart in any case. So no two blocks begin in one granule, whatever size
//! classes the allocator has.

use crate::arch::Entry;
use crate::counted::{self, Left};
use crate::door::{self, Door};
use crate::hooks::{self, Host, RawBlock};
use crate::own::{self, BESIDE, CHANGED, COUNTING, EXACT, OFF, SAMPLED, SPECIAL, Settings};
use crate::road::Road;
use crate::sampled::hooks::{is_sampled, may_be_sampled};
use crate::switched::{self, Gone};
use crate::thread::Guard;
use crate::{name, sampled};
use core::alloc::{GlobalAlloc, Layout};
use core::arch::naked_asm;
use core::sync::atomic::{AtomicU8, Ordering};
use memscope_region::Kind;

/// The bytes that one record stands for in a region that the process makes for itself.
const GRANULE_BYTES: usize = 32;

/// An allocator and what is needed to record its blocks.
#[derive(Debug)]
pub struct Global<A> {
    inner: A,
    /// The least that the inner allocator is asked for.
    least_bytes: usize,
    /// Under a preloaded library: whether it sees what the inner allocator does.
    seen: AtomicU8,
    settings: Settings,
}

/// What the bodies of mode sampled ask of a host: the start, which is over when they run. Blocks come from the inner
/// allocator.
struct Own;

impl Host for Own {
    fn start() {
        own::start(Settings::EXACT);
    }
    unsafe fn malloc(_: usize) -> RawBlock {
        core::ptr::null_mut()
    }
    unsafe fn calloc(_: usize, _: usize) -> RawBlock {
        core::ptr::null_mut()
    }
    unsafe fn realloc(_: RawBlock, _: usize) -> RawBlock {
        core::ptr::null_mut()
    }
    unsafe fn free(_: RawBlock) {}
    unsafe fn usable_bytes(_: RawBlock) -> usize {
        0
    }
}

/// Not known yet.
const MAYBE_SEEN: u8 = 0;
/// The inner allocator passes requests on to the C library, which the preloaded library stands before.
const SEEN: u8 = 1;
/// It does not.
const UNSEEN: u8 = 2;

impl<A> Global<A> {
    /// For an allocator that is not known.
    pub const fn new(inner: A) -> Self {
        Self {
            inner,
            least_bytes: GRANULE_BYTES,
            seen: AtomicU8::new(MAYBE_SEEN),
            settings: Settings::EXACT,
        }
    }

    /// For one that passes every request on to the C library.
    pub const fn of_libc(inner: A) -> Self {
        Self { inner, least_bytes: 0, seen: AtomicU8::new(SEEN), settings: Settings::EXACT }
    }

    /// Chooses what to record.
    pub const fn set(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// What was chosen.
    pub const fn settings(&self) -> Settings {
        self.settings
    }

    /// The inner allocator.
    pub const fn inner(&self) -> &A {
        &self.inner
    }
}

impl<A: GlobalAlloc> Global<A> {
    /// The layout that the inner allocator is asked for.
    ///
    /// # Safety
    /// `align` is a layout's.
    #[inline(always)]
    unsafe fn layout(&self, size: usize, align: usize) -> Layout {
        // SAFETY: the caller's promise; a size that is raised to 32 does not overflow when it is rounded up to an
        // alignment that a block of one byte may have.
        unsafe { Layout::from_size_align_unchecked(size.max(self.least_bytes), align) }
    }

    /// Records a block that the inner allocator returned, in whatever way events are treated, and be it the first.
    ///
    /// # Safety
    /// The calling thread is in the stub that was entered at `entry`, and owns the block.
    #[cold]
    #[inline(never)]
    unsafe fn record(&self, entry: Entry, kind: Kind, block: *mut u8, size: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            match own::decided(self.settings) {
                EXACT => hooks::record(Own::start, entry, kind, block.cast(), size),
                SAMPLED if is_sampled(size) => {
                    sampled::hooks::record::<Own>(entry, kind, block.cast(), size);
                }
                COUNTING if !block.is_null() => counted::allocated(Own::start, size),
                SAMPLED | OFF => {}
                BESIDE => {
                    if let Some(door) = door::preloaded() {
                        self.record_beside(door, entry, kind, block, size);
                    }
                }
                _ => switched::allocated::<Own>(entry, kind, block.cast(), size),
            }
        }
    }

    /// The same where a preloaded library records: it has seen the block already, or is told of it.
    ///
    /// # Safety
    /// See [`Global::record`].
    #[cold]
    unsafe fn record_beside(
        &self,
        door: &Door,
        entry: Entry,
        kind: Kind,
        block: *mut u8,
        size: usize,
    ) {
        // ORDERING: relaxed; every thread finds the same.
        if self.seen.load(Ordering::Relaxed) == MAYBE_SEEN && !block.is_null() {
            let seen = if door.knows(block as usize) { SEEN } else { UNSEEN };
            self.seen.store(seen, Ordering::Relaxed);
        }
        if self.is_unseen() {
            // SAFETY: the caller's promise.
            unsafe { door.record(entry, kind, block as usize, size) };
        }
    }

    fn is_unseen(&self) -> bool {
        // ORDERING: relaxed, as above.
        self.seen.load(Ordering::Relaxed) == UNSEEN
    }

    /// `realloc` in mode sampled.
    ///
    /// # Safety
    /// See [`Global::record`].
    unsafe fn realloc_sampled(
        &self,
        entry: Entry,
        block: *mut u8,
        layout: &Layout,
        new_size: usize,
    ) -> *mut u8 {
        let left = if may_be_sampled(block as usize) {
            sampled::hooks::forget::<Own>(block.cast(), true)
        } else {
            None
        };
        // SAFETY: the caller's promise.
        let new = unsafe {
            let old = self.layout(layout.size(), layout.align());
            self.inner.realloc(block, old, new_size.max(self.least_bytes))
        };
        if new.is_null()
            && let Some(left) = left
            && let Some(mut guard) = Guard::take(Own::start)
        {
            sampled::event::take_back(&mut guard, block as usize, left);
        }
        if is_sampled(new_size) {
            // SAFETY: the caller's promise.
            unsafe { sampled::hooks::record::<Own>(entry, Kind::Realloc, new.cast(), new_size) };
        }
        new
    }

    /// Records that a block is about to be freed, where the way of treating events is out of the ordinary or not decided.
    #[cold]
    #[inline(never)]
    fn forget(&self, block: *mut u8, size: usize) {
        match own::decided(self.settings) {
            EXACT => hooks::forget(Own::start, block.cast()),
            SAMPLED if may_be_sampled(block as usize) => {
                sampled::hooks::forget::<Own>(block.cast(), false);
            }
            COUNTING => counted::freed(Own::start, size),
            SAMPLED | OFF => {}
            BESIDE => {
                if let Some(door) = door::preloaded()
                    && self.is_unseen()
                {
                    door.forget(block as usize, false);
                }
            }
            _ => {
                switched::freeing(block.cast(), size, false);
            }
        }
    }

    /// `realloc` in mode counting.
    ///
    /// # Safety
    /// See [`Global::record`].
    unsafe fn realloc_counted(
        &self,
        entry: Entry,
        block: *mut u8,
        layout: &Layout,
        new_size: usize,
    ) -> *mut u8 {
        // SAFETY: the caller's promise.
        let new = unsafe {
            let old = self.layout(layout.size(), layout.align());
            self.inner.realloc(block, old, new_size.max(self.least_bytes))
        };
        if new.is_null() {
            // SAFETY: as above. It is counted that none came.
            unsafe { switched::allocated::<Own>(entry, Kind::Realloc, new.cast(), new_size) };
        } else {
            counted::freed(Own::start, layout.size());
            counted::allocated(Own::start, new_size);
        }
        new
    }

    /// `realloc` in a process that has changed its mode, or counts.
    ///
    /// # Safety
    /// See [`Global::record`].
    #[cold]
    #[inline(never)]
    unsafe fn realloc_switched(
        &self,
        entry: Entry,
        block: *mut u8,
        layout: &Layout,
        new_size: usize,
    ) -> *mut u8 {
        let gone = switched::freeing(block.cast(), layout.size(), true);
        // SAFETY: the caller's promise.
        let new = unsafe {
            let old = self.layout(layout.size(), layout.align());
            self.inner.realloc(block, old, new_size.max(self.least_bytes))
        };
        let (mut forgotten, mut marked_site) = (None, None);
        match gone {
            _ if new.is_null() => switched::not_moved(block.cast(), layout.size(), gone),
            Gone::Exactly(of) => forgotten = of,
            Gone::Sampled(Some(left)) => marked_site = left.marked_site(),
            _ => {}
        }
        // SAFETY: the caller's promise.
        unsafe { switched::allocated::<Own>(entry, Kind::Realloc, new.cast(), new_size) };
        if own::now() == EXACT && !new.is_null() {
            hooks::follow(forgotten, [block.cast(), new.cast()], new_size);
            marked_site.inspect(|site| name::follow(*site, new as usize));
        }
        new
    }

    /// `realloc` where a preloaded library records.
    ///
    /// # Safety
    /// See [`Global::record`].
    #[cold]
    unsafe fn realloc_beside(
        &self,
        door: &Door,
        entry: Entry,
        block: *mut u8,
        layout: &Layout,
        new_size: usize,
    ) -> *mut u8 {
        let site = if self.is_unseen() { door.forget(block as usize, true) } else { 0 };
        // SAFETY: the caller's promise. A realloc that fails leaves the old block, whose free is then one of a block
        // that is not known.
        unsafe {
            let old = self.layout(layout.size(), layout.align());
            let new = self.inner.realloc(block, old, new_size.max(self.least_bytes));
            if self.is_unseen() {
                door.record(entry, Kind::Realloc, new as usize, new_size);
                if site != 0 && !new.is_null() {
                    door.follow(site, new as usize);
                }
            }
            new
        }
    }

    /// `GlobalAlloc::alloc`.
    ///
    /// # Safety
    /// As for the method; likewise for those that follow.
    #[inline(always)]
    pub unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let (size, align) = (layout.size(), layout.align());
        // SAFETY: passed on.
        unsafe {
            match Road::of(size) {
                Road::Stack => alloc_stub(self, size, align),
                Road::Sample => alloc_sampled_stub(self, size, align),
                Road::Other => alloc_otherwise_stub(self, size, align),
                Road::Nothing => self.pass_on(size, align),
                Road::Count => self.count(size, align),
            }
        }
    }

    /// `GlobalAlloc::alloc_zeroed`.
    ///
    /// # Safety
    /// See [`Global::alloc`].
    #[inline(always)]
    pub unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let (size, align) = (layout.size(), layout.align());
        // SAFETY: as above.
        unsafe {
            match Road::of(size) {
                Road::Stack => alloc_zeroed_stub(self, size, align),
                Road::Sample => alloc_zeroed_sampled_stub(self, size, align),
                Road::Other => alloc_zeroed_otherwise_stub(self, size, align),
                Road::Nothing => self.pass_on_zeroed(size, align),
                Road::Count => self.count_zeroed(size, align),
            }
        }
    }

    /// `GlobalAlloc::realloc`.
    ///
    /// # Safety
    /// See [`Global::alloc`].
    #[inline(always)]
    pub unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: as above.
        unsafe { realloc_stub(self, block, &layout, new_size) }
    }

    /// `GlobalAlloc::dealloc`.
    ///
    /// # Safety
    /// See [`Global::alloc`].
    #[inline(always)]
    pub unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // Recorded first: once it is freed, another thread may be given the address.
        let (way, size, align) = (own::way(), layout.size(), layout.align());
        // SAFETY: passed on, with the layout that it was allocated with.
        unsafe {
            if way & !CHANGED == EXACT {
                return self.dealloc_exact(block, size, align, way);
            }
            if way == COUNTING {
                let left = counted::freed_plainly(size);
                if left != Left::Nothing {
                    return self.dealloc_counted(block, size, align, left);
                }
            } else if way >= CHANGED {
                return self.dealloc_changed(block, size, align, way);
            } else if way == SAMPLED && may_be_sampled(block as usize) {
                return self.dealloc_otherwise(block, size, align);
            }
            self.inner.dealloc(block, self.layout(size, align));
        }
    }

    /// `dealloc` in mode exact.
    ///
    /// # Safety
    /// See [`Global::alloc`]; likewise for the others. They are called last, so that no way pays for another's registers.
    #[inline(never)]
    unsafe fn dealloc_exact(&self, block: *mut u8, size: usize, align: usize, way: u32) {
        if way == EXACT || switched::is_exact(block as usize) {
            hooks::forget(Own::start, block.cast());
        } else {
            switched::freeing(block.cast(), size, false);
        }
        // SAFETY: as in `dealloc`.
        unsafe { self.inner.dealloc(block, self.layout(size, align)) }
    }

    /// `dealloc` where the mode was changed, or what is done is out of the ordinary.
    #[inline(never)]
    unsafe fn dealloc_changed(&self, block: *mut u8, size: usize, align: usize, way: u32) {
        // SAFETY: as in `dealloc`.
        unsafe {
            if way >= SPECIAL {
                return self.dealloc_otherwise(block, size, align);
            }
            if switched::has_record(block as usize) {
                switched::freeing(block.cast(), size, false);
            } else if way & !CHANGED == COUNTING {
                let left = counted::freed_plainly(size);
                if left != Left::Nothing {
                    return self.dealloc_counted(block, size, align, left);
                }
            }
            self.inner.dealloc(block, self.layout(size, align));
        }
    }

    #[cold]
    #[inline(never)]
    unsafe fn dealloc_counted(&self, block: *mut u8, size: usize, align: usize, left: Left) {
        match left {
            Left::All => counted::freed(Own::start, size),
            _ => counted::flush(),
        }
        // SAFETY: as in `dealloc`.
        unsafe { self.inner.dealloc(block, self.layout(size, align)) }
    }

    #[cold]
    #[inline(never)]
    unsafe fn dealloc_otherwise(&self, block: *mut u8, size: usize, align: usize) {
        self.forget(block, size);
        // SAFETY: as in `dealloc`.
        unsafe { self.inner.dealloc(block, self.layout(size, align)) }
    }

    #[inline(never)]
    unsafe fn pass_on(&self, size: usize, align: usize) -> *mut u8 {
        // SAFETY: passed on.
        unsafe { self.inner.alloc(self.layout(size, align)) }
    }

    #[inline(never)]
    unsafe fn pass_on_zeroed(&self, size: usize, align: usize) -> *mut u8 {
        // SAFETY: passed on.
        unsafe { self.inner.alloc_zeroed(self.layout(size, align)) }
    }

    #[inline(never)]
    unsafe fn count(&self, size: usize, align: usize) -> *mut u8 {
        // SAFETY: passed on.
        let block = unsafe { self.inner.alloc(self.layout(size, align)) };
        counted::block(Own::start, block, size)
    }

    #[inline(never)]
    unsafe fn count_zeroed(&self, size: usize, align: usize) -> *mut u8 {
        // SAFETY: passed on.
        let block = unsafe { self.inner.alloc_zeroed(self.layout(size, align)) };
        counted::block(Own::start, block, size)
    }
}

/// Stubs with what their arguments leave free for the entry, and their bodies.
macro_rules! stub {
    ($($name:ident($($argument:ident: $type:ty),*), $sp:literal, $rbp:literal => $body:ident;)*) => {
        $(
            #[unsafe(naked)]
            unsafe extern "C" fn $name<A: GlobalAlloc>(me: &Global<A>, $($argument: $type),*) -> *mut u8 {
                naked_asm!(
                    ".cfi_startproc",
                    concat!("mov ", $sp, ", rsp"),
                    concat!("mov ", $rbp, ", rbp"),
                    "jmp {body}",
                    ".cfi_endproc",
                    body = sym $body::<A>,
                )
            }
        )*
    };
}

stub! {
    alloc_stub(size: usize, align: usize), "rcx", "r8" => alloc_body;
    alloc_sampled_stub(size: usize, align: usize), "rcx", "r8" => alloc_sampled_body;
    alloc_otherwise_stub(size: usize, align: usize), "rcx", "r8" => alloc_otherwise_body;
    alloc_zeroed_stub(size: usize, align: usize), "rcx", "r8" => alloc_zeroed_body;
    alloc_zeroed_sampled_stub(size: usize, align: usize), "rcx", "r8" => alloc_zeroed_sampled_body;
    alloc_zeroed_otherwise_stub(size: usize, align: usize), "rcx", "r8" => alloc_zeroed_otherwise_body;
    realloc_stub(block: *mut u8, layout: &Layout, new_size: usize), "r8", "r9" => realloc_body;
}

/// The bodies of the stubs of a method that allocates.
macro_rules! bodies {
    ($($method:ident, $kind:expr => $exact:ident, $sampled:ident, $otherwise:ident;)*) => {
        $(
            unsafe extern "C" fn $exact<A: GlobalAlloc>(
                me: &Global<A>, size: usize, align: usize, sp: usize, rbp: usize,
            ) -> *mut u8 {
                // SAFETY: called by the stub only, with the state at its entry; likewise below.
                unsafe {
                    let block = me.inner.$method(me.layout(size, align));
                    hooks::record(Own::start, Entry { sp, rbp }, $kind, block.cast(), size);
                    block
                }
            }

            #[cold]
            unsafe extern "C" fn $sampled<A: GlobalAlloc>(
                me: &Global<A>, size: usize, align: usize, sp: usize, rbp: usize,
            ) -> *mut u8 {
                let is_in_sample = sampled::gap::is_sampled(size);
                // SAFETY: as above.
                unsafe {
                    let block = me.inner.$method(me.layout(size, align));
                    if is_in_sample {
                        switched::record_sampled::<Own>(Entry { sp, rbp }, $kind, block.cast(), size);
                    }
                    block
                }
            }

            #[cold]
            unsafe extern "C" fn $otherwise<A: GlobalAlloc>(
                me: &Global<A>, size: usize, align: usize, sp: usize, rbp: usize,
            ) -> *mut u8 {
                // SAFETY: as above.
                unsafe {
                    let block = me.inner.$method(me.layout(size, align));
                    me.record(Entry { sp, rbp }, $kind, block, size);
                    block
                }
            }
        )*
    };
}

bodies! {
    alloc, Kind::Malloc => alloc_body, alloc_sampled_body, alloc_otherwise_body;
    alloc_zeroed, Kind::Calloc => alloc_zeroed_body, alloc_zeroed_sampled_body, alloc_zeroed_otherwise_body;
}

unsafe extern "C" fn realloc_body<A: GlobalAlloc>(
    me: &Global<A>,
    block: *mut u8,
    layout: &Layout,
    new_size: usize,
    sp: usize,
    rbp: usize,
) -> *mut u8 {
    let (mut way, entry) = (own::way(), Entry { sp, rbp });
    if way != EXACT {
        way = own::decided(me.settings);
        // SAFETY: as above.
        unsafe {
            match way {
                SAMPLED => return me.realloc_sampled(entry, block, layout, new_size),
                COUNTING => return me.realloc_counted(entry, block, layout, new_size),
                BESIDE => {
                    if let Some(door) = door::preloaded() {
                        return me.realloc_beside(door, entry, block, layout, new_size);
                    }
                }
                OFF | EXACT => {}
                _ => return me.realloc_switched(entry, block, layout, new_size),
            }
        }
    }
    // The old half is recorded first: another thread may be given the address at once.
    let forgotten =
        if way == EXACT { hooks::forget_moving(Own::start, block.cast(), true) } else { None };
    // SAFETY: as above.
    unsafe {
        let old = me.layout(layout.size(), layout.align());
        let new = me.inner.realloc(block, old, new_size.max(me.least_bytes));
        if way != EXACT {
            return new;
        }
        if new.is_null() {
            hooks::not_moved(Own::start, block.cast(), forgotten);
        } else {
            let blocks = [block.cast(), new.cast()];
            hooks::record_again(Own::start, entry, forgotten, blocks, new_size);
        }
        new
    }
}
