//! What a user ought to know about a recording before trusting its numbers, and why there is none.
//!
//! Invariants: everything said was seen (a function in the file, a variable that is not set); where the reason is
//! not known, that is said. Deliberately absent: how complete the events are, which the profile counts itself.

use crate::error::Error;
use crate::recording::Seen;
use memscope_profile::Profile;
use memscope_profile::model::Warning;
use memscope_profile::symbolize::program::{OwnAllocator, Program, inspect};
use std::path::Path;

/// A program that carries its own allocator calls the C library's now and then all the same. From so many events
/// on, what is recorded is taken to be worth showing without a word.
const FEW_EVENTS: u64 = 10_000;

const OWN_ALLOCATOR_HINT: &str = "Build it with the system's allocator (in Rust: without its #[global_allocator]), or record from \
     inside, with memscope_rs::Memscope::new(...) around the allocator.";

/// Why nothing was recorded of a program that never said hello.
pub(crate) fn never_heard_of(path: &Path) -> Error {
    let shown = path.display();
    match own_allocator(path) {
        Some(own) => no_calls(path, &own),
        None => Error::new(format!(
            "nothing was recorded: {shown} never reported to memscope, and it is not known why"
        ))
        .hint(
            "It may have ended before it began (then it said so itself), or run where /proc or sockets are \
             hidden from it, such as in a sandbox or container of its own.",
        ),
    }
}

/// Why nothing was recorded of a program that said hello and then called no function of the C library's allocator:
/// `None` if that is as it should be.
pub(crate) fn nothing_seen(profile: &Profile) -> Option<Error> {
    let path = Path::new(&profile.run.exe);
    (profile.completeness.attempts == 0)
        .then(|| own_allocator(path))
        .flatten()
        .map(|own| no_calls(path, &own))
}

fn no_calls(path: &Path, own: &OwnAllocator) -> Error {
    Error::new(format!("nothing was recorded: {}", carries(path, own))).hint(OWN_ALLOCATOR_HINT)
}

fn carries(path: &Path, own: &OwnAllocator) -> String {
    format!(
        "{} carries {} in itself (it contains {:?}), whose blocks are not seen from outside",
        path.display(),
        own.name,
        own.evidence
    )
}

/// Adds what is to be said about this recording to the profile.
pub(crate) fn add(profile: &mut Profile, seen: &Seen) {
    let path = Path::new(&profile.run.exe).to_owned();
    let mut warnings = Vec::new();
    let mut warn = |message: String, hint: &str| {
        warnings.push(Warning { message, hint: hint.to_owned() });
    };
    if profile.completeness.attempts < FEW_EVENTS
        && let Some(own) = own_allocator(&path)
    {
        warn(format!("{}.", carries(&path, &own)), OWN_ALLOCATOR_HINT);
    }
    if is_cpython(&path) && std::env::var_os("PYTHONMALLOC").is_none_or(|value| value.is_empty()) {
        warn(
            format!(
                "{} keeps small objects in arenas of its own, which are not seen one by one.",
                path.display()
            ),
            "Set PYTHONMALLOC=malloc to have every object recorded.",
        );
    }
    profile.marks.clone_from(&seen.marks);
    match seen.marks.first() {
        _ if !seen.waited => {}
        Some(first) => warn(
            format!("Recording began with the mark {:?}; nothing before it is shown.", first.text),
            "",
        ),
        None => warn(
            "Recording was to begin with the first mark, and there was none.".to_owned(),
            "While the program runs, note a moment: memscope mark PID \"after warm-up\".",
        ),
    }
    if seen.images_before > 0 {
        warn(
            format!(
                "The process executed {} in its place; what it did before is not shown.",
                path.display()
            ),
            "",
        );
    }
    // A file that was replaced while it ran has a mark behind its name.
    let last = seen.replaced_by.to_string_lossy();
    let last = last.trim_end_matches(" (deleted)");
    let is_another = !last.is_empty() && last != profile.run.exe.trim_end_matches(" (deleted)");
    if is_another || profile.run.replaced {
        // A program that soon ended was not seen.
        let name = if is_another { last } else { "another program" };
        warn(
            format!("The process then executed {name} in its place, which could not be followed."),
            "Run memscope on that program itself.",
        );
    }
    profile.warnings.splice(0..0, warnings);
}

fn own_allocator(path: &Path) -> Option<OwnAllocator> {
    match inspect(path) {
        Ok(Program::Elf(elf)) => elf.own_allocator,
        _ => None,
    }
}

/// Whether the file is named as CPython's interpreters are: `python`, `python3`, `python3.11`.
fn is_cpython(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.and_then(|name| name.strip_prefix("python"))
        .is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpreters_of_python_are_known_by_their_names() {
        for name in ["/usr/bin/python", "python3", "/opt/python3.11"] {
            assert!(is_cpython(Path::new(name)), "{name}");
        }
        for name in ["pypy3", "/usr/bin/python3-config", "/usr/lib/python3/tool", ""] {
            assert!(!is_cpython(Path::new(name)), "{name}");
        }
    }
}
