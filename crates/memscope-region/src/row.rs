//! The rows of the region's tables.
//!
//! Each row is defined once and exists in two forms: the one that the program writes, made of atomics
//! (`ThreadCells`), and the plain one that a reader decodes from bytes (`ThreadRow`). Decoding never fails: any
//! bytes are a row, and whether its contents make sense is for the reader to check.

use crate::table::Table;
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};

/// A type that can stand in a row: how it is stored and how it is read.
pub trait Field: Sized + Copy {
    /// The form in which the program stores it.
    type Cell;
    /// Reads the value from the front of `bytes`, which is long enough (callers index by layout).
    fn decode(bytes: &[u8]) -> Self;
}

impl Field for u32 {
    type Cell = AtomicU32;
    fn decode(bytes: &[u8]) -> Self {
        u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
    }
}

impl Field for u64 {
    type Cell = AtomicU64;
    fn decode(bytes: &[u8]) -> Self {
        let mut word = [0; 8];
        word.copy_from_slice(&bytes[..8]);
        u64::from_ne_bytes(word)
    }
}

/// A store of one part of something that is published as a whole: by a marker, or by a pointer to it, that is stored
/// with release after all parts.
pub trait Fill<T> {
    /// Stores the part.
    fn fill(&self, value: T);
}

impl Fill<u32> for AtomicU32 {
    #[inline(always)]
    fn fill(&self, value: u32) {
        // ORDERING: relaxed; the release store that publishes the whole orders it.
        self.store(value, Ordering::Relaxed);
    }
}

impl Fill<u64> for AtomicU64 {
    #[inline(always)]
    fn fill(&self, value: u64) {
        // ORDERING: relaxed, as above.
        self.store(value, Ordering::Relaxed);
    }
}

impl<T> Fill<*mut T> for AtomicPtr<T> {
    fn fill(&self, value: *mut T) {
        // ORDERING: relaxed, as above.
        self.store(value, Ordering::Relaxed);
    }
}

impl<T: Field, const N: usize> Field for [T; N] {
    type Cell = [T::Cell; N];
    fn decode(bytes: &[u8]) -> Self {
        core::array::from_fn(|i| T::decode(&bytes[i * size_of::<T>()..]))
    }
}

/// Defines a row in both forms and pins its size.
macro_rules! row {
    ($(#[$doc:meta])* $row:ident, $cells:ident, $size:expr, { $($(#[$fdoc:meta])* $field:ident: $ty:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(C)]
        pub struct $row { $($(#[$fdoc])* pub $field: $ty,)* }

        #[doc = concat!("[`", stringify!($row), "`] as the program stores it.")]
        #[derive(Debug)]
        #[repr(C)]
        pub struct $cells { $($(#[$fdoc])* pub $field: <$ty as $crate::row::Field>::Cell,)* }

        impl $row {
            /// The size in bytes.
            pub const BYTES: usize = $size;

            /// Decodes a row. `bytes` must be at least [`Self::BYTES`] long; `None` otherwise.
            pub fn decode(bytes: &[u8]) -> Option<Self> {
                let bytes = bytes.get(..Self::BYTES)?;
                Some(Self { $($field: <$ty as $crate::row::Field>::decode(
                    &bytes[core::mem::offset_of!($cells, $field)..]),)* })
            }
        }

        const _: () = assert!(size_of::<$cells>() == $size && size_of::<$row>() == $size);
    };
}
pub(crate) use row;

row! {
    /// A mapped object. A module that is unloaded keeps its row; loaded again, it gets a new one.
    ModuleRow, ModuleCells, 128, {
        /// First mapped address.
        start: u64,
        /// One past the last mapped address. The marker: not zero in a complete row.
        end: u64,
        /// What must be taken from a run-time address to get the address in the file's own terms (`l_addr`).
        bias: u64,
        /// The path's place in the Text table. Empty text: the main program.
        path_row: u32,
        /// The path's length in bytes.
        path_bytes: u32,
        /// Length of the build id in bytes, 0 if the object has none; at most 32.
        build_id_bytes: u32,
        /// 1 once the object was unloaded.
        unloaded: u32,
        /// The build id's bytes.
        build_id: [u64; 4],
        /// Tick at which it was first met, see [`crate::record::Birth`].
        birth: u32,
        /// Reserved, zero.
        reserved: [u32; 13],
    }
}

row! {
    /// A return address that was met in a stack.
    AddressRow, AddressCells, 16, {
        /// The address as it stood on the stack: one past the call. For the innermost frame of an interrupted
        /// function, the instruction itself (see `flags`).
        address: u64,
        /// Row of the module plus one; 0 if no module covered the address.
        module: u32,
        /// Marker and flags: bit 0 always set; bit 1: the address is the instruction itself, not a return address.
        flags: u32,
    }
}

row! {
    /// A node of the prefix tree of stacks, stored as one 64-bit word. Node ids are the row plus one; a parent
    /// of 0 is the root, that is, this is the outermost frame.
    NodeRow, NodeCells, 8, {
        /// `address id << 32 | parent node id`; address ids are the row plus one, so a complete word is not zero.
        word: u64,
    }
}

row! {
    /// An allocation site: a stack and the kind of call. Site ids are the row plus one.
    SiteRow, SiteCells, 16, {
        /// The stack: a node id, or 0 if no frame could be had.
        node: u32,
        /// The task that was current, or 0.
        task: u32,
        /// Tick at which the site was first met.
        birth: u32,
        /// Marker: [`Kind`] in the low byte (never 0); bit 8: the stack is truncated; [`ODD`]; from bit
        /// [`LABEL_SHIFT`] on the label of its blocks, or 0.
        kind: u32,
    }
}

row! {
    /// A thread. Times are ticks (see [`crate::record::Birth`]). Every counter has the thread as its one writer.
    ///
    /// Sampled: allocations, frees, temporary and reallocs are estimates in units of 1 / [`COUNTS_PER_BLOCK`], bytes are
    /// estimates in bytes; attempts and successes are those of samples. Counting: freed bytes and live bytes are usable
    /// bytes; attempts and successes are not counted.
    ThreadRow, ThreadCells, 256, {
        /// Kernel thread id.
        tid: u32,
        /// 0: not complete; 1: open; 2: closed, another thread has taken over its tables.
        state: u32,
        /// The thread pointer, by which a successor finds the row.
        thread_pointer: u64,
        /// Name, as the kernel has it: at most 15 bytes and a zero.
        name: [u64; 2],
        /// Tick of the first event.
        birth: u32,
        /// Reserved, zero.
        reserved: u32,
        /// Events that should have been recorded, but for those counted in `misses` as [`MissCause::Reentered`].
        attempts: u64,
        /// Events that were.
        successes: u64,
        /// Allocations recorded (a realloc counts as one).
        allocations: u64,
        /// Bytes requested by them.
        allocated_bytes: u64,
        /// Frees recorded (the old half of a realloc counts as one).
        frees: u64,
        /// Bytes that they gave back.
        freed_bytes: u64,
        /// Blocks freed with no allocation in between on this thread.
        temporary: u64,
        /// Reallocs among the allocations.
        reallocs: u64,
        /// Frees of blocks that have no record: allocated before recording began, or missed.
        unknown_frees: u64,
        /// Stacks that could not be walked to their end.
        truncated_stacks: u64,
        /// Events on a stack that is not the thread's own.
        foreign_stacks: u64,
        /// Live bytes not yet added to the process's total (as i64).
        unflushed_bytes: u64,
        /// Attempts that are not successes, by [`MissCause`].
        misses: [u64; MissCause::COUNT],
        /// Allocations that failed (the allocator returned null).
        failed: u64,
        /// Stacks first met by this thread.
        new_stacks: u64,
        /// Stacks walked in full through the slow path.
        slow_walks: u64,
        /// Sampled: the variances of allocations, their bytes, frees and theirs, as the bits of 64-bit floats. Counting: see
        /// [`BY_MODE_FLUSHED`] and what follows it. Exact: see [`BY_MODE_COUNTED`].
        by_mode: [u64; 4],
    }
}

row! {
    /// What one table of counters holds for one site: one thread's doings there, or those of several threads one
    /// after the other. Totals are sums over all rows of a site, taken as wrapping 64-bit numbers.
    ///
    /// Sampled: the numbers are estimates in the units that [`ThreadRow`] has, and a site has a second row, under its id
    /// with [`VARIANCE`] set, whose numbers are the variances of the first row's as the bits of 64-bit floats (blocks and
    /// bytes, squared).
    CounterRow, CounterCells, 64, {
        /// Site id. The marker.
        site: u32,
        /// The epoch of the peak for which the two values at the peak hold.
        epoch: u32,
        /// Allocations.
        allocations: u64,
        /// Bytes requested.
        allocated_bytes: u64,
        /// Frees of blocks of this site, by this thread.
        frees: u64,
        /// Bytes they gave back.
        freed_bytes: u64,
        /// Frees with no allocation in between on the thread.
        temporary: u64,
        /// Above: [`LARGEST_SHIFT`]. Below it: allocations less frees at the peak (signed; negative where this thread frees
        /// others' blocks). A row of variances has a variance here.
        peak_blocks_and_largest: u64,
        /// Live bytes at the peak (as i64).
        peak_bytes: u64,
    }
}

row! {
    /// What reallocs made larger or smaller at one site, on one thread. It stands in the table of counters, under the site's
    /// id with [`GROWTH`] set; a site where nothing of the kind happened has none. Exact only.
    ///
    /// What is done is counted where it is called, at the site of the new block; that a block was outgrown is counted at its
    /// own.
    GrowthRow, GrowthCells, 64, {
        /// Site id with [`GROWTH`]. The marker.
        site: u32,
        /// Reserved, zero in a row that was never one of counters.
        reserved: u32,
        /// Reallocs that made a block larger.
        growths: u64,
        /// Bytes of the old blocks that had to be copied because the block moved.
        copied_bytes: u64,
        /// Bytes of old blocks that moved with their pages, without a copy.
        remapped_bytes: u64,
        /// Reallocs that made a block smaller.
        shrinks: u64,
        /// Bytes that these gave back.
        given_back_bytes: u64,
        /// Blocks of this site that a realloc made larger, here or elsewhere.
        outgrown_blocks: u64,
        /// Their bytes before.
        outgrown_bytes: u64,
    }
}

/// Where, in [`CounterRow::peak_blocks_and_largest`], the largest block stands that was allocated ([`crate::record::short`]
/// of the bytes requested).
pub const LARGEST_SHIFT: u32 = 48;

impl CounterRow {
    /// Allocations less frees at the peak for which [`CounterRow::epoch`] stands. Not of a row of variances.
    pub const fn peak_blocks(&self) -> i64 {
        // Shifted back and forth so that the sign is that of the lower part.
        let unused = u64::BITS - LARGEST_SHIFT;
        ((self.peak_blocks_and_largest << unused) as i64) >> unused
    }

    /// Bytes requested for the largest block, 0 if none was allocated: exact below 4096, rounded down to within 1/2048 of it
    /// from there on. Sampled: of the blocks in the sample. Not of a row of variances.
    pub const fn largest_block(&self) -> u64 {
        crate::record::from_short((self.peak_blocks_and_largest >> LARGEST_SHIFT) as u16)
    }
}

impl CounterCells {
    /// Stores allocations less frees at the peak.
    #[inline(always)]
    pub fn fill_peak_blocks(&self, blocks: u64) {
        let below = (1 << LARGEST_SHIFT) - 1;
        // ORDERING: relaxed; the row has one writer.
        let now = self.peak_blocks_and_largest.load(Ordering::Relaxed);
        self.peak_blocks_and_largest.fill(now & !below | blocks & below);
    }

    /// Notes the size of a block that was allocated. The thread that writes the row calls it.
    #[inline(always)]
    pub fn note_size(&self, size: u64) {
        // ORDERING: relaxed; the row has one writer.
        let now = self.peak_blocks_and_largest.load(Ordering::Relaxed);
        // The short form of a number is the number, as long as it is short; of a larger one it is at least as large as
        // the first that is not.
        if size > now >> LARGEST_SHIFT {
            self.note_larger(size);
        }
    }

    #[cold]
    #[inline(never)]
    fn note_larger(&self, size: u64) {
        // ORDERING: relaxed, as above.
        let now = self.peak_blocks_and_largest.load(Ordering::Relaxed);
        let largest = u64::from(crate::record::short(size)).max(now >> LARGEST_SHIFT);
        let below = (1 << LARGEST_SHIFT) - 1;
        self.peak_blocks_and_largest.fill(largest << LARGEST_SHIFT | now & below);
    }

    /// The same row as one of growth, for whoever takes it as such.
    #[inline(always)]
    pub fn as_growth(&self) -> &GrowthCells {
        const {
            assert!(size_of::<Self>() == size_of::<GrowthCells>());
            assert!(align_of::<Self>() == align_of::<GrowthCells>());
            assert!(
                core::mem::offset_of!(Self, allocations)
                    == core::mem::offset_of!(GrowthCells, growths)
            );
        }
        // SAFETY: both are two 32-bit atomics and seven of 64 bits, in the order in which they are written.
        unsafe { &*core::ptr::from_ref(self).cast() }
    }
}

row! {
    /// Where the records of a piece of address space lie: 2^23 granules from `base` on.
    ShadowRow, ShadowCells, 16, {
        /// First address, a multiple of 2^23 granules.
        base: u64,
        /// Offset of the [`crate::table::RECORD_CHUNK_BYTES`] of records in the region. The marker.
        offset: u64,
    }
}

row! {
    /// A name that the program gave to blocks, or (`tracker` is its own id) a tracker that gave names. Ids are the row
    /// plus one.
    LabelRow, LabelCells, 128, {
        /// Marker: 1 in a complete row.
        state: u32,
        /// The label of the tracker that gave the name.
        tracker: u32,
        /// Place in the Text table of the name, the type and the file, each ended by a zero byte.
        text_row: u32,
        /// Length of all three.
        text_bytes: u32,
        /// Line of the file.
        line: u32,
        /// Tick at which it was made.
        birth: u32,
        /// Strong handles to the block that was named last, if it is one that is shared, else 0.
        strong: u32,
        /// Weak ones.
        weak: u32,
        /// Blocks that bear it.
        live_blocks: u64,
        /// Their bytes (as i64).
        live_bytes: u64,
        /// The most that the bytes ever were.
        peak_bytes: u64,
        /// Blocks that ever bore it. One that moves in a realloc stays one.
        blocks: u64,
        /// Bytes that they had when they were named.
        bytes: u64,
        /// Moves by realloc.
        moves: u64,
        /// Reserved, zero.
        reserved: [u64; 6],
    }
}

row! {
    /// A task, a scope or a span: a name under a parent. Ids are the row plus one. What it holds is what was allocated
    /// while it was current, but not while one of its children was.
    TaskRow, TaskCells, 64, {
        /// Marker: what it is, from 1 on, as whoever made it knows.
        kind: u32,
        /// The parent's id, or 0.
        parent: u32,
        /// Place in the Text table of its name.
        name_row: u32,
        /// Length of the name.
        name_bytes: u32,
        /// Tick at which it was first made.
        birth: u32,
        /// How many are under way (scopes and spans only).
        open: u32,
        /// How often it was entered.
        entries: u64,
        /// Live bytes, but for what threads that are in it have not yet added (as i64).
        live_bytes: u64,
        /// The most that they were.
        peak_bytes: u64,
        /// Reserved, zero.
        reserved: [u64; 2],
    }
}

/// Set in [`SiteRow::kind`] of a site of sampled blocks in a region that is not sampled, whose counters are those of a
/// sampled region; and in a sampled region, of a site whose blocks stand for themselves.
pub const ODD: u32 = 1 << 9;

/// Where the label begins in [`SiteRow::kind`].
pub const LABEL_SHIFT: u32 = 10;

const _: () = {
    assert!(LabelRow::BYTES as u64 == Table::Labels.row_bytes());
    assert!(TaskRow::BYTES as u64 == Table::Tasks.row_bytes());
    assert!(ModuleRow::BYTES as u64 == Table::Modules.row_bytes());
    assert!(AddressRow::BYTES as u64 == Table::Addresses.row_bytes());
    assert!(NodeRow::BYTES as u64 == Table::Nodes.row_bytes());
    assert!(SiteRow::BYTES as u64 == Table::Sites.row_bytes());
    assert!(ThreadRow::BYTES as u64 == Table::Threads.row_bytes());
    assert!(CounterRow::BYTES as u64 == Table::Counters.row_bytes());
    assert!(GrowthRow::BYTES as u64 == Table::Counters.row_bytes());
    assert!(ShadowRow::BYTES as u64 == Table::Shadow.row_bytes());
};

/// Set in [`CounterRow::site`] of a row of variances.
pub const VARIANCE: u32 = 1 << 31;

/// Set in [`GrowthRow::site`].
pub const GROWTH: u32 = 1 << 30;

/// The [`CounterRow::site`] of a row that is not of a site: it says whose the rows of counters after it are, up to
/// [`COUNTERS_AT_A_TIME`] less one of them. Its `allocations` are the thread pointer of whoever took them, as in
/// [`ThreadRow::thread_pointer`]; several threads one after the other may have the same.
pub const OWNER: u32 = VARIANCE | GROWTH;

/// Rows of counters that a thread takes at a time: one that says so ([`OWNER`]), then those that it fills.
pub const COUNTERS_AT_A_TIME: u32 = 16;

/// In mode sampled, counts of blocks are multiples of 1 / this.
pub const COUNTS_PER_BLOCK: u64 = 1 << 10;

/// In mode sampled, an allocation has the chance of its size and so many bytes more: of what the block costs beside what is
/// asked for, and so that no block is so small that it would be met by the rarest chance only, and count the more.
pub const SAMPLED_BYTES_MORE: u64 = 64;

/// Place in [`ThreadRow::by_mode`] in mode exact: allocations that were only counted, by a process that chooses its mode. Their
/// bytes, frees and theirs follow. They are not in the thread's other counters.
pub const BY_MODE_COUNTED: usize = 0;

/// Place in [`ThreadRow::by_mode`] in mode counting: what the thread has added to the process's live bytes (as i64).
pub const BY_MODE_FLUSHED: usize = 0;
/// The same: the most live bytes of the thread alone, up to when it last added to the process's (as i64).
pub const BY_MODE_PEAK: usize = 1;
/// The same: the most that the unflushed bytes have been since.
pub const BY_MODE_HIGH: usize = 2;

/// The kind of call that allocated.
///
/// ```
/// use memscope_region::row::Kind;
///
/// let words = match Kind::from_u8(2) {
///     Some(Kind::Calloc) => "zeroed",
///     Some(Kind::Malloc | Kind::Realloc | Kind::Aligned) => "as it came",
///     None => "unknown",
/// };
/// assert_eq!(words, "zeroed");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// `malloc`, `operator new`, `GlobalAlloc::alloc`.
    Malloc = 1,
    /// `calloc`, `GlobalAlloc::alloc_zeroed`.
    Calloc = 2,
    /// `realloc`, `reallocarray`, `GlobalAlloc::realloc`.
    Realloc = 3,
    /// `posix_memalign`, `aligned_alloc`, `memalign`, `valloc`, `pvalloc`.
    Aligned = 4,
}

impl Kind {
    /// The kind with this number, if there is one. A comparison.
    ///
    /// ```
    /// use memscope_region::row::Kind;
    ///
    /// assert_eq!(Kind::from_u8(Kind::Realloc as u8), Some(Kind::Realloc));
    /// assert_eq!(Kind::from_u8(0), None);
    /// ```
    pub const fn from_u8(number: u8) -> Option<Self> {
        match number {
            1 => Some(Kind::Malloc),
            2 => Some(Kind::Calloc),
            3 => Some(Kind::Realloc),
            4 => Some(Kind::Aligned),
            _ => None,
        }
    }
}

/// Why an event was not recorded.
///
/// ```
/// use memscope_region::row::MissCause;
///
/// let mut misses = [0_u64; MissCause::COUNT]; // by number of the cause
/// misses[MissCause::Threads as usize] += 1;
/// let causes = MissCause::ALL.into_iter().filter(|cause| misses[*cause as usize] > 0);
/// assert!(causes.eq([MissCause::Threads]));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(usize)]
pub enum MissCause {
    /// A signal handler allocated or freed while this thread was recording an event.
    Reentered = 0,
    /// The event came before the region was there, or while it was being made.
    NotReady = 1,
    /// No room for another thread.
    Threads = 3,
    /// No room for another stack, address or site.
    Sites = 4,
    /// No room for another counter row.
    Counters = 5,
    /// No room for the records of this part of the address space.
    Records = 6,
}

impl MissCause {
    /// How many numbers there is room for; 2 and 7 are no cause's.
    pub const COUNT: usize = 8;
    /// Every cause, in the order of their numbers.
    pub const ALL: [MissCause; 6] = [
        MissCause::Reentered,
        MissCause::NotReady,
        MissCause::Threads,
        MissCause::Sites,
        MissCause::Counters,
        MissCause::Records,
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_numbers_share_a_word_and_leave_each_other_alone() {
        let row = CounterCells {
            site: AtomicU32::new(1),
            epoch: AtomicU32::new(0),
            allocations: AtomicU64::new(0),
            allocated_bytes: AtomicU64::new(0),
            frees: AtomicU64::new(0),
            freed_bytes: AtomicU64::new(0),
            temporary: AtomicU64::new(0),
            peak_blocks_and_largest: AtomicU64::new(0),
            peak_bytes: AtomicU64::new(0),
        };
        let read = || {
            let word = row.peak_blocks_and_largest.load(Ordering::Relaxed);
            let zeros = CounterRow::decode(&[0; CounterRow::BYTES]).expect("long enough");
            let row = CounterRow { peak_blocks_and_largest: word, ..zeros };
            (row.peak_blocks(), row.largest_block())
        };
        assert_eq!(read(), (0, 0));
        for (size, largest) in [(0, 0), (7, 7), (3, 7), (4095, 4095), (4097, 4096), (4000, 4096)] {
            row.note_size(size);
            assert_eq!(read(), (0, largest));
        }
        for blocks in [5, -5, i64::MAX >> 16, i64::MIN >> 16, 0] {
            row.fill_peak_blocks(blocks as u64);
            assert_eq!(read(), (blocks, 4096));
        }
        row.note_size(u64::MAX);
        row.fill_peak_blocks(-1_i64 as u64);
        assert_eq!(read(), (-1, crate::record::from_short(u16::MAX)));
    }
}
