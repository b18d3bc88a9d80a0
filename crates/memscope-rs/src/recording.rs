//! What this process records of itself, for the rest of the crate: whether it does, its region, and a thread that is set
//! aside while it reads.
//!
//! Invariant: with feature `off`, and without an installed allocator, everything here says "not recording", and nothing
//! else in the crate needs to know why.
//! Deliberately absent: the allocator (see [`crate::Memscope`]).

use crate::allocator;
use memscope_profile::Region;

/// Sets the calling thread aside while it lives: what the thread allocates meanwhile is none of the program's.
pub(crate) struct Aside {
    stepped: bool,
    /// Left on the thread that entered.
    _thread: std::marker::PhantomData<*const ()>,
}

impl Aside {
    pub(crate) fn new() -> Self {
        Self { stepped: step(), _thread: std::marker::PhantomData }
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        if self.stepped {
            leave();
        }
    }
}

/// The region as it is now, with the clock set; `None` if nothing is recorded here.
pub(crate) fn region() -> Option<Region> {
    let file = allocator::region()?;
    tick();
    Region::open(file).ok()
}

#[cfg(not(feature = "off"))]
mod capture {
    //! What is asked of capture. A start that does nothing: only the allocator begins a recording.

    use memscope_capture::{own, side};

    pub(crate) fn step() -> bool {
        side::step(|| {})
    }

    pub(crate) fn leave() {
        side::leave();
    }

    pub(crate) fn tick() {
        own::tick();
    }
}

#[cfg(feature = "off")]
mod capture {
    //! Nothing is recorded.

    pub(crate) fn step() -> bool {
        false
    }

    pub(crate) fn leave() {}

    pub(crate) fn tick() {}
}

pub(crate) use capture::*;
