//! Before main, after it, in destructors of threads, and in a child of fork.
#![cfg(not(feature = "off"))]

use memscope_rs::{Memscope, Session, measure, tracker};
use std::cell::RefCell;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

#[global_allocator]
static ALLOC: Memscope = Memscope::system();

#[inline(never)]
extern "C" fn before_main() {
    std::hint::black_box(Box::leak(vec![1_u8; 4_444].into_boxed_slice()));
}

/// Called by the loader before `main`.
// SAFETY: a function without arguments in the section of such.
#[unsafe(link_section = ".init_array")]
#[used]
static BEFORE_MAIN: extern "C" fn() = before_main;

/// Blocks of this many bytes that are alive.
fn live_of(bytes: u64) -> Vec<String> {
    let report = tracker!().analyze();
    let sites = report.sites.iter().filter(|site| site.counts.live_bytes() == bytes);
    sites.map(|site| site.place.function.clone()).collect()
}

#[test]
fn what_was_allocated_before_main_is_there() {
    assert_eq!(live_of(4_444), ["edges_of_life::before_main"]);
}

static LEFT_BEHIND: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Allocates and frees when its thread ends.
struct AtThreadsEnd(Vec<u8>);

impl Drop for AtThreadsEnd {
    #[inline(never)]
    fn drop(&mut self) {
        let counts = measure(|| {
            self.0 = Vec::new();
            *LEFT_BEHIND.lock().unwrap() = vec![1_u8; 5_555];
        });
        FREED_BYTES.store(counts.freed_bytes as usize, Relaxed);
    }
}

static FREED_BYTES: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static AT_THREADS_END: RefCell<Option<AtThreadsEnd>> = const { RefCell::new(None) };
}

#[test]
fn destructors_of_threads_are_recorded() {
    let begin = || AT_THREADS_END.set(Some(AtThreadsEnd(vec![1_u8; 6_666])));
    std::thread::spawn(begin).join().unwrap();
    assert_eq!(FREED_BYTES.load(Relaxed), 6_666);
    let places = live_of(5_555);
    assert!(places.len() == 1 && places[0].contains("AtThreadsEnd"), "{places:?}");
    assert!(live_of(6_666).is_empty());
}

#[test]
fn a_child_of_fork_goes_on_unrecorded_and_its_parent_unharmed() {
    let t = tracker!();
    let kept = vec![1_u8; 7_777];
    // SAFETY: the child allocates, and ends without unwinding or running destructors.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let grown: Vec<Box<u64>> = (0..10_000).map(Box::new).collect();
        let is_right = grown.iter().map(|number| **number).sum::<u64>() == 49_995_000
            && !t.heap().is_recorded
            && measure(|| drop(kept)).allocations == 0;
        // SAFETY: ends the process.
        unsafe { libc::_exit(if is_right { 0 } else { 1 }) };
    }
    assert!(child > 0);
    let mut status = -1;
    // SAFETY: `status` outlives the call.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert_eq!(status, 0);
    let report = t.analyze();
    let sites = report.sites.iter();
    let most = sites.map(|site| site.counts.allocations).max().unwrap();
    assert!(most < 10_000, "{report}");
    assert_eq!(live_of(7_777).len(), 1);
    // Other tests of this process may be in the middle of an event, or have one missed, but not many.
    assert!(report.completeness.detailed.completeness > 0.99, "{report}");
    drop(kept);
}

/// Where a process that a test started keeps its recording.
const PROFILE: &str = "MEMSCOPE_TEST_PROFILE";

#[inline(never)]
extern "C" fn at_exit_before() {
    std::hint::black_box(Box::leak(vec![1_u8; 8_888].into_boxed_slice()));
}

#[inline(never)]
extern "C" fn at_exit_after() {
    let words: Vec<String> = (0..100).map(|n| n.to_string()).collect();
    assert_eq!(words.concat().len(), 190);
    println!("done after");
}

/// What a started process does.
#[test]
fn child() {
    let Some(path) = std::env::var_os(PROFILE) else { return };
    // SAFETY: functions without arguments. They are called in the reverse order.
    unsafe { libc::atexit(at_exit_after) };
    let session = Session::start(PathBuf::from(path));
    // SAFETY: as above.
    unsafe { libc::atexit(at_exit_before) };
    Box::leak(Box::new(session));
    std::process::exit(0);
}

#[test]
fn functions_called_at_exit_are_recorded_and_may_come_after_the_end_of_recording() {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("edges-at-exit");
    let _ = std::fs::remove_file(&path);
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env(PROFILE, &path)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("done after"), "{text}");
    let file = std::fs::File::open(&path).unwrap_or_else(|error| panic!("{error}: {text}"));
    let profile = memscope_profile::file::read(file, "the profile").unwrap();
    for bytes in [4_444, 8_888] {
        let sites = profile.sites.iter().filter(|site| site.counts.live_bytes() == bytes);
        assert_eq!(sites.count(), 1, "{bytes}");
    }
}
