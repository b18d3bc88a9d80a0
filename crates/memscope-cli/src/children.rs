//! Keeps the profiles of children, each in a file of its own beside the program's.
//!
//! One file for each process, because that is what every reader takes and what can be given away, compared and deleted
//! alone. Deliberately absent: which children are kept, which was decided when they ended (see [`crate::keeper`]).

use crate::error::Error;
use crate::output::Output;
use crate::show;
use crate::symbols::symbolize;
use crate::terminal::Voice;
use memscope_profile::file;
use memscope_profile::model::ProcessSummary;
use std::collections::HashSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The ending of a profile's name.
const ENDING: &str = "memscope";

/// Names the functions in the packed profiles of these processes, by their places, and writes them beside `program`, the
/// file of the program's own. Each process is told its file.
pub(crate) fn keep(
    processes: &mut [ProcessSummary],
    profiles: Vec<(usize, Vec<u8>)>,
    program: &Path,
    voice: Voice,
) -> Result<(), Error> {
    if program.file_name().is_none() || program == Path::new("-") || !is_file(program) {
        return Ok(());
    }
    let mut taken = HashSet::new();
    for (place, packed) in profiles {
        let Some(process) = processes.get_mut(place) else { continue };
        let mut path = beside(program, process, "");
        let mut count = 1;
        // Ids are used again in the course of a long run.
        while !taken.insert(path.clone()) {
            count += 1;
            path = beside(program, process, &format!(".{count}"));
        }
        let output = Output::open(&path, 0o600)?;
        let name = path.display().to_string();
        let mut profile = file::read(&packed[..], &name)
            .map_err(|error| Error::new(error.to_string()).hint(error.hint()))?;
        profile.run.unfollowed_children = process.unfollowed_children;
        symbolize(&mut profile, voice);
        show::keep(&profile, output)?;
        process.file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    }
    Ok(())
}

/// Whether it is a file, or will be one: not a pipe or a device, beside which nothing is to appear.
fn is_file(path: &Path) -> bool {
    std::fs::metadata(path).map_or(true, |metadata| metadata.is_file())
}

/// `x.memscope` and process 12 of `cc` give `x.12-cc.memscope`.
fn beside(program: &Path, process: &ProcessSummary, more: &str) -> PathBuf {
    let is_profile = program.extension().is_some_and(|ending| ending == ENDING);
    let stem = if is_profile { program.file_stem() } else { program.file_name() };
    let mut name = OsString::from(stem.unwrap_or_default());
    let of = Path::new(&process.exe).file_name().unwrap_or_default().to_string_lossy().into_owned();
    name.push(format!(".{}{more}-{of}", process.pid));
    if is_profile {
        name.push(format!(".{ENDING}"));
    }
    program.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_stand_side_by_side() {
        let process =
            ProcessSummary { pid: 12, exe: "/usr/lib/cc1".into(), ..ProcessSummary::default() };
        let beside = |path: &str, more| beside(Path::new(path), &process, more);
        assert_eq!(beside("a/x.memscope", ""), Path::new("a/x.12-cc1.memscope"));
        assert_eq!(beside("x.memscope", ".2"), Path::new("x.12.2-cc1.memscope"));
        assert_eq!(beside("profile.out", ""), Path::new("profile.out.12-cc1"));
    }
}
