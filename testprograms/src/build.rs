//! How a program is built: the choices of a user's Cargo.toml that change what is known of its types.

use crate::{package, profile_folder, run};
use std::path::PathBuf;
use std::process::Command;

/// Choices for a build in release mode, as Cargo.toml has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Build {
    /// `debug`.
    pub debug: &'static str,
    /// `opt-level`.
    pub opt_level: &'static str,
    /// `v0`, or the compiler's own choice.
    pub mangling: &'static str,
    /// `lto`.
    pub lto: &'static str,
    /// `panic`.
    pub panic: &'static str,
    /// `codegen-units`.
    pub codegen_units: &'static str,
}

impl Build {
    /// What `cargo build --release` does, but with full debug information.
    pub const USUAL: Self = Self {
        debug: "2",
        opt_level: "3",
        mangling: "usual",
        lto: "false",
        panic: "unwind",
        codegen_units: "16",
    };

    /// Builds the program `name` of the package `name` like this, in a target folder of the build's own, and returns its
    /// path. A second call finds it built, at the cost of one idle cargo run.
    ///
    /// # Panics
    /// If it cannot be built: a test that needs it cannot go on.
    pub fn program(&self, name: &str) -> PathBuf {
        let target = profile_folder().join("../types").join(self.to_string());
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "--quiet", "--release", "--package", name, "--target-dir"]);
        cargo.arg(&target).arg("--manifest-path").arg(package().join(name).join("Cargo.toml"));
        cargo.env_remove("RUSTFLAGS");
        // What the compiler does by itself cannot be asked for in words.
        cargo.env_remove("CARGO_ENCODED_RUSTFLAGS");
        if self.mangling == "v0" {
            cargo.env("CARGO_ENCODED_RUSTFLAGS", "-Csymbol-mangling-version=v0");
        }
        let settings = [
            ("DEBUG", self.debug),
            ("OPT_LEVEL", self.opt_level),
            ("LTO", self.lto),
            ("PANIC", self.panic),
            ("CODEGEN_UNITS", self.codegen_units),
            ("STRIP", "none"),
            ("INCREMENTAL", "false"),
        ];
        for (setting, value) in settings {
            cargo.env(format!("CARGO_PROFILE_RELEASE_{setting}"), value);
        }
        run(cargo);
        target.join("release").join(name)
    }
}

impl std::fmt::Display for Build {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { debug, opt_level, mangling, lto, panic, codegen_units } = self;
        let debug = if *debug == "line-tables-only" { "lines" } else { debug };
        write!(
            f,
            "debug-{debug} opt-{opt_level} {mangling} lto-{lto} {panic} units-{codegen_units}"
        )
    }
}
