//! The profile file, `.memscope`: a profile that needs nothing else to be read later, on another machine.
//!
//! ```text
//! offset  bytes
//! 0       8      magic: 89 'm' 's' 'c' 'o' 'p' 'e' 0A
//! 8       4      format version
//! 12      8      length of the body
//! 20      8      length of the body as it is stored
//! 28      ..     the body, deflated
//! end     4      CRC-32 of all that comes before
//! ```
//! All numbers are little-endian. The body is a sequence of named parts (see `body`): one holds the small things of
//! the profile in MessagePack with named fields, and each column of each large vector is a part of its own. So
//! fields can be added: a reader passes over what it does not know.
//!
//! Invariants: nothing read is trusted. The checksum is looked at first, then the sizes, then everything that
//! `check` knows; memory stays in proportion to the file. A file is written beside its place and renamed, so
//! it is whole or absent.
//! Deliberately absent: older versions. When there is a second one, this reads both.

mod body;
mod columns;

#[cfg(test)]
mod tests;

use crate::check::check;
use crate::error::{Cause, Error, Result};
use crate::model::Profile;
use crate::types;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The first eight bytes of a profile file. The first is not text, the last shows a conversion of line ends.
pub const MAGIC: [u8; 8] = *b"\x89mscope\n";

/// The version of the format that this library writes, and the only one that it reads.
pub const VERSION: u32 = 1;

const HEADER_BYTES: usize = 28;
const CHECKSUM_BYTES: usize = 4;

/// A body may be this large however small the file is.
const SMALL_BODY_BYTES: u64 = 16 << 20;
/// Beyond that, it may be so many times as large as it is stored. The writer keeps to it.
const MAX_RATIO: u64 = 100;

/// The largest body that is believed of so many stored bytes.
fn max_body_bytes(stored_bytes: u64) -> u64 {
    stored_bytes.saturating_mul(MAX_RATIO).saturating_add(SMALL_BODY_BYTES)
}

/// Writes a profile in the format of a profile file. Needs memory for the file and its body.
///
/// # Errors
/// What `out` says; and `InvalidData` if the profile breaks the promises of [`crate::model`].
pub fn write(profile: &Profile, out: &mut dyn Write) -> io::Result<()> {
    check(profile).map_err(|what| io::Error::new(io::ErrorKind::InvalidData, what))?;
    let body = body::encode(profile)?;
    let mut stored = deflate(&body, Compression::fast())?;
    if body.len() as u64 > max_body_bytes(stored.len() as u64) {
        stored = deflate(&body, Compression::none())?;
    }
    let mut head = Vec::with_capacity(HEADER_BYTES);
    head.extend(MAGIC);
    head.extend(VERSION.to_le_bytes());
    head.extend((body.len() as u64).to_le_bytes());
    head.extend((stored.len() as u64).to_le_bytes());
    out.write_all(&head)?;
    out.write_all(&stored)?;
    out.write_all(&checksum(&head, &stored).to_le_bytes())
}

/// Writes a profile to `path`, which only its owner may then read. An older file there stays until the new one is
/// complete.
///
/// # Errors
/// If the file cannot be written; nothing is left behind then.
pub fn save(profile: &Profile, path: &Path) -> Result<()> {
    let fail = |error| Error::new(path.display().to_string(), Cause::Io("written", error));
    let name = path.file_name().ok_or_else(|| fail(io::ErrorKind::InvalidFilename.into()))?;
    let mut temporary = std::ffi::OsString::from(".");
    temporary.push(name);
    temporary.push(format!(".{}", std::process::id()));
    let temporary = path.with_file_name(temporary);
    let written = write_new(profile, &temporary).and_then(|()| fs::rename(&temporary, path));
    written.map_err(|error| {
        // It may not even have been made; the first error is the one to tell.
        let _ = fs::remove_file(&temporary);
        fail(error)
    })
}

fn write_new(profile: &Profile, path: &PathBuf) -> io::Result<()> {
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    write(profile, &mut file)
}

/// Reads the profile file at `path`.
///
/// # Errors
/// If it cannot be read, is no profile, has another version, is cut off or damaged. Never panics, whatever the bytes.
pub fn load(path: &Path) -> Result<Profile> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|error| Error::new(&name, Cause::Io("opened", error)))?;
    read(file, &name)
}

/// Reads a profile file from anywhere; `name` is what errors call it. See [`load`].
pub fn read(mut input: impl Read, name: &str) -> Result<Profile> {
    let fail = |cause| Error::new(name, cause);
    let io_error = |error| fail(Cause::Io("read", error));
    let mut head = Vec::with_capacity(HEADER_BYTES);
    input.by_ref().take(HEADER_BYTES as u64).read_to_end(&mut head).map_err(io_error)?;
    if !head.starts_with(&MAGIC) {
        return Err(fail(Cause::Foreign("a memscope profile")));
    }
    let version = le(&head, 8, 4) as u32;
    if head.len() >= 12 && version != VERSION {
        return Err(fail(Cause::Version(version, VERSION)));
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
        return Err(Error::corrupt(name, "something follows its end"));
    }
    let stored = stored.split_at(stored_bytes as usize);
    if checksum(&head, stored.0) != le(stored.1, 0, 4) as u32 {
        return Err(Error::corrupt(name, "its checksum does not fit its contents"));
    }
    if body_bytes > max_body_bytes(stored_bytes) {
        return Err(fail(Cause::TooLarge(body_bytes)));
    }
    let mut body = Vec::new();
    DeflateDecoder::new(stored.0)
        .take(body_bytes.saturating_add(1))
        .read_to_end(&mut body)
        .map_err(|error| Error::corrupt(name, format!("it cannot be decompressed ({error})")))?;
    if body.len() as u64 != body_bytes {
        return Err(Error::corrupt(name, "it does not have the length that it says"));
    }
    let mut profile = body::decode(&body).map_err(|what| Error::corrupt(name, what))?;
    check(&profile).map_err(|what| Error::corrupt(name, what))?;
    if !body::has_types(&body) {
        // Written before there were types: the functions' names still say them.
        types::assign(&mut profile, &types::TypeSizes::default());
    }
    Ok(profile)
}

fn deflate(body: &[u8], level: Compression) -> io::Result<Vec<u8>> {
    let mut encoder = DeflateEncoder::new(Vec::new(), level);
    encoder.write_all(body)?;
    encoder.finish()
}

fn checksum(head: &[u8], stored: &[u8]) -> u32 {
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
