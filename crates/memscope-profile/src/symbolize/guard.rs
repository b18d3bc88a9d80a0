//! A DWARF reader with a limit on how much is read and how deep.
//!
//! The DWARF library walks what the file tells it to: inlined functions within inlined functions by recursion, a
//! shared list of ranges once for each function that names it. In a damaged file that can exhaust the stack, the
//! memory or all patience. So every read goes through [`Bounded`], which fails once a task has read several times
//! as much as there is, or stands too deep in the stack; the library passes the failure on as it does any other.
//!
//! Invariant: a failed read leaves the reader empty, so that a loop that goes on in spite of it ends.

use std::borrow::Cow;
use std::cell::Cell;

use gimli::{EndianSlice, Error, LittleEndian, Reader, ReaderOffsetId, Result};

/// Stack that the DWARF library may take on a thread, in bytes. Threads that symbolize have twice as much.
pub(super) const MAX_STACK_BYTES: usize = 4 << 20;

/// What one task may still do. Belongs to the thread (and to the depth of the stack) that made it.
#[derive(Debug)]
pub(super) struct Limits {
    stack_base: usize,
    reads_left: Cell<u64>,
}

impl Limits {
    /// Limits for reading debug information of that size on this thread.
    ///
    /// Reading all of it takes about one read for two bytes; a task that needs more than two for one is going in
    /// circles.
    pub(super) fn new(debug_bytes: u64) -> Self {
        let limits = Self { stack_base: stack_place(), reads_left: Cell::new(1 << 20) };
        limits.allow(debug_bytes);
        limits
    }

    /// Makes room for more debug information of that size.
    pub(super) fn allow(&self, debug_bytes: u64) {
        self.reads_left.set(self.reads_left.get().saturating_add(debug_bytes.saturating_mul(2)));
    }

    /// Accounts for a read, or for work worth `reads` of them.
    #[inline]
    fn take(&self, reads: u64) -> Result<()> {
        match self.reads_left.get().checked_sub(reads) {
            Some(left) if self.stack_base.abs_diff(stack_place()) < MAX_STACK_BYTES => {
                self.reads_left.set(left);
                Ok(())
            }
            _ => {
                self.reads_left.set(0);
                Err(Error::Io)
            }
        }
    }

    /// Whether the limits were reached; then all that was read since is incomplete.
    pub(super) fn are_reached(&self) -> bool {
        self.reads_left.get() == 0
    }
}

/// Where the stack stands now: the address of something on it.
#[inline(always)]
fn stack_place() -> usize {
    let marker = 0_u8;
    std::ptr::from_ref(std::hint::black_box(&marker)).addr()
}

/// Bytes of a section, read within [`Limits`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounded<'a> {
    slice: EndianSlice<'a, LittleEndian>,
    limits: &'a Limits,
}

impl<'a> Bounded<'a> {
    pub(super) fn new(bytes: &'a [u8], limits: &'a Limits) -> Self {
        Self { slice: EndianSlice::new(bytes, LittleEndian), limits }
    }

    /// The text, if it is not longer than `max_bytes`.
    pub(super) fn text(&self, max_bytes: usize) -> Option<Cow<'a, str>> {
        (self.slice.len() <= max_bytes).then(|| self.slice.to_string_lossy())
    }

    /// The bytes that are left.
    pub(super) fn bytes(&self) -> &'a [u8] {
        self.slice.slice()
    }

    #[inline]
    fn take(&mut self, reads: u64) -> Result<()> {
        let taken = self.limits.take(reads);
        if taken.is_err() {
            self.slice.empty();
        }
        taken
    }
}

/// Work that goes over `bytes` bytes, in reads.
#[inline]
fn reads_worth(bytes: usize) -> u64 {
    1 + bytes as u64 / 16
}

impl Reader for Bounded<'_> {
    type Endian = LittleEndian;
    type Offset = usize;

    #[inline]
    fn endian(&self) -> LittleEndian {
        LittleEndian
    }

    #[inline]
    fn len(&self) -> usize {
        self.slice.len()
    }

    #[inline]
    fn empty(&mut self) {
        self.slice.empty();
    }

    #[inline]
    fn truncate(&mut self, len: usize) -> Result<()> {
        self.slice.truncate(len)
    }

    #[inline]
    fn offset_from(&self, base: &Self) -> usize {
        self.slice.offset_from(base.slice)
    }

    #[inline]
    fn offset_id(&self) -> ReaderOffsetId {
        self.slice.offset_id()
    }

    #[inline]
    fn lookup_offset_id(&self, id: ReaderOffsetId) -> Option<usize> {
        self.slice.lookup_offset_id(id)
    }

    #[inline]
    fn find(&self, byte: u8) -> Result<usize> {
        let found = Reader::find(&self.slice, byte);
        let passed = found.as_ref().map_or(self.slice.len(), |&place| place);
        self.limits.take(reads_worth(passed))?;
        found
    }

    #[inline]
    fn skip(&mut self, len: usize) -> Result<()> {
        self.take(1)?;
        self.slice.skip(len)
    }

    #[inline]
    fn split(&mut self, len: usize) -> Result<Self> {
        self.take(1)?;
        Ok(Self { slice: self.slice.split(len)?, limits: self.limits })
    }

    fn to_slice(&self) -> Result<Cow<'_, [u8]>> {
        Ok(Cow::Borrowed(self.slice.slice()))
    }

    fn to_string(&self) -> Result<Cow<'_, str>> {
        self.limits.take(reads_worth(self.slice.len()))?;
        Ok(Cow::Borrowed(self.slice.to_string()?))
    }

    fn to_string_lossy(&self) -> Result<Cow<'_, str>> {
        self.limits.take(reads_worth(self.slice.len()))?;
        Ok(self.slice.to_string_lossy())
    }

    #[inline]
    fn read_slice(&mut self, buffer: &mut [u8]) -> Result<()> {
        self.take(1)?;
        Reader::read_slice(&mut self.slice, buffer)
    }

    #[inline]
    fn read_u8(&mut self) -> Result<u8> {
        self.take(1)?;
        self.slice.read_u8()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_stops_when_the_reads_are_used_up() {
        let limits = Limits::new(0);
        let bytes = vec![0; 3 << 20];
        let mut reader = Bounded::new(&bytes, &limits);
        let mut read = 0_u64;
        while reader.read_u8().is_ok() {
            read += 1;
        }
        assert_eq!(read, 1 << 20);
        assert!(limits.are_reached() && reader.is_empty());
        assert!(Bounded::new(&bytes, &limits).find(0).is_err());
    }

    #[test]
    fn a_reader_stops_when_the_stack_is_too_deep() {
        fn descend(reader: Bounded<'_>, depth: usize) -> usize {
            let ballast = std::hint::black_box([depth; 512]);
            let mut reader = reader;
            if reader.read_u8().is_err() {
                ballast[0]
            } else {
                descend(reader, depth + 1).max(ballast[0])
            }
        }
        let work = || {
            let bytes = vec![0; 1 << 20];
            let limits = Limits::new(1 << 20);
            descend(Bounded::new(&bytes, &limits), 0)
        };
        let deepest = std::thread::Builder::new()
            .stack_size(4 * MAX_STACK_BYTES)
            .spawn(work)
            .unwrap()
            .join()
            .unwrap();
        assert!(deepest > 16 && deepest <= MAX_STACK_BYTES / (512 * 8), "{deepest}");
    }
}
