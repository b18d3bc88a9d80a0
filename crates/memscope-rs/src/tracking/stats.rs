//! The counters that every thread may add to and any thread may read.
//!
//! ```text
//! 64 bytes, read by all and hardly ever written:
//! instance | shards | settled successes, misses | stray attempts, successes, misses | warning
//! ```
//!
//! Invariants:
//! - A total is what the shards hold plus the strays, less what a reset settled. Shards and strays only grow, so a
//!   reset writes nothing that another thread writes.
//! - Order of a reading: settled, then all outcomes, then all attempts (see [`Shards`]). What is settled was read from
//!   the outcomes before, so no difference is negative; and the attempts lose exactly the settled outcomes, so
//!   successes + misses <= attempts holds whatever resets come in between.
//!
//! Deliberately absent: what a thread has recorded by itself; shards pass from thread to thread.

use std::fmt;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use super::detailed::{DetailedStats, completeness};
use super::serial::Serial;
use super::shard::Event;
use super::shards::Shards;
use super::sync::{AtomicU64, const_fn};
use super::thread;
use super::warning::{WARN_BELOW, Warning};

/// Numbers of instances.
static INSTANCES: Serial = Serial::new();

/// Counts attempts and how they ended, from any number of threads, and says how complete the tracking is.
///
/// Record an attempt before its outcome. Then in every reading, from any thread, `successes + misses <= attempts`,
/// also when attempt and outcome come from different threads with a happens-before between them; and a reading is
/// exact once the threads that recorded were joined.
///
/// Recording takes about half a nanosecond, whatever other threads do: it writes to cache lines of the calling thread alone, with
/// no lock, no locked instruction, no waiting. (A thread that records in many instances by turns pays some 10 ns.) The first
/// record of a thread in an instance takes over 128 bytes that a dead thread or a dropped instance left, or allocates
/// them, some at a time. Reading adds up over the threads that recorded here at the same time. The instance itself has
/// 64 bytes.
///
/// A signal handler should not record: where it interrupts a record on the same thread, one of the two may be lost, or be
/// counted in the other's instance.
///
/// `Display`, `Debug` and, with feature `serde`, `Serialize` show a reading.
///
/// ```
/// use memscope_rs::tracking::TrackingStats;
///
/// let stats = TrackingStats::new();
/// std::thread::scope(|scope| {
///     for _ in 0..4 {
///         scope.spawn(|| {
///             stats.record_attempt();
///             stats.record_success();
///         });
///     }
/// });
/// assert_eq!(stats.get_detailed_stats().successes, 4);
/// ```
#[repr(align(64))]
pub struct TrackingStats {
    /// The number that threads know the instance by, 0 before its first claim.
    instance: AtomicU64,
    shards: Shards,
    /// Outcomes that a reset has settled, together with as many attempts.
    settled_successes: AtomicU64,
    settled_misses: AtomicU64,
    /// Events of threads that cannot hold a shard just now: see [`thread::shard`].
    strays: [AtomicU64; 3],
    warning: Warning,
}

#[cfg(not(memscope_loom))]
const _: () = assert!(size_of::<TrackingStats>() == 64);

impl TrackingStats {
    const_fn! {
        /// Nothing recorded yet. Const, so that it can be a `static`; allocates nothing.
        ///
        /// ```
        /// use memscope_rs::tracking::TrackingStats;
        ///
        /// static STATS: TrackingStats = TrackingStats::new();
        /// assert_eq!(STATS.get_completeness(), 1.0);
        /// ```
        pub fn new() -> Self {
            Self {
                instance: AtomicU64::new(0),
                shards: Shards::new(),
                settled_successes: AtomicU64::new(0),
                settled_misses: AtomicU64::new(0),
                strays: [AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0)],
                warning: Warning::new(),
            }
        }
    }

    /// Records that something is about to be tracked. Comes before the outcome.
    ///
    /// Cost: a comparison and an addition in memory of the calling thread, about 0.5 ns. It cannot fail.
    ///
    /// ```
    /// use memscope_rs::tracking::TrackingStats;
    ///
    /// let stats = TrackingStats::new();
    /// stats.record_attempt();
    /// assert_eq!(stats.get_detailed_stats().attempts, 1);
    /// ```
    #[inline]
    pub fn record_attempt(&self) {
        self.record(Event::Attempt);
    }

    /// Records that an attempt succeeded. Cost as [`record_attempt`](Self::record_attempt).
    ///
    /// ```
    /// use memscope_rs::tracking::TrackingStats;
    ///
    /// let stats = TrackingStats::new();
    /// stats.record_attempt();
    /// stats.record_success();
    /// assert_eq!(stats.get_detailed_stats().successes, 1);
    /// ```
    #[inline]
    pub fn record_success(&self) {
        self.record(Event::Success);
    }

    /// Records that an attempt failed. Cost as [`record_attempt`](Self::record_attempt); it never warns.
    ///
    /// ```
    /// use memscope_rs::tracking::TrackingStats;
    ///
    /// let stats = TrackingStats::new();
    /// stats.record_attempt();
    /// stats.record_miss();
    /// assert_eq!(stats.get_detailed_stats().misses, 1);
    /// ```
    #[inline]
    pub fn record_miss(&self) {
        self.record(Event::Miss);
    }

    #[inline(always)]
    fn record(&self, event: Event) {
        match thread::latest(self.instance.load(Relaxed)) {
            Some(shard) => shard.record(event),
            None => self.record_elsewhere(event),
        }
    }

    #[cold]
    #[inline(never)]
    fn record_elsewhere(&self, event: Event) {
        match thread::shard(self.instance(), &self.shards) {
            Some(shard) => shard.record(event),
            None => {
                self.strays[event as usize].fetch_add(1, Release);
            }
        }
    }

    fn instance(&self) -> u64 {
        let instance = self.instance.load(Relaxed);
        if instance != 0 {
            return instance;
        }
        let fresh = INSTANCES.next();
        match self.instance.compare_exchange(0, fresh, Relaxed, Relaxed) {
            Ok(_) => fresh,
            Err(instance) => instance,
        }
    }

    /// Successes per attempt, from 0 to 1; 1 before the first attempt. An attempt without an outcome is not a success.
    ///
    /// Cost: a few loads, plus two for each thread that recorded here at the same time: 2.5 ns with one, 51 ns with 64. Never
    /// warns.
    ///
    /// ```
    /// use memscope_rs::tracking::TrackingStats;
    ///
    /// let stats = TrackingStats::new();
    /// stats.record_attempt();
    /// assert_eq!(stats.get_completeness(), 0.0);
    /// stats.record_success();
    /// assert_eq!(stats.get_completeness(), 1.0);
    /// ```
    #[inline]
    pub fn get_completeness(&self) -> f64 {
        let settled_successes = self.settled_successes.load(Acquire);
        let settled_misses = self.settled_misses.load(Acquire);
        let successes = self.total(Event::Success) - settled_successes;
        let attempts =
            self.total(Event::Attempt).saturating_sub(settled_successes + settled_misses);
        completeness(successes, attempts)
    }

    /// Counts and ratios of one moment. Attempts that other threads begin while it reads may be in it as open ones.
    ///
    /// Cost: a few loads, plus three for each thread that recorded here at the same time: 4 ns with one, 114 ns with 64. If the
    /// completeness is below 90 % it may warn, at most once per doubling of the attempts: on stderr, or as
    /// [`on_low_completeness`](super::on_low_completeness) says. As many attempts as there are recording threads may
    /// be open without causing a warning.
    ///
    /// ```
    /// use memscope_rs::tracking::TrackingStats;
    ///
    /// let stats = TrackingStats::new();
    /// stats.record_attempt();
    /// stats.record_success();
    /// let detailed = stats.get_detailed_stats();
    /// assert_eq!((detailed.attempts, detailed.completeness, detailed.contention_rate), (1, 1.0, 0.0));
    /// ```
    #[inline]
    pub fn get_detailed_stats(&self) -> DetailedStats {
        let stats = self.read();
        if stats.completeness < WARN_BELOW {
            self.warn();
        }
        stats
    }

    /// A reader that is held up between outcomes and attempts finds too many attempts, all of them open. So it is a
    /// second reading that decides.
    #[cold]
    fn warn(&self) {
        let stats = self.read();
        if stats.completeness < WARN_BELOW {
            self.warning.warn(&stats, self.shards.len());
        }
    }

    /// Whether completeness is at least 0.95 and the contention rate at most 0.05.
    ///
    /// Cost, and warning, as [`get_detailed_stats`](Self::get_detailed_stats).
    ///
    /// ```
    /// use memscope_rs::tracking::TrackingStats;
    ///
    /// let stats = TrackingStats::new();
    /// assert!(stats.is_healthy());
    /// stats.record_attempt(); // and no outcome
    /// assert!(!stats.is_healthy());
    /// ```
    pub fn is_healthy(&self) -> bool {
        self.get_detailed_stats().is_healthy()
    }

    /// The completeness in a word; see [`DetailedStats::quality_grade`].
    ///
    /// Cost, and warning, as [`get_detailed_stats`](Self::get_detailed_stats).
    ///
    /// ```
    /// use memscope_rs::tracking::TrackingStats;
    ///
    /// let stats = TrackingStats::new();
    /// stats.record_attempt();
    /// stats.record_success();
    /// assert_eq!(stats.quality_grade(), "Excellent");
    /// ```
    pub fn quality_grade(&self) -> &'static str {
        self.get_detailed_stats().quality_grade()
    }

    /// Begins anew: outcomes so far are forgotten, each with its attempt. An attempt that is still open stays counted,
    /// so that its outcome, when it comes, is not one without an attempt.
    ///
    /// Threads may go on recording meanwhile; what they record is forgotten or kept, but never torn. (An outcome that
    /// was recorded without any attempt is forgotten too, as if it had had one.) Cost as a reading.
    ///
    /// ```
    /// use memscope_rs::tracking::TrackingStats;
    ///
    /// let stats = TrackingStats::new();
    /// stats.record_attempt();
    /// stats.record_success();
    /// stats.record_attempt(); // still open
    /// stats.reset();
    /// assert_eq!(stats.get_detailed_stats().attempts, 1);
    /// ```
    pub fn reset(&self) {
        let successes = self.total(Event::Success);
        let misses = self.total(Event::Miss);
        let missing = (successes + misses).saturating_sub(self.total(Event::Attempt));
        if missing > 0 {
            self.strays[Event::Attempt as usize].fetch_add(missing, Relaxed);
        }
        // The larger of two resets at once holds. Whoever acquires it sees at least the outcomes that it settles.
        self.settled_successes.fetch_max(successes, AcqRel);
        self.settled_misses.fetch_max(misses, AcqRel);
        self.warning.reset();
    }

    /// A reading, without a warning.
    #[inline]
    fn read(&self) -> DetailedStats {
        let settled_successes = self.settled_successes.load(Acquire);
        let settled_misses = self.settled_misses.load(Acquire);
        let successes = self.total(Event::Success) - settled_successes;
        let misses = self.total(Event::Miss) - settled_misses;
        let attempts =
            self.total(Event::Attempt).saturating_sub(settled_successes + settled_misses);
        DetailedStats::new(attempts, successes, misses)
    }

    /// Everything ever recorded, resets notwithstanding.
    #[inline]
    fn total(&self, event: Event) -> u64 {
        self.strays[event as usize].load(Acquire) + self.shards.sum(event)
    }
}

impl Default for TrackingStats {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for TrackingStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DetailedStats { attempts, successes, misses, completeness, contention_rate } =
            self.read();
        f.debug_struct("TrackingStats")
            .field("attempts", &attempts)
            .field("successes", &successes)
            .field("misses", &misses)
            .field("completeness", &completeness)
            .field("contention_rate", &contention_rate)
            .finish()
    }
}

impl fmt::Display for TrackingStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.read().fmt(f)
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for TrackingStats {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde::Serialize::serialize(&self.read(), serializer)
    }
}
