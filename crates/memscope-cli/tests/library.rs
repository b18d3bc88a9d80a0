//! A program that carries the library and is run by the command: each block is recorded once, in one recording, and what
//! the program asks is answered from that.

mod support;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::profile::record;

/// Builds an example of the library beside this test; where it is.
fn example(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut folder = std::env::current_exe().unwrap();
    // From `target/debug/deps/library-…` to `target/debug`.
    folder.pop();
    folder.pop();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--package=memscope-rs", "--example", name]);
    cargo.arg("--target-dir").arg(folder.parent().unwrap()).current_dir(root);
    if folder.ends_with("release") {
        cargo.arg("--release");
    }
    assert!(cargo.status().unwrap().success());
    folder.join("examples").join(name)
}

#[test]
fn each_block_is_recorded_once_and_measurings_are_of_that_recording() {
    // The program asserts on the counts of its own allocations, with names of tasks and with a thread set aside.
    let (profile, outcome) = record(&example("allocation_budget"), &[]);
    assert_eq!(outcome.stdout, "3 allocations, 52 bytes at most\n");
    profile.assert_complete();
    let of_join = |site: &&Value| {
        let frames = site["stack"].as_array().unwrap().iter();
        frames.filter_map(|frame| frame.as_u64()).any(|frame| {
            profile.0["frames"][frame as usize]["function"]
                .as_str()
                .is_some_and(|name| name.ends_with("allocation_budget::join"))
        })
    };
    let sites: Vec<_> = profile.0["sites"].as_array().unwrap().iter().filter(of_join).collect();
    // Once in each of two assertions, twice in the measuring.
    assert_eq!(support::profile::sum(&sites, "allocations"), 4);
    assert_eq!(support::profile::sum(&sites, "frees"), 4);
}

#[test]
fn a_program_that_reads_itself_adds_nothing_to_the_recording() {
    let (profile, outcome) = record(&example("memory_per_task"), &[]);
    assert!(outcome.stdout.starts_with("image "), "{outcome:?}");
    profile.assert_complete();
    // Reading the symbols takes many thousands of allocations, and tokio some hundreds.
    assert!(profile.number("totals", "allocations") < 2000, "{}", profile.0["totals"]);
}
