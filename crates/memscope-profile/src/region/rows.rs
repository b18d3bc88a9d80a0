//! Visits the rows of a table that are really in the file.
//!
//! A region is sparse: what was never written is a hole, a hole reads as zeros, and a row of zeros is no row. Holes
//! are found by SEEK_DATA and skipped, so a region that claims much and holds little costs little. A file system
//! that knows no holes has everything read.

use super::Region;
use super::layout::{Layout, read_up_to};
use crate::error::Result;
use memscope_region::Table;
use rustix::fs::{SeekFrom, seek};
use std::ops::Range;

/// What is read at a time.
const BUFFER_BYTES: usize = 256 << 10;

/// A buffer that is used again from table to table.
#[derive(Debug, Default)]
pub(super) struct Buffer(Vec<u8>);

/// Calls `visit` with the number and the bytes of each row of `table` that may be there (rows of zeros included),
/// in the order of their numbers.
pub(super) fn each_row(
    region: &Region,
    layout: &Layout,
    table: Table,
    buffer: &mut Buffer,
    mut visit: impl FnMut(u32, &[u8]),
) -> Result<()> {
    let row_bytes = table.row_bytes();
    for chunk in layout.chunks(table) {
        let end = chunk.offset + u64::from(chunk.rows) * row_bytes;
        let mut pieces = Pieces::new(region, chunk.offset..end, row_bytes);
        while let Some((offset, bytes)) = pieces.next(buffer)? {
            let first = chunk.first_row + ((offset - chunk.offset) / row_bytes) as u32;
            for (row, bytes) in (first..).zip(bytes.chunks_exact(row_bytes as usize)) {
                visit(row, bytes);
            }
        }
    }
    Ok(())
}

/// How many bytes of a table's rows are really in the file, holes left out.
pub(super) fn data_bytes(region: &Region, layout: &Layout, table: Table) -> u64 {
    let data = layout.chunks(table).iter().flat_map(|chunk| {
        let end = chunk.offset + u64::from(chunk.rows) * table.row_bytes();
        Data { region, rest: chunk.offset..end }
    });
    data.map(|part| part.end - part.start).sum()
}

/// The pieces of a range that hold data, one at a time. They begin and end at multiples of a unit from the range's
/// start, and the range is a multiple of it.
#[derive(Debug)]
pub(super) struct Pieces<'a> {
    data: Data<'a>,
    start: u64,
    unit: u64,
    /// What is left to read of the data found last.
    part: Range<u64>,
}

impl<'a> Pieces<'a> {
    pub(super) fn new(region: &'a Region, range: Range<u64>, unit: u64) -> Self {
        let start = range.start;
        Self { data: Data { region, rest: range }, start, unit, part: start..start }
    }

    /// The next piece and its offset; `None` at the end.
    pub(super) fn next<'b>(&mut self, buffer: &'b mut Buffer) -> Result<Option<(u64, &'b [u8])>> {
        while self.part.is_empty() {
            let Some(part) = self.data.next() else { return Ok(None) };
            // Holes are as large as pages, so a unit never lies across an edge; but a file system may say what it
            // likes.
            let from = |offset: u64| offset - self.start;
            let start = part.start - from(part.start) % self.unit;
            let end = self.start + from(part.end).next_multiple_of(self.unit);
            self.part = start.max(self.part.end)..end;
        }
        let offset = self.part.start;
        let wanted = (self.part.end - offset).min(BUFFER_BYTES as u64) as usize;
        buffer.0.resize(wanted, 0);
        let there = read_up_to(self.data.region, &mut buffer.0, offset)?;
        // A file that ends early has nothing further in this part.
        self.part.start = if there < wanted { self.part.end } else { offset + wanted as u64 };
        Ok(Some((offset, &buffer.0[..there - there % self.unit as usize])))
    }
}

/// The parts of a range that are not holes.
#[derive(Debug)]
struct Data<'a> {
    region: &'a Region,
    rest: Range<u64>,
}

impl Iterator for Data<'_> {
    type Item = Range<u64>;

    fn next(&mut self) -> Option<Range<u64>> {
        if self.rest.is_empty() {
            return None;
        }
        let start = match seek(&self.region.file, SeekFrom::Data(self.rest.start)) {
            Ok(start) => start.max(self.rest.start),
            // No data up to the end of the file.
            Err(rustix::io::Errno::NXIO) => self.rest.end,
            Err(_) => self.rest.start,
        };
        if start >= self.rest.end {
            self.rest.start = self.rest.end;
            return None;
        }
        let end = match seek(&self.region.file, SeekFrom::Hole(start)) {
            Ok(end) if end > start => end.min(self.rest.end),
            _ => self.rest.end,
        };
        self.rest.start = end;
        Some(start..end)
    }
}
