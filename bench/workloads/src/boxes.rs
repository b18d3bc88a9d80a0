//! Small boxes at a given depth: a ring of 64 boxes of 16 to 80 bytes is renewed at random places, from eight leaf
//! sites, and between half of the allocations the stack goes up or down by a frame, at most five below where it began.

use crate::Random;
use std::hint::black_box;

/// How far below its depth the walk goes.
const WALK_FRAMES: u32 = 5;

/// Allocates `blocks` boxes at `depth` frames below the caller.
pub(crate) fn run(blocks: u64, depth: u32) {
    let mut work = Work { random: Random::new(), left: blocks, ring: (0..64).map(leaf).collect() };
    descend(depth, &mut work);
    black_box(work.ring);
}

struct Work {
    random: Random,
    left: u64,
    ring: Vec<Box<[u8]>>,
}

/// A box from one of eight sites.
#[inline(never)]
pub(crate) fn leaf(site: u64) -> Box<[u8]> {
    match site & 7 {
        0 => vec![1; 16].into(),
        1 => vec![2; 24].into(),
        2 => vec![3; 40].into(),
        3 => vec![4; 64].into(),
        4 => vec![5; 33].into(),
        5 => vec![6; 17].into(),
        6 => vec![7; 57].into(),
        _ => vec![8; 80].into(),
    }
}

#[inline(never)]
fn descend(depth: u32, work: &mut Work) {
    if depth > 0 {
        descend(black_box(depth - 1), work);
    } else {
        walk(0, work);
    }
    // Something is left to do here, so the call above is no tail call.
    black_box(&work.left);
}

#[inline(never)]
fn walk(level: u32, work: &mut Work) {
    while work.left > 0 {
        work.left -= 1;
        let random = work.random.next();
        let place = (random >> 20) as usize % work.ring.len();
        work.ring[place] = leaf(random);
        match (random >> 8 & 1, random >> 9 & 1) {
            (1, 1) if level < WALK_FRAMES => walk(level + 1, work),
            (1, 0) if level > 0 => return,
            _ => {}
        }
    }
}
