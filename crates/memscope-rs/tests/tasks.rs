//! Tasks: what each allocated and holds, exact to the block, however they are interleaved and whoever frees.
#![cfg(not(feature = "off"))]

mod runtime;

use memscope_rs::{FutureExt, Memscope, Report, TaskReport, task_scope, tracker};
use runtime::give_way;
use std::hint::black_box;

#[global_allocator]
static ALLOC: Memscope = Memscope::system();

fn task<'a>(report: &'a Report, path: &str) -> &'a TaskReport {
    report.tasks.iter().find(|task| task.path == path).unwrap_or_else(|| panic!("{path}: {report}"))
}

/// Allocations, live blocks, live bytes, peak bytes.
fn numbers(report: &Report, path: &str) -> (u64, u64, u64, u64) {
    let task = task(report, path);
    (task.allocations, task.live_blocks, task.live_bytes, task.peak_bytes)
}

#[test]
fn scopes_nest_and_restore_their_parent() {
    let mut kept = Vec::with_capacity(100);
    {
        let _outer = task_scope("outer");
        kept.push(vec![1_u8; 100]);
        {
            let _inner = task_scope("inner");
            kept.push(vec![1_u8; 10]);
            drop(black_box(vec![1_u8; 1000]));
        }
        kept.push(vec![1_u8; 100]);
        // A name under another parent is another task; the same path again is the same.
        let _inner = task_scope("inner");
        kept.push(vec![1_u8; 10]);
    }
    kept.push(vec![1_u8; 7777]);
    let report = tracker!().analyze();
    assert_eq!(numbers(&report, "outer"), (2, 2, 200, 200));
    assert_eq!(numbers(&report, "outer/inner"), (3, 2, 20, 1010));
    let outer = task(&report, "outer");
    assert_eq!(outer.children.len(), 1);
    assert_eq!(report.tasks[outer.children[0]].path, "outer/inner");

    // Freed elsewhere, outside of any task and within another: taken off the one that allocated.
    std::thread::spawn(move || {
        let _other = task_scope("other");
        kept.drain(..2);
        kept
    })
    .join()
    .unwrap();
    let report = tracker!().analyze();
    assert_eq!(numbers(&report, "outer"), (2, 0, 0, 200));
    assert_eq!(numbers(&report, "outer/inner"), (3, 0, 0, 1010));
    assert_eq!(numbers(&report, "other"), (0, 0, 0, 0));
}

#[test]
fn a_panic_leaves_its_task() {
    let unwound = std::panic::catch_unwind(|| {
        let _task = task_scope("panicking");
        std::panic::resume_unwind(Box::new(1_u8));
    });
    assert!(unwound.is_err());
    let kept = vec![0_u8; 4321];
    let report = tracker!().analyze();
    let task = task(&report, "panicking");
    assert!((1..4321).contains(&task.allocated_bytes), "{task:?}");
    drop((kept, unwound));
}

/// Allocates at every step, and yields in between.
async fn work(blocks: usize, bytes: usize) -> Vec<Vec<u8>> {
    let mut kept = Vec::with_capacity(blocks);
    for _ in 0..blocks {
        kept.push(vec![1_u8; bytes]);
        give_way().await;
        drop(black_box(vec![0_u8; 2 * bytes]));
    }
    kept
}

#[test]
fn interleaved_futures_on_several_threads_are_told_apart() {
    const TASKS: usize = 8;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build().unwrap();
    let kept: Vec<_> = runtime.block_on(async {
        let spawn = |n: usize| {
            let future = work(200, 100 + n).in_task(&format!("task {n}"));
            tokio::spawn(future)
        };
        let handles: Vec<_> = (0..TASKS).map(spawn).collect();
        let mut kept = Vec::new();
        for handle in handles {
            kept.push(handle.await.unwrap());
        }
        kept
    });
    let report = tracker!().analyze();
    for n in 0..TASKS as u64 {
        let list = 200 * size_of::<Vec<u8>>() as u64;
        let live = list + 200 * (100 + n);
        let (allocations, blocks, bytes, peak) = numbers(&report, &format!("task {n}"));
        assert_eq!((allocations, blocks, bytes), (401, 201, live));
        assert_eq!(peak, live + 2 * (100 + n));
    }
    // On whichever thread.
    std::thread::spawn(move || drop(kept)).join().unwrap();
    let report = tracker!().analyze();
    for n in 0..TASKS {
        let (_, blocks, bytes, _) = numbers(&report, &format!("task {n}"));
        assert_eq!((blocks, bytes), (0, 0));
    }
}

#[test]
fn a_future_restores_what_was_current() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let _around = task_scope("around");
    let kept = runtime.block_on(async {
        let inner = async { vec![0_u8; 11] }.in_task("within").await;
        (inner, vec![0_u8; 13])
    });
    let report = tracker!().analyze();
    assert_eq!(task(&report, "around/within").live_bytes, 11);
    assert!(task(&report, "around").live_bytes >= 13);
    drop(kept);
}
