//! Every example that `--help` shows is run as it stands, by a shell, on programs and profiles of those names.
//!
//! Deliberately absent: `memscope top` on a terminal, which has tests of its own; here its examples are only understood.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use support::{Outcome, Running, memscope, start, wait_for};

const TASKS: [&str; 7] = ["run", "report", "top", "diff", "save", "mark", "completions"];

/// What the examples call, beside memscope.
const PROGRAMS: [(&str, &str); 4] = [
    ("server", "printf '%s\\n' serving"),
    ("convert", "cat \"$1\" > \"$2\""),
    ("inferno-flamegraph", "cat"),
    ("go", "[ -s \"$4\" ]"),
];

fn examples(task: &str) -> Vec<String> {
    let help = Outcome::of(memscope().args([task, "--help"]));
    assert_eq!((help.code(), &*help.stderr), (0, ""), "{help:?}");
    let (_, rest) = help.stdout.split_once("Examples:\n").unwrap_or_else(|| panic!("{task}"));
    let lines = rest.lines().take_while(|line| !line.is_empty());
    // What stands two spaces behind a command says what it does.
    let command = |line: &str| line.trim().split("  ").next().unwrap_or_default().to_owned();
    lines.map(command).collect()
}

fn path(folder: &Path) -> String {
    let here = Path::new(env!("CARGO_BIN_EXE_memscope")).parent().unwrap();
    let inherited = std::env::var("PATH").unwrap_or_default();
    format!("{}:{}:{inherited}", folder.display(), here.display())
}

fn shell(folder: &Path, line: &str) -> Command {
    let mut command = Command::new("timeout");
    command.args(["50", "sh", "-c", line]).current_dir(folder);
    for name in support::CLEARED {
        command.env_remove(name);
    }
    command.env("PATH", path(folder)).env("HOME", folder).stdin(std::process::Stdio::null());
    command
}

/// A process that memscope records until it is ended by a file in the folder.
fn waiting(folder: &Path) -> Running {
    let script = "touch begun; while ! [ -e enough ]; do sleep 0.1; done";
    let running =
        start(memscope().current_dir(folder).args(["run", "-q", "--", "sh", "-c", script]));
    wait_for("the program to begin", || folder.join("begun").exists().then_some(()));
    running
}

#[test]
fn every_example_of_every_help_does_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (name, words) in PROGRAMS {
        fs::write(folder.join(name), format!("#!/bin/sh\n{words}\n")).unwrap();
        fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::write(folder.join("in.png"), "picture").unwrap();
    for place in [".local/share/bash-completion/completions", ".zfunc", ".config/fish/completions"]
    {
        fs::create_dir_all(folder.join(place)).unwrap();
    }
    let process = waiting(folder);
    for task in TASKS {
        let lines = examples(task);
        assert!(!lines.is_empty(), "{task} shows none");
        for line in lines {
            assert!(line.starts_with(&format!("memscope {task}")), "{line:?}");
            let line = line.replace("1234", &process.child.id().to_string());
            let outcome = Outcome::of(&mut shell(folder, &line));
            let expected = i32::from(task == "top");
            assert_eq!(outcome.code(), expected, "{line}: {outcome:?}");
            if task == "top" {
                assert!(outcome.stderr.contains("draws on a terminal"), "{line}: {outcome:?}");
            }
        }
        if task == "run" {
            for name in ["before", "after", "main", "branch", "a1", "a2", "b1", "b2"] {
                let copy = folder.join(name).with_extension("memscope");
                fs::copy(folder.join("server.memscope"), copy).unwrap();
            }
        }
    }
    fs::write(folder.join("enough"), "").unwrap();
    assert_eq!(process.end().code(), 0);
    let written = |name: &str| fs::metadata(folder.join(name)).is_ok_and(|it| it.len() > 0);
    for name in ["server.html", "server.pb.gz", "heap.svg", "leaks.svg", "summary.md", "diff.svg"] {
        assert!(written(name), "{name} is missing or empty");
    }
}

#[test]
fn bash_completes_tasks_options_and_their_values() {
    let folder = tempfile::tempdir().unwrap();
    let ask = "\
        source <(memscope completions bash)\n\
        COMP_WORDS=(memscope re); COMP_CWORD=1; _memscope memscope re memscope; echo \"${COMPREPLY[@]}\"\n\
        COMP_WORDS=(memscope run --sa); COMP_CWORD=2; _memscope memscope --sa run; echo \"${COMPREPLY[@]}\"\n\
        COMP_WORDS=(memscope report --metric li); COMP_CWORD=3; _memscope memscope li --metric; echo \"${COMPREPLY[@]}\"\n";
    fs::write(folder.path().join("ask"), ask).unwrap();
    let outcome = Outcome::of(&mut shell(folder.path(), "bash --norc ask"));
    assert_eq!(outcome.stdout, "report\n--sample\nlive-at-end\n", "{outcome:?}");
}

#[test]
fn other_shells_have_all_tasks_too() {
    for (shell, first) in [("zsh", "#compdef memscope"), ("fish", "# Print an optspec")] {
        let outcome = Outcome::of(memscope().args(["completions", shell]));
        assert!(outcome.code() == 0 && outcome.stdout.starts_with(first), "{outcome:?}");
        for task in TASKS {
            assert!(outcome.stdout.contains(task), "{shell} lacks {task}");
        }
    }
    assert_eq!(Outcome::of(memscope().args(["completions", "csh"])).code(), 2);
}
