//! Mode exact, after the process began in any mode: values are named and code is measured as in a process that is always exact,
//! whatever was recorded of the blocks that were there before.
//!
//! Deliberately absent: the harness. The program starts itself for each mode and each part.

#[cfg(feature = "off")]
fn main() {}

#[cfg(not(feature = "off"))]
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [begun, part] if begun == "begun" => recorded::run(part),
        _ => recorded::start_each(),
    }
}

#[cfg(not(feature = "off"))]
mod recorded {
    use memscope_rs::memscope_profile::{Profile, file, model::Site};
    use memscope_rs::{
        Evidence, Measurement, Memscope, RecordingMode, Report, Trackable, ValueBlocks, Variable,
        assert_allocations, assert_no_leaks, measure, recording_mode, switch_to, task_scope, track,
        tracker,
    };
    use std::collections::{BTreeMap, HashMap};
    use std::hint::black_box;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::process::{Command, Stdio};
    use std::rc::Rc;

    #[global_allocator]
    static ALLOC: Memscope = Memscope::system();

    /// Small enough that nearly every block of 1,000 bytes is far from certain to be in the sample, and many are.
    const INTERVAL_BYTES: &str = "4096";

    /// Bytes that no allocator has.
    const TOO_MUCH: usize = 1 << 60;

    type Part = fn(RecordingMode);
    const PARTS: [(&str, Part); 9] = [
        ("names", names),
        ("where values lie", where_values_lie),
        ("side by side", side_by_side),
        ("deaths", deaths),
        ("measures", measures),
        ("changes", changes),
        ("tasks", tasks),
        ("forks", forks),
        ("readers", readers),
    ];

    pub(super) fn start_each() {
        let program = std::env::current_exe().unwrap();
        let mut failures = String::new();
        for (part, _) in PARTS {
            let children = ["exact", "sampled", "counting", "off"].map(|mode| {
                let mut command = Command::new(&program);
                command.args(["begun", part]).env("MEMSCOPE_MODE", mode);
                command.env("MEMSCOPE_INTERVAL", INTERVAL_BYTES).stderr(Stdio::piped());
                (mode, command.spawn().unwrap())
            });
            for (mode, child) in children {
                let output = child.wait_with_output().unwrap();
                if !output.status.success() {
                    let errors = String::from_utf8_lossy(&output.stderr);
                    failures.push_str(&format!("{part}, begun in mode {mode}: {errors}\n"));
                }
            }
        }
        assert!(failures.is_empty(), "{failures}");
    }

    pub(super) fn run(part: &str) {
        let (_, run) = PARTS.iter().find(|(name, _)| *name == part).unwrap();
        run(recording_mode());
    }

    fn to(mode: RecordingMode) {
        switch_to(mode).unwrap();
        assert_eq!(recording_mode(), mode);
    }

    /// Functions of their own, with a name in them, or the optimizer makes one of all.
    macro_rules! makers {
        ($($name:ident)*) => { $(
            #[inline(never)]
            fn $name(count: usize) -> Vec<Vec<u8>> {
                black_box(stringify!($name));
                (0..count).map(|_| black_box(vec![1_u8; 1000])).collect()
            }
        )* };
    }
    makers! { early alike later }

    /// The sites under a function.
    fn sites<'a>(profile: &'a Profile, function: &str) -> Vec<&'a Site> {
        let is_here = |site: &&Site| {
            let mut stack = site.stack;
            while let Some(node) = stack.checked_sub(1).map(|at| profile.stacks[at as usize]) {
                let address = &profile.addresses[node.address as usize];
                if profile.frames[address.frames()].iter().any(|frame| {
                    profile.strings[frame.function as usize].ends_with(&format!("::{function}"))
                }) {
                    return true;
                }
                stack = node.parent;
            }
            false
        };
        profile.sites.iter().filter(is_here).collect()
    }

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
        assert_eq!(
            sum(sites(report.profile(), "later")),
            [11, 0, 11, 10_000 + spine, 0],
            "{began}"
        );
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
        assert!(
            since.sites.iter().any(|it| (it.live_blocks, it.live_bytes) == (1, 700)),
            "{since}"
        );

        grown.reserve_exact(3000);
        grown.shrink_to(2000);
        let report = t.analyze();
        let there = variable(&report, "grown");
        assert_eq!((there.live_bytes, there.peak_bytes), (2000, 3700), "{began}");
        assert_eq!(
            (there.reallocations, there.live_blocks, there.allocations),
            (2, 1, 1),
            "{began}"
        );
        assert_names_are_their_sites(&report);
        assert_eq!(report.completeness.detailed.completeness, 1.0, "{began}: {report}");

        let path =
            std::env::temp_dir().join(format!("exact_later.{}.memscope", std::process::id()));
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
        assert_eq!(
            (t.stats().live_allocations, t.stats().unknown_allocations),
            (0, 200),
            "{began}"
        );
        for (_, seen) in &pairs {
            track!(t, seen);
        }
        assert_eq!((t.stats().live_allocations, t.stats().live_bytes), (200, 8000), "{began}");
    }

    /// The free of a named block is seen in whatever mode, on whatever thread.
    fn deaths(began: RecordingMode) {
        to(RecordingMode::Exact);
        let t = tracker!();
        for mode in [
            RecordingMode::Sampled,
            RecordingMode::Counting,
            RecordingMode::Off,
            RecordingMode::Exact,
        ] {
            to(RecordingMode::Exact);
            let (here, elsewhere, moved) =
                (later(1).remove(0), later(1).remove(0), later(1).remove(0));
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
            assert_eq!(
                (t.stats().live_bytes, t.stats().live_allocations),
                (0, 0),
                "{began}, {mode}"
            );
        }
        to(RecordingMode::Exact);
        let report = t.analyze();
        assert_names_are_their_sites(&report);
        assert_eq!(report.completeness.detailed.completeness, 1.0, "{began}: {report}");
        let [allocations, frees, live_blocks, live_bytes, _] =
            sum(sites(report.profile(), "later"));
        assert_eq!((live_blocks, live_bytes, allocations), (0, 0, frees), "{began}");
    }

    /// Allocations, bytes, frees, their bytes, reallocs, and the peak.
    fn of(measured: Measurement) -> [u64; 6] {
        assert!(measured.is_recorded);
        [
            measured.allocations,
            measured.allocated_bytes,
            measured.frees,
            measured.freed_bytes,
            measured.reallocations,
            measured.peak_bytes,
        ]
    }

    /// What a measuring says is what it says in a process that is always exact.
    fn measures(began: RecordingMode) {
        let mut old = early(250);
        to(RecordingMode::Exact);
        let peak = measure(|| {
            let first = black_box(vec![1_u8; 500]);
            old.truncate(200);
            let second = black_box(vec![1_u8; 3000]);
            (first, second)
        });
        assert_eq!(of(peak), [2, 3500, 50, 50_000, 0, 500], "{began}");
        old.shrink_to_fit();
        to(RecordingMode::Sampled);
        let mut sampled = early(200);
        to(RecordingMode::Counting);
        let mut counted = early(200);
        to(RecordingMode::Off);
        let mut unseen = early(200);
        if began != RecordingMode::Exact {
            assert!(!measure(|| black_box(vec![1_u8; 10])).is_recorded);
        }
        to(RecordingMode::Exact);
        let mut exact = later(200);

        let own = measure(|| {
            drop(black_box(vec![0_u8; 1000]));
            let zeroed = black_box(vec![0_u8; 10]);
            let mut grown = black_box(vec![1_u8; 100]);
            grown.reserve_exact(400);
            (zeroed, grown)
        });
        // The realloc makes 500 bytes of 100.
        assert_eq!(of(own), [4, 1610, 2, 1100, 1, 1000], "{began}");
        let t = tracker!();
        let name = alike(1);
        track!(t, name);
        let named = measure(|| drop(name));
        assert_eq!(of(named), [0, 0, 2, 1024, 0, 0], "{began}");

        for (kind, blocks) in ["old", "sampled", "counted", "unseen", "exact"].into_iter().zip([
            &mut old,
            &mut sampled,
            &mut counted,
            &mut unseen,
            &mut exact,
        ]) {
            let freed = measure(|| blocks.truncate(100));
            assert_eq!(of(freed), [0, 0, 100, 100_000, 0, 0], "{began}, {kind}");
            // Up by 500, down by 50,000, and up again to less than before.
            let peak = measure(|| {
                let first = black_box(vec![1_u8; 500]);
                blocks.truncate(50);
                let second = black_box(vec![1_u8; 3000]);
                (first, second)
            });
            assert_eq!(of(peak), [2, 3500, 50, 50_000, 0, 500], "{began}, {kind}");
            // Down first: what is allocated afterwards is less than was given back.
            let low = measure(|| {
                blocks.truncate(40);
                black_box(vec![1_u8; 3000])
            });
            assert_eq!(of(low), [1, 3000, 10, 10_000, 0, 0], "{began}, {kind}");
            let failed = measure(|| assert!(blocks[0].try_reserve_exact(TOO_MUCH).is_err()));
            assert_eq!(of(failed), [0; 6], "{began}, {kind}");
            let moved = measure(|| {
                for block in blocks.iter_mut() {
                    block.reserve_exact(2000);
                }
            });
            assert_eq!(of(moved), [40, 120_000, 40, 40_000, 40, 80_000], "{began}, {kind}");
            let (inner, outer) = memscope_rs::measure_value(|| {
                blocks.truncate(30);
                let inner = measure(|| blocks.truncate(20));
                drop(black_box(vec![1_u8; 40_000]));
                inner
            });
            assert_eq!(of(inner), [0, 0, 10, 30_000, 0, 0], "{began}, {kind}");
            assert_eq!(of(outer), [1, 40_000, 21, 100_000, 0, 0], "{began}, {kind}");
        }

        // On another thread: only what that one does.
        let (mut here, there) = (exact.split_off(10), old.split_off(10));
        let elsewhere = std::thread::spawn(move || of(measure(|| drop(there)))).join().unwrap();
        assert_eq!(elsewhere, [0, 0, 11, 30_240, 0, 0], "{began}");
        here.clear();

        // A panic ends its measuring.
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            measure(|| {
                unseen.truncate(10);
                std::panic::resume_unwind(Box::new(()))
            })
        }));
        assert!(panicked.is_err());
        assert_eq!(of(measure(|| black_box(vec![0_u8; 5]))), [1, 5, 0, 0, 0, 5], "{began}");
        assert_eq!(t.tracking_stats().detailed.completeness, 1.0, "{began}");
    }

    /// A change of the mode while it is measured: nothing is said, and the next measuring is right again.
    fn changes(began: RecordingMode) {
        to(RecordingMode::Exact);
        for mode in [RecordingMode::Sampled, RecordingMode::Counting, RecordingMode::Off] {
            let measured = measure(|| {
                let kept = black_box(vec![1_u8; 100]);
                to(mode);
                kept
            });
            assert_eq!(measured, Measurement::default(), "{began}, {mode}");
            assert_eq!(measure(|| black_box(vec![1_u8; 100])), Measurement::default());
            to(RecordingMode::Exact);
            let there_and_back = measure(|| {
                to(mode);
                let kept = black_box(vec![1_u8; 100]);
                to(RecordingMode::Exact);
                kept
            });
            assert_eq!(there_and_back, Measurement::default(), "{began}, {mode}");
            let (inner, outer) = memscope_rs::measure_value(|| {
                std::thread::spawn(move || {
                    to(mode);
                    to(RecordingMode::Exact);
                })
                .join()
                .unwrap();
                measure(|| black_box(vec![1_u8; 77]))
            });
            assert_eq!(of(inner), [1, 77, 0, 0, 0, 77], "{began}, {mode}");
            assert_eq!(outer, Measurement::default(), "{began}, {mode}");
            // The mode that it is already in is no change.
            let same = measure(|| {
                to(RecordingMode::Exact);
                black_box(vec![1_u8; 88])
            });
            assert_eq!(same.allocated_bytes, 88, "{began}, {mode}");
            let said = failure(|| {
                assert_allocations!(1, {
                    to(mode);
                    let kept = black_box(vec![1_u8; 100]);
                    to(RecordingMode::Exact);
                    kept
                });
            });
            assert!(said.contains("the mode was changed while the code ran"), "{began}: {said}");
            to(mode);
            let said = failure(|| assert_no_leaks!({ 1 + 1 }));
            let is_said = match mode {
                RecordingMode::Off => said.contains("nothing is recorded"),
                _ => said == "code is measured in mode exact only",
            };
            assert!(is_said, "{began}, {mode}: {said}");
            to(RecordingMode::Exact);
        }
    }

    /// What a failing assertion says.
    fn failure(code: impl FnOnce()) -> String {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        let payload = catch_unwind(AssertUnwindSafe(code)).expect_err("it should fail");
        std::panic::set_hook(hook);
        let fixed = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        payload.downcast_ref::<String>().cloned().or(fixed).unwrap_or_default()
    }

    fn tasks(began: RecordingMode) {
        // What is only counted is no task's, and what is sampled is as long as it lives.
        to(RecordingMode::Exact);
        let t = tracker!();
        let held = |report: &Report, name: &str| {
            let task = report.tasks.iter().find(|it| it.name == name);
            let task = task.unwrap_or_else(|| panic!("no {name}: {report}"));
            (task.live_bytes, task.peak_bytes)
        };
        {
            let _task = task_scope("mixed");
            let exact = later(10);
            to(RecordingMode::Counting);
            let counted = early(10);
            to(RecordingMode::Exact);
            drop((exact, counted));
        }
        to(RecordingMode::Sampled);
        {
            let _task = task_scope("often");
            for _ in 0..100 {
                drop(early(100));
            }
        }
        let report = t.analyze();
        assert_eq!(held(&report, "mixed"), (0, 10_240), "{began}");
        let (live_bytes, peak_bytes) = held(&report, "often");
        // Of a hundred rounds each holds 100 kilobytes, of which a quarter is in the sample.
        assert_eq!(live_bytes, 0, "{began}");
        assert!((100_000..300_000).contains(&peak_bytes), "{began}: {peak_bytes}");
        to(RecordingMode::Exact);

        // Assertions are judged by tasks.
        let mut old = early(1);
        to(RecordingMode::Off);
        let unseen = early(1);
        to(RecordingMode::Exact);
        assert_no_leaks!({ later(10) });
        assert_no_leaks!({ drop((old.pop(), unseen)) });
        assert_no_leaks!({
            let mut data = later(3);
            assert!(data[0].try_reserve_exact(TOO_MUCH).is_err());
        });
        assert_no_leaks!({
            let data = later(3);
            std::thread::spawn(move || drop(data)).join().unwrap();
        });
        assert_allocations!(4, { later(3) });
        let mut kept = Vec::with_capacity(1);
        let said = failure(|| {
            assert_no_leaks!({
                kept.push(black_box(vec![1_u8; 77]));
                assert!(later(1)[0].try_reserve_exact(TOO_MUCH).is_err());
            })
        });
        assert!(
            said.starts_with("77 bytes were not freed\n  1 block, 77 bytes\n"),
            "{began}: {said}"
        );
        assert!(said.contains("exact_later::recorded::tasks"), "{began}: {said}");
        let said = failure(|| assert_allocations!(..=2, { later(3) }));
        assert!(said.starts_with("4 allocations, expected 0..=2\n"), "{began}: {said}");
        assert!(said.contains("exact_later::recorded::later"), "{began}: {said}");
    }

    /// A child of fork is not recorded, and says so of what its parent measured.
    fn forks(began: RecordingMode) {
        to(RecordingMode::Exact);
        let t = tracker!();
        let kept = later(1);
        track!(t, kept);
        let mut status = -1;
        let measured = measure(|| {
            let (value, outer) = memscope_rs::measure_value(|| {
                // SAFETY: the child allocates, and ends without unwinding or running destructors.
                unsafe { libc::fork() }
            });
            if value == 0 {
                let inner = measure(|| later(10));
                // SAFETY: ends the process.
                unsafe { libc::_exit(if outer.is_recorded || inner.is_recorded { 1 } else { 0 }) };
            }
            assert!(value > 0 && outer.is_recorded);
            // SAFETY: `status` outlives the call.
            assert_eq!(unsafe { libc::waitpid(value, &raw mut status, 0) }, value);
            black_box(vec![1_u8; 66])
        });
        assert_eq!(status, 0, "{began}");
        assert_eq!(of(measured), [1, 66, 0, 0, 0, 66], "{began}");
        assert_eq!((t.stats().live_bytes, t.stats().live_allocations), (24, 1), "{began}");
        assert_eq!(t.tracking_stats().detailed.completeness, 1.0, "{began}");
    }

    /// Looking is no event, also where it is measured, and what a reader frees of the program's is one.
    fn readers(began: RecordingMode) {
        to(RecordingMode::Exact);
        let t = tracker!();
        let (report, measured) = memscope_rs::measure_value(|| t.analyze());
        assert_eq!(of(measured), [0; 6], "{began}");
        assert_eq!(of(measure(|| drop(report))), [0; 6], "{began}");
        let before = t.heap();
        let path = std::path::PathBuf::from(black_box("x".repeat(1000)));
        assert_eq!(t.heap().live_bytes - before.live_bytes, 1000, "{began}");
        // It makes an absolute path of this one, which it drops.
        let session = memscope_rs::Session::start(path);
        assert_eq!(t.heap().live_bytes, before.live_bytes, "{began}");
        std::mem::forget(session);
        // SAFETY: nothing is to be written at the end.
        unsafe { libc::_exit(0) };
    }
}
