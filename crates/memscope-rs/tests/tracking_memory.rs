//! What the counters allocate: nothing when recording or reading, and nothing that grows with instances.

use allocation_counter::measure;
use memscope_rs::tracking::TrackingStats;

#[test]
fn an_instance_has_64_bytes() {
    assert_eq!(size_of::<TrackingStats>(), 64);
    assert_eq!(measure(|| drop(TrackingStats::new())).count_total, 0);
}

#[test]
fn recording_and_reading_allocate_nothing_once_a_thread_has_its_shard() {
    let stats = TrackingStats::new();
    let first = measure(|| stats.record_attempt());
    assert!(first.count_total > 0, "a measurement that sees nothing proves nothing");
    let later = measure(|| {
        for _ in 0..1000 {
            stats.record_attempt();
            stats.record_success();
            stats.get_completeness();
            stats.get_detailed_stats();
        }
        stats.reset();
    });
    assert_eq!(later.count_total, 0);
}

#[test]
fn instances_that_come_and_go_leave_nothing_behind() {
    let cycle = || {
        for _ in 0..1000 {
            let stats = TrackingStats::new();
            stats.record_attempt();
            stats.record_success();
        }
    };
    cycle();
    let again = measure(cycle);
    assert!(again.count_total > 0);
    // What a thread remembers, and the queue of spares, may stand a little differently than before.
    assert!(again.bytes_current.abs() < 4096, "{again:?}");
}
