//! What is measured: a workload and its arguments, or any program.

use crate::programs::cargo;
use crate::{Contender, Result};
use serde::Serialize;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Something to run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Case {
    /// Its name, in tables and charts.
    pub(crate) name: String,
    /// What it does, for a reader.
    pub(crate) about: String,
    /// The program, or none for those of the package `workloads`, of which each contender has its own.
    #[serde(skip)]
    pub(crate) program: Option<OsString>,
    /// The program's arguments.
    #[serde(skip)]
    pub(crate) arguments: Vec<OsString>,
}

impl Case {
    /// A workload with arguments for the program.
    pub(crate) fn of_workload(name: &str, about: &str, arguments: &[&str]) -> Self {
        Self {
            name: name.into(),
            about: about.into(),
            program: None,
            arguments: arguments.iter().map(OsString::from).collect(),
        }
    }

    /// A program of the user's.
    pub(crate) fn of_program(program: &OsString, arguments: &[OsString]) -> Self {
        let name = Path::new(program).file_name().unwrap_or(program).to_string_lossy();
        let words = arguments.iter().map(|word| word.to_string_lossy());
        let command: Vec<_> = std::iter::once(name.clone()).chain(words).collect();
        Self {
            name: name.clone().into_owned(),
            about: format!("`{}`", command.join(" ")),
            program: Some(program.clone()),
            arguments: arguments.into(),
        }
    }

    /// Whether the contender can run it: a program of the user's cannot be linked with another allocator.
    pub(crate) fn fits(&self, contender: Contender) -> bool {
        self.program.is_none() || !contender.is_linked()
    }
}

/// The workloads of the comparison.
///
/// # Errors
/// If the sources that one of them parses cannot be found.
pub(crate) fn workloads(root: &Path) -> Result<Vec<Case>> {
    let sources = sources_of_syn(root)?;
    let mut parse = Case::of_workload("syn", "syn parses its own sources, twice", &["syn", "2"]);
    parse.arguments.push(sources.into());
    Ok(vec![
        Case::of_workload(
            "boxes",
            "small boxes at depth 20, the stack moving between half of them",
            &["boxes", "5000000", "20"],
        ),
        Case::of_workload("json", "2 MB of JSON to serde_json::Value, 10 times", &["json", "10"]),
        parse,
        Case::of_workload("maps", "maps growing to 2.4 M live blocks", &["maps", "1600000"]),
        Case::of_workload("two", "two threads, half of the frees on the other", &["two", "30000"]),
        Case::of_workload("tasks", "10,000 tokio tasks at a time, 30 times", &["tasks", "30"]),
        Case::of_workload(
            "pairs",
            "a box of 64 bytes, made and dropped: the hook and nothing else",
            &["pairs", "50000000"],
        ),
        Case::of_workload(
            "work",
            "a thousand numbers are sorted for each box: allocation is under 5 % of the time",
            &["work", "100000"],
        ),
    ])
}

/// The folder of syn's sources, which cargo has where it keeps what it has downloaded.
fn sources_of_syn(root: &Path) -> Result<PathBuf> {
    let mut command = cargo();
    command.args(["metadata", "--format-version=1", "--manifest-path"]);
    command.arg(root.join("bench/Cargo.toml"));
    let output = command.output().map_err(|error| format!("cannot run cargo: {error}"))?;
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("cargo metadata gave no JSON: {error}"))?;
    metadata["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|package| {
            package["name"] == "syn"
                && package["version"].as_str().is_some_and(|version| version.starts_with("2."))
        })
        .and_then(|package| Path::new(package["manifest_path"].as_str()?).parent())
        .map(|folder| folder.join("src"))
        .ok_or_else(|| "cargo metadata names no package syn 2".into())
}
