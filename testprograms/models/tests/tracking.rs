//! The protocol of `TrackingStats`, in every interleaving that loom finds. The models are as small as they can be and still
//! hold two writers and a reader.
//!
//! Readers are threads, and the main thread writes. Loom remembers one access before a store, and for a count (a load,
//! then a store) that is the writer's own load. So it does not go back and put the writer before a reader that ran
//! first; but a reader that runs later, as these do at first, is given every older value it may see.

use loom::sync::Arc;
use loom::sync::atomic::AtomicBool;
use loom::sync::atomic::Ordering::{Acquire, Release};
use loom::thread;
use models::tracking::{DetailedStats, TrackingStats, on_low_completeness};

/// Unforced switches between threads in one run, all of which are tried; those where a thread waits or ends are free, and every
/// older value that a load may see is tried as well. At 1 all models take 40 s of the processor, at 2 many minutes; what breaks
/// the protocol is found at 1. `LOOM_MAX_PREEMPTIONS=2` in the environment tries more.
const PREEMPTIONS: usize = 1;

fn model(check: impl Fn() + Sync + Send + 'static) {
    on_low_completeness(|_| ());
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(PREEMPTIONS);
    builder.check(check);
}

type Shared = Arc<TrackingStats>;

fn spawn(stats: &Shared, run: impl FnOnce(Shared) + 'static) -> thread::JoinHandle<()> {
    let stats = Arc::clone(stats);
    thread::spawn(move || run(stats))
}

fn spawn_reader(stats: &Shared) -> thread::JoinHandle<()> {
    spawn(stats, |stats| {
        consistent(&stats);
    })
}

fn counts(stats: &TrackingStats) -> (u64, u64, u64) {
    let read = consistent(stats);
    (read.attempts, read.successes, read.misses)
}

fn consistent(stats: &TrackingStats) -> DetailedStats {
    let read = stats.get_detailed_stats();
    assert!(read.successes + read.misses <= read.attempts, "{read}");
    read
}

#[test]
fn a_reader_never_sees_an_outcome_without_its_attempt() {
    model(|| {
        let stats = Shared::default();
        let writer = spawn(&stats, |stats| {
            stats.record_attempt();
            stats.record_miss();
        });
        let reader = spawn_reader(&stats);
        stats.record_attempt();
        stats.record_success();
        writer.join().unwrap();
        reader.join().unwrap();
        assert_eq!(counts(&stats), (2, 1, 1));
    });
}

#[test]
fn an_outcome_on_another_thread_follows_its_attempt() {
    model(|| {
        let stats = Shared::default();
        let handed_over = Arc::new(AtomicBool::new(false));
        let outcome = spawn(&stats, {
            let handed_over = Arc::clone(&handed_over);
            move |stats| {
                // Its own first, so that it has its shard when the other's outcome comes.
                stats.record_attempt();
                stats.record_success();
                if handed_over.load(Acquire) {
                    stats.record_success();
                }
            }
        });
        let reader = spawn_reader(&stats);
        stats.record_attempt();
        handed_over.store(true, Release);
        outcome.join().unwrap();
        reader.join().unwrap();
        assert_eq!(consistent(&stats).attempts, 2);
    });
}

/// A reset and a reader, while an attempt has this outcome and another stays open.
fn reset_in_between(outcome: fn(&TrackingStats)) {
    model(move || {
        let stats = Shared::default();
        let resetter = spawn(&stats, |stats| stats.reset());
        let reader = spawn_reader(&stats);
        stats.record_attempt();
        outcome(&stats);
        stats.record_attempt();
        resetter.join().unwrap();
        reader.join().unwrap();
        stats.reset();
        assert_eq!(counts(&stats), (1, 0, 0));
    });
}

#[test]
fn a_reset_in_between_tears_no_success() {
    reset_in_between(TrackingStats::record_success);
}

#[test]
fn a_reset_in_between_tears_no_miss() {
    reset_in_between(TrackingStats::record_miss);
}

#[test]
fn a_reset_is_not_undone_by_one_that_saw_less() {
    model(|| {
        let stats = Shared::default();
        let resetter = spawn(&stats, |stats| stats.reset());
        stats.record_attempt();
        stats.record_success();
        stats.record_attempt();
        stats.record_miss();
        stats.reset();
        resetter.join().unwrap();
        assert_eq!(counts(&stats), (0, 0, 0));
    });
}

#[test]
fn two_resets_at_once_settle_an_outcome_once() {
    model(|| {
        let stats = Shared::default();
        stats.record_attempt();
        stats.record_miss();
        stats.record_attempt();
        let resetter = spawn(&stats, |stats| stats.reset());
        let reader = spawn_reader(&stats);
        stats.reset();
        resetter.join().unwrap();
        reader.join().unwrap();
        assert_eq!(counts(&stats), (1, 0, 0));
    });
}

#[test]
fn a_dying_threads_shard_is_never_written_by_two() {
    model(|| {
        let stats = Shared::default();
        // The second may take over the first's shard while that is still ending.
        spawn(&stats, |stats| stats.record_attempt()).join().unwrap();
        let second = spawn(&stats, |stats| stats.record_attempt());
        stats.record_attempt();
        second.join().unwrap();
        assert_eq!(consistent(&stats).attempts, 3);
    });
}
