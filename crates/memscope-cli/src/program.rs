//! The program: where it is, found as `execvp` finds it.
//!
//! The command looks the program up itself, before it runs, because it must look into the file (see
//! [`crate::hookable`]) and because "not found" and "not executable" have exit codes of their own. The path found is
//! the one executed.
//!
//! Deliberately absent: what the file contains.

use crate::error::{Error, NOT_EXECUTABLE, NOT_FOUND, reason};
use rustix::fs::{Access, AtFlags, CWD, accessat};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Where `execvp` looks when PATH is not set, as `confstr(_CS_PATH)` has it.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// Finds the file that `execvp(name)` would execute.
pub(crate) fn find(name: &OsStr) -> Result<PathBuf, Error> {
    let path = std::env::var_os("PATH").unwrap_or_else(|| DEFAULT_PATH.into());
    find_in(name, &path)
}

fn find_in(name: &OsStr, search_path: &OsStr) -> Result<PathBuf, Error> {
    let shown = name.display();
    if name.as_bytes().contains(&b'/') {
        let path = PathBuf::from(name);
        return match executable(&path) {
            Ok(()) => Ok(path),
            Err(error) => Err(refusal(&path, error)),
        };
    }
    let mut denied = None;
    for folder in search_path.as_bytes().split(|&byte| byte == b':') {
        if name.is_empty() {
            break;
        }
        // An empty element is the current folder.
        let folder = if folder.is_empty() { OsStr::new(".") } else { OsStr::from_bytes(folder) };
        let path = Path::new(folder).join(name);
        match executable(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                denied.get_or_insert((path, error));
            }
            Err(_) => {}
        }
    }
    Err(match denied {
        Some((path, error)) => refusal(&path, error),
        None => {
            let hint = if Path::new(name).is_file() {
                format!("A file of this name is in the current folder; run it as ./{shown}.")
            } else {
                "Check the name, or give the program's path.".to_owned()
            };
            Error::new(format!("there is no program {shown} in PATH"))
                .hint(hint)
                .exit_code(NOT_FOUND)
        }
    })
}

/// Whether the file exists, is a regular file, and may be executed by us.
fn executable(path: &Path) -> io::Result<()> {
    let metadata = fs::metadata(path)?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !metadata.is_file() {
        return Err(Errno::ACCESS.into());
    }
    // The effective ids decide, as they do for exec.
    match accessat(CWD, path, Access::EXEC_OK, AtFlags::EACCESS) {
        // Older kernels and some sandboxes do not know the flag; exec itself will tell.
        Err(Errno::NOSYS | Errno::INVAL) => Ok(()),
        result => Ok(result?),
    }
}

/// Why the program at `path` does not run.
pub(crate) fn refusal(path: &Path, error: io::Error) -> Error {
    let shown = path.display();
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            Error::new(format!("there is no program at {shown}"))
                .hint("Check the path; a script's or program's interpreter must exist as well.")
                .exit_code(NOT_FOUND)
        }
        io::ErrorKind::IsADirectory => Error::new(format!("{shown} is a folder, not a program"))
            .hint("Give the path of the program in it.")
            .exit_code(NOT_EXECUTABLE),
        _ => {
            let hint = if error.kind() == io::ErrorKind::PermissionDenied {
                let quoted = shown.to_string().replace('\'', r"'\''");
                format!("If it is a program, make it executable: chmod +x '{quoted}'.")
            } else {
                String::new()
            };
            Error::new(format!("cannot execute {shown}: {}", reason(&error)))
                .hint(hint)
                .exit_code(NOT_EXECUTABLE)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn file(folder: &Path, name: &str, mode: u32) -> PathBuf {
        let path = folder.join(name);
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    fn code(result: Result<PathBuf, Error>) -> u8 {
        let error = result.unwrap_err();
        assert!(!error.message.is_empty());
        error.exit_code
    }

    #[test]
    fn the_first_executable_in_the_path_is_taken() {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        file(folders[0].path(), "tool", 0o644);
        let tool = file(folders[1].path(), "tool", 0o755);
        file(folders[1].path(), "data", 0o644);
        fs::create_dir(folders[1].path().join("folder")).unwrap();
        let path = std::env::join_paths(folders.iter().map(tempfile::TempDir::path)).unwrap();
        let find = |name: &str| find_in(OsStr::new(name), &path);
        assert_eq!(find("tool").unwrap(), tool);
        assert_eq!(code(find("data")), NOT_EXECUTABLE);
        assert_eq!(code(find("folder")), NOT_FOUND);
        assert_eq!(code(find("missing")), NOT_FOUND);
        assert_eq!(code(find("")), NOT_FOUND);
    }

    #[test]
    fn a_name_with_a_slash_is_a_path() {
        let folder = tempfile::tempdir().unwrap();
        let find = |path: &Path| find_in(path.as_os_str(), OsStr::new(""));
        let tool = file(folder.path(), "tool", 0o755);
        assert_eq!(find(&tool).unwrap(), tool);
        assert_eq!(code(find(&file(folder.path(), "data", 0o644))), NOT_EXECUTABLE);
        assert_eq!(code(find(folder.path())), NOT_EXECUTABLE);
        assert_eq!(code(find(&folder.path().join("missing"))), NOT_FOUND);
        assert_eq!(code(find(&tool.join("below-a-file"))), NOT_FOUND);
    }
}
