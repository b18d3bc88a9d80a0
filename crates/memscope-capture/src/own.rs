//! A process that records itself: it makes its own region, with nobody outside to hand it to.
//!
//! The region is a memfd (or a file, if one was named), of which a descriptor is kept, high up and closed on exec, for the reader in the same process
//! (and for others, by way of /proc). Before it is used it is looked at whether it still is the region's: a program may
//! close what it did not open.
//!
//! Invariants: as everywhere in this crate nothing is allocated, so this may run at the very first event, before `main`
//! and before any constructor. Deliberately absent: a thread that keeps the clock. Whoever looks at the recording
//! calls [`tick`]; the birth of a block is known to within the time between two looks.

use crate::door;
use crate::process::{BLANK, ON, PROCESS, Start};
use crate::sampled;
use core::ffi::{CStr, c_char};
use core::sync::atomic::{AtomicI32, AtomicPtr, AtomicU32, AtomicU64, Ordering};
use memscope_region::Header;
use memscope_region::header::{KEPT_ERAS, MODE_COUNTING, MODE_EXACT, MODE_OFF, MODE_SAMPLED};
use memscope_region::hello::{
    DEFAULT_INTERVAL_BYTES, FILE_VARIABLE, INTERVAL_VARIABLE, MODE_VARIABLE,
};
use memscope_region::record::Birth;
use memscope_region::row::Fill;
use memscope_region::sys;
use memscope_region::table::{Table, region_bytes_within};

/// The kept descriptor's least number.
const KEPT_FD: i32 = 500;

/// The kept descriptor plus one; 0: none.
static KEPT: AtomicI32 = AtomicI32::new(0);
/// The device and the number of the file that it was.
static IDENTITY: [AtomicU64; 2] = [AtomicU64::new(0), AtomicU64::new(0)];

unsafe extern "C" {
    /// The environment, an array that ends with null.
    static environ: *const *const c_char;
}

/// Starts recording in a region of the process's own, unless it was started before, or a preloaded library records, or the
/// environment says `off`.
#[cold]
#[inline(never)]
pub fn start(settings: Settings) {
    let settings = settings.with_environment();
    // ORDERING: relaxed; a number.
    INTERVAL.store(settings.interval_bytes, Ordering::Relaxed);
    let file = settings.file.map_or(core::ptr::null(), CStr::as_ptr);
    FILE.store(file.cast_mut(), Ordering::Relaxed);
    if settings.mode == OFF {
        // Nothing is claimed: it may be begun later.
        // ORDERING: relaxed; nothing is read on the strength of it.
        WAY.store(OFF, Ordering::Relaxed);
        return;
    }
    begin(settings);
}

/// Makes the region and starts recording, if nobody has.
fn begin(settings: Settings) {
    if !PROCESS.claim_start() {
        return;
    }
    // A child of fork is counted by its parent's region, and not recorded.
    let is_child = PROCESS.leave_parent() != 0;
    if is_child || door::is_preloaded() || make_region(settings).is_none() {
        PROCESS.give_up();
        // ORDERING: relaxed; nothing is read on the strength of it.
        WAY.store(OFF, Ordering::Relaxed);
        return;
    }
    note_era(settings.mode);
    // ORDERING: relaxed; what the bodies of a mode read is published by the process.
    NOW.store(settings.mode, Ordering::Relaxed);
    WAY.store(settings.mode, Ordering::Relaxed);
}

/// Every allocation with its full stack.
pub const EXACT: u32 = MODE_EXACT;
/// A sample by bytes.
pub const SAMPLED: u32 = MODE_SAMPLED;
/// Totals only.
pub const COUNTING: u32 = MODE_COUNTING;
/// Nothing is recorded.
pub const OFF: u32 = MODE_OFF;

/// Beside a mode's number: the mode was changed since the start, so a free looks at the block's record first. In a region
/// of mode exact only.
pub(crate) const CHANGED: u32 = 4;
/// Ways from here on are out of the ordinary.
pub(crate) const SPECIAL: u32 = 8;
/// The mode was changed in a region of mode sampled: what is done is for [`crate::switched`] to say.
pub(crate) const SWITCHED: u32 = 8;
/// A preloaded library records.
pub(crate) const BESIDE: u32 = 9;
/// It is not decided yet.
const UNDECIDED: u32 = u32::MAX;

const _: () = assert!(EXACT | SAMPLED | COUNTING | OFF == CHANGED - 1);

/// How events are treated: as one of the modes has it, with [`CHANGED`] or without, or in one of the ways above.
static WAY: AtomicU32 = AtomicU32::new(UNDECIDED);
/// The mode, if it is decided.
static NOW: AtomicU32 = AtomicU32::new(OFF);
/// Not 0 if recording was begun by a change of the mode: what was allocated before has no record.
static BEGUN_LATE: AtomicU32 = AtomicU32::new(0);
/// Raised before each change of the mode and after it.
static CHANGE_STEPS: AtomicU32 = AtomicU32::new(0);
/// Mean bytes between two samples, should there be any.
static INTERVAL: AtomicU64 = AtomicU64::new(DEFAULT_INTERVAL_BYTES);
/// What the region's file is to be called, or null.
static FILE: AtomicPtr<c_char> = AtomicPtr::new(core::ptr::null_mut());

/// How events are treated. One load.
#[inline(always)]
pub(crate) fn way() -> u32 {
    // ORDERING: relaxed; a thread that is handed a block by another sees what that had seen.
    WAY.load(Ordering::Relaxed)
}

/// How events are treated, after recording was started if it can be.
#[cold]
pub(crate) fn decided(settings: Settings) -> u32 {
    if way() == UNDECIDED {
        if door::preloaded().is_some() {
            // ORDERING: relaxed; every thread finds the same.
            WAY.store(BESIDE, Ordering::Relaxed);
        } else {
            start(settings);
        }
    }
    way()
}

/// The mode of this moment.
pub fn now() -> u32 {
    // ORDERING: acquire pairs with the release in `switch`; the interval is seen.
    NOW.load(Ordering::Acquire)
}

fn header() -> Option<&'static Header> {
    PROCESS.writer().map(|writer| writer.header())
}

/// Whether the region was made for mode sampled.
pub(crate) fn is_region_sampled() -> bool {
    // ORDERING: relaxed; constant since the start.
    header().is_some_and(|header| header.mode.load(Ordering::Relaxed) == SAMPLED)
}

/// Whether every block that has no record was counted.
pub(crate) fn was_always_counted() -> bool {
    let counting = 1 << COUNTING;
    // ORDERING: relaxed; bits are only added.
    header().is_some_and(|header| {
        let modes = header.modes.load(Ordering::Relaxed);
        modes & counting != 0 && modes & !(counting | 1 << EXACT) == 0
    })
}

/// Whether every block that is alive has a record: the process never did anything but record exactly, from its beginning.
pub(crate) fn are_all_recorded() -> bool {
    // ORDERING: relaxed; what is recorded at all was allocated after recording began, and bits are only added.
    let load = |cell: &AtomicU32| cell.load(Ordering::Relaxed);
    load(&BEGUN_LATE) == 0
        && !PROCESS.has_waited()
        && header().is_some_and(|header| {
            load(&header.mode) == EXACT
                && load(&header.modes) & !(1 << EXACT) == 0
                && load(&header.forked_from) == 0
        })
}

/// From now on whoever frees a block that has no record is told its size: a thread is measured in a process in which there
/// are such blocks, although the mode was always exact since recording began.
pub(crate) fn look_at_sizes() {
    // ORDERING: relaxed; set before recording began, and the mode stays as it was.
    if BEGUN_LATE.load(Ordering::Relaxed) != 0 {
        let looking = CHANGED | EXACT;
        let _ = WAY.compare_exchange(EXACT, looking, Ordering::Relaxed, Ordering::Relaxed);
    }
}

/// Whether a thread can be measured: every event is looked at. Where nothing was chosen in this copy of the crate it is a
/// preloaded library's, whose region has one mode.
pub(crate) fn may_measure() -> bool {
    // ORDERING: relaxed; constant since the start.
    let is_exact = |header: &Header| header.mode.load(Ordering::Relaxed) == EXACT;
    if way() == UNDECIDED { header().is_some_and(is_exact) } else { now() == EXACT }
}

/// How often the mode was changed; `None` while it is being changed.
pub(crate) fn changes() -> Option<u32> {
    // ORDERING: acquire pairs with the release in `switch`: the mode is seen.
    let steps = CHANGE_STEPS.load(Ordering::Acquire);
    steps.is_multiple_of(2).then_some(steps / 2)
}

/// From now on events look for records, also where there were none so far: a thread is set aside, and its blocks are
/// marked there.
pub(crate) fn look_at_records() {
    let counting = CHANGED | COUNTING;
    // ORDERING: relaxed; the mode stays as it was.
    let _ = WAY.compare_exchange(COUNTING, counting, Ordering::Relaxed, Ordering::Relaxed);
}

/// Why the mode was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// No allocator of this crate was ever called.
    NotInstalled,
    /// Another process records this one, and chooses.
    Supervised,
    /// There is no region and can be none.
    NoRegion,
}

/// Changes the mode to one of [`EXACT`], [`SAMPLED`], [`COUNTING`] and [`OFF`]. One thread at a time may do this.
///
/// Other threads' events that are under way are still those of the mode before.
pub fn switch(mode: u32) -> Result<(), Refused> {
    if door::is_preloaded() {
        return Err(Refused::Supervised);
    }
    if way() == UNDECIDED {
        return Err(Refused::NotInstalled);
    }
    if mode == now() {
        return Ok(());
    }
    // ORDERING: relaxed; a number.
    let interval_bytes = INTERVAL.load(Ordering::Relaxed);
    if PROCESS.state() == BLANK {
        // ORDERING: relaxed, as above.
        let file = FILE.load(Ordering::Relaxed).cast_const();
        // SAFETY: what `start` stored is null or a C string that lives for ever.
        let file = (!file.is_null()).then(|| unsafe { CStr::from_ptr(file) });
        // ORDERING: relaxed; recording is begun after it.
        BEGUN_LATE.store(1, Ordering::Relaxed);
        begin(Settings { mode, interval_bytes, file });
        return if PROCESS.is_on() { Ok(()) } else { Err(Refused::NoRegion) };
    }
    let header = header().filter(|_| PROCESS.is_on()).ok_or(Refused::NoRegion)?;
    // ORDERING: relaxed, as above.
    if mode == SAMPLED && header.interval_bytes.load(Ordering::Relaxed) == 0 {
        header.interval_bytes.fill(interval_bytes);
        sampled::gap::set_interval(interval_bytes);
        sampled::filter::FILTER.prepare();
    }
    note_era(mode);
    // ORDERING: release, after the last step and before the mode: who is measured and meets the mode knows of the change.
    CHANGE_STEPS.fetch_add(1, Ordering::Release);
    // ORDERING: release; whoever sees the mode sees what it needs.
    NOW.store(mode, Ordering::Release);
    let way = if is_region_sampled() { SWITCHED } else { CHANGED | mode };
    WAY.store(way, Ordering::Release);
    // ORDERING: release, after the mode.
    CHANGE_STEPS.fetch_add(1, Ordering::Release);
    Ok(())
}

/// Notes in the region that a mode begins.
fn note_era(mode: u32) {
    tick();
    if let Some(header) = header() {
        // ORDERING: relaxed; one thread at a time, and the count comes last.
        let eras = header.eras.load(Ordering::Relaxed);
        let tick = u64::from(header.tick.load(Ordering::Relaxed));
        header.era[eras as usize % KEPT_ERAS].fill(tick << 32 | u64::from(mode));
        header.modes.fetch_or(1 << mode, Ordering::Relaxed);
        header.eras.store(eras.saturating_add(1), Ordering::Release);
    }
}

/// What to record, as the program chose. The environment has the last word: `MEMSCOPE_MODE` (`exact`, `sampled`,
/// `counting`, `off`), `MEMSCOPE_INTERVAL` and `MEMSCOPE_FILE`.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// [`EXACT`], [`SAMPLED`], [`COUNTING`] or [`OFF`].
    pub mode: u32,
    /// Mean bytes between two samples, if sampled.
    pub interval_bytes: u64,
    /// The name of the region's file, to which a dot and the process id are added. `None`: it has none.
    pub file: Option<&'static CStr>,
}

impl Settings {
    /// Every allocation.
    pub const EXACT: Self =
        Self { mode: EXACT, interval_bytes: DEFAULT_INTERVAL_BYTES, file: None };

    /// What the environment makes of them.
    fn with_environment(self) -> Self {
        let mode = match variable(MODE_VARIABLE).map(CStr::to_bytes) {
            Some(b"exact") => EXACT,
            Some(b"sampled") => SAMPLED,
            Some(b"counting") => COUNTING,
            Some(b"off") => OFF,
            None | Some(b"") => self.mode,
            Some(other) => {
                let why = b" is ignored: it is exact, sampled, counting or off";
                complain(&[MODE_VARIABLE.as_bytes(), b"=", other, why]);
                self.mode
            }
        };
        let interval = variable(INTERVAL_VARIABLE).filter(|value| !value.is_empty());
        let digits = interval.and_then(|value| value.to_str().ok());
        let bytes = digits.and_then(|digits| digits.parse().ok()).filter(|bytes| *bytes > 0);
        if let (Some(value), None) = (interval, bytes) {
            let why = b" is ignored: it is a number of bytes, from 1 on";
            complain(&[INTERVAL_VARIABLE.as_bytes(), b"=", value.to_bytes(), why]);
        }
        let interval_bytes = bytes.unwrap_or(self.interval_bytes);
        // Whoever starts a program that has more rights than they must not choose which file it makes.
        // SAFETY: the C library's own function looks into memory that the kernel filled.
        let is_trusted = unsafe { libc::getauxval(libc::AT_SECURE) } == 0;
        let file = variable(FILE_VARIABLE).filter(|name| is_trusted && !name.is_empty());
        Self { mode, interval_bytes, file: file.or(self.file) }
    }
}

/// Tells the user what is not done as it was asked for: a line on the standard error, cut if it is long. There is no other way at
/// the first event.
#[cold]
fn complain(pieces: &[&[u8]]) {
    let mut line = [0u8; 512];
    let mut length = 0;
    for piece in [b"memscope: ".as_slice()].iter().chain(pieces) {
        // The last byte is the end of the line's.
        let taken = piece.len().min(line.len() - 1 - length);
        line[length..length + taken].copy_from_slice(&piece[..taken]);
        length += taken;
    }
    line[length] = b'\n';
    // Where nobody listens there is nobody to tell.
    let _ = sys::write(libc::STDERR_FILENO, &line[..=length]);
}

/// The value of a variable of the environment, as it is now.
fn variable(name: &str) -> Option<&'static CStr> {
    // SAFETY: the C library's own; at the first event nobody else is changing it.
    let mut entry = unsafe { environ };
    loop {
        // SAFETY: within the array, which ends with null.
        let text = unsafe { entry.as_ref() }.copied().filter(|text| !text.is_null())?;
        // SAFETY: entries are C strings.
        let bytes = unsafe { CStr::from_ptr(text) }.to_bytes_with_nul();
        let value = bytes.strip_prefix(name.as_bytes()).and_then(|rest| rest.strip_prefix(b"="));
        if let Some(value) = value {
            return CStr::from_bytes_with_nul(value).ok();
        }
        entry = entry.wrapping_add(1);
    }
}

/// Writes a number in decimal digits to the beginning of a text of ten bytes at least; how many there are.
pub(crate) fn decimal(number: u32, text: &mut [u8]) -> usize {
    let count = number.checked_ilog10().unwrap_or(0) as usize + 1;
    let mut rest = number;
    for digit in text[..count].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    count
}

/// A file for the region: its name, a dot and the process id.
fn named_file(name: &CStr, region_bytes: u64) -> Option<i32> {
    let mut path = [0u8; 4096];
    let name = name.to_bytes();
    path.get_mut(..name.len())?.copy_from_slice(name);
    let mut digits = [b'.'; 11];
    let count = decimal(sys::pid(), &mut digits[1..]);
    let digits = &digits[..=count];
    path.get_mut(name.len()..name.len() + digits.len())?.copy_from_slice(digits);
    sys::named_file(CStr::from_bytes_until_nul(&path).ok()?, region_bytes).ok()
}

fn make_region(settings: Settings) -> Option<()> {
    let region_bytes = region_bytes_within(sys::file_limit())?;
    // Where no such file can be made, memory is better than nothing.
    let named = settings.file.and_then(|name| {
        let file = named_file(name, region_bytes);
        if file.is_none() {
            let why = b": no such file can be made, so the recording ends with the process";
            complain(&[name.to_bytes(), why]);
        }
        file
    });
    let fd = named.or_else(|| sys::memory_file(c"memscope", region_bytes).ok())?;
    let started = start_in(fd, settings);
    if started.is_some()
        && let Ok(kept) = sys::duplicate(fd, KEPT_FD).or_else(|_| sys::duplicate(fd, 0))
        && let Ok((device, number)) = sys::identity(kept)
    {
        // ORDERING: release on the last; the identity is seen by whoever sees the descriptor.
        IDENTITY[0].store(device, Ordering::Relaxed);
        IDENTITY[1].store(number, Ordering::Relaxed);
        KEPT.store(kept + 1, Ordering::Release);
    }
    sys::close(fd);
    started
}

fn start_in(fd: i32, settings: Settings) -> Option<()> {
    // One chunk of text is the longest command line that is kept.
    let bytes = Table::Text.rows_per_chunk() as usize;
    let buffer = sys::map_private(bytes).ok()?;
    // SAFETY: the mapping was just made, zeroed.
    let command = unsafe { core::slice::from_raw_parts_mut(buffer, bytes) };
    let length = sys::open(c"/proc/self/cmdline").map_or(0, |file| {
        let mut length = 0;
        while let Ok(count @ 1..) = sys::read(file, &mut command[length..]) {
            length += count;
        }
        sys::close(file);
        length
    });
    let mut path = [0u8; 4096];
    let path_length = sys::read_link(c"/proc/self/exe", &mut path).unwrap_or(0);
    let options = Start {
        fd,
        granule_shift: 5,
        // Also where nothing is but counted: stacks may come later.
        mode: if settings.mode == SAMPLED { SAMPLED } else { EXACT },
        interval_bytes: settings.interval_bytes,
        command: &command[..length],
        exe: &path[..path_length],
        ..Start::default()
    };
    let started = PROCESS.start(&options);
    // SAFETY: nothing refers to the buffer any more.
    unsafe { sys::unmap(buffer, bytes) };
    started.ok()
}

/// The descriptor of this process's region, if it records itself and the descriptor is still the region's. It stays
/// ours: duplicate it to read.
pub fn descriptor() -> Option<i32> {
    if PROCESS.state() != ON {
        return None;
    }
    // ORDERING: acquire pairs with the release of the store.
    let fd = KEPT.load(Ordering::Acquire).checked_sub(1)?;
    let identity = (IDENTITY[0].load(Ordering::Relaxed), IDENTITY[1].load(Ordering::Relaxed));
    (sys::identity(fd) == Ok(identity)).then_some(fd)
}

/// Writes the time into the region, from which blocks take their births. A system call and a store.
pub fn tick() {
    if let Some(writer) = PROCESS.writer() {
        let header = writer.header();
        // ORDERING: relaxed; constant since the start.
        let start_ns = header.start_monotonic_ns.load(Ordering::Relaxed);
        let ms = sys::clock_ns(libc::CLOCK_MONOTONIC).saturating_sub(start_ns) / 1_000_000;
        header.tick.fill(Birth::from_ms(ms).0.into());
    }
}
