//! What a thread remembers: which shard is its own in which instance.
//!
//! Two levels. The ways are a small direct-mapped cache without a destructor, one comparison on the hot path. The
//! claims behind them know every shard that the thread holds, and give them back when it ends.
//!
//! Invariants:
//! - A way names a shard only while this thread holds it in that instance. Instances' numbers are never used twice,
//!   so a way of an instance that was dropped matches nothing.
//! - After its claims were given back (other destructors of thread-locals may still record) a thread claims nothing.
//! - Claiming allocates. An allocator that records into an instance comes back here while the thread claims; it is
//!   then told that there is no shard, and counts elsewhere.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use super::shard::{Shard, serial};
use super::shards::Shards;
use super::sync::thread_locals;

/// Instances that one thread can record in by turns without leaving the hot path.
const WAYS: usize = 8;

/// Claims of dropped instances are looked for when there are more claims than this, and than twice what was kept.
const PRUNE_MIN: usize = 16;

#[derive(Clone, Copy)]
struct Way {
    /// Number of the instance. 0 is none's, but what an instance has before its first claim.
    instance: u64,
    shard: Option<&'static Shard>,
}

impl Way {
    const EMPTY: Self = Self { instance: 0, shard: None };
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Ready,
    Claiming,
    Ended,
}

thread_locals! {
    static CACHE: [Cell<Way>; WAYS] = [const { Cell::new(Way::EMPTY) }; WAYS];
    static PHASE: Cell<Phase> = Cell::new(Phase::Ready);
    static CLAIMS: RefCell<Claims> = RefCell::new(Claims::new());
}

/// The calling thread's shard in an instance, if it has been there lately.
#[inline(always)]
pub(super) fn cached(instance: u64) -> Option<&'static Shard> {
    let way = CACHE.try_with(|ways| ways[instance as usize % WAYS].get()).ok()?;
    if way.instance == instance { way.shard } else { None }
}

/// The calling thread's shard in an instance, claimed if need be. `None` if it cannot claim now.
pub(super) fn claimed(instance: u64, shards: &Shards) -> Option<&'static Shard> {
    if PHASE.try_with(Cell::get).ok()? != Phase::Ready {
        return None;
    }
    let phase = Claiming::begin();
    let shard = CLAIMS.try_with(|claims| claims.borrow_mut().shard(instance, shards)).ok();
    drop(phase);
    let way = Way { instance, shard: Some(shard?) };
    let _ = CACHE.try_with(|ways| ways[instance as usize % WAYS].set(way));
    shard
}

/// While it lives, the thread claims.
struct Claiming;

impl Claiming {
    fn begin() -> Self {
        let _ = PHASE.try_with(|phase| phase.set(Phase::Claiming));
        Self
    }
}

impl Drop for Claiming {
    fn drop(&mut self) {
        let _ = PHASE.try_with(|phase| phase.set(Phase::Ready));
    }
}

struct Claim {
    number: u64,
    shard: &'static Shard,
}

/// Every shard that a thread holds, by instance.
struct Claims {
    by_instance: BTreeMap<u64, Claim>,
    prune_at: usize,
}

impl Claims {
    const fn new() -> Self {
        Self { by_instance: BTreeMap::new(), prune_at: PRUNE_MIN }
    }

    fn shard(&mut self, instance: u64, shards: &Shards) -> &'static Shard {
        if let Some(claim) = self.by_instance.get(&instance) {
            return claim.shard;
        }
        if self.by_instance.len() >= self.prune_at {
            self.by_instance.retain(|_, claim| claim.shard.is_held_by(claim.number));
            self.prune_at = PRUNE_MIN.max(2 * self.by_instance.len());
        }
        let number = serial();
        let shard = shards.claim(number);
        self.by_instance.insert(instance, Claim { number, shard });
        shard
    }
}

impl Drop for Claims {
    fn drop(&mut self) {
        // First forget, then give back: nothing may be written through a way once another thread can claim.
        let _ = PHASE.try_with(|phase| phase.set(Phase::Ended));
        let _ = CACHE.try_with(|ways| ways.iter().for_each(|way| way.set(Way::EMPTY)));
        for claim in self.by_instance.values() {
            claim.shard.release(claim.number);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::shard::Event;
    use super::*;

    #[test]
    fn a_thread_keeps_its_shard_and_finds_it_again_behind_the_ways() {
        let lists: Vec<(u64, Shards)> = (0..3 * WAYS).map(|_| (serial(), Shards::new())).collect();
        for _ in 0..3 {
            for (instance, shards) in &lists {
                claimed(*instance, shards).unwrap().record(Event::Attempt);
                assert!(cached(*instance).is_some());
            }
        }
        assert!(lists.iter().all(|(_, shards)| shards.len() == 1));
        assert!(lists.iter().all(|(_, shards)| shards.sum(Event::Attempt) == 3));
    }

    #[test]
    fn a_thread_that_is_claiming_is_told_so() {
        let shards = Shards::new();
        let claiming = Claiming::begin();
        assert!(claimed(serial(), &shards).is_none());
        drop(claiming);
        assert!(claimed(serial(), &shards).is_some());
    }

    #[test]
    fn claims_of_dropped_instances_are_forgotten() {
        std::thread::spawn(|| {
            let kept = Shards::new();
            let kept_instance = serial();
            claimed(kept_instance, &kept).unwrap();
            for _ in 0..1000 {
                claimed(serial(), &Shards::new()).unwrap();
            }
            CLAIMS.with(|claims| {
                let claims = claims.borrow();
                assert!(claims.by_instance.len() <= PRUNE_MIN + 1);
                assert!(claims.by_instance.contains_key(&kept_instance));
            });
        })
        .join()
        .unwrap();
    }
}
