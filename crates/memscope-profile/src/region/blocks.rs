//! The live blocks, from their records.
//!
//! Records stand one for each granule of address space, in pieces of 2^23; nearly all of them are holes of the file
//! and are skipped. The size of a block that is too large for its record stands in the next one, which may lie in
//! the next piece, and which is not to be read as a record then.

use super::Region;
use super::layout::{Layout, read_up_to};
use super::rows::{Buffer, Pieces, each_row};
use crate::error::Result;
use memscope_region::record::Record;
use memscope_region::table::{EXTENT_BYTES, RECORD_CHUNK_BYTES};
use memscope_region::{ShadowRow, Table};

/// The bytes of a record.
const RECORD_BYTES: u64 = 8;
/// The records of one piece.
const PIECE_RECORDS: u64 = RECORD_CHUNK_BYTES / RECORD_BYTES;

/// A live block.
///
/// ```
/// use memscope_profile::Region;
/// use memscope_rs::Memscope;
///
/// #[global_allocator]
/// static ALLOC: Memscope = Memscope::system().in_file(c"/tmp/shop.region");
///
/// let kept = vec![0_u8; 1000];
/// let path = format!("/tmp/shop.region.{}", std::process::id());
/// let region = Region::open_path(path.as_ref())?;
/// let largest = region.blocks()?.flatten().max_by_key(|block| block.size_bytes).expect("one is alive");
/// println!("{} bytes at {:#x}, {} ms after the start", largest.size_bytes, largest.address, largest.birth_ms);
/// assert!(largest.size_bytes >= 1000);
/// # std::fs::remove_file(path).ok();
/// # drop(kept);
/// # Ok::<(), memscope_profile::FileError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// The address where it begins.
    pub address: u64,
    /// Its site's id in the region; see [`super::SitePlaces`].
    pub site: u32,
    /// The bytes that were asked for.
    pub size_bytes: u64,
    /// When it was allocated, in milliseconds since the start, to within 1/2048 of the time passed.
    pub birth_ms: u64,
    /// Whether its site has a label or a task.
    pub is_marked: bool,
}

/// The live blocks of a region, in the order of their addresses. Made by [`Region::blocks`].
///
/// ```
/// use memscope_profile::Region;
/// use memscope_rs::Memscope;
///
/// #[global_allocator]
/// static ALLOC: Memscope = Memscope::system().in_file(c"/tmp/shop.region");
///
/// let kept = vec![0_u8; 1000];
/// let path = format!("/tmp/shop.region.{}", std::process::id());
/// let region = Region::open_path(path.as_ref())?;
/// let bytes: u64 = region.blocks()?.flatten().map(|block| block.size_bytes).sum();
/// assert!(bytes >= 1000);
/// # std::fs::remove_file(path).ok();
/// # drop(kept);
/// # Ok::<(), memscope_profile::FileError>(())
/// ```
#[derive(Debug)]
pub struct Blocks<'a> {
    region: &'a Region,
    granule_shift: u32,
    /// By base, ascending, no two in the same place of the file.
    shadows: Vec<ShadowRow>,
    /// The next of `shadows` to be read.
    next_shadow: usize,
    /// The one being read.
    current: Option<(u64, u64, Pieces<'a>)>,
    buffer: Buffer,
    /// Blocks found and not yet given out, last first.
    found: Vec<Block>,
    /// The granule whose record is a size.
    size_at: Option<u64>,
}

impl<'a> Blocks<'a> {
    pub(super) fn new(region: &'a Region, layout: &Layout) -> Result<Self> {
        let mut shadows = Vec::new();
        let granule_shift = layout.header.granule_shift;
        each_row(region, layout, Table::Shadow, &mut Buffer::default(), |_, bytes| {
            shadows.extend(ShadowRow::decode(bytes).filter(|row| {
                row.offset.is_multiple_of(EXTENT_BYTES)
                    && row.offset >= EXTENT_BYTES
                    && row.offset < layout.file_bytes
                    && row.base.is_multiple_of(PIECE_RECORDS << granule_shift)
            }));
        })?;
        // Two pieces in one place would give the same blocks twice.
        shadows.sort_by_key(|row| row.offset);
        let mut free_from = 0;
        shadows.retain(|row| {
            let is_free = row.offset >= free_from;
            if is_free {
                free_from = row.offset + RECORD_CHUNK_BYTES;
            }
            is_free
        });
        shadows.sort_by_key(|row| row.base);
        shadows.dedup_by_key(|row| row.base);
        Ok(Self {
            region,
            granule_shift,
            shadows,
            next_shadow: 0,
            current: None,
            buffer: Buffer::default(),
            found: Vec::new(),
            size_at: None,
        })
    }

    /// Reads the next piece that holds data; false at the end.
    fn fill(&mut self) -> Result<bool> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let result = self.fill_from(&mut buffer);
        self.buffer = buffer;
        result
    }

    fn fill_from(&mut self, buffer: &mut Buffer) -> Result<bool> {
        let Some((base, start, pieces)) = &mut self.current else {
            let Some(row) = self.shadows.get(self.next_shadow) else { return Ok(false) };
            self.next_shadow += 1;
            let range = row.offset..row.offset + RECORD_CHUNK_BYTES;
            let pieces = Pieces::new(self.region, range, RECORD_BYTES);
            self.current = Some((row.base, row.offset, pieces));
            return Ok(true);
        };
        let (base, start) = (*base, *start);
        let Some((offset, bytes)) = pieces.next(buffer)? else {
            self.current = None;
            return Ok(true);
        };
        let first = (base >> self.granule_shift) + (offset - start) / RECORD_BYTES;
        let word = |bytes: &[u8]| bytes.try_into().map_or(0, u64::from_ne_bytes);
        let mut words =
            (first..).zip(bytes.chunks_exact(RECORD_BYTES as usize).map(word)).peekable();
        while let Some((granule, word)) = words.next() {
            let record = Record(word);
            if self.size_at == Some(granule) || record.site() == 0 {
                continue;
            }
            let size_bytes = if record.size_is_elsewhere() {
                self.size_at = Some(granule + 1);
                match words.peek() {
                    Some((_, size)) => *size,
                    None => self.word_at(granule + 1)?,
                }
            } else {
                record.size_field()
            };
            self.found.push(Block {
                address: granule << self.granule_shift,
                site: record.site(),
                size_bytes,
                birth_ms: record.birth().ms(),
                is_marked: record.is_marked(),
            });
        }
        self.found.reverse();
        Ok(true)
    }

    /// The record of a granule, 0 if there is none.
    fn word_at(&self, granule: u64) -> Result<u64> {
        let address = granule << self.granule_shift;
        let base = address & !((PIECE_RECORDS << self.granule_shift) - 1);
        let Ok(at) = self.shadows.binary_search_by_key(&base, |row| row.base) else { return Ok(0) };
        let offset =
            self.shadows[at].offset + ((address - base) >> self.granule_shift) * RECORD_BYTES;
        let mut bytes = [0; RECORD_BYTES as usize];
        read_up_to(self.region, &mut bytes, offset)?;
        Ok(u64::from_ne_bytes(bytes))
    }
}

impl Iterator for Blocks<'_> {
    type Item = Result<Block>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(block) = self.found.pop() {
                return Some(Ok(block));
            }
            match self.fill() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => {
                    // Nothing further: what cannot be read once is not read again and again.
                    self.current = None;
                    self.next_shadow = self.shadows.len();
                    return Some(Err(error));
                }
            }
        }
    }
}
