//! Builds the preload library, so that the command can carry it.
//!
//! One installed file is enough: `memscope` holds the bytes of `libmemscope_preload.so`. Cargo has no stable way to
//! depend on the cdylib of another package, so a nested cargo builds it, into a target directory of its own under
//! `OUT_DIR`, and its path is handed to the crate as `PRELOAD_LIBRARY`.
//!
//! Invariants:
//! - The library is the same whatever surrounds the build: wrappers, flags and job servers of the outer cargo
//!   (clippy's driver, coverage, sanitizers) do not reach it.
//! - A change to any crate that the library is made of builds it anew, else a stale library would ship.
//!
//! Deliberately absent: a way to leave the library out. A command without it could do nothing.

use std::env;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the library is made of, from the workspace's root.
const SOURCES: [&str; 5] = [
    "Cargo.toml",
    "Cargo.lock",
    "crates/memscope-preload",
    "crates/memscope-capture",
    "crates/memscope-region",
];

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let root = folder.ancestors().nth(2).ok_or("the crate is not in its workspace")?;
    for source in SOURCES {
        println!("cargo:rerun-if-changed={}", root.join(source).display());
    }
    let library = build(root, &variable("TARGET")?)?;
    println!("cargo:rustc-env=PRELOAD_LIBRARY={}", library.display());
    Ok(())
}

/// Builds the library for `target` and says where it is.
fn build(root: &Path, target: &str) -> Result<PathBuf, Box<dyn Error>> {
    let folder = Path::new(&variable("OUT_DIR")?).join("preload");
    let mut cargo = Command::new(variable("CARGO")?);
    cargo.args(["build", "--package", "memscope-preload", "--profile", "preload"]);
    cargo.args(["--target", target, "--color", "never", "--manifest-path"]);
    cargo.arg(root.join("Cargo.toml")).arg("--target-dir").arg(&folder);
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(is_of_the_outer_build) {
            cargo.env_remove(name);
        }
    }
    // Present but empty, it also overrides the flags of cargo's configuration files.
    cargo.env("CARGO_ENCODED_RUSTFLAGS", "");

    let output = cargo.output()?;
    if !output.status.success() {
        return Err(format!(
            "the preload library could not be built ({}):\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        )
        .into());
    }
    let library = folder.join(target).join("preload/libmemscope_preload.so");
    if !library.is_file() {
        return Err(
            format!("the preload library was built, but is not at {}", library.display()).into()
        );
    }
    Ok(library)
}

/// Whether an environment variable belongs to the outer build and would change the nested one. Where registries
/// are and how to reach them stays, and so do the compiler's own `RUSTC` and rustup's variables.
fn is_of_the_outer_build(name: &str) -> bool {
    const KEPT: [&str; 6] = [
        "CARGO_HOME",
        "CARGO_NET_",
        "CARGO_HTTP_",
        "CARGO_REGISTR",
        "CARGO_SOURCE_",
        "CARGO_TERM_",
    ];
    const NAMES: [&str; 5] =
        ["RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "RUSTFLAGS", "MAKEFLAGS", "MFLAGS"];
    NAMES.contains(&name)
        || name.starts_with("CARGO") && !KEPT.iter().any(|kept| name.starts_with(kept))
}

fn variable(name: &str) -> Result<String, Box<dyn Error>> {
    env::var(name).map_err(|error| format!("the variable {name}: {error}").into())
}
