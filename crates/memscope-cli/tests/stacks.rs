//! The stacks that are recorded are those of another unwinder, frame by frame, on every allocation of real work.
//!
//! The programs run under a preload library that takes each stack by the same code as the profiler's own, and at the same
//! place, and then asks `backtrace::trace` (see testprograms/checker).
//!
//! Deliberately absent: names of frames. Return addresses are compared, which names come from.

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use support::Outcome;
use testprograms::{c_program, rust_program};

/// What the checker found in one run.
#[derive(Clone, Copy, Debug)]
struct Compared {
    stacks: u64,
    different: u64,
    deepest: u64,
    /// Stacks that were walked with all registers.
    slow: u64,
}

/// Runs a program under the checker; asserts that it ended well and that no stack differed.
#[track_caller]
fn compare(program: &Path, arguments: &[PathBuf]) -> Compared {
    static CHECKER: OnceLock<PathBuf> = OnceLock::new();
    let checker = CHECKER.get_or_init(testprograms::stack_checker);
    let folder = tempfile::tempdir().unwrap();
    let findings = folder.path().join("findings");
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    command.env("LD_PRELOAD", checker).env("STACK_CHECKER_OUT", &findings);
    let outcome = Outcome::of(&mut command);
    assert_eq!(outcome.code(), 0, "{outcome:?}");

    let findings = std::fs::read_to_string(findings).expect("the checker was loaded and ended");
    let line = findings.lines().last().expect("the checker writes a line at the end");
    let words: Vec<&str> = line.split(' ').collect();
    let number = |name: &str| -> u64 {
        let at = words.iter().position(|word| *word == name).expect(line);
        words[at + 1].parse().expect(line)
    };
    let compared = Compared {
        stacks: number("compared"),
        different: number("different"),
        deepest: number("deepest"),
        slow: number("slow"),
    };
    assert_eq!(compared.different, 0, "{findings}");
    compared
}

/// The Rust sources of a crate of this workspace.
fn sources(name: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name).join("src");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = entries.filter(|path| path.extension().is_some()).collect();
    paths.sort();
    paths
}

fn parse(threads: u32, sources_of: &str) -> Compared {
    let mut arguments = vec!["1".into(), threads.to_string().into()];
    arguments.extend(sources(sources_of));
    compare(&rust_program("parse"), &arguments)
}

#[test]
fn of_parsers_at_work_with_panics_among_it() {
    let compared = parse(0, "memscope-capture");
    assert!(compared.stacks >= 100_000, "{compared:?}");
    assert!(compared.deepest >= 50, "{compared:?}");
}

#[test]
fn of_parsers_at_work_on_three_threads() {
    let compared = parse(2, "memscope-region");
    assert!(compared.stacks >= 150_000, "{compared:?}");
}

#[test]
fn of_c_plus_plus_containers_and_exceptions() {
    let compared = compare(&c_program("cpp.cpp"), &[]);
    assert!(compared.stacks >= 3000, "{compared:?}");
}

/// 5000 frames that each allocate, 50 frames of alloca, 8 jumps out of 30 frames and more, 10 signals on a stack of
/// their own, 5 threads with destructors.
#[test]
fn of_alloca_longjmp_deep_recursion_and_signals() {
    let compared = compare(&c_program("odd.c"), &[]);
    assert!(compared.stacks >= 5000 + 50 + 8 + 8 + 10 + 5, "{compared:?}");
    assert!(compared.deepest >= 5000, "{compared:?}");
    // The kernel's signal frame can only be left with all registers.
    assert_eq!(compared.slow, 10, "{compared:?}");
}

#[test]
fn of_coroutines() {
    let compared = compare(&c_program("coroutines.c"), &[]);
    assert!(compared.stacks >= 6 * 50, "{compared:?}");
}

/// Those of a crate: the CFI of its entry leads from a coroutine's stack on to the stack of whoever resumed it, which may
/// lie on either side in memory; coroutines start coroutines, and some panic.
#[test]
fn of_a_crate_of_coroutines_on_eight_threads() {
    let compared = compare(&rust_program("coroutines"), &["8".into()]);
    assert!(compared.stacks >= 8 * 6 * 20, "{compared:?}");
}

#[test]
fn of_modules_that_come_and_go() {
    let compared = compare(&c_program("dl.c"), &[]);
    assert!(compared.stacks >= 30 * 22, "{compared:?}");
}

#[test]
fn of_threads() {
    let compared = compare(&c_program("threads.c"), &[]);
    assert!(compared.stacks >= 2 * 1600, "{compared:?}");
}

#[test]
fn of_every_function_that_is_hooked_alike() {
    let compared = compare(&c_program("family.c"), &[]);
    assert!(compared.stacks >= 200, "{compared:?}");
}
