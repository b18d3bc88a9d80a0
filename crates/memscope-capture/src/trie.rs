//! An insert-only, lock-free hash trie: from a key's hash to the number of its row.
//!
//! Each node is one cache line of 16 slots. A slot is empty, a row's number, or a child node. When two keys meet in
//! a slot, the row there moves down into a new child. So memory is in proportion to the keys, nothing is ever rehashed,
//! and no insertion is slower than a few nodes: there is no cliff at any size.
//!
//! Invariants: a slot goes from empty to row to child and never back; a row is complete before its number is
//! stored (release), and whoever loads the number (acquire) may read it.

use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use memscope_region::sys;

const SLOTS: usize = 16;
const BITS_PER_LEVEL: u32 = 4;
const LEVELS: u32 = u64::BITS / BITS_PER_LEVEL;
const CHILD: u32 = 1 << 31;
const NODES_PER_CHUNK: usize = 32_768;
const CHUNKS: usize = 512;
const CHUNK_BYTES: usize = NODES_PER_CHUNK * size_of::<Node>();

type Node = [AtomicU32; SLOTS];

/// The nodes of all tries of the process. Node 0 is never used.
#[derive(Debug)]
pub struct Nodes {
    next: AtomicU32,
    chunks: [AtomicPtr<Node>; CHUNKS],
}

impl Nodes {
    /// A fresh, empty node's number, or `None` if there is no memory or no number left; then nothing was used up.
    pub fn make(&self) -> Option<u32> {
        loop {
            // ORDERING: relaxed; the exchange below makes the number unique, and the node is published by the slot that
            // it goes into.
            let last = self.next.load(Ordering::Relaxed);
            let slot = self.chunks.get((last + 1) as usize / NODES_PER_CHUNK)?;
            // ORDERING: acquire, so that the chunk is seen mapped.
            if slot.load(Ordering::Acquire).is_null() {
                Self::map_chunk(slot, last < NODES_PER_CHUNK as u32 - 1)?;
            }
            // ORDERING: relaxed, see above.
            if self
                .next
                .compare_exchange(last, last + 1, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
            {
                return Some(last + 1);
            }
        }
    }

    /// Maps a chunk. The first serves most programs and is touched page by page; who needs more reads all of it.
    #[cold]
    fn map_chunk(slot: &AtomicPtr<Node>, first: bool) -> Option<()> {
        let map = if first { sys::map_private } else { sys::map_private_huge };
        let fresh = map(CHUNK_BYTES).ok()?;
        // ORDERING: release publishes the mapping; on failure another thread's chunk serves.
        let taken = slot.compare_exchange(
            core::ptr::null_mut(),
            fresh.cast(),
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        if taken.is_err() {
            // SAFETY: nobody has seen this mapping.
            unsafe { sys::unmap(fresh, CHUNK_BYTES) };
        }
        Some(())
    }

    /// The node with this number, which [`Nodes::make`] gave.
    #[inline]
    fn node(&self, number: u32) -> &Node {
        // ORDERING: acquire, as in `make`.
        let chunk = self.chunks[number as usize / NODES_PER_CHUNK].load(Ordering::Acquire);
        // SAFETY: `make` mapped the chunk before it gave the number away; all-zero bytes are a node.
        unsafe { &*chunk.add(number as usize % NODES_PER_CHUNK) }
    }
}

/// What a trie needs to know of its rows.
pub trait Keyed {
    /// Whether the row `id` holds the key that is looked for.
    fn is(&self, id: u32) -> bool;
    /// The hash of the key that row `id` holds.
    fn hash(&self, id: u32) -> u64;
    /// Makes the row for the key; `None` if there is no room.
    fn make(&self) -> Option<u32>;
}

/// Finds the row of a key with this hash below `root`, or makes it. Ids are from 1 to 2^31 - 1. `None`: no room.
///
/// Two threads that insert the same key at once may both make a row; one of them then stays unused.
pub fn find_or_insert(nodes: &Nodes, root: u32, hash: u64, key: &impl Keyed) -> Option<u32> {
    let mut node = nodes.node(root);
    let mut level = 0;
    let mut made = None;
    loop {
        let slot = &node[(hash >> (level * BITS_PER_LEVEL)) as usize % SLOTS];
        // ORDERING: acquire pairs with the stores below: a row or child that is seen is complete.
        let value = slot.load(Ordering::Acquire);
        if value == 0 {
            let id = match made {
                Some(id) => id,
                None => *made.insert(key.make()?),
            };
            // ORDERING: release publishes the row.
            if slot.compare_exchange(0, id, Ordering::Release, Ordering::Relaxed).is_ok() {
                return Some(id);
            }
            continue;
        }
        if value & CHILD != 0 {
            node = nodes.node(value & !CHILD);
            level += 1;
            continue;
        }
        if key.is(value) {
            return Some(value);
        }
        level += 1;
        if level == LEVELS {
            // Two keys with the same 64 bits of hash: one of them has to be missed, and counted.
            return None;
        }
        let child = nodes.make()?;
        let below =
            &nodes.node(child)[(key.hash(value) >> (level * BITS_PER_LEVEL)) as usize % SLOTS];
        // ORDERING: relaxed; the exchange below publishes the child with what is in it.
        below.store(value, Ordering::Relaxed);
        // ORDERING: release publishes the child. On failure another thread was quicker and the node stays unused.
        let _ = slot.compare_exchange(value, child | CHILD, Ordering::Release, Ordering::Relaxed);
        // The slot holds a child now, whoever made it.
        // ORDERING: acquire, as above.
        node = nodes.node(slot.load(Ordering::Acquire) & !CHILD);
    }
}

/// Mixes two words into a hash in which every bit depends on every bit of both (the high and low halves of a
/// 128-bit product, folded).
#[inline(always)]
pub fn mix(a: u64, b: u64) -> u64 {
    let product = u128::from(a ^ 0x9e37_79b9_7f4a_7c15) * u128::from(b ^ 0xd6e8_feb8_6659_fd93);
    (product as u64) ^ (product >> 64) as u64
}
