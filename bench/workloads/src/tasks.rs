//! Ten thousand tasks at a time on tokio's runtime of two workers; each allocates twice and yields twice.

use std::hint::black_box;
use tokio::runtime::Builder;
use tokio::task;

const TASKS: usize = 10_000;

/// Spawns the tasks and awaits them, `rounds` times.
pub(crate) fn run(rounds: u64) {
    let runtime = Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
    runtime.block_on(async {
        for _ in 0..rounds {
            let tasks: Vec<_> = (0..TASKS).map(|number| task::spawn(one(number))).collect();
            for task in tasks {
                black_box(task.await.expect("no task panics"));
            }
        }
    });
}

async fn one(number: usize) -> usize {
    let numbers = Vec::from([number; 10]);
    task::yield_now().await;
    let name = format!("task {number}");
    task::yield_now().await;
    numbers.len() + name.len()
}
