//! What the fuzz targets share: a bound on the memory that an input may cost, a file in memory to put it into, and the frame
//! of our files.
//!
//! Invariant: a file holds nothing of the input before. Deliberately absent: a bound on time, which libFuzzer has
//! (`-timeout`).

mod counted;

pub use counted::bounded;

use flate2::{Compression, write::DeflateEncoder};
use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

/// A file in memory, with a path by which it can be opened.
#[derive(Debug)]
pub struct Memory(File);

impl Memory {
    /// An empty one.
    ///
    /// # Panics
    /// If the system gives none; there is nothing to fuzz then.
    #[expect(clippy::new_without_default, reason = "it asks the system")]
    pub fn new() -> Self {
        let descriptor = rustix::fs::memfd_create("fuzz", rustix::fs::MemfdFlags::CLOEXEC);
        Self(File::from(descriptor.expect("a file in memory")))
    }

    /// The file.
    pub fn file(&self) -> &File {
        &self.0
    }

    /// Its path, for as long as it lives.
    pub fn path(&self) -> PathBuf {
        format!("/proc/self/fd/{}", self.0.as_raw_fd()).into()
    }

    /// Fills it anew.
    pub fn fill(&self, bytes: &[u8]) {
        self.0.set_len(0).and_then(|()| self.0.write_all_at(bytes, 0)).expect("written");
    }

    /// Fills it anew with parts of a sparse file, as [`pack`] makes them. Parts beyond `max_parts` and places beyond a
    /// region's size are left out.
    pub fn fill_sparse(&self, mut packed: &[u8], max_parts: usize) {
        self.0.set_len(0).and_then(|()| self.0.set_len(1 << 40)).expect("a sparse file");
        for _ in 0..max_parts {
            let Some((head, rest)) = packed.split_first_chunk::<8>() else { return };
            // Five bytes of place, in units of 8; two of length, in units of 8; one that is free.
            let head = u64::from_le_bytes(*head);
            let (place, length) =
                ((head & 0xff_ffff_ffff) * 8 % (1 << 40), (head >> 40 & 0xffff) as usize * 8);
            let (part, rest) = rest.split_at(length.min(rest.len()));
            self.0.write_all_at(part, place).expect("written");
            packed = rest;
        }
    }
}

/// Packs what is not zero in a sparse file, as [`Memory::fill_sparse`] takes it.
///
/// # Errors
/// If the file cannot be read or `out` not be written.
pub fn pack(file: &File, out: &mut impl Write) -> std::io::Result<()> {
    let mut at = 0;
    let mut part: Vec<u8> = Vec::new();
    while let Ok(start) = rustix::fs::seek(file, rustix::fs::SeekFrom::Data(at)) {
        let end = rustix::fs::seek(file, rustix::fs::SeekFrom::Hole(start))?;
        let mut bytes = vec![0; (end - start) as usize];
        file.read_exact_at(&mut bytes, start)?;
        let mut flush = |part: &mut Vec<u8>, end: usize| {
            // Zeros at its end are there anyway.
            let used = part.iter().rposition(|byte| *byte != 0).map_or(0, |last| last / 8 * 8 + 8);
            if used > 0 {
                let place = start + (end - part.len()) as u64;
                let head = (place / 8) | ((used as u64 / 8) << 40);
                out.write_all(&head.to_le_bytes())?;
                out.write_all(&part[..used])?;
            }
            part.clear();
            std::io::Result::Ok(())
        };
        // A part ends where a line of zeros begins.
        for (number, line) in bytes.chunks(64).enumerate() {
            if line.iter().all(|byte| *byte == 0) {
                flush(&mut part, number * 64)?;
            } else {
                part.extend(line);
            }
        }
        flush(&mut part, bytes.len())?;
        at = end;
    }
    Ok(())
}

/// A body behind a head, in a frame whose lengths and checksum fit.
///
/// # Panics
/// If there is no memory.
pub fn framed(head: &[u8], body: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::none());
    encoder.write_all(body).expect("memory");
    let stored = encoder.finish().expect("memory");
    let mut all = head.to_vec();
    all.extend((body.len() as u64).to_le_bytes());
    all.extend((stored.len() as u64).to_le_bytes());
    all.extend(stored);
    let checksum = crc32fast::hash(&all);
    all.extend(checksum.to_le_bytes());
    all
}
