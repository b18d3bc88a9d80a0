//! The writing side: a region being made, and its tables as memory.
//!
//! Extents are mapped one after the other. Each mapping takes one page more than it needs, the first page of the
//! next extent: from that page the next mapping is made (see [`sys::map_from_seed`]), so no file descriptor is kept.
//! Where the system does not do that (valgrind), a descriptor is kept after all, high up, and used only while it is
//! still the region's.
//!
//! Invariants: nothing that was mapped moves or goes away; a row pointer is good for ever. Growing is done under a
//! flag that is tried, never waited for without bound: who cannot have it in time counts a miss.

use crate::header::{self, Header};
use crate::sys::{self, PAGE_BYTES};
use crate::table::{CHUNKS_PER_TABLE, EXTENT_BYTES, TABLES, Table};
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

/// The kept descriptor's least number, where there has to be one.
const KEPT_FD: i32 = 500;

/// How often growing is tried before it counts as failed: for a fifth of a second (see [`sys::wait_for_flag`]).
const GROW_TRIES: u32 = 1_100;

/// A region being written by this process.
#[derive(Debug)]
pub struct Writer {
    header: *const Header,
    /// The page from which the next extent is mapped.
    seed: AtomicPtr<u8>,
    /// The descriptor that had to be kept, plus one; 0: none.
    kept: i32,
    identity: (u64, u64),
    growing: AtomicU32,
    chunks: [[AtomicPtr<u8>; CHUNKS_PER_TABLE]; TABLES],
}

// SAFETY: the header is shared memory made of atomics; the rest is atomics.
unsafe impl Sync for Writer {}
// SAFETY: as above, nothing belongs to a thread.
unsafe impl Send for Writer {}

impl Writer {
    /// Makes a region in the file `fd`, which is empty and as long as the region may become. The descriptor may be closed after.
    ///
    /// `place` is zeroed memory for the writer itself.
    ///
    /// # Safety
    /// `place` is valid for `size_of::<Writer>()` zero bytes, aligned, used by nobody else, and lives for ever.
    pub unsafe fn create(place: *mut Writer, fd: i32) -> Result<&'static Writer, sys::Errno> {
        let bytes = header::HEADER_BYTES as usize;
        let base = sys::map_file(fd, 0, bytes + PAGE_BYTES)?;
        // SAFETY: the mapping is ours, and not wanting it in core dumps destroys nothing.
        unsafe { sys::advise(base, bytes + PAGE_BYTES, libc::MADV_DONTDUMP) };
        // SAFETY: all-zero bytes are a valid Writer, and the caller gave the place away.
        let writer = unsafe {
            (*place).header = base.cast();
            match sys::map_from_seed(base, PAGE_BYTES) {
                Ok(probe) => sys::unmap(probe, PAGE_BYTES),
                // Forbidden, not missing: a descriptor would stay open in a program that may count them.
                Err(errno) if sys::is_confined() => return Err(errno),
                Err(_) => {
                    (*place).identity = sys::identity(fd)?;
                    (*place).kept =
                        sys::duplicate(fd, KEPT_FD).or_else(|_| sys::duplicate(fd, 0))? + 1;
                }
            }
            &*place
        };
        // ORDERING: relaxed; nobody else knows the writer yet.
        writer.seed.store(base.wrapping_add(bytes), Ordering::Relaxed);
        let header = writer.header();
        // ORDERING: relaxed; `ready` is stored with release when the rest stands.
        header.magic.store(header::MAGIC, Ordering::Relaxed);
        header.version.store(header::VERSION, Ordering::Relaxed);
        header.region_bytes.store(sys::status(fd)?.st_size as u64, Ordering::Relaxed);
        header.next_extent.store(header::HEADER_BYTES / EXTENT_BYTES, Ordering::Relaxed);
        Ok(writer)
    }

    /// The header.
    #[inline(always)]
    pub fn header(&self) -> &Header {
        // SAFETY: mapped in `create` and never unmapped.
        unsafe { &*self.header }
    }

    /// Takes `bytes` (a multiple of [`EXTENT_BYTES`]) of the region: where they are mapped and their offset.
    /// The caller holds the flag `growing`.
    fn extent(&self, bytes: u64) -> Option<(*mut u8, u64)> {
        let header = self.header();
        // ORDERING: relaxed; both are only changed under the flag, whose taking and giving order them.
        let offset = header.next_extent.load(Ordering::Relaxed) * EXTENT_BYTES;
        let seed = self.seed.load(Ordering::Relaxed);
        // ORDERING: relaxed; stored before the writer was known to anybody.
        if offset + bytes + PAGE_BYTES as u64 > header.region_bytes.load(Ordering::Relaxed) {
            return None;
        }
        let base = if self.kept == 0 {
            // SAFETY: `seed` is the page at `offset`, mapped by the extent before and never unmapped.
            unsafe { sys::map_from_seed(seed, bytes as usize + PAGE_BYTES) }.ok()?
        } else {
            let fd = self.kept - 1;
            if sys::identity(fd) != Ok(self.identity) {
                return None;
            }
            let base = sys::map_file(fd, offset, bytes as usize + PAGE_BYTES).ok()?;
            // SAFETY: as in `create`.
            unsafe { sys::advise(base, bytes as usize + PAGE_BYTES, libc::MADV_DONTDUMP) };
            base
        };
        // ORDERING: as above.
        self.seed.store(base.wrapping_add(bytes as usize), Ordering::Relaxed);
        header.next_extent.store((offset + bytes) / EXTENT_BYTES, Ordering::Relaxed);
        Some((base, offset))
    }

    /// Runs `work` under the flag. `None` if the flag could not be had in time, or if `work` gives none.
    fn grow<T>(&self, work: impl FnOnce(&Self) -> Option<T>) -> Option<T> {
        // ORDERING: acquire on taking and release on giving back, so that what is done under the flag is seen by
        // the next to take it.
        let mut tries = 0;
        while self
            .growing
            .compare_exchange_weak(0, 1, Ordering::Acquire, Ordering::Relaxed)
            .is_err()
        {
            if tries == GROW_TRIES {
                return None;
            }
            sys::wait_for_flag(&self.growing, tries);
            tries += 1;
        }
        let result = work(self);
        // ORDERING: release, see above.
        self.growing.store(0, Ordering::Release);
        result
    }

    /// Memory for the records of 2^23 granules: where it is and its offset. `publish` is run under the flag, first with
    /// `None` to ask whether another thread was quicker, then with what was made.
    pub fn record_chunk<T>(
        &self,
        publish: impl Fn(Option<(*mut u8, u64)>) -> Option<T>,
    ) -> Option<T> {
        self.grow(|writer| {
            if let Some(found) = publish(None) {
                return Some(found);
            }
            let made = writer.extent(crate::table::RECORD_CHUNK_BYTES)?;
            publish(Some(made))
        })
    }

    /// Takes `rows` rows that lie in one chunk, and returns the first. `rows` is a power of two not above the
    /// chunk's. `None` if the table is full.
    pub fn claim(&self, table: Table, rows: u32) -> Option<u32> {
        // ORDERING: relaxed; a claimed row is nobody else's, and its contents are published by its marker.
        let next = &self.header().rows[table as usize];
        let first = next.fetch_add(rows, Ordering::Relaxed);
        if first > table.max_rows() - rows {
            // Full. The count must not creep up until it wraps.
            next.store(table.max_rows(), Ordering::Relaxed);
            return None;
        }
        self.ensure(table, first)?;
        Some(first)
    }

    /// Takes room for `bytes` of text: the row where it begins. `None` if there is none, or more than a chunk is asked.
    pub fn claim_text(&self, text: &[u8]) -> Option<u32> {
        let per_chunk = Table::Text.rows_per_chunk();
        let bytes = u32::try_from(text.len()).ok().filter(|bytes| *bytes <= per_chunk)?;
        let next = &self.header().rows[Table::Text as usize];
        // ORDERING: relaxed; whoever is given the row reads it by way of a marker stored with release.
        let mut first = next.load(Ordering::Relaxed);
        loop {
            let start = if first % per_chunk + bytes > per_chunk {
                first.next_multiple_of(per_chunk)
            } else {
                first
            };
            if start >= Table::Text.max_rows() {
                return None;
            }
            // ORDERING: relaxed, as above.
            match next.compare_exchange_weak(
                first,
                start + bytes,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => {
                    let row = self.ensure(Table::Text, start)?;
                    // SAFETY: the bytes from `row` on were claimed for this text and lie in one chunk.
                    unsafe { row.copy_from_nonoverlapping(text.as_ptr(), text.len()) };
                    return Some(start);
                }
                Err(now) => first = now,
            }
        }
    }

    /// A text that was claimed and published.
    pub fn text(&self, row: u32, bytes: u32) -> Option<&[u8]> {
        if row % Table::Text.rows_per_chunk() + bytes > Table::Text.rows_per_chunk() {
            return None;
        }
        let place = self.row(Table::Text, row)?;
        // SAFETY: within one chunk, which is mapped for ever; texts do not change once they are published.
        Some(unsafe { core::slice::from_raw_parts(place, bytes as usize) })
    }

    /// The row's place, its chunk made if need be.
    fn ensure(&self, table: Table, row: u32) -> Option<*mut u8> {
        if let Some(place) = self.row(table, row) {
            return Some(place);
        }
        let chunk = (row / table.rows_per_chunk()) as usize;
        self.grow(|writer| {
            let slot = &writer.chunks[table as usize][chunk];
            // ORDERING: relaxed; we hold the flag, and only its holder stores here.
            if slot.load(Ordering::Relaxed).is_null() {
                let (base, offset) = writer.extent(table.chunk_bytes())?;
                writer.publish_chunk(table, chunk, offset);
                // ORDERING: release, so that whoever finds the chunk finds it mapped.
                slot.store(base, Ordering::Release);
            }
            Some(())
        })?;
        self.row(table, row)
    }

    /// Writes a chunk's offset into the header's directory.
    fn publish_chunk(&self, table: Table, chunk: usize, offset: u64) {
        let entry = table as usize * CHUNKS_PER_TABLE + chunk;
        let address =
            self.header.cast::<u8>().wrapping_add(header::CHUNKS_OFFSET as usize + entry * 4);
        // SAFETY: the directory lies in the header's mapping (asserted there), and `chunk` is below its bound.
        let slot = unsafe { &*address.cast::<AtomicU32>() };
        // ORDERING: release; a reader that sees the offset sees the file long enough (its size was set once).
        slot.store((offset / EXTENT_BYTES) as u32, Ordering::Release);
    }

    /// The row's place, if its chunk exists.
    #[inline(always)]
    pub fn row(&self, table: Table, row: u32) -> Option<*mut u8> {
        let chunk = self.chunks[table as usize].get((row / table.rows_per_chunk()) as usize)?;
        // ORDERING: acquire, so that the chunk is seen mapped and its complete rows as they are.
        let base = chunk.load(Ordering::Acquire);
        if base.is_null() {
            return None;
        }
        Some(
            base.wrapping_add((row % table.rows_per_chunk()) as usize * table.row_bytes() as usize),
        )
    }
}

/// Ties each kind of row to its table, so that a row cannot be taken for another.
macro_rules! typed_rows {
    ($($name:ident: $cells:ident in $table:ident,)*) => {
        impl Writer {
            $(
                #[doc = concat!("A row of the table ", stringify!($table), ", if its chunk exists.")]
                #[inline(always)]
                pub fn $name(&self, row: u32) -> Option<&'static crate::row::$cells> {
                    // SAFETY: chunks are mapped for ever, zeroed, aligned to pages, made of rows of this type.
                    self.row(Table::$table, row).map(|place| unsafe { &*place.cast() })
                }
            )*
        }
    };
}

typed_rows! {
    module: ModuleCells in Modules,
    address: AddressCells in Addresses,
    node: NodeCells in Nodes,
    site: SiteCells in Sites,
    thread: ThreadCells in Threads,
    counter: CounterCells in Counters,
    shadow: ShadowCells in Shadow,
    label: LabelCells in Labels,
    task: TaskCells in Tasks,
}
