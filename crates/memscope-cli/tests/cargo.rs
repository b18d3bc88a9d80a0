//! `cargo memscope` on a small package: what cargo runs is profiled, and each test has its figures.

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;
use support::Outcome;
use tempfile::TempDir;

const PROGRAM: &str = "\
pub fn keep(bytes: usize) { std::mem::forget(std::hint::black_box(vec![1u8; bytes])); }
fn main() { keep(77_777); println!(\"{}\", std::env::args().nth(1).unwrap_or_default()); }
#[test] fn a_test_that_keeps_what_it_has() { keep(123_456); }
#[test] fn a_test_whose_name_is_longer_than_a_thread_s() { drop(std::hint::black_box(vec![2u8; 54_321])); }
";

/// Variables of the build that runs these tests.
const CLEARED: [&str; 4] =
    ["CARGO_TARGET_DIR", "RUSTFLAGS", "CARGO_PROFILE_DEV_DEBUG", "LD_PRELOAD"];

const MANIFEST: &str = "\
[package]
name = \"small\"
version = \"0.1.0\"
edition = \"2021\"
[[bench]]
name = \"parse\"
harness = false
[workspace]
";

fn cargo_memscope(folder: &Path, words: &[&str]) -> Outcome {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-memscope"));
    command.arg("memscope").args(words).current_dir(folder);
    for name in CLEARED {
        command.env_remove(name);
    }
    command.env("MEMSCOPE_CACHE", "off");
    Outcome::of(&mut command)
}

fn package() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("src/main.rs", PROGRAM),
        (
            "examples/hello.rs",
            "fn main() { std::mem::forget(std::hint::black_box(vec![7u8; 88_888])); }\n",
        ),
        (
            "benches/parse.rs",
            "fn main() { std::mem::forget(std::hint::black_box(vec![7u8; 99_999])); }\n",
        ),
        ("Cargo.toml", MANIFEST),
    ] {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

#[test]
fn what_cargo_runs_is_profiled() {
    let folder = package();

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

#[test]
fn examples_and_benchmarks_are_profiled() {
    let folder = package();
    let example = cargo_memscope(folder.path(), &["example", "hello"]);
    assert_eq!(example.code(), 0, "{example:?}");
    assert!(example.stderr.contains("examples/hello.rs:1"), "{example:?}");
    assert!(folder.path().join("target/memscope/hello.html").exists());

    let bench = cargo_memscope(folder.path(), &["bench", "--bench", "parse"]);
    assert_eq!(bench.code(), 0, "{bench:?}");
    let named = bench.stderr.lines().find_map(|line| line.strip_prefix("memscope: "));
    let page = Path::new(named.unwrap_or_else(|| panic!("no page in {bench:?}")));
    let profile = memscope_profile::file::load(&page.with_extension("memscope")).unwrap();
    assert!(profile.totals.live_bytes >= 99_999, "{:?}", profile.totals);
    assert!(profile.strings.iter().any(|it| it.ends_with("benches/parse.rs")));
}

/// As nextest does: it asks a binary for its tests, then starts each in a process of its own, all by the runner that the
/// variable names.
#[test]
fn each_test_of_nextest_has_a_profile_of_its_own() {
    let folder = package();
    let env = cargo_memscope(folder.path(), &["env"]);
    let (name, value) = env.stdout.trim().split_once('=').unwrap();
    let name = name.strip_prefix("export ").unwrap();
    assert!(name.starts_with("CARGO_TARGET_") && name.ends_with("_RUNNER"), "{env:?}");
    let cargo = |words: &[&str]| {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
        command.args(words).current_dir(folder.path()).env(name, value.trim_matches('\''));
        for name in CLEARED {
            command.env_remove(name);
        }
        Outcome::of(&mut command)
    };
    let list = cargo(&["test", "--bin", "small", "--", "--list", "--format", "terse"]);
    assert!(list.stdout.contains("a_test_that_keeps_what_it_has: test"), "{list:?}");
    assert!(!folder.path().join("target/memscope").exists(), "a list was profiled");
    for (test, bytes) in [
        ("a_test_that_keeps_what_it_has", 123_456),
        ("a_test_whose_name_is_longer_than_a_thread_s", 54_321),
    ] {
        let run = cargo(&["test", "--bin", "small", "--", "--exact", test, "--nocapture"]);
        assert_eq!(run.code(), 0, "{run:?}");
        let mut files = fs::read_dir(folder.path().join("target/memscope")).unwrap();
        let file = files.find_map(|file| {
            let name = file.unwrap().file_name().into_string().unwrap();
            name.ends_with(&format!("-{test}.memscope")).then_some(name)
        });
        let file = folder.path().join("target/memscope").join(file.unwrap());
        let profile = memscope_profile::file::load(&file).unwrap();
        assert!(profile.totals.peak_bytes >= bytes, "{test}: {:?}", profile.totals);
    }
}
