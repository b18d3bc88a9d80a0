//! Spans as tasks: what was allocated in each, exact to the block, nested, interleaved and over threads.
#![cfg(all(feature = "tracing", not(feature = "off")))]

mod runtime;

use memscope_rs::{Memscope, Report, SpanLayer, task_scope, tracker};
use runtime::give_way;
use std::hint::black_box;
use tracing::instrument::WithSubscriber;
use tracing::{Instrument, info_span};
use tracing_subscriber::layer::SubscriberExt;

#[global_allocator]
static ALLOC: Memscope = Memscope::system();

/// Allocations, live blocks, live bytes, peak bytes.
fn numbers(report: &Report, path: &str) -> (u64, u64, u64, u64) {
    let task = report.tasks.iter().find(|task| task.path == path);
    let task = task.unwrap_or_else(|| panic!("{path}: {report}"));
    (task.allocations, task.live_blocks, task.live_bytes, task.peak_bytes)
}

fn with_layer<T>(run: impl FnOnce() -> T) -> T {
    tracing::subscriber::with_default(tracing_subscriber::registry().with(SpanLayer), run)
}

#[test]
fn spans_nest_and_restore_what_was_current() {
    let mut kept = Vec::with_capacity(100);
    with_layer(|| {
        let _task = task_scope("around");
        let outer = info_span!("outer").entered();
        kept.push(vec![1_u8; 100]);
        info_span!("inner").in_scope(|| {
            kept.push(vec![1_u8; 10]);
            drop(black_box(vec![1_u8; 1000]));
        });
        kept.push(vec![1_u8; 100]);
        // Tasks and spans lie in each other.
        let task = task_scope("task");
        info_span!("deep").in_scope(|| kept.push(vec![1_u8; 7]));
        drop(task);
        // Of this name there is one under this parent.
        info_span!("inner").in_scope(|| kept.push(vec![1_u8; 10]));
        // One whose parent is named, or that has none.
        info_span!(parent: None, "root").in_scope(|| kept.push(vec![1_u8; 3]));
        let outer = outer.exit();
        info_span!(parent: &outer, "late").in_scope(|| kept.push(vec![1_u8; 5]));
        kept.push(vec![1_u8; 7777]);
    });
    let report = tracker!().analyze();
    assert_eq!(numbers(&report, "around/outer"), (2, 2, 200, 200));
    assert_eq!(numbers(&report, "around/outer/inner"), (3, 2, 20, 1010));
    assert_eq!(numbers(&report, "around/outer/task/deep"), (1, 1, 7, 7));
    assert_eq!(numbers(&report, "root"), (1, 1, 3, 3));
    assert_eq!(numbers(&report, "around/outer/late"), (1, 1, 5, 5));
    let live_bytes = numbers(&report, "around").2;
    assert!((7777..7777 + 5000).contains(&live_bytes), "{live_bytes}");
    let tasks = &report.profile().tasks;
    let inner = tasks.iter().find(|task| task.name == "inner").unwrap();
    assert_eq!((inner.kind, inner.open, inner.entries), (3, 0, 2));

    // Freed elsewhere.
    std::thread::spawn(move || drop(kept)).join().unwrap();
    let report = tracker!().analyze();
    assert_eq!(numbers(&report, "around/outer"), (2, 0, 0, 200));
    assert_eq!(numbers(&report, "around/outer/inner"), (3, 0, 0, 1010));
}

#[test]
fn spans_are_left_in_any_order() {
    let mut kept = Vec::with_capacity(100);
    with_layer(|| {
        let (first, second) = (info_span!("first"), info_span!("second"));
        for _ in 0..100 {
            let in_first = first.enter();
            let in_second = second.enter();
            kept.push(vec![1_u8; 2]);
            drop(in_first);
            kept.push(vec![1_u8; 2]);
            drop(in_second);
            let again = first.enter();
            let twice = first.enter();
            drop(again);
            kept.push(vec![1_u8; 1]);
            drop(twice);
            drop(black_box(vec![1_u8; 5000]));
            kept.clear();
        }
    });
    let report = tracker!().analyze();
    assert_eq!(numbers(&report, "first"), (100, 0, 0, 1));
    assert_eq!(numbers(&report, "second"), (200, 0, 0, 4));
}

/// Allocates at every step, in a span of its own at every other, and yields in between.
async fn work(steps: usize, bytes: usize) -> Vec<Vec<u8>> {
    let mut kept = Vec::with_capacity(2 * steps + 1);
    for _ in 0..steps {
        kept.push(vec![1_u8; bytes]);
        give_way().await;
        async {
            kept.push(vec![1_u8; 2 * bytes]);
            give_way().await;
            kept.push(vec![1_u8; 2 * bytes]);
        }
        .instrument(info_span!("step"))
        .await;
        drop(kept.pop());
        give_way().await;
    }
    kept
}

#[test]
fn interleaved_futures_on_several_threads_are_told_apart() {
    const TASKS: u64 = 8;
    const STEPS: u64 = 100;
    let subscriber = tracing_subscriber::registry().with(SpanLayer);
    let dispatch = tracing::Dispatch::new(subscriber);
    let enter = dispatch.clone();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .on_thread_start(move || {
            // What the subscriber allocates at a thread's first spans is not to count for a span: its lists of spans.
            tracing::dispatcher::with_default(&enter, || {
                let spans: Vec<_> = (0..100).map(|_| info_span!("first spans")).collect();
                let entered: Vec<_> = spans.iter().map(tracing::Span::enter).collect();
                drop(entered);
            });
        })
        .build()
        .unwrap();
    let kept: Vec<_> = tracing::dispatcher::with_default(&dispatch, || {
        runtime.block_on(async {
            let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
            let spawn = |(bytes, name): (u64, &str)| {
                let task = task_scope(name);
                let span = info_span!("work");
                drop(task);
                tokio::spawn(
                    work(STEPS as usize, bytes as usize).instrument(span).with_current_subscriber(),
                )
            };
            let handles: Vec<_> = (100..).zip(names).map(spawn).collect();
            let mut kept = Vec::new();
            for handle in handles {
                kept.push(handle.await.unwrap());
            }
            kept
        })
    });
    let report = tracker!().analyze();
    for (bytes, name) in (100..100 + TASKS).zip(["a", "b", "c", "d", "e", "f", "g", "h"]) {
        let list = (2 * STEPS + 1) * size_of::<Vec<u8>>() as u64;
        let live = list + STEPS * bytes;
        let work = format!("{name}/work");
        assert_eq!(numbers(&report, &work), (STEPS + 1, STEPS + 1, live, live));
        let (allocations, blocks, bytes_now, _) = numbers(&report, &format!("{work}/step"));
        assert_eq!((allocations, blocks, bytes_now), (2 * STEPS, STEPS, STEPS * 2 * bytes));
    }
    std::thread::spawn(move || drop(kept)).join().unwrap();
    let report = tracker!().analyze();
    for name in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        let (_, blocks, bytes, _) = numbers(&report, &format!("{name}/work"));
        assert_eq!((blocks, bytes), (0, 0));
    }
}
