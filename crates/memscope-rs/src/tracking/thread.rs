//! What a thread remembers: which shard is its own in which instance.
//!
//! Three levels, each behind the one before. `LATEST` is the instance that the thread recorded in last: one comparison
//! on the hot path. `WAYS`, a small direct-mapped cache, serves a thread that records in some instances by turns.
//! `CLAIMS` knows every shard that the thread holds, and gives them back when it ends; it alone has a destructor.
//!
//! Invariants:
//! - The caches name a shard only while this thread holds it in that instance. Instances' numbers are never used
//!   twice, so what they say of an instance that was dropped matches nothing.
//! - After its claims were given back (other destructors of thread-locals may still record) a thread claims nothing.
//! - Claiming allocates. An allocator that records into an instance comes back here while the thread claims; it is
//!   then told that there is no shard, and counts elsewhere.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use super::serial::Serial;
use super::shard::Shard;
use super::shards::Shards;
use super::sync::{const_fn, thread_locals};

/// Instances that a thread can record in by turns without going back to its claims.
const WAY_COUNT: usize = 8;

/// Claims of dropped instances are looked for when there are more claims than this, and than twice what was kept.
const PRUNE_MIN: usize = 16;

/// Numbers of claims.
static NUMBERS: Serial = Serial::new();

#[derive(Clone, Copy)]
struct Way {
    /// Number of the instance. 0 is none's, but what an instance has before its first claim.
    instance: u64,
    shard: Option<&'static Shard>,
}

impl Way {
    const EMPTY: Self = Self { instance: 0, shard: None };
}

/// Where a thread recorded last.
#[derive(Clone, Copy)]
struct Latest {
    /// Number of the instance. No instance has [`NO_INSTANCE`], so that a comparison is all that recording needs.
    instance: u64,
    shard: &'static Shard,
}

const NO_INSTANCE: u64 = u64::MAX;

impl Latest {
    const_fn! {
        fn nowhere() -> Self {
            Self { instance: NO_INSTANCE, shard: Shard::nobodys() }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Ready,
    Claiming,
    Ended,
}

thread_locals! {
    static LATEST: Cell<Latest> = Cell::new(Latest::nowhere());
    static WAYS: [Cell<Way>; WAY_COUNT] = [const { Cell::new(Way::EMPTY) }; WAY_COUNT];
    static PHASE: Cell<Phase> = Cell::new(Phase::Ready);
    static CLAIMS: RefCell<Claims> = RefCell::new(Claims::new());
}

/// The calling thread's shard in an instance, if that is where it recorded last.
#[inline(always)]
pub(super) fn latest(instance: u64) -> Option<&'static Shard> {
    let latest = LATEST.try_with(Cell::get).ok()?;
    (latest.instance == instance).then_some(latest.shard)
}

/// The calling thread's shard in an instance, claimed if need be. `None` if it cannot claim now.
pub(super) fn shard(instance: u64, shards: &Shards) -> Option<&'static Shard> {
    let at = instance as usize % WAY_COUNT;
    let mut way = WAYS.try_with(|ways| ways[at].get()).ok()?;
    if way.instance != instance {
        way = Way { instance, shard: Some(claimed(instance, shards)?) };
        let _ = WAYS.try_with(|ways| ways[at].set(way));
    }
    let shard = way.shard?;
    let _ = LATEST.try_with(|latest| latest.set(Latest { instance, shard }));
    Some(shard)
}

fn claimed(instance: u64, shards: &Shards) -> Option<&'static Shard> {
    if PHASE.try_with(Cell::get).ok()? != Phase::Ready {
        return None;
    }
    let _claiming = Claiming::begin();
    CLAIMS.try_with(|claims| claims.borrow_mut().shard(instance, shards)).ok()
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
        let number = NUMBERS.next();
        let shard = shards.claim(number);
        self.by_instance.insert(instance, Claim { number, shard });
        shard
    }
}

impl Drop for Claims {
    fn drop(&mut self) {
        // First forget, then give back: nothing may be written through a cache once another thread can claim.
        let _ = PHASE.try_with(|phase| phase.set(Phase::Ended));
        let _ = LATEST.try_with(|latest| {
            latest.set(Latest { instance: NO_INSTANCE, ..latest.get() });
        });
        let _ = WAYS.try_with(|ways| ways.iter().for_each(|way| way.set(Way::EMPTY)));
        for claim in self.by_instance.values() {
            claim.shard.release(claim.number);
        }
    }
}

#[cfg(all(test, not(memscope_loom)))]
mod tests {
    use super::super::shard::Event;
    use super::*;

    #[test]
    fn a_thread_finds_its_shard_again_at_every_level() {
        let lists: Vec<Shards> = (0..3 * WAY_COUNT).map(|_| Shards::new()).collect();
        for _ in 0..3 {
            for (instance, shards) in (1..).zip(&lists) {
                shard(instance, shards).unwrap().record(Event::Attempt);
                latest(instance).unwrap().record(Event::Success);
            }
        }
        for shards in &lists {
            assert_eq!(shards.len(), 1);
            assert_eq!((shards.sum(Event::Attempt), shards.sum(Event::Success)), (3, 3));
        }
    }

    #[test]
    fn a_thread_that_is_claiming_is_told_so() {
        let shards = Shards::new();
        let claiming = Claiming::begin();
        assert!(shard(1, &shards).is_none());
        drop(claiming);
        assert!(shard(1, &shards).is_some());
    }

    #[test]
    fn a_thread_whose_claims_are_gone_has_no_shard_and_the_next_one_has_it() {
        struct Late(&'static Shards);
        impl Drop for Late {
            fn drop(&mut self) {
                assert!(latest(1).is_none());
                assert!(shard(1, self.0).is_none());
                LATE.store(true, std::sync::atomic::Ordering::SeqCst);
            }
        }
        static LATE: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);
        static SHARDS: Shards = Shards::new();
        thread_local! {
            static LAST: Late = const { Late(&SHARDS) };
        }
        for attempts in 1..=3 {
            std::thread::spawn(|| {
                // Destructors run last in, first out on this platform; on any other the drop below still holds.
                LAST.with(|_| ());
                shard(1, &SHARDS).unwrap().record(Event::Attempt);
            })
            .join()
            .unwrap();
            assert_eq!((SHARDS.len(), SHARDS.sum(Event::Attempt)), (1, attempts));
        }
        assert!(LATE.load(std::sync::atomic::Ordering::SeqCst));
    }

    #[test]
    fn claims_of_dropped_instances_are_forgotten() {
        std::thread::spawn(|| {
            let kept = Shards::new();
            shard(1, &kept).unwrap();
            for instance in 2..1000 {
                shard(instance, &Shards::new()).unwrap();
            }
            CLAIMS.with(|claims| {
                let claims = claims.borrow();
                assert!(claims.by_instance.len() <= PRUNE_MIN + 1);
                assert!(claims.by_instance.contains_key(&1));
            });
        })
        .join()
        .unwrap();
    }
}
