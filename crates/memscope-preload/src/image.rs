//! The image that an execution would load: which file it is, and whether our library can be loaded into it.
//!
//! Invariants: a file is only read, through a descriptor that is closed at once; whatever is not understood is a
//! file that our library is not loaded into. That rule is strict on purpose: where the library does not fit, the
//! dynamic linker says so on the program's stderr or ends the program.
//!
//! Deliberately absent: files that the system runs by rules of its own (binfmt_misc), and texts without `#!`.

use crate::environment::{Entries, variable};
use crate::mapping::{Mapping, Owner, Purpose};
use core::ffi::{CStr, c_char};
use memscope_region::sys;

/// So much of a file's start tells the kernel what it is.
const HEAD_BYTES: usize = 256;
/// A script's interpreter may be a script, and so on; the kernel follows as many.
const MAX_INTERPRETERS: usize = 5;
/// The longest path, with its zero.
const PATH_BYTES: usize = 4096;
/// Where the C library looks when PATH is not set.
const DEFAULT_PATH: &[u8] = b"/bin:/usr/bin";

const KIND: u32 = 0o170_000;
const REGULAR: u32 = 0o100_000;
const SET_USER_ID: u32 = 0o4000;
const SET_GROUP_ID: u32 = 0o2000;
const GROUP_EXECUTE: u32 = 0o010;

/// x86-64, as ELF numbers machines.
const MACHINE: u16 = 62;
/// A segment that names the dynamic linker.
const PT_INTERP: u32 = 3;
const SEGMENT_BYTES: usize = 56;

/// An execution seen from the current folder, as `openat` has it.
pub(crate) const HERE: i32 = -100;

/// A file that is open, and closed with this value.
struct File(i32);

impl File {
    fn open(folder: i32, path: *const c_char, follow: bool) -> Option<Self> {
        sys::open_program(folder, path, follow).ok().map(Self)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        sys::close(self.0);
    }
}

/// Which file it is, whatever its name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    /// The identity of the file at `path`, if it can be read.
    pub(crate) fn of(path: &CStr) -> Option<Self> {
        Self::of_open(File::open(HERE, path.as_ptr(), true)?.0)
    }

    fn of_open(fd: i32) -> Option<Self> {
        let status = sys::status(fd).ok()?;
        Some(Self { device: status.st_dev, inode: status.st_ino })
    }
}

/// The dynamic linker that the image at `path` would be loaded by, if a library of ours can be loaded with it: it is a
/// dynamically linked x86-64 program, or a script that one runs, and gives nobody rights that they have not.
///
/// `folder`, `path` and `follow` are as in [`sys::open_program`].
pub(crate) fn dynamic_linker(folder: i32, path: *const c_char, follow: bool) -> Option<Identity> {
    dynamic_linker_of(File::open(folder, path, follow)?.0, MAX_INTERPRETERS)
}

/// The same of a file that is open.
pub(crate) fn dynamic_linker_of_open(fd: i32) -> Option<Identity> {
    dynamic_linker_of(fd, MAX_INTERPRETERS)
}

fn dynamic_linker_of(fd: i32, interpreters: usize) -> Option<Identity> {
    let status = sys::status(fd).ok()?;
    let mut head = [0; HEAD_BYTES];
    if status.st_mode & KIND != REGULAR {
        return None;
    }
    let length = sys::read_at(fd, &mut head, 0).ok()?;
    if head.starts_with(b"#!") {
        let path = interpreter(&mut head[..length])?;
        let file = File::open(HERE, path.as_ptr(), true)?;
        return dynamic_linker_of(file.0, interpreters.checked_sub(1)?);
    }
    let (user, group) = sys::own_user_and_group()?;
    let mode = status.st_mode;
    let gains = (mode & SET_USER_ID != 0 && status.st_uid != user)
        || (mode & SET_GROUP_ID != 0 && mode & GROUP_EXECUTE != 0 && status.st_gid != group)
        || (user != 0 && sys::has_capabilities(fd));
    if gains { None } else { named_in_elf(fd, head.get(..length)?) }
}

/// The path on a script's first line, ended by a zero in its place.
fn interpreter(head: &mut [u8]) -> Option<&CStr> {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = 2 + head.get(2..)?.iter().position(|byte| !is_blank(byte))?;
    let line = head.get_mut(start..)?;
    // A line that does not end here is longer than what the kernel reads, or the file ends with it.
    let end = line.iter().position(|byte| is_blank(byte) || matches!(byte, b'\n' | 0))?;
    *line.get_mut(end)? = 0;
    CStr::from_bytes_until_nul(line).ok().filter(|path| !path.is_empty())
}

/// The dynamic linker that an ELF file names.
fn named_in_elf(fd: i32, head: &[u8]) -> Option<Identity> {
    let is_64_bit_little_endian = head.starts_with(b"\x7fELF\x02\x01");
    if !is_64_bit_little_endian || u16_at(head, 18)? != MACHINE {
        return None;
    }
    let (first, bytes, count) = (u64_at(head, 32)?, u16_at(head, 54)?, u16_at(head, 56)?);
    if usize::from(bytes) != SEGMENT_BYTES {
        return None;
    }
    for i in 0..u64::from(count) {
        let mut segment = [0; SEGMENT_BYTES];
        let offset = first.checked_add(i * SEGMENT_BYTES as u64)?;
        if sys::read_at(fd, &mut segment, offset) != Ok(SEGMENT_BYTES) {
            return None;
        }
        if u32_at(&segment, 0)? == PT_INTERP {
            let mut path = [0; HEAD_BYTES];
            let length = usize::try_from(u64_at(&segment, 32)?).ok()?;
            let path = path.get_mut(..length)?;
            if sys::read_at(fd, path, u64_at(&segment, 8)?) != Ok(length) {
                return None;
            }
            return Identity::of(CStr::from_bytes_with_nul(path).ok()?);
        }
    }
    None
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes)
}

/// A path that was searched for. It lies in memory that goes with this value.
pub(crate) struct Path {
    path: *const c_char,
    _memory: Option<Mapping>,
}

impl Path {
    /// The path, as C has it.
    pub(crate) fn as_ptr(&self) -> *const c_char {
        self.path
    }
}

/// Where `execvp` finds `file`: the first in PATH that can be executed, in memory of `owner`. `None`: nowhere, or there
/// is no memory.
///
/// # Safety
/// `file` is a C string; `environment` is null, or an array of C strings that ends with a null.
pub(crate) unsafe fn search(
    file: *const c_char,
    environment: Entries,
    owner: Owner,
) -> Option<Path> {
    // SAFETY: the caller's promise.
    let name = unsafe { CStr::from_ptr(file) }.to_bytes();
    if name.contains(&b'/') {
        return Some(Path { path: file, _memory: None });
    }
    // SAFETY: the caller's promise.
    let folders =
        unsafe { variable(environment, "PATH") }.map_or(DEFAULT_PATH, |value| value.to_bytes());
    for folder in folders.split(|byte| *byte == b':') {
        if name.is_empty() || folder.len() + name.len() + 2 > PATH_BYTES {
            continue;
        }
        // An empty element is the current folder.
        let slash: &[u8] = if folder.is_empty() { b"" } else { b"/" };
        let mut memory = Mapping::of(owner, Purpose::Path, PATH_BYTES)?;
        let path = memory.text(&[folder, slash, name])?;
        // SAFETY: the mapping's text is a C string.
        let is_candidate = sys::is_executable(unsafe { CStr::from_ptr(path) })
            && File::open(HERE, path, true)
                .and_then(|file| sys::status(file.0).ok())
                .is_some_and(|status| status.st_mode & KIND == REGULAR);
        if is_candidate {
            return Some(Path { path, _memory: Some(memory) });
        }
    }
    None
}
