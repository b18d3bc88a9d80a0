//! Blocks from a given number of distinct stacks, all of the same depth: at each of ten levels one of four calls is
//! taken, so that there are 4^10 ways down.

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
    // What follows each call differs, so the calls stay four.
    match way & 3 {
        0 => after::<0>(descend(level - 1, way >> 2)),
        1 => after::<1>(descend(level - 1, way >> 2)),
        2 => after::<2>(descend(level - 1, way >> 2)),
        _ => after::<3>(descend(level - 1, way >> 2)),
    }
}

#[inline(always)]
fn after<const CALL: u8>(block: Box<[u8; 48]>) -> Box<[u8; 48]> {
    black_box(CALL);
    black_box(block)
}
