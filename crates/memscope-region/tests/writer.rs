//! A region as it is written and as it lies in its file: chunks that are mapped without a descriptor are those of the file,
//! where the header says; rows and texts never cross a chunk's end; a table that is full says so.

use memscope_region::header::{CHUNKS_OFFSET, HEADER_BYTES, MAGIC, VERSION};
use memscope_region::sys;
use memscope_region::table::{CHUNKS_PER_TABLE, EXTENT_BYTES, RECORD_CHUNK_BYTES, REGION_BYTES};
use memscope_region::writer::Writer;
use memscope_region::{CounterRow, Header, HeaderRow, NodeRow, Table};
use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::os::fd::FromRawFd;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};

/// A region whose writer has no descriptor any more, and its file as a reader has it.
fn region() -> (&'static Writer, Reader) {
    let fd = sys::memory_file(c"writer", REGION_BYTES).expect("a memory file");
    // SAFETY: plain numbers.
    let theirs = unsafe { libc::dup(fd) };
    let place: *mut Writer = sys::map_private(size_of::<Writer>()).expect("memory").cast();
    // SAFETY: fresh zeroed memory that is never unmapped.
    let writer = unsafe { Writer::create(place, fd) }.expect("a region");
    sys::close(fd);
    // SAFETY: the descriptor was just made and is nobody else's.
    (writer, Reader(unsafe { File::from_raw_fd(theirs) }))
}

struct Reader(File);

impl Reader {
    fn bytes(&self, offset: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.0.read_exact_at(&mut bytes, offset).expect("the file is as long as a region");
        bytes
    }

    fn header(&self) -> HeaderRow {
        HeaderRow::decode(&self.bytes(0, HeaderRow::BYTES)).expect("it is long enough")
    }

    /// Where a row lies, by the directory of chunks; `None` if its chunk does not exist.
    fn offset(&self, table: Table, row: u32) -> Option<u64> {
        let chunk = row / table.rows_per_chunk();
        let entry = table as u64 * CHUNKS_PER_TABLE as u64 + u64::from(chunk);
        let entry = self.bytes(CHUNKS_OFFSET + entry * 4, 4);
        let extent = u32::from_ne_bytes(entry.try_into().expect("four bytes"));
        let within = u64::from(row % table.rows_per_chunk()) * table.row_bytes();
        (extent != 0).then(|| u64::from(extent) * EXTENT_BYTES + within)
    }

    fn row(&self, table: Table, row: u32) -> Vec<u8> {
        let offset = self.offset(table, row).expect("the row's chunk exists");
        self.bytes(offset, table.row_bytes() as usize)
    }

    /// Every chunk there is: where it begins and ends.
    fn chunks(&self) -> BTreeMap<u64, u64> {
        let mut chunks = BTreeMap::new();
        for table in Table::ALL {
            for chunk in 0..CHUNKS_PER_TABLE as u32 {
                let first = chunk * table.rows_per_chunk();
                if let Some(offset) = self.offset(table, first) {
                    assert!(chunks.insert(offset, offset + table.chunk_bytes()).is_none());
                }
            }
        }
        chunks
    }
}

#[test]
fn a_fresh_region_says_what_it_is() {
    let (_, reader) = region();
    let header = reader.header();
    assert_eq!((header.magic, header.version, header.ready), (MAGIC, VERSION, 0));
    assert_eq!(header.region_bytes, REGION_BYTES);
    assert_eq!(header.next_extent * EXTENT_BYTES, HEADER_BYTES);
    assert_eq!(header.rows, [0; Table::ALL.len()]);
    assert!(reader.chunks().is_empty());
}

#[test]
fn rows_of_many_chunks_are_read_back_from_the_file() {
    let (writer, reader) = region();
    // Each table in turn, so that its chunks lie between others'.
    for round in 0..3 {
        for _ in 0..Table::Counters.rows_per_chunk() / 16 {
            let first = writer.claim(Table::Counters, 16).expect("room");
            for row in first..first + 16 {
                let cells = writer.counter(row).expect("claimed");
                cells.allocations.store(u64::from(row) * 3, Ordering::Relaxed);
                cells.site.store(row + 1, Ordering::Release);
            }
        }
        for _ in 0..Table::Nodes.rows_per_chunk() {
            let row = writer.claim(Table::Nodes, 1).expect("room");
            writer.node(row).expect("claimed").word.store(!u64::from(row), Ordering::Release);
        }
        let header = reader.header();
        assert_eq!(
            header.rows[Table::Counters as usize],
            (round + 1) * Table::Counters.rows_per_chunk()
        );
        assert_eq!(header.rows[Table::Nodes as usize], (round + 1) * Table::Nodes.rows_per_chunk());
    }
    for number in (0..3 * Table::Counters.rows_per_chunk()).step_by(101) {
        let row = CounterRow::decode(&reader.row(Table::Counters, number)).expect("a row");
        assert_eq!((row.site, row.allocations), (number + 1, u64::from(number) * 3));
    }
    for number in (0..3 * Table::Nodes.rows_per_chunk()).step_by(997) {
        let row = NodeRow::decode(&reader.row(Table::Nodes, number)).expect("a row");
        assert_eq!(row.word, !u64::from(number));
    }
    assert_eq!(reader.offset(Table::Nodes, 3 * Table::Nodes.rows_per_chunk()), None);
    assert!(writer.node(3 * Table::Nodes.rows_per_chunk()).is_none());
}

#[test]
fn chunks_lie_side_by_side_and_within_what_was_handed_out() {
    let (writer, reader) = region();
    for table in Table::ALL {
        for _ in 0..3 {
            let rows = table.rows_per_chunk();
            writer.claim(table, rows).expect("room");
        }
        writer.record_chunk(|made| made.map(|_| ())).expect("room");
    }
    let chunks = reader.chunks();
    assert_eq!(chunks.len(), 3 * Table::ALL.len());
    let mut end = HEADER_BYTES;
    let mut records = 0;
    for (from, to) in &chunks {
        assert!(*from >= end, "chunks overlap");
        // What is left out between two chunks is records.
        records += from - end;
        end = *to;
    }
    records += reader.header().next_extent * EXTENT_BYTES - end;
    assert_eq!(records, Table::ALL.len() as u64 * RECORD_CHUNK_BYTES);
}

#[test]
fn records_are_mapped_once_where_the_file_has_them() {
    let (writer, reader) = region();
    writer.claim(Table::Sites, 1).expect("room");
    let made = writer.record_chunk(|made| made).expect("room");
    let (place, offset) = made;
    let last = (RECORD_CHUNK_BYTES - 8) as usize;
    // SAFETY: the chunk's first and last words, mapped and aligned.
    unsafe {
        place.cast::<u64>().write(1234);
        place.wrapping_add(last).cast::<u64>().write(5678);
    }
    let word = |at: u64| u64::from_ne_bytes(reader.bytes(at, 8).try_into().expect("eight bytes"));
    assert_eq!((word(offset), word(offset + last as u64)), (1234, 5678));
    // Where another thread was quicker nothing is made.
    let before = reader.header().next_extent;
    let found = writer.record_chunk(|made| if made.is_none() { Some("theirs") } else { None });
    assert_eq!((found, reader.header().next_extent), (Some("theirs"), before));
}

#[test]
fn texts_do_not_cross_a_chunk_s_end() {
    let (writer, reader) = region();
    let chunk = Table::Text.rows_per_chunk();
    let mut texts = Vec::new();
    // Together four chunks, by lengths that do not divide one.
    for number in 0..40_u32 {
        let text: Vec<u8> = (0..100_003 + number).map(|i| (i * 7 + number) as u8).collect();
        let row = writer.claim_text(&text).expect("room");
        assert!(row % chunk + text.len() as u32 <= chunk, "text {number} crosses");
        texts.push((row, text));
    }
    for (row, text) in &texts {
        let offset = reader.offset(Table::Text, *row).expect("the chunk exists");
        assert!(reader.bytes(offset, text.len()) == *text);
    }
    let whole = vec![7; chunk as usize];
    let row = writer.claim_text(&whole).expect("a whole chunk is not too long");
    assert_eq!(row % chunk, 0);
    assert_eq!(writer.claim_text(&vec![7; chunk as usize + 1]), None);
    assert!(writer.claim_text(b"").is_some());
}

#[test]
fn a_full_table_says_so_and_stays_full() {
    let (writer, reader) = region();
    let table = Table::Threads;
    for row in 0..table.max_rows() {
        assert_eq!(writer.claim(table, 1), Some(row));
    }
    for rows in [1, 2, 16, 1] {
        assert_eq!(writer.claim(table, rows), None);
    }
    assert_eq!(reader.header().rows[table as usize], table.max_rows());
    assert!(writer.thread(table.max_rows() - 1).is_some());
    assert!(writer.thread(table.max_rows()).is_none());
    assert!(writer.claim(Table::Counters, 16).is_some(), "another table has its own room");
}

#[test]
fn threads_claim_each_row_once() {
    const THREADS: u32 = 4;
    let (writer, reader) = region();
    let claimed: Vec<Vec<u32>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                scope.spawn(move || {
                    let claim = |_| {
                        let row = writer.claim(Table::Shadow, 1).expect("room");
                        let cells = writer.shadow(row).expect("claimed");
                        cells.base.store(u64::from(row), Ordering::Relaxed);
                        cells.offset.store(u64::from(thread) + 1, Ordering::Release);
                        row
                    };
                    (0..5000).map(claim).collect()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    let rows: HashSet<u32> = claimed.iter().flatten().copied().collect();
    assert_eq!(rows.len(), 20_000);
    for (thread, rows) in claimed.iter().enumerate() {
        for row in rows {
            let bytes = reader.row(Table::Shadow, *row);
            let word = |at: usize| u64::from_ne_bytes(bytes[at..at + 8].try_into().expect("eight"));
            assert_eq!((word(0), word(8)), (u64::from(*row), thread as u64 + 1));
        }
    }
    assert_eq!(reader.header().rows[Table::Shadow as usize], 20_000);
}

/// A file that is too large to be had makes no region, and no panic.
#[test]
fn a_descriptor_that_is_none_makes_no_region() {
    let place: *mut Writer = sys::map_private(size_of::<Writer>()).expect("memory").cast();
    // SAFETY: fresh zeroed memory that is never unmapped.
    let made = unsafe { Writer::create(place, -1) };
    assert_eq!(made.err(), Some(libc::EBADF));
    assert_eq!(size_of::<Header>(), HeaderRow::BYTES);
    assert_eq!(align_of::<Header>(), align_of::<AtomicU64>());
}
