//! What the threads of a process share: the region, the tries, the rules, the list of threads, and whether
//! recording is on.
//!
//! The hot part lies in one page that the kernel wipes in a child of fork (MADV_WIPEONFORK): a child finds zeroes,
//! so it is a new process, without any hook of fork having run (`_Fork` and a raw clone are caught too, and a vfork child,
//! which shares the memory, still sees its parent's). It starts anew, with a region of its own. What it must know of its
//! parent lies outside that page.

use crate::arch;
use crate::module::Modules;
use crate::rule::{FIRST_BITS, Found, RuleTable, RuleView};
use crate::sampled;
use crate::thread::ThreadState;
use crate::trie::Nodes;
use crate::trie::Root;
use core::cell::Cell;
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};
use memscope_region::row::{Fill, MissCause};
use memscope_region::sys;
use memscope_region::table::RECORD_CHUNK_BYTES;
use memscope_region::writer::Writer;
use memscope_region::{Header, Table, header, record};

/// Not started (or wiped).
pub const BLANK: u32 = 0;
/// One thread is making the region.
pub const STARTING: u32 = 1;
/// Recording.
pub const ON: u32 = 2;
/// Never recording in this process.
pub const OFF: u32 = 3;
/// Ready to record, and waiting to be told to begin.
pub const WAITING: u32 = 4;

/// How long forgetting waits for another thread that is making a larger table: a fifth of a second (see
/// [`sys::wait_for_flag`]).
const FORGET_TRIES: u32 = 1_100;

/// User-space addresses have this many bits.
const ADDRESS_BITS: u32 = 47;
/// log2 of the records in a chunk.
const CHUNK_RECORDS_BITS: u32 = (RECORD_CHUNK_BYTES / 8).trailing_zeros();

/// A chunk of records: one for each granule.
type Records = AtomicU64;

/// The way to the records: a directory of chunks by address. It stays good for as long as the process lives.
#[derive(Clone, Copy, Debug)]
pub struct Shadow {
    chunks: *const AtomicPtr<Records>,
    granule_shift: u32,
}

impl Shadow {
    /// The record's place for an address, if its chunk is there.
    #[inline(always)]
    pub fn record(self, address: usize) -> Option<&'static Records> {
        if address >> ADDRESS_BITS != 0 {
            return None;
        }
        let granule = address >> self.granule_shift;
        // SAFETY: the directory covers all addresses of `ADDRESS_BITS`.
        // ORDERING: acquire, so that the chunk is seen mapped.
        let records =
            unsafe { (*self.chunks.add(granule >> CHUNK_RECORDS_BITS)).load(Ordering::Acquire) };
        if records.is_null() {
            return None;
        }
        // SAFETY: a chunk holds 2^CHUNK_RECORDS_BITS records, and lives for ever.
        Some(unsafe { &*records.add(granule & ((1 << CHUNK_RECORDS_BITS) - 1)) })
    }
}

/// What threads share. There is one, [`PROCESS`].
#[derive(Debug)]
#[repr(C, align(4096))]
pub struct Process {
    /// The directory of record chunks, by address; null unless recording is on.
    shadow: AtomicPtr<AtomicPtr<Records>>,
    /// The region's header; null unless recording is on.
    header: AtomicPtr<Header>,
    granule_shift: AtomicU32,
    state: AtomicU32,
    /// Raised when a module was unloaded.
    pub generation: AtomicU32,
    growing_rules: AtomicU32,
    writer: AtomicPtr<Writer>,
    rules: AtomicPtr<RuleTable>,
    nodes: AtomicPtr<Nodes>,
    modules: AtomicPtr<Modules>,
    address_root: AtomicU32,
    site_root: AtomicU32,
    task_root: AtomicU32,
    /// A row of the table Shadow that was claimed and not used, plus one; 0: none.
    spare_shadow_row: AtomicU32,
    /// What `shadow` will be when the waiting ends.
    waiting_shadow: AtomicPtr<AtomicPtr<Records>>,
    /// All ones while recording is on, else 0.
    on_mask: AtomicU64,
}

/// The process.
pub static PROCESS: Process = Process {
    shadow: AtomicPtr::new(core::ptr::null_mut()),
    header: AtomicPtr::new(core::ptr::null_mut()),
    granule_shift: AtomicU32::new(0),
    state: AtomicU32::new(BLANK),
    generation: AtomicU32::new(0),
    growing_rules: AtomicU32::new(0),
    writer: AtomicPtr::new(core::ptr::null_mut()),
    rules: AtomicPtr::new(core::ptr::null_mut()),
    nodes: AtomicPtr::new(core::ptr::null_mut()),
    modules: AtomicPtr::new(core::ptr::null_mut()),
    address_root: AtomicU32::new(0),
    site_root: AtomicU32::new(0),
    task_root: AtomicU32::new(0),
    spare_shadow_row: AtomicU32::new(0),
    waiting_shadow: AtomicPtr::new(core::ptr::null_mut()),
    on_mask: AtomicU64::new(0),
};

/// Outside the wiped page: the process that started last, this one or one that it was forked from, and its header, for
/// a child of fork to be counted in.
static STARTED_PID: AtomicU32 = AtomicU32::new(0);
static STARTED_HEADER: AtomicPtr<Header> = AtomicPtr::new(core::ptr::null_mut());
/// Outside the wiped page: the threads' states, linked by [`ThreadState::next`]. A child of fork parts with those that
/// it finds here.
pub static THREADS: AtomicPtr<ThreadState> = AtomicPtr::new(core::ptr::null_mut());

/// Events that came before the region was ready.
static EARLY_EVENTS: AtomicU64 = AtomicU64::new(0);

/// What a region is made for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Start<'a> {
    /// An empty file, as long as [`memscope_region::table::region_bytes_within`] says. The caller closes it when it likes.
    pub fd: i32,
    /// log2 of the bytes of address space that no two blocks begin in: 5 for glibc, 4 for others.
    pub granule_shift: u32,
    /// [`header::MODE_EXACT`], [`header::MODE_SAMPLED`] or [`header::MODE_COUNTING`].
    pub mode: u32,
    /// Mean bytes between two samples, if sampled.
    pub interval_bytes: u64,
    /// The command line as the kernel has it: arguments, each ended by a zero byte.
    pub command: &'a [u8],
    /// The executable's path.
    pub exe: &'a [u8],
    /// The process that this one was forked from, 0 if it was not: what [`Process::leave_parent`] said.
    pub forked_from: u32,
    /// Whether to wait until [`memscope_region::HeaderRow::waiting`] is stored 0 from outside.
    pub waiting: bool,
}

impl Process {
    /// Whether recording is on. One load.
    #[inline(always)]
    pub fn is_on(&self) -> bool {
        // ORDERING: acquire pairs with the release at the end of `start`; what was made there is seen.
        !self.shadow.load(Ordering::Acquire).is_null()
    }

    /// A word that the calling thread has kept since recording was on; 0 unless it still is. One instruction, which finds out
    /// at once that there is no such word.
    #[inline(always)]
    pub(crate) fn while_on(&self, word: u64) -> u64 {
        // ORDERING: relaxed; whoever has kept a word has seen what was made before.
        word & self.on_mask.load(Ordering::Relaxed)
    }

    /// The region's header, if recording is on. One load.
    #[inline(always)]
    pub(crate) fn header(&self) -> Option<&'static Header> {
        // SAFETY: null, or what `start` made, which stays mapped for ever.
        // ORDERING: acquire, as in `is_on`.
        unsafe { self.header.load(Ordering::Acquire).as_ref() }
    }

    /// Whether recording waited to be turned on from outside, so that what was allocated before has no record.
    pub(crate) fn has_waited(&self) -> bool {
        // ORDERING: relaxed; constant since the start.
        !self.waiting_shadow.load(Ordering::Relaxed).is_null()
    }

    /// What to do about an event when recording is not on. [`BLANK`] also in a child of fork, which has yet to begin.
    #[cold]
    pub fn state(&self) -> u32 {
        // ORDERING: relaxed; nothing is read on the strength of it.
        self.state.load(Ordering::Relaxed)
    }

    /// Called when the start was claimed. In a child of fork: counts it in its parent's region, if its parent does not,
    /// and parts with the states of its parent's threads, so that nothing more is written there. Returns the parent's id, or that of the
    /// nearest of its ancestors that recorded; 0 if the process was not forked.
    pub fn leave_parent(&self) -> u32 {
        // ORDERING: relaxed here and below; the claim was made by this thread, and the child has no other that records.
        let parent = STARTED_PID.load(Ordering::Relaxed);
        if parent == 0 {
            return 0;
        }
        // SAFETY: the parent's region stays mapped in the child, and the header is made of atomics.
        // ORDERING: relaxed, as above.
        if let Some(header) = unsafe { STARTED_HEADER.load(Ordering::Relaxed).as_ref() }
            && !ThreadState::own().is_some_and(ThreadState::is_forking)
        {
            // ORDERING: relaxed, a counter.
            header.children.fetch_add(1, Ordering::Relaxed);
        }
        // ORDERING: relaxed, as above.
        let mut next = THREADS.swap(core::ptr::null_mut(), Ordering::Relaxed);
        // SAFETY: states live for ever, in the child as copies.
        while let Some(thread) = unsafe { next.as_ref() } {
            // ORDERING: relaxed, as above.
            next = thread.next.load(Ordering::Relaxed);
            thread.retire();
        }
        arch::set_thread_word(0);
        // A row of the parent's, and its sequence of random numbers. A gap may be drawn anew at any time.
        arch::set_counting_row(0);
        arch::set_random_state(0);
        arch::set_countdown(0);
        parent
    }

    /// Claims the right to start. Only one caller in a process's life gets it.
    pub fn claim_start(&self) -> bool {
        // ORDERING: relaxed; the claim orders nothing but itself.
        self.state.compare_exchange(BLANK, STARTING, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Ends a claimed start without recording, also when the region is there but nobody took it.
    pub fn give_up(&self) {
        // ORDERING: relaxed; an event that is under way may still be recorded.
        self.on_mask.store(0, Ordering::Relaxed);
        self.shadow.store(core::ptr::null_mut(), Ordering::Relaxed);
        self.header.store(core::ptr::null_mut(), Ordering::Relaxed);
        self.state.store(OFF, Ordering::Relaxed);
    }

    /// Makes the region and turns recording on. The caller has claimed the start.
    pub fn start(&self, options: &Start) -> Result<(), sys::Errno> {
        let place = sys::map_private(size_of::<Writer>())?;
        // SAFETY: fresh zeroed memory, page-aligned, never unmapped.
        let writer = unsafe { Writer::create(place.cast(), options.fd) }?;
        let header = writer.header();
        let nodes: *mut Nodes = sys::map_private(size_of::<Nodes>())?.cast();
        let modules: *mut Modules = sys::map_private(size_of::<Modules>())?.cast();
        let rules: *mut RuleTable = sys::map_private(size_of::<RuleTable>())?.cast();
        // SAFETY: fresh memory of the right size, zeroed, which is a valid empty table of each kind.
        unsafe { RuleTable::make(rules, FIRST_BITS) }.ok_or(libc::ENOMEM)?;
        let chunks = 1usize << (ADDRESS_BITS - options.granule_shift - CHUNK_RECORDS_BITS);
        let shadow = sys::map_private(chunks * size_of::<AtomicPtr<Records>>())?;

        // Readers in other processes wait for `ready`, threads for `shadow`: both are stored last.
        header.pid.fill(sys::pid());
        header.granule_shift.fill(options.granule_shift);
        header.mode.fill(options.mode);
        if options.mode == header::MODE_SAMPLED {
            header.interval_bytes.fill(options.interval_bytes);
            sampled::gap::set_interval(options.interval_bytes);
            sampled::filter::FILTER.prepare();
        }
        header.start_realtime_ns.fill(sys::clock_ns(libc::CLOCK_REALTIME));
        header.start_monotonic_ns.fill(sys::clock_ns(libc::CLOCK_MONOTONIC));
        header.forked_from.fill(options.forked_from);
        header.inherited_doubt.fill(u64::MAX);
        header.waiting.fill(options.waiting.into());
        let text = |bytes: &[u8], row: &AtomicU32, length: &AtomicU32| {
            let bytes = &bytes[..bytes.len().min(Table::Text.rows_per_chunk() as usize)];
            if let Some(at) = writer.claim_text(bytes) {
                row.fill(at);
                length.fill(bytes.len() as u32);
            }
        };
        text(options.command, &header.command_row, &header.command_bytes);
        text(options.exe, &header.exe_row, &header.exe_bytes);
        self.granule_shift.fill(options.granule_shift);
        self.writer.fill(core::ptr::from_ref(writer).cast_mut());
        self.rules.fill(rules);
        self.nodes.fill(nodes);
        self.modules.fill(modules);
        let nodes = self.nodes().ok_or(libc::ENOMEM)?;
        for (root, bits) in [
            (&self.address_root, ADDRESS_ROOT_BITS),
            (&self.site_root, SITE_ROOT_BITS),
            (&self.task_root, TASK_ROOT_BITS),
        ] {
            root.fill(nodes.make_root(bits).ok_or(libc::ENOMEM)?.first());
        }
        STARTED_HEADER.fill(core::ptr::from_ref(header).cast_mut());
        STARTED_PID.fill(sys::pid());
        let page = core::ptr::from_ref(self).cast_mut().cast::<u8>();
        // SAFETY: the page is ours alone (aligned and sized to pages); wiping happens in children only.
        if !unsafe { sys::advise(page, size_of::<Process>(), libc::MADV_WIPEONFORK) } {
            // Without it a child would write into its parent's numbers.
            return Err(libc::ENOSYS);
        }
        self.fold_early_events(header);
        // ORDERING: release; all that was filled in above is seen by whoever sees these.
        header.ready.store(1, Ordering::Release);
        // ORDERING: release, as above; the state comes last.
        if options.waiting {
            self.waiting_shadow.fill(shadow.cast());
            // ORDERING: release, as for the shadow.
            self.state.store(WAITING, Ordering::Release);
            return Ok(());
        }
        self.shadow.store(shadow.cast(), Ordering::Release);
        self.header.store(core::ptr::from_ref(header).cast_mut(), Ordering::Release);
        self.on_mask.store(u64::MAX, Ordering::Release);
        // Last: a thread that finds it on finds the rest.
        self.state.store(ON, Ordering::Release);
        Ok(())
    }

    /// Turns recording on if the waiting was ended from outside; whether it was.
    #[cold]
    pub fn end_waiting(&self) -> bool {
        let Some(writer) = self.writer() else { return false };
        // ORDERING: acquire and release, as in `start`; two threads store the same.
        if writer.header().waiting.load(Ordering::Acquire) != 0 {
            return false;
        }
        let shadow = self.waiting_shadow.load(Ordering::Relaxed);
        self.shadow.store(shadow, Ordering::Release);
        let header = core::ptr::from_ref(writer.header()).cast_mut();
        self.header.store(header, Ordering::Release);
        // ORDERING: release, as above.
        self.on_mask.store(u64::MAX, Ordering::Release);
        self.state.store(ON, Ordering::Release);
        true
    }

    /// Counts an event that came while the region was being made.
    #[cold]
    pub fn note_early_event(&self) {
        // ORDERING: relaxed, a counter.
        EARLY_EVENTS.fetch_add(1, Ordering::Relaxed);
    }

    /// Moves early events into the header, as misses.
    pub fn fold_early_events(&self, header: &Header) {
        // ORDERING: relaxed, counters.
        let early = EARLY_EVENTS.swap(0, Ordering::Relaxed);
        if early != 0 {
            header.unthreaded_attempts.fetch_add(early, Ordering::Relaxed);
            header.unthreaded_misses[MissCause::NotReady as usize]
                .fetch_add(early, Ordering::Relaxed);
        }
    }

    /// Counts a miss of a thread that has no row.
    #[cold]
    pub fn note_unthreaded_miss(&self, cause: MissCause) {
        if let Some(writer) = self.writer() {
            // ORDERING: relaxed, counters.
            writer.header().unthreaded_attempts.fetch_add(1, Ordering::Relaxed);
            writer.header().unthreaded_misses[cause as usize].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The region, if recording is on.
    #[inline(always)]
    pub fn writer(&self) -> Option<&'static Writer> {
        // SAFETY: set once in `start` to memory that lives for ever.
        // ORDERING: acquire, as in `is_on`.
        unsafe { self.writer.load(Ordering::Acquire).as_ref() }
    }

    /// The tries' nodes.
    pub fn nodes(&self) -> Option<&'static Nodes> {
        // SAFETY: as for the writer.
        // ORDERING: acquire, as in `is_on`.
        unsafe { self.nodes.load(Ordering::Acquire).as_ref() }
    }

    /// The modules.
    pub fn modules(&self) -> Option<&'static Modules> {
        // SAFETY: as for the writer.
        // ORDERING: acquire, as in `is_on`.
        unsafe { self.modules.load(Ordering::Acquire).as_ref() }
    }

    /// The root of the trie of addresses.
    pub fn address_root(&self) -> Option<Root> {
        root(&self.address_root, ADDRESS_ROOT_BITS)
    }

    /// The root of the trie of the sites that are like others (see [`crate::site`]).
    pub fn site_root(&self) -> Option<Root> {
        root(&self.site_root, SITE_ROOT_BITS)
    }

    /// The root of the trie of tasks.
    pub fn task_root(&self) -> Option<Root> {
        root(&self.task_root, TASK_ROOT_BITS)
    }

    /// The rules as they stand now.
    pub fn rules(&self) -> RuleView {
        // SAFETY: set in `start` and `add_rule` to tables that live for ever.
        // ORDERING: acquire, so that a larger table is seen with what was copied into it.
        unsafe { self.rules.load(Ordering::Acquire).as_ref() }
            .map_or(RuleView::none(), RuleTable::view)
    }

    /// Enters a rule, and makes a larger table when it is time. Where another thread is making one, or there is no
    /// memory, the rule may have to be evaluated again: nothing else is lost.
    pub fn add_rule(&self, pc: usize, found: Found) {
        // SAFETY: as in `rules`.
        // ORDERING: acquire, as in `rules`.
        let Some(table) = (unsafe { self.rules.load(Ordering::Acquire).as_ref() }) else { return };
        if !table.insert(pc, found) {
            return;
        }
        // ORDERING: acquire and release, so that whoever grows next sees the table made here.
        if self.growing_rules.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed).is_err()
        {
            return;
        }
        let unchanged =
            self.rules.load(Ordering::Relaxed).cast_const() == core::ptr::from_ref(table);
        if unchanged && let Ok(place) = sys::map_private(size_of::<RuleTable>()) {
            let larger: *mut RuleTable = place.cast();
            // SAFETY: fresh memory.
            if unsafe { RuleTable::make(larger, table.bits() + 1) }.is_some() {
                // SAFETY: just made.
                table.copy_to(unsafe { &*larger });
                // ORDERING: release, after the copy.
                self.rules.store(larger, Ordering::Release);
            }
        }
        self.growing_rules.store(0, Ordering::Release);
    }

    /// Forgets the rules of a range of addresses. Not while a larger table is being made, into which they might have been
    /// copied already; whoever is making it is waited for, which is short.
    pub fn forget_rules(&self, range: core::ops::Range<usize>) {
        // ORDERING: acquire and release, as in `add_rule`.
        let take =
            || self.growing_rules.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed);
        for tries in 0..FORGET_TRIES {
            if take().is_ok() {
                break;
            }
            sys::wait_for_flag(&self.growing_rules, tries);
        }
        // SAFETY: as in `rules`.
        // ORDERING: acquire, as in `rules`.
        if let Some(table) = unsafe { self.rules.load(Ordering::Acquire).as_ref() } {
            table.forget(range);
        }
        // ORDERING: release, as above.
        self.growing_rules.store(0, Ordering::Release);
        // Every thread drops its cached stack.
        // ORDERING: release, after the rules were forgotten.
        let generation = self.generation.fetch_add(1, Ordering::Release) + 1;
        if let Some(writer) = self.writer() {
            writer.header().generation.fill(generation);
        }
    }

    /// After a dlclose: forgets what was known of modules that are gone.
    #[cold]
    pub fn modules_may_be_gone(&self) {
        if let Some(modules) = self.modules() {
            modules.sweep(self);
        }
    }

    /// The coarse time, as a [`record::Birth`].
    #[inline(always)]
    pub fn tick(&self) -> u32 {
        // ORDERING: relaxed; a clock that is written from outside.
        self.writer().map_or(0, |writer| writer.header().tick.load(Ordering::Relaxed))
    }

    /// log2 of the bytes that a record stands for.
    #[inline(always)]
    pub fn granule_shift(&self) -> u32 {
        // ORDERING: relaxed; constant since the start.
        self.granule_shift.load(Ordering::Relaxed)
    }

    /// The way to the records, if recording is on.
    #[inline]
    pub fn shadow(&self) -> Option<Shadow> {
        // ORDERING: acquire, as in `is_on`.
        let chunks = self.shadow.load(Ordering::Acquire);
        (!chunks.is_null()).then(|| Shadow { chunks, granule_shift: self.granule_shift() })
    }

    /// The record's place for an address, if its chunk is there.
    #[inline]
    pub fn record(&self, address: usize) -> Option<&'static Records> {
        self.shadow()?.record(address)
    }

    /// The record's place for an address, its chunk made if need be. `None`: there is no room.
    #[cold]
    pub fn make_record(&self, address: usize) -> Option<&'static Records> {
        let writer = self.writer()?;
        if address >> ADDRESS_BITS != 0 {
            return None;
        }
        let shift = self.granule_shift() + CHUNK_RECORDS_BITS;
        // SAFETY: as in `record`.
        // ORDERING: acquire, as in `record`; likewise for the slot below.
        let slot = unsafe { &*self.shadow.load(Ordering::Acquire).add(address >> shift) };
        // Claimed first: claiming may itself have to map a chunk. A row that is not used in the end is the next to be
        // taken: a program that is short of memory comes here at every event.
        // ORDERING: relaxed; the row's number is all there is to it.
        let shadow_row = match self.spare_shadow_row.swap(0, Ordering::Relaxed) {
            0 => writer.claim(Table::Shadow, 1)?,
            row => row - 1,
        };
        let used = Cell::new(false);
        let found = writer.record_chunk(|made| {
            let Some((base, offset)) = made else {
                // ORDERING: acquire, as above.
                return (!slot.load(Ordering::Acquire).is_null()).then_some(());
            };
            let row = writer.shadow(shadow_row)?;
            used.set(true);
            // ORDERING: relaxed, then release on the marker and on the directory's entry.
            row.base.store((address >> shift << shift) as u64, Ordering::Relaxed);
            row.offset.store(offset, Ordering::Release);
            slot.store(base.cast(), Ordering::Release);
            Some(())
        });
        if !used.get() {
            // ORDERING: relaxed, as above. Where two threads leave one, the other stays unused.
            self.spare_shadow_row.store(shadow_row + 1, Ordering::Relaxed);
        }
        found?;
        self.record(address)
    }
}

/// How wide the tries' roots are (log2 of the nodes). Of the roots only what is touched takes memory.
const ADDRESS_ROOT_BITS: u32 = 6;
const SITE_ROOT_BITS: u32 = 6;
const TASK_ROOT_BITS: u32 = 0;

fn root(first: &AtomicU32, bits: u32) -> Option<Root> {
    // ORDERING: relaxed; constant since the start.
    Root::new(first.load(Ordering::Relaxed), bits)
}

/// A birth for the records: the tick's 16 bits.
#[inline(always)]
pub fn birth(header: &Header) -> record::Birth {
    // ORDERING: relaxed; a clock that is written from outside.
    record::Birth(header.tick.load(Ordering::Relaxed) as u16)
}
