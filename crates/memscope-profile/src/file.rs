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
use crate::error::{Cause, FileError, Result};
use crate::model::Profile;
use crate::sealed::Seal;
use crate::types;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The first eight bytes of a profile file. The first is not text, the last shows a conversion of line ends.
///
/// ```
/// use memscope_profile::{Profile, file};
///
/// let mut bytes = Vec::new();
/// file::write(&Profile::default(), &mut bytes)?;
/// assert!(bytes.starts_with(&file::MAGIC));
/// # Ok::<(), std::io::Error>(())
/// ```
pub const MAGIC: [u8; 8] = *b"\x89mscope\n";

/// The version of the format that this library writes, and the only one that it reads. A number that is raised by one.
///
/// ```
/// use memscope_profile::file::VERSION;
///
/// assert_eq!(VERSION, 1); // older and newer files are refused, with a hint
/// ```
pub const VERSION: u32 = 1;

const SEAL: Seal =
    Seal { magic: MAGIC, version: VERSION, kind: "a memscope profile", max_body_bytes: u64::MAX };

/// Writes a profile in the format of a profile file. Needs memory for the file and its body; 0.1 ms for a file of 5 kB,
/// 5 ms for one of 33 kB.
///
/// # Errors
/// What `out` says; and `InvalidData` if the profile breaks the promises of [`crate::model`].
///
/// ```
/// use memscope_profile::{Profile, file};
///
/// let mut bytes = Vec::new();
/// file::write(&Profile::default(), &mut bytes)?;
/// assert_eq!(file::read(&bytes[..], "memory").unwrap(), Profile::default());
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn write(profile: &Profile, out: &mut dyn Write) -> io::Result<()> {
    check(profile).map_err(|what| io::Error::new(io::ErrorKind::InvalidData, what))?;
    SEAL.write(&body::encode(profile)?, out)
}

/// Writes a profile to `path`, which only its owner may then read. An older file there stays until the new one is
/// complete. Costs as [`write()`], and writes to a temporary name in the same folder first.
///
/// # Errors
/// If the file cannot be written; nothing is left behind then.
///
/// ```
/// use memscope_profile::{Profile, file};
///
/// let path = std::env::temp_dir().join(format!("kept-{}.memscope", std::process::id()));
/// file::save(&Profile::default(), &path)?;
/// assert_eq!(file::load(&path)?, Profile::default());
/// # std::fs::remove_file(&path).unwrap();
/// let error = file::save(&Profile::default(), "/no/such/folder/x.memscope".as_ref()).unwrap_err();
/// assert!(error.to_string().starts_with("/no/such/folder/x.memscope could not be written"));
/// # Ok::<(), memscope_profile::FileError>(())
/// ```
pub fn save(profile: &Profile, path: &Path) -> Result<()> {
    let fail = |error| FileError::new(path.display().to_string(), Cause::Io("written", error));
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

/// Reads the profile file at `path`. Memory is in proportion to the file. Costs as [`write()`].
///
/// # Errors
/// If it cannot be read, is no profile, has another version, is cut off or damaged. Never panics, whatever the bytes.
///
/// ```
/// use memscope_profile::file;
///
/// let error = file::load("/no/such.memscope".as_ref()).unwrap_err();
/// assert_eq!(error.hint(), "Look whether the path is right.");
/// ```
pub fn load(path: &Path) -> Result<Profile> {
    let name = path.display().to_string();
    let file =
        File::open(path).map_err(|error| FileError::new(&name, Cause::Io("opened", error)))?;
    read(file, &name)
}

/// Reads a profile file from anywhere; `name` is what errors call it. Costs as [`load`].
///
/// # Errors
/// As [`load`].
///
/// ```
/// let error = memscope_profile::file::read(&b"no profile"[..], "standard input").unwrap_err();
/// assert_eq!(error.to_string(), "standard input is not a memscope profile");
/// ```
pub fn read(input: impl Read, name: &str) -> Result<Profile> {
    let body = SEAL.read(input, name)?;
    let mut profile = body::decode(&body).map_err(|what| FileError::corrupt(name, what))?;
    check(&profile).map_err(|what| FileError::corrupt(name, what))?;
    if !body::has_types(&body) {
        // Written before there were types: the functions' names still say them.
        types::assign(&mut profile, &types::TypeSizes::default());
    }
    Ok(profile)
}
