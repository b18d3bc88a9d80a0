//! The bytes that pass between two samples of a thread.
//!
//! Gaps are exponential with the interval as their mean, cut to whole bytes: the process has no memory, so a gap may be
//! drawn anew at any moment (after a sample, in a child of fork, when an allocation fails) without favouring any block.
//! A thread's first draw waits for its first allocation, and needs neither state nor region.

use crate::arch;
use core::sync::atomic::{AtomicU64, Ordering};
use memscope_region::row::SAMPLED_BYTES_MORE;
use memscope_region::sys;

/// The mean gap, as the bits of a 64-bit float. Constant since the start; outside the page that is wiped in children.
static INTERVAL: AtomicU64 = AtomicU64::new(0);

/// Sets the threads' sequences of random numbers apart.
static SEEDS: AtomicU64 = AtomicU64::new(0);

/// The odd constant of Weyl sequences, 2^64 divided by the golden ratio.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// Sets the mean gap; 0 counts as 1.
pub fn set_interval(bytes: u64) {
    // ORDERING: relaxed; it is set before the hooks that read it are put in place.
    INTERVAL.store((bytes.max(1) as f64).to_bits(), Ordering::Relaxed);
}

/// The mean gap in bytes.
#[inline]
pub fn interval_bytes() -> f64 {
    // ORDERING: relaxed, as above.
    f64::from_bits(INTERVAL.load(Ordering::Relaxed))
}

/// A sequence of random numbers (splitmix64). The state is never 0.
#[derive(Clone, Copy, Debug)]
pub struct Random(u64);

impl Random {
    /// A sequence for a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        // The step is made even, so the state stays odd.
        self.0 = self.0.wrapping_add(STEP << 1);
        let mut bits = self.0;
        bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ bits >> 31
    }

    /// A gap with this mean.
    pub fn gap(&mut self, interval: f64) -> u64 {
        // Above 0 and at most 1, in steps of 2^-53.
        let uniform = ((self.bits() >> 11) + 1) as f64 / (1u64 << 53) as f64;
        (-libm::log(uniform) * interval) as u64
    }
}

/// Decides about an allocation of `size` bytes that [`arch::spend`] found the countdown too short for, and sets the
/// countdown. Whether the allocation is in the sample.
#[cold]
pub fn is_sampled(size: usize) -> bool {
    let spent = spent_on(size) as u64;
    let state = arch::random_state();
    if state != 0 {
        draw(Random(state));
        return true;
    }
    // The thread's first allocation.
    // ORDERING: relaxed; only the numbers' difference matters.
    let count = SEEDS.fetch_add(STEP, Ordering::Relaxed);
    let seed = sys::clock_ns(libc::CLOCK_MONOTONIC) ^ (arch::thread_pointer() as u64) << 20 ^ count;
    let gap = draw(Random::new(seed));
    if gap < spent {
        draw(Random(arch::random_state()));
        return true;
    }
    arch::set_countdown(gap - spent);
    false
}

/// Draws the next gap into the countdown.
fn draw(mut random: Random) -> u64 {
    let gap = random.gap(interval_bytes());
    arch::set_random_state(random.0);
    arch::set_countdown(gap);
    gap
}

/// What an allocation takes from the countdown.
#[inline(always)]
pub fn spent_on(size: usize) -> usize {
    // No allocator grants what would wrap.
    size.wrapping_add(SAMPLED_BYTES_MORE as usize)
}
