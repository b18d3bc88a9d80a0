//! The shards of one instance: a list that grows by compare-and-swap and is never rearranged.
//!
//! ```text
//! Shards: first ─> Block: slot slot slot slot slot slot slot next ─> Block ...
//!                          │    │
//!                        Shard Shard   (first come, first slot; an empty slot ends the list)
//! ```
//!
//! Invariants:
//! - Slots fill in order and never empty, so a reader that stops at the first empty one has seen every shard that was
//!   there when it began.
//! - As many shards as threads ever recorded here at the same time: the next thread takes over a dead one's.
//!
//! Whoever adds up must read all outcomes before any attempt. Reading an outcome acquires it, and its attempt happened
//! before it, wherever it was recorded; so no outcome is ever seen without its attempt.

use super::shard::{Event, Shard};
use super::sync::{OnceBox, OnceRef, const_fn};

/// With the link, a block fills a cache line.
const BLOCK_SLOTS: usize = if cfg!(memscope_loom) { 1 } else { 7 };

struct Block {
    slots: [OnceRef<'static, Shard>; BLOCK_SLOTS],
    next: OnceBox<Block>,
}

impl Block {
    fn boxed() -> Box<Self> {
        Box::new(Self { slots: std::array::from_fn(|_| OnceRef::new()), next: OnceBox::new() })
    }
}

pub(super) struct Shards {
    first: OnceBox<Block>,
}

impl Shards {
    const_fn! {
        pub(super) fn new() -> Self {
            Self { first: OnceBox::new() }
        }
    }

    /// The sum over all shards. Linear in the threads that recorded here at the same time.
    #[inline]
    pub(super) fn sum(&self, event: Event) -> u64 {
        let mut sum = 0;
        self.each(|shard| sum += shard.count(event));
        sum
    }

    /// How many threads recorded here at the same time.
    pub(super) fn len(&self) -> u64 {
        let mut len = 0;
        self.each(|_| len += 1);
        len
    }

    #[inline]
    fn each(&self, mut visit: impl FnMut(&'static Shard)) {
        let mut link = &self.first;
        while let Some(block) = link.get() {
            for slot in &block.slots {
                let Some(shard) = slot.get() else { return };
                visit(shard);
            }
            link = &block.next;
        }
    }

    /// A shard for `claim`: one that a dead thread left, else a further one. Allocates only for the latter.
    pub(super) fn claim(&self, claim: u64) -> &'static Shard {
        let mut fresh = None;
        let mut link = &self.first;
        let claimed = 'found: loop {
            let block = link.get_or_init(Block::boxed);
            for slot in &block.slots {
                if slot.get().is_none() {
                    let shard = fresh.take().unwrap_or_else(|| Shard::take(claim));
                    if slot.set(shard).is_ok() {
                        break 'found shard;
                    }
                    // Another thread was quicker with its own shard; go on after it.
                    fresh = Some(shard);
                }
                if let Some(shard) = slot.get()
                    && shard.claim(claim)
                {
                    break 'found shard;
                }
            }
            link = &block.next;
        };
        if let Some(unused) = fresh {
            unused.give();
        }
        claimed
    }
}

impl Drop for Shards {
    fn drop(&mut self) {
        // Nobody can record here any more: that takes a reference to the instance.
        self.each(Shard::give);
    }
}

#[cfg(all(test, not(memscope_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_free_shard_is_taken_over_with_its_counts_and_a_held_one_is_not() {
        let shards = Shards::new();
        let shard = shards.claim(1);
        shard.record(Event::Attempt);
        assert!(!std::ptr::eq(shard, shards.claim(2)));
        shard.release(1);
        let heir = shards.claim(3);
        assert!(std::ptr::eq(shard, heir));
        heir.record(Event::Attempt);
        assert_eq!((shards.sum(Event::Attempt), shards.len()), (2, 2));
    }

    #[test]
    fn the_list_goes_on_over_many_blocks() {
        let shards = Shards::new();
        for count in 1..=100 {
            shards.claim(count).record(Event::Success);
            assert_eq!((shards.sum(Event::Success), shards.len()), (count, count));
        }
    }
}
