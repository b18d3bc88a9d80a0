//! The hash trie against a map, from several threads: every key has one id, for ever, and finding it never fails.

use memscope_capture::trie::{Keyed, Nodes, Root, find_or_insert, mix};
use memscope_region::sys;
use std::collections::{HashMap, HashSet};
use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Rows as the region has them: written before their id is given away.
struct Rows {
    next: AtomicU32,
    keys: Vec<AtomicU64>,
    hash: fn(u64) -> u64,
}

impl Rows {
    fn new(count: usize, hash: fn(u64) -> u64) -> Self {
        let keys = (0..count).map(|_| AtomicU64::new(0)).collect();
        Self { next: AtomicU32::new(0), keys, hash }
    }

    fn key(&self, id: u32) -> u64 {
        self.keys[id as usize - 1].load(Ordering::Relaxed)
    }
}

struct Key<'a>(&'a Rows, u64);

impl Keyed for Key<'_> {
    fn is(&self, id: u32) -> bool {
        self.0.key(id) == self.1
    }
    fn hash(&self, id: u32) -> u64 {
        (self.0.hash)(self.0.key(id))
    }
    fn make(&self) -> Option<u32> {
        let row = self.0.next.fetch_add(1, Ordering::Relaxed);
        self.0.keys.get(row as usize)?.store(self.1, Ordering::Release);
        Some(row + 1)
    }
}

fn nodes() -> &'static Nodes {
    let place: *const Nodes = sys::map_private(size_of::<Nodes>()).expect("memory").cast();
    // SAFETY: fresh memory, zeroed, which is no nodes; it is never unmapped.
    unsafe { &*place }
}

fn find(nodes: &Nodes, root: Root, rows: &Rows, key: u64) -> Option<u32> {
    let hash = (rows.hash)(key);
    find_or_insert(nodes, root, hash >> 20, hash, &Key(rows, key))
}

fn scrambled(key: u64) -> u64 {
    mix(key, 3)
}

#[test]
fn ids_of_one_thread_are_those_of_a_map() {
    let (nodes, rows) = (nodes(), Rows::new(30_000, scrambled));
    let root = nodes.make_root(0).unwrap();
    let mut ids = HashMap::new();
    for step in 0..100_000_u64 {
        let key = 1 + mix(step, 1) % 30_000;
        let id = find(nodes, root, &rows, key).unwrap();
        assert_eq!(*ids.entry(key).or_insert(id), id);
        assert_eq!(rows.key(id), key);
    }
    // No row was made for a key that had one.
    assert_eq!(rows.next.load(Ordering::Relaxed) as usize, ids.len());
}

#[test]
fn threads_that_insert_the_same_keys_find_the_same_ids() {
    const KEYS: u64 = 5000;
    const THREADS: u64 = 4;
    for round in 0..5 {
        let (nodes, rows) = (nodes(), Rows::new((KEYS * THREADS) as usize, scrambled));
        let root = nodes.make_root(5).unwrap();
        let barrier = Barrier::new(THREADS as usize);
        let found: Vec<Vec<u32>> = std::thread::scope(|scope| {
            let threads = (0..THREADS).map(|thread| {
                let (barrier, rows) = (&barrier, &rows);
                scope.spawn(move || {
                    barrier.wait();
                    let mut ids = vec![0; KEYS as usize];
                    // Two go up and two go down, so that they meet.
                    for step in 0..KEYS {
                        let key = if thread % 2 == 0 { step } else { KEYS - 1 - step };
                        let id = find(nodes, root, rows, key + 1 + round * KEYS).unwrap();
                        ids[key as usize] = id;
                    }
                    ids
                })
            });
            let threads: Vec<_> = threads.collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(found.iter().all(|ids| ids == &found[0]));
        assert_eq!(found[0].iter().collect::<HashSet<_>>().len() as u64, KEYS);
        for (key, id) in found[0].iter().enumerate() {
            assert_eq!(rows.key(*id), key as u64 + 1 + round * KEYS);
        }
    }
}

#[test]
fn tries_that_share_their_nodes_do_not_meet() {
    let (nodes, rows) = (nodes(), Rows::new(2000, scrambled));
    let (one, other) = (nodes.make_root(0).unwrap(), nodes.make_root(0).unwrap());
    for key in 1..=1000 {
        let ids = (find(nodes, one, &rows, key).unwrap(), find(nodes, other, &rows, key).unwrap());
        assert_ne!(ids.0, ids.1);
        assert_eq!(find(nodes, one, &rows, key), Some(ids.0));
    }
}

/// Keys whose hashes differ in the highest four bits only share all nodes but the last.
#[test]
fn keys_that_part_at_the_last_level_are_told_apart() {
    let (nodes, rows) = (nodes(), Rows::new(100, |key| key << 60 | 0x0abc_def0_1234_5678));
    let root = nodes.make_root(0).unwrap();
    let ids: Vec<u32> = (0..16).map(|key| find(nodes, root, &rows, key).unwrap()).collect();
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 16);
    for (key, id) in ids.iter().enumerate() {
        assert_eq!(find(nodes, root, &rows, key as u64), Some(*id));
    }
    // One more has the whole hash of another: there is no room for it, and the others stay.
    assert_eq!(find(nodes, root, &rows, 16), None);
    assert_eq!(find(nodes, root, &rows, 3), Some(ids[3]));
}

#[test]
fn where_no_row_can_be_made_nothing_is_inserted() {
    let (nodes, rows) = (nodes(), Rows::new(2, scrambled));
    let root = nodes.make_root(0).unwrap();
    let ids = [1, 2].map(|key| find(nodes, root, &rows, key));
    assert_eq!(ids, [Some(1), Some(2)]);
    assert_eq!(find(nodes, root, &rows, 3), None);
    assert_eq!([1, 2].map(|key| find(nodes, root, &rows, key)), ids);
}
