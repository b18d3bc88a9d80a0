//! What can go wrong when a region or a profile file is read or written, said so that a user can act on it.
//!
//! An error is one sentence (what and where) and a hint (what to do). Damage that leaves something to show is not
//! an error but a warning in the profile.

use std::fmt;
use std::io;

/// A failure to read or write a region or a profile file.
///
/// ```
/// let error = memscope_profile::file::load("/no/such.memscope".as_ref()).unwrap_err();
/// eprintln!("{error}\n{}", error.hint());
/// assert!(error.to_string().starts_with("/no/such.memscope could not be opened"));
/// ```
#[derive(Debug)]
pub struct FileError {
    subject: String,
    cause: Cause,
}

/// What went wrong.
#[derive(Debug)]
pub(crate) enum Cause {
    /// Reading or writing failed.
    Io(&'static str, io::Error),
    /// It is something else altogether; the name of what it should have been.
    Foreign(&'static str),
    /// Another format version: found, known.
    Version(u32, u32),
    /// The process ended before its region was complete.
    NotReady,
    /// It ends too early: bytes there, bytes expected.
    Truncated(u64, u64),
    /// It contradicts itself.
    Corrupt(String),
    /// Its size is out of all proportion.
    TooLarge(u64),
}

/// The result of reading or writing.
///
/// ```
/// fn peak_bytes(path: &std::path::Path) -> memscope_profile::Result<u64> {
///     Ok(memscope_profile::file::load(path)?.totals.peak_bytes)
/// }
///
/// assert!(peak_bytes("/no/such.memscope".as_ref()).is_err());
/// ```
pub type Result<T, E = FileError> = std::result::Result<T, E>;

impl FileError {
    pub(crate) fn new(subject: impl Into<String>, cause: Cause) -> Self {
        Self { subject: subject.into(), cause }
    }

    pub(crate) fn corrupt(subject: impl Into<String>, what: impl Into<String>) -> Self {
        Self::new(subject, Cause::Corrupt(what.into()))
    }

    /// What to do about it, in a sentence or two. Never empty. A constant.
    ///
    /// ```
    /// let error = memscope_profile::file::read(&b"no profile"[..], "it").unwrap_err();
    /// assert!(error.hint().contains("memscope run -o FILE.memscope"));
    /// ```
    pub fn hint(&self) -> &'static str {
        match &self.cause {
            Cause::Io(_, error) => match error.kind() {
                io::ErrorKind::NotFound => "Look whether the path is right.",
                io::ErrorKind::PermissionDenied => {
                    "Run it as the user who owns the file, or change the file's permissions."
                }
                io::ErrorKind::StorageFull => "Make room on the disk, or write to another one.",
                _ => "Look whether the file and its disk are in order.",
            },
            Cause::Foreign(_) => "Profiles are made by `memscope run -o FILE.memscope -- PROGRAM`.",
            Cause::Version(found, known) if found > known => {
                "It was made by a newer memscope: install that version, or record the profile again."
            }
            Cause::Version(..) => {
                "It was made by an older memscope: use that version, or record the profile again."
            }
            Cause::NotReady => "Run the program again; nothing was recorded.",
            Cause::Truncated(..) => {
                "The file was cut off, perhaps by a full disk or a broken copy: copy it again, or record the profile again."
            }
            Cause::Corrupt(_) | Cause::TooLarge(_) => {
                "The file is damaged: copy it again, or record the profile again."
            }
        }
    }

    /// The failed operation of the system, if it was one. A field.
    ///
    /// ```
    /// let error = memscope_profile::file::load("/no/such.memscope".as_ref()).unwrap_err();
    /// assert_eq!(error.io_kind(), Some(std::io::ErrorKind::NotFound));
    /// ```
    pub fn io_kind(&self) -> Option<io::ErrorKind> {
        match &self.cause {
            Cause::Io(_, error) => Some(error.kind()),
            _ => None,
        }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subject = &self.subject;
        match &self.cause {
            Cause::Io(action, error) => write!(f, "{subject} could not be {action}: {error}"),
            Cause::Foreign(expected) => write!(f, "{subject} is not {expected}"),
            Cause::Version(found, known) => write!(
                f,
                "{subject} has format version {found}, and this memscope knows version {known}"
            ),
            Cause::NotReady => {
                write!(f, "{subject} was never completed: its process ended before recording began")
            }
            Cause::Truncated(found, expected) => {
                write!(f, "{subject} is truncated: it has {found} of {expected} bytes")
            }
            Cause::Corrupt(what) => write!(f, "{subject} is corrupted: {what}"),
            Cause::TooLarge(bytes) => {
                write!(f, "{subject} is corrupted: it claims to hold {bytes} bytes")
            }
        }
    }
}

impl std::error::Error for FileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.cause {
            Cause::Io(_, error) => Some(error),
            _ => None,
        }
    }
}
