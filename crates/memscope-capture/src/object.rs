//! Mapped objects as the loader knows them: which one covers an address, and its memory.
//!
//! The loader is asked through `_dl_find_object` (glibc 2.35), which takes no lock; where there is none, through
//! `dl_iterate_phdr`.

use crate::arch;
use core::ffi::{CStr, c_char, c_int, c_void};
use memscope_region::sys;

/// An object as the loader knows it.
#[derive(Clone, Copy, Debug)]
pub struct Object {
    /// First mapped address.
    pub start: usize,
    /// One past the last.
    pub end: usize,
    /// Its `.eh_frame_hdr` in memory, 0 if it has none.
    pub unwind_header: usize,
    /// What must be added to an address in the file's own terms.
    pub bias: usize,
    name: *const c_char,
}

#[repr(C)]
struct LinkMap {
    bias: usize,
    name: *const c_char,
}

#[repr(C)]
struct DlFindObject {
    flags: u64,
    start: *mut c_void,
    end: *mut c_void,
    link_map: *const LinkMap,
    unwind_header: *mut c_void,
    reserved: [u64; 7],
}

type FindObject = unsafe extern "C" fn(*mut c_void, *mut DlFindObject) -> c_int;

/// The object that covers `address`.
pub fn find(address: usize) -> Option<Object> {
    let function = arch::dl_find_object();
    if function == 0 {
        return find_by_iterating(address);
    }
    // SAFETY: the function of this name has this type.
    let function = unsafe { core::mem::transmute::<usize, FindObject>(function) };
    let mut found = core::mem::MaybeUninit::<DlFindObject>::zeroed();
    // SAFETY: the call fills `found` or returns non-zero; it may be made from anywhere (it is meant for unwinders).
    if unsafe { function(address as *mut c_void, found.as_mut_ptr()) } != 0 {
        return None;
    }
    // SAFETY: all-zero bytes are valid, and the call filled it.
    let found = unsafe { found.assume_init() };
    // SAFETY: the loader keeps an object's link map for as long as the object is mapped.
    let (bias, name) = unsafe { found.link_map.as_ref() }
        .map_or((0, core::ptr::null()), |map| (map.bias, map.name));
    Some(Object {
        start: found.start as usize,
        end: found.end as usize,
        unwind_header: found.unwind_header as usize,
        bias,
        name,
    })
}

/// The same where the C library has no `_dl_find_object` (before glibc 2.35).
pub fn find_by_iterating(address: usize) -> Option<Object> {
    with_object_at(address, |object| *object)
}

/// What is sought among the objects, what to do with it, and what that gave.
struct Search<T, F> {
    address: usize,
    work: F,
    result: Option<T>,
}

/// Runs `work` on the object that covers `address`, which cannot go away meanwhile: the loader's lock is held. Nothing of
/// ours is held under it but the thread's guard, and a thread that allocates under that lock may take it again.
pub fn with_object_at<T, F: FnMut(&Object) -> T>(address: usize, work: F) -> Option<T> {
    let mut search = Search { address, work, result: None };
    // SAFETY: the callback is of the right type and gets the search, which outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(look_at::<T, F>), (&raw mut search).cast()) };
    search.result
}

/// Looks whether an object covers the address that is sought; 1 ends the iteration.
unsafe extern "C" fn look_at<T, F: FnMut(&Object) -> T>(
    info: *mut libc::dl_phdr_info,
    _bytes: usize,
    search: *mut c_void,
) -> c_int {
    // SAFETY: the loader passes an object's description and what was given to it; headers are in mapped memory.
    let (info, search, headers) = unsafe {
        let info = &*info;
        let headers = core::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum as usize);
        (info, &mut *search.cast::<Search<T, F>>(), headers)
    };
    let bias = info.dlpi_addr as usize;
    let place = |header: &libc::Elf64_Phdr| bias.wrapping_add(header.p_vaddr as usize);
    let loaded = || headers.iter().filter(|header| header.p_type == libc::PT_LOAD);
    let (Some(first), Some(last)) = (loaded().next(), loaded().next_back()) else { return 0 };
    let start = place(first) / sys::PAGE_BYTES * sys::PAGE_BYTES;
    let end = place(last) + last.p_memsz as usize;
    if !(start..end).contains(&search.address) {
        return 0;
    }
    let unwind = headers.iter().find(|header| header.p_type == libc::PT_GNU_EH_FRAME);
    let unwind_header = unwind.map_or(0, place);
    let object = Object { start, end, unwind_header, bias, name: info.dlpi_name };
    search.result = Some((search.work)(&object));
    1
}

impl Object {
    /// Its path as the loader has it; empty for the main program.
    pub fn name(&self) -> &[u8] {
        // SAFETY: the loader keeps an object's name for as long as the object is mapped.
        if self.name.is_null() { &[] } else { unsafe { CStr::from_ptr(self.name) }.to_bytes() }
    }

    /// `bytes` of its memory. The headers lie in its first segment, which is readable.
    pub fn memory(&self, at: usize, bytes: usize) -> Option<&[u8]> {
        let inside = at >= self.start && at.checked_add(bytes)? <= self.end;
        // SAFETY: the range was checked to lie in the object.
        inside.then(|| unsafe { core::slice::from_raw_parts(at as *const u8, bytes) })
    }

    /// The 64-bit word there.
    pub fn word(&self, at: usize) -> Option<u64> {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(self.memory(at, 8)?);
        Some(u64::from_ne_bytes(bytes))
    }

    /// The 32-bit word there.
    pub fn half(&self, at: usize) -> Option<u32> {
        Some(self.word(at)? as u32)
    }

    /// Whether the object's ELF header can be read where it begins.
    pub fn has_header(&self) -> bool {
        self.memory(self.start, 64).is_some_and(|header| header[..4] == *b"\x7fELF")
    }

    /// The address at which the kernel or the loader enters it.
    pub fn entry(&self) -> Option<usize> {
        let entry = self.has_header().then(|| self.word(self.start + 24)).flatten()?;
        (entry != 0).then(|| self.bias.wrapping_add(entry as usize))
    }
}
