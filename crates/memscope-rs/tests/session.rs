//! The guard keeps the recording at return, in a panic and at exit; and a program that frees everything has no leaks.
#![cfg_attr(any(loom, feature = "off"), allow(unused, reason = "nothing is recorded"))]

use memscope_rs::{Memscope, Session, task_scope, track, tracker};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::process::Command;

#[global_allocator]
static ALLOC: Memscope = Memscope::system();

/// The end that this process is to come to, if it is one that a test started.
const ENDING: &str = "MEMSCOPE_TEST_ENDING";
/// Where its profile goes.
const PROFILE: &str = "MEMSCOPE_TEST_PROFILE";

#[inline(never)]
fn forget() {
    Box::leak(vec![0_u8; 12_345].into_boxed_slice());
}

/// What a program does that frees everything: on several threads, in tasks, with names and marks.
#[inline(never)]
fn work() {
    let t = tracker!();
    let shared: HashMap<u64, String> = (0..1000).map(|n| (n, format!("number {n}"))).collect();
    track!(t, shared);
    std::thread::scope(|scope| {
        for name in ["one", "two"] {
            let shared = &shared;
            scope.spawn(move || {
                let _task = task_scope(name);
                let sorted: BTreeMap<_, _> = shared.iter().collect();
                println!("{}", sorted.len());
            });
        }
    });
    t.mark("before");
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for n in 0..1000 {
            let _ = sender.send(vec![n; 10]);
        }
    });
    println!(
        "{} {}",
        receiver.iter().map(|list| list.len()).sum::<usize>(),
        t.since("before").is_some()
    );
    let _scope = t.scope("scope");
    println!("{}", t.analyze().leaks.len());
}

/// What a started process does: with a session, something that allocates, and an end.
fn child(ending: &str) {
    let path = PathBuf::from(std::env::var_os(PROFILE).unwrap());
    let run = || {
        let _memscope = Session::start(path);
        work();
        match ending {
            "clean" => {}
            "return" => forget(),
            "panic" => {
                forget();
                std::panic::resume_unwind(Box::new(()));
            }
            _ => {
                forget();
                std::process::exit(3);
            }
        }
    };
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
}

/// Lets a process come to an end: what it said on stderr, and the sites of its profile that hold 12,345 bytes.
fn end(ending: &str) -> (String, usize) {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("session-{ending}"));
    let _ = std::fs::remove_file(&path);
    let output = Command::new(std::env::current_exe().unwrap())
        .env(ENDING, ending)
        .env(PROFILE, &path)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(if ending == "exit" { 3 } else { 0 }), "{text}");
    let file = std::fs::File::open(&path).unwrap_or_else(|error| panic!("{error}: {text}"));
    let profile = memscope_profile::file::read(file, "the profile").unwrap();
    let sites = profile.sites.iter().filter(|site| site.counts.live_bytes() == 12_345);
    (text, sites.count())
}

fn a_program_that_frees_everything_has_no_leaks() {
    let (text, sites) = end("clean");
    assert_eq!(sites, 0, "{text}");
    assert!(text.contains("Leaks: none"), "{text}");
    assert_eq!(text.matches("Kept in").count(), 1, "{text}");
}

fn what_was_recorded_is_kept_however_it_ends() {
    for ending in ["return", "panic", "exit"] {
        let (text, sites) = end(ending);
        assert_eq!(sites, 1, "{ending}: {text}");
        assert!(text.contains("12345 bytes in 1 blocks, alive at the end"), "{ending}: {text}");
        assert!(text.contains("session::forget"), "{ending}: {text}");
        // The panic that is under way is alive as well.
        let leaks = if ending == "panic" { "Leaks: 2\n" } else { "Leaks: 1\n" };
        assert!(text.contains(leaks), "{ending}: {text}");
        assert_eq!(text.matches("Kept in").count(), 1, "{ending}: {text}");
    }
}

// Without the harness, which keeps what it allocates: what the started processes leave behind is their own.
fn main() {
    if cfg!(any(loom, feature = "off")) {
        return;
    }
    if let Ok(ending) = std::env::var(ENDING) {
        child(&ending);
        return;
    }
    what_was_recorded_is_kept_however_it_ends();
    a_program_that_frees_everything_has_no_leaks();
}
