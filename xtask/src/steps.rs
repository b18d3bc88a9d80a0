//! The steps of a test run: which there are, in what order they run, and how.
//!
//! memscope-preload is a no_std cdylib that brings its own panic handler, so it builds only under the profile of its
//! own name and is left out wherever the whole workspace is built.

use crate::tidy;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// What a step does.
enum Action {
    /// Runs a script of the repository.
    Script(&'static str),
    /// Runs cargo with these arguments.
    Cargo(&'static [&'static str]),
    /// Runs a script of web/package.json.
    Npm(&'static str),
    /// Runs the tidy checks.
    Tidy,
}

/// A step: the name by which it can be run alone (several may share one), and what it does.
pub(crate) struct Step {
    name: &'static str,
    action: Action,
}

const STEPS: &[Step] = &[
    Step { name: "setup", action: Action::Script(".ci/install") },
    Step { name: "fmt", action: Action::Cargo(&["fmt", "--all", "--", "--check"]) },
    Step { name: "tidy", action: Action::Tidy },
    // The page that is committed is what its source builds.
    Step { name: "web", action: Action::Npm("check") },
    Step {
        name: "clippy",
        action: Action::Cargo(&[
            "clippy",
            "--workspace",
            "--exclude=memscope-preload",
            "--all-targets",
            "--",
            "-Dwarnings",
        ]),
    },
    Step {
        name: "clippy",
        action: Action::Cargo(&[
            "clippy",
            "--package=memscope-preload",
            "--profile=preload",
            "--",
            "-Dwarnings",
        ]),
    },
    // The same interface with nothing behind it.
    Step {
        name: "clippy",
        action: Action::Cargo(&[
            "clippy",
            "--package=memscope-rs",
            "--features=off",
            "--all-targets",
            "--",
            "-Dwarnings",
        ]),
    },
    // The fuzz targets follow what they fuzz. libFuzzer itself is not built for that.
    Step {
        name: "clippy",
        action: Action::Cargo(&[
            "clippy",
            "--manifest-path=fuzz/Cargo.toml",
            "--target-dir=target",
            "--no-default-features",
            "--all-targets",
            "--",
            "-Dwarnings",
        ]),
    },
    Step {
        name: "doc",
        action: Action::Cargo(&["doc", "--workspace", "--no-deps", "--exclude=memscope-preload"]),
    },
    Step {
        name: "test",
        action: Action::Cargo(&[
            "test",
            "--workspace",
            "--exclude=memscope-preload",
            "--no-fail-fast",
        ]),
    },
    Step {
        name: "test",
        action: Action::Cargo(&[
            "test",
            "--workspace",
            "--exclude=memscope-preload",
            "--no-fail-fast",
            "--release",
        ]),
    },
    // What the library does only if it is asked to.
    Step {
        name: "test",
        action: Action::Cargo(&["test", "--package=memscope-rs", "--features=serde,tracing,html"]),
    },
    // And what is left of it if it is asked to do nothing.
    Step {
        name: "test",
        action: Action::Cargo(&[
            "test",
            "--package=memscope-rs",
            "--features=off",
            "--test=feature_off",
            "--test=not_installed",
        ]),
    },
    // What computes and draws the figures that are claimed.
    Step {
        name: "test",
        action: Action::Cargo(&[
            "test",
            "--manifest-path=bench/Cargo.toml",
            "--target-dir=target",
            "--bins",
        ]),
    },
];

/// One line on how the program is called.
pub(crate) fn usage() -> String {
    let mut names: Vec<_> = STEPS.iter().map(|step| step.name).collect();
    names.dedup();
    format!("Usage: cargo xtask ci|{}", names.join("|"))
}

/// The steps that `name` stands for, in order; `None` if there is no such name. `ci` stands for all.
pub(crate) fn named(name: &str) -> Option<Vec<&'static Step>> {
    let chosen: Vec<_> = STEPS.iter().filter(|step| name == "ci" || name == step.name).collect();
    (!chosen.is_empty()).then_some(chosen)
}

/// Runs the steps one after the other up to the first that fails, whose failure it returns in words.
pub(crate) fn run(steps: &[&Step]) -> Result<(), String> {
    for step in steps {
        eprintln!("xtask: {step}");
        let begin = Instant::now();
        step.run()?;
        eprintln!("xtask: {step} took {:.1} s", begin.elapsed().as_secs_f64());
    }
    Ok(())
}

impl Step {
    fn run(&self) -> Result<(), String> {
        let mut command = match &self.action {
            Action::Script(path) => Command::new(root().join(path)),
            Action::Cargo(arguments) => {
                let mut cargo = cargo();
                cargo.args(*arguments);
                if arguments[0] == "doc" {
                    cargo.env("RUSTDOCFLAGS", "-Dwarnings");
                }
                cargo
            }
            Action::Npm(script) => {
                let mut npm = Command::new("npm");
                npm.args(["--prefix", "web", "run", "--silent", script]);
                npm
            }
            Action::Tidy => return tidy::run(&root()),
        };
        match command.current_dir(root()).status() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("{self} failed ({status})")),
            Err(error) => Err(format!("{self} could not be started: {error}")),
        }
    }
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.action {
            Action::Script(path) => f.write_str(path),
            Action::Cargo(arguments) => write!(f, "cargo {}", arguments.join(" ")),
            Action::Npm(script) => write!(f, "npm run {script} in web/"),
            Action::Tidy => f.write_str("tidy"),
        }
    }
}

/// The cargo that runs this program, or the one in PATH.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// The repository's root: the folder above this crate.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ci_is_every_step_and_a_name_is_its_own() {
        assert_eq!(named("ci").map(|steps| steps.len()), Some(STEPS.len()));
        assert_eq!(named("clippy").map(|steps| steps.len()), Some(4));
        assert!(named("no such step").is_none());
        assert_eq!(usage(), "Usage: cargo xtask ci|setup|fmt|tidy|web|clippy|doc|test");
    }
}
