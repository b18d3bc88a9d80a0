//! Bytes in a file, so that damage shows: a magic, a version, the body's length, the body deflated, and a checksum.
//!
//! The layout is drawn in [`crate::file`].
//!
//! Invariants: nothing read is trusted: the checksum is looked at first, then the sizes; memory stays in proportion to the
//! file. Deliberately absent: what the body says; a checksum proves no good will, so its reader checks all of it.

use crate::error::{Cause, FileError, Result};
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use std::io::{self, Read, Write};

const HEADER_BYTES: usize = 28;
const CHECKSUM_BYTES: usize = 4;

/// A body may be this large however small the file is.
const SMALL_BODY_BYTES: u64 = 16 << 20;
/// Beyond that, it may be so many times as large as it is stored. The writer keeps to it.
const MAX_RATIO: u64 = 100;

/// A kind of file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seal {
    /// The first eight bytes.
    pub(crate) magic: [u8; 8],
    /// The version that is written, and the only one that is read.
    pub(crate) version: u32,
    /// What errors call such a file.
    pub(crate) kind: &'static str,
    /// No larger body is read, whatever the file says.
    pub(crate) max_body_bytes: u64,
}

impl Seal {
    /// The largest body that is believed of so many stored bytes.
    fn max_body_bytes(&self, stored_bytes: u64) -> u64 {
        let believed = stored_bytes.saturating_mul(MAX_RATIO).saturating_add(SMALL_BODY_BYTES);
        believed.min(self.max_body_bytes)
    }

    /// Writes a body. Needs memory for what is stored.
    pub(crate) fn write(&self, body: &[u8], out: &mut dyn Write) -> io::Result<()> {
        let mut stored = deflate(body, Compression::fast())?;
        if body.len() as u64 > self.max_body_bytes(stored.len() as u64) {
            stored = deflate(body, Compression::none())?;
        }
        let mut head = Vec::with_capacity(HEADER_BYTES);
        head.extend(self.magic);
        head.extend(self.version.to_le_bytes());
        head.extend((body.len() as u64).to_le_bytes());
        head.extend((stored.len() as u64).to_le_bytes());
        out.write_all(&head)?;
        out.write_all(&stored)?;
        out.write_all(&checksum(&head, &stored).to_le_bytes())
    }

    /// Reads a body; `name` is what errors call the file.
    ///
    /// # Errors
    /// If the file cannot be read, is of another kind or version, is cut off or damaged. Never panics, whatever the bytes.
    pub(crate) fn read(&self, mut input: impl Read, name: &str) -> Result<Vec<u8>> {
        let fail = |cause| FileError::new(name, cause);
        let io_error = |error| fail(Cause::Io("read", error));
        let mut head = Vec::with_capacity(HEADER_BYTES);
        input.by_ref().take(HEADER_BYTES as u64).read_to_end(&mut head).map_err(io_error)?;
        if !head.starts_with(&self.magic) {
            return Err(fail(Cause::Foreign(self.kind)));
        }
        let version = le(&head, 8, 4) as u32;
        if head.len() >= 12 && version != self.version {
            return Err(fail(Cause::Version(version, self.version)));
        }
        if head.len() < HEADER_BYTES {
            return Err(fail(Cause::Truncated(head.len() as u64, HEADER_BYTES as u64)));
        }
        let (body_bytes, stored_bytes) = (le(&head, 12, 8), le(&head, 20, 8));
        let rest_bytes = stored_bytes.saturating_add(CHECKSUM_BYTES as u64);
        let mut stored = Vec::new();
        // One byte more than there should be, to see whether there is.
        input.take(rest_bytes.saturating_add(1)).read_to_end(&mut stored).map_err(io_error)?;
        let there = stored.len() as u64;
        if there < rest_bytes {
            let whole = rest_bytes.saturating_add(HEADER_BYTES as u64);
            return Err(fail(Cause::Truncated(there + HEADER_BYTES as u64, whole)));
        }
        if there > rest_bytes {
            return Err(FileError::corrupt(name, "something follows its end"));
        }
        let stored = stored.split_at(stored_bytes as usize);
        if checksum(&head, stored.0) != le(stored.1, 0, 4) as u32 {
            return Err(FileError::corrupt(name, "its checksum does not fit its contents"));
        }
        if body_bytes > self.max_body_bytes(stored_bytes) {
            return Err(fail(Cause::TooLarge(body_bytes)));
        }
        let mut body = Vec::new();
        DeflateDecoder::new(stored.0)
            .take(body_bytes.saturating_add(1))
            .read_to_end(&mut body)
            .map_err(|error| {
                FileError::corrupt(name, format!("it cannot be decompressed ({error})"))
            })?;
        if body.len() as u64 != body_bytes {
            return Err(FileError::corrupt(name, "it does not have the length that it says"));
        }
        Ok(body)
    }
}

pub(crate) fn deflate(body: &[u8], level: Compression) -> io::Result<Vec<u8>> {
    let mut encoder = DeflateEncoder::new(Vec::new(), level);
    encoder.write_all(body)?;
    encoder.finish()
}

pub(crate) fn checksum(head: &[u8], stored: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(head);
    hasher.update(stored);
    hasher.finalize()
}

/// A little-endian number of up to 8 bytes; what is not there is zero.
fn le(bytes: &[u8], at: usize, length: usize) -> u64 {
    let there = bytes.get(at..).unwrap_or_default();
    there.iter().take(length).rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}
