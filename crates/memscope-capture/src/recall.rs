//! Stacks that the thread took lately, found again by where their walk began: without a walk.
//!
//! A walk is a chain of dependent loads, rule by rule, and most walks of a program repeat one of a few that it made just
//! before: a few call sites, at a few depths. So the walker keeps, for the place where a walk began (`pc`, `sp`), what
//! the walk read: the slots of its fresh frames and what they held, and the cached frame that it met. Taking it
//! again is exact, not probable, by the conditions of [`crate::stack`]:
//!
//! 1. the walk begins in the same state: the same pc and sp, and the same rbp if any frame uses it;
//! 2. every slot that its fresh frames read still holds its value, so it arrives at the same state again;
//! 3. the cached frames have, at the same place, a frame of that very state, whose stack has the same hash;
//! 4. every slot of that frame and of those outside it still holds its value;
//! 5. no module was unloaded since.
//!
//! Several walks may begin in one state: a function allocates, and others call it at one depth. They part at a slot, whose
//! value leads from the entry of one walk to that of another, four entries at most.
//!
//! Nothing is written when a stack is recalled, but that now and then an entry is copied to the place where it is looked for
//! first. The cached frames stay those of the last walk, which is as good: they are only ever believed after their slots
//! were compared. Deliberately absent: walks with more checks than an entry holds, on foreign stacks, or that met no cached
//! frame.

use crate::arch::Entry;
use crate::arena::Arena;
use crate::process::Process;
use crate::stack::Walker;
use core::sync::atomic::Ordering;
use memscope_region::row::CounterCells;

/// Slots that an entry can hold.
const SLOTS: usize = 6;

/// log2 of the entries that there are at first, and at most: 8 KiB and 512 KiB.
const FIRST_BITS: u32 = 6;
const MOST_BITS: u32 = 12;

/// A walk that was made. All zeroes: none.
#[derive(Debug)]
#[repr(C, align(128))]
struct Path {
    pc: usize,
    sp: usize,
    /// What else tells its counters from those of other calls with this stack.
    salt: u64,
    joined_hash: u64,
    joined_rbp: usize,
    rbp: usize,
    /// All ones if the walk depended on the rbp that it began with.
    rbp_mask: usize,
    counter: Option<&'static CounterCells>,
    /// The place of the cached frame that the walk met.
    joined: u32,
    /// How many words above the entry's sp each slot lies; unused ones repeat the entry's own return address.
    above: [u16; SLOTS],
    values: [usize; SLOTS],
}

const _: () = assert!(size_of::<Path>() == 128);

/// Entries that are looked at for one walk.
const LEVELS: usize = 4;

/// Of so many walks found beyond their first place, one is copied there.
const FOUND_BEYOND: u32 = 256;

/// Spreads words over places: 2^64 divided by the golden ratio.
const SPREAD: usize = 0x9e37_79b9_7f4a_7c15;

/// The walks that one thread made lately.
#[derive(Debug)]
pub struct Recent {
    paths: *mut Path,
    bits: u32,
    /// Where the walk that was last looked for in vain is to be kept.
    vacant: *mut Path,
    /// Walks that were found beyond their first place.
    found_beyond: u32,
}

impl Recent {
    /// Holds nothing yet. `None` if there is no memory.
    pub fn new(arena: &mut Arena) -> Option<Self> {
        Self::with_room(arena, FIRST_BITS)
    }

    fn with_room(arena: &mut Arena, bits: u32) -> Option<Self> {
        let place = arena.take(Self::bytes(bits))?;
        let paths = place.wrapping_add(place.align_offset(align_of::<Path>())).cast();
        Some(Self { paths, bits, vacant: paths, found_beyond: 0 })
    }

    /// Pieces are aligned to 64 bytes: of one entry more, the part aligned to 128 is used.
    fn bytes(bits: u32) -> usize {
        ((1 << bits) + 1) * size_of::<Path>()
    }

    /// Makes more room, if a thread that has seen so many distinct stacks should have more: each stack may begin at several
    /// depths. What was held is forgotten.
    #[inline(always)]
    pub fn make_room(&mut self, arena: &mut Arena, stacks: usize) {
        // The largest is for those that have more stacks than the second largest has entries.
        let needed = if self.bits + 2 < MOST_BITS { self.bits - 2 } else { self.bits };
        if stacks >> needed != 0 && self.bits < MOST_BITS {
            self.grow(arena);
        }
    }

    #[cold]
    fn grow(&mut self, arena: &mut Arena) {
        // Without memory the old room must do.
        let Some(larger) = Self::with_room(arena, self.bits + 2) else { return };
        let old = core::mem::replace(self, larger);
        if old.bits != FIRST_BITS {
            // SAFETY: a mapping of its own, which begins with a page, and nobody uses it any more.
            unsafe { arena.give_back(old.paths.cast(), Self::bytes(old.bits)) };
        }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        // SAFETY: the entries are ours, and all zeroes are entries.
        unsafe { self.paths.write_bytes(0, 1 << self.bits) };
    }

    /// Notes that a walk was found at `place`. Now and then it is copied to its first place, where a walk may stand that is
    /// made no more; that one, if it is made after all, is kept again further on.
    #[inline(always)]
    fn note_found(&mut self, first_word: usize, place: *mut Path) {
        let first = self.place(first_word);
        if first == place {
            return;
        }
        self.found_beyond = self.found_beyond.wrapping_add(1);
        if self.found_beyond.is_multiple_of(FOUND_BEYOND) {
            // SAFETY: two different entries, both ours.
            unsafe { first.copy_from_nonoverlapping(place, 1) };
        }
    }

    /// The entry that a word leads to.
    #[inline(always)]
    fn place(&self, word: usize) -> *mut Path {
        self.paths.wrapping_add(word.wrapping_mul(SPREAD) >> (usize::BITS - self.bits))
    }
}

/// What leads to the entry that a walk is looked for in first.
#[inline(always)]
fn first_word(pc: usize, sp: usize, salt: u64) -> usize {
    pc ^ sp.rotate_left(27) ^ salt as usize
}

impl Path {
    /// Whether the entry is of a walk that began in another state than this.
    #[inline(always)]
    fn is_others(&self, pc: usize, entry: Entry, salt: u64) -> bool {
        (self.pc ^ pc)
            | (self.sp ^ entry.sp)
            | (self.salt ^ salt) as usize
            | ((self.rbp ^ entry.rbp) & self.rbp_mask)
            != 0
    }

    /// What a slot holds now.
    ///
    /// # Safety
    /// The entry is of a walk that began at this sp: so the slots lie in the thread's own stack again.
    #[inline(always)]
    unsafe fn slot(&self, entry: Entry, k: usize) -> usize {
        // SAFETY: the caller's promise.
        unsafe { *(entry.sp as *const usize).add(self.above[k] as usize) }
    }
}

impl Walker {
    /// The counters of the stack of the caller that entered at `entry`, if it is one of those taken lately. `salt`
    /// tells apart what the stack alone does not.
    ///
    /// # Safety
    /// `entry` is of a hook that this thread is in.
    #[inline(always)]
    pub unsafe fn recall(
        &self,
        process: &Process,
        entry: Entry,
        salt: u64,
    ) -> Option<&'static CounterCells> {
        // SAFETY: the caller's promise: the return address.
        let pc = unsafe { *(entry.sp as *const usize) };
        // SAFETY: the place of an entry.
        let path = unsafe { &*self.recent.place(first_word(pc, entry.sp, salt)) };
        // ORDERING: relaxed; as in `take`.
        let generation = process.generation.load(Ordering::Relaxed);
        if path.is_others(pc, entry, salt) || generation != self.generation {
            return None;
        }
        let mut changed = 0;
        for k in 0..SLOTS {
            // SAFETY: the entry is of this sp.
            changed |= unsafe { path.slot(entry, k) } ^ path.values[k];
        }
        if changed != 0 || !self.still_leads(path, entry) {
            return None;
        }
        path.counter
    }

    /// Whether the cached frame that the walk met is still there, and all that lies outside it.
    #[inline(always)]
    fn still_leads(&self, path: &Path, entry: Entry) -> bool {
        let joined = path.joined as usize;
        if joined >= self.reusable {
            return false;
        }
        // SAFETY: below `reusable`.
        let frame = unsafe { &*self.frames.add(joined) };
        // The outermost slot holds the return address of the frame that was met, which lies just above.
        let joined_sp = entry.sp + 8 * path.above[0] as usize + 8;
        let changed = (frame.hash ^ path.joined_hash) as usize
            | (frame.sp ^ joined_sp)
            | ((frame.rbp ^ path.joined_rbp) & (frame.needs_rbp as usize).wrapping_neg());
        changed == 0 && self.first_changed(frame.checks_end as usize).is_none()
    }

    /// The same from the first place on to others: walks that began in one state part where a slot holds something else,
    /// and what it holds leads from one entry to the next. If none is the walk, [`Walker::remember`] keeps it where the
    /// search ended.
    ///
    /// # Safety
    /// As for [`Walker::recall`].
    #[inline(always)]
    pub unsafe fn recall_beyond(
        &mut self,
        process: &Process,
        entry: Entry,
        salt: u64,
    ) -> Option<&'static CounterCells> {
        // SAFETY: the caller's promise: the return address.
        let pc = unsafe { *(entry.sp as *const usize) };
        let mut word = first_word(pc, entry.sp, salt);
        // ORDERING: relaxed; as in `take`.
        let is_valid = process.generation.load(Ordering::Relaxed) == self.generation;
        for _ in 0..LEVELS {
            let place = self.recent.place(word);
            self.recent.vacant = place;
            // SAFETY: the place of an entry.
            let path = unsafe { &*place };
            if path.is_others(pc, entry, salt) || !is_valid {
                return None;
            }
            let mut changed = 0_u32;
            for k in 0..SLOTS {
                // SAFETY: the entry is of this sp.
                changed |= u32::from(unsafe { path.slot(entry, k) } != path.values[k]) << k;
            }
            if changed == 0 {
                if !self.still_leads(path, entry) {
                    return None;
                }
                let counter = path.counter;
                self.recent.note_found(first_word(pc, entry.sp, salt), place);
                return counter;
            }
            // The innermost: all that lies within is as it was, so this is a slot that the walk would read.
            let k = changed.ilog2() as usize;
            // SAFETY: as above.
            word = (word ^ unsafe { path.slot(entry, k) }).wrapping_mul(SPREAD).rotate_left(31);
        }
        None
    }

    /// Keeps the walk just made from `entry`, for which [`Walker::recall_beyond`] was asked before, if it can be recalled.
    #[inline(always)]
    pub fn remember(&mut self, entry: Entry, salt: u64, counter: &'static CounterCells) {
        if self.joined == 0 || self.reusable != self.depth {
            return;
        }
        // SAFETY: both below the depth.
        let (met, innermost) =
            unsafe { (&*self.frames.add(self.joined - 1), &*self.frames.add(self.depth - 1)) };
        let (first, end) = (met.checks_end as usize, innermost.checks_end as usize);
        // An entry begins at the thread's own stack only: what is reusable is of it.
        if end - first > SLOTS || innermost.sp != entry.sp + 8 {
            return;
        }
        let mut above = [0; SLOTS];
        let mut values = [innermost.pc; SLOTS];
        for (k, at) in (first..end).enumerate() {
            // SAFETY: below the number of checks written.
            let check = unsafe { &*self.checks.add(at) };
            let Ok(words) = u16::try_from((check.slot - entry.sp) / 8) else { return };
            (above[k], values[k]) = (words, check.value);
        }
        let path = Path {
            pc: innermost.pc,
            sp: entry.sp,
            salt,
            joined_hash: met.hash,
            joined_rbp: met.rbp,
            rbp: entry.rbp,
            rbp_mask: (innermost.needs_rbp as usize).wrapping_neg(),
            counter: Some(counter),
            joined: self.joined as u32 - 1,
            above,
            values,
        };
        // SAFETY: the place of an entry of the present room, which is ours.
        unsafe { self.recent.vacant.write(path) };
    }
}
