//! The guard keeps the recording at return, in a panic and at exit; and a program that frees everything has no leaks.
#![cfg(not(any(loom, feature = "off")))]

use memscope_rs::{Memscope, Session};
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

/// What a started process does: with a session, something that allocates, and an end.
#[test]
fn child() {
    let Ok(ending) = std::env::var(ENDING) else { return };
    let path = PathBuf::from(std::env::var_os(PROFILE).unwrap());
    let run = || {
        let _memscope = Session::start(path);
        let data: Vec<String> = (0..100).map(|n| format!("number {n}")).collect();
        println!("{}", data.join(" ").len());
        match ending.as_str() {
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
    std::process::exit(0);
}

/// Lets a process come to an end: what it said on stderr, and the sites of its profile that hold 12,345 bytes.
fn end(ending: &str) -> (String, usize) {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("session-{ending}"));
    let _ = std::fs::remove_file(&path);
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
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

#[test]
fn what_was_recorded_is_kept_however_it_ends() {
    for ending in ["return", "panic", "exit"] {
        let (text, sites) = end(ending);
        assert_eq!(sites, 1, "{ending}: {text}");
        assert!(text.contains("12345 bytes in 1 blocks, alive at the end"), "{ending}: {text}");
        assert!(text.contains("session::forget"), "{ending}: {text}");
        assert_eq!(text.matches("Kept in").count(), 1, "{ending}: {text}");
    }
}
