//! Mode sampled, chosen in code: estimates that hold, and what a sample cannot tell is not told.
#![cfg(not(feature = "off"))]

use memscope_rs::{Measurement, Memscope, memscope_profile::model::Mode, track, tracker};

const INTERVAL_BYTES: u64 = 16 << 10;

#[global_allocator]
static ALLOC: Memscope = Memscope::system().sampled(INTERVAL_BYTES);

#[inline(never)]
fn keep(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|_| vec![1_u8; 1000]).collect()
}

#[test]
fn estimates_hold_and_frees_are_found() {
    let t = tracker!();
    let kept = keep(20_000);
    let report = t.analyze();
    let run = &report.profile().run;
    assert_eq!((run.mode, run.interval_bytes), (Mode::Sampled, INTERVAL_BYTES));

    let site = report.sites.iter().find(|site| site.place.function.contains("sampled::keep"));
    let site = site.unwrap_or_else(|| panic!("{report}"));
    // Some 1,200 samples, so seven standard deviations are 20 %.
    let live_bytes = site.counts.live_bytes() as f64;
    assert!((live_bytes / 20_000_000.0 - 1.0).abs() < 0.2, "{live_bytes}");

    let grown = kept.into_iter().map(|mut data| {
        data.reserve_exact(3000);
        data
    });
    let grown: Vec<_> = grown.collect();
    drop(grown);
    let live_bytes = t.heap().live_bytes;
    assert!(live_bytes < 1_000_000, "{live_bytes}");
    assert_eq!(t.tracking_stats().detailed.completeness, 1.0);

    // No name and no measurement, rather than wrong ones.
    let data = vec![0_u8; 1 << 20];
    track!(t, data);
    assert_eq!((t.stats().live_bytes, t.stats().unknown_allocations), (0, 1));
    assert_eq!(memscope_rs::measure(|| vec![0_u8; 1 << 20]), Measurement::default());
}
