//! How long single allocations take: each is timed by itself, and the spread is told on stderr, for means hide what one
//! call in ten thousand waits for.
//!
//! A reading of the clock costs some 25 ns and is part of every time, bare or not.

use crate::Random;
use std::hint::black_box;
use std::time::Instant;

/// Times `blocks` boxes at ten frames from eight sites, after as many that are not timed.
pub(crate) fn warm(blocks: usize) {
    let mut random = Random::new();
    let mut times = Vec::with_capacity(blocks);
    descend(
        10,
        &mut |timed| {
            let site = random.next();
            let begun = Instant::now();
            let block = crate::boxes::leaf(site);
            let time = begun.elapsed().as_nanos() as u64;
            if timed {
                times.push(time);
            }
            block
        },
        blocks,
    );
    tell(times);
}

#[inline(never)]
fn descend(depth: u32, allocate: &mut dyn FnMut(bool) -> Box<[u8]>, blocks: usize) {
    if depth > 0 {
        descend(black_box(depth - 1), allocate, blocks);
    } else {
        let mut ring: Vec<Box<[u8]>> = (0..64).map(|_| allocate(false)).collect();
        for number in 0..2 * blocks {
            ring[number % 64] = allocate(number >= blocks);
        }
        black_box(ring);
    }
    black_box(depth);
}

/// Times the first box from each of `stacks` distinct stacks of twenty frames.
pub(crate) fn first(stacks: u64) {
    let mut times = Vec::with_capacity(stacks as usize);
    for way in 0..stacks {
        let mut time = 0;
        drop(black_box(crate::stacks::descend_to(way, &mut time)));
        times.push(time);
    }
    tell(times);
}

/// Writes `latency: median p99 p9999 most`, in nanoseconds.
fn tell(mut times: Vec<u64>) {
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    eprintln!("latency: {} {} {} {}", at(0.5), at(0.99), at(0.9999), at(1.0));
}
