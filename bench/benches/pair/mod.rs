//! A pair of allocation and free, and the least time that a call takes: shared by the program with the library's allocator
//! and the one without.

use std::hint::black_box;
use std::mem::MaybeUninit;
use std::time::Instant;

/// Calls in a sample.
pub(crate) const CALLS: usize = 20_000;
/// Samples.
const SAMPLES: usize = 400;

/// The least nanoseconds per call of many samples: what other programs do on the machine only adds.
pub(crate) fn least_ns(mut call: impl FnMut()) -> f64 {
    let sample = |_| {
        let start = Instant::now();
        for _ in 0..CALLS {
            call();
        }
        start.elapsed().as_nanos() as f64 / CALLS as f64
    };
    (0..SAMPLES).map(sample).fold(f64::MAX, f64::min)
}

/// An allocation of 64 bytes and its free.
#[inline(never)]
pub(crate) fn pair() {
    drop(black_box(Box::<[u64; 8]>::new_uninit()));
}

/// The least nanoseconds per allocation of 64 bytes, without its free.
pub(crate) fn least_allocation_ns() -> f64 {
    let mut blocks = Vec::with_capacity(CALLS);
    let mut sample = |_| {
        blocks.clear();
        let start = Instant::now();
        blocks.extend((0..CALLS).map(|_| allocation()));
        start.elapsed().as_nanos() as f64 / CALLS as f64
    };
    (0..SAMPLES).map(&mut sample).fold(f64::MAX, f64::min)
}

#[inline(never)]
fn allocation() -> Box<MaybeUninit<[u64; 8]>> {
    black_box(Box::new_uninit())
}

/// Prints a figure.
pub(crate) fn print(name: &str, ns: f64) {
    println!("{name:48} {ns:8.2} ns");
}
