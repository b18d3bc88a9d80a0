//! The header and the directory of chunks, checked: which rows of which table may be read, and where.

use super::Region;
use crate::error::{Cause, FileError, Result};
use memscope_region::header::{CHUNKS_BYTES, CHUNKS_OFFSET, HEADER_BYTES, MAGIC, VERSION};
use memscope_region::table::{CHUNKS_PER_TABLE, EXTENT_BYTES, TABLES};
use memscope_region::{HeaderRow, Table};
use std::io;
use std::os::unix::fs::FileExt;

/// What the header says, and what of it can be.
pub(super) struct Layout {
    pub(super) header: HeaderRow,
    /// The size of the file.
    pub(super) file_bytes: u64,
    /// How many chunks were left out because they lie over others or outside of the file.
    pub(super) bad_chunks: usize,
    chunks: [Vec<Chunk>; TABLES],
}

/// A chunk of a table.
#[derive(Clone, Copy)]
pub(super) struct Chunk {
    /// The row that it begins with.
    pub(super) first_row: u32,
    /// How many of its rows were handed out.
    pub(super) rows: u32,
    /// Where it lies in the file.
    pub(super) offset: u64,
}

impl Layout {
    /// Reads and checks. The row counts are read before the directory, so every row counted has its chunk there.
    pub(super) fn read(region: &Region) -> Result<Self> {
        let fail = |cause| FileError::new(&region.name, cause);
        let mut bytes = [0; HeaderRow::BYTES];
        let there = read_up_to(region, &mut bytes, 0)?;
        // Rows decode from any bytes; a file that is shorter has zeros here.
        let Some(header) = HeaderRow::decode(&bytes) else {
            return Err(fail(Cause::Foreign("a memscope region")));
        };
        if header.magic != MAGIC {
            return Err(fail(Cause::Foreign("a memscope region")));
        }
        if there < 12 || header.version != VERSION {
            return Err(fail(Cause::Version(header.version, VERSION)));
        }
        let file_bytes = region.file.metadata().map_err(|error| region.io_error(error))?.len();
        if file_bytes < HEADER_BYTES {
            return Err(fail(Cause::Truncated(file_bytes, HEADER_BYTES)));
        }
        if header.ready == 0 {
            return Err(fail(Cause::NotReady));
        }
        if !matches!(header.granule_shift, 4 | 5) {
            let shift = header.granule_shift;
            let what = format!("a granule of 2^{shift} bytes is not one that memscope uses");
            return Err(fail(Cause::Corrupt(what)));
        }
        let mut directory = vec![0; CHUNKS_BYTES];
        read_up_to(region, &mut directory, CHUNKS_OFFSET)?;
        let mut layout =
            Self { header, file_bytes, bad_chunks: 0, chunks: std::array::from_fn(|_| Vec::new()) };
        layout.place_chunks(&directory);
        Ok(layout)
    }

    /// The chunks of a table that hold rows, in the order of their rows.
    pub(super) fn chunks(&self, table: Table) -> &[Chunk] {
        &self.chunks[table as usize]
    }

    /// Where `bytes` of Text lie from `row` on; `None` if that is not within one chunk.
    pub(super) fn text_offset(&self, row: u32, bytes: u32) -> Option<u64> {
        let chunks = self.chunks(Table::Text);
        let after = chunks.partition_point(|chunk| chunk.first_row <= row);
        let chunk = chunks.get(after.checked_sub(1)?)?;
        let within = row - chunk.first_row;
        (u64::from(within) + u64::from(bytes) <= u64::from(chunk.rows))
            .then(|| chunk.offset + u64::from(within))
    }

    fn place_chunks(&mut self, directory: &[u8]) {
        let mut claimed = Vec::new();
        for table in Table::ALL {
            let rows = self.header.rows[table as usize].min(table.max_rows());
            let per_chunk = table.rows_per_chunk();
            for index in 0..(rows.div_ceil(per_chunk) as usize).min(CHUNKS_PER_TABLE) {
                let at = (table as usize * CHUNKS_PER_TABLE + index) * 4;
                let word = directory[at..at + 4].try_into().map_or(0, u32::from_ne_bytes);
                if word == 0 {
                    continue;
                }
                let first_row = index as u32 * per_chunk;
                let rows = (rows - first_row).min(per_chunk);
                let offset = u64::from(word) * EXTENT_BYTES;
                claimed.push((offset, table, Chunk { first_row, rows, offset }));
            }
        }
        // Two chunks in one place would let a small file stand for many rows.
        claimed.sort_by_key(|(offset, ..)| *offset);
        let mut free_from = HEADER_BYTES;
        for (offset, table, chunk) in claimed {
            if offset < free_from || offset >= self.file_bytes {
                self.bad_chunks += 1;
                continue;
            }
            free_from = offset + table.chunk_bytes();
            self.chunks[table as usize].push(chunk);
        }
        for chunks in &mut self.chunks {
            chunks.sort_by_key(|chunk| chunk.first_row);
        }
    }
}

/// Reads until `buffer` is full or the file ends; says how much was there.
pub(super) fn read_up_to(region: &Region, buffer: &mut [u8], offset: u64) -> Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match region.file.read_at(&mut buffer[done..], offset + done as u64) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(region.io_error(error)),
        }
    }
    Ok(done)
}
