//! Tracked values: the name joins the real block, follows it, and is gone when the block is.
#![cfg(not(feature = "off"))]

use memscope_rs::{Memscope, Trackable, ValueBlocks, track, tracker};
use std::borrow::Cow;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, VecDeque};
use std::ffi::{CString, OsString};
use std::marker::PhantomData;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, OnceLock, RwLock};

#[global_allocator]
static ALLOC: Memscope = Memscope::system();

#[test]
fn a_name_joins_the_block_and_dies_with_it() {
    let t = tracker!();
    let orders = vec![0_u8; 1000];
    track!(t, orders);
    let line = line!() - 1;
    let stats = t.stats();
    assert!(stats.is_recorded);
    assert_eq!((stats.tracked_values, stats.total_allocations, stats.total_bytes), (1, 1, 1000));
    assert_eq!((stats.live_allocations, stats.live_bytes, stats.peak_bytes), (1, 1000, 1000));

    let report = t.analyze();
    let orders_of = |report: &memscope_rs::Report| {
        let variable = report.variables.iter().find(|it| it.name == "orders" && it.line == line);
        variable.cloned().unwrap_or_else(|| panic!("{report}"))
    };
    let variable = orders_of(&report);
    assert_eq!(variable.type_name, "alloc::vec::Vec<u8>");
    assert!(variable.file.ends_with("tracked.rs"));
    assert_eq!((variable.live_blocks, variable.live_bytes, variable.allocations), (1, 1000, 1));
    let place = &variable.sites[0];
    assert!(place.function.contains("a_name_joins_the_block"), "{place}");
    assert_eq!(place.line, line - 1);

    // Freed on another thread, by other code.
    std::thread::spawn(move || drop(orders)).join().unwrap();
    let stats = t.stats();
    assert_eq!((stats.live_allocations, stats.live_bytes, stats.peak_bytes), (0, 0, 1000));
    let variable = orders_of(&t.analyze());
    assert_eq!((variable.live_blocks, variable.live_bytes, variable.peak_bytes), (0, 0, 1000));
    assert!(variable.sites.is_empty());
}

#[test]
fn a_name_follows_its_block_through_realloc() {
    let t = tracker!();
    let mut grown: Vec<u64> = Vec::with_capacity(4);
    grown.push(1);
    track!(t, grown);
    for n in 0..10_000 {
        grown.push(n);
    }
    let bytes = grown.capacity() as u64 * 8;
    let stats = t.stats();
    assert_eq!((stats.total_allocations, stats.live_allocations), (1, 1));
    assert_eq!((stats.live_bytes, stats.peak_bytes), (bytes, bytes));
    assert!(stats.reallocations > 5, "{stats:?}");
    // Large ones, whose size stands elsewhere, too; and back again.
    grown.reserve_exact(3 << 20);
    assert_eq!(t.stats().live_bytes, grown.capacity() as u64 * 8);
    grown.shrink_to(10);
    assert_eq!(t.stats().live_bytes, grown.capacity() as u64 * 8);
    drop(grown);
    assert_eq!((t.stats().live_allocations, t.stats().live_bytes), (0, 0));
}

#[test]
fn a_block_has_one_name_the_last() {
    let (first, second) = (tracker!(), tracker!());
    let data = vec![1_u8; 64];
    track!(first, data);
    track!(first, data);
    track!(second, data);
    assert_eq!((first.stats().live_bytes, second.stats().live_bytes), (0, 64));
    assert_eq!(first.stats().tracked_values, 2);
    drop(data);
    assert_eq!(second.stats().live_bytes, 0);
}

/// Tracks a value, and compares the blocks and bytes that got the name with those that it allocated on this thread.
#[track_caller]
fn check<T: Trackable>(make: impl FnOnce() -> T, blocks: u64) {
    let t = tracker!();
    let (value, measured) = memscope_rs::measure_value(make);
    track!(t, value);
    let stats = t.stats();
    assert_eq!(measured.allocations - measured.frees, blocks, "{}", std::any::type_name::<T>());
    assert_eq!(stats.live_allocations, blocks, "{}: {stats:?}", std::any::type_name::<T>());
    assert_eq!(stats.live_bytes, measured.allocated_bytes - measured.freed_bytes);
    assert_eq!(stats.unknown_allocations, 0);
    drop(value);
    assert_eq!((t.stats().live_allocations, t.stats().live_bytes), (0, 0));
}

#[derive(memscope_rs::Trackable)]
struct Image<'a, T, const N: usize>
where
    T: Clone,
{
    pixels: Vec<T>,
    name: Option<String>,
    rows: [Box<u64>; N],
    #[allow(dead_code)]
    parent: &'a str,
}

#[derive(memscope_rs::Trackable)]
enum Shape<T> {
    None,
    One(Vec<T>, u32),
    Two { name: String, parts: Box<[T]> },
}

#[derive(memscope_rs::Trackable)]
struct Unit;

#[derive(memscope_rs::Trackable)]
enum Never {}

#[test]
fn every_kind_of_value_has_its_own_blocks() {
    check(|| vec![1_u32; 9], 1);
    check(Vec::<u32>::new, 0);
    check(|| vec![(); 9], 0);
    check(|| String::from("abc"), 1);
    check(|| Box::new(7_u64), 1);
    check(|| vec![1_u8; 9].into_boxed_slice(), 1);
    check(|| Box::new(()), 0);
    check(|| Box::<str>::from("x"), 1);
    check(|| Rc::new(7_u8), 1);
    check(|| Arc::new([7_u64; 100]), 1);
    check(|| Arc::<str>::from("some text"), 1);
    check(|| Cow::<str>::Owned("x".into()), 1);
    check(|| Cow::<str>::Borrowed("x"), 0);
    check(|| PathBuf::from("/a/b"), 1);
    check(|| OsString::from("x"), 1);
    check(|| (0..1000_u64).map(|n| (n, n)).collect::<HashMap<u64, u64>>(), 1);
    check(|| HashMap::from([(1_u8, 2_u8)]), 1);
    check(|| HashSet::from(["a", "b"]), 1);
    check(|| BTreeMap::from([(1_u8, 2_u64)]), 1);
    check(|| BTreeSet::from([1_u32]), 1);
    check(
        || {
            let mut ring = VecDeque::with_capacity(1000);
            ring.extend(0..1000_u64);
            ring.drain(..900);
            ring
        },
        1,
    );
    check(|| BinaryHeap::from([1, 2, 3]), 1);
    check(|| Some(vec![1_u8]), 1);
    check(|| None::<String>, 0);
    check(|| Ok::<_, String>(vec![1_u8]), 1);
    check(|| Err::<u8, _>(String::from("x")), 1);
    check(|| Mutex::new(vec![1_u8]), 1);
    check(|| RwLock::new(vec![1_u8]), 1);
    check(|| RefCell::new(vec![1_u8]), 1);
    check(|| Cell::new(1_u8), 0);
    check(|| CString::from(c"x"), 1);
    check(|| OnceCell::from(vec![1_u8]), 1);
    check(|| OnceLock::from(vec![1_u8]), 1);
    check(|| (AtomicU64::new(7), NonZeroU32::MIN, PhantomData::<str>), 0);
    check(|| (vec![1_u8], String::from("x"), 7), 2);
    check(|| [vec![1_u8], vec![2_u8]], 2);
    check(
        || Image {
            pixels: vec![1_u8; 100],
            name: Some("x".into()),
            rows: [Box::new(1), Box::new(2)],
            parent: "",
        },
        4,
    );
    check(|| Shape::<u8>::None, 0);
    check(|| Shape::One(vec![1_u8], 1), 1);
    check(|| Shape::Two { name: "x".into(), parts: vec![1_u8].into() }, 2);
    check(|| Unit, 0);
    check(|| None::<Never>, 0);
}

#[test]
fn a_tree_of_many_nodes_is_tracked_node_by_node() {
    let t = tracker!();
    let (tree, measured) =
        memscope_rs::measure_value(|| (0..5000_u32).map(|n| (n, n)).collect::<BTreeMap<_, _>>());
    track!(t, tree);
    assert!(measured.allocations - measured.frees > 400);
    assert_eq!(t.stats().live_allocations, measured.allocations - measured.frees);
    assert_eq!(t.stats().live_bytes, measured.allocated_bytes - measured.freed_bytes);
}

#[test]
fn handles_to_one_value_are_one_block() {
    let t = tracker!();
    let shared = Arc::new(vec![0_u8; 10]);
    let other = Arc::clone(&shared);
    let weak = Arc::downgrade(&shared);
    for handle in [&shared, &other] {
        track!(t, handle);
    }
    let stats = t.stats();
    assert_eq!((stats.tracked_values, stats.total_allocations, stats.live_bytes), (2, 1, 40));
    let report = t.analyze();
    let variable = report.variables.iter().find(|it| it.name == "handle").unwrap();
    assert_eq!((variable.strong_count, variable.weak_count), (2, 1));
    drop((shared, other));
    // The weak handle keeps the block.
    assert_eq!(t.stats().live_allocations, 1);
    drop(weak);
    assert_eq!(t.stats().live_allocations, 0);
}

/// Blocks of the smallest size lie side by side, two to each record and a half: whichever of the two places a block begins
/// at, it is the one that is named, and not its neighbour.
#[test]
fn a_small_block_is_not_taken_for_its_neighbour() {
    let mut shifts = Vec::new();
    for _ in 0..8 {
        // Moves what follows by half a record where the allocator takes from the top.
        shifts.push(vec![0_u8; 40]);
        let shared: Vec<_> = (0..64_u8).map(Rc::new).collect();
        let rings: Vec<_> = (0..64_u64)
            .map(|n| {
                let mut ring = VecDeque::with_capacity(3);
                ring.extend([0, 0, n]);
                ring.drain(..2);
                ring
            })
            .collect();
        let trees: Vec<_> = (0..64_u8).map(|n| BTreeSet::from([n])).collect();
        for ((one, ring), tree) in shared.into_iter().zip(rings).zip(trees) {
            let (t, of_ring, of_tree) = (tracker!(), tracker!(), tracker!());
            track!(t, one);
            track!(of_ring, ring);
            track!(of_tree, tree);
            assert_eq!((t.stats().live_allocations, t.stats().live_bytes), (1, 24));
            // What lies in a block's last bytes may not be found, but is not taken for another's.
            let unknown = of_ring.stats().unknown_allocations;
            assert_eq!((of_ring.stats().live_bytes, unknown <= 1), (24 * (1 - unknown), true));
            assert_eq!(of_tree.stats().unknown_allocations, 0);
            drop((one, ring, tree));
            for t in [t, of_ring, of_tree] {
                assert_eq!(t.stats().live_allocations, 0);
            }
        }
    }
}

/// One place for two types: a generic function has its statics once.
fn track_any<T: Trackable>(t: &memscope_rs::Tracker, value: &T) {
    track!(t, value);
}

#[test]
fn a_generic_function_tracks_each_type_by_its_name() {
    let t = tracker!();
    let (numbers, text) = (vec![1_u16; 7], String::from("seven"));
    for _ in 0..3 {
        track_any(&t, &numbers);
        track_any(&t, &text);
    }
    let report = t.analyze();
    let of = |type_name: &str| {
        let found =
            report.variables.iter().find(|it| it.name == "value" && it.type_name == type_name);
        found.map(|it| (it.live_bytes, it.allocations))
    };
    assert_eq!(of("&alloc::vec::Vec<u16>"), Some((14, 1)));
    assert_eq!(of("&alloc::string::String"), Some((5, 1)));
}

#[test]
fn a_tracker_is_shared_between_threads() {
    let t = Arc::new(tracker!());
    let kept: Vec<_> = std::thread::scope(|scope| {
        let run = |n: usize| {
            let t = Arc::clone(&t);
            scope.spawn(move || {
                let mut kept = Vec::new();
                for _ in 0..1000 {
                    let data = vec![n as u8; 100];
                    track!(t, data);
                    kept.push(data);
                }
                kept.truncate(500);
                kept
            })
        };
        let threads: Vec<_> = (0..4).map(run).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let stats = t.stats();
    assert_eq!((stats.total_allocations, stats.live_allocations), (4000, 2000));
    assert_eq!(stats.live_bytes, 200_000);
    drop(kept);
    assert_eq!(t.stats().live_bytes, 0);
}

/// A value of another crate's, as it were, by hand.
struct Foreign(Vec<u8>);

impl Trackable for Foreign {
    fn blocks(&self, blocks: &mut ValueBlocks) {
        self.0.blocks(blocks);
    }
}

#[test]
fn trackable_can_be_implemented_by_hand() {
    check(|| Foreign(vec![1; 77]), 1);
}
