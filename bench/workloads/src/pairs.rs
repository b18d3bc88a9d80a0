//! The two ends: nothing but allocation, and hardly any.

use crate::Random;
use std::hint::black_box;

/// Makes and drops `blocks` boxes of 64 bytes, one at a time: what is added is the hook's own cost.
pub(crate) fn pairs(blocks: u64) {
    for number in 0..blocks {
        drop(black_box(Box::new([number; 8])));
    }
}

/// Sorts numbers, and makes four boxes for every thousand of them: 20 µs of work to 100 ns of allocation.
pub(crate) fn work(boxes: u64) {
    let mut random = Random::new();
    let mut numbers = [0; 1000];
    let mut kept: Vec<Box<[u64]>> = (0..64).map(|_| vec![0; 8].into()).collect();
    for number in 0..boxes {
        numbers.fill_with(|| random.next());
        numbers.sort_unstable();
        for part in numbers.chunks_exact(250) {
            let place = (random.next() >> 20) as usize % kept.len();
            kept[place] = part[..8 + number as usize % 8].into();
        }
    }
    black_box(kept);
}
