//! Blocks from a given number of distinct stacks, all of the same depth: at each of ten levels one of four functions is
//! called, so that there are 4^10 ways down, of twenty frames each.

use crate::Random;
use std::hint::black_box;
use std::time::Instant;

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

/// One box from the end of a way, and how long it took, in nanoseconds.
pub(crate) fn descend_to(way: u64, time_ns: &mut u64) -> Box<[u8; 48]> {
    let mut timed = || {
        let begun = Instant::now();
        let block = Box::new([way as u8; 48]);
        *time_ns = begun.elapsed().as_nanos() as u64;
        block
    };
    timed_at(LEVELS, way, &mut timed)
}

#[inline(never)]
fn timed_at(level: u32, way: u64, allocate: &mut dyn FnMut() -> Box<[u8; 48]>) -> Box<[u8; 48]> {
    if level == 0 {
        return allocate();
    }
    let step = match way & 3 {
        0 => timed_step::<0>(level, way, allocate),
        1 => timed_step::<1>(level, way, allocate),
        2 => timed_step::<2>(level, way, allocate),
        _ => timed_step::<3>(level, way, allocate),
    };
    black_box(step)
}

#[inline(never)]
fn timed_step<const WAY: u8>(
    level: u32,
    way: u64,
    allocate: &mut dyn FnMut() -> Box<[u8; 48]>,
) -> Box<[u8; 48]> {
    let block = timed_at(level - 1, way >> 2, allocate);
    black_box(WAY);
    black_box(block)
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
