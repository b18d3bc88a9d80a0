//! Threads: two that hand blocks over, so that half of the frees are on the other thread; and any number that allocate
//! side by side.

use crate::Random;
use crate::boxes::{self, leaf};
use std::sync::mpsc;
use std::thread;

/// Blocks handed over at a time.
const BATCH: usize = 64;

/// One thread allocates `batches` batches; the other frees each, then allocates and frees as many blocks of its own.
pub(crate) fn exchange(batches: u64) {
    let (sender, receiver) = mpsc::sync_channel::<Vec<Box<[u8]>>>(64);
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut random = Random::new();
            let mut own = Vec::new();
            for theirs in receiver {
                drop(theirs);
                own.extend((0..BATCH).map(|_| leaf(random.next())));
                own.clear();
            }
        });
        let mut random = Random::new();
        for _ in 0..batches {
            let batch = (0..BATCH).map(|_| leaf(random.next())).collect();
            sender.send(batch).expect("the other thread receives to the end");
        }
        drop(sender);
    });
}

/// `threads` threads allocate `blocks` small boxes between them, at depth 20 each.
pub(crate) fn side_by_side(blocks: u64, threads: u64) {
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| boxes::run(blocks / threads, 20));
        }
    });
}
