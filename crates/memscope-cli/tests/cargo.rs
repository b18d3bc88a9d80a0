//! `cargo memscope` on a small package: what cargo runs is profiled, and each test has its figures.

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;
use support::Outcome;

const PROGRAM: &str = "\
pub fn keep(bytes: usize) { std::mem::forget(std::hint::black_box(vec![1u8; bytes])); }
fn main() { keep(77_777); println!(\"{}\", std::env::args().nth(1).unwrap_or_default()); }
#[test] fn a_test_that_keeps_what_it_has() { keep(123_456); }
#[test] fn a_test_whose_name_is_longer_than_a_thread_s() { drop(std::hint::black_box(vec![2u8; 54_321])); }
";

fn cargo_memscope(folder: &Path, words: &[&str]) -> Outcome {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-memscope"));
    command.arg("memscope").args(words).current_dir(folder);
    // The build that runs this test has its own.
    for name in ["CARGO_TARGET_DIR", "RUSTFLAGS", "CARGO_PROFILE_DEV_DEBUG", "LD_PRELOAD"] {
        command.env_remove(name);
    }
    Outcome::of(&mut command)
}

#[test]
fn what_cargo_runs_is_profiled() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("src")).unwrap();
    fs::write(folder.path().join("src/main.rs"), PROGRAM).unwrap();
    let manifest =
        "[package]\nname = \"small\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[workspace]\n";
    fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();

    let run = cargo_memscope(folder.path(), &["run", "--release", "--", "spoken"]);
    assert_eq!(run.code(), 0, "{run:?}");
    assert_eq!(run.stdout, "spoken\n");
    assert!(run.stderr.contains("76.0 KiB") && run.stderr.contains("src/main.rs:1"), "{run:?}");
    assert!(folder.path().join("target/memscope/small.html").exists());

    let test = cargo_memscope(folder.path(), &["test"]);
    assert_eq!(test.code(), 0, "{test:?}");
    let row = |name: &str| -> Vec<String> {
        let line = test.stderr.lines().find(|line| line.ends_with(name));
        let line = line.unwrap_or_else(|| panic!("no {name} in {test:?}"));
        line.split_whitespace().map(str::to_owned).collect()
    };
    let kept = row("small::a_test_that_keeps_what_it_has");
    assert!(kept[1].parse::<u64>().unwrap() >= 123_456 && kept[3] == "123456", "{kept:?}");
    let freed = row("small::a_test_whose_name_is_longer_than_a_thread_s");
    assert!(freed[1].parse::<u64>().unwrap() >= 54_321 && freed[3] == "0", "{freed:?}");

    assert_eq!(cargo_memscope(folder.path(), &["polish"]).code(), 2);
    assert_ne!(cargo_memscope(folder.path(), &["run", "--bin", "absent"]).code(), 0);
}
