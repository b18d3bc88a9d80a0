//! Coroutines of a crate, with stacks of their own, that allocate, give way in the middle of recursion, and panic.
//!
//! `coroutines [THREADS]`: each thread (one if none is named) runs six coroutines by turns. Prints how many ended, how
//! many of them by a panic, and a sum that depends on all that they computed.

use corosensei::{Coroutine, CoroutineResult, Yielder};
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind};

const COROUTINES: u64 = 6;
const ROUNDS: u64 = 40;

/// Allocates at each level, and gives way at the deepest with all of it alive.
#[inline(never)]
fn descend(yielder: &Yielder<u64, u64>, depth: u64) -> u64 {
    let block = black_box(vec![depth; 3 + depth as usize]);
    let below = if depth == 0 { yielder.suspend(1) } else { descend(yielder, depth - 1) };
    below + black_box(&block)[0]
}

/// What one coroutine does: the last one ends by a panic.
fn body(me: u64, yielder: &Yielder<u64, u64>, first: u64) -> u64 {
    let mut sum = first;
    for round in 0..ROUNDS {
        sum += descend(yielder, (me + round) % 9);
        // A coroutine of its own, whose caller is a coroutine.
        if round == 7 {
            let mut inner =
                Coroutine::new(|yielder: &Yielder<u64, u64>, depth: u64| descend(yielder, depth));
            while let CoroutineResult::Yield(value) = inner.resume(3) {
                sum += value;
            }
        }
        assert!(me + 1 != COROUTINES || round != ROUNDS / 2, "as meant");
    }
    sum
}

/// How many coroutines ended, how many by a panic, and the sum.
fn run() -> (u64, u64, u64) {
    let (mut ended, mut panicked, mut sum) = (0, 0, 0);
    let mut alive: Vec<_> = (0..COROUTINES)
        .map(|me| {
            Coroutine::new(move |yielder: &Yielder<u64, u64>, first: u64| body(me, yielder, first))
        })
        .collect();
    let mut turn = 0;
    while !alive.is_empty() {
        let at = turn % alive.len();
        turn += 1;
        match catch_unwind(AssertUnwindSafe(|| alive[at].resume(turn as u64))) {
            Ok(CoroutineResult::Yield(value)) => sum += value,
            Ok(CoroutineResult::Return(value)) => {
                sum += value;
                ended += 1;
                drop(alive.remove(at));
            }
            Err(_) => {
                (ended, panicked) = (ended + 1, panicked + 1);
                drop(alive.remove(at));
            }
        }
    }
    (ended, panicked, sum)
}

fn main() {
    std::panic::set_hook(Box::new(|_| {}));
    let threads =
        std::env::args().nth(1).map_or(1, |number| number.parse().expect("a number of threads"));
    let handles: Vec<_> = (0..threads).map(|_| std::thread::spawn(run)).collect();
    for handle in handles {
        let (ended, panicked, sum) = handle.join().expect("a thread of coroutines");
        println!("{ended} ended, {panicked} of them by a panic, sum {sum}");
    }
}
