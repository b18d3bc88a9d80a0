//! A shard: what one thread has recorded in one instance.
//!
//! Invariants:
//! - Only the holder writes the counts, so an addition is a load and a store. A shard passes from one holder to the
//!   next by release and acquire of `holder`.
//! - While a shard belongs to an instance its counts only grow: a thread that dies leaves them there.
//! - A claim's number is never used twice, so whoever holds an old one can neither write nor free what is another's.
//!
//! A shard is never freed, because threads keep plain references to it, without a count. It goes to the spares when
//! its instance is dropped, and from there to the next one: there are as many as were ever in use at once.

use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use super::sync::{AtomicU64, const_fn};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Attempt,
    Success,
    Miss,
}

/// A KiB of them.
const MADE_TOGETHER: usize = if cfg!(memscope_loom) { 1 } else { 8 };

/// The counts of one thread, on cache lines that no other thread writes (two, as processors fetch them in pairs).
#[repr(align(128))]
pub(super) struct Shard {
    counts: [AtomicU64; 3],
    /// The number of the claim of the thread that writes here, 0 if there is none.
    holder: AtomicU64,
}

impl Shard {
    const_fn! {
        fn new() -> Self {
            Self {
                counts: [AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0)],
                holder: AtomicU64::new(0),
            }
        }
    }

    /// One that nobody holds or writes: a place to point to.
    #[cfg(not(memscope_loom))]
    pub(super) const fn nobodys() -> &'static Self {
        static NOBODYS: Shard = Shard::new();
        &NOBODYS
    }

    /// The same in a model, where a shard cannot be a static.
    #[cfg(memscope_loom)]
    pub(super) fn nobodys() -> &'static Self {
        Box::leak(Box::new(Self::new()))
    }

    /// Counts one event. Only for the holder.
    #[inline(always)]
    pub(super) fn record(&self, event: Event) {
        let count = &self.counts[event as usize];
        // An outcome is released so that whoever sees it sees the attempt, on whatever thread that was recorded.
        let order = if matches!(event, Event::Attempt) { Relaxed } else { Release };
        count.store(count.load(Relaxed).wrapping_add(1), order);
    }

    /// Outcomes are read with acquire; see [`super::shards::Shards`] for the order between reads.
    #[inline(always)]
    pub(super) fn count(&self, event: Event) -> u64 {
        let order = if matches!(event, Event::Attempt) { Relaxed } else { Acquire };
        self.counts[event as usize].load(order)
    }

    /// Takes the shard over if nobody holds it.
    pub(super) fn claim(&self, claim: u64) -> bool {
        // The load spares the held ones the bus traffic of a failing exchange.
        self.holder.load(Relaxed) == 0
            && self.holder.compare_exchange(0, claim, AcqRel, Relaxed).is_ok()
    }

    /// Whether `claim` still holds it.
    pub(super) fn is_held_by(&self, claim: u64) -> bool {
        self.holder.load(Relaxed) == claim
    }

    /// Ends a claim, unless the shard has long gone to another.
    pub(super) fn release(&self, claim: u64) {
        // Failing is fine: the instance was dropped, and its shards with it.
        let _ = self.holder.compare_exchange(claim, 0, Release, Relaxed);
    }

    /// A shard that belongs to no instance yet, counts 0, held by `claim`.
    pub(super) fn take(claim: u64) -> &'static Self {
        let shard = spares::pop().unwrap_or_else(Self::make);
        shard.holder.store(claim, Relaxed);
        shard
    }

    /// Makes some and keeps the others as spares: shards of different threads' heaps would lie at the same place in
    /// their pages, and so drive each other out of the cache of whoever adds them up.
    fn make() -> &'static Self {
        let made: &'static [Self; MADE_TOGETHER] =
            Box::leak(Box::new(std::array::from_fn(|_| Self::new())));
        let [first, others @ ..] = made;
        others.iter().for_each(spares::push);
        first
    }

    /// Gives a shard back whose instance is gone (or that never came into one).
    pub(super) fn give(&'static self) {
        for count in &self.counts {
            count.store(0, Relaxed);
        }
        self.holder.store(0, Relaxed);
        spares::push(self);
    }
}

#[cfg(not(memscope_loom))]
mod spares {
    //! Shards between two instances. The queue orders what was written before against what is read after.

    use crossbeam_queue::SegQueue;

    use super::Shard;

    static SPARES: SegQueue<&'static Shard> = SegQueue::new();

    pub(super) fn pop() -> Option<&'static Shard> {
        SPARES.pop()
    }

    pub(super) fn push(shard: &'static Shard) {
        SPARES.push(shard);
    }
}

#[cfg(memscope_loom)]
mod spares {
    //! A model's shards end with its execution, so none outlive an instance.

    use super::Shard;

    pub(super) fn pop() -> Option<&'static Shard> {
        None
    }

    pub(super) fn push(_: &'static Shard) {}
}

#[cfg(all(test, not(memscope_loom)))]
mod tests {
    use super::*;

    #[test]
    fn an_old_claim_cannot_free_what_another_holds() {
        let shard = Shard::new();
        assert!(shard.claim(7));
        assert!(!shard.claim(8));
        shard.release(6);
        assert!(shard.is_held_by(7));
        shard.release(7);
        assert!(shard.claim(8));
        shard.release(7);
        assert!(shard.is_held_by(8));
    }

    #[test]
    fn a_shard_that_is_given_back_is_blank() {
        let shard: &'static Shard = Box::leak(Box::new(Shard::new()));
        assert!(shard.claim(1));
        shard.record(Event::Attempt);
        shard.record(Event::Miss);
        assert_eq!((shard.count(Event::Attempt), shard.count(Event::Miss)), (1, 1));
        shard.give();
        assert!([Event::Attempt, Event::Success, Event::Miss].iter().all(|&e| shard.count(e) == 0));
        assert!(shard.is_held_by(0));
    }
}
