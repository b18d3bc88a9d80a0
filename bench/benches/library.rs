//! What the library costs inside a program: a pair of allocation and free in each mode, a name, a task.
//!
//! ```text
//! cd bench && cargo bench --bench library_bare --bench library
//! ```
//!
//! Each mode is measured in a process of its own, which begins in it (or, in the last rows, has come to it by a change).
//! The same pair without the library is measured by `library_bare`. Nothing fails when it is slow: figures are read and
//! recorded, in `record/`.

mod pair;

use memscope_rs::{FutureExt, Memscope, RecordingMode, switch_to, task_scope, track, tracker};
use pair::{CALLS, least_allocation_ns, least_ns, pair, print};
use std::future::poll_fn;
use std::hint::black_box;
use std::pin::pin;
use std::process::Command;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

#[global_allocator]
static ALLOC: Memscope = Memscope::system();

fn exact() {
    print("pair, exact", least_ns(pair));
    print("allocation alone, exact", least_allocation_ns());
    let _task = task_scope("task");
    print("pair in a task, exact", least_ns(pair));
    print("allocation alone in a task, exact", least_allocation_ns());
    print("task_scope, entered and left", least_ns(|| drop(black_box(task_scope("inner")))));
    let mut polls = pin!(poll_fn(|_| Poll::<()>::Pending).in_task("polled"));
    let mut context = Context::from_waker(Waker::noop());
    let poll = least_ns(|| assert!(black_box(polls.as_mut().poll(&mut context)).is_pending()));
    print("poll of a future in a task", poll);

    let t = tracker!();
    let values: Vec<Vec<u8>> = (0..CALLS).map(|_| vec![1; 100]).collect();
    let mut best = f64::MAX;
    for round in 0..100 {
        let copies = values.clone();
        let start = Instant::now();
        for value in &copies {
            track!(t, value);
        }
        let ns = start.elapsed().as_nanos() as f64 / CALLS as f64;
        best = if round > 0 { best.min(ns) } else { best };
    }
    print("track! of a value with one block, the first", best);
    let value = &values[0];
    print("track! of one that bears the name", least_ns(|| track!(t, value)));

    for count in [10_000, 100_000, 1_000_000] {
        let values: Vec<Vec<u8>> = (0..count).map(|_| vec![1; 100]).collect();
        for value in &values {
            track!(t, value);
        }
        let analyze = || {
            let start = Instant::now();
            black_box(t.analyze());
            start.elapsed().as_secs_f64() * 1e3
        };
        let ms = (0..3).map(|_| analyze()).fold(f64::MAX, f64::min);
        println!("analyze with {count:9} tracked values       {ms:8.1} ms");
    }
}

fn main() {
    let begun = std::env::args().nth(1).filter(|argument| argument.starts_with("begun-"));
    match begun.as_deref() {
        Some("begun-exact") => exact(),
        Some("begun-sampled") => print("pair, sampled", least_ns(pair)),
        Some("begun-counting") => print("pair, counting", least_ns(pair)),
        Some("begun-off") => print("pair, off", least_ns(pair)),
        Some(_) => {
            for mode in [
                RecordingMode::Sampled,
                RecordingMode::Counting,
                RecordingMode::Off,
                RecordingMode::Exact,
            ] {
                switch_to(mode).expect("the allocator is installed");
                print(&format!("pair, {mode} after a change"), least_ns(pair));
            }
        }
        None => {
            let program = std::env::current_exe().expect("a program has a path");
            for mode in ["exact", "sampled", "counting", "off", "changed"] {
                let begin = if mode == "changed" { "exact" } else { mode };
                let status = Command::new(&program)
                    .arg(format!("begun-{mode}"))
                    .env("MEMSCOPE_MODE", begin)
                    .status();
                assert!(status.is_ok_and(|status| status.success()), "{mode}");
            }
        }
    }
}
