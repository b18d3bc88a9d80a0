//! Unwind rules, packed, and the table from a return address to its rule.
//!
//! ```text
//! bits  0..3   kind
//!       3..13  where the caller's rbp is saved: 8 * n below the CFA; 0: rbp is still the caller's
//!      13..32  the CFA's offset in words
//! ```
//!
//! The table is a cache: insert-only, lock-free, and losing an entry costs only an evaluation. An address is
//! removed by turning its key into a tombstone when its module is unloaded.

use core::sync::atomic::{AtomicU64, Ordering};
use memscope_region::sys;

/// How the caller's frame is found from a return address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Shape {
    /// CFA = rsp + offset.
    Rsp = 0,
    /// CFA = rbp + offset.
    Rbp = 1,
    /// There is no rule: no module, no unwind information. The walk ends here, truncated.
    Unknown = 2,
    /// CFA = the word at rbp - offset, and the caller's rbp is the word at rbp: a function that realigned its stack.
    RbpIndirect = 3,
    /// The outermost frame: the return address is undefined.
    End = 4,
    /// Anything else: the walk is done again with all registers.
    Slow = 5,
}

/// A packed rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule(pub u32);

impl Rule {
    const SHAPE_BITS: u32 = 3;
    const SLOT_BITS: u32 = 10;
    const OFFSET_SHIFT: u32 = Self::SHAPE_BITS + Self::SLOT_BITS;

    /// A rule without numbers.
    pub const fn plain(shape: Shape) -> Self {
        Self(shape as u32)
    }

    /// A rule with its numbers in bytes: the CFA's offset, and how far below the CFA rbp is saved (0: it is not).
    /// What does not fit is [`Shape::Slow`].
    pub fn new(shape: Shape, cfa_offset: i64, rbp_below: i64) -> Self {
        let fits = |bytes: i64, bits: u32| bytes % 8 == 0 && (0..1 << bits).contains(&(bytes / 8));
        if !fits(cfa_offset, 32 - Self::OFFSET_SHIFT) || !fits(rbp_below, Self::SLOT_BITS) {
            return Self::plain(Shape::Slow);
        }
        let offset = (cfa_offset as u32 / 8) << Self::OFFSET_SHIFT;
        Self(shape as u32 | (rbp_below as u32 / 8) << Self::SHAPE_BITS | offset)
    }

    /// The kind of rule.
    #[inline(always)]
    pub const fn shape(self) -> Shape {
        match self.0 & ((1 << Self::SHAPE_BITS) - 1) {
            0 => Shape::Rsp,
            1 => Shape::Rbp,
            3 => Shape::RbpIndirect,
            4 => Shape::End,
            5 => Shape::Slow,
            _ => Shape::Unknown,
        }
    }

    /// Whether the shape is [`Shape::Rsp`] or [`Shape::Rbp`].
    #[inline(always)]
    pub const fn is_simple(self) -> bool {
        self.0 & 0b110 == 0
    }

    /// The CFA's offset in bytes.
    #[inline(always)]
    pub const fn cfa_offset(self) -> usize {
        (self.0 >> Self::OFFSET_SHIFT) as usize * 8
    }

    /// How far below the CFA the caller's rbp is saved; 0: rbp is still the caller's.
    #[inline(always)]
    pub const fn rbp_below(self) -> usize {
        (self.0 >> Self::SHAPE_BITS) as usize % (1 << Self::SLOT_BITS) * 8
    }

    /// Whether stepping out of the frame uses rbp.
    #[inline(always)]
    pub const fn uses_rbp(self) -> bool {
        matches!(self.shape(), Shape::Rbp | Shape::RbpIndirect)
    }

    /// Whether stepping out of the frame loads the caller's rbp from memory.
    #[inline(always)]
    pub const fn loads_rbp(self) -> bool {
        self.rbp_below() != 0 || matches!(self.shape(), Shape::RbpIndirect)
    }
}

/// A rule and the id of its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The rule.
    pub rule: Rule,
    /// The address id.
    pub address: u32,
}

/// A key that no address has: the entry's module was unloaded.
const TOMBSTONE: u64 = 1;

/// One address.
#[derive(Debug)]
#[repr(C, align(16))]
struct Slot {
    pc: AtomicU64,
    /// `address id << 32 | rule`; 0: not there yet.
    value: AtomicU64,
}

/// A table of one size. Growing makes another; the old one stays readable.
#[derive(Debug)]
pub struct RuleTable {
    slots: *const Slot,
    shift: u32,
    used: core::sync::atomic::AtomicU32,
}

/// The size of the first table.
pub const FIRST_BITS: u32 = 10;

impl RuleTable {
    /// Makes an empty table of `2^bits` slots at `place`. `None` if there is no memory.
    ///
    /// # Safety
    /// `place` is valid for writing and used by nobody yet.
    pub unsafe fn make(place: *mut RuleTable, bits: u32) -> Option<()> {
        let slots = sys::map_private(size_of::<Slot>() << bits).ok()?;
        // SAFETY: the caller's promise.
        unsafe {
            place.write(RuleTable {
                slots: slots.cast(),
                shift: u64::BITS - bits,
                used: Default::default(),
            });
        }
        Some(())
    }

    /// log2 of the number of slots.
    pub fn bits(&self) -> u32 {
        u64::BITS - self.shift
    }

    /// A view for looking up, with which a thread need not load the table itself.
    pub fn view(&self) -> RuleView {
        RuleView { slots: self.slots, shift: self.shift }
    }

    fn slots(&self) -> &[Slot] {
        // SAFETY: mapped by `make`, for ever, zeroed, and all-zero bytes are slots.
        unsafe { core::slice::from_raw_parts(self.slots, 1 << self.bits()) }
    }

    /// Enters an address. Returns whether the table is now so full that a larger one should take its place.
    pub fn insert(&self, pc: usize, found: Found) -> bool {
        let value = u64::from(found.address) << 32 | u64::from(found.rule.0);
        let slots = self.slots();
        let mut at = start(pc, self.shift);
        // A lookup ends at an empty slot, so some must remain even where no larger table can be had.
        // ORDERING: relaxed, an estimate.
        if self.used.load(Ordering::Relaxed) as usize > slots.len() / 8 * 7 {
            return true;
        }
        for _ in 0..slots.len() {
            let slot = &slots[at];
            // ORDERING: relaxed on the key; the value is stored with release, and a key without one is a miss.
            let there = slot.pc.load(Ordering::Relaxed);
            if there == pc as u64 {
                // ORDERING: release, so that the address's row is seen by whoever sees the id. Both writers store the
                // same, or a later module's.
                slot.value.store(value, Ordering::Release);
                return false;
            }
            if there != 0 && there != TOMBSTONE {
                at = (at + 1) & (slots.len() - 1);
                continue;
            }
            // ORDERING: relaxed, as above. If another thread was quicker, the slot is looked at again.
            let claimed =
                slot.pc.compare_exchange(there, pc as u64, Ordering::Relaxed, Ordering::Relaxed);
            if claimed.is_ok() {
                // ORDERING: release, as above.
                slot.value.store(value, Ordering::Release);
                // ORDERING: relaxed, an estimate. A tombstone was counted when it was an address.
                let used = self.used.fetch_add(u32::from(there == 0), Ordering::Relaxed) as usize;
                return used > slots.len() / 8 * 3;
            }
        }
        true
    }

    /// Copies what is here into a larger table.
    pub fn copy_to(&self, larger: &RuleTable) {
        for slot in self.slots() {
            // ORDERING: acquire on the value, as in a lookup.
            let (pc, value) = (slot.pc.load(Ordering::Relaxed), slot.value.load(Ordering::Acquire));
            if pc != 0 && pc != TOMBSTONE && value != 0 {
                larger.insert(
                    pc as usize,
                    Found { rule: Rule(value as u32), address: (value >> 32) as u32 },
                );
            }
        }
    }

    /// Forgets every address in a range of the address space. Called by one thread at a time.
    pub fn forget(&self, range: core::ops::Range<usize>) {
        for slot in self.slots() {
            // ORDERING: relaxed; whoever still runs in an unloaded module is beyond help, and threads look up
            // again after the generation was raised (with release).
            if range.contains(&(slot.pc.load(Ordering::Relaxed) as usize)) {
                slot.value.store(0, Ordering::Relaxed);
                slot.pc.store(TOMBSTONE, Ordering::Release);
            }
        }
    }
}

#[inline(always)]
fn start(pc: usize, shift: u32) -> usize {
    ((pc as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> shift) as usize
}

/// A table to look addresses up in.
#[derive(Clone, Copy, Debug)]
pub struct RuleView {
    slots: *const Slot,
    shift: u32,
}

impl RuleView {
    /// A view of nothing, in which nothing may be looked up.
    pub const fn none() -> Self {
        Self { slots: core::ptr::null(), shift: 0 }
    }

    /// The rule of a return address, if it was met before.
    ///
    /// # Safety
    /// The view is of a table.
    #[inline(always)]
    pub unsafe fn find(self, pc: usize) -> Option<Found> {
        let mask = (1usize << (u64::BITS - self.shift)) - 1;
        let mut at = start(pc, self.shift);
        loop {
            // SAFETY: `at` is below the number of slots.
            let slot = unsafe { &*self.slots.add(at) };
            // ORDERING: relaxed; see `insert`.
            let key = slot.pc.load(Ordering::Relaxed);
            if key == pc as u64 {
                // ORDERING: acquire pairs with the release in `insert`.
                let value = slot.value.load(Ordering::Acquire);
                if value == 0 {
                    return None;
                }
                return Some(Found { rule: Rule(value as u32), address: (value >> 32) as u32 });
            }
            if key == 0 {
                return None;
            }
            at = (at + 1) & mask;
        }
    }
}
