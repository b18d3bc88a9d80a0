//! A program of a user: edition 2021, without unsafe code, and built so that a panic aborts.
#![forbid(unsafe_code)]

use memscope_rs::{measure, task_scope, track, tracker, Memscope, Session};

#[global_allocator]
static ALLOC: Memscope = Memscope::system();

fn main() {
    let profile = std::env::args().nth(1).unwrap();
    let _memscope = Session::start(profile.into()).keep_at_panic();
    let t = tracker!();
    let _task = task_scope("task");
    let data = vec![0_u8; 1000];
    track!(t, data);
    let measured = measure(|| vec![0_u8; 10]);
    println!("{} {} {}", t.stats().live_bytes, measured.allocations, t.analyze().tasks.len());
    if std::env::args().count() > 2 {
        panic!("{}", data.len());
    }
}
