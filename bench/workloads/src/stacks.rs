//! Blocks from a given number of distinct stacks, all of the same depth: at each of ten levels one of four functions is
//! called, so that there are 4^10 ways down, of twenty frames each.

use crate::Random;
use std::hint::black_box;

const LEVELS: u32 = 10;

/// Allocates `blocks` boxes of 48 bytes, each from one of the first `stacks` ways, at random; 64 are alive at a time.
pub(crate) fn run(blocks: u64, stacks: u64) {
    let mut random = Random::new();
    let mut ring: Vec<Option<Box<[u8; 48]>>> = vec![None; 64];
    for number in 0..blocks {
        let way = random.next() % stacks;
        ring[number as usize % 64] = Some(descend(LEVELS, way));
    }
    black_box(ring);
}

#[inline(never)]
fn descend(level: u32, way: u64) -> Box<[u8; 48]> {
    if level == 0 {
        return Box::new([way as u8; 48]);
    }
    // Four functions, not four calls of one: those the compiler makes one call.
    let step = match way & 3 {
        0 => step::<0>(level, way),
        1 => step::<1>(level, way),
        2 => step::<2>(level, way),
        _ => step::<3>(level, way),
    };
    black_box(step)
}

#[inline(never)]
fn step<const WAY: u8>(level: u32, way: u64) -> Box<[u8; 48]> {
    let block = descend(level - 1, way >> 2);
    // The functions differ, so they stay four.
    black_box(WAY);
    black_box(block)
}
