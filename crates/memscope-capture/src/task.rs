//! Tasks: what is current on a thread when a block is made, whoever frees it.
//!
//! The task is part of the site, so what a task allocated and holds is the sum over its sites, exact to the block, and
//! allocating in a task costs what it costs outside. The largest that a task ever held is not a sum. It is looked at
//! when it may be about to fall: before a free of one of the task's blocks, and when a thread leaves the task. All that a
//! thread allocates in between belongs to its current task, so the live bytes of that task are those at the last look,
//! and what the thread allocated since, less what it freed of the task's.
//!
//! Of what is sampled a task has the estimates that its sites have; what is only counted is no task's.
//!
//! Invariants: tasks of one name under one parent are one, so there are as many as the program has names for them. The
//! peak is exact while one thread at a time is in the task.
//! Deliberately absent: which future or guard a task belongs to. The library knows.

use crate::process::{PROCESS, Process};
use crate::site;
use crate::thread::Guard;
use crate::trie::{self, Keyed, mix};
use core::sync::atomic::Ordering;
use memscope_region::Table;
use memscope_region::record::MARK;
use memscope_region::row::{Fill, TaskCells, ThreadCells};

/// The task that is current on a thread.
#[derive(Clone, Copy, Debug)]
pub struct Current {
    /// Its id, or 0.
    pub id: u32,
    /// The mark of its blocks' records, or 0.
    pub mark: u64,
    /// What the thread had allocated when the task's row was last brought up to date.
    base_bytes: u64,
    /// What it has freed of the task's since.
    freed_bytes: u64,
    /// The task's row.
    cells: Option<&'static TaskCells>,
    /// Sites of tasks that have no label, as [`Current::key`], each at the place its id gives: a free of one of the
    /// current task's needs to look no further.
    plain: [u64; PLAIN],
}

/// Sites that are remembered.
const PLAIN: usize = 16;

impl Current {
    /// No task.
    pub const NONE: Self =
        Self { id: 0, mark: 0, base_bytes: 0, freed_bytes: 0, cells: None, plain: [0; PLAIN] };

    /// A task and a site in one word.
    #[inline(always)]
    fn key(task: u32, site: u32) -> u64 {
        u64::from(task) << 32 | u64::from(site)
    }

    /// A block of the current task is about to be freed by this thread.
    #[inline(always)]
    fn free(&mut self, cells: &TaskCells, row: &ThreadCells, size: u64) {
        // ORDERING: relaxed; a sum.
        let live_bytes = cells.live_bytes.load(Ordering::Relaxed) as i64;
        raise_peak(cells, live_bytes.wrapping_add(self.change_bytes(row)));
        self.freed_bytes = self.freed_bytes.wrapping_add(size);
    }

    /// The thread has allocated so many bytes of the task's that its row does not have.
    pub(crate) fn allocated_beside(&mut self, bytes: u64) {
        self.freed_bytes = self.freed_bytes.wrapping_sub(bytes);
    }

    /// The thread's row has so many bytes more that are at no site, and so of no task.
    pub(crate) fn allocated_by_none(&mut self, bytes: u64) {
        self.freed_bytes = self.freed_bytes.wrapping_add(bytes);
    }

    /// By how much the task's live bytes have changed on this thread since its row was brought up to date.
    #[inline(always)]
    fn change_bytes(&self, row: &ThreadCells) -> i64 {
        // ORDERING: relaxed; the thread's own.
        let allocated_bytes = row.allocated_bytes.load(Ordering::Relaxed);
        allocated_bytes.wrapping_sub(self.base_bytes).wrapping_sub(self.freed_bytes) as i64
    }
}

fn cells(task: u32) -> Option<&'static TaskCells> {
    PROCESS.writer()?.task(task.checked_sub(1)?)
}

#[inline(always)]
fn raise_peak(cells: &TaskCells, live_bytes: i64) {
    // ORDERING: relaxed; the largest stays.
    if live_bytes > cells.peak_bytes.load(Ordering::Relaxed) as i64 {
        cells.peak_bytes.fetch_max(live_bytes as u64, Ordering::Relaxed);
    }
}

struct TaskKey<'a> {
    process: &'a Process,
    parent: u32,
    kind: u32,
    name: &'a [u8],
}

impl TaskKey<'_> {
    fn hash_of(parent: u32, kind: u32, name: &[u8]) -> u64 {
        let mut hash = mix(u64::from(parent) << 32 | u64::from(kind), name.len() as u64);
        for piece in name.chunks(8) {
            let mut word = [0; 8];
            word[..piece.len()].copy_from_slice(piece);
            hash = mix(hash, u64::from_ne_bytes(word));
        }
        hash
    }

    fn row(&self, id: u32) -> Option<(u32, u32, &[u8])> {
        let writer = self.process.writer()?;
        let row = writer.task(id - 1)?;
        // ORDERING: relaxed; the trie gave the id with acquire, and these never change.
        let load = |cell: &core::sync::atomic::AtomicU32| cell.load(Ordering::Relaxed);
        let name = writer.text(load(&row.name_row), load(&row.name_bytes))?;
        Some((load(&row.parent), load(&row.kind), name))
    }
}

impl Keyed for TaskKey<'_> {
    fn is(&self, id: u32) -> bool {
        self.row(id) == Some((self.parent, self.kind, self.name))
    }

    fn hash(&self, id: u32) -> u64 {
        self.row(id).map_or(0, |(parent, kind, name)| Self::hash_of(parent, kind, name))
    }

    fn make(&self) -> Option<u32> {
        let writer = self.process.writer()?;
        let name_row = writer.claim_text(self.name)?;
        let row = writer.claim(Table::Tasks, 1)?;
        let cells = writer.task(row)?;
        cells.parent.fill(self.parent);
        cells.name_row.fill(name_row);
        cells.name_bytes.fill(self.name.len() as u32);
        cells.birth.fill(self.process.tick());
        // ORDERING: release, the marker.
        cells.kind.store(self.kind, Ordering::Release);
        Some(row + 1)
    }
}

/// The task of this kind (from 1 on) and name under a parent (or 0). `None` if nothing is recorded or there is no room.
pub fn intern(parent: u32, kind: u32, name: &[u8]) -> Option<u32> {
    let key = TaskKey { process: &PROCESS, parent, kind, name };
    let hash = TaskKey::hash_of(parent, kind, name);
    trie::find_or_insert(PROCESS.nodes()?, PROCESS.task_root()?, hash >> 32, hash, &key)
}

/// Makes a task (or 0, none) the calling thread's current one; returns the one that was. `None`: the thread records
/// nothing just now.
#[inline]
pub fn switch(task: u32) -> Option<u32> {
    let mut guard = Guard::take(|| {})?;
    let row = guard.row();
    let current = &mut guard.state().task;
    let before = current.id;
    if let Some(cells) = current.cells {
        let change = current.change_bytes(row);
        // What was freed in between has looked at the peak. So a visit that leaves nothing behind, as most polls of a
        // future are, writes nothing that other threads write.
        if change != 0 {
            // ORDERING: relaxed; a sum.
            let live_bytes = cells.live_bytes.fetch_add(change as u64, Ordering::Relaxed) as i64;
            raise_peak(cells, live_bytes.wrapping_add(change));
        }
    }
    // ORDERING: relaxed; the thread's own.
    let base_bytes = row.allocated_bytes.load(Ordering::Relaxed);
    let mark = if task == 0 { 0 } else { MARK };
    current.id = task;
    current.mark = mark;
    current.base_bytes = base_bytes;
    current.freed_bytes = 0;
    current.cells = cells(task);
    Some(before)
}

/// What a task holds, but for what threads that are in it have not yet added.
pub fn live_bytes(task: u32) -> i64 {
    // ORDERING: relaxed; a sum.
    cells(task).map_or(0, |cells| cells.live_bytes.load(Ordering::Relaxed) as i64)
}

/// The calling thread's current task, or 0.
pub fn current() -> u32 {
    Guard::take(|| {}).map_or(0, |mut guard| guard.state().task.id)
}

/// Counts that a task was entered (`by` 1) or is over (-1).
pub fn count_open(task: u32, by: i32) {
    if let Some(cells) = cells(task) {
        // ORDERING: relaxed; sums.
        cells.open.fetch_add(by as u32, Ordering::Relaxed);
        if by > 0 {
            cells.entries.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A block of this site, which has no label and belongs to the current task, is about to be freed. False: that is not
/// known of the site, and [`freeing`] must look.
#[inline(always)]
pub(crate) fn freeing_plain(guard: &mut Guard, site: u32, size: u64) -> bool {
    let row = guard.row();
    let current = &mut guard.state().task;
    match current.cells {
        Some(cells) if current.plain[site as usize % PLAIN] == Current::key(current.id, site) => {
            current.free(cells, row, size);
            true
        }
        _ => false,
    }
}

/// A block of this site is about to be freed.
pub(crate) fn freeing(guard: &mut Guard, site: u32, size: u64) {
    let task = site::task_of(&PROCESS, site);
    let Some(cells) = cells(task) else { return };
    let row = guard.row();
    let current = &mut guard.state().task;
    if current.id != task {
        // ORDERING: relaxed; a sum.
        cells.live_bytes.fetch_sub(size, Ordering::Relaxed);
        return;
    }
    current.free(cells, row, size);
    if site::label_of(&PROCESS, site) == 0 {
        current.plain[site as usize % PLAIN] = Current::key(task, site);
    }
}

/// A free of a block of this site did not happen.
#[cold]
pub(crate) fn taken_back(guard: &mut Guard, site: u32, size: u64) {
    let task = site::task_of(&PROCESS, site);
    let current = &mut guard.state().task;
    if current.id == task {
        current.freed_bytes = current.freed_bytes.wrapping_sub(size);
    } else if let Some(cells) = cells(task) {
        // ORDERING: relaxed; a sum.
        cells.live_bytes.fetch_add(size, Ordering::Relaxed);
    }
}
