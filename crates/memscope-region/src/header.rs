//! The header: identity, clock, the process's totals at the peak, and where the tables' chunks lie.

use crate::row::{MissCause, row};
use crate::table::{CHUNKS_PER_TABLE, EXTENT_BYTES, REGION_BYTES, TABLES};

/// The first eight bytes of a region.
pub const MAGIC: u64 = u64::from_ne_bytes(*b"memscope");

/// The version of the layout. Any change to it raises the number.
pub const VERSION: u32 = 8;

/// The bytes at the region's start that belong to the header.
pub const HEADER_BYTES: u64 = EXTENT_BYTES;

/// Every allocation with its full stack.
pub const MODE_EXACT: u32 = 0;
/// A sample by bytes.
pub const MODE_SAMPLED: u32 = 1;
/// Totals only.
pub const MODE_COUNTING: u32 = 2;
/// Nothing: no region's mode, but a process that records itself may go from one mode to another.
///
/// The region keeps the mode that it was made for, by which its numbers are read. What is sampled in a region that is not
/// of mode sampled, or recorded exactly in one that is, has sites of its own, marked with [`crate::row::ODD`].
pub const MODE_OFF: u32 = 3;

/// How many changes of the mode a region remembers.
pub const KEPT_ERAS: usize = 11;

row! {
    /// The header as a reader decodes it; the directory of chunks follows at [`CHUNKS_OFFSET`].
    HeaderRow, Header, 512, {
        /// [`MAGIC`].
        magic: u64,
        /// [`VERSION`].
        version: u32,
        /// 1 when everything below holds. Stored last, with release.
        ready: u32,
        /// Process id.
        pid: u32,
        /// [`MODE_EXACT`], [`MODE_SAMPLED`] or [`MODE_COUNTING`].
        mode: u32,
        /// Mean bytes between two samples, 0 if not sampled.
        interval_bytes: u64,
        /// log2 of the bytes of address space that one record stands for: 5, or 4 for allocators with smaller classes.
        granule_shift: u32,
        /// Row of the command line in Text: arguments, each ended by a zero byte.
        command_row: u32,
        /// Length of the command line in bytes.
        command_bytes: u32,
        /// Row of the executable's path in Text.
        exe_row: u32,
        /// Length of the executable's path.
        exe_bytes: u32,
        /// How many modules were unloaded so far. Caches of addresses hold for one generation.
        generation: u32,
        /// CLOCK_REALTIME at the start, in nanoseconds.
        start_realtime_ns: u64,
        /// CLOCK_MONOTONIC at the start, in nanoseconds.
        start_monotonic_ns: u64,
        /// Size of the file.
        region_bytes: u64,
        /// The next free extent, in units of 64 KiB.
        next_extent: u64,
        /// Processes that this one made, each counted once.
        children: u64,
        /// Events that had no thread row to be counted in.
        unthreaded_attempts: u64,
        /// The same by cause.
        unthreaded_misses: [u64; MissCause::COUNT],
        /// Rows handed out, by table.
        rows: [u32; TABLES],
        /// Executions of another image in the place of this one that have begun and did not fail: 0 as long as the
        /// process is this image.
        replacements: u64,
        /// The process that this one was forked from; 0 if it began with the image that it is.
        forked_from: u32,
        /// 1 for as long as recording waits to be told to begin: 0 is stored from outside.
        waiting: u32,
        /// Blocks that were alive in the process that this one was forked from, when it was forked.
        inherited_blocks: u64,
        /// Their bytes.
        inherited_bytes: u64,
        /// By how many events of other threads, which went on during the fork, those two may be off; all ones: they are
        /// not known.
        inherited_doubt: u64,
        /// Reserved, zero; puts what follows on cache lines of its own.
        reserved: [u64; 1],
        /// The coarse clock that birth times are taken from, written from outside. See [`crate::record::Birth`].
        tick: u32,
        /// Raised each time that the live bytes are about to fall from above the old maximum.
        peak_epoch: u32,
        /// The largest live bytes seen so far.
        peak_bytes: u64,
        /// Tick at which the peak was last raised.
        peak_tick: u32,
        /// Reserved, zero.
        reserved_peak: [u32; 11],
        /// Live bytes of all threads, but for what each has not yet added (as i64).
        live_bytes: u64,
        /// Reserved, zero.
        reserved_live: [u64; 7],
        /// What was sampled in a region whose mode is not sampled (see [`MODE_OFF`]): allocations, their bytes, frees and
        /// theirs, in the units of a sampled thread's row.
        sample: [u64; 4],
        /// How often a mode was chosen, if the process chooses: the beginning is the first time. 0: it does not.
        eras: u32,
        /// The modes that were ever chosen: bit n for mode n.
        modes: u32,
        /// The latest of them, each in the place of its number modulo [`KEPT_ERAS`]: tick in the upper half, mode in
        /// the lower.
        era: [u64; KEPT_ERAS],
    }
}

/// Offset of [`HeaderRow::tick`], for the process that ticks.
pub const TICK_OFFSET: u64 = core::mem::offset_of!(Header, tick) as u64;

/// Offset of [`HeaderRow::waiting`], for the process that ends the waiting.
pub const WAITING_OFFSET: u64 = core::mem::offset_of!(Header, waiting) as u64;

/// Offset of the directory of chunks: `[[u32; CHUNKS_PER_TABLE]; TABLES]`, each the chunk's offset in the region in
/// units of [`EXTENT_BYTES`], 0 if the chunk does not exist.
pub const CHUNKS_OFFSET: u64 = 4096;

/// The bytes of the directory of chunks.
pub const CHUNKS_BYTES: usize = TABLES * CHUNKS_PER_TABLE * 4;

const _: () = {
    assert!(CHUNKS_OFFSET + CHUNKS_BYTES as u64 <= HEADER_BYTES);
    assert!(core::mem::offset_of!(Header, tick).is_multiple_of(64));
    assert!(core::mem::offset_of!(Header, live_bytes).is_multiple_of(64));
    assert!(REGION_BYTES / EXTENT_BYTES <= u32::MAX as u64);
};
