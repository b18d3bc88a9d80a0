//! `cargo memscope`: profiles what cargo builds and runs, with cargo's own flags.
//!
//! ```text
//! cargo memscope test --lib      ->  cargo --config target.<host>.runner=[this, runner, ...] test --lib
//! cargo starts each binary by us ->  memscope run -o target/memscope/NAME.memscope --html ... -- BINARY ARGUMENTS
//! ```
//!
//! So cargo itself decides what is built and run: every test binary, with nextest too. What the build lacks in line tables
//! is asked for by an environment variable; no file of the project is changed.
//!
//! Deliberately absent: profiling, which is the `memscope` beside this file, and cargo's flags, which are cargo's.
#![forbid(unsafe_code)]

mod lines;
mod per_test;

use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};

const HELP: &str = "\
Profiles what cargo builds and runs.

Usage: cargo memscope run|test|bench|example [CARGO'S FLAGS] [-- ARGUMENTS]

Examples:
  cargo memscope run --release -- --port 8080
  cargo memscope test --lib parses_empty_input
  cargo memscope bench --bench parse
  cargo memscope example hello

Each binary that is run leaves its profile and a page for a browser in target/memscope. `test` also prints
what each test allocated, held at the peak and never freed.

Exit code: cargo's own; 125 if memscope failed.

Environment: MEMSCOPE_DIR is the folder for profiles.
With nextest: cargo memscope env prints the variable that makes it run its tests under memscope.";

/// The exit code when memscope itself fails.
const OWN_FAILURE: u8 = 125;

fn main() -> ExitCode {
    let mut words: Vec<OsString> = std::env::args_os().skip(1).collect();
    // cargo names the subcommand first.
    if words.first().is_some_and(|word| word == "memscope") {
        words.remove(0);
    }
    let task = words.first().and_then(|word| word.to_str()).unwrap_or("--help").to_owned();
    let rest = words.get(1..).unwrap_or_default();
    let result = match task.as_str() {
        "runner" => run(rest),
        "run" | "test" | "bench" => cargo(&task, rest),
        "example" => example(rest),
        "env" => environment(),
        "--help" | "-h" | "help" => {
            println!("{HELP}");
            Ok(0)
        }
        "--version" | "-V" => {
            println!("cargo-memscope {}", env!("CARGO_PKG_VERSION"));
            Ok(0)
        }
        other => {
            eprintln!("memscope: cargo memscope has no `{other}`");
            eprintln!("memscope:   hint: it has run, test, bench, example, env");
            Ok(2)
        }
    };
    ExitCode::from(result.unwrap_or_else(|words| {
        eprintln!("memscope: {words}");
        OWN_FAILURE
    }))
}

/// `example NAME` is `run --example NAME`.
fn example(rest: &[OsString]) -> Result<u8, String> {
    let mut words = vec![OsString::from("--example")];
    words.extend(rest.iter().cloned());
    cargo("run", &words)
}

/// Runs cargo with us as the runner of what it builds.
fn cargo(task: &str, rest: &[OsString]) -> Result<u8, String> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let runner = [here()?.as_os_str(), OsStr::new("runner"), OsStr::new(task)]
        .map(|word| format!("{:?}", word.to_string_lossy()));
    let config = format!("target.{}.runner=[{}]", host()?, runner.join(","));
    command.args(["--config", &config]).arg(task).args(rest);
    if let Some((name, value)) = lines::missing(task, rest) {
        command.env(name, value);
    }
    status(&mut command)
}

/// Prints what a shell must set for other runners of tests.
fn environment() -> Result<u8, String> {
    let host = host()?.to_uppercase().replace('-', "_");
    println!("export CARGO_TARGET_{host}_RUNNER='{} runner test'", here()?.display());
    Ok(0)
}

/// What cargo starts in place of a binary: its task, the binary, its arguments.
fn run(words: &[OsString]) -> Result<u8, String> {
    let [task, binary, ..] = words else { return Err("the runner was given no program".into()) };
    let mut name = Path::new(binary).file_stem().unwrap_or_default().to_string_lossy().into_owned();
    // nextest runs each test in a process of its own, at the same time as others of this binary.
    if let Some(test) = only_test(&words[2..]) {
        name = format!("{name}-{}", test.replace("::", "."));
    }
    // nextest asks each binary for its tests, which is nothing to profile.
    if words.iter().any(|word| word == "--list") {
        return status(Command::new(binary).args(&words[2..]));
    }
    let folder = folder(binary);
    std::fs::create_dir_all(&folder)
        .map_err(|error| said(format!("cannot make {}", folder.display()), error))?;
    let file = |extension: &str| folder.join(format!("{name}.{extension}"));
    let (profile, page) = (file("memscope"), file("html"));
    let is_run = task == "run";
    let mut command = Command::new(here()?.with_file_name("memscope"));
    command.arg("run").args((!is_run).then_some("--quiet"));
    command.arg("-o").arg(&profile).arg("--html").arg(&page).arg("--").args(&words[1..]);
    let code = status(&mut command)?;
    if page.exists() {
        if task == "test" {
            match memscope_profile::file::load(&profile) {
                Ok(profile) => eprint!("{}", per_test::table(&profile)),
                Err(error) => eprintln!("memscope: {error}"),
            }
        }
        eprintln!("memscope: {}", page.display());
    }
    Ok(code)
}

/// The one test that a test binary is asked for, if it is one.
fn only_test(arguments: &[OsString]) -> Option<&str> {
    arguments.iter().find(|word| *word == "--exact")?;
    let mut names =
        arguments.iter().filter_map(|word| word.to_str()).filter(|it| !it.starts_with('-'));
    let name = names.next()?;
    (names.next().is_none() && !name.contains('/')).then_some(name)
}

/// Where profiles are kept: MEMSCOPE_DIR, or `memscope` in the target folder that the binary lies in.
fn folder(binary: &OsStr) -> PathBuf {
    if let Some(folder) = std::env::var_os("MEMSCOPE_DIR").filter(|folder| !folder.is_empty()) {
        return folder.into();
    }
    // cargo starts tests in the package's folder, by absolute paths; others by paths relative to ours.
    let binary = std::fs::canonicalize(binary).unwrap_or_else(|_| binary.into());
    let target = binary.ancestors().find(|folder| folder.join("CACHEDIR.TAG").exists());
    target.unwrap_or(Path::new("target")).join("memscope")
}

/// This program.
fn here() -> Result<PathBuf, String> {
    std::env::current_exe().map_err(|error| said("cannot find out where I am", error))
}

/// The machine that rustc builds for by default.
fn host() -> Result<String, String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(&rustc)
        .arg("-vV")
        .output()
        .map_err(|error| said("cannot run rustc", error))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| "rustc -vV does not name its host".to_owned())
}

fn status(command: &mut Command) -> Result<u8, String> {
    let status = command.status().map_err(|error| {
        said(format!("cannot run {}", command.get_program().to_string_lossy()), error)
    })?;
    Ok(code(status))
}

/// The exit code as a shell shows it.
fn code(status: ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt;
    let signal = status.signal().map_or(OWN_FAILURE, |signal| 128 + (signal & 0x7f) as u8);
    status.code().map_or(signal, |code| (code & 0xff) as u8)
}

fn said(what: impl Display, error: impl Display) -> String {
    format!("{what}: {error}")
}
