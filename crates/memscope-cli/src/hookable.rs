//! Whether a program can be recorded at all: whether a library of ours can be loaded into it.
//!
//! Asked before the program runs, because a program that ignores the library would run to its end and leave an empty
//! report. What is refused is refused with the reason and what to do instead.
//!
//! Invariants: a file that cannot be looked into (execute permission only) is not refused, since it can be hooked.
//! Deliberately absent: programs that the program executes later; they are looked at when it does.

use crate::error::{Error, NOT_EXECUTABLE, NOT_FOUND, reason};
use memscope_profile::symbolize::program::{Elf, Program, inspect};
use memscope_region::table::region_bytes_within;
use rustix::process::{Resource, getrlimit};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// ELF's number for the machine that the library is made for.
const MACHINE: u16 = 62;

/// A script's interpreter may be a script, and so on; the kernel follows as many.
const MAX_INTERPRETERS: usize = 5;

const SET_USER_ID: u32 = 0o4000;
const SET_GROUP_ID: u32 = 0o2000;
const GROUP_EXECUTE: u32 = 0o010;

/// Refuses the program at `path` if it cannot be hooked.
pub(crate) fn check(path: &Path) -> Result<(), Error> {
    let mut image = path.to_owned();
    for _ in 0..MAX_INTERPRETERS {
        match inspect(&image) {
            Ok(Program::Script { interpreter, .. }) => {
                if !interpreter.exists() {
                    return Err(Error::new(format!(
                        "{} is to be run by {}, which does not exist",
                        image.display(),
                        interpreter.display()
                    ))
                    .hint("Install the interpreter, or correct the script's first line.")
                    .exit_code(NOT_FOUND));
                }
                image = interpreter;
            }
            Ok(Program::Elf(elf)) => {
                check_elf(&image, &elf)?;
                break;
            }
            // A text without an interpreter line is the shell's; anything else fails as it does without memscope.
            Ok(Program::Other) => break,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(Error::new(format!(
                    "cannot execute {}: {}",
                    image.display(),
                    reason(&error)
                ))
                .hint("The file is damaged: build or install it again.")
                .exit_code(NOT_EXECUTABLE));
            }
            Err(_) => break,
        }
    }
    check_privileges(&image)?;
    check_file_size_limit()
}

/// A region is one large, sparse file, made by the program itself; the system ends a program that makes a file beyond
/// its limit.
fn check_file_size_limit() -> Result<(), Error> {
    match getrlimit(Resource::Fsize).current {
        Some(limit_bytes) if region_bytes_within(limit_bytes).is_none() => Err(Error::new(format!(
            "the limit on file size is {limit_bytes} bytes, which leaves no room for a recording"
        ))
        .hint("Raise it before memscope: ulimit -f unlimited.")),
        _ => Ok(()),
    }
}

fn check_elf(path: &Path, elf: &Elf) -> Result<(), Error> {
    let path = path.display();
    if elf.class_bits != 64 {
        return Err(Error::new(format!("{path} is a {}-bit program", elf.class_bits))
            .hint("Only 64-bit programs can be recorded: build it for x86_64."));
    }
    if elf.machine != MACHINE {
        return Err(Error::new(format!("{path} is a program for {}", elf.machine_name()))
            .hint("Only programs for x86-64 can be recorded on this machine."));
    }
    if elf.is_static() {
        return Err(Error::new(format!(
            "{path} is statically linked, so no library can be loaded into it"
        ))
        .hint(
            "Build it for a target that links the C library dynamically, such as \
             x86_64-unknown-linux-gnu without `-C target-feature=+crt-static`, or Go with cgo.",
        ));
    }
    if elf.is_musl() {
        return Err(Error::new(format!(
            "{path} uses the C library musl, and memscope's library is made for glibc"
        ))
        .hint("Build it for x86_64-unknown-linux-gnu."));
    }
    Ok(())
}

/// The dynamic linker ignores LD_PRELOAD in a program that gains privileges.
fn check_privileges(path: &Path) -> Result<(), Error> {
    let Ok(metadata) = fs::metadata(path) else { return Ok(()) };
    let mode = metadata.mode();
    let user = rustix::process::getuid().as_raw();
    let group = rustix::process::getgid().as_raw();
    let gains = if mode & SET_USER_ID != 0 && metadata.uid() != user {
        "is set-user-id"
    } else if mode & SET_GROUP_ID != 0 && mode & GROUP_EXECUTE != 0 && metadata.gid() != group {
        "is set-group-id"
    } else if user != 0 && has_capabilities(path) {
        "has file capabilities"
    } else {
        return Ok(());
    };
    Err(Error::new(format!("{} {gains}, so the system loads no library of ours into it", path.display()))
        .hint("Run memscope as the user whose rights the program gains, or on a copy of the program without them."))
}

fn has_capabilities(path: &Path) -> bool {
    // Asked for its size only.
    rustix::fs::getxattr(path, "security.capability", &mut [0_u8; 0][..]).is_ok_and(|size| size > 0)
}
