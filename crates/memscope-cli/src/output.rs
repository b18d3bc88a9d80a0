//! Files that a run writes, made sure of before the program runs.
//!
//! Invariants:
//! - A path that cannot be written is found when the output is opened, not after hours of work.
//! - A file is complete or absent: it is written under a temporary name beside its place and then renamed. What
//!   is not a regular file (a pipe, `/dev/null`) is written directly, since a rename would replace it.
//! - An output that is dropped unfinished leaves nothing behind.
//!
//! Deliberately absent: formats.

use crate::error::{Error, reason};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A place that a profile is written to.
#[derive(Debug)]
pub(crate) struct Output {
    /// As the user wrote it.
    shown: String,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Stdout,
    Direct(File),
    Renamed { file: File, temporary: PathBuf, path: PathBuf },
}

impl Output {
    /// Opens `path` for writing; `-` is stdout. `mode` holds for a file that is made, less the umask.
    pub(crate) fn open(path: &Path, mode: u32) -> Result<Self, Error> {
        let shown = path.display().to_string();
        let place =
            if path == Path::new("-") { Ok(Place::Stdout) } else { Place::open(path, mode) };
        place.map(|place| Self { shown: shown.clone(), place }).map_err(|error| {
            Error::new(format!("cannot write to {shown}: {}", reason(&error)))
                .hint("Name a file in a folder that exists and that you may write to.")
        })
    }

    /// Writes what `write` writes and puts it in place.
    pub(crate) fn finish(
        mut self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Error> {
        match self.place.finish(write) {
            // Whoever reads our stdout may stop early (`| head`).
            Err(error)
                if error.kind() == io::ErrorKind::BrokenPipe
                    && matches!(self.place, Place::Stdout) =>
            {
                Ok(())
            }
            result => result.map_err(|error| {
                Error::new(format!("writing {} failed: {}", self.shown, reason(&error)))
                    .hint("Look whether its folder is still there and the disk has room.")
            }),
        }
    }
}

impl Place {
    fn open(path: &Path, mode: u32) -> io::Result<Self> {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
            Ok(metadata) if !metadata.is_file() => {
                Ok(Self::Direct(OpenOptions::new().write(true).open(path)?))
            }
            // A link is followed, so that it stays a link and what it names is replaced.
            Ok(_) => Self::beside(fs::canonicalize(path)?, mode),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Self::beside(path.to_owned(), mode)
            }
            Err(error) => Err(error),
        }
    }

    fn beside(path: PathBuf, mode: u32) -> io::Result<Self> {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}.tmp", std::process::id()));
        let temporary = path.with_file_name(hidden);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(mode)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
            .open(&temporary)?;
        Ok(Self::Renamed { file, temporary, path })
    }

    fn finish(&mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        match self {
            Self::Stdout => {
                let mut out = BufWriter::new(io::stdout().lock());
                write(&mut out)?;
                out.flush()
            }
            Self::Direct(file) => {
                let mut out = BufWriter::new(file);
                write(&mut out)?;
                out.flush()
            }
            Self::Renamed { file, temporary, path } => {
                let mut out = BufWriter::new(file);
                write(&mut out)?;
                out.flush()?;
                fs::rename(temporary, path)
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Self::Renamed { temporary, .. } = self {
            // After the rename there is nothing of this name any more, which is as well.
            let _ = fs::remove_file(temporary);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_appears_when_it_is_complete() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        let output = Output::open(&path, 0o600).unwrap();
        assert!(!path.exists());
        output.finish(|out| out.write_all(b"whole")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(names(folder.path()), ["a.json"]);
    }

    #[test]
    fn an_unfinished_or_failed_output_leaves_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        fs::write(&path, "old").unwrap();
        drop(Output::open(&path, 0o600).unwrap());
        let failed = Output::open(&path, 0o600)
            .unwrap()
            .finish(|out| out.write_all(b"half").and(Err(io::ErrorKind::StorageFull.into())));
        assert!(failed.unwrap_err().message.contains("a.json"));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["a.json"]);
    }

    #[test]
    fn a_link_stays_a_link_and_a_device_a_device() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        fs::write(folder.path().join("target"), "old").unwrap();
        std::os::unix::fs::symlink("target", &link).unwrap();
        Output::open(&link, 0o600).unwrap().finish(|out| out.write_all(b"new")).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(folder.path().join("target")).unwrap(), b"new");
        assert!(matches!(Place::open(Path::new("/dev/null"), 0o600), Ok(Place::Direct(_))));
    }

    #[test]
    fn what_cannot_be_written_is_said_at_once() {
        let folder = tempfile::tempdir().unwrap();
        for bad in [folder.path().to_owned(), folder.path().join("missing/a"), PathBuf::new()] {
            let error = Output::open(&bad, 0o600).unwrap_err();
            assert_eq!(error.exit_code, crate::error::OWN_FAILURE);
            assert!(!error.hint.is_empty());
        }
    }
}
