//! Memory for what is made on cold paths, straight from the kernel: nothing here may allocate.
//!
//! A child of vfork has its parent's memory and leaves it by an execution, so nobody would give back what it mapped.
//! It takes its memory from a slot of the thread that it borrows, which the thread's next such child uses again.

use core::ffi::c_char;
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use memscope_capture::arch;
use memscope_region::sys;

/// Zeroed memory that is given out piece by piece, and goes as a whole with this value.
pub(crate) struct Mapping {
    base: *mut u8,
    bytes: usize,
    used: usize,
    is_owned: bool,
}

/// Whose memory is used.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The process's own: it goes when it is no longer used.
    Process,
    /// That of a process that waits for this one, its child by vfork, to end or to execute.
    Waiting,
}

/// What memory is for. A slot serves one purpose at a time.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    Path = 1,
    Environment = 2,
}

impl Mapping {
    /// Maps `bytes`; `None` if the kernel has none.
    pub(crate) fn new(bytes: usize) -> Option<Self> {
        let base = sys::map_private(bytes).ok()?;
        Some(Self { base, bytes, used: 0, is_owned: true })
    }

    /// Memory of `owner` for `purpose`; `None` if there is none.
    pub(crate) fn of(owner: Owner, purpose: Purpose, bytes: usize) -> Option<Self> {
        match owner {
            Owner::Process => Self::new(bytes),
            Owner::Waiting => Self::in_slot(purpose, bytes),
        }
    }

    fn in_slot(purpose: Purpose, bytes: usize) -> Option<Self> {
        // A thread's control block is aligned, so the purpose fits into the low bits of its address.
        let key = arch::thread_pointer() | purpose as usize;
        // ORDERING: relaxed; a slot is used by the thread alone whose key it has, or by its one child.
        let claim = |slot: &&Slot| {
            slot.key.load(Ordering::Relaxed) == key
                || slot.key.compare_exchange(0, key, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        };
        let slot = SLOTS.iter().find(claim)?;
        if slot.bytes.load(Ordering::Relaxed) < bytes {
            let bytes = bytes.next_multiple_of(sys::PAGE_BYTES);
            let larger = sys::map_private(bytes).ok()?;
            let base = slot.base.swap(larger, Ordering::Relaxed);
            let old_bytes = slot.bytes.swap(bytes, Ordering::Relaxed);
            if !base.is_null() {
                // SAFETY: what the slot held was for an execution that is over.
                unsafe { sys::unmap(base, old_bytes) };
            }
        }
        let base = slot.base.load(Ordering::Relaxed);
        // SAFETY: the slot holds so many bytes, and nobody uses them.
        unsafe { base.write_bytes(0, bytes) };
        Some(Self { base, bytes, used: 0, is_owned: false })
    }

    /// The next `bytes`. `None`: not so many are left. The first piece is aligned to a page.
    pub(crate) fn take(&mut self, bytes: usize) -> Option<*mut u8> {
        let end = self.used.checked_add(bytes).filter(|end| *end <= self.bytes)?;
        let piece = self.base.wrapping_add(self.used);
        self.used = end;
        Some(piece)
    }

    /// A C string made of these parts, which lasts as long as this value.
    pub(crate) fn text(&mut self, parts: &[&[u8]]) -> Option<*const c_char> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let place = self.take(length + 1)?;
        let mut end = place;
        for part in parts {
            // SAFETY: all parts fit, and one byte more, which is zero.
            unsafe {
                end.copy_from_nonoverlapping(part.as_ptr(), part.len());
                end = end.add(part.len());
            }
        }
        Some(place.cast_const().cast())
    }

    /// Never gives the memory back.
    pub(crate) fn keep_for_ever(mut self) {
        self.is_owned = false;
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if self.is_owned {
            // SAFETY: the mapping is ours, and whoever was given a piece is done with it.
            unsafe { sys::unmap(self.base, self.bytes) };
        }
    }
}

/// Memory that a thread's children by vfork use, one after the other.
struct Slot {
    /// The thread's pointer and the purpose; 0: nobody's.
    key: AtomicUsize,
    base: AtomicPtr<u8>,
    bytes: AtomicUsize,
}

/// For so many threads that make such children, twice over.
static SLOTS: [Slot; 128] = [const {
    Slot {
        key: AtomicUsize::new(0),
        base: AtomicPtr::new(core::ptr::null_mut()),
        bytes: AtomicUsize::new(0),
    }
}; 128];
