//! Values are named in mode exact, after the process began in any mode: as in a process that is always exact, whatever was
//! recorded of the blocks that were there before.
//!
//! Deliberately absent: the harness. The program starts itself for each mode and each part.

use crate::{Part, TOO_MUCH, early, later, sites, to};
use memscope_rs::memscope_profile::{file, model::Site};
use memscope_rs::{
    Evidence, RecordingMode, Report, Trackable, ValueBlocks, Variable, track, tracker,
};
use std::collections::{BTreeMap, HashMap};
use std::hint::black_box;
use std::rc::Rc;

pub(super) const PARTS: [Part; 4] = [
    ("names", names),
    ("where values lie", where_values_lie),
    ("side by side", side_by_side),
    ("deaths", deaths),
];

/// Allocations, frees, live blocks and bytes of some sites, and how far the live bytes may be off.
fn sum<'a>(sites: impl IntoIterator<Item = &'a Site>) -> [u64; 5] {
    sites.into_iter().fold([0; 5], |[a, b, c, d, e], site| {
        let counts = &site.counts;
        [
            a + counts.allocations,
            b + counts.frees,
            c + counts.live_blocks(),
            d + counts.live_bytes(),
            e + counts.deviations.live_bytes,
        ]
    })
}

fn variable<'a>(report: &'a Report, name: &str) -> &'a Variable {
    let found = report.variables.iter().find(|it| it.name == name);
    found.unwrap_or_else(|| panic!("no {name}: {report}"))
}

/// The sums of all names and the sums of all sites, which must be those of the same blocks.
fn assert_names_are_their_sites(report: &Report) {
    let profile = report.profile();
    for (label, id) in profile.labels.iter().zip(1_u32..).filter(|(it, id)| it.tracker != *id) {
        let of_label = profile.sites.iter().filter(|site| site.label == id);
        let [_, _, live_blocks, live_bytes, deviation] = sum(of_label);
        let expected = (label.live_blocks, label.live_bytes, 0);
        assert_eq!((live_blocks, live_bytes, deviation), expected, "{}", label.name);
    }
}

fn names(began: RecordingMode) {
    let before = early(50);
    to(RecordingMode::Exact);
    let t = tracker!();
    let kept = later(10);
    let report = t.analyze();
    let spine = 24 * 10;
    let [allocations, frees, blocks, bytes, deviation] = sum(sites(report.profile(), "later"));
    assert_eq!(
        [allocations, frees, blocks, bytes, deviation],
        [11, 0, 11, 10_000 + spine, 0],
        "{began}"
    );
    // (Asking for the sites of a function allocates, and leaves nothing behind.)
    let all = |report: &Report| {
        let [_, _, live_blocks, live_bytes, deviation] = sum(&report.profile().sites);
        (live_blocks, live_bytes, deviation)
    };
    let all_before = all(&report);

    // A name moves its block, and nothing else.
    let first = &kept[0];
    track!(t, first);
    track!(t, kept);
    let report = t.analyze();
    assert_eq!(sum(sites(report.profile(), "later")), [11, 0, 11, 10_000 + spine, 0], "{began}");
    assert_eq!(all(&report), all_before, "{began}");
    assert_names_are_their_sites(&report);
    let first = variable(&report, "first");
    assert_eq!((first.live_blocks, first.live_bytes, first.allocations), (1, 1000, 1));
    assert!(first.sites.iter().any(|it| it.function.contains("::later")), "{first:?}");
    assert_eq!(variable(&report, "kept").live_bytes, spine);
    let stats = t.stats();
    assert_eq!((stats.live_allocations, stats.live_bytes), (2, 1000 + spine), "{began}");
    assert_eq!((stats.total_allocations, stats.unknown_allocations), (2, 0), "{began}");

    // What was allocated in the mode before has a name only if that was exact.
    let t = tracker!();
    for block in &before {
        track!(t, block);
    }
    let named = if began == RecordingMode::Exact { 50 } else { 0 };
    let stats = t.stats();
    assert_eq!((stats.live_allocations, stats.unknown_allocations), (named, 50 - named));

    // A growing block takes its name along; what outlives its scope is told with it; a mark and a file know it too.
    let t = tracker!();
    let renamed = &kept[0];
    track!(t, renamed);
    t.mark("before");
    let request = t.scope("request");
    let mut grown = black_box(vec![1_u8; 700]);
    drop(request);
    track!(t, grown);
    assert_eq!(grown.len(), 700);
    let report = t.analyze();
    let outlived = Evidence::Outlived { scope: "request".to_owned() };
    let leak = report.leaks.iter().find(|leak| leak.evidence == outlived);
    let leak = leak.unwrap_or_else(|| panic!("{began}: {report}"));
    assert_eq!((leak.live_bytes, &leak.variables[..]), (700, &["grown".to_owned()][..]));
    // Another name has taken the place of the first.
    assert_eq!(variable(&report, "first").live_blocks, 0, "{began}");
    assert_eq!(variable(&report, "renamed").live_bytes, 1000, "{began}");
    assert_names_are_their_sites(&report);
    let since = t.since("before").unwrap();
    assert!(since.sites.iter().any(|it| (it.live_blocks, it.live_bytes) == (1, 700)), "{since}");

    grown.reserve_exact(3000);
    grown.shrink_to(2000);
    let report = t.analyze();
    let there = variable(&report, "grown");
    assert_eq!((there.live_bytes, there.peak_bytes), (2000, 3700), "{began}");
    assert_eq!((there.reallocations, there.live_blocks, there.allocations), (2, 1, 1), "{began}");
    assert_names_are_their_sites(&report);
    assert_eq!(report.completeness.detailed.completeness, 1.0, "{began}: {report}");

    let path = std::env::temp_dir().join(format!("exact_later.{}.memscope", std::process::id()));
    file::save(report.profile(), &path).unwrap();
    let loaded = file::load(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(loaded.labels, report.profile().labels, "{began}");
    assert_eq!(sum(&loaded.sites), sum(&report.profile().sites), "{began}");
    drop((before, grown));
}

/// Blocks are found by an address within as well, and where some have no record none is given another's name.
fn where_values_lie(began: RecordingMode) {
    // Before, in between and afterwards, so that blocks of all kinds lie side by side.
    let make = || {
        let tree: BTreeMap<u64, u64> = (0..500).map(|n| (n, n)).collect();
        let map: HashMap<u64, u64> = (0..100).map(|n| (n, n)).collect();
        (tree, map, Rc::new([1_u64; 6]))
    };
    let mut seen = Vec::new();
    let mut unseen = vec![make(), make()];
    to(RecordingMode::Exact);
    seen.push(make());
    if began != RecordingMode::Exact {
        let t = tracker!();
        for (tree, map, rc) in &unseen {
            track!(t, tree);
            track!(t, map);
            track!(t, rc);
        }
        assert_eq!(t.stats().live_allocations, 0, "{began}");
    }
    for round in 0..4 {
        to(RecordingMode::Exact);
        seen.push(make());
        to([RecordingMode::Sampled, RecordingMode::Off][round % 2]);
        unseen.push(make());
    }
    to(RecordingMode::Exact);
    let t = tracker!();
    for (tree, map, rc) in &seen {
        let before = t.stats().live_allocations;
        track!(t, tree);
        let nodes = t.stats().live_allocations - before;
        assert!((500 / 11..=500 / 5 + 20).contains(&nodes), "{began}: {nodes} nodes");
        track!(t, map);
        track!(t, rc);
        let stats = t.stats();
        assert_eq!(stats.live_allocations - before, nodes + 2, "{began}");
    }
    assert_eq!(t.stats().unknown_allocations, 0, "{began}");
    let report = t.analyze();
    assert_names_are_their_sites(&report);
    let mine = variable(&report, "tree").live_blocks;
    let t = tracker!();
    // (What the process was exact for from its beginning is known.)
    let unseen = &unseen[if began == RecordingMode::Exact { 2 } else { 0 }..];
    for (unseen_tree, unseen_map, unseen_rc) in unseen {
        track!(t, unseen_tree);
        track!(t, unseen_map);
        track!(t, unseen_rc);
    }
    let (stats, report) = (t.stats(), t.analyze());
    assert_eq!(stats.live_allocations, 0, "{began}: {stats:?}");
    // At least one for each value; of a tree each node that is in the sample.
    assert!(stats.unknown_allocations >= 3 * unseen.len() as u64, "{began}: {stats:?}");
    assert_eq!(variable(&report, "tree").live_blocks, mine, "{began}");
}

/// Blocks that begin in the middle of what a record stands for, behind others that have no record and reach so far.
fn side_by_side(began: RecordingMode) {
    /// Five words, of which the last is looked at, and how far back the block's start is looked for.
    struct Last(Box<[u64; 5]>, usize);

    impl Trackable for Last {
        fn blocks(&self, blocks: &mut ValueBlocks) {
            blocks.within(&self.0[4], self.1);
        }
    }

    // The first blocks of mode exact come to lie between those of the mode before.
    let old_and_gone = [40, 100].repeat(100).into_iter().map(|back_bytes| {
        (Last(black_box(Box::new([1; 5])), back_bytes), black_box(Box::new([2_u64; 5])))
    });
    let (old, gone): (Vec<_>, Vec<_>) = old_and_gone.unzip();
    drop(gone);
    to(RecordingMode::Exact);
    let between: Vec<_> = (0..200).map(|_| black_box(Box::new([3_u64; 5]))).collect();
    let t = tracker!();
    for old in old.iter().filter(|_| began != RecordingMode::Exact) {
        track!(t, old);
    }
    assert_eq!(t.stats().live_allocations, 0, "{began}");
    drop(between);

    let mut pairs = Vec::with_capacity(200);
    for back_bytes in [40, 100].repeat(100) {
        to(RecordingMode::Off);
        let unseen = Last(black_box(Box::new([1; 5])), back_bytes);
        to(RecordingMode::Exact);
        pairs.push((unseen, black_box(Box::new([2_u64; 5]))));
    }
    let t = tracker!();
    for (unseen, _) in &pairs {
        track!(t, unseen);
    }
    assert_eq!((t.stats().live_allocations, t.stats().unknown_allocations), (0, 200), "{began}");
    for (_, seen) in &pairs {
        track!(t, seen);
    }
    assert_eq!((t.stats().live_allocations, t.stats().live_bytes), (200, 8000), "{began}");
}

/// The free of a named block is seen in whatever mode, on whatever thread.
fn deaths(began: RecordingMode) {
    to(RecordingMode::Exact);
    let t = tracker!();
    for mode in
        [RecordingMode::Sampled, RecordingMode::Counting, RecordingMode::Off, RecordingMode::Exact]
    {
        to(RecordingMode::Exact);
        let (here, elsewhere, moved) = (later(1).remove(0), later(1).remove(0), later(1).remove(0));
        let large = black_box(vec![1_u8; 20 << 20]);
        track!(t, here);
        track!(t, elsewhere);
        track!(t, large);
        let mut moving = moved;
        track!(t, moving);
        assert_eq!(t.stats().live_bytes, 3000 + (20 << 20), "{began}");
        to(mode);
        // Asking and naming are possible in every mode.
        let again = &here;
        track!(t, again);
        assert_eq!(t.stats().live_bytes, 3000 + (20 << 20), "{began}, {mode}");
        drop(here);
        std::thread::spawn(move || drop(elsewhere)).join().unwrap();
        drop(large);
        assert_eq!(t.stats().live_bytes, 1000, "{began}, {mode}");
        // Where there is no such memory it stays where it is, and what it is.
        assert!(moving.try_reserve_exact(TOO_MUCH).is_err());
        assert_eq!(t.stats().live_bytes, 1000, "{began}, {mode}");
        // A block that moves where it is not recorded is a block that was freed.
        moving.reserve_exact(5000);
        let live_bytes = if mode == RecordingMode::Exact { 6000 } else { 0 };
        assert_eq!(t.stats().live_bytes, live_bytes, "{began}, {mode}");
        drop(moving);
        assert_eq!((t.stats().live_bytes, t.stats().live_allocations), (0, 0), "{began}, {mode}");
    }
    to(RecordingMode::Exact);
    let report = t.analyze();
    assert_names_are_their_sites(&report);
    assert_eq!(report.completeness.detailed.completeness, 1.0, "{began}: {report}");
    let [allocations, frees, live_blocks, live_bytes, _] = sum(sites(report.profile(), "later"));
    assert_eq!((live_blocks, live_bytes, allocations), (0, 0, frees), "{began}");
}
