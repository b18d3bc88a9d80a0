//! The guard keeps the recording at return, in a panic and at exit; and a program that frees everything has no leaks.
#![cfg_attr(feature = "off", allow(unused, reason = "nothing is recorded"))]

use memscope_profile::model::End;
use memscope_rs::{Memscope, Session, task_scope, track, tracker};
use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

#[global_allocator]
static ALLOC: Memscope = Memscope::system();

/// The end that this process is to come to, if it is one that a test started.
const ENDING: &str = "MEMSCOPE_TEST_ENDING";
/// Where its profile goes.
const PROFILE: &str = "MEMSCOPE_TEST_PROFILE";

#[inline(never)]
fn forget() {
    // Unless it is used, the compiler may leave the allocation out.
    std::hint::black_box(Box::leak(vec![0_u8; 12_345].into_boxed_slice()));
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
            "killed" => {
                forget();
                println!("ready");
                std::thread::sleep(std::time::Duration::from_secs(60));
            }
            "aborted" => {
                forget();
                std::process::abort();
            }
            "panic" => {
                forget();
                std::panic::resume_unwind(Box::new(()));
            }
            "traced" => {
                forget();
                panic!("with a backtrace, if the environment says so");
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
    end_with(ending, &[])
}

/// What the standard library keeps of debug information that it has read for a backtrace is nobody's leak.
fn a_backtrace_is_no_leak() {
    let (text, sites) = end_with("traced", &[("RUST_BACKTRACE", "1".into())]);
    assert!(text.contains("stack backtrace:"), "{text}");
    assert_eq!(sites, 1, "{text}");
    assert!(text.contains("12,345 bytes in 1 block, alive at the end"), "{text}");
    let leaks = text.split_once("Leaks: ").unwrap().1;
    assert!(!leaks.contains("gimli") && !leaks.contains("addr2line"), "{text}");
}

fn end_with(ending: &str, variables: &[(&str, PathBuf)]) -> (String, usize) {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("session-{ending}"));
    let _ = std::fs::remove_file(&path);
    let output = Command::new(std::env::current_exe().unwrap())
        .env(ENDING, ending)
        .env(PROFILE, &path)
        .envs(variables.iter().cloned())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(if ending == "exit" { 3 } else { 0 }), "{text}");
    let file = std::fs::File::open(&path).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let profile = memscope_profile::file::read(file, "the profile").unwrap();
    assert_eq!(profile.run.end, End::Ending, "{ending}");
    let mut shown = Vec::new();
    memscope_report::text::write(&profile, &Default::default(), &mut shown).unwrap();
    let shown = String::from_utf8(shown).unwrap();
    assert!(shown.contains(", and kept this itself at its end, pid "), "{ending}: {shown}");
    assert!(!shown.contains("running") && !shown.contains("live now"), "{ending}: {shown}");
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
        assert!(text.contains("12,345 bytes in 1 block, alive at the end"), "{ending}: {text}");
        assert!(text.contains("session::forget"), "{ending}: {text}");
        // The panic that is under way is alive as well.
        let leaks = if ending == "panic" { "Leaks: 2\n" } else { "Leaks: 1\n" };
        assert!(text.contains(leaks), "{ending}: {text}");
        assert_eq!(text.matches("Kept in").count(), 1, "{ending}: {text}");
    }
}

/// A process whose recording is in a file is ended by a signal: the recording is there.
fn a_file_outlives_a_signal() {
    for ending in ["killed", "aborted"] {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let mut process = Command::new(std::env::current_exe().unwrap())
            .env(ENDING, ending)
            .env(PROFILE, folder.join(format!("session-{ending}")))
            .env("MEMSCOPE_FILE", folder.join("region"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let said = BufReader::new(process.stdout.take().unwrap()).lines();
        let is_ready = said.map_while(Result::ok).any(|line| line == "ready");
        assert_eq!(is_ready, ending == "killed");
        if is_ready {
            process.kill().unwrap();
        }
        assert!(process.wait().unwrap().code().is_none(), "{ending}");
        let file = folder.join(format!("region.{}", process.id()));
        let region = memscope_profile::Region::open_path(&file).unwrap();
        let profile = region.read(End::Unknown).unwrap().profile;
        let sites = profile.sites.iter().filter(|site| site.counts.live_bytes() == 12_345);
        assert_eq!(sites.count(), 1, "{ending}");
        assert_eq!(profile.run.pid, process.id());
        std::fs::remove_file(file).unwrap();
    }
}

/// When the profile was kept, the file is no longer needed.
fn a_file_goes_when_the_profile_was_kept() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("regions");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir(&folder).unwrap();
    let (text, sites) = end_with("return", &[("MEMSCOPE_FILE", folder.join("region"))]);
    assert_eq!((sites, text.matches("Kept in").count()), (1, 1), "{text}");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
}

// Without the harness, which keeps what it allocates: what the started processes leave behind is their own.
fn main() {
    if cfg!(feature = "off") {
        return;
    }
    if let Ok(ending) = std::env::var(ENDING) {
        child(&ending);
        return;
    }
    what_was_recorded_is_kept_however_it_ends();
    a_backtrace_is_no_leak();
    a_program_that_frees_everything_has_no_leaks();
    a_file_outlives_a_signal();
    a_file_goes_when_the_profile_was_kept();
}
