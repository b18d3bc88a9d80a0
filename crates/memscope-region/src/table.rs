//! The tables of a region: how large their rows and chunks are.
//!
//! A table is a list of chunks of equal size; row `i` lies in chunk `i / rows_per_chunk`. Chunks never move, so a
//! pointer to a row stays good for as long as the process lives.

/// The unit in which the region's file is handed out, and in which chunk offsets are written down.
pub const EXTENT_BYTES: u64 = 64 << 10;

/// The size of the sparse file, set once. Only what is touched takes memory.
pub const REGION_BYTES: u64 = 1 << 40;

/// Under a limit on file size a region may be smaller, but not smaller than this: a few chunks of each table and of records.
/// What finds no room in it is counted as missed.
pub const MIN_REGION_BYTES: u64 = 256 << 20;

/// How large a region can be where files may have `limit_bytes`; `None` if there is no room for one.
pub const fn region_bytes_within(limit_bytes: u64) -> Option<u64> {
    match limit_bytes / EXTENT_BYTES * EXTENT_BYTES {
        0..MIN_REGION_BYTES => None,
        MIN_REGION_BYTES..REGION_BYTES => Some(limit_bytes / EXTENT_BYTES * EXTENT_BYTES),
        REGION_BYTES.. => Some(REGION_BYTES),
    }
}

/// How many chunks a table can have.
pub const CHUNKS_PER_TABLE: usize = 1024;

/// The bytes of block records that are mapped at a time: 2^23 records.
pub const RECORD_CHUNK_BYTES: u64 = 64 << 20;

/// The number of tables.
pub const TABLES: usize = 10;

/// A table of the region. The number is its place in [`crate::Header`]'s directories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(usize)]
pub enum Table {
    /// Mapped objects: [`crate::ModuleRow`].
    Modules = 0,
    /// Return addresses: [`crate::AddressRow`].
    Addresses = 1,
    /// The prefix tree of stacks: [`crate::NodeRow`].
    Nodes = 2,
    /// Allocation sites: [`crate::SiteRow`].
    Sites = 3,
    /// Threads: [`crate::ThreadRow`].
    Threads = 4,
    /// Counters by thread and site: [`crate::CounterRow`].
    Counters = 5,
    /// Where block records lie: [`crate::ShadowRow`].
    Shadow = 6,
    /// Bytes of paths and command lines. A text never crosses a chunk's end.
    Text = 7,
    /// Names that the program gave to blocks, and who gave them: [`crate::LabelRow`].
    Labels = 8,
    /// Tasks, scopes and spans: [`crate::TaskRow`].
    Tasks = 9,
}

impl Table {
    /// Every table, in the order of their numbers.
    pub const ALL: [Table; TABLES] = [
        Table::Modules,
        Table::Addresses,
        Table::Nodes,
        Table::Sites,
        Table::Threads,
        Table::Counters,
        Table::Shadow,
        Table::Text,
        Table::Labels,
        Table::Tasks,
    ];

    /// The size of a row in bytes.
    pub const fn row_bytes(self) -> u64 {
        match self {
            Table::Modules | Table::Labels => 128,
            Table::Addresses | Table::Sites | Table::Shadow => 16,
            Table::Nodes => 8,
            Table::Threads => 256,
            Table::Counters | Table::Tasks => 64,
            Table::Text => 1,
        }
    }

    /// The size of a chunk in bytes, a multiple of [`EXTENT_BYTES`].
    pub const fn chunk_bytes(self) -> u64 {
        match self {
            Table::Modules | Table::Threads | Table::Shadow => EXTENT_BYTES,
            Table::Addresses | Table::Sites | Table::Text | Table::Labels | Table::Tasks => 1 << 20,
            Table::Nodes => 2 << 20,
            Table::Counters => 4 << 20,
        }
    }

    /// How many rows a chunk holds (a power of two).
    pub const fn rows_per_chunk(self) -> u32 {
        (self.chunk_bytes() / self.row_bytes()) as u32
    }

    /// How many rows the table can have at most. Sites are bounded by the 24 bits that a record has for them.
    pub const fn max_rows(self) -> u32 {
        match self {
            // An id is a row plus one.
            Table::Sites => (1 << 24) - 1,
            // A site has 22 bits for a label.
            Table::Labels => (1 << 22) - 1,
            _ => self.rows_per_chunk() * CHUNKS_PER_TABLE as u32,
        }
    }
}

const _: () = {
    let mut i = 0;
    while i < TABLES {
        let table = Table::ALL[i];
        assert!(table as usize == i);
        assert!(table.chunk_bytes().is_multiple_of(EXTENT_BYTES));
        assert!(table.rows_per_chunk().is_power_of_two());
        i += 1;
    }
};
