//! What a walk is made of: frames as they are kept and as they are met, the checks that guard them, bounds, and what a
//! walk gives back. The walk itself, and why it is sound, stands in [`crate::stack`].

use crate::rule::Found;

/// A frame of the last stack. Frames are kept from the outermost in.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct CachedFrame {
    pub(crate) sp: usize,
    pub(crate) pc: usize,
    pub(crate) rbp: usize,
    /// Hash of the stack up to and with this frame.
    pub(crate) hash: u64,
    /// Id of the return address.
    pub address: u32,
    /// Id of the stack's node, 0 if it was not needed yet.
    pub node: u32,
    /// End of this frame's checks.
    pub(crate) checks_end: u32,
    pub(crate) needs_rbp: bool,
}

/// What stands before the outermost frame: its sp is above all others, and it is met by no walk. So going outwards
/// through the cached frames needs no other bound.
pub(crate) const SENTINEL: CachedFrame = CachedFrame {
    sp: usize::MAX,
    pc: 0,
    rbp: 0,
    hash: 0,
    address: 0,
    node: 0,
    checks_end: 0,
    needs_rbp: false,
};

impl CachedFrame {
    /// The return address.
    pub fn pc(&self) -> usize {
        self.pc
    }

    /// The hash of the stack up to and with this frame.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// The stack pointer after the call returns.
    pub fn sp(&self) -> usize {
        self.sp
    }
}

/// A slot and what it must hold for the frames inside it to be taken over.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Check {
    pub(crate) slot: usize,
    pub(crate) value: usize,
}

/// A frame of the walk under way, innermost first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fresh {
    pub(crate) sp: usize,
    pub(crate) pc: usize,
    pub(crate) rbp: usize,
    pub(crate) found: Found,
}

/// Checks that one frame can have: return address, saved rbp, the word that holds the CFA.
pub(crate) const CHECKS_PER_FRAME: usize = 3;

/// A stretch of stack memory that may be read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bounds {
    /// The lowest address.
    pub low: usize,
    /// One past the highest.
    pub high: usize,
}

impl Bounds {
    /// Whether the address lies within.
    #[inline(always)]
    pub fn contains(self, address: usize) -> bool {
        address.wrapping_sub(self.low) < self.high.wrapping_sub(self.low)
    }
}

/// The stack that a walk has taken. Two words, so that it is returned in registers.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    /// Identifies the stack: equal hashes are taken for equal stacks (64 bits, well mixed).
    pub hash: u64,
    /// What is out of the ordinary, as a sum of the constants below; 0 for a whole stack of the thread's own.
    pub marks: u64,
}

impl Taken {
    /// The walk ended before the outermost frame.
    pub const TRUNCATED: u64 = 1;
    /// The stack is not the thread's own.
    pub const FOREIGN: u64 = 2;
    /// The walk took the slow path.
    pub const SLOW: u64 = 4;
    /// An address could not be given an id; there is no stack.
    pub const FAILED: u64 = 8;

    /// Whether any of these marks is set.
    #[inline(always)]
    pub fn has(self, marks: u64) -> bool {
        self.marks & marks != 0
    }
}
