//! Code is measured in mode exact, after the process began in any mode: as in a process that is always exact, whatever was
//! recorded of the blocks that it frees.
//!
//! Deliberately absent: the harness. The program starts itself for each mode and each part.

use crate::{Part, TOO_MUCH, early, later, to};
use memscope_rs::{
    Measurement, RecordingMode, Report, assert_allocations, assert_no_leaks, measure, task_scope,
    track, tracker,
};
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind};

pub(super) const PARTS: [Part; 5] = [
    ("measures", measures),
    ("changes", changes),
    ("tasks", tasks),
    ("forks", forks),
    ("readers", readers),
];

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
    let name = later(1);
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
        });
    });
    assert!(said.starts_with("77 bytes were not freed\n  1 block, 77 bytes\n"), "{began}: {said}");
    assert!(said.contains("begun::measurings::tasks"), "{began}: {said}");
    let said = failure(|| assert_allocations!(..=2, { later(3) }));
    assert!(said.starts_with("4 allocations, expected 0..=2\n"), "{began}: {said}");
    assert!(said.contains("begun::later"), "{began}: {said}");
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
    let _session = std::mem::ManuallyDrop::new(session);
    // SAFETY: nothing is to be written at the end.
    unsafe { libc::_exit(0) };
}
