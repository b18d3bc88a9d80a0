//! What one call of each kind costs: trackers, tasks, measurings and readings of memscope-rs, and the steps of
//! memscope-profile from a profile to findings.
//!
//! A call is repeated, and the least mean of seven series is printed. The profile is this program's own, so it is small: what
//! grows with a profile is said in the documentation of the call.
//! Deliberately absent: what an event costs (see `library`), and limits. Figures are read and recorded by people.

use memscope_profile::analyze::{Analysis, Classifier, Metric, compare};
use memscope_profile::estimate::{Deviations, Intervals};
use memscope_profile::file;
use memscope_profile::model::{Counts, Profile};
use memscope_profile::suppression::Suppressions;
use memscope_profile::symbolize::{build_id, program::inspect};
use memscope_profile::types::TypeHistogram;
use memscope_rs::{FutureExt, Memscope, RecordingMode, Tracker};
use memscope_rs::{
    assert_allocations, assert_no_leaks, global_tracker, measure, recording_mode, switch_to,
    task_scope, track, tracker,
};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hint::black_box;
use std::time::Instant;

#[global_allocator]
static ALLOC: Memscope = Memscope::system();

const SERIES: usize = 7;

/// Prints what a call takes.
fn each<T>(name: &str, calls: u32, mut call: impl FnMut() -> T) {
    let mut least = f64::MAX;
    for _ in 0..SERIES {
        let begin = Instant::now();
        for _ in 0..calls {
            black_box(call());
        }
        least = least.min(begin.elapsed().as_secs_f64() * 1e9 / f64::from(calls));
    }
    println!("{name:40} {least:13.1} ns");
}

fn main() {
    let t = tracker!();
    trackers(&t);
    tasks(&t);
    let report = t.analyze();
    each("analyze", 1, || t.analyze());
    t.mark("mark");
    each("Tracker::since", 1, || t.since("mark"));
    each("Report, Display", 1, || report.to_string());
    println!("{} sites", report.profile().sites.len());
    findings(report.profile());
    each("recording_mode", 100_000, recording_mode);
    each("switch_to, twice", 100, || {
        switch_to(RecordingMode::Counting)?;
        switch_to(RecordingMode::Exact)
    });
}

fn trackers(t: &Tracker) {
    each("tracker!", 1000, || tracker!());
    each("Tracker::clone", 10_000, || t.clone());
    each("global_tracker", 10_000, global_tracker);
    let values: Vec<Vec<u8>> = (0..70_000).map(|_| vec![0; 32]).collect();
    let mut fresh = values.iter();
    each("track! of a Vec, the first", 10_000, || {
        if let Some(value) = fresh.next() {
            track!(t, value);
        }
    });
    each("track! of a Vec, again", 10_000, || track!(t, values[0]));
    let ring: VecDeque<u64> = (0..1000).collect();
    each("track! of a VecDeque of 1000", 1000, || track!(t, ring));
    let map: HashMap<u64, u64> = (0..1000).map(|key| (key, key)).collect();
    each("track! of a HashMap of 1000", 1000, || track!(t, map));
    let tree: BTreeMap<u64, u64> = (0..1000).map(|key| (key, key)).collect();
    each("track! of a BTreeMap of 1000", 100, || track!(t, tree));
    each("Tracker::stats", 10_000, || t.stats());
    each("Tracker::heap", 300, || t.heap());
    each("Tracker::tracking_stats", 300, || t.tracking_stats());
    each("Tracker::mark", 20, || t.mark("mark"));
}

fn tasks(t: &Tracker) {
    each("Tracker::scope", 10_000, || t.scope("scope"));
    each("task_scope", 10_000, || task_scope("task"));
    each("in_task", 10_000, || std::future::ready(1).in_task("task"));
    each("measure", 10_000, || measure(|| 1));
    each("assert_allocations!", 1000, || assert_allocations!(0, 1 + 1));
    each("assert_no_leaks!", 1000, || assert_no_leaks!(1 + 1));
}

fn findings(profile: &Profile) {
    let analysis = Analysis::new(profile);
    each("Analysis::new", 1, || Analysis::new(profile));
    each("Analysis::rank", 10, || analysis.rank(Metric::Peak, 10));
    each("compare", 1, || compare(&[&analysis], &[&analysis], Metric::Peak));
    each("TypeHistogram::new", 10, || TypeHistogram::new(profile, Metric::Peak));
    each("Profile::own_package", 10, || profile.own_package().len());
    let classifier = Classifier::new(profile);
    each("Classifier::class", 1000, || classifier.class("shop::main::{{closure}}", "main.rs", ""));
    let mut sum = Counts::default();
    each("Counts::add", 1000, || sum.add(black_box(&profile.sites[0].counts)));
    let one = Deviations { live_bytes: 3, live_blocks: 3, ..Deviations::default() };
    let mut deviations = one;
    each("Deviations::add", 1000, || deviations.add(black_box(&one)));
    each("Intervals::bytes", 1000, || {
        Intervals::new(512 << 10).bytes(black_box(10 << 20), 1 << 20)
    });
    let mut bytes = Vec::new();
    each("file::write", 1, || {
        bytes.clear();
        file::write(profile, &mut bytes)
    });
    println!("{} bytes of file, {} frames", bytes.len(), profile.frames.len());
    each("file::read", 1, || file::read(&bytes[..], "memory"));
    let known: Result<Suppressions, _> = "leak:one\nleak:two".parse();
    let mut copy = profile.clone();
    each("Suppressions::apply, two patterns", 1, || {
        known.as_ref().map(|it| it.apply(&mut copy)).ok()
    });
    if let Ok(own) = std::env::current_exe() {
        each("program::inspect", 3, || inspect(&own));
        each("build_id", 3, || build_id(&own));
    }
}
