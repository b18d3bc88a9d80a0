//! A fork, seen from both sides: what the child has of its parent, and who counts it.
//!
//! The parent counts the child once it is made. A child that was made past the hooks counts itself (see
//! [`Process::leave_parent`](crate::process::Process::leave_parent)); a mark in the state of the forking thread, of
//! which the child has a copy, tells the two apart, whichever code of the child allocates first.

use crate::arch;
use crate::process::PROCESS;
use crate::thread::{Guard, ThreadState};
use core::sync::atomic::{AtomicU64, Ordering};
use memscope_region::Table;
use memscope_region::header::MODE_COUNTING;
use memscope_region::row::{BY_MODE_FLUSHED, Fill, ThreadCells};
use memscope_region::writer::Writer;

/// A fork that is about to happen.
#[derive(Debug)]
pub struct Fork {
    /// The region of the process that forks; `None` if it does not record.
    writer: Option<&'static Writer>,
    thread: Option<&'static ThreadState>,
    blocks: u64,
    bytes: u64,
    /// Events of other threads that were done before those two were read.
    done_by_others: u64,
}

impl Fork {
    /// Call it before the fork. Reads the rows of all threads that the process ever had.
    pub fn begin(start: impl Fn()) -> Self {
        // So that the thread has a state.
        drop(Guard::take(start));
        let writer = PROCESS.writer().filter(|_| PROCESS.is_on());
        let thread = ThreadState::own();
        if let Some(thread) = thread {
            thread.set_forking(true);
        }
        let Some(region) = writer else {
            return Self { writer, thread, blocks: 0, bytes: 0, done_by_others: 0 };
        };
        // The others' events first: whoever goes on afterwards is noticed.
        let done_by_others = sum_of_others(region, |row| {
            let misses = row.misses.iter().skip(1).map(load).fold(0, u64::wrapping_add);
            load(&row.successes).wrapping_add(misses)
        });
        // ORDERING: relaxed; constant since the start.
        let is_counting = region.header().mode.load(Ordering::Relaxed) == MODE_COUNTING;
        let difference = |one: &AtomicU64, other: &AtomicU64| load(one).wrapping_sub(load(other));
        Self {
            writer,
            thread,
            blocks: sum(region, |row| difference(&row.allocations, &row.frees)),
            bytes: sum(region, |row| match is_counting {
                true => {
                    load(&row.by_mode[BY_MODE_FLUSHED]).wrapping_add(load(&row.unflushed_bytes))
                }
                false => difference(&row.allocated_bytes, &row.freed_bytes),
            }),
            done_by_others,
        }
    }

    /// Call it in the parent. `is_made`: whether there is a child.
    pub fn in_parent(self, is_made: bool) {
        let Some(thread) = self.thread else { return };
        thread.set_forking(false);
        if let Some(writer) = PROCESS.writer().filter(|_| is_made) {
            // ORDERING: relaxed, a counter.
            writer.header().children.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Call it in the child, once it has started. Says in its region what it inherited.
    pub fn in_child(self) {
        let (Some(before), Some(writer)) = (self.writer, PROCESS.writer()) else { return };
        let header = writer.header();
        let begun_by_others = sum_of_others(before, |row| load(&row.attempts));
        header.inherited_blocks.fill(self.blocks);
        header.inherited_bytes.fill(self.bytes);
        header.inherited_doubt.fill(begun_by_others.wrapping_sub(self.done_by_others));
    }
}

fn load(counter: &AtomicU64) -> u64 {
    // ORDERING: relaxed, a counter that another thread may be writing.
    counter.load(Ordering::Relaxed)
}

/// A sum over the rows of all threads, which wraps as counters do.
fn sum(writer: &Writer, of: impl Fn(&ThreadCells) -> u64) -> u64 {
    // ORDERING: relaxed; a row that is not complete yet is all zeroes.
    let rows = writer.header().rows[Table::Threads as usize].load(Ordering::Relaxed);
    (0..rows).filter_map(|row| writer.thread(row)).map(of).fold(0, u64::wrapping_add)
}

/// The same without the calling thread. In a child of fork the thread has the thread pointer that it had.
fn sum_of_others(writer: &Writer, of: impl Fn(&ThreadCells) -> u64) -> u64 {
    let own = arch::thread_pointer() as u64;
    sum(writer, |row| if load(&row.thread_pointer) == own { 0 } else { of(row) })
}
