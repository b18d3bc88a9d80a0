//! From a stack to the thread's counter row for its site.
//!
//! A thread finds the row of a stack that it has seen by the stack's hash alone, in its own leaf table. The first
//! sight is cold: the thread writes the nodes that the prefix tree lacks, a site and a counter row, each the next of those
//! that it has claimed. A free finds the row by the site that the block's record names.
//!
//! Nodes and sites are each thread's own: another thread with the same stack has its own for it, and a thread may write a
//! node twice that it has forgotten. Whoever reads the region takes what is equal for one. So the first sight of a stack asks
//! nothing that is shared, and its cost does not depend on what others have seen. A thread has one site only for a stack, a
//! kind of call and a task, so there are no more sites than counter rows. Shared are the ids of addresses, which are met
//! seldom, and the sites that are like others but for a label, which all threads must agree on.

use crate::arch;
use crate::arena::Arena;
use crate::frame::Taken;
use crate::prefix::{Prefixes, Run};
use crate::process::Process;
use crate::stack::Walker;
use crate::trie::{self, Keyed, mix};
use core::sync::atomic::Ordering;
use memscope_region::row::{COUNTERS_AT_A_TIME, CounterCells, Fill, LABEL_SHIFT, ODD, OWNER};
use memscope_region::{Kind, MissCause, Table};

/// Entries of the first leaf table and the first index.
const FIRST_ENTRIES: usize = 64;

/// Bit of [`memscope_region::SiteRow::kind`] for a truncated stack.
const TRUNCATED: u32 = 1 << 8;

/// A stack that the thread has seen.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct Leaf {
    /// [`Sites::key`]; 0: no entry.
    hash: u64,
    /// The counter row's address (48 bits), and above it 16 bits of the home.
    packed: u64,
}

/// Bytes of a line of the cache.
const LINE_BYTES: usize = 64;

/// Entries of a table that lie together.
const GROUP: usize = 16;

/// How many entries of its group are tried before an entry is looked for where its hash alone says.
const NEAR: usize = 8;

/// The places at which an entry may be, in the order in which they are tried: a few of its group, so that what is used
/// together is found together in the cache; then, for groups that many share, places that its hash spreads over the
/// table. `near` names the group and the first place in it. The table is never more than half full.
#[inline(always)]
fn places(near: usize, far: usize, mask: usize) -> impl Iterator<Item = usize> {
    let group = near & mask & !(GROUP - 1);
    let in_group = (0..NEAR).map(move |k| group | (near.wrapping_add(k) % GROUP));
    in_group.chain((0..=mask).map(move |k| far.wrapping_add(k) & mask))
}

impl Leaf {
    fn new(hash: u64, home: u64, counter: &'static CounterCells) -> Self {
        Self { hash, packed: pack(counter, home) }
    }

    /// Stacks with the same outer part (the same home) begin in the same group. Beyond 2^16 groups the hash spreads
    /// them.
    #[inline(always)]
    fn near(hash: u64, home: u64) -> usize {
        let group = (home & 0xffff) as usize | ((hash >> 32) as usize) << 16;
        group * GROUP + hash as usize % GROUP
    }

    #[inline(always)]
    fn far(hash: u64) -> usize {
        (hash >> 20) as usize
    }
}

/// Bits of a pointer to a row; above them, an entry holds 16 bits of something else.
const POINTER_BITS: u32 = 48;

#[inline(always)]
fn pack(counter: &'static CounterCells, tag: u64) -> u64 {
    core::ptr::from_ref(counter) as u64 | tag << POINTER_BITS
}

/// The row of a packed entry that is not empty.
#[inline(always)]
fn unpack(packed: u64) -> &'static CounterCells {
    // SAFETY: made by `pack` from a row, which is mapped for ever below 2^47.
    unsafe { &*((packed & ((1 << POINTER_BITS) - 1)) as *const CounterCells) }
}

/// One thread's ways from stacks and sites to its counter rows.
#[derive(Debug)]
pub struct Sites {
    leaves: *mut Leaf,
    leaf_mask: usize,
    leaf_count: usize,
    /// Rows by site, packed with 16 bits of the site; 0: no entry.
    index: *mut u64,
    index_mask: usize,
    index_count: usize,
    next_row: u32,
    rows_left: u32,
    prefixes: Prefixes,
    pub(crate) site_rows: Run,
}

/// Sites that a thread claims at a time.
const SITES_AT_A_TIME: u32 = 16;

impl Sites {
    /// Empty tables. `None` if there is no memory.
    pub fn new(arena: &mut Arena) -> Option<Self> {
        Some(Self {
            leaves: arena.take(FIRST_ENTRIES * size_of::<Leaf>())?.cast(),
            leaf_mask: FIRST_ENTRIES - 1,
            leaf_count: 0,
            index: arena.take(FIRST_ENTRIES * size_of::<u64>())?.cast(),
            index_mask: FIRST_ENTRIES - 1,
            index_count: 0,
            next_row: 0,
            rows_left: 0,
            prefixes: Prefixes::new(arena)?,
            site_rows: Run::default(),
        })
    }

    /// How many stacks (by kind of call) the thread has seen.
    pub fn stacks(&self) -> usize {
        self.leaf_count
    }

    /// What a leaf is found by: the stack and the kind of call.
    #[inline(always)]
    pub fn key(taken: Taken, kind: Kind, task: u32) -> u64 {
        // Small multiples of an odd constant keep distinct (stack, kind, task) distinct but for chance. The highest bit
        // makes the key differ from that of an empty entry.
        taken.hash ^ (kind as u64).wrapping_mul(0xa076_1d64_78bd_642f) ^ u64::from(task) << 20
            | 1 << 63
    }

    /// Asks for the places where [`Sites::find`] will look first for a stack with this home.
    #[inline(always)]
    pub fn prefetch(&self, home: u64) {
        let group = self.leaves.wrapping_add(Leaf::near(0, home) & self.leaf_mask);
        for line in 0..GROUP * size_of::<Leaf>() / LINE_BYTES {
            arch::prefetch(group.cast::<u8>().wrapping_add(line * LINE_BYTES));
        }
    }

    /// The row for a stack that this thread has seen.
    #[inline(always)]
    pub fn find(&self, key: u64, home: u64) -> Option<&'static CounterCells> {
        // SAFETY: below the number of entries.
        let leaf = unsafe { *self.leaves.add(Leaf::near(key, home) & self.leaf_mask) };
        if leaf.hash == key {
            return Some(unpack(leaf.packed));
        }
        if leaf.hash == 0 { None } else { self.find_beyond(key, home) }
    }

    /// The same where the first place is another's.
    #[inline(never)]
    fn find_beyond(&self, key: u64, home: u64) -> Option<&'static CounterCells> {
        for at in places(Leaf::near(key, home), Leaf::far(key), self.leaf_mask) {
            // SAFETY: `at` is below the number of entries.
            let leaf = unsafe { *self.leaves.add(at) };
            if leaf.hash == key {
                return Some(unpack(leaf.packed));
            }
            if leaf.hash == 0 {
                return None;
            }
        }
        None
    }

    /// The row for a site that this thread has seen.
    #[inline(always)]
    pub fn find_site(&self, site: u32) -> Option<&'static CounterCells> {
        // SAFETY: below the number of entries.
        let packed = unsafe { *self.index.add(index_near(site) & self.index_mask) };
        if packed == 0 {
            return None;
        }
        let counter = unpack(packed);
        // ORDERING: relaxed; this thread stored it.
        if counter.site.load(Ordering::Relaxed) == site {
            return Some(counter);
        }
        self.find_site_beyond(site)
    }

    /// The same where the first place is another's. The 16 bits of the site tell most others without reading their rows.
    #[inline(never)]
    fn find_site_beyond(&self, site: u32) -> Option<&'static CounterCells> {
        for at in places(index_near(site), index_far(site), self.index_mask) {
            // SAFETY: `at` is below the number of entries.
            let packed = unsafe { *self.index.add(at) };
            if packed == 0 {
                return None;
            }
            if packed >> POINTER_BITS == u64::from(site) & 0xffff {
                let counter = unpack(packed);
                // ORDERING: relaxed; this thread stored it.
                if counter.site.load(Ordering::Relaxed) == site {
                    return Some(counter);
                }
            }
        }
        None
    }

    /// The row for a site, taken if this thread has none.
    #[cold]
    pub fn make_site(
        &mut self,
        arena: &mut Arena,
        process: &Process,
        site: u32,
    ) -> Result<&'static CounterCells, MissCause> {
        if let Some(counter) = self.find_site(site) {
            return Ok(counter);
        }
        let writer = process.writer().ok_or(MissCause::NotReady)?;
        if self.index_count * 2 > self.index_mask {
            self.grow_index(arena).ok_or(MissCause::Counters)?;
        }
        let counter = self.take_row(process).ok_or(MissCause::Counters)?;
        // ORDERING: relaxed; the epoch stands before the marker, which is stored with release.
        counter.epoch.store(writer.header().peak_epoch.load(Ordering::Relaxed), Ordering::Relaxed);
        counter.site.store(site, Ordering::Release);
        insert_index(self.index, self.index_mask, counter);
        self.index_count += 1;
        Ok(counter)
    }

    /// A row that nobody has taken yet, whose marker is still to be stored. `None` if there is no room.
    pub(crate) fn take_row(&mut self, process: &Process) -> Option<&'static CounterCells> {
        let writer = process.writer()?;
        if self.rows_left == 0 {
            let first = writer.claim(Table::Counters, COUNTERS_AT_A_TIME)?;
            let owner = writer.counter(first)?;
            owner.allocations.fill(arch::thread_pointer() as u64);
            // ORDERING: release, the marker.
            owner.site.store(OWNER, Ordering::Release);
            self.next_row = first + 1;
            self.rows_left = COUNTERS_AT_A_TIME - 1;
        }
        let counter = writer.counter(self.next_row)?;
        self.next_row += 1;
        self.rows_left -= 1;
        Some(counter)
    }

    /// The row for a stack that this thread sees for the first time.
    #[cold]
    pub fn make(
        &mut self,
        arena: &mut Arena,
        process: &Process,
        walker: &mut Walker,
        taken: Taken,
        kind: Kind,
        task: u32,
    ) -> Result<&'static CounterCells, MissCause> {
        if self.leaf_count * 2 > self.leaf_mask {
            self.grow_leaves(arena).ok_or(MissCause::Sites)?;
        }
        self.prefixes.make_room(arena, self.leaf_count);
        let writer = process.writer().ok_or(MissCause::NotReady)?;
        let node = self.prefixes.node(writer, walker.frames()).ok_or(MissCause::Sites)?;
        let kind_of_call = kind as u32 | if taken.has(Taken::TRUNCATED) { TRUNCATED } else { 0 };
        let row = SiteKey { process, rows: &self.site_rows, node, task, kind: kind_of_call };
        let site = row.make().ok_or(MissCause::Sites)?;
        let counter = self.make_site(arena, process, site)?;
        insert_leaf(
            self.leaves,
            self.leaf_mask,
            Leaf::new(Self::key(taken, kind, task), walker.home(), counter),
        );
        self.leaf_count += 1;
        Ok(counter)
    }

    fn grow_leaves(&mut self, arena: &mut Arena) -> Option<()> {
        let (old, entries) = (self.leaves, self.leaf_mask + 1);
        let larger: *mut Leaf = arena.take(entries * 2 * size_of::<Leaf>())?.cast();
        for at in 0..entries {
            // SAFETY: `at` is below the number of entries.
            let leaf = unsafe { *old.add(at) };
            if leaf.hash != 0 {
                insert_leaf(larger, entries * 2 - 1, leaf);
            }
        }
        (self.leaves, self.leaf_mask) = (larger, entries * 2 - 1);
        // SAFETY: the old table was just replaced.
        unsafe { arena.give_back(old.cast(), entries * size_of::<Leaf>()) };
        Some(())
    }

    fn grow_index(&mut self, arena: &mut Arena) -> Option<()> {
        let (old, entries) = (self.index, self.index_mask + 1);
        let larger: *mut u64 = arena.take(entries * 2 * size_of::<u64>())?.cast();
        for at in 0..entries {
            // SAFETY: `at` is below the number of entries.
            let packed = unsafe { *old.add(at) };
            if packed != 0 {
                insert_index(larger, entries * 2 - 1, unpack(packed));
            }
        }
        (self.index, self.index_mask) = (larger, entries * 2 - 1);
        // SAFETY: the old table was just replaced.
        unsafe { arena.give_back(old.cast(), entries * size_of::<u64>()) };
        Some(())
    }
}

/// Ids are dense, and sites that were met one after the other have neighbouring ones: a thread that meets most sites has
/// each at its own place, and no hashing lies between a free's record and its counters.
#[inline(always)]
fn index_near(site: u32) -> usize {
    site as usize
}

#[inline(always)]
fn index_far(site: u32) -> usize {
    (u64::from(site).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize
}

fn insert_leaf(leaves: *mut Leaf, mask: usize, leaf: Leaf) {
    let near = Leaf::near(leaf.hash, leaf.packed >> POINTER_BITS);
    for at in places(near, Leaf::far(leaf.hash), mask) {
        // SAFETY: the table has `mask + 1` entries.
        unsafe {
            if (*leaves.add(at)).hash == 0 {
                leaves.add(at).write(leaf);
                return;
            }
        }
    }
}

fn insert_index(index: *mut u64, mask: usize, counter: &'static CounterCells) {
    // ORDERING: relaxed; this thread stored it.
    let site = counter.site.load(Ordering::Relaxed);
    for at in places(index_near(site), index_far(site), mask) {
        // SAFETY: the table has `mask + 1` entries.
        unsafe {
            if *index.add(at) == 0 {
                index.add(at).write(pack(counter, u64::from(site)));
                return;
            }
        }
    }
}

struct AddressKey<'a> {
    process: &'a Process,
    address: u64,
    module: u32,
    flags: u32,
}

impl AddressKey<'_> {
    const MARK: u32 = 1;
    const INSTRUCTION: u32 = 2;

    fn hash_of(address: u64, module: u32, flags: u32) -> u64 {
        mix(address, u64::from(module) << 8 | u64::from(flags))
    }

    fn row(&self, id: u32) -> Option<(u64, u32, u32)> {
        let row = self.process.writer()?.address(id - 1)?;
        // ORDERING: relaxed; the trie gave the id with acquire, and rows never change.
        Some((
            row.address.load(Ordering::Relaxed),
            row.module.load(Ordering::Relaxed),
            row.flags.load(Ordering::Relaxed),
        ))
    }
}

impl Keyed for AddressKey<'_> {
    fn is(&self, id: u32) -> bool {
        self.row(id) == Some((self.address, self.module, self.flags))
    }

    fn hash(&self, id: u32) -> u64 {
        self.row(id).map_or(0, |(address, module, flags)| Self::hash_of(address, module, flags))
    }

    fn make(&self) -> Option<u32> {
        let writer = self.process.writer()?;
        let row = writer.claim(Table::Addresses, 1)?;
        let cells = writer.address(row)?;
        cells.address.fill(self.address);
        cells.module.fill(self.module);
        // ORDERING: release, the marker.
        cells.flags.store(self.flags, Ordering::Release);
        Some(row + 1)
    }
}

/// The id of an address in a module (row plus one, 0: none). `None` if there is no room.
pub fn address(process: &Process, pc: usize, module: u32, instruction: bool) -> Option<u32> {
    let flags = AddressKey::MARK | if instruction { AddressKey::INSTRUCTION } else { 0 };
    let key = AddressKey { process, address: pc as u64, module, flags };
    let hash = AddressKey::hash_of(pc as u64, module, flags);
    trie::find_or_insert(process.nodes()?, process.address_root()?, hash >> 32, hash, &key)
}

struct SiteKey<'a> {
    process: &'a Process,
    /// Where a new row is taken from.
    rows: &'a Run,
    node: u32,
    task: u32,
    kind: u32,
}

impl SiteKey<'_> {
    fn hash_of(node: u32, task: u32, kind: u32) -> u64 {
        mix(u64::from(node) << 32 | u64::from(task), u64::from(kind) + 2)
    }

    fn find_or_insert(&self) -> Option<u32> {
        let hash = Self::hash_of(self.node, self.task, self.kind);
        let (nodes, root) = (self.process.nodes()?, self.process.site_root()?);
        trie::find_or_insert(nodes, root, self.node.into(), hash, self)
    }

    fn row(&self, id: u32) -> Option<(u32, u32, u32)> {
        let row = self.process.writer()?.site(id - 1)?;
        // ORDERING: relaxed; the trie gave the id with acquire, and rows never change.
        Some((
            row.node.load(Ordering::Relaxed),
            row.task.load(Ordering::Relaxed),
            row.kind.load(Ordering::Relaxed),
        ))
    }
}

impl Keyed for SiteKey<'_> {
    fn is(&self, id: u32) -> bool {
        self.row(id) == Some((self.node, self.task, self.kind))
    }

    fn hash(&self, id: u32) -> u64 {
        self.row(id).map_or(0, |(node, task, kind)| Self::hash_of(node, task, kind))
    }

    fn make(&self) -> Option<u32> {
        let writer = self.process.writer()?;
        let row = self.rows.take(writer, Table::Sites, SITES_AT_A_TIME)?;
        let cells = writer.site(row)?;
        cells.node.fill(self.node);
        cells.task.fill(self.task);
        cells.birth.fill(self.process.tick());
        // ORDERING: release, the marker.
        cells.kind.store(self.kind, Ordering::Release);
        Some(row + 1)
    }
}

/// The task of a site, or 0.
pub(crate) fn task_of(process: &Process, site: u32) -> u32 {
    // ORDERING: relaxed; whoever knows the site's id knows its row.
    let row = process.writer().and_then(|writer| writer.site(site.wrapping_sub(1)));
    row.map_or(0, |row| row.task.load(Ordering::Relaxed))
}

/// The label of a site's blocks, or 0.
pub(crate) fn label_of(process: &Process, site: u32) -> u32 {
    // ORDERING: relaxed, as above.
    let row = process.writer().and_then(|writer| writer.site(site.wrapping_sub(1)));
    row.map_or(0, |row| row.kind.load(Ordering::Relaxed) >> LABEL_SHIFT)
}

/// Whether a site's blocks are counted in another way than those of the region's mode.
pub(crate) fn is_odd(process: &Process, site: u32) -> bool {
    // ORDERING: relaxed, as above.
    let row = process.writer().and_then(|writer| writer.site(site.wrapping_sub(1)));
    row.is_some_and(|row| row.kind.load(Ordering::Relaxed) & ODD != 0)
}

/// The site that is like `id` in all but the label. `None` if there is no room.
pub(crate) fn labelled(process: &Process, rows: &Run, id: u32, label: u32) -> Option<u32> {
    alike(process, rows, id, |kind| kind & ((1 << LABEL_SHIFT) - 1) | label << LABEL_SHIFT)
}

/// The site that is like `id`, but odd. `None` if there is no room.
pub(crate) fn odd(process: &Process, rows: &Run, id: u32) -> Option<u32> {
    alike(process, rows, id, |kind| kind | ODD)
}

/// The site with the stack and the task of another.
fn alike(process: &Process, rows: &Run, id: u32, kind: impl Fn(u32) -> u32) -> Option<u32> {
    let row = process.writer()?.site(id.checked_sub(1)?)?;
    // ORDERING: relaxed, as above.
    let load = |cell: &core::sync::atomic::AtomicU32| cell.load(Ordering::Relaxed);
    let (node, task) = (load(&row.node), load(&row.task));
    let key = SiteKey { process, rows, node, task, kind: kind(load(&row.kind)) };
    key.find_or_insert()
}
