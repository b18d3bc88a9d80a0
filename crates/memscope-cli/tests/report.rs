//! `memscope report` shows again what a run showed, and says clearly what is wrong with a file that it cannot show.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use support::{Outcome, memscope};

/// A profile, made once for all tests, and what the run said.
fn profile() -> &'static (tempfile::TempDir, PathBuf, Outcome) {
    static PROFILE: OnceLock<(tempfile::TempDir, PathBuf, Outcome)> = OnceLock::new();
    PROFILE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ls.memscope");
        let mut command = memscope();
        command.args(["run", "--output"]).arg(&path).args(["--", "ls", "/"]);
        let outcome = Outcome::of(&mut command);
        assert_eq!(outcome.code(), 0, "{outcome:?}");
        (folder, path, outcome)
    })
}

fn report<const N: usize>(path: &Path, options: [&str; N]) -> Outcome {
    Outcome::of(memscope().arg("report").arg(path).args(options))
}

fn refused(bytes: &[u8], sentence: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.memscope");
    fs::write(&path, bytes).unwrap();
    report(&path, []).assert_refused(1, sentence);
}

#[test]
fn the_report_of_a_kept_profile_is_the_report_of_the_run() {
    let (_, path, run) = profile();
    let report = report(path, []);
    assert_eq!((report.code(), report.stderr.as_str()), (0, ""));
    assert_eq!(report.stdout, run.stderr);
    assert!(report.stdout.contains("Complete: all "), "{report:?}");
}

#[test]
fn the_profile_can_only_be_read_by_its_owner() {
    use std::os::unix::fs::PermissionsExt;
    let (_, path, _) = profile();
    assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn other_formats_go_to_stdout_or_to_a_file() {
    let (_, path, _) = profile();
    let json = report(path, ["--json"]);
    assert!(json.code() == 0 && json.stdout.starts_with('{') && json.stderr.is_empty(), "{json:?}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("out.json");
    let silent = report(path, ["--json", file.to_str().unwrap()]);
    assert!(silent.code() == 0 && silent.stdout.is_empty() && silent.stderr.is_empty());
    assert_eq!(fs::read_to_string(file).unwrap(), json.stdout);

    let sum = |metric: &str| -> u64 {
        let folded = report(path, ["--folded", "--metric", metric]);
        let values = folded.stdout.lines().map(|line| line.rsplit_once(' ').unwrap().1);
        values.map(|value| value.parse::<u64>().unwrap()).sum()
    };
    assert!(sum("allocated-bytes") > sum("peak") && sum("peak") >= sum("live-at-end"));
}

#[test]
fn every_format_that_is_listed_is_written() {
    let (_, path, _) = profile();
    let list = Outcome::of(memscope().args(["report", "--list"]));
    let options: Vec<_> = list.stdout.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(options.len() >= 8 && options.contains(&"--pprof"), "{list:?}");
    let folder = tempfile::tempdir().unwrap();
    for option in options {
        let file = folder.path().join(option.trim_start_matches('-'));
        let silent = report(path, [option, file.to_str().unwrap()]);
        assert!(silent.code() == 0 && silent.stdout.is_empty(), "{option}: {silent:?}");
        assert!(fs::metadata(&file).unwrap().len() > 100, "{option}");
    }
    let page = fs::read_to_string(folder.path().join("html")).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.contains("<h1>Peak "));
}

#[test]
fn the_report_adapts_to_columns_and_colour() {
    let (_, path, _) = profile();
    let widest = |columns: &str| {
        let outcome = Outcome::of(memscope().arg("report").arg(path).env("COLUMNS", columns));
        outcome.stdout.lines().map(|line| line.chars().count()).max().unwrap()
    };
    assert!(widest("60") <= 60 && widest("160") > 60);
    let coloured = |name: &str| {
        let outcome = Outcome::of(memscope().arg("report").arg(path).env(name, "1"));
        outcome.stdout.contains('\x1b')
    };
    assert!(coloured("CLICOLOR_FORCE") && !coloured("NO_COLOR"));
}

#[test]
fn fewer_sites_can_be_asked_for() {
    let (_, path, _) = profile();
    let numbered = |options| {
        let outcome = report(path, options);
        outcome.stdout.lines().filter(|line| line.starts_with(" 2. ")).count()
    };
    assert!(numbered(["--top", "2"]) > 0 && numbered(["--top", "1"]) == 0);
}

#[test]
fn what_is_not_there_or_no_file_is_said() {
    report(Path::new("/no/such/file"), []).assert_refused(1, "/no/such/file");
    report(Path::new("/"), []).assert_refused(1, "not a regular file");
    report(Path::new("/dev/null"), []).assert_refused(1, "not a regular file");
}

#[test]
fn foreign_bytes_are_no_profile() {
    refused(b"", "");
    refused(b"x", "not");
    refused("some text that is long enough for any header\n".repeat(20).as_bytes(), "not");
    let mut state = 1_u64;
    let noise: Vec<u8> = (0..5000)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        })
        .collect();
    refused(&noise, "not");
    // The magic of a region, and nothing behind it.
    refused(b"memscope", "");
    refused(&[b"memscope".as_slice(), &noise].concat(), "");
}

#[test]
fn truncated_and_damaged_profiles_are_said_to_be() {
    let (_, path, _) = profile();
    let bytes = fs::read(path).unwrap();
    for length in [9, 20, bytes.len() / 2, bytes.len() - 1] {
        refused(&bytes[..length], "truncated");
    }
    for place in [bytes.len() / 3, bytes.len() / 2, bytes.len() - 9] {
        let mut damaged = bytes.clone();
        damaged[place] ^= 0x10;
        refused(&damaged, "corrupted");
    }
}

#[test]
fn an_output_that_cannot_be_written_is_said() {
    let (_, path, _) = profile();
    report(path, ["--json", "/no/such/folder/x"]).assert_refused(1, "/no/such/folder/x");
}

#[test]
fn the_region_of_a_program_that_runs_can_be_shown() {
    let running = support::start(&mut support::memscope_run(["sleep", "60"]));
    let descriptors = format!("/proc/{}/fd", running.child.id());
    let region = support::wait_for("the region to arrive", || {
        let mut open = fs::read_dir(&descriptors).unwrap().map(|entry| entry.unwrap().path());
        open.find(|path| {
            fs::read_link(path)
                .is_ok_and(|name| name.to_string_lossy().starts_with("/memfd:memscope "))
        })
    });
    let outcome = report(&region, []);
    assert_eq!((outcome.code(), outcome.stderr.as_str()), (0, ""));
    assert!(outcome.stdout.starts_with("memscope: sleep 60\n"), "{outcome:?}");
    // SIGTERM, which is passed on.
    let memscope = rustix::process::Pid::from_child(&running.child);
    rustix::process::kill_process(memscope, rustix::process::Signal::TERM).unwrap();
    assert_eq!(running.end().code(), 143);
}

#[test]
fn names_are_remembered_where_the_environment_says_and_the_report_is_the_same() {
    let program = testprograms::c_program_with("types.cpp", &["-O2"]);
    let folder = tempfile::tempdir().unwrap();
    let types = |cache: &str| {
        let json = folder.path().join("profile.json");
        let mut command = memscope();
        command.args(["run", "--quiet", "--json"]).arg(&json).arg("--").arg(&program);
        command
            .env_remove("MEMSCOPE_CACHE")
            .env("HOME", folder.path())
            .env_remove("XDG_CACHE_HOME");
        if !cache.is_empty() {
            command.env("MEMSCOPE_CACHE", cache);
        }
        let outcome = Outcome::of(&mut command);
        assert_eq!((outcome.code(), &*outcome.stderr), (0, ""));
        let text = fs::read_to_string(&json).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        let types = json["types"].as_array().unwrap().iter();
        let mut types: Vec<_> = types
            .map(|it| format!("{} {} {}", it["name"], it["evidence"], it["allocated_bytes"]))
            .collect();
        types.sort();
        (types, json["frames"].as_array().unwrap().len())
    };
    let usual = folder.path().join(".cache/memscope");
    let plain = types("off");
    assert!(
        plain.0.iter().any(|it| it.contains("std::vector<Order>") && it.contains("size_checked"))
    );
    assert!(!usual.exists());
    assert_eq!(types(""), plain);
    assert!(fs::read_dir(&usual).unwrap().count() > 0);
    assert_eq!(types(""), plain);
    let named = folder.path().join("names");
    assert_eq!(types(named.to_str().unwrap()), plain);
    assert!(fs::read_dir(&named).unwrap().count() > 0);
    // Where there is no place for a folder.
    assert_eq!(types("/dev/null/names"), plain);
}
