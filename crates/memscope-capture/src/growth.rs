//! What growing costs: the blocks that reallocs made larger or smaller, by site.
//!
//! A realloc is a free and an allocation, and is counted as such before it comes here. What is added is what only the two
//! together say: the bytes that were copied because the block moved, those that were given back, and that the old block was
//! not the last of its kind.
//!
//! A block moved if its address changed. The C library moves large blocks by their pages (`mremap`), which copies nothing:
//! such blocks have mappings of their own, in which they begin 16 bytes behind a page's start. A block of that size that
//! begins there by chance (1 of 256) is taken for one.
//!
//! Invariants: rows have one writer, as all counters; malloc and free never come here. Deliberately absent: mode sampled,
//! where the block before is rarely known; containers that grow by a new block and a copy of their own (hash tables).

use crate::arena::Arena;
use crate::event::{Forgotten, add};
use crate::hooks::RawBlock;
use crate::process::PROCESS;
use crate::site::Sites;
use crate::thread::Guard;
use core::sync::atomic::Ordering;
use memscope_region::row::{GROWTH, GrowthCells};
use memscope_region::sys::PAGE_BYTES;

/// From this size on the C library may give a block a mapping of its own.
const MAPPED_BYTES: u64 = 128 << 10;

/// What lies before a block in its mapping.
const MAPPED_HEAD_BYTES: usize = 16;

/// Entries of the first table.
const FIRST_ENTRIES: usize = 64;

/// One thread's ways from sites to its rows of growth.
#[derive(Debug)]
pub struct Growths {
    /// Rows by site; null where there is none. Null until the first realloc.
    rows: *mut *const GrowthCells,
    mask: usize,
    count: usize,
}

/// Where a site's row may be, in the order in which it is looked for.
#[inline(always)]
fn places(site: u32, mask: usize) -> impl Iterator<Item = usize> {
    let first = (u64::from(site).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize;
    (0..=mask).map(move |k| first.wrapping_add(k) & mask)
}

impl Growths {
    /// An empty table, without memory yet.
    pub(crate) const fn new() -> Self {
        Self { rows: core::ptr::null_mut(), mask: 0, count: 0 }
    }

    /// The row of a site that has one.
    #[inline(always)]
    fn find(&self, site: u32) -> Option<&'static GrowthCells> {
        if self.rows.is_null() {
            return None;
        }
        for at in places(site, self.mask) {
            // SAFETY: the table has `mask + 1` entries, and rows are mapped for ever.
            let row = unsafe { (*self.rows.add(at)).as_ref() }?;
            // ORDERING: relaxed; this thread stored it.
            if row.site.load(Ordering::Relaxed) == site | GROWTH {
                return Some(row);
            }
        }
        None
    }

    /// A row for a site that has none. `None` if there is no room.
    #[cold]
    #[inline(never)]
    fn make(
        &mut self,
        arena: &mut Arena,
        sites: &mut Sites,
        site: u32,
    ) -> Option<&'static GrowthCells> {
        if self.rows.is_null() || self.count * 2 > self.mask {
            self.enlarge(arena)?;
        }
        let row = sites.take_row(&PROCESS)?.as_growth();
        // ORDERING: release, the marker.
        row.site.store(site | GROWTH, Ordering::Release);
        insert(self.rows, self.mask, row);
        self.count += 1;
        Some(row)
    }

    fn enlarge(&mut self, arena: &mut Arena) -> Option<()> {
        let old_entries = if self.rows.is_null() { 0 } else { self.mask + 1 };
        let entries = (old_entries * 2).max(FIRST_ENTRIES);
        let bytes = |entries: usize| entries * size_of::<*const GrowthCells>();
        let (old, larger) = (self.rows, arena.take(bytes(entries))?.cast());
        for at in 0..old_entries {
            // SAFETY: `at` is below the number of entries.
            if let Some(row) = unsafe { (*old.add(at)).as_ref() } {
                insert(larger, entries - 1, row);
            }
        }
        (self.rows, self.mask) = (larger, entries - 1);
        if old_entries > 0 {
            // SAFETY: the old table was just replaced.
            unsafe { arena.give_back(old.cast(), bytes(old_entries)) };
        }
        Some(())
    }
}

fn insert(rows: *mut *const GrowthCells, mask: usize, row: &'static GrowthCells) {
    // ORDERING: relaxed; this thread stored it.
    let site = row.site.load(Ordering::Relaxed) & !GROWTH;
    for at in places(site, mask) {
        // SAFETY: the table has `mask + 1` entries, at most half of them taken.
        unsafe {
            if (*rows.add(at)).is_null() {
                rows.add(at).write(row);
                return;
            }
        }
    }
}

/// The row of a site, taken if this thread has none. A site for which there is no room goes without: its reallocs are
/// counted as frees and allocations in any case.
#[inline(always)]
fn row(guard: &mut Guard, site: u32) -> Option<&'static GrowthCells> {
    let state = guard.state();
    let found = state.growths.find(site);
    found.or_else(|| state.growths.make(&mut state.arena, &mut state.sites, site))
}

/// Counts that a realloc, which is recorded already, made the block `new` of `size` bytes, at `site` (0: its record was
/// missed), out of the block `old`, of which `forgotten` says what was known.
#[inline(always)]
pub(crate) fn count(
    guard: &mut Guard,
    site: u32,
    forgotten: Forgotten,
    [old, new]: [RawBlock; 2],
    size: usize,
) {
    let (old_site, old_bytes) = forgotten.block();
    let new_bytes = size as u64;
    if site == 0 || old_site == 0 {
        return;
    }
    let Some(here) = row(guard, site) else { return };
    if old != new {
        count_move(here, [old, new], old_bytes.min(new_bytes));
    }
    if new_bytes > old_bytes {
        add(&here.growths, 1);
        let there = if old_site == site { Some(here) } else { row(guard, old_site) };
        if let Some(there) = there {
            add(&there.outgrown_blocks, 1);
            add(&there.outgrown_bytes, old_bytes);
        }
    } else if new_bytes < old_bytes {
        add(&here.shrinks, 1);
        add(&here.given_back_bytes, old_bytes - new_bytes);
    }
}

/// Counts what moved, with a copy or without.
#[inline(never)]
fn count_move(row: &GrowthCells, blocks: [RawBlock; 2], bytes: u64) {
    let is_mapped = |block: RawBlock| block as usize % PAGE_BYTES == MAPPED_HEAD_BYTES;
    match bytes >= MAPPED_BYTES && blocks.into_iter().all(is_mapped) {
        true => add(&row.remapped_bytes, bytes),
        false => add(&row.copied_bytes, bytes),
    }
}
