//! With feature `off` the whole interface is there and nothing is behind it: a program that uses it runs as it would
//! without.
#![cfg(feature = "off")]

use memscope_rs::{
    FutureExt, Measurement, Memscope, RecordingMode, assert_allocations, assert_no_leaks,
    global_tracker, measure, recording_mode, start, switch_to, task_scope, track, tracker,
};
use std::alloc::System;

#[global_allocator]
static ALLOC: Memscope = Memscope::system().sampled(1 << 20).counting().in_file(c"nowhere");

/// All that a program may call, as in the examples of the documentation.
#[test]
fn everything_can_be_called_and_does_nothing() {
    let session = start();
    let t = tracker!();
    let mut data = vec![0_u8; 1000];
    track!(t, data);
    track!(global_tracker().unwrap(), data);
    t.mark("before");
    {
        let _scope = t.scope("request");
        let _task = task_scope("import");
        drop(async {}.in_task("poll"));
        data.extend([1; 5000]);
    }
    assert!(!t.since("before").unwrap().is_recorded);
    assert!(!t.heap().is_recorded && !t.stats().is_recorded && !t.tracking_stats().is_recorded);
    assert_eq!(t.stats().tracked_values, 1);
    let report = t.analyze();
    assert!(report.leaks.is_empty() && report.sites.is_empty() && report.tasks.is_empty());
    assert!(report.to_string().contains("lifetimes are unknown"), "{report}");
    assert_eq!(measure(|| vec![1_u8; 10]), Measurement::default());
    // Whoever builds with the feature knows that nothing is judged.
    assert_allocations!(0, vec![1_u8; 10]);
    assert_no_leaks!({
        Box::leak(vec![1_u8; 10].into_boxed_slice());
    });
    assert_eq!(recording_mode(), RecordingMode::Off);
    assert!(switch_to(RecordingMode::Exact).unwrap_err().to_string().contains("feature off"));
    drop(session);
}

/// The allocator is the inner one and nothing beside.
#[test]
fn the_allocator_is_the_inner_one() {
    assert_eq!(size_of::<Memscope>(), size_of::<System>());
    struct Inner([u64; 3]);
    static OTHER: Memscope<Inner> = Memscope::new(Inner([1, 2, 3]));
    assert_eq!((size_of_val(&OTHER), OTHER.inner().0), (24, [1, 2, 3]));
}
