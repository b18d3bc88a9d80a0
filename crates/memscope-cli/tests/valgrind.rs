//! Totals equal those of an independent witness: valgrind's "total heap usage" of the same unmodified programs.
//!
//! Both count alike: a realloc is an allocation and a free, a realloc to nothing is a free. valgrind is told not to
//! make the C and C++ libraries free their own blocks at the end, which they do not do otherwise. One difference is
//! left and is explained: our library has thread-local variables of its own, so the vector in which the C library
//! keeps a thread's blocks of such variables is one entry, 16 bytes, longer. It allocates one for each thread, but
//! for a thread that gets the stack of one that has ended, whose vector it gets too.
//!
//! Deliberately absent: programs whose allocations depend on time, such as those that share a queue among threads.

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use support::{Outcome, memscope};
use testprograms::{c_program, rust_program};

/// How much longer the vector of a thread's thread-local blocks is under memscope.
const VECTOR_ENTRY_BYTES: u64 = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Usage {
    allocations: u64,
    frees: u64,
    bytes: u64,
}

fn by_valgrind(command: &[&str], folder: &Path) -> Usage {
    assert!(
        Command::new("valgrind").arg("--version").output().is_ok(),
        "valgrind is not installed; hint: apt-get install valgrind, or run .ci/install as root"
    );
    let log = folder.join("valgrind.log");
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--run-libc-freeres=no", "--run-cxx-freeres=no", "--leak-check=no"]);
    valgrind.arg(format!("--log-file={}", log.display())).args(command);
    let outcome = Outcome::of(valgrind.env("LC_ALL", "C"));
    assert_eq!(outcome.code(), 0, "{outcome:?}");

    let log = std::fs::read_to_string(log).unwrap();
    let (_, line) = log.split_once("total heap usage: ").expect("valgrind prints the totals");
    let mut numbers = line.split(' ').filter_map(|word| word.replace(',', "").parse().ok());
    let mut number = || numbers.next().expect("three numbers stand behind it");
    Usage { allocations: number(), frees: number(), bytes: number() }
}

fn by_memscope(command: &[&str], folder: &Path) -> Usage {
    let json = folder.join("profile.json");
    let mut run = memscope();
    run.args(["run", "--quiet", "--json"]).arg(&json).arg("--").args(command);
    let outcome = Outcome::of(run.env("LC_ALL", "C"));
    assert_eq!(outcome.code(), 0, "{outcome:?}");

    let profile: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap();
    let number = |name: &str| profile["totals"][name].as_u64().expect(name);
    Usage {
        allocations: number("allocations"),
        frees: number("frees"),
        bytes: number("allocated_bytes"),
    }
}

/// Asserts that both find the same, but for what the vectors of `vectors` threads explain.
#[track_caller]
fn assert_equal(command: &[&str], vectors: u64) {
    let folder = tempfile::tempdir().unwrap();
    let mut expected = by_valgrind(command, folder.path());
    expected.bytes += vectors * VECTOR_ENTRY_BYTES;
    assert_eq!(by_memscope(command, folder.path()), expected, "{command:?}");
}

fn text(path: &Path) -> &str {
    path.to_str().expect("the path is text")
}

/// Puts a copy of a Rust program where its path is long.
///
/// Before main, std asks the C library for the stack's bounds, which reads the list of mappings line by line into a
/// buffer that grows past 120 bytes with the longest line up to the stack. Under valgrind that is the line of
/// valgrind's own library; here it is the program's in any case.
fn at_long_path(program: &Path, folder: &Path) -> PathBuf {
    let folder = folder
        .join("a-folder-whose-name-alone-is-longer-than-the-paths-of-both-preloaded-libraries");
    std::fs::create_dir(&folder).unwrap();
    let copy = folder.join(program.file_name().unwrap());
    std::fs::copy(program, &copy).unwrap();
    copy
}

#[test]
fn a_c_program_with_eight_threads() {
    assert_equal(&[text(&c_program("threads.c"))], 8);
}

#[test]
fn a_c_plus_plus_program_with_exceptions() {
    assert_equal(&[text(&c_program("cpp.cpp"))], 0);
}

#[test]
fn a_c_program_that_allocates_where_it_is_odd() {
    // Its threads run one after the other, so on one stack.
    assert_equal(&[text(&c_program("odd.c"))], 1);
}

#[test]
fn a_c_program_that_loads_and_unloads_a_module() {
    assert_equal(&[text(&c_program("dl.c"))], 0);
}

#[test]
fn a_c_program_of_coroutines() {
    assert_equal(&[text(&c_program("coroutines.c"))], 0);
}

#[test]
fn a_rust_program() {
    let folder = tempfile::tempdir().unwrap();
    let program = at_long_path(&rust_program("order_service"), folder.path());
    assert_equal(&[text(&program), "2000", "0"], 0);
}

#[test]
fn programs_of_the_system() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("lines");
    let lines: String =
        (0..20_000_u64).map(|line| format!("{} line {line}\n", line * 7919 % 10_007)).collect();
    std::fs::write(&input, lines).unwrap();
    assert_equal(&["sort", "--numeric-sort", "--parallel=1", "--buffer-size=1M", text(&input)], 0);
    assert_equal(
        &["grep", "--extended-regexp", "--count", "^[0-9]+7 (line|row) .*9$", text(&input)],
        0,
    );
}
