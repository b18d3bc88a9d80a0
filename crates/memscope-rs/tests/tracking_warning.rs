//! The warning below 90 %: given to the hook or to stderr, rarely, and never by whoever records.

use std::env;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use memscope_rs::tracking::{TrackingStats, on_low_completeness};

const CHILD: &str = "TRACKING_WARNING_CHILD";

fn miss(stats: &TrackingStats, count: u64) {
    for _ in 0..count {
        stats.record_attempt();
        stats.record_miss();
    }
}

#[test]
fn a_hook_is_told_once_per_doubling_and_only_by_a_reading() {
    static TOLD: AtomicU64 = AtomicU64::new(0);
    if env::var_os(CHILD).is_some() {
        return;
    }
    assert!(on_low_completeness(|stats| {
        TOLD.store(stats.attempts, Ordering::Relaxed);
    }));
    assert!(!on_low_completeness(|_| panic!("the first hook stays")));
    let told = || TOLD.swap(0, Ordering::Relaxed);
    let stats = TrackingStats::new();

    stats.record_attempt();
    stats.get_detailed_stats();
    assert_eq!(told(), 0, "one attempt in flight is no loss");
    stats.record_success();

    miss(&stats, 99);
    stats.get_completeness();
    let _ = stats.to_string();
    assert_eq!(told(), 0, "neither recording nor these warn");
    stats.get_detailed_stats();
    assert_eq!(told(), 100);

    miss(&stats, 99);
    assert!(!stats.is_healthy());
    assert_eq!(told(), 0, "not twice as many yet");
    miss(&stats, 1);
    assert_eq!(stats.quality_grade(), "Critical");
    assert_eq!(told(), 200);

    stats.reset();
    miss(&stats, 10);
    stats.get_detailed_stats();
    assert_eq!(told(), 10, "a reset begins anew");
}

#[test]
fn without_a_hook_it_goes_to_stderr() {
    if env::var_os(CHILD).is_some() {
        let stats = TrackingStats::new();
        miss(&stats, 3);
        for _ in 0..10 {
            stats.get_detailed_stats();
        }
        return;
    }
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", "without_a_hook_it_goes_to_stderr", "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    assert!(output.status.success());
    let stderr = String::from_utf8(output.stderr).unwrap();
    let warnings: Vec<&str> =
        stderr.lines().filter(|line| line.starts_with("memscope: ")).collect();
    assert_eq!(
        warnings,
        ["memscope: tracking is only 0.00% complete (3 attempts, 0 successes, 3 misses, 0 open), \
          contention 100.00%"]
    );
}
