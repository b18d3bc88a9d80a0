//! Readings as data.
#![cfg(feature = "serde")]

use memscope_rs::tracking::{DetailedStats, TrackingStats};

#[test]
fn a_reading_goes_out_and_comes_back() {
    let stats = TrackingStats::new();
    for _ in 0..4 {
        stats.record_attempt();
    }
    stats.record_success();
    stats.record_miss();
    let json = serde_json::to_string(&stats).unwrap();
    assert_eq!(
        json,
        r#"{"attempts":4,"successes":1,"misses":1,"completeness":0.25,"contention_rate":0.25}"#
    );
    let back: DetailedStats = serde_json::from_str(&json).unwrap();
    assert_eq!(back, stats.get_detailed_stats());
}
