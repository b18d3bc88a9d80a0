//! An insert-only, lock-free hash trie: from a key's hash to the number of its row.
//!
//! Each node is one cache line of 16 slots. A slot is empty, a row's number, or a child node. When two keys meet in
//! a slot, the row there moves down into a new child. So memory is in proportion to the keys, nothing is ever rehashed,
//! and no insertion is slower than a few nodes: there is no cliff at any size.
//!
//! A trie that is to hold many keys has a wide root, many nodes side by side, so that most keys lie in its slots or
//! right below. A slot of the root is chosen apart from the hash that chooses further down: by something that puts
//! neighbours side by side.
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

    /// A root of `2^bits` fresh nodes. `None` if they do not fit into the chunk at hand. To be called before other threads
    /// make nodes.
    pub fn make_root(&self, bits: u32) -> Option<Root> {
        let first = self.make()?;
        let more = (1 << bits) - 1;
        if (first + more) as usize / NODES_PER_CHUNK != first as usize / NODES_PER_CHUNK {
            return None;
        }
        // ORDERING: relaxed; nobody else makes nodes yet.
        self.next.fetch_add(more, Ordering::Relaxed);
        Root::new(first, bits)
    }

    #[inline]
    fn slot(&self, root: Root, top: u64) -> &AtomicU32 {
        let node = (top / SLOTS as u64) as u32 & ((1 << root.bits) - 1);
        &self.node(root.first + node)[top as usize % SLOTS]
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

/// The root of a trie.
#[derive(Clone, Copy, Debug)]
pub struct Root {
    first: u32,
    /// log2 of the number of nodes side by side.
    bits: u32,
}

impl Root {
    /// The root of `2^bits` nodes that begins with this node; `None` for node 0, which is none.
    pub const fn new(first: u32, bits: u32) -> Option<Self> {
        if first == 0 { None } else { Some(Self { first, bits }) }
    }

    /// Its first node.
    pub const fn first(self) -> u32 {
        self.first
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

/// Finds the row of a key below `root`, or makes it. `top` chooses the slot of the root and `hash` those below; the same
/// key always comes with the same `top`. Ids are from 1 to 2^31 - 1. `None`: no room.
///
/// Two threads that insert the same key at once may both make a row; one of them then stays unused.
pub fn find_or_insert(
    nodes: &Nodes,
    root: Root,
    top: u64,
    hash: u64,
    key: &impl Keyed,
) -> Option<u32> {
    let mut slot = nodes.slot(root, top);
    let mut level = 0;
    let mut made = None;
    loop {
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
        let below = |hash: u64| (hash >> (level * BITS_PER_LEVEL)) as usize % SLOTS;
        if value & CHILD == 0 {
            if key.is(value) {
                return Some(value);
            }
            if level == LEVELS {
                // Two keys with the same 64 bits of hash: one of them has to be missed, and counted.
                return None;
            }
            let child = nodes.make()?;
            // ORDERING: relaxed; the exchange below publishes the child with what is in it.
            nodes.node(child)[below(key.hash(value))].store(value, Ordering::Relaxed);
            // ORDERING: release publishes the child. On failure another thread was quicker and the node stays unused.
            let _ =
                slot.compare_exchange(value, child | CHILD, Ordering::Release, Ordering::Relaxed);
        }
        // The slot holds a child now, whoever made it.
        // ORDERING: acquire, as above.
        slot = &nodes.node(slot.load(Ordering::Acquire) & !CHILD)[below(hash)];
        level += 1;
    }
}

/// Mixes two words into a hash in which every bit depends on every bit of both (the high and low halves of a
/// 128-bit product, folded).
#[inline(always)]
pub fn mix(a: u64, b: u64) -> u64 {
    let product = u128::from(a ^ 0x9e37_79b9_7f4a_7c15) * u128::from(b ^ 0xd6e8_feb8_6659_fd93);
    (product as u64) ^ (product >> 64) as u64
}
