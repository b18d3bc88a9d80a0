//! A program does not notice that it runs under memscope: its streams, exit code, signals and environment are its own.

mod support;

use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::process::Stdio;
use support::{Outcome, memscope_run, start, wait_for};

#[test]
fn the_exit_code_is_the_program_s() {
    for code in [0, 1, 3, 125, 127, 255] {
        let outcome = Outcome::of(&mut memscope_run(["sh", "-c", &format!("exit {code}")]));
        assert_eq!(outcome.code(), code, "{outcome:?}");
    }
}

#[test]
fn a_signal_s_exit_code_is_128_and_its_number() {
    for (name, number) in [("KILL", 9), ("SEGV", 11), ("TERM", 15)] {
        let outcome = Outcome::of(&mut memscope_run(["sh", "-c", &format!("kill -{name} $$")]));
        assert_eq!(outcome.code(), 128 + number, "{outcome:?}");
    }
}

#[test]
fn the_streams_are_the_program_s() {
    let mut command = memscope_run(["sh", "-c", "cat; echo to stderr >&2"]);
    let mut running = start(command.stdin(Stdio::piped()));
    running.child.stdin.take().unwrap().write_all(b"one\0two\xff\n").unwrap();
    let outcome = running.end();
    assert_eq!(outcome.stdout, "one\0two\u{fffd}\n");
    assert_eq!(outcome.stderr, "to stderr\n");
}

#[test]
fn the_report_goes_to_stderr_after_the_program_s_own_words() {
    let mut command = support::memscope();
    command.args(["run", "--", "sh", "-c", "echo one; echo two >&2"]);
    let outcome = Outcome::of(&mut command);
    assert_eq!(outcome.stdout, "one\n");
    assert!(outcome.stderr.starts_with("two\nmemscope: sh -c "), "{outcome:?}");
}

#[test]
fn the_environment_and_the_descriptors_are_as_they_were() {
    // The program may not even see what makes it load our library.
    let script = "env; ls /proc/$$/fd";
    let bare =
        Outcome::of(std::process::Command::new("sh").args(["-c", script]).stdin(Stdio::null()));
    let ours = Outcome::of(memscope_run(["sh", "-c", script]).env_remove("MEMSCOPE_CACHE"));
    let lines = |text: &str| {
        text.lines()
            .filter(|line| !line.starts_with("_="))
            .map(str::to_owned)
            .collect::<BTreeSet<_>>()
    };
    let (ours, bare) = (lines(&ours.stdout), lines(&bare.stdout));
    let differences: Vec<_> = ours.symmetric_difference(&bare).collect();
    assert!(differences.is_empty(), "{differences:?}");
}

#[test]
fn the_environment_keeps_its_order() {
    let memscope = env!("CARGO_BIN_EXE_memscope");
    for theirs in
        ["Z=1 B=2 PATH=/usr/bin:/bin A=3", "Z= LD_PRELOAD= B=2 PATH=/usr/bin:/bin A=3", "A=1"]
    {
        let seen = |run: &str| {
            let script = format!("exec env -i {theirs} {run} /usr/bin/env");
            let outcome = Outcome::of(std::process::Command::new("sh").args(["-c", &script]));
            assert_eq!((outcome.code(), &*outcome.stderr), (0, ""), "{theirs}");
            outcome.stdout
        };
        assert_eq!(seen(&format!("'{memscope}' run -q --")), seen(""), "{theirs}");
    }
}

/// Starts a shell that has set up `trap` and says so; gives its process id as well. Without a terminal, so that none
/// can be thought to have sent what a test sends.
fn trapping(trap: &str) -> (support::Running, Pid, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let ready = folder.path().join("ready");
    let script = format!(
        "{trap}; echo $$ > '{0}.part'; mv '{0}.part' '{0}'; i=0; while [ $i -lt 300 ]; do sleep 0.1; i=$((i+1)); done",
        ready.display()
    );
    let memscope = memscope_run(["sh", "-c", &script]);
    // A shell starts what it runs in the background with the interrupt ignored, and so it may have started the tests.
    let mut command = std::process::Command::new("env");
    command.args(["--default-signal", "setsid"]);
    let running = start(command.arg(memscope.get_program()).args(memscope.get_args()));
    let text = wait_for("the program to be ready", || fs::read_to_string(&ready).ok());
    let pid = Pid::from_raw(text.trim().parse().unwrap()).unwrap();
    (running, pid, folder)
}

#[test]
fn signals_sent_to_memscope_reach_the_program() {
    for (name, signal) in [
        ("TERM", Signal::TERM),
        ("HUP", Signal::HUP),
        ("USR1", Signal::USR1),
        ("USR2", Signal::USR2),
        ("INT", Signal::INT),
    ] {
        let (running, ..) = trapping(&format!("trap 'echo got {name}; exit 7' {name}"));
        kill_process(Pid::from_child(&running.child), signal).unwrap();
        let outcome = running.end();
        assert_eq!(
            (outcome.code(), outcome.stdout.as_str()),
            (7, format!("got {name}\n").as_str())
        );
    }
}

#[test]
fn memscope_outlives_the_interrupt_that_ends_the_program() {
    let (running, program, _folder) = trapping("true");
    kill_process(program, Signal::INT).unwrap();
    assert_eq!(running.end().code(), 130);
}

/// The signals that a program finds ignored and blocked.
fn masks(status: &str) -> Vec<u64> {
    let field = |name: &str| {
        let mask = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        // The C library keeps 32 and 33 to itself, and how it leaves them depends on how a process was made.
        u64::from_str_radix(mask.trim(), 16).unwrap() & !(0b11 << 31)
    };
    vec![field("SigIgn:"), field("SigBlk:"), field("SigCgt:")]
}

#[test]
fn dispositions_are_as_they_were() {
    for ignored in ["", "trap '' INT QUIT HUP USR1;"] {
        let run = |prefix: &str| {
            let script = format!("{ignored} exec {prefix} cat /proc/self/status");
            let mut command = std::process::Command::new("sh");
            let outcome = Outcome::of(command.args(["-c", &script]).stdin(Stdio::null()));
            masks(&outcome.stdout)
        };
        assert_eq!(run(&format!("'{}' run --", env!("CARGO_BIN_EXE_memscope"))), run(""));
    }
}

#[test]
fn the_program_stays_in_the_process_group() {
    let outcome =
        Outcome::of(&mut memscope_run(["sh", "-c", "cat /proc/$$/stat /proc/$PPID/stat"]));
    let fields = |line: &str| -> Vec<String> {
        line.rsplit_once(") ").unwrap().1.split(' ').map(str::to_owned).collect()
    };
    let lines: Vec<_> = outcome.stdout.lines().map(fields).collect();
    // State, parent, group, session.
    assert_eq!(lines[0][2..4], lines[1][2..4], "{outcome:?}");
}

#[test]
fn a_script_without_an_interpreter_line_is_given_to_the_shell() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("with space");
    fs::write(&script, "echo \"$1\"; exit 5\n").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&script, mode).unwrap();
    let outcome = Outcome::of(&mut memscope_run([script.to_str().unwrap(), "a b"]));
    assert_eq!((outcome.code(), outcome.stdout.as_str()), (5, "a b\n"));
}
