//! Programs to be profiled, and how a test gets at them.
//!
//! The Rust programs are this package's binaries; the C and C++ ones stand in `c/` and are compiled when a test
//! first asks for them. Every program is deterministic, ends by itself (but `kill`), and says on stdout what it did.
//!
//! Deliberately absent: anything of memscope. The programs are what nobody prepared.

pub mod build;
pub mod ledger;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// Builds the Rust program `name` under the profile of the running test and returns its path. A second call finds
/// it built, at the cost of one idle cargo run.
///
/// # Panics
/// If it cannot be built: a test that needs it cannot go on.
pub fn rust_program(name: &str) -> PathBuf {
    let folder = profile_folder();
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--package=testprograms", "--bin", name]);
    cargo.arg("--manifest-path").arg(package().join("Cargo.toml"));
    // The folder of a profile lies in the target folder.
    cargo.arg("--target-dir").arg(folder.parent().unwrap_or(&folder));
    if folder.ends_with("release") {
        cargo.arg("--release");
    }
    run(cargo);
    folder.join(name)
}

/// Builds the preload library that compares every stack with another unwinder's (`checker/`), optimized in any case,
/// and returns its path. A second call finds it built.
///
/// # Panics
/// If it cannot be built: a test that needs it cannot go on.
pub fn stack_checker() -> PathBuf {
    let folder = profile_folder();
    let target = folder.parent().unwrap_or(&folder);
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--release", "--package=stack-checker"]);
    cargo.arg("--manifest-path").arg(package().join("checker/Cargo.toml"));
    cargo.arg("--target-dir").arg(target);
    run(cargo);
    target.join("release/libstack_checker.so")
}

/// Compiles the C or C++ program `c/name` (with its ending) with `-O2 -g` and no frame pointers and returns its
/// path. Programs lie side by side in one folder; that of `dl.c` finds its module there, which is compiled with it.
///
/// # Panics
/// If it cannot be compiled: a test that needs it cannot go on.
pub fn c_program(name: &str) -> PathBuf {
    if name == "dl.c" {
        compile("dlmod.c", "dlmod.so", &["-shared", "-fPIC"]);
    }
    let stem = name.split('.').next().unwrap_or(name);
    compile(name, stem, &["-pthread", "-ldl"])
}

/// The same, by other flags, `-O0` and the like, which go by the name of what is made.
///
/// # Panics
/// As [`c_program`].
pub fn c_program_with(name: &str, flags: &[&str]) -> PathBuf {
    let stem = name.split('.').next().unwrap_or(name);
    compile(name, &format!("{stem}{}", flags.concat()), flags)
}

/// What this process has compiled. Once only: a program that runs must not find its file replaced, for it may execute it
/// again.
static COMPILED: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());

fn compile(source: &str, target: &str, flags: &[&str]) -> PathBuf {
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(path) = compiled.get(target) {
        return path.clone();
    }
    let folder = profile_folder().join("testprograms-c");
    std::fs::create_dir_all(&folder).expect("the target folder can be written");
    // Processes of tests may run side by side: each compiles for itself, and the last puts its result in place.
    let mine = folder.join(format!("{target}.{}", std::process::id()));
    let compiler = if source.ends_with(".cpp") { "c++" } else { "cc" };
    let mut command = Command::new(compiler);
    // The compiler would leave out an allocation that it sees freed unused.
    command.args(["-O2", "-g", "-fomit-frame-pointer", "-fno-builtin", "-Wall", "-Wextra"]);
    command.arg("-o").arg(&mine).arg(package().join("c").join(source)).args(flags);
    run(command);
    let path = folder.join(target);
    std::fs::rename(&mine, &path).expect("the target folder can be written");
    compiled.insert(target.to_owned(), path.clone());
    path
}

fn run(mut command: Command) {
    match command.output() {
        Ok(output) if output.status.success() => {}
        Ok(output) => panic!("{command:?} failed:\n{}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => panic!("{command:?} could not be started: {error}"),
    }
}

fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folder of the profile that the running test was built under: above the one that the test lies in.
fn profile_folder() -> PathBuf {
    let test = std::env::current_exe().expect("a running program has a path");
    test.parent().and_then(Path::parent).expect("a test lies in target/<profile>/deps").to_owned()
}
