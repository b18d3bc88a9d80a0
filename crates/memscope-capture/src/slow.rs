//! The walk with all registers, for stacks with a frame that rsp and rbp alone do not explain: the kernel's signal
//! frame, the loader's trampolines. It starts inside the hook, so that registers which the hook saved are found where
//! it saved them. Nothing of it is kept for the next walk.

use crate::arch::{Entry, RIP, RSP, Registers};
use crate::cfi::{self, Memory, Step};
use crate::frame::Bounds;
use crate::object;
use core::cell::Cell;
use memscope_region::sys;

/// Frames of our own that may lie between here and the hook's entry.
const OWN_FRAMES: usize = 64;

/// Stacks that a walk may lead through beyond the two that it knows: those of coroutines which resumed each other.
const MORE_STACKS: usize = 6;

/// The stacks that may be read: the one we are on, and the thread's own (a signal handler on an alternate stack
/// has both). Between the two, a coroutine's stack may lead to that of another coroutine; the kernel is asked whether
/// there is a mapping like a stack's.
#[derive(Debug)]
pub struct Stacks {
    known: [Bounds; 2],
    more: [Cell<Bounds>; MORE_STACKS],
}

impl Stacks {
    /// Those of a walk from an entry on the stack `first`, in a thread whose own stack is `own`.
    pub fn new(first: Bounds, own: Bounds) -> Self {
        Self { known: [first, own], more: Default::default() }
    }

    /// Whether the word at an address lies on a stack.
    fn is_readable(&self, address: usize) -> bool {
        let has =
            |bounds: Bounds| bounds.contains(address) && bounds.contains(address.wrapping_add(7));
        if self.known.into_iter().any(has) || self.more.iter().any(|it| has(it.get())) {
            return true;
        }
        // Only what the walk came upon is kept, and for this walk only: a coroutine's stack may be gone at the next.
        let Some(place) = self.more.iter().find(|it| it.get().high == 0) else { return false };
        place.set(stack_around(address).unwrap_or_default());
        has(place.get())
    }
}

#[cold]
fn stack_around(address: usize) -> Option<Bounds> {
    sys::writable_mapping_of(address).map(|(low, high)| Bounds { low, high })
}

impl Memory for Stacks {
    fn word(&self, address: usize) -> Option<usize> {
        if !address.is_multiple_of(8) || !self.is_readable(address) {
            return None;
        }
        // SAFETY: the address lies on a live stack. Memory below a stack's current end is mapped or grown on
        // touch; the walk goes outwards only and does not come there.
        Some(unsafe { *(address as *const usize) })
    }
}

/// What comes next in a walk.
#[derive(Clone, Copy, Debug)]
pub enum Next {
    /// A frame's return address, or the instruction at which it was interrupted.
    Frame {
        /// The address.
        pc: usize,
        /// Whether it is the instruction itself.
        interrupted: bool,
    },
    /// The outermost frame was the last.
    End,
    /// The walk cannot go on.
    Lost,
}

/// A walk under way.
#[derive(Debug)]
pub struct Walk {
    registers: Registers,
    interrupted: bool,
    memory: Stacks,
    /// Whether the frame that the registers are of was told already.
    told: bool,
    ready: bool,
}

impl Walk {
    /// A walk whose first frame is the caller of the hook that was entered at `entry`.
    ///
    /// # Safety
    /// The calling thread is in that hook.
    #[inline(never)]
    pub unsafe fn begin(entry: Entry, memory: Stacks) -> Self {
        let mut walk = Self {
            registers: Registers::here(),
            interrupted: false,
            memory,
            told: false,
            ready: false,
        };
        for _ in 0..OWN_FRAMES {
            if walk.registers.value[RSP as usize] == entry.sp + 8 {
                walk.ready = true;
                break;
            }
            if !matches!(walk.step(), Some(false)) {
                break;
            }
        }
        walk
    }

    /// Steps out of the current frame: whether that was the last. `None`: it cannot be told.
    fn step(&mut self) -> Option<bool> {
        let pc = self.registers.value[RIP as usize];
        let address = if self.interrupted { pc } else { pc.wrapping_sub(1) };
        let object = object::find(address)?;
        match cfi::step(&object, address, &self.registers, &self.memory)? {
            Step::End => Some(true),
            Step::Caller(caller, interrupted) => {
                let progress = caller.value[RSP as usize] != self.registers.value[RSP as usize];
                self.registers = caller;
                self.interrupted = interrupted;
                progress.then_some(caller.value[RIP as usize] == 0)
            }
        }
    }

    /// The next frame outwards.
    pub fn outwards(&mut self) -> Next {
        if !self.ready {
            return Next::Lost;
        }
        if self.told {
            match self.step() {
                Some(false) => {}
                Some(true) => return Next::End,
                None => return Next::Lost,
            }
        }
        self.told = true;
        Next::Frame { pc: self.registers.value[RIP as usize], interrupted: self.interrupted }
    }
}
