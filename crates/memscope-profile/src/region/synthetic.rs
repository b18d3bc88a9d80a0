//! A region written by hand, for tests: rows as a program would write them, or as it never would.
//!
//! Layout constants come from `memscope-region`; nothing of the reader is used, so that the two can disagree.

use memscope_region::header::{CHUNKS_OFFSET, HEADER_BYTES, MAGIC, VERSION};
use memscope_region::table::{CHUNKS_PER_TABLE, EXTENT_BYTES, RECORD_CHUNK_BYTES, TABLES};
use memscope_region::{
    AddressRow, CounterRow, HeaderRow, ModuleRow, NodeRow, ShadowRow, SiteRow, Table, ThreadRow,
};
use rustix::fs::{MemfdFlags, memfd_create};
use std::fs::File;
use std::os::unix::fs::FileExt;

/// A value as it stands in the file.
pub(crate) trait Encode {
    fn encode(&self, out: &mut Vec<u8>);
}

impl Encode for u32 {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.to_ne_bytes());
    }
}

impl Encode for u64 {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.to_ne_bytes());
    }
}

impl<T: Encode, const N: usize> Encode for [T; N] {
    fn encode(&self, out: &mut Vec<u8>) {
        self.iter().for_each(|it| it.encode(out));
    }
}

macro_rules! encode {
    ($($row:ident { $($field:ident)* })*) => { $(
        impl Encode for $row {
            fn encode(&self, out: &mut Vec<u8>) {
                let start = out.len();
                // Without `..`: a field that is added to the layout must be added here.
                let $row { $($field),* } = self;
                $($field.encode(out);)*
                assert_eq!(out.len() - start, $row::BYTES, "fields in order, no padding");
            }
        }
    )* };
}

encode! {
    HeaderRow { magic version ready pid mode interval_bytes granule_shift command_row command_bytes
        exe_row exe_bytes generation start_realtime_ns start_monotonic_ns region_bytes next_extent
        children unthreaded_attempts unthreaded_misses rows replacements forked_from waiting
        inherited_blocks inherited_bytes inherited_doubt reserved tick peak_epoch
        peak_bytes peak_tick reserved_peak live_bytes reserved_live sample eras modes era }
    ModuleRow { start end bias path_row path_bytes build_id_bytes unloaded build_id birth reserved }
    AddressRow { address module flags }
    NodeRow { word }
    SiteRow { node task birth kind }
    ThreadRow { tid state thread_pointer name birth reserved attempts successes allocations
        allocated_bytes frees freed_bytes temporary reallocs unknown_frees truncated_stacks
        foreign_stacks unflushed_bytes misses failed new_stacks slow_walks by_mode }
    CounterRow { site epoch allocations allocated_bytes frees freed_bytes temporary
        peak_blocks_and_largest peak_bytes }
    ShadowRow { base offset }
}

/// A row of zeros, to be filled in by struct update.
pub(crate) fn zeros<T>(decode: impl Fn(&[u8]) -> Option<T>) -> T {
    decode(&[0; 512]).expect("512 bytes are enough for any row")
}

/// A region under construction.
pub(crate) struct Synthetic {
    pub(crate) header: HeaderRow,
    tables: [Vec<u8>; TABLES],
    records: Vec<(u64, Vec<(u64, u64)>)>,
}

impl Synthetic {
    pub(crate) fn new() -> Self {
        let header = HeaderRow {
            magic: MAGIC,
            version: VERSION,
            ready: 1,
            pid: 42,
            granule_shift: 5,
            ..zeros(HeaderRow::decode)
        };
        Self { header, tables: Default::default(), records: Vec::new() }
    }

    /// Adds a row and gives its number plus one.
    pub(crate) fn push(&mut self, table: Table, row: &impl Encode) -> u32 {
        let bytes = &mut self.tables[table as usize];
        row.encode(bytes);
        (bytes.len() as u64 / table.row_bytes()) as u32
    }

    /// Adds a text and gives its row and length.
    pub(crate) fn text(&mut self, text: &str) -> (u32, u32) {
        let bytes = &mut self.tables[Table::Text as usize];
        let row = bytes.len() as u32;
        bytes.extend(text.as_bytes());
        (row, text.len() as u32)
    }

    pub(crate) fn module(&mut self, path: &str, start: u64) -> u32 {
        let (path_row, path_bytes) = self.text(path);
        let row = ModuleRow {
            start,
            end: start + 0x1000,
            bias: start,
            path_row,
            path_bytes,
            build_id_bytes: 3,
            build_id: [0x0003_0201, 0, 0, 0],
            ..zeros(ModuleRow::decode)
        };
        self.push(Table::Modules, &row)
    }

    pub(crate) fn address(&mut self, address: u64, module: u32) -> u32 {
        self.push(Table::Addresses, &AddressRow { address, module, flags: 1 })
    }

    pub(crate) fn node(&mut self, parent: u32, address: u32) -> u32 {
        let word = u64::from(address) << 32 | u64::from(parent);
        self.push(Table::Nodes, &NodeRow { word })
    }

    pub(crate) fn site(&mut self, node: u32, kind: u32) -> u32 {
        self.push(Table::Sites, &SiteRow { node, task: 0, birth: 7, kind })
    }

    /// Adds records: granule within the piece, word.
    pub(crate) fn records(&mut self, base: u64, records: &[(u64, u64)]) {
        self.records.push((base, records.to_vec()));
    }

    /// Writes it all into a sparse file in memory.
    pub(crate) fn build(mut self) -> File {
        let file = File::from(memfd_create("synthetic", MemfdFlags::CLOEXEC).expect("memfd"));
        let write = |bytes: &[u8], at: u64| file.write_all_at(bytes, at).expect("written");
        let mut free = HEADER_BYTES;
        let mut directory = vec![[0_u32; CHUNKS_PER_TABLE]; TABLES];
        for (base, records) in std::mem::take(&mut self.records) {
            self.push(Table::Shadow, &ShadowRow { base, offset: free });
            for (granule, word) in records {
                write(&word.to_ne_bytes(), free + granule * 8);
            }
            free += RECORD_CHUNK_BYTES;
        }
        for table in Table::ALL {
            let bytes = &self.tables[table as usize];
            self.header.rows[table as usize] = (bytes.len() as u64 / table.row_bytes()) as u32;
            let chunks = bytes.chunks(table.chunk_bytes() as usize);
            for (index, chunk) in chunks.enumerate() {
                directory[table as usize][index] = (free / EXTENT_BYTES) as u32;
                write(chunk, free);
                free += table.chunk_bytes();
            }
        }
        let mut header = Vec::new();
        self.header.encode(&mut header);
        write(&header, 0);
        let directory: Vec<u8> =
            directory.iter().flatten().flat_map(|word| word.to_ne_bytes()).collect();
        write(&directory, CHUNKS_OFFSET);
        file.set_len(free).expect("sized");
        file
    }
}
