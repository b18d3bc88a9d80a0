//! The counters under load: many threads, hand-overs, resets, threads and instances that come and go.
//!
//! Bounded by counts, not by time. What is claimed for every interleaving is shown by `loom_tracking`; this shows that
//! the real primitives, thread-locals and destructors are wired up as the model supposes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread;

use memscope_rs::tracking::{DetailedStats, TrackingStats, on_low_completeness};

const THREADS: u64 = 4;
const EVENTS: u64 = 100_000;

fn consistent(stats: &TrackingStats) -> DetailedStats {
    on_low_completeness(|_| ());
    let read = stats.get_detailed_stats();
    assert!(read.successes + read.misses <= read.attempts, "{read}");
    let completeness = stats.get_completeness();
    assert!((0.0..=1.0).contains(&completeness), "{completeness}");
    read
}

fn counts(stats: &TrackingStats) -> (u64, u64, u64) {
    let read = consistent(stats);
    (read.attempts, read.successes, read.misses)
}

/// Reads all the while that `work` goes on, and at least once.
fn read_during(stats: &TrackingStats, work: impl FnOnce()) {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            loop {
                let last = done.load(Ordering::Acquire);
                consistent(stats);
                if last {
                    return;
                }
            }
        });
        work();
        done.store(true, Ordering::Release);
    });
}

#[test]
fn many_threads_are_counted_exactly_and_read_consistently() {
    let stats = TrackingStats::new();
    read_during(&stats, || {
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    for event in 0..EVENTS {
                        stats.record_attempt();
                        if event % 100 == 0 { stats.record_miss() } else { stats.record_success() }
                    }
                });
            }
        });
    });
    let misses = THREADS * EVENTS / 100;
    assert_eq!(counts(&stats), (THREADS * EVENTS, THREADS * EVENTS - misses, misses));
    assert_eq!(stats.get_completeness(), 0.99);
}

#[test]
fn an_outcome_may_come_from_another_thread() {
    let stats = TrackingStats::new();
    read_during(&stats, || {
        thread::scope(|scope| {
            let (sender, receiver) = sync_channel(64);
            scope.spawn(|| {
                for () in receiver {
                    stats.record_success();
                }
            });
            for _ in 0..EVENTS {
                stats.record_attempt();
                sender.send(()).unwrap();
            }
            drop(sender);
        });
    });
    assert_eq!(counts(&stats), (EVENTS, EVENTS, 0));
}

#[test]
fn resets_tear_nothing_and_open_attempts_outlast_them() {
    let stats = TrackingStats::new();
    read_during(&stats, || {
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..EVENTS {
                        stats.record_attempt();
                        stats.record_success();
                    }
                    stats.record_attempt();
                });
                scope.spawn(|| (0..1000).for_each(|_| stats.reset()));
            }
        });
    });
    let read = consistent(&stats);
    assert_eq!(read.attempts - read.successes, 2);
    stats.reset();
    assert_eq!(counts(&stats), (2, 0, 0));
    stats.record_miss();
    stats.record_success();
    assert_eq!(counts(&stats), (2, 1, 1));
}

#[test]
fn a_reset_settles_what_was_misused_so_far() {
    let stats = TrackingStats::new();
    stats.record_success();
    stats.record_miss();
    stats.reset();
    assert_eq!(counts(&stats), (0, 0, 0));
    stats.record_attempt();
    stats.record_success();
    assert_eq!(counts(&stats), (1, 1, 0));
}

#[test]
fn threads_that_come_and_go_leave_their_counts() {
    static STATS: TrackingStats = TrackingStats::new();
    for _ in 0..300 {
        thread::spawn(|| {
            STATS.record_attempt();
            STATS.record_success();
        })
        .join()
        .unwrap();
    }
    assert_eq!(counts(&STATS), (300, 300, 0));
}

#[test]
fn instances_that_come_and_go_do_not_see_each_other() {
    let kept = TrackingStats::new();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let kept = &kept;
            scope.spawn(move || {
                for instance in 0..1000 {
                    let own = TrackingStats::new();
                    for _ in 0..2 + instance % 5 {
                        own.record_attempt();
                        kept.record_attempt();
                    }
                    own.record_miss();
                    // Moving it changes nothing.
                    let own = Box::new(own);
                    if (instance + thread) % 2 == 0 {
                        own.record_success();
                    }
                    let expected = (2 + instance % 5, (instance + thread + 1) % 2, 1);
                    assert_eq!(counts(&own), expected);
                }
            });
        }
    });
    assert_eq!(consistent(&kept).attempts, THREADS * 4000);
}

#[test]
fn destructors_of_thread_locals_may_record() {
    static STATS: TrackingStats = TrackingStats::new();
    struct Records;
    impl Drop for Records {
        fn drop(&mut self) {
            STATS.record_success();
        }
    }
    thread_local! {
        static BEFORE: Records = const { Records };
        static AFTER: Records = const { Records };
    }
    for _ in 0..50 {
        thread::spawn(|| {
            // One destructor on either side of the counters' own, whichever way the platform orders them.
            BEFORE.with(|_| ());
            STATS.record_attempt();
            STATS.record_attempt();
            AFTER.with(|_| ());
        })
        .join()
        .unwrap();
    }
    assert_eq!(counts(&STATS), (100, 100, 0));
}

#[test]
fn it_shows_what_it_reads() {
    let stats = TrackingStats::default();
    stats.record_attempt();
    stats.record_success();
    let text = "100.00% complete (1 attempt, 1 success, 0 misses, 0 open), contention 0.00%";
    assert_eq!(stats.to_string(), text);
    assert_eq!(
        format!("{stats:?}"),
        "TrackingStats { attempts: 1, successes: 1, misses: 0, completeness: 1.0, contention_rate: 0.0 }"
    );
    assert!(stats.is_healthy());
    assert_eq!(stats.quality_grade(), "Excellent");
}
