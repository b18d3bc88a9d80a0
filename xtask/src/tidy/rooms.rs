//! The rooms (crates) and the arrows (dependencies) between them, and the licences of what comes from outside.
//!
//! Both are read from `cargo metadata`. An arrow that is not in the table is a problem, whatever it is for; a table
//! of its own holds what only tests may use.

use super::Problem;
use serde::Deserialize;
use std::path::Path;

/// A room and the rooms that it may depend on, in the order in which data flows.
const ARROWS: &[(&str, &[&str])] = &[
    ("memscope-region", &[]),
    ("memscope-capture", &["memscope-region"]),
    ("memscope-preload", &["memscope-capture", "memscope-region"]),
    ("memscope-derive", &[]),
    (
        "memscope-rs",
        &["memscope-capture", "memscope-derive", "memscope-profile", "memscope-report"],
    ),
    ("memscope-profile", &["memscope-region"]),
    ("memscope-report", &["memscope-profile"]),
    // region for the handshake and the offset of the clock; the rest of the region is the profile's to read.
    ("memscope-cli", &["memscope-profile", "memscope-report", "memscope-region"]),
    ("testprograms", &[]),
    ("labels", &[]),
    ("models", &[]),
    ("types_dev", &["labels"]),
    ("types_score", &["labels"]),
    // It asks capture for the very stacks that it compares with another's.
    ("stack-checker", &["memscope-capture", "memscope-region"]),
    ("xtask", &[]),
];

/// What only the tests of a room may depend on.
const TEST_ARROWS: &[(&str, &[&str])] = &[
    ("memscope-cli", &["labels", "testprograms"]),
    // Its examples read the recording that the example's own program makes.
    ("memscope-profile", &["memscope-rs"]),
];

/// Licences that ask for no more than to be named.
const LICENCES: &[&str] = &[
    "MIT",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
    "0BSD",
];

/// What `cargo metadata` says, as far as it matters here.
#[derive(Debug, Deserialize)]
pub(super) struct Metadata {
    packages: Vec<Package>,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    license: Option<String>,
    /// Where it comes from; none for our own.
    source: Option<String>,
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    name: String,
    /// `dev`, `build`, or none for a normal one.
    kind: Option<String>,
}

/// Asks cargo for the packages that are built on this platform.
pub(super) fn metadata(root: &Path) -> Result<Metadata, String> {
    let output = crate::steps::cargo()
        .args(["metadata", "--format-version=1", "--filter-platform=x86_64-unknown-linux-gnu"])
        .current_dir(root)
        .output()
        .map_err(|error| format!("cargo metadata could not be started: {error}"))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        return Err(format!("cargo metadata failed: {}", words.trim()));
    }
    serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("cargo metadata cannot be read: {error}"))
}

pub(super) fn check(metadata: &Metadata) -> Vec<Problem> {
    let (ours, foreign): (Vec<_>, Vec<_>) =
        metadata.packages.iter().partition(|package| package.source.is_none());
    let mut problems = Vec::new();
    for package in &ours {
        let name = package.name.as_str();
        let Some(allowed) = row(ARROWS, name) else {
            problems.push(problem(name, "is not in the table of rooms".to_owned()));
            continue;
        };
        for dependency in &package.dependencies {
            let target = dependency.name.as_str();
            let is_test = dependency.kind.as_deref() == Some("dev");
            let in_tests = is_test && row(TEST_ARROWS, name).unwrap_or(&[]).contains(&target);
            if ours.iter().any(|other| other.name == target)
                && !allowed.contains(&target)
                && !in_tests
            {
                problems.push(problem(name, format!("may not depend on {target}")));
            }
        }
    }
    for package in foreign {
        match &package.license {
            Some(licence) if is_permissive(licence) => {}
            Some(licence) => {
                problems.push(problem(&package.name, format!("its licence is {licence}")));
            }
            None => problems.push(problem(&package.name, "it names no licence".to_owned())),
        }
    }
    problems
}

fn problem(package: &str, message: String) -> Problem {
    Problem { path: package.to_owned(), line: 0, message }
}

fn row(table: &[(&str, &'static [&'static str])], name: &str) -> Option<&'static [&'static str]> {
    table.iter().find(|(room, _)| *room == name).map(|(_, targets)| *targets)
}

/// Whether each part of a licence expression can be had on terms of [`LICENCES`].
fn is_permissive(expression: &str) -> bool {
    expression.split(" AND ").all(|part| {
        part.trim_matches(['(', ')', ' '])
            .split(" OR ")
            .flat_map(|choice| choice.split('/'))
            .any(|licence| LICENCES.contains(&licence.trim_matches(['(', ')', ' '])))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(json: &str) -> Vec<String> {
        let metadata = serde_json::from_str(json).expect("the sample is metadata");
        check(&metadata).iter().map(Problem::to_string).collect()
    }

    /// Metadata of one room that depends on region, and of region.
    fn sample(room: &str, kind: &str) -> String {
        format!(
            r#"{{"packages": [
                {{"name": "{room}", "dependencies": [{{"name": "memscope-region", "kind": {kind}}}]}},
                {{"name": "memscope-region", "dependencies": [{{"name": "libc"}}]}},
                {{"name": "libc", "source": "registry", "license": "MIT OR Apache-2.0", "dependencies": []}}]}}"#
        )
    }

    #[test]
    fn only_arrows_of_the_table_are_allowed() {
        assert!(problems(&sample("memscope-capture", "null")).is_empty());
        assert_eq!(
            problems(&sample("memscope-report", "null")),
            ["memscope-report: may not depend on memscope-region"]
        );
        assert_eq!(problems(&sample("memscope-report", "\"dev\"")).len(), 1);
        assert_eq!(problems(&sample("memscope-report", "\"build\"")).len(), 1);
        assert_eq!(
            problems(&sample("memscope-new", "null")),
            ["memscope-new: is not in the table of rooms"]
        );
    }

    #[test]
    fn a_table_row_points_to_rooms_before_it_or_to_known_ones() {
        for (room, targets) in ARROWS {
            for target in *targets {
                assert!(row(ARROWS, target).is_some(), "{room} -> {target}");
            }
        }
    }

    #[test]
    fn licences_ask_for_no_more_than_to_be_named() {
        assert!(is_permissive("MIT/Apache-2.0"));
        assert!(is_permissive("(MIT OR Apache-2.0) AND Unicode-3.0"));
        assert!(is_permissive("GPL-3.0 OR MIT"));
        assert!(!is_permissive("GPL-3.0-only"));
        assert!(!is_permissive("MIT AND CDDL-1.0"));
    }
}
