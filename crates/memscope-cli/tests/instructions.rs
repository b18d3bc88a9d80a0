//! What a hook costs in instructions, against a golden file: a change of more than 2 % is made on purpose or not at all.
//!
//! A program calls each hook many times, always from the same place at the same depth, after it has done so before: the
//! fast path. It runs under callgrind, and what is counted is the library's own instructions: the C library's are left
//! out, whatever its version. The program is linked with the library, for a preloaded one would be loaded into
//! valgrind itself and make the environment what it was before the program starts.
//!
//! `MEMSCOPE_UPDATE_GOLDEN=1 cargo test -p memscope-cli --test instructions` writes the file anew.

#[path = "../src/listener.rs"]
#[allow(dead_code, reason = "the command's own, of which the test uses a part")]
mod listener;
mod support;

use listener::{Listener, Message};
use memscope_profile::Region;
use memscope_profile::model::End;
use memscope_region::hello::{INTERVAL_VARIABLE, MODE_VARIABLE, SOCKET_VARIABLE};
use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use support::Outcome;

/// Calls of each hook that are counted. The program has the same number.
const CALLS: u64 = 1000;

/// What is counted, in the program's order.
const PHASES: [&str; 7] = [
    "malloc",
    "free",
    "calloc",
    "realloc in place",
    "malloc and free at once",
    "posix_memalign and free at once",
    "aligned_alloc and free at once",
];

/// The modes, each with what is counted in it.
const MODES: [&str; 3] = ["exact", "sampled", "counting"];

/// The mean bytes between samples: so many that the fast path is the only one.
const INTERVAL: &str = "1099511627776";

/// The most that a count may differ from the golden one.
const TOLERANCE: f64 = 0.02;

/// The same under another compiler than that of the golden file, which makes other code of the same source.
const TOLERANCE_OF_ANOTHER_COMPILER: f64 = 0.10;

/// Does every phase twice, from the same places: after the first time everything is known.
const PROGRAM: &str = r"
#include <stdlib.h>
enum { CALLS = 1000, DEPTH = 20 };
static void *volatile blocks[CALLS];
static volatile int round;
__attribute__((noipa)) void work(int phase) {
    switch (phase) {
    case 0: for (int i = 0; i < CALLS; i++) blocks[i] = malloc(64); break;
    case 1: for (int i = 0; i < CALLS; i++) free(blocks[i]); break;
    case 2: for (int i = 0; i < CALLS; i++) blocks[i] = calloc(2, 32); break;
    case 3: for (int i = 0; i < CALLS; i++) blocks[i] = realloc(blocks[i], 72); break;
    case 4: for (int i = 0; i < CALLS; i++) { blocks[i] = malloc(64); free(blocks[i]); } break;
    case 5:
        for (int i = 0; i < CALLS; i++) {
            void *block;
            if (posix_memalign(&block, 64, 64) == 0) blocks[i] = block;
            free(blocks[i]);
        }
        break;
    case 6: for (int i = 0; i < CALLS; i++) { blocks[i] = aligned_alloc(64, 64); free(blocks[i]); } break;
    }
}
__attribute__((noipa)) static void descend(int depth) {
    if (depth > 0) {
        descend(depth - 1);
        round = round;
        return;
    }
    for (int phase = 0; phase < 7; phase++) work(phase);
}
int main(void) {
    for (round = 0; round < 2; round++) descend(DEPTH);
    return 0;
}
";

/// Runs the program in a mode; returns the library's instructions for a call of each phase.
fn count(folder: &Path, mode: &str) -> [f64; PHASES.len()] {
    let library = env!("PRELOAD_LIBRARY");
    let options = ["-O2", "-fomit-frame-pointer", "-fno-builtin", "-Wl,--no-as-needed", library];
    let program = support::compile(folder, "hooks", PROGRAM, &options);
    let mut listener = Listener::open().unwrap();
    let costs = folder.join("costs");
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--toggle-collect=work", "--dump-after=work"]);
    valgrind.args(["--compress-strings=no", "--compress-pos=no"]);
    valgrind.arg(format!("--callgrind-out-file={}", costs.display())).arg(program);
    valgrind.env(SOCKET_VARIABLE, listener.name()).env_remove("LD_PRELOAD");
    let outcome = Outcome::of(valgrind.env(MODE_VARIABLE, mode).env(INTERVAL_VARIABLE, INTERVAL));
    assert_eq!(outcome.code(), 0, "{outcome:?}");
    assert_recorded(&mut listener, mode);
    // One file for each time that `work` returned. The second round counts.
    std::array::from_fn(|phase| {
        let file = costs.with_extension((PHASES.len() + phase + 1).to_string());
        let instructions = instructions_in(library, &std::fs::read_to_string(file).unwrap());
        instructions as f64 / CALLS as f64
    })
}

/// A hook that records nothing is cheap, and not what is meant.
fn assert_recorded(listener: &mut Listener, mode: &str) {
    let Some(Message::Hello { region, .. }) = listener.receive().pop() else {
        panic!("the program has not sent its region");
    };
    let region = Region::open(region).unwrap();
    let profile = region.read(End::Exited(0)).unwrap().profile;
    assert_eq!(profile.completeness.successes, profile.completeness.attempts);
    assert_eq!(profile.completeness.truncated_stacks, 0);
    assert_eq!(format!("{:?}", profile.run.mode).to_lowercase(), mode);
    if mode != "sampled" {
        assert!(profile.totals.allocations >= 2 * 6 * CALLS, "{:?}", profile.totals);
    }
}

/// The instructions of one object in a file of callgrind's, calls to others not included.
fn instructions_in(object: &str, costs: &str) -> u64 {
    let mut is_inside = false;
    let mut is_of_a_call = false;
    let mut sum = 0;
    for line in costs.lines() {
        if let Some(name) = line.strip_prefix("ob=") {
            is_inside = name == object;
        } else if line.starts_with("calls=") {
            is_of_a_call = true;
        } else if line.starts_with(|first: char| first.is_ascii_digit()) {
            let cost = line.rsplit(' ').next().and_then(|cost| cost.parse::<u64>().ok());
            if is_inside && !is_of_a_call {
                sum += cost.expect("a line of costs ends with the instructions");
            }
            is_of_a_call = false;
        }
    }
    sum
}

fn compiler() -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().into()
}

/// What is counted: each phase in each mode.
fn names() -> impl Iterator<Item = String> {
    MODES.iter().flat_map(|mode| PHASES.iter().map(move |phase| format!("{mode}: {phase}")))
}

/// The golden file: the compiler, then a line `instructions per call, mode: hook` for each of them.
fn golden(compiler: &str, counts: &[f64]) -> String {
    let mut text = format!(
        "# Instructions of the library for each call, at 20 frames of the program, all known before.\n{compiler}\n"
    );
    for (name, count) in names().zip(counts) {
        writeln!(text, "{count:.2} {name}").unwrap();
    }
    text
}

/// What is wrong with `counts`, by the golden file; empty if nothing is.
fn differences(golden: &str, compiler: &str, counts: &[f64]) -> Vec<String> {
    let mut lines = golden.lines().filter(|line| !line.starts_with('#'));
    let same_compiler = lines.next() == Some(compiler);
    let tolerance = if same_compiler { TOLERANCE } else { TOLERANCE_OF_ANOTHER_COMPILER };
    let mut problems = Vec::new();
    for (name, count) in names().zip(counts) {
        let expected = lines.next().and_then(|line| line.strip_suffix(&format!(" {name}")));
        let Some(expected) = expected.and_then(|number| number.parse::<f64>().ok()) else {
            problems.push(format!("{name}: is not in the golden file"));
            continue;
        };
        let change = count / expected - 1.0;
        if change.abs() > tolerance {
            problems.push(format!(
                "{name}: {count:.2} instructions, was {expected:.2} ({:+.1} %)",
                change * 100.0
            ));
        }
    }
    problems
}

#[test]
fn the_fast_path_of_each_hook_costs_what_it_did() {
    let folder = tempfile::tempdir().unwrap();
    let counts = MODES.map(|mode| count(folder.path(), mode)).concat();

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/instructions.golden");
    let compiler = compiler();
    if std::env::var_os("MEMSCOPE_UPDATE_GOLDEN").is_some() {
        let new = path.with_extension("new");
        std::fs::write(&new, golden(&compiler, &counts)).unwrap();
        std::fs::rename(&new, &path).unwrap();
        return;
    }
    let golden = std::fs::read_to_string(&path).unwrap();
    if !golden.lines().any(|line| line == compiler) {
        eprintln!(
            "warning: the golden file is of another compiler than {compiler}, so up to 10 % pass"
        );
    }
    let problems = differences(&golden, &compiler, &counts);
    assert!(
        problems.is_empty(),
        "the hooks cost something else than {} says:\n  {}\nIf that is meant, run this test with \
         MEMSCOPE_UPDATE_GOLDEN=1 and commit the file.",
        path.display(),
        problems.join("\n  ")
    );
}

#[test]
fn a_change_is_found() {
    let before = [100.0, 50.0, 110.0, 150.0, 160.0];
    let text = golden("rustc 1", &before);
    assert!(differences(&text, "rustc 1", &before).is_empty());
    let mut after = before;
    after[1] = 50.9;
    assert!(differences(&text, "rustc 1", &after).is_empty());
    after[1] = 51.2;
    assert_eq!(
        differences(&text, "rustc 1", &after),
        ["exact: free: 51.20 instructions, was 50.00 (+2.4 %)"]
    );
    assert!(differences(&text, "rustc 2", &after).is_empty(), "another compiler");
    after[1] = 44.0;
    assert_eq!(differences(&text, "rustc 2", &after).len(), 1);
    let torn = text.lines().take(4).collect::<Vec<_>>().join("\n");
    assert_eq!(differences(&torn, "rustc 1", &before).len(), 3);
}

#[test]
fn only_the_objects_own_instructions_count() {
    let costs = "events: Ir\nob=/a.so\nfn=f\n1 10\ncfn=g\ncob=/b.so\ncalls=2 0\n1 500\n2 5\n\nob=/b.so\nfn=g\n1 500\ntotals: 515\n";
    assert_eq!(instructions_in("/a.so", costs), 15);
    assert_eq!(instructions_in("/b.so", costs), 500);
}
