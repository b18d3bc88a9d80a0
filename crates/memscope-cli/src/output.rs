//! Files that a run writes, made sure of before the program runs.
//!
//! Invariants:
//! - A path that cannot be written is found when the output is opened, not after hours of work.
//! - A file is complete or absent: it is written under a temporary name beside its place and then renamed. What
//!   is not a regular file (a pipe, `/dev/null`) is written directly, since a rename would replace it.
//! - No two outputs go to one place, where the later would replace the earlier or be mixed with it.
//! - An output that is dropped unfinished leaves nothing behind.
//!
//! Deliberately absent: formats.

use crate::error::{Error, reason};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

/// Refuses outputs, each with its option, of which two go to the same file or both to stdout.
pub(crate) fn check_distinct(targets: &[(&str, Option<&Path>)]) -> Result<(), Error> {
    let mut seen: Vec<(&str, PathBuf)> = Vec::new();
    for &(option, path) in targets {
        // Devices such as /dev/null take any number.
        let Some(path) = path.filter(|path| !is_device(path)) else { continue };
        let place = place_of(path);
        if let Some((other, _)) = seen.iter().find(|(_, known)| *known == place) {
            let place =
                if path == Path::new("-") { "stdout".into() } else { path.to_string_lossy() };
            return Err(Error::new(format!("{other} and {option} both write to {place}"))
                .hint("Give each output a file of its own; one of them may be `-`, stdout."));
        }
        seen.push((option, place));
    }
    Ok(())
}

/// Refuses an output that would replace the profile `read`.
pub(crate) fn check_not_read(
    read: Option<&Path>,
    targets: &[(&str, Option<&Path>)],
) -> Result<(), Error> {
    let Some(read) = read.filter(|path| path.is_file()).map(place_of) else { return Ok(()) };
    let is_it = |path: &Path| place_of(path) == read;
    match targets.iter().find(|(_, path)| path.is_some_and(is_it)) {
        Some((option, _)) => {
            let message = format!("{option} would replace {}, which is to be read", read.display());
            Err(Error::new(message).hint("Give the output a file of its own."))
        }
        None => Ok(()),
    }
}

fn is_device(path: &Path) -> bool {
    path != Path::new("-")
        && fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_char_device())
}

/// The same for all ways to write a path, whether its file is there already or not.
fn place_of(path: &Path) -> PathBuf {
    if path == Path::new("-") {
        return path.to_owned();
    }
    let in_folder = || {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = fs::canonicalize(folder.unwrap_or(Path::new("."))).ok()?;
        Some(folder.join(path.file_name()?))
    };
    fs::canonicalize(path).ok().or_else(in_folder).unwrap_or_else(|| path.to_owned())
}

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
        // A profile that is saved again and again has a place of its own each time.
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // ORDERING: relaxed; each gets another number.
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        hidden.push(format!(".{}-{count}.tmp", std::process::id()));
        let temporary = path.with_file_name(hidden);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(mode)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
            .open(&temporary)?;
        UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner).push(temporary.clone());
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

/// The temporary files that are there now.
static UNFINISHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Removes what would be left behind if the process ended now.
pub(crate) fn remove_unfinished() {
    let unfinished = UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner);
    for path in unfinished.iter() {
        let _ = fs::remove_file(path);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Self::Renamed { temporary, .. } = self {
            UNFINISHED
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .retain(|path| path != temporary);
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
    fn one_place_for_two_outputs_is_refused_however_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        fs::write(file("there"), "").unwrap();
        std::os::unix::fs::symlink("there", file("link")).unwrap();
        let check = |one: &Path, two: &Path| {
            check_distinct(&[("--output", None), ("--json", Some(one)), ("--folded", Some(two))])
        };
        for (one, two) in [("there", "link"), ("absent", "./absent"), ("no/folder", "no/folder")] {
            let error = check(&file(one), &file(two)).unwrap_err();
            assert!(error.message.starts_with("--json and --folded both write to "), "{error}");
            assert!(!error.hint.is_empty());
        }
        let stdout = Path::new("-");
        assert!(check(stdout, stdout).unwrap_err().message.ends_with("stdout"));
        for (one, two) in [
            (file("there"), file("absent")),
            (stdout.to_owned(), file("-")),
            ("/dev/null".into(), "/dev/null".into()),
        ] {
            assert_eq!(check(&one, &two), Ok(()));
        }
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
