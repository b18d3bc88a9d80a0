//! What the tests of the command share: running it with a bound on time, and small programs to run it on.
//!
//! Invariants: a test ends, whatever the command does; only processes that the test started are ended. Deliberately
//! absent: judgement. Each test asserts for itself.
#![allow(dead_code, reason = "each test binary uses a part")]

pub(crate) mod profile;

use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Far more than any test needs on a slow machine.
const BOUND: Duration = Duration::from_secs(180);

/// Variables of the surroundings that would change what the command does.
pub(crate) const CLEARED: [&str; 5] =
    ["LD_PRELOAD", "NO_COLOR", "CLICOLOR_FORCE", "COLUMNS", "DEBUGINFOD_URLS"];

/// The command, in a clean environment.
pub(crate) fn memscope() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_memscope"));
    for name in CLEARED {
        command.env_remove(name);
    }
    // Nothing is left behind, and no test depends on what another has looked up.
    command.env("MEMSCOPE_CACHE", "off");
    command.stdin(Stdio::null());
    command
}

/// `memscope run --quiet -- arguments…`, which leaves stderr to the program, and saves the time for symbols.
pub(crate) fn memscope_run<const N: usize>(arguments: [&str; N]) -> Command {
    let mut command = memscope();
    command.args(["run", "--quiet", "--"]).args(arguments);
    command
}

/// How a command ended and what it said.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    /// The exit code; panics if a signal ended the command.
    pub(crate) fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| panic!("ended by a signal: {self:?}"))
    }

    /// Asserts that the command refused: this exit code, this in its one sentence, a hint, and nothing on stdout.
    #[track_caller]
    pub(crate) fn assert_refused(&self, code: i32, sentence: &str) {
        assert_eq!(self.code(), code, "{self:?}");
        assert_eq!(self.stdout, "", "{self:?}");
        let mut lines = self.stderr.lines();
        let first = lines.next().unwrap_or_default();
        assert!(first.starts_with("memscope: ") && first.contains(sentence), "{self:?}");
        let hint = lines.next().unwrap_or_default();
        assert!(hint.contains("hint: ") && lines.next().is_none(), "{self:?}");
    }
}

/// A command that runs while the test does other things.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) child: Child,
    streams: [JoinHandle<String>; 2],
}

/// Starts a command and reads what it says.
pub(crate) fn start(command: &mut Command) -> Running {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut tries = 0;
    let mut child = loop {
        match command.spawn() {
            // A child that another test has just forked still holds a file open that was written before.
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy && tries < 500 => {
                tries += 1;
                thread::sleep(Duration::from_millis(10));
            }
            spawned => break spawned.unwrap(),
        }
    };
    let stdout = child.stdout.take().unwrap();
    let stderr = child.stderr.take().unwrap();
    Running { child, streams: [read(stdout), read(stderr)] }
}

fn read(mut stream: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

impl Running {
    /// Waits for the end; fails the test if it does not come.
    pub(crate) fn end(mut self) -> Outcome {
        let status = wait_for("the command to end", || self.child.try_wait().unwrap());
        let [stdout, stderr] = self.streams.map(|stream| stream.join().unwrap());
        Outcome { status, stdout, stderr }
    }
}

impl Outcome {
    /// Runs a command to its end.
    pub(crate) fn of(command: &mut Command) -> Self {
        start(command).end()
    }
}

/// Asks again and again until there is an answer; fails the test if none comes.
pub(crate) fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(begun.elapsed() < BOUND, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Compiles a C program, with the linker that Rust needs in any case.
pub(crate) fn compile(folder: &Path, name: &str, source: &str, options: &[&str]) -> PathBuf {
    let code = folder.join(format!("{name}.c"));
    let program = folder.join(name);
    std::fs::write(&code, source).unwrap();
    let mut command = Command::new("cc");
    let outcome = Outcome::of(command.args(options).arg("-o").arg(&program).arg(&code));
    assert!(outcome.status.success(), "{outcome:?}");
    program
}

/// A program that needs no libc: it exits with 0.
pub(crate) const BARE: &str =
    "void _start(void) { __asm__(\"mov $60, %eax; xor %edi, %edi; syscall\"); }";
