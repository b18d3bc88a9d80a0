//! Faults of other trackers, and of the one that had this name before, that must not come back.
#![cfg(not(feature = "off"))]

use memscope_rs::{Memscope, Report, Tracker, task_scope, track, tracker};
use std::sync::atomic::{AtomicBool, Ordering};

#[global_allocator]
static ALLOC: Memscope = Memscope::system();

/// Resident bytes of this process.
fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

/// Tracks `count` values, and says what remained resident of it afterwards but for the values themselves.
fn extra_bytes(t: &Tracker, count: usize) -> u64 {
    let mut values: Vec<Vec<u8>> = (0..count).map(|_| vec![1; 100]).collect();
    let before = resident_bytes();
    for value in &values {
        track!(t, value);
    }
    let extra = resident_bytes().saturating_sub(before);
    values.clear();
    extra
}

// One test, for the others would be resident too.
#[test]
fn the_faults_of_before() {
    let t = tracker!();

    // A million tracked values: at most 64 bytes each beside the record of the block, and their frees are seen.
    let extra = extra_bytes(&t, 1_000_000);
    assert!(extra <= 64_000_000, "{extra}");
    let stats = t.stats();
    assert_eq!((stats.total_allocations, stats.live_allocations), (1_000_000, 0));
    assert_eq!(stats.peak_bytes, 100_000_000);

    // Freed values are no leaks; and what is tracked and freed again and again takes no memory.
    let before = resident_bytes();
    for _ in 0..20 {
        extra_bytes(&t, 50_000);
    }
    assert!(resident_bytes().saturating_sub(before) < 16 << 20);
    t.mark("one");
    t.mark("two");
    let report = t.analyze();
    assert!(report.leaks.is_empty(), "{report}");

    // What an analysis reads are sites and names, and there are as many for a hundred times the values.
    drop(report);
    let mut seen = Vec::with_capacity(3);
    // All from one place, so that no stack is new after the first. (A loop over an array is unrolled.)
    for count in std::hint::black_box(vec![3000, 3000, 300_000]) {
        extra_bytes(&t, count);
        let report = t.analyze();
        seen.push((report.profile().sites.len(), report.profile().labels.len()));
    }
    assert_eq!(seen[1], seen[2], "{seen:?}");

    // A realloc is no copy of a block: the old one is gone.
    let mut grown = vec![1_u8; 10];
    track!(t, grown);
    let before = t.heap();
    for _ in 0..10 {
        grown.reserve_exact(grown.capacity() * 2);
    }
    let after = t.heap();
    assert_eq!(after.live_blocks, before.live_blocks);
    assert_eq!(after.live_bytes - before.live_bytes, grown.capacity() as u64 - 10);

    // Looking changes nothing, twice over.
    let before = t.heap();
    let first = t.analyze();
    let second = t.analyze();
    assert_eq!(first.heap, second.heap);
    // Nor is there a thread more, whoever named the functions.
    assert_eq!(first.threads.len(), second.threads.len());
    assert!(!second.threads.iter().any(|thread| thread.name.starts_with("memscope-")));
    let uncertainty = |report: &Report| report.profile().completeness.peak_uncertainty_bytes;
    assert_eq!(uncertainty(&first), uncertainty(&second));
    assert_eq!(
        (first.heap.allocations, first.heap.frees, first.heap.live_bytes),
        (before.allocations, before.frees, before.live_bytes)
    );
    drop((first, second));
    assert_eq!(t.heap(), before);

    // Counters are fed: every event since the start is one, and none is missing.
    let stats = t.tracking_stats();
    assert_eq!(stats.detailed.attempts, before.allocations + before.frees);
    assert_eq!(stats.detailed.successes, stats.detailed.attempts);

    // A scope restores its parent, and types are the compiler's, not guessed from sizes.
    {
        let _outer = task_scope("outer");
        drop(task_scope("inner"));
        let three_words = [1_usize, 2, 3];
        let boxed = Box::new(three_words);
        track!(t, boxed);
        let report = t.analyze();
        let task = report.tasks.iter().find(|task| task.path == "outer").unwrap();
        assert_eq!((task.allocations, task.live_bytes), (1, 24));
        let variable = report.variables.iter().find(|variable| variable.name == "boxed").unwrap();
        assert_eq!(variable.type_name, "alloc::boxed::Box<[usize; 3]>");
    }

    queries_and_allocations_go_on_together(&t);
}

/// Threads allocate, track and ask at once; nobody waits for anybody.
fn queries_and_allocations_go_on_together(t: &Tracker) {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let value = vec![0_u8; 64];
                    track!(t, value);
                    let _task = task_scope("busy");
                    drop(value);
                }
            });
        }
        for _ in 0..3 {
            t.analyze();
            t.mark("again");
            assert!(t.heap().is_recorded && t.stats().is_recorded);
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(t.stats().live_allocations, 1);
}
