//! Values whose blocks can be found, so that [`track!`](crate::track!) can give them a name.
//!
//! A collection says where its own memory is, not that of its elements: naming a `Vec<String>` names one block. What
//! holds its value in itself (`Option`, tuples, arrays, `Cell`, structs that derive [`Trackable`]) passes the question on.
//!
//! Invariants: looking moves nothing, waits for no lock and calls no code of the value's. A value without a block has
//! none to name, which is no failure.
//! Deliberately absent: sizes. They are those of the blocks.

use crate::recording;
use std::borrow::Cow;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, VecDeque};
use std::ffi::{CString, OsString};
use std::marker::PhantomData;
use std::num::{
    NonZeroI8, NonZeroI16, NonZeroI32, NonZeroI64, NonZeroI128, NonZeroIsize, NonZeroU8,
    NonZeroU16, NonZeroU32, NonZeroU64, NonZeroU128, NonZeroUsize,
};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::{
    AtomicBool, AtomicI8, AtomicI16, AtomicI32, AtomicI64, AtomicIsize, AtomicU8, AtomicU16,
    AtomicU32, AtomicU64, AtomicUsize,
};
use std::sync::{Arc, Mutex, OnceLock, RwLock};

/// How far before a value in a node of a tree the node may begin: eleven keys and values, twelve edges, a header.
const TREE_EDGES_BYTES: usize = 12 * 8 + 64;
/// What the table of a hash map or set may have beside its entries, for each of them and once.
const TABLE_EXTRA_BYTES: usize = 64;
/// Entries by which the table of a hash map or set is looked for.
const MOST_ENTRIES_TRIED: usize = 3;
/// The counts before the value of an `Rc` or `Arc`.
const HANDLES_BYTES: usize = 16;

/// A value whose blocks can be found, so that [`track!`](crate::track!) can name them.
///
/// | value | its blocks | cost |
/// |---|---|---|
/// | `Vec`, `String`, `Box`, `BinaryHeap`, `PathBuf`, `OsString`, `CString`, owned `Cow` | its buffer | 100 ns |
/// | `Rc`, `Arc` | its block, with the number of handles | 100 ns |
/// | `VecDeque`, `HashMap`, `HashSet` | its buffer or table, sought from an element | a load for every 32 bytes |
/// | `BTreeMap`, `BTreeSet` | its nodes, sought from the keys | 20 to 40 ns a key |
/// | `Option`, `Result`, tuples, arrays, slices, references, `Cell`, `OnceCell`, `OnceLock` | those of the values in it | theirs |
/// | `RefCell`, `Mutex`, `RwLock` | those of the value in it, none while another has it locked | its |
/// | numbers, `bool`, `char`, `str`, atomics, times, addresses of the network | none | nothing |
///
/// A collection's blocks are its own, not those of its elements: of a `Vec<String>` one block is named. A type of your own has it
/// by `#[derive(Trackable)]`, or as here:
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
/// use memscope_rs::{Trackable, ValueBlocks, track, tracker};
///
/// struct Image {
///     pixels: Vec<u8>,
///     name: String,
/// }
///
/// // What `#[derive(Trackable)]` writes.
/// impl Trackable for Image {
///     fn blocks(&self, blocks: &mut ValueBlocks) {
///         self.pixels.blocks(blocks);
///         self.name.blocks(blocks);
///     }
/// }
///
/// let t = tracker!();
/// let image = Image { pixels: vec![0; 1000], name: "moon".to_owned() };
/// track!(t, image);
/// assert_eq!((t.stats().live_allocations, t.stats().live_bytes), (2, 1004));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be tracked",
    note = "`#[derive(memscope_rs::Trackable)]` on a type of your own names the blocks of its fields"
)]
pub trait Trackable {
    /// Says to `blocks` where the value's blocks are. Called by [`track!`](crate::track!), so it should not allocate, lock or
    /// panic; naming a block costs up to 100 ns. There is nothing to return: a block that is not found is counted by `blocks`.
    ///
    /// ```
    /// # #[global_allocator]
    /// # static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
    /// use memscope_rs::{Trackable, ValueBlocks, track, tracker};
    ///
    /// enum Body {
    ///     Empty,
    ///     Bytes(Vec<u8>),
    /// }
    ///
    /// impl Trackable for Body {
    ///     fn blocks(&self, blocks: &mut ValueBlocks) {
    ///         match self {
    ///             Body::Empty => {} // no block, which is no failure
    ///             Body::Bytes(bytes) => bytes.blocks(blocks),
    ///         }
    ///     }
    /// }
    ///
    /// let t = tracker!();
    /// let (first, second) = (Body::Empty, Body::Bytes(vec![0; 100]));
    /// track!(t, first);
    /// track!(t, second);
    /// assert_eq!((t.stats().tracked_values, t.stats().total_allocations), (2, 1));
    /// ```
    fn blocks(&self, blocks: &mut ValueBlocks);
}

/// Gives a name to the blocks that it is told of. [`Trackable::blocks`] is given one; it allocates nothing.
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
/// use memscope_rs::{Trackable, ValueBlocks, track, tracker};
///
/// struct Buffer(Box<[u8]>);
///
/// impl Trackable for Buffer {
///     fn blocks(&self, blocks: &mut ValueBlocks) {
///         blocks.at(self.0.as_ptr()); // where the block begins
///     }
/// }
///
/// let t = tracker!();
/// let buffer = Buffer(Box::new([0; 100]));
/// track!(t, buffer);
/// assert_eq!(t.stats().live_bytes, 100);
/// ```
#[derive(Debug)]
pub struct ValueBlocks {
    label: u32,
    /// Blocks that it was told of.
    pub(crate) told: u64,
    /// Those that are not known, for they were allocated before recording began, or nothing is recorded.
    pub(crate) unknown: u64,
    /// Handles to the shared block that it was told of last.
    handles: Option<(usize, usize)>,
    /// The last block that was found by an address within.
    last: usize,
}

impl ValueBlocks {
    pub(crate) fn new(label: u32) -> Self {
        Self { label, told: 0, unknown: 0, handles: None, last: 0 }
    }

    /// A block begins here. One that is not known (it was allocated before recording began, or nothing is recorded) is counted
    /// as such, in [`TrackerStats::unknown_allocations`](crate::TrackerStats::unknown_allocations). The address is looked up and
    /// never read through, so any will do. About 80 ns, and 15 if the block bears the name already.
    ///
    /// ```
    /// # #[global_allocator]
    /// # static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
    /// use memscope_rs::{Trackable, ValueBlocks, track, tracker};
    ///
    /// struct Pair(Box<u64>, Box<u64>);
    ///
    /// impl Trackable for Pair {
    ///     fn blocks(&self, blocks: &mut ValueBlocks) {
    ///         blocks.at(&*self.0);
    ///         blocks.at(&*self.1);
    ///     }
    /// }
    ///
    /// let (t, pair) = (tracker!(), Pair(Box::new(1), Box::new(2)));
    /// track!(t, pair);
    /// assert_eq!(t.stats().live_allocations, 2);
    /// ```
    #[inline]
    pub fn at<T: ?Sized>(&mut self, start: *const T) {
        self.told += 1;
        if recording::give(self.label, start.cast::<u8>().addr()).is_none() {
            self.unknown += 1;
        }
    }

    /// A block holds this address, and begins at most `back_bytes` before it. A block that is told of several times in
    /// a row is one. Costs as [`ValueBlocks::at`], and a load for every 32 bytes between the address and the block's beginning.
    ///
    /// Where the address lies in the last bytes of the block and another block follows, the two may not be told apart;
    /// then the block counts as unknown. An address in the first half of the block is always found; but for its first 16 bytes
    /// in a process that was not always in mode exact, for behind them may lie a block that has no record.
    ///
    /// ```
    /// # #[global_allocator]
    /// # static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
    /// use memscope_rs::{Trackable, ValueBlocks, track, tracker};
    ///
    /// /// The value stands behind a header of 16 bytes, as an `Rc`'s does.
    /// struct Counted(std::rc::Rc<[u64; 8]>);
    ///
    /// impl Trackable for Counted {
    ///     fn blocks(&self, blocks: &mut ValueBlocks) {
    ///         blocks.within(&*self.0, 16);
    ///     }
    /// }
    ///
    /// let (t, counted) = (tracker!(), Counted([7; 8].into()));
    /// track!(t, counted);
    /// assert_eq!(t.stats().live_bytes, 16 + 64);
    /// ```
    pub fn within<T: ?Sized>(&mut self, inside: *const T, back_bytes: usize) {
        if !self.sought(inside, back_bytes, 0..=usize::MAX) {
            self.not_found();
        }
    }

    /// The same of a block that was asked for with so many bytes; whether it was found.
    fn sought<T: ?Sized>(
        &mut self,
        inside: *const T,
        back_bytes: usize,
        bytes: RangeInclusive<usize>,
    ) -> bool {
        let Some(start) = recording::start_of(inside.cast::<u8>().addr(), back_bytes, bytes) else {
            return false;
        };
        if start != self.last || self.told == 0 {
            self.last = start;
            self.told += 1;
            // The start is known to within what a record stands for, which is enough to find the record.
            if recording::give(self.label, start).is_none() {
                self.unknown += 1;
            }
        }
        true
    }

    fn not_found(&mut self) {
        self.told += 1;
        self.unknown += 1;
    }

    /// A table of a hash map or set holds these entries. Where some blocks have no record, one entry may leave open which
    /// block it is in, and another not.
    fn table<'k, K: 'k>(
        &mut self,
        entries: impl Iterator<Item = &'k K>,
        capacity: usize,
        entry_bytes: usize,
    ) {
        // An entry and a byte for each place.
        let least_bytes = capacity.saturating_mul(entry_bytes.saturating_add(1));
        let most_bytes = table_bytes(capacity, entry_bytes);
        let mut entries = entries.take(MOST_ENTRIES_TRIED).peekable();
        if entries.peek().is_some()
            && !entries.any(|entry| self.sought(entry, most_bytes, least_bytes..=usize::MAX))
        {
            self.not_found();
        }
    }

    /// Nodes of a tree hold these keys. A key may be in the last bytes of its node, where it is not found; another of
    /// the node is.
    fn nodes<'k, K: 'k>(&mut self, keys: impl Iterator<Item = &'k K>, entry_bytes: usize) {
        let most_bytes = node_bytes(entry_bytes);
        let (mut are_any, mut are_found) = (false, false);
        for key in keys {
            are_any = true;
            are_found |= self.sought(key, most_bytes, 11 * entry_bytes..=most_bytes);
        }
        if are_any && !are_found {
            self.not_found();
        }
    }

    /// The block that it was told of last is shared by so many handles: they stand in the report beside the name, in
    /// [`Variable::strong_count`](crate::Variable::strong_count) and `weak_count`. Two stores.
    ///
    /// ```
    /// # #[global_allocator]
    /// # static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
    /// use memscope_rs::{Trackable, ValueBlocks, track, tracker};
    /// use std::rc::Rc;
    ///
    /// struct Handle(Rc<[u64; 8]>);
    ///
    /// impl Trackable for Handle {
    ///     fn blocks(&self, blocks: &mut ValueBlocks) {
    ///         blocks.within(&*self.0, 16);
    ///         blocks.shared_by(Rc::strong_count(&self.0), Rc::weak_count(&self.0));
    ///     }
    /// }
    ///
    /// let (t, handle) = (tracker!(), Handle([7; 8].into()));
    /// let _other = Handle(Rc::clone(&handle.0));
    /// track!(t, handle);
    /// assert_eq!(t.analyze().variables[0].strong_count, 2);
    /// ```
    pub fn shared_by(&mut self, strong: usize, weak: usize) {
        self.handles = Some((strong, weak));
    }

    pub(crate) fn finish(&self) {
        if let Some((strong, weak)) = self.handles {
            let narrow = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
            recording::note_handles(self.label, narrow(strong), narrow(weak));
        }
    }
}

impl<T> Trackable for Vec<T> {
    #[inline]
    fn blocks(&self, blocks: &mut ValueBlocks) {
        if self.capacity() > 0 && size_of::<T>() > 0 {
            blocks.at(self.as_ptr());
        }
    }
}

impl Trackable for String {
    #[inline]
    fn blocks(&self, blocks: &mut ValueBlocks) {
        if self.capacity() > 0 {
            blocks.at(self.as_ptr());
        }
    }
}

impl Trackable for OsString {
    fn blocks(&self, blocks: &mut ValueBlocks) {
        if self.capacity() > 0 {
            blocks.at(self.as_encoded_bytes().as_ptr());
        }
    }
}

impl Trackable for PathBuf {
    fn blocks(&self, blocks: &mut ValueBlocks) {
        if self.capacity() > 0 {
            blocks.at(self.as_os_str().as_encoded_bytes().as_ptr());
        }
    }
}

impl Trackable for CString {
    fn blocks(&self, blocks: &mut ValueBlocks) {
        blocks.at(self.as_ptr());
    }
}

impl<T: ?Sized> Trackable for Box<T> {
    #[inline]
    fn blocks(&self, blocks: &mut ValueBlocks) {
        if size_of_val(&**self) > 0 {
            blocks.at(&raw const **self);
        }
    }
}

/// Where the block of an `Rc` or `Arc` begins: with the two counts, before the value.
fn handles<T: ?Sized>(value: *const T, align: usize) -> *const u8 {
    value.cast::<u8>().wrapping_sub(HANDLES_BYTES.max(align))
}

impl<T: ?Sized> Trackable for Rc<T> {
    fn blocks(&self, blocks: &mut ValueBlocks) {
        blocks.at(handles(Rc::as_ptr(self), align_of_val(&**self)));
        blocks.shared_by(Rc::strong_count(self), Rc::weak_count(self));
    }
}

impl<T: ?Sized> Trackable for Arc<T> {
    fn blocks(&self, blocks: &mut ValueBlocks) {
        blocks.at(handles(Arc::as_ptr(self), align_of_val(&**self)));
        blocks.shared_by(Arc::strong_count(self), Arc::weak_count(self));
    }
}

impl<B: ?Sized + ToOwned<Owned: Trackable>> Trackable for Cow<'_, B> {
    fn blocks(&self, blocks: &mut ValueBlocks) {
        if let Cow::Owned(owned) = self {
            owned.blocks(blocks);
        }
    }
}

impl<T> Trackable for VecDeque<T> {
    fn blocks(&self, blocks: &mut ValueBlocks) {
        if self.capacity() > 0 && size_of::<T>() > 0 {
            let bytes = self.capacity() * size_of::<T>();
            let is_found = match self.as_slices() {
                // What has come round lies at the buffer's start; else the elements may lie anywhere.
                (_, [round, ..]) => {
                    blocks.at(round);
                    true
                }
                (elements, []) => {
                    let middle = elements.as_ptr().wrapping_add(elements.len() / 2);
                    blocks.sought(middle, bytes, bytes..=bytes)
                }
            };
            if !is_found {
                blocks.not_found();
            }
        }
    }
}

impl<T> Trackable for BinaryHeap<T> {
    fn blocks(&self, blocks: &mut ValueBlocks) {
        if self.capacity() > 0 && size_of::<T>() > 0 {
            blocks.at(self.as_slice().as_ptr());
        }
    }
}

/// How far before an entry the table of a hash map or set may begin.
fn table_bytes(capacity: usize, entry_bytes: usize) -> usize {
    // Capacity is at least three quarters of the places (small tables), each an entry and a byte.
    (capacity.saturating_mul(2)).saturating_mul(entry_bytes).saturating_add(TABLE_EXTRA_BYTES)
}

impl<K, V, S> Trackable for HashMap<K, V, S> {
    /// An empty map has a table once it has capacity, but nothing that leads to it.
    fn blocks(&self, blocks: &mut ValueBlocks) {
        blocks.table(self.keys(), self.capacity(), size_of::<(K, V)>());
    }
}

impl<T, S> Trackable for HashSet<T, S> {
    fn blocks(&self, blocks: &mut ValueBlocks) {
        blocks.table(self.iter(), self.capacity(), size_of::<T>());
    }
}

/// How far before a key of a tree its node may begin.
fn node_bytes(entry_bytes: usize) -> usize {
    11 * entry_bytes + TREE_EDGES_BYTES
}

impl<K, V> Trackable for BTreeMap<K, V> {
    /// Visits every key, for a node of the tree is found by the keys that it holds.
    fn blocks(&self, blocks: &mut ValueBlocks) {
        blocks.nodes(self.keys(), size_of::<K>() + size_of::<V>());
    }
}

impl<T> Trackable for BTreeSet<T> {
    /// Visits every element.
    fn blocks(&self, blocks: &mut ValueBlocks) {
        blocks.nodes(self.iter(), size_of::<T>());
    }
}

impl<T: Trackable> Trackable for Option<T> {
    #[inline]
    fn blocks(&self, blocks: &mut ValueBlocks) {
        if let Some(value) = self {
            value.blocks(blocks);
        }
    }
}

impl<T: Trackable, E: Trackable> Trackable for Result<T, E> {
    fn blocks(&self, blocks: &mut ValueBlocks) {
        match self {
            Ok(value) => value.blocks(blocks),
            Err(error) => error.blocks(blocks),
        }
    }
}

impl<T: ?Sized + Trackable> Trackable for Mutex<T> {
    /// Nothing is found while another has the lock: looking does not wait.
    fn blocks(&self, blocks: &mut ValueBlocks) {
        if let Ok(value) = self.try_lock() {
            value.blocks(blocks);
        }
    }
}

impl<T: ?Sized + Trackable> Trackable for RwLock<T> {
    /// Nothing is found while another has the lock for writing.
    fn blocks(&self, blocks: &mut ValueBlocks) {
        if let Ok(value) = self.try_read() {
            value.blocks(blocks);
        }
    }
}

impl<T: ?Sized + Trackable> Trackable for RefCell<T> {
    /// Nothing is found while it is borrowed mutably.
    fn blocks(&self, blocks: &mut ValueBlocks) {
        if let Ok(value) = self.try_borrow() {
            value.blocks(blocks);
        }
    }
}

impl<T: Copy + Trackable> Trackable for Cell<T> {
    fn blocks(&self, blocks: &mut ValueBlocks) {
        self.get().blocks(blocks);
    }
}

impl<T: Trackable> Trackable for OnceCell<T> {
    fn blocks(&self, blocks: &mut ValueBlocks) {
        if let Some(value) = self.get() {
            value.blocks(blocks);
        }
    }
}

impl<T: Trackable> Trackable for OnceLock<T> {
    fn blocks(&self, blocks: &mut ValueBlocks) {
        if let Some(value) = self.get() {
            value.blocks(blocks);
        }
    }
}

impl<T: Trackable> Trackable for [T] {
    fn blocks(&self, blocks: &mut ValueBlocks) {
        for value in self {
            value.blocks(blocks);
        }
    }
}

impl<T: Trackable, const N: usize> Trackable for [T; N] {
    fn blocks(&self, blocks: &mut ValueBlocks) {
        self.as_slice().blocks(blocks);
    }
}

impl<T: ?Sized + Trackable> Trackable for &T {
    fn blocks(&self, blocks: &mut ValueBlocks) {
        (**self).blocks(blocks);
    }
}

impl<T: ?Sized + Trackable> Trackable for &mut T {
    fn blocks(&self, blocks: &mut ValueBlocks) {
        (**self).blocks(blocks);
    }
}

/// Values that never have a block.
macro_rules! without_blocks {
    ($($type:ty)*) => {
        $(impl Trackable for $type {
            #[inline]
            fn blocks(&self, _: &mut ValueBlocks) {}
        })*
    };
}

without_blocks! {
    () bool char str
    u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize f32 f64
    std::time::Duration std::time::Instant std::time::SystemTime
    std::net::IpAddr std::net::Ipv4Addr std::net::Ipv6Addr std::net::SocketAddr
    std::thread::ThreadId std::any::TypeId std::cmp::Ordering
    AtomicBool AtomicU8 AtomicU16 AtomicU32 AtomicU64 AtomicUsize
    AtomicI8 AtomicI16 AtomicI32 AtomicI64 AtomicIsize
    NonZeroU8 NonZeroU16 NonZeroU32 NonZeroU64 NonZeroU128 NonZeroUsize
    NonZeroI8 NonZeroI16 NonZeroI32 NonZeroI64 NonZeroI128 NonZeroIsize
}

impl<T: ?Sized> Trackable for PhantomData<T> {
    #[inline]
    fn blocks(&self, _: &mut ValueBlocks) {}
}

macro_rules! tuples {
    ($(($($name:ident)+))*) => {
        $(impl<$($name: Trackable),+> Trackable for ($($name,)+) {
            #[allow(non_snake_case)]
            fn blocks(&self, blocks: &mut ValueBlocks) {
                let ($($name,)+) = self;
                $($name.blocks(blocks);)+
            }
        })*
    };
}

tuples! {
    (A) (A B) (A B C) (A B C D) (A B C D E) (A B C D E F) (A B C D E F G) (A B C D E F G H)
    (A B C D E F G H I) (A B C D E F G H I J) (A B C D E F G H I J K) (A B C D E F G H I J K L)
}
