//! Builds what is run: the workload programs, memscope's preload library and its command. Cargo says where they lie.

use crate::Result;
use crate::contender::{Contender, HEAPTRACK_LIBRARY};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where the built programs lie.
#[derive(Debug)]
pub(crate) struct Programs {
    workloads: HashMap<&'static str, PathBuf>,
    /// memscope's preload library.
    pub(crate) preload: PathBuf,
    /// The command.
    pub(crate) memscope: PathBuf,
}

impl Programs {
    /// Builds what the contenders need.
    ///
    /// # Errors
    /// If something cannot be built, or a peer is not installed.
    pub(crate) fn build(root: &Path, contenders: &[Contender]) -> Result<Self> {
        if contenders.contains(&Contender::Heaptrack) && !Path::new(HEAPTRACK_LIBRARY).exists() {
            return Err(format!(
                "{HEAPTRACK_LIBRARY} is missing; install heaptrack, or leave it out with --peers"
            ));
        }
        let manifest = root.join("Cargo.toml");
        let preload = build(
            &manifest,
            &["--profile=preload", "--package=memscope-preload"],
            "memscope_preload",
        )?;
        let memscope = build(&manifest, &["--release", "--package=memscope-cli"], "memscope")?;
        let mut workloads = HashMap::new();
        for contender in contenders {
            let name = contender.program_name();
            if workloads.contains_key(name) {
                continue;
            }
            let feature = format!("--features={}", name.strip_prefix("with_").unwrap_or(""));
            let bin = format!("--bin={name}");
            let program = build(
                &root.join("bench/Cargo.toml"),
                &["--release", "--package=workloads", &bin, &feature],
                name,
            )?;
            workloads.insert(name, program);
        }
        Ok(Self { workloads, preload, memscope })
    }

    /// The workload program of a contender.
    pub(crate) fn workloads(&self, contender: Contender) -> &Path {
        &self.workloads[contender.program_name()]
    }
}

/// Cargo, the one that runs this program if one does.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Builds and returns the file that cargo made of the target `name`.
fn build(manifest: &Path, arguments: &[&str], name: &str) -> Result<PathBuf> {
    let mut command = cargo();
    command.args(["build", "--message-format=json-render-diagnostics", "--manifest-path"]);
    command.arg(manifest).args(arguments).stderr(Stdio::inherit());
    let output = command.output().map_err(|error| format!("cannot run cargo: {error}"))?;
    if !output.status.success() {
        return Err(format!("{name} could not be built; cargo says why above"));
    }
    output
        .stdout
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<serde_json::Value>(line).ok())
        .filter(|message| {
            message["reason"] == "compiler-artifact" && message["target"]["name"] == name
        })
        .filter_map(|message| {
            let file = message["executable"].as_str().or(message["filenames"][0].as_str())?;
            Some(PathBuf::from(file))
        })
        .next_back()
        .ok_or_else(|| format!("cargo does not say where it put {name}"))
}
