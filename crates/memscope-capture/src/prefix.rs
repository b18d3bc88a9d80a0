//! The nodes of the prefix tree of stacks that one thread has written, found again by the hash of the stack up to a frame.
//!
//! A node is written at the first sight of a stack that goes through it, and it is this thread's alone: nothing is asked that
//! is shared. The memo that finds nodes again has one place for each, and what comes later takes it; so a thread may write a node
//! twice, and whoever reads the region takes the two for one.
//!
//! Invariant: a node's parent was written before it by the same thread, so it has the lower id.

use crate::arch;
use crate::arena::Arena;
use crate::frame::CachedFrame;
use core::cell::Cell;
use core::sync::atomic::Ordering;
use memscope_region::Table;
use memscope_region::writer::Writer;

/// Entries of the first memo, and of the largest: 1 KiB and 4 MiB. It grows with the number of stacks.
const FIRST_MEMO: usize = 64;
const LARGEST_MEMO: usize = 1 << 18;

/// Entries of the memo that are asked for before they are needed.
const AHEAD: usize = 8;

/// Nodes that a thread claims at a time.
const NODES_AT_A_TIME: u32 = 64;

/// Rows of a table that a thread has claimed and not yet filled.
#[derive(Debug, Default)]
pub(crate) struct Run {
    next: Cell<u32>,
    left: Cell<u32>,
}

impl Run {
    /// The next row. They are claimed so many at a time (always the same for one table, and a power of two).
    #[inline(always)]
    pub(crate) fn take(&self, writer: &Writer, table: Table, at_a_time: u32) -> Option<u32> {
        if self.left.get() == 0 {
            self.next.set(writer.claim(table, at_a_time)?);
            self.left.set(at_a_time);
        }
        let row = self.next.get();
        self.next.set(row + 1);
        self.left.set(self.left.get() - 1);
        Some(row)
    }
}

/// A node of this thread's: the hash of the stack up to a frame, and its node.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct Memo {
    hash: u64,
    node: u32,
}

/// One thread's nodes.
#[derive(Debug)]
pub(crate) struct Prefixes {
    rows: Run,
    memo: *mut Memo,
    mask: usize,
}

impl Prefixes {
    /// None yet. `None` if there is no memory.
    pub(crate) fn new(arena: &mut Arena) -> Option<Self> {
        let memo = arena.take(FIRST_MEMO * size_of::<Memo>())?.cast();
        Some(Self { rows: Run::default(), memo, mask: FIRST_MEMO - 1 })
    }

    /// Makes more room, if a thread that has seen so many stacks should have more.
    pub(crate) fn make_room(&mut self, arena: &mut Arena, stacks: usize) {
        if stacks > self.mask && self.mask < LARGEST_MEMO - 1 {
            self.grow(arena);
        }
    }

    /// The node of a stack; 0 for the empty one. The nodes of the frames inside the innermost whose node is known are new:
    /// to this thread, and nothing is shared with others; whoever reads the region takes equal nodes for one.
    pub(crate) fn node(&mut self, writer: &Writer, frames: &mut [CachedFrame]) -> Option<u32> {
        // What is asked of the memo is mostly not in the cache: all of it is asked for at once.
        for frame in frames.iter().rev().take_while(|frame| frame.node == 0).take(AHEAD) {
            arch::prefetch(self.memo.wrapping_add(frame.hash() as usize & self.mask).cast());
        }
        let known = frames.iter_mut().enumerate().rev().find_map(|(at, frame)| {
            if frame.node == 0 {
                frame.node = self.remembered(frame.hash());
            }
            (frame.node != 0).then_some((frame.node, at + 1))
        });
        let (mut parent, first) = known.unwrap_or((0, 0));
        for frame in &mut frames[first..] {
            let row = self.rows.take(writer, Table::Nodes, NODES_AT_A_TIME)?;
            let word = u64::from(frame.address) << 32 | u64::from(parent);
            // ORDERING: release; the word is its own marker.
            writer.node(row)?.word.store(word, Ordering::Release);
            parent = row + 1;
            frame.node = parent;
            self.remember(frame.hash(), parent);
        }
        Some(parent)
    }

    fn remembered(&self, hash: u64) -> u32 {
        // SAFETY: below the number of entries.
        let memo = unsafe { *self.memo.add(hash as usize & self.mask) };
        if memo.hash == hash { memo.node } else { 0 }
    }

    fn remember(&mut self, hash: u64, node: u32) {
        // SAFETY: below the number of entries.
        unsafe { self.memo.add(hash as usize & self.mask).write(Memo { hash, node }) };
    }

    /// Four times the room for nodes, if there is memory.
    #[cold]
    fn grow(&mut self, arena: &mut Arena) {
        let (old, entries) = (self.memo, self.mask + 1);
        let Some(larger) = arena.take(4 * entries * size_of::<Memo>()) else { return };
        (self.memo, self.mask) = (larger.cast(), 4 * entries - 1);
        for at in 0..entries {
            // SAFETY: `at` is below the number of entries.
            let memo = unsafe { *old.add(at) };
            if memo.node != 0 {
                self.remember(memo.hash, memo.node);
            }
        }
        // SAFETY: the old table was just replaced.
        unsafe { arena.give_back(old.cast(), entries * size_of::<Memo>()) };
    }
}
