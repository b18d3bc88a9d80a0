//! The mode is changed while the program runs, from whatever mode it began in: what was recorded stays true, and what was
//! not is told.
//!
//! Deliberately absent: the harness. The program starts itself for each mode.

use crate::{Part, again, counted, exactly, sampled, sites, to, unseen};
use memscope_rs::{RecordingMode, Report, Tracker, track, tracker};

/// Live blocks and bytes of the blocks that a function made.
fn live(report: &Report, function: &str) -> (u64, u64) {
    let counts = sites(report.profile(), function).into_iter().map(|site| site.counts);
    counts.fold((0, 0), |sum, next| (sum.0 + next.live_blocks(), sum.1 + next.live_bytes()))
}

/// What the process's live bytes changed by since.
fn change(t: &Tracker, since: &mut u64) -> i64 {
    let now = t.heap().live_bytes;
    let change = now as i64 - *since as i64;
    *since = now;
    change
}

pub(super) const PARTS: [Part; 1] = [("switching", run)];

fn run(began: RecordingMode) {
    let spine = 24; // bytes of the outer vector for each block

    to(RecordingMode::Exact);
    let t = tracker!();
    let mut known = exactly(100);
    let mut bytes = t.heap().live_bytes;

    to(RecordingMode::Counting);
    let counted = counted(50);
    assert_eq!(change(&t, &mut bytes), 50 * (1000 + spine), "{began}");
    known.truncate(80);
    assert_eq!(change(&t, &mut bytes), -20 * 1000, "{began}");
    // One block moves out of the record.
    known[0].reserve_exact(2000);
    assert_eq!(change(&t, &mut bytes), 2000, "{began}");
    let report = t.analyze();
    // The spine is one of them.
    assert_eq!(live(&report, "exactly"), (80, 79_000 + 100 * spine as u64), "{began}");
    assert_eq!(live(&report, "counted"), (0, 0), "{began}");
    assert_eq!(change(&t, &mut bytes), 0, "looking is no event: {began}");
    drop(report);
    assert_eq!(change(&t, &mut bytes), 0, "nor is forgetting: {began}");

    to(RecordingMode::Off);
    let unseen = unseen(30);
    assert_eq!(change(&t, &mut bytes), 0, "{began}");
    known.truncate(60);
    assert_eq!(change(&t, &mut bytes), -20 * 1000, "{began}");
    drop(counted);
    assert_eq!(change(&t, &mut bytes), 0, "{began}");

    to(RecordingMode::Sampled);
    let sampled = sampled(20_000);
    let change_bytes = change(&t, &mut bytes) as f64;
    assert!((change_bytes / 20_480_000.0 - 1.0).abs() < 0.2, "{began}: {change_bytes}");
    known.truncate(40);
    assert_eq!(change(&t, &mut bytes), -20 * 1000, "{began}");
    let report = t.analyze();
    let (blocks, live_bytes) = live(&report, "sampled");
    assert!((blocks as f64 / 20_000.0 - 1.0).abs() < 0.2, "{began}: {blocks}");
    assert!((live_bytes as f64 / 20_480_000.0 - 1.0).abs() < 0.2, "{began}: {live_bytes}");
    assert_eq!(live(&report, "exactly"), (40, 39_000 + 100 * spine as u64), "{began}");
    drop(report);

    to(RecordingMode::Exact);
    t.mark("before");
    let again = again(10);
    let before = t.heap().live_bytes;
    drop(sampled);
    let freed = (before - t.heap().live_bytes) as f64;
    assert!((freed / change_bytes - 1.0).abs() < 1e-6, "{began}: {freed} of {change_bytes}");
    let since = t.since("before").unwrap();
    let change = since.sites.iter().find(|site| site.live_blocks == 10);
    assert!(change.is_some(), "{began}: {since}");
    drop((known, unseen));
    // What was allocated while nothing was recorded is told when it is freed.
    let stats = t.tracking_stats();
    let told = format!("frees of unrecorded blocks: {}", stats.unknown_frees);
    // (In a region made for samples every block that is in none is unknown, and not counted.)
    let is_told = stats.unknown_frees >= 30 && stats.to_string().contains(&told);
    assert!(is_told || began == RecordingMode::Sampled, "{began}: {stats}");
    let report = t.analyze();
    assert_eq!(live(&report, "sampled"), (0, 0), "{began}");
    assert_eq!(live(&report, "exactly"), (0, 0), "{began}");
    assert_eq!(live(&report, "again"), (11, 10_000 + 10 * spine as u64), "{began}");
    assert_eq!(report.completeness.detailed.completeness, 1.0, "{began}: {report}");

    // Names are for what was recorded exactly, whatever the process began with.
    let named = vec![0_u8; 1000];
    track!(t, named);
    assert_eq!(t.stats().live_allocations, 1, "{began}");

    let modes: Vec<_> = report.completeness.eras.iter().map(|(_, mode)| *mode).collect();
    let expected = [
        RecordingMode::Exact,
        RecordingMode::Counting,
        RecordingMode::Off,
        RecordingMode::Sampled,
        RecordingMode::Exact,
    ];
    assert!(modes.ends_with(&expected), "{modes:?}");
    assert!(
        report.to_string().contains(" allocations were only counted, and are at no site."),
        "{report}"
    );
    drop(again);
}
