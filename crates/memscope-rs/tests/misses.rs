//! What really could not be recorded is counted by its cause, and seen in the statistics and at the head of the report.
#![cfg(not(feature = "off"))]

use memscope_rs::{CaptureStats, Memscope, Report, tracker};
use std::alloc::{GlobalAlloc, Layout};
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOC: Memscope = Memscope::system();

/// What an allocator hands out that shall touch no lock: addresses of a reservation, so far apart that each needs records
/// of its own.
struct Far {
    base: AtomicUsize,
    taken: AtomicUsize,
}

/// How far apart its blocks are, and how many there are.
const STEP_BYTES: usize = 1 << 30;
const BLOCKS: usize = 1024;

impl Far {
    fn reserve(&self) {
        let bytes = STEP_BYTES * BLOCKS;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a new mapping, that nobody may touch.
        let base =
            unsafe { libc::mmap(std::ptr::null_mut(), bytes, libc::PROT_NONE, flags, -1, 0) };
        assert_ne!(base, libc::MAP_FAILED);
        self.base.store(base.addr(), Relaxed);
    }
}

// SAFETY: no two blocks lie near each other, and nobody looks into them.
unsafe impl GlobalAlloc for Far {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        let block = self.taken.fetch_add(1, Relaxed) % BLOCKS;
        (self.base.load(Relaxed) + block * STEP_BYTES) as *mut u8
    }
    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

static FAR: Memscope<Far> =
    Memscope::new(Far { base: AtomicUsize::new(0), taken: AtomicUsize::new(0) });

fn allocate_far() {
    let layout = Layout::new::<[u8; 100]>();
    // SAFETY: freed once, with its layout.
    unsafe {
        let block = FAR.alloc(layout);
        FAR.dealloc(block, layout);
    }
}

fn misses(stats: &CaptureStats, cause: &str) -> u64 {
    let causes = stats.misses_by_cause.iter();
    causes.filter(|(words, _)| words.contains(cause)).map(|(_, count)| count).sum()
}

/// The numbers add up, and the report tells them before anything else.
fn assert_told(report: &Report, cause: &str) {
    let stats = &report.completeness;
    assert!(misses(stats, cause) > 0, "{stats}");
    let detailed = stats.detailed;
    // The harness's own thread may be in the middle of an event.
    let ended = detailed.successes + detailed.misses;
    assert!((ended..=ended + 1).contains(&detailed.attempts), "{stats}");
    assert!(detailed.completeness < 1.0 && detailed.contention_rate > 0.0);
    assert!(stats.to_string().contains(cause), "{stats}");
    let text = report.to_string();
    let head = text.split("\n\n").nth(1).unwrap_or_else(|| panic!("{text}"));
    assert!(head.starts_with("Incomplete: ") && head.contains(cause), "{text}");
}

/// Limits the address space; `None`: no longer.
fn limit_address_space(bytes: Option<u64>) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` outlives both calls.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_AS, &raw mut limit), 0);
        limit.rlim_cur = bytes.map_or(limit.rlim_max, |bytes| bytes.min(limit.rlim_max));
        assert_eq!(libc::setrlimit(libc::RLIMIT_AS, &raw const limit), 0);
    }
}

fn address_space_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').next().unwrap().parse::<u64>().unwrap() * 4096
}

static SIGNALS: AtomicUsize = AtomicUsize::new(0);

extern "C" fn on_signal(_: libc::c_int) {
    SIGNALS.fetch_add(1, Relaxed);
    allocate_far();
}

/// Is sent signals while it allocates, until one came in the middle of a recording.
fn allocate_under_signals(is_seen: impl Fn() -> bool) {
    let handler: extern "C" fn(libc::c_int) = on_signal;
    // SAFETY: the handler touches atomics, and the allocator that takes no lock.
    unsafe { libc::signal(libc::SIGUSR1, handler as *const () as libc::sighandler_t) };
    // SAFETY: no argument.
    let me = unsafe { libc::pthread_self() };
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Relaxed) {
                // SAFETY: the thread waits for this one.
                unsafe { libc::pthread_kill(me, libc::SIGUSR1) };
                std::thread::sleep(Duration::from_micros(50));
            }
        });
        let deadline = Instant::now() + Duration::from_secs(60);
        while !is_seen() && Instant::now() < deadline {
            for _ in 0..10_000 {
                drop(black_box(Box::new(1_u64)));
            }
        }
        done.store(true, Relaxed);
    });
}

// One test, for what is missed belongs to the process.
#[test]
fn what_is_missed_is_counted_by_its_cause_and_told() {
    let t = tracker!();
    FAR.inner().reserve();
    allocate_far();
    assert_eq!(t.tracking_stats().detailed.misses, 0);

    // The system gives no memory for records.
    limit_address_space(Some(address_space_bytes() + (1 << 20)));
    for _ in 0..100 {
        allocate_far();
    }
    limit_address_space(None);
    let stats = t.tracking_stats();
    assert_eq!(misses(&stats, "no room for records of so many addresses"), 100, "{stats}");
    assert_eq!((stats.detailed.misses, stats.unknown_frees), (100, 100));
    assert_told(&t.analyze(), "no room for records of so many addresses");

    // When it gives some again, recording goes on.
    let before = t.heap();
    allocate_far();
    assert_eq!(t.heap().allocations - before.allocations, 1);

    // A handler that allocates interrupts a recording.
    let cause = "signal handler";
    allocate_under_signals(|| misses(&t.tracking_stats(), cause) > 0);
    let report = t.analyze();
    assert_told(&report, cause);
    let missed = misses(&report.completeness, cause) as usize;
    assert!(missed <= 2 * SIGNALS.load(Relaxed), "{missed}");
}
