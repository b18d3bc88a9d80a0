//! What a run records, end to end, on small programs whose truth is known.

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;
use support::{Outcome, compile, memscope};

/// Allocates a known number of blocks of a known size in one function and ends as its argument says.
const BLOCKS: &str = r#"
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
void *kept[300];
__attribute__((noinline)) void allocate(void) {
    for (int i = 0; i < 300; i++) kept[i] = malloc(1000);
}
int main(int argc, char **argv) {
    allocate();
    for (int i = 0; i < 100; i++) free(kept[i]);
    if (argc > 1) kill(getpid(), SIGKILL);
    _exit(0);
}
"#;

/// Runs the program, and asks the profile for what is known of the stacks that end in `allocate`, by metric.
fn recorded(program: &Path, arguments: &[&str], exit_code: i32) -> impl Fn(&str) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let profile = folder.path().join("kept");
    let mut command = memscope();
    command.args(["run", "--quiet", "-o"]).arg(&profile).arg("--").arg(program).args(arguments);
    let outcome = Outcome::of(&mut command);
    assert!(outcome.code() == exit_code && outcome.stderr.is_empty(), "{outcome:?}");
    move |metric| {
        let _ = &folder;
        let mut command = memscope();
        command.arg("report").arg(&profile).args(["--folded", "--metric", metric]);
        let folded = Outcome::of(&mut command).stdout;
        let values = folded.lines().filter_map(|line| {
            let (stack, value) = line.rsplit_once(' ').unwrap();
            stack.ends_with(";main;allocate").then(|| value.parse::<u64>().unwrap())
        });
        values.sum()
    }
}

#[test]
fn every_block_is_recorded_at_its_site() {
    let folder = tempfile::tempdir().unwrap();
    let program = compile(folder.path(), "with space", BLOCKS, &["-g"]);
    let recorded = recorded(&program, &[], 0);
    assert_eq!(recorded("allocations"), 300);
    assert_eq!(recorded("allocated-bytes"), 300_000);
    assert_eq!(recorded("peak"), 300_000);
    assert_eq!(recorded("live-at-end"), 200_000);
}

#[test]
fn a_program_that_is_killed_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let program = compile(folder.path(), "killed", BLOCKS, &["-g"]);
    let recorded = recorded(&program, &["kill"], 137);
    assert_eq!((recorded("allocations"), recorded("live-at-end")), (300, 200_000));
}

#[test]
fn the_report_says_how_the_program_ended() {
    let folder = tempfile::tempdir().unwrap();
    let program = compile(folder.path(), "ends", BLOCKS, &["-g"]);
    let run = |arguments: &[&str]| {
        Outcome::of(memscope().args(["run", "--"]).arg(&program).args(arguments)).stderr
    };
    assert!(run(&[]).contains("exited with code 0"));
    assert!(run(&["kill"]).contains("SIGKILL"));
}

#[test]
fn the_clock_ticks_and_the_timeline_follows() {
    let folder = tempfile::tempdir().unwrap();
    let source = r#"
        #include <stdlib.h>
        #include <unistd.h>
        void *volatile kept[3];
        int main(void) {
            for (int i = 0; i < 3; i++) { kept[i] = malloc(1000000); usleep(350000); }
            free(kept[0]);
            _exit(0);
        }
    "#;
    let program = compile(folder.path(), "slow", source, &["-g"]);
    let mut command = memscope();
    let outcome = Outcome::of(command.args(["run", "-q", "--json", "-", "--"]).arg(&program));
    let profile: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    let samples = profile["timeline"]["samples"].as_array().unwrap();
    let numbers = |name: &str| -> Vec<u64> {
        samples.iter().map(|sample| sample[name].as_u64().unwrap()).collect()
    };
    // However late the others came, the last was taken after the end.
    assert!(samples.len() >= 2 && numbers("ms").is_sorted(), "{samples:?}");
    assert_eq!(numbers("live_bytes").last(), Some(&2_000_000), "{samples:?}");
    // The peak came after a second of sleep, time for one tick on the slowest machine.
    assert_ne!(profile["totals"]["peak_ms"], 0);
    assert_eq!(profile["totals"]["peak_bytes"], 3_000_000);
}

#[test]
fn a_program_that_brings_its_own_allocator_is_no_success() {
    let folder = tempfile::tempdir().unwrap();
    // It never calls the C library's malloc, because the linker binds the name to this one.
    let source = r#"
        #include <stddef.h>
        #include <unistd.h>
        static char space[1 << 16]; static size_t used;
        void *malloc(size_t size) { void *p = space + used; used += (size + 15) & ~(size_t)15; return p; }
        void free(void *p) { (void)p; }
        int main(int argc, char **argv) {
            char *volatile p = malloc(100); p[0] = 1; free((void *)p); _exit(argc > 1 ? 3 : 0); }
    "#;
    let program = compile(folder.path(), "own", source, &["-fno-builtin"]);
    let outcome = Outcome::of(memscope().args(["run", "--"]).arg(&program));
    outcome.assert_refused(125, "carries an allocator");
    let outcome = Outcome::of(memscope().args(["run", "--"]).arg(&program).arg("fail"));
    outcome.assert_refused(3, "carries an allocator");
}

#[test]
fn a_preload_of_the_user_s_own_stays_in_force() {
    let folder = tempfile::tempdir().unwrap();
    let source = "int answer(void) { return 42; }";
    let library = compile(folder.path(), "their.so", source, &["-shared", "-fPIC"]);
    let script = format!("echo \"$LD_PRELOAD\"; grep -q {} /proc/self/maps", library.display());
    let mut command = memscope();
    command.args(["run", "-q", "--", "sh", "-c", &script]).env("LD_PRELOAD", &library);
    let outcome = Outcome::of(&mut command);
    assert_eq!((outcome.code(), outcome.stdout.trim()), (0, library.to_str().unwrap()));
}

#[test]
fn a_run_that_cannot_write_at_the_end_fails_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sub/out.json");
    fs::create_dir(path.parent().unwrap()).unwrap();
    let script = format!("rm -r '{}'", path.parent().unwrap().display());
    let mut command = memscope();
    command.args(["run", "-q", "--json"]).arg(&path).args(["--", "sh", "-c", &script]);
    Outcome::of(&mut command).assert_refused(125, "out.json");
}

#[test]
fn a_closed_stdout_is_no_failure() {
    // The reader is gone before anything is written.
    let script = format!(
        "{{ '{}' run -q --json - -- true; echo $? >&2; }} | true",
        env!("CARGO_BIN_EXE_memscope")
    );
    let outcome = Outcome::of(Command::new("sh").args(["-c", &script]));
    assert_eq!(outcome.stderr, "0\n");
}
