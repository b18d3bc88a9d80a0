//! `TrackingStats` beside the one of memscope-rs 0.2.3 from crates.io, in one run.
//!
//! ```text
//! cd bench && cargo bench --bench tracking
//! ```
//!
//! Each iteration does [`CALLS`] calls, so a median in µs reads as ns per call (a pair is one call here), and
//! the cost of the loop around the timer vanishes. Nothing fails when it is slow: figures are read and recorded, in
//! `record/`.

use std::cell::OnceCell;
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Barrier};
use std::thread;

use divan::Bencher;
use divan::counter::ItemsCount;

/// Calls in an iteration.
const CALLS: usize = 1000;

/// Iterations in a sample where threads run at once: they start a sample together, and it must be long beside that. The
/// same where one thread counts: some processors guess from which store a load takes its value, and in the first tenths
/// of a millisecond mostly wrongly.
const SAMPLE: u32 = 1000;

/// The same where two threads are to meet on one cache line for most of the time.
const LONG_SAMPLE: u32 = 10_000;

/// What both crates can do.
trait Stats: Default + Send + Sync + 'static {
    fn attempt(&self);
    fn success(&self);
    fn miss(&self);
    fn completeness(&self) -> f64;
    fn contention(&self) -> f64;
    fn mine<R>(run: impl FnOnce(&Self) -> R) -> R;
}

macro_rules! stats {
    ($name:ident, $stats:ty) => {
        #[derive(Default)]
        struct $name($stats);

        impl Stats for $name {
            #[inline(always)]
            fn attempt(&self) {
                self.0.record_attempt();
            }
            #[inline(always)]
            fn success(&self) {
                self.0.record_success();
            }
            #[inline(always)]
            fn miss(&self) {
                self.0.record_miss();
            }
            #[inline(always)]
            fn completeness(&self) -> f64 {
                self.0.get_completeness()
            }
            #[inline(always)]
            fn contention(&self) -> f64 {
                // All of it is needed, so that no load is left out.
                black_box(self.0.get_detailed_stats()).contention_rate
            }
            fn mine<R>(run: impl FnOnce(&Self) -> R) -> R {
                thread_local! {
                    static MINE: OnceCell<Box<Apart<$name>>> = const { OnceCell::new() };
                }
                MINE.with(|mine| run(&mine.get_or_init(Box::default).0))
            }
        }
    };
}

stats!(New, memscope_rs::tracking::TrackingStats);
stats!(Old, memscope_old::tracking::TrackingStats);

/// Keeps an instance off its neighbours' cache lines.
#[derive(Default)]
#[repr(align(128))]
struct Apart<T>(T);

fn main() {
    divan::main();
}

/// An attempt and its success.
#[inline(always)]
fn pairs<T: Stats>(stats: &T) {
    for _ in 0..CALLS {
        stats.attempt();
        stats.success();
    }
}

mod one_thread {
    use super::*;

    #[divan::bench(types = [New, Old], sample_size = SAMPLE)]
    fn record_attempt<T: Stats>(bencher: Bencher<'_, '_>) {
        let stats = T::default();
        bencher.counter(ItemsCount::new(CALLS)).bench_local(|| {
            let stats = black_box(&stats);
            for _ in 0..CALLS {
                stats.attempt();
            }
        });
    }

    #[divan::bench(types = [New, Old], sample_size = SAMPLE)]
    fn record_success<T: Stats>(bencher: Bencher<'_, '_>) {
        let stats = T::default();
        bencher.counter(ItemsCount::new(CALLS)).bench_local(|| {
            let stats = black_box(&stats);
            for _ in 0..CALLS {
                stats.success();
            }
        });
    }

    #[divan::bench(types = [New, Old], sample_size = SAMPLE)]
    fn record_pair<T: Stats>(bencher: Bencher<'_, '_>) {
        let stats = T::default();
        bencher.counter(ItemsCount::new(CALLS)).bench_local(|| pairs(black_box(&stats)));
    }

    /// Misses on an instance that stays above 95 %, where neither crate warns: an attempt and a miss are the call,
    /// and 19 pairs that keep it healthy are not timed.
    #[divan::bench(types = [New, Old], sample_size = SAMPLE / 10)]
    fn record_attempt_and_miss<T: Stats>(bencher: Bencher<'_, '_>) {
        let stats = T::default();
        bencher
            .counter(ItemsCount::new(CALLS))
            .with_inputs(|| (0..19).for_each(|_| pairs(&stats)))
            .bench_local_values(|()| {
                let stats = black_box(&stats);
                for _ in 0..CALLS {
                    stats.attempt();
                    stats.miss();
                }
            });
    }

    /// A pair around a little work that writes: a 64-byte block is filled. `nothing` is the work alone.
    #[divan::bench(types = [New, Old], sample_size = SAMPLE)]
    fn record_pair_around_work<T: Stats>(bencher: Bencher<'_, '_>) {
        let stats = T::default();
        bencher.counter(ItemsCount::new(CALLS)).bench_local(|| {
            let stats = black_box(&stats);
            for call in 0..CALLS {
                stats.attempt();
                black_box(&mut [call; 8]);
                stats.success();
            }
        });
    }

    /// The least that counting can cost: an addition in memory, with nothing to find out where.
    #[divan::bench(sample_size = SAMPLE)]
    fn nothing_but_additions(bencher: Bencher<'_, '_>) {
        let counts = [AtomicU64::new(0), AtomicU64::new(0)];
        bencher.counter(ItemsCount::new(CALLS)).bench_local(|| {
            let counts = black_box(&counts);
            for _ in 0..CALLS {
                for count in counts {
                    count.store(count.load(Relaxed) + 1, Relaxed);
                }
            }
        });
    }

    #[divan::bench(sample_size = SAMPLE)]
    fn nothing_around_work(bencher: Bencher<'_, '_>) {
        bencher.counter(ItemsCount::new(CALLS)).bench_local(|| {
            for call in 0..CALLS {
                black_box(&mut [call; 8]);
            }
        });
    }

    /// One thread, recording a pair in each of so many instances by turns. A thread has 8 at hand, and seeks the others.
    #[divan::bench(args = [1, 2, 8, 64], sample_size = SAMPLE)]
    fn pair_on_instances_by_turns(bencher: Bencher<'_, '_>, instances: usize) {
        let stats: Vec<New> = (0..instances).map(|_| New::default()).collect();
        bencher.counter(ItemsCount::new(CALLS)).bench_local(|| {
            for stats in black_box(&stats).iter().cycle().take(CALLS) {
                stats.attempt();
                stats.success();
            }
        });
    }
}

mod two_threads {
    use super::*;

    #[divan::bench(types = [New, Old], threads = 2, sample_size = LONG_SAMPLE, sample_count = 20)]
    fn pair_on_one_instance<T: Stats>(bencher: Bencher<'_, '_>) {
        let stats = Apart(T::default());
        bencher.counter(ItemsCount::new(CALLS)).bench(|| pairs(black_box(&stats.0)));
    }

    #[divan::bench(types = [New, Old], threads = 2, sample_size = LONG_SAMPLE, sample_count = 20)]
    fn pair_on_two_instances<T: Stats>(bencher: Bencher<'_, '_>) {
        bencher.counter(ItemsCount::new(CALLS)).bench(|| T::mine(|stats| pairs(black_box(stats))));
    }
}

mod many_threads {
    use super::*;

    #[divan::bench(types = [New, Old], threads = [1, 2, 4, 8, 16, 32, 64], sample_size = SAMPLE)]
    fn pair_on_one_instance<T: Stats>(bencher: Bencher<'_, '_>) {
        let stats = Apart(T::default());
        bencher.counter(ItemsCount::new(CALLS)).bench(|| pairs(black_box(&stats.0)));
    }
}

mod reading {
    use super::*;

    /// An instance in which that many threads have recorded at the same time.
    fn recorded<T: Stats>(threads: usize) -> Apart<T> {
        let stats = Arc::new(Apart(T::default()));
        let together = Arc::new(Barrier::new(threads));
        let recorders: Vec<_> = (0..threads)
            .map(|_| {
                let (stats, together) = (Arc::clone(&stats), Arc::clone(&together));
                thread::spawn(move || {
                    pairs(&stats.0);
                    // A little is missed, so that no ratio is known without dividing.
                    stats.0.attempt();
                    stats.0.miss();
                    together.wait();
                })
            })
            .collect();
        recorders.into_iter().for_each(|recorder| recorder.join().expect("a recorder"));
        Arc::into_inner(stats).expect("all have ended")
    }

    #[divan::bench(types = [New, Old], args = [1, 2, 4, 8, 16, 32, 64])]
    fn get_completeness<T: Stats>(bencher: Bencher<'_, '_>, threads: usize) {
        let stats = recorded::<T>(threads);
        bencher.counter(ItemsCount::new(CALLS)).bench_local(|| {
            for _ in 0..CALLS {
                black_box(black_box(&stats.0).completeness());
            }
        });
    }

    #[divan::bench(types = [New, Old], args = [1, 2, 4, 8, 16, 32, 64])]
    fn get_detailed_stats<T: Stats>(bencher: Bencher<'_, '_>, threads: usize) {
        let stats = recorded::<T>(threads);
        bencher.counter(ItemsCount::new(CALLS)).bench_local(|| {
            for _ in 0..CALLS {
                black_box(black_box(&stats.0).contention());
            }
        });
    }
}
