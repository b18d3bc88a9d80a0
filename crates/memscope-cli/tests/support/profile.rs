//! A profile in its JSON form, and questions to it.
#![allow(dead_code, reason = "each test binary uses a part")]

use super::{Outcome, memscope};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// A profile as its JSON form has it.
#[derive(Debug)]
pub(crate) struct Profile(pub(crate) Value);

/// `memscope run` of a program, with the profile in a file.
pub(crate) fn run(json: &Path, program: &Path, arguments: &[&str]) -> Command {
    run_as(&[], json, program, arguments)
}

/// The same with options of memscope's.
pub(crate) fn run_as(options: &[&str], json: &Path, program: &Path, arguments: &[&str]) -> Command {
    let mut command = memscope();
    command.args(["run", "--quiet"]).args(options).arg("--json").arg(json);
    command.arg("--").arg(program).args(arguments);
    command
}

/// Runs a program to its end, which must be a good one; gives what it recorded and what it said.
#[track_caller]
pub(crate) fn record(program: &Path, arguments: &[&str]) -> (Profile, Outcome) {
    record_as(&[], program, arguments)
}

/// The same with options of memscope's.
#[track_caller]
pub(crate) fn record_as(
    options: &[&str],
    program: &Path,
    arguments: &[&str],
) -> (Profile, Outcome) {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("profile.json");
    let outcome = Outcome::of(&mut run_as(options, &json, program, arguments));
    assert_eq!(outcome.code(), 0, "{outcome:?}");
    (Profile::read(&json), outcome)
}

impl Profile {
    pub(crate) fn read(path: &Path) -> Self {
        Self(serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap())
    }

    /// The sites whose innermost frame is this function of this file. A program with line tables only may know a
    /// function by the last part of its name.
    pub(crate) fn sites(&self, function: &str, file: &str) -> Vec<&Value> {
        let name = |path: &str| path.rsplit("::").next().map(str::to_owned);
        let is_there = |site: &&Value| {
            let frame = self.innermost(site);
            frame["function"].as_str().is_some_and(|found| name(found) == name(function))
                && frame["file"].as_str().is_some_and(|found| found.ends_with(file))
        };
        self.0["sites"].as_array().unwrap().iter().filter(is_there).collect()
    }

    pub(crate) fn innermost(&self, site: &Value) -> &Value {
        site["stack"][0].as_u64().map_or(&Value::Null, |frame| &self.0["frames"][frame as usize])
    }

    /// A number of a part: `totals`, `completeness`, `run`.
    pub(crate) fn number(&self, part: &str, name: &str) -> u64 {
        self.0[part][name].as_u64().unwrap_or_else(|| panic!("{part} has no {name}"))
    }

    /// Allocations, bytes, frees and freed bytes of a function.
    pub(crate) fn counts(&self, function: &str, file: &str) -> [u64; 4] {
        let sites = self.sites(function, file);
        ["allocations", "allocated_bytes", "frees", "freed_bytes"].map(|name| sum(&sites, name))
    }

    /// Asserts that every event was recorded, with its whole stack.
    #[track_caller]
    pub(crate) fn assert_complete(&self) {
        let completeness = &self.0["completeness"];
        assert_eq!(completeness["attempts"], completeness["successes"], "{completeness}");
        assert_eq!(completeness["truncated_stacks"], 0, "{completeness}");
        let misses = completeness["misses"].as_object().unwrap();
        assert!(misses.values().all(|count| count == 0), "{completeness}");
    }
}

/// The sum of a number over sites.
pub(crate) fn sum(sites: &[&Value], name: &str) -> u64 {
    sites.iter().map(|site| site[name].as_u64().expect(name)).sum()
}
