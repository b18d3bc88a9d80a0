//! The rows of mapped objects in the region. An object gets its row when an address in it is first met; one that was
//! unloaded and loaded again gets another.

use crate::object::{self, Object};
use crate::process::Process;
use core::sync::atomic::{AtomicU64, Ordering};
use memscope_region::Table;
use memscope_region::row::{Fill, ModuleCells};

/// How many objects can be known in a program's life; an object loaded again is not another. More than the system has
/// mappings for at once. Only what is used takes memory.
const MODULES: usize = 1 << 16;

/// The entry of a module that was unloaded.
const GONE: u64 = 1;

/// The objects met so far: the start address of each, by row.
#[derive(Debug)]
pub struct Modules {
    starts: [AtomicU64; MODULES],
}

impl Modules {
    /// The row of an object plus one, made if the object is met for the first time; 0 if there is no room.
    pub fn row_of(&self, process: &Process, object: &Object) -> u32 {
        for (row, slot) in self.starts.iter().enumerate() {
            let start = object.start as u64;
            // ORDERING: relaxed; the number is all that is needed here, a reader waits for the row's marker.
            match slot.load(Ordering::Relaxed) {
                // The C library unloads some objects (of iconv) behind our back: what lies there must be the same.
                there if there == start => {
                    if self.is_of(process, row, object) {
                        return row as u32 + 1;
                    }
                    self.close(process, row);
                    continue;
                }
                GONE if self.came_back(process, row, object) => return row as u32 + 1,
                0 => {}
                _ => continue,
            }
            // ORDERING: relaxed, as above.
            match slot.compare_exchange(0, start, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => {
                    write_row(process, row as u32, object);
                    return row as u32 + 1;
                }
                Err(there) if there == start => return row as u32 + 1,
                Err(_) => {}
            }
        }
        0
    }

    /// Whether the row is of this object, or is still being written.
    fn is_of(&self, process: &Process, row: usize, object: &Object) -> bool {
        let Some(cells) = process.writer().and_then(|writer| writer.module(row as u32)) else {
            return true;
        };
        // ORDERING: acquire, the row's other fields are complete once its marker is there.
        let end = cells.end.load(Ordering::Acquire);
        end == 0
            || end == object.end as u64
                // ORDERING: relaxed, after the marker.
                && cells.start.load(Ordering::Relaxed) == object.start as u64
                && same_name(process, row, object)
                && same_build(cells, object)
    }

    /// Opens the row again if it is of this very object, unloaded since and loaded again at the same place, so that a
    /// program that loads and unloads for ever does not use up the rows.
    fn came_back(&self, process: &Process, row: usize, object: &Object) -> bool {
        let Some(cells) = process.writer().and_then(|writer| writer.module(row as u32)) else {
            return false;
        };
        if !self.is_of(process, row, object) {
            return false;
        }
        let start = object.start as u64;
        // ORDERING: relaxed; see `row_of`.
        let opened =
            self.starts[row].compare_exchange(GONE, start, Ordering::Relaxed, Ordering::Relaxed);
        if opened.is_ok() {
            cells.unloaded.fill(0);
        }
        opened.is_ok() || opened == Err(start)
    }

    /// Closes the rows of all objects that are no longer where they were. After a dlclose.
    pub fn sweep(&self, process: &Process) {
        for (row, slot) in self.starts.iter().enumerate() {
            // ORDERING: relaxed; see `row_of`.
            match slot.load(Ordering::Relaxed) {
                0 => return,
                GONE => {}
                start => {
                    // Under the loader's lock: without it another thread could unload the object while it is compared.
                    let look = |object: &Object| self.is_of(process, row, object);
                    if !object::with_object_at(start as usize, look).unwrap_or(false) {
                        self.close(process, row);
                    }
                }
            }
        }
    }

    /// Marks a row's object as unloaded, and forgets what was known of its addresses.
    fn close(&self, process: &Process, row: usize) {
        let Some(cells) = process.writer().and_then(|writer| writer.module(row as u32)) else {
            return;
        };
        // ORDERING: acquire, as in `is_of`.
        let end = cells.end.load(Ordering::Acquire);
        // ORDERING: relaxed, after the marker.
        let start = cells.start.load(Ordering::Relaxed);
        // ORDERING: relaxed; see `row_of`. One thread closes.
        let slot = &self.starts[row];
        if end == 0
            || slot.compare_exchange(start, GONE, Ordering::Relaxed, Ordering::Relaxed).is_err()
        {
            return;
        }
        cells.unloaded.fill(1);
        process.forget_rules(start as usize..end as usize);
    }
}

/// Whether the row's path is the object's: another object may have been mapped at the same address since.
fn same_name(process: &Process, row: usize, object: &Object) -> bool {
    let Some(writer) = process.writer() else { return false };
    let Some(cells) = writer.module(row as u32) else { return false };
    let name = object.name();
    // ORDERING: relaxed; the caller loaded the marker with acquire.
    let (path_row, bytes) =
        (cells.path_row.load(Ordering::Relaxed), cells.path_bytes.load(Ordering::Relaxed));
    if bytes as usize != name.len() {
        return false;
    }
    // SAFETY: the text was written before the row's marker, lies in one chunk, and never changes.
    bytes == 0
        || writer
            .row(Table::Text, path_row)
            .is_some_and(|text| unsafe { core::slice::from_raw_parts(text, name.len()) } == name)
}

/// Whether the row's build id is the object's: the file may have been built anew since.
fn same_build(cells: &ModuleCells, object: &Object) -> bool {
    let (words, bytes) = build_id_words(object);
    // ORDERING: relaxed; the caller loaded the marker with acquire.
    let same_words = || {
        cells.build_id.iter().zip(words).all(|(cell, word)| cell.load(Ordering::Relaxed) == word)
    };
    cells.build_id_bytes.load(Ordering::Relaxed) == bytes && same_words()
}

/// The object's build id as a row holds it, and its length.
fn build_id_words(object: &Object) -> ([u64; 4], u32) {
    let mut id = [0u8; 32];
    let bytes = build_id(object, &mut id);
    let word = |at: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&id[at * 8..at * 8 + 8]);
        u64::from_ne_bytes(bytes)
    };
    (core::array::from_fn(word), bytes as u32)
}

fn write_row(process: &Process, row: u32, object: &Object) {
    let Some(writer) = process.writer() else { return };
    // Rows are numbered by `Modules::starts`; the table's own count follows.
    while writer.module(row).is_none() {
        if writer.claim(Table::Modules, 1).is_none() {
            return;
        }
    }
    // ORDERING: relaxed; a bound for readers, who skip rows without a marker.
    writer.header().rows[Table::Modules as usize].fetch_max(row + 1, Ordering::Relaxed);
    let Some(cells) = writer.module(row) else { return };
    let name = object.name();
    if let Some(text) = writer.claim_text(name) {
        cells.path_row.fill(text);
        cells.path_bytes.fill(name.len() as u32);
    }
    cells.bias.fill(object.bias as u64);
    let (words, bytes) = build_id_words(object);
    cells.build_id_bytes.fill(bytes);
    for (cell, word) in cells.build_id.iter().zip(words) {
        cell.fill(word);
    }
    cells.birth.fill(process.tick());
    cells.start.fill(object.start as u64);
    // ORDERING: release, the marker.
    cells.end.store(object.end as u64, Ordering::Release);
}

/// Copies the build id out of the object's notes in memory; returns its length, 0 if there is none.
fn build_id(object: &Object, id: &mut [u8; 32]) -> usize {
    const NOTE: u32 = 4;
    const BUILD_ID: u32 = 3;
    let mut search = || -> Option<usize> {
        if !object.has_header() {
            return None;
        }
        let headers = object.start + object.word(object.start + 32)? as usize;
        let count = object.half(object.start + 56)? & 0xffff;
        for header in (0..count as usize).map(|i| headers + i * 56) {
            if object.half(header)? != NOTE {
                continue;
            }
            let mut at = object.bias + object.word(header + 16)? as usize;
            let end = at + object.word(header + 40)? as usize;
            while at + 12 <= end {
                let name = object.half(at)? as usize;
                let data = object.half(at + 4)? as usize;
                let contents = at + 12 + name.next_multiple_of(4);
                if object.half(at + 8)? == BUILD_ID && object.memory(at + 12, name)? == b"GNU\0" {
                    let data = data.min(id.len());
                    id[..data].copy_from_slice(object.memory(contents, data)?);
                    return Some(data);
                }
                at = contents.checked_add(data.next_multiple_of(4))?;
            }
        }
        None
    };
    search().unwrap_or(0)
}
