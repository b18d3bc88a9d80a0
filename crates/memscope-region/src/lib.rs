//! The region: what a profiled program writes and a reader reads.
//!
//! One region describes one process. It is a sparse file (a memfd, or a file that the program names) that the
//! process maps shared, in chunks, as it needs them. The program only ever writes loads-and-stores into it; every
//! question is answered by a reader outside, which trusts nothing that it finds here.
//!
//! ```text
//! offset 0          Header (64 KiB): identity, clock, totals at the peak, and for each table
//!                   the number of rows and the file offset of each chunk
//! 64 KiB ..         extents, handed out by `Header::next_extent` in units of 64 KiB, never moved, never
//!                   given back. An extent is one chunk of one table, or 64 MiB of block records.
//!
//! table             row               what a row is
//! Modules           ModuleRow   128   a mapped object: path, build id, where it lies
//! Addresses         AddressRow   16   a return address, and the module it was in when it was first met
//! Nodes             NodeRow       8   a node of the prefix tree of stacks: parent node, address
//! Sites             SiteRow      16   a stack, the kind of call, the task
//! Threads           ThreadRow   256   a thread: its own totals, attempts, successes and misses by cause
//! Counters          CounterRow   64   what one thread did at one site, and the same at the peak; before every 15 of them, whose they are
//! Shadow            ShadowRow    16   where the records of 2^23 granules of address space lie
//! Text              bytes             paths, command lines, names
//! Labels            LabelRow    128   a name that the program gave to blocks, and what bears it
//! Tasks             TaskRow      64   a task, a scope or a span, and what it holds
//! ```
//!
//! Invariants:
//! - A row is written before its marker field, which is stored with release ordering and is never zero in a
//!   row that is complete. `Header::rows` counts rows handed out: the last ones may not be complete yet.
//! - Rows of Modules, Addresses, Nodes and Sites never change once complete (a module's `unloaded` apart).
//! - A `CounterRow` and the counters of a `ThreadRow` have one writer. Whoever wants a site's total adds up.
//! - A record (see [`record`]) belongs to whoever owns the block.
//!
//! Deliberately absent: symbols, names, anything that needs thought. Those are the reader's.
#![no_std]

pub mod arch;
pub mod header;
pub mod hello;
pub mod record;
pub mod row;
pub mod sys;
pub mod table;
pub mod writer;

pub use header::{Header, HeaderRow};
pub use row::{
    AddressRow, CounterRow, Kind, LabelRow, MissCause, ModuleRow, NodeRow, ShadowRow, SiteRow,
    TaskRow, ThreadRow,
};
pub use table::Table;
