//! Every test program, bare and under memscope, each in an empty folder: the same words on both streams, the same end, the
//! same files.
//!
//! Deliberately absent: `kill`, which never ends (kill.rs), `hostile` (hostile.rs, which does the same for each of its ways),
//! the other ways of `exec` (exec.rs), and what was recorded. Known to differ, and so not compared: the order of variables in
//! the first program's environment.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use support::{CLEARED, Outcome};
use testprograms::{c_program, rust_program};

/// What an observer sees of a program.
#[derive(Debug, PartialEq)]
struct Seen {
    /// As a shell has it.
    code: i32,
    stdout: String,
    stderr: String,
    files: BTreeMap<PathBuf, Entry>,
}

/// What lies under a name.
#[derive(Debug, PartialEq)]
struct Entry {
    mode: u32,
    links: u64,
    contents: String,
}

/// Runs a command in an empty folder, where a crash leaves no core.
fn seen<'a>(command: impl IntoIterator<Item = &'a str>) -> Seen {
    let folder = tempfile::tempdir().unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -c 0; exec \"$0\" \"$@\""]).args(command);
    for name in CLEARED {
        shell.env_remove(name);
    }
    let outcome = Outcome::of(shell.current_dir(&folder).stdin(Stdio::null()));
    let code = outcome.status.code();
    // The folder's name is chance.
    let name = folder.path().to_str().unwrap();
    let told = |text: &str| without_ids(&text.replace(name, "FOLDER"));
    let mut files = BTreeMap::new();
    collect(folder.path(), Path::new(""), &mut files);
    files.values_mut().for_each(|entry| entry.contents = told(&entry.contents));
    Seen {
        code: code.or_else(|| Some(128 + outcome.status.signal()?)).unwrap(),
        stdout: told(&outcome.stdout),
        stderr: told(&outcome.stderr),
        files,
    }
}

fn collect(folder: &Path, name: &Path, files: &mut BTreeMap<PathBuf, Entry>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = name.join(path.file_name().unwrap());
        let metadata = fs::symlink_metadata(&path).unwrap();
        let contents = match metadata.file_type() {
            kind if kind.is_file() => fs::read(&path).unwrap(),
            kind if kind.is_symlink() => {
                fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()
            }
            _ => Vec::new(),
        };
        if metadata.is_dir() {
            collect(&path, &name, files);
        }
        let contents = String::from_utf8_lossy(&contents).into_owned();
        files.insert(name, Entry { mode: metadata.mode(), links: metadata.nlink(), contents });
    }
}

/// Rust's runtime names a thread that panics by its id: `thread 'main' (1234) panicked`.
fn without_ids(text: &str) -> String {
    let mut parts = text.split("' (");
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        kept += "' (";
        kept += part.trim_start_matches(|it: char| it.is_ascii_digit());
    }
    kept
}

/// Asserts that a program does under memscope what it does without, and gives that.
#[track_caller]
fn same(program: &str, arguments: &[&str]) -> Seen {
    let bare = seen([program].iter().chain(arguments).copied());
    // Everything that a run can do is done: children followed, symbols read, a profile kept.
    let elsewhere = tempfile::tempdir().unwrap();
    let profile = elsewhere.path().join("x.memscope");
    let profile = profile.to_str().unwrap();
    let memscope = [env!("CARGO_BIN_EXE_memscope"), "run", "--quiet", "-o", profile, "--", program];
    let ours = seen(memscope.iter().chain(arguments).copied());
    assert_eq!(ours, bare, "{program} {arguments:?}");
    assert!(fs::metadata(profile).is_ok_and(|file| file.len() > 0), "{program} {arguments:?}");
    bare
}

#[test]
fn programs_of_rust() {
    let path = |name| rust_program(name).to_str().unwrap().to_owned();
    assert!(!same(&path("order_service"), &["2000", "0"]).stdout.is_empty());
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/run.rs");
    same(&path("parse"), &["2", "2", source]);
    assert_eq!(same(&path("parse"), &[]).code, 2);
    let counted = path("counted");
    for threads in ["0", "1", "4"] {
        same(&counted, &[threads]);
    }
    let endings = path("endings");
    for (way, code) in [
        ("return", 0),
        ("return-3", 3),
        ("_exit", 3),
        ("exit-from-thread", 3),
        ("panic", 101),
        ("panic-in-thread", 0),
        ("abort", 134),
        ("sigsegv", 139),
        ("sigkill", 137),
        ("stack-overflow", 134),
        ("out-of-memory", 134),
        ("no such way", 2),
    ] {
        assert_eq!(same(&endings, &[way]).code, code, "{way}");
    }
}

#[test]
fn programs_of_c_and_cpp() {
    for name in ["family.c", "threads.c", "cpp.cpp", "odd.c", "coroutines.c", "dl.c"] {
        let seen = same(c_program(name).to_str().unwrap(), &[]);
        assert!(seen.code == 0 && !seen.stdout.is_empty(), "{name}: {seen:?}");
    }
    let exec = c_program("exec.c");
    let exec = exec.to_str().unwrap();
    for way in ["execve", "execle", "fexecve", "execveat-empty", "quiet"] {
        assert_eq!(same(exec, &[way]).code, 0, "{way}");
    }
}

#[test]
fn files_written_by_a_shell_and_what_it_calls() {
    let script = "umask 027; mkdir d; echo one > d/a; ln -s a d/l; ln d/a d/h; cp -p d/a b; umask 077
        (cat < b; umask; pwd; exit 3) > c; echo $?; printf 'b\\na\\n' | sort -o s; chmod 4711 s; mkfifo f
        printf 'int main(void) { return 0; }' > m.c; cc -c -o m.o m.c && cc -o m m.o && ./m; echo $?; kill -9 $$";
    let seen = same("/bin/sh", &["-c", script]);
    assert_eq!((seen.code, seen.stdout.as_str()), (137, "3\n0\n"), "{}", seen.stderr);
    let names: Vec<_> = seen.files.keys().map(|name| name.to_str().unwrap()).collect();
    let expected = ["b", "c", "d", "d/a", "d/h", "d/l", "f", "m", "m.c", "m.o", "s"];
    assert_eq!(names, expected);
}
