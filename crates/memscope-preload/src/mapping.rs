//! Memory for what is made on cold paths, straight from the kernel: nothing here may allocate.

use core::ffi::c_char;
use memscope_region::sys;

/// Zeroed memory that is given out piece by piece, and goes as a whole with this value.
pub(crate) struct Mapping {
    base: *mut u8,
    bytes: usize,
    used: usize,
}

impl Mapping {
    /// Maps `bytes`; `None` if the kernel has none.
    pub(crate) fn new(bytes: usize) -> Option<Self> {
        sys::map_private(bytes).ok().map(|base| Self { base, bytes, used: 0 })
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
        self.bytes = 0;
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if self.bytes != 0 {
            // SAFETY: the mapping is ours, and whoever was given a piece is done with it.
            unsafe { sys::unmap(self.base, self.bytes) };
        }
    }
}
