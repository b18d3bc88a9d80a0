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
use crate::sealed::Seal;
use crate::types;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The first eight bytes of a profile file. The first is not text, the last shows a conversion of line ends.
pub const MAGIC: [u8; 8] = *b"\x89mscope\n";

/// The version of the format that this library writes, and the only one that it reads.
pub const VERSION: u32 = 1;

const SEAL: Seal =
    Seal { magic: MAGIC, version: VERSION, kind: "a memscope profile", max_body_bytes: u64::MAX };

/// Writes a profile in the format of a profile file. Needs memory for the file and its body.
///
/// # Errors
/// What `out` says; and `InvalidData` if the profile breaks the promises of [`crate::model`].
pub fn write(profile: &Profile, out: &mut dyn Write) -> io::Result<()> {
    check(profile).map_err(|what| io::Error::new(io::ErrorKind::InvalidData, what))?;
    SEAL.write(&body::encode(profile)?, out)
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
pub fn read(input: impl Read, name: &str) -> Result<Profile> {
    let body = SEAL.read(input, name)?;
    let mut profile = body::decode(&body).map_err(|what| Error::corrupt(name, what))?;
    check(&profile).map_err(|what| Error::corrupt(name, what))?;
    if !body::has_types(&body) {
        // Written before there were types: the functions' names still say them.
        types::assign(&mut profile, &types::TypeSizes::default());
    }
    Ok(profile)
}
