//! The tracker: the handle by which a program names its values and asks what was recorded.
//!
//! Invariants: naming and asking never block another thread that allocates, and change nothing of what is asked about:
//! what the tracker itself allocates is none of the program's.
//! Deliberately absent: state that events feed. All numbers are read from the recording.

use crate::error::Error;
use crate::heap::{CaptureStats, Heap};
use crate::mark::{MarkDifference, Marks};
use crate::recording::{self, Aside};
use crate::report::Report;
use crate::task::{Scope, ScopeKind};
use crate::trackable::{Trackable, ValueBlocks};
use memscope_profile::model::End;
use std::any::type_name;
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Instant;

/// A handle to what is recorded of this process, and to the values that were tracked through it. Made by
/// [`tracker!`](crate::tracker!).
///
/// May be shared between threads, and cloned for about 15 ns; clones are one tracker.
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
/// use memscope_rs::{track, tracker};
///
/// let t = tracker!();
/// let other = t.clone(); // the same tracker, for another thread
/// std::thread::spawn(move || {
///     let rows = vec![0_u8; 10];
///     track!(other, rows);
/// }).join().unwrap();
/// assert_eq!((t.stats().total_allocations, t.stats().live_allocations), (1, 0));
/// ```
#[derive(Clone)]
pub struct Tracker {
    inner: Arc<Inner>,
}

struct Inner {
    /// The label by which the recording knows it, 0 if nothing is recorded.
    label: u32,
    /// Values that were tracked, blocks that they were said to have, and those of them that were not known.
    values: AtomicU64,
    told: AtomicU64,
    unknown: AtomicU64,
    marks: Mutex<Marks>,
    made: Instant,
}

/// What was tracked through one tracker. An allocation is a block here; bytes are those that were asked for.
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
/// use memscope_rs::{track, tracker};
///
/// let t = tracker!();
/// let rows = vec![0_u8; 10];
/// track!(t, rows);
/// drop(rows);
/// let stats = t.stats();
/// assert_eq!((stats.total_allocations, stats.live_bytes, stats.peak_bytes), (1, 0, 10));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct TrackerStats {
    /// Whether sizes and lifetimes are known: a [`Memscope`](crate::Memscope) is installed and not off. Without it only
    /// `tracked_values`, `total_allocations` and `unknown_allocations` are. (Blocks that
    /// were not allocated in mode exact cannot be named: they are unknown.)
    pub is_recorded: bool,
    /// How many values were given to [`track!`](crate::track!), also such as have no block.
    pub tracked_values: u64,
    /// Blocks of these values. One that was tracked twice, or was moved by a realloc, is one.
    pub total_allocations: u64,
    /// Bytes that they had when they were tracked.
    pub total_bytes: u64,
    /// How often one of them was moved by a realloc.
    pub reallocations: u64,
    /// Blocks of them that are alive now.
    pub live_allocations: u64,
    /// Bytes of them that are alive now.
    pub live_bytes: u64,
    /// The most bytes of them that were alive at once.
    pub peak_bytes: u64,
    /// Blocks that could not be named because they were allocated before recording began or in another mode than exact, or
    /// nothing is recorded.
    pub unknown_allocations: u64,
}

impl Tracker {
    /// A tracker of its own, by the place where it is made. [`tracker!`](crate::tracker!) says the place, and what it costs.
    ///
    /// It cannot fail: where nothing is recorded, or there is no room for another tracker, it counts what it is given and
    /// [`TrackerStats::is_recorded`] is false.
    ///
    /// ```
    /// // Trackers that a function makes for others, each with the place of its caller.
    /// #[track_caller]
    /// fn tracker_of_caller() -> memscope_rs::Tracker {
    ///     let place = std::panic::Location::caller();
    ///     memscope_rs::Tracker::new(place.file(), place.line())
    /// }
    ///
    /// assert_eq!(tracker_of_caller().stats().total_allocations, 0);
    /// ```
    pub fn new(file: &'static str, line: u32) -> Self {
        let _aside = Aside::new();
        let label = recording::label(0, &format!("tracker\0\0{file}\0"), line);
        let inner = Inner {
            label,
            values: AtomicU64::new(0),
            told: AtomicU64::new(0),
            unknown: AtomicU64::new(0),
            marks: Mutex::new(Marks::default()),
            made: Instant::now(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Gives the blocks of `value` the name of a place. [`track!`](crate::track!) says the place.
    ///
    /// Costs as [`track!`](crate::track!), which is the way to call it: a place is a static that only the macro makes.
    ///
    /// ```
    /// # #[global_allocator]
    /// # static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
    /// let (t, data) = (memscope_rs::tracker!(), vec![0_u8; 1024]);
    /// memscope_rs::track!(t, data); // calls it, with the name `data` and this line
    /// assert_eq!(t.stats().live_bytes, 1024);
    /// ```
    #[inline]
    pub fn track<T: ?Sized + Trackable>(&self, place: &'static TrackPlace, value: &T) {
        let label = place.label(self.inner.label, type_name::<T>());
        let mut blocks = ValueBlocks::new(label);
        value.blocks(&mut blocks);
        blocks.finish();
        // ORDERING: relaxed; counters.
        self.inner.values.fetch_add(1, Ordering::Relaxed);
        // Where it is recorded what was tracked, that is counted with the blocks themselves.
        if self.inner.label == 0 {
            self.inner.told.fetch_add(blocks.told, Ordering::Relaxed);
        }
        if blocks.unknown > 0 {
            self.inner.unknown.fetch_add(blocks.unknown, Ordering::Relaxed);
        }
    }

    /// What was tracked through this tracker and its clones. A few loads, about 20 ns.
    ///
    /// ```
    /// # #[global_allocator]
    /// # static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
    /// let t = memscope_rs::tracker!();
    /// let (first, second) = (vec![0_u8; 30], vec![0_u8; 12]);
    /// memscope_rs::track!(t, first);
    /// memscope_rs::track!(t, second);
    /// drop(first);
    /// assert_eq!((t.stats().live_bytes, t.stats().peak_bytes), (12, 42));
    /// ```
    pub fn stats(&self) -> TrackerStats {
        let Inner { label, values, told, unknown, .. } = &*self.inner;
        let counts = recording::label_counts(*label);
        let is_recorded = *label != 0;
        // ORDERING: relaxed; counters.
        TrackerStats {
            is_recorded,
            tracked_values: values.load(Ordering::Relaxed),
            total_allocations: if is_recorded {
                counts.blocks
            } else {
                told.load(Ordering::Relaxed)
            },
            total_bytes: counts.bytes,
            reallocations: counts.moves,
            live_allocations: counts.live_blocks,
            live_bytes: counts.live_bytes,
            peak_bytes: counts.peak_bytes,
            unknown_allocations: unknown.load(Ordering::Relaxed),
        }
    }

    /// Sums over the whole process. A few system calls, about ten microseconds. Where nothing is recorded it says so.
    ///
    /// ```
    /// # #[global_allocator]
    /// # static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
    /// let t = memscope_rs::tracker!();
    /// let before = t.heap().live_bytes;
    /// let kept = vec![0_u8; 1000];
    /// assert_eq!(t.heap().live_bytes - before, 1000);
    /// # drop(kept);
    /// ```
    pub fn heap(&self) -> Heap {
        Heap::read()
    }

    /// How much of what happened was recorded, as counted by the recording itself. Costs as [`Tracker::heap`].
    ///
    /// ```
    /// # #[global_allocator]
    /// # static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
    /// let stats = memscope_rs::tracker!().tracking_stats();
    /// assert!(stats.detailed.attempts > 0);
    /// assert_eq!(stats.detailed.completeness, 1.0, "{stats}");
    /// ```
    pub fn tracking_stats(&self) -> CaptureStats {
        CaptureStats::read()
    }

    /// Remembers what is alive at every site now, under a name. The latest 64 marks are kept; a mark that is no longer there is
    /// one that [`Tracker::since`] does not find.
    ///
    /// Costs about ten microseconds with few sites, 16 ms with 430,000, and keeps 32 bytes for each site.
    ///
    /// ```
    /// # #[global_allocator]
    /// # static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
    /// let t = memscope_rs::tracker!();
    /// t.mark("after warm-up");
    /// let kept = vec![0_u8; 1000];
    /// let difference = t.since("after warm-up").unwrap();
    /// println!("{difference}"); // From "after warm-up" to "now": +1,000 bytes in +1 block, 1 allocation …
    /// assert_eq!((difference.live_blocks, difference.live_bytes), (1, 1000));
    /// # drop(kept);
    /// ```
    pub fn mark(&self, name: &str) {
        let _aside = Aside::new();
        self.marks().set(name);
    }

    /// What has changed at each site from the mark of this name (the latest, if there are several) to now. `None` if
    /// there is no such mark; where nothing is recorded the difference says so. Costs as [`Tracker::analyze`].
    ///
    /// ```
    /// # #[global_allocator]
    /// # static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
    /// let t = memscope_rs::tracker!();
    /// t.mark("before");
    /// let kept = vec![0_u8; 1000];
    /// let difference = t.since("before").unwrap();
    /// assert!(difference.sites.iter().any(|site| site.live_bytes == 1000));
    /// assert!(t.since("never made").is_none());
    /// # drop(kept);
    /// ```
    pub fn since(&self, mark: &str) -> Option<MarkDifference> {
        let _aside = Aside::new();
        let marks = self.marks().clone();
        marks.difference(mark, None)
    }

    /// What changed at each site from one mark to another. `None` if there are no such marks. Costs as
    /// [`Tracker::analyze`].
    ///
    /// ```
    /// # #[global_allocator]
    /// # static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
    /// let t = memscope_rs::tracker!();
    /// t.mark("one");
    /// let kept = vec![0_u8; 1000];
    /// t.mark("two");
    /// assert!(t.between("one", "two").unwrap().sites.iter().any(|site| site.live_bytes == 1000));
    /// # drop(kept);
    /// ```
    pub fn between(&self, earlier: &str, later: &str) -> Option<MarkDifference> {
        let _aside = Aside::new();
        let marks = self.marks().clone();
        marks.difference(earlier, Some(later))
    }

    fn marks(&self) -> std::sync::MutexGuard<'_, Marks> {
        self.inner.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a scope on this thread, which ends when the guard is dropped: what is allocated in it and is alive when it is over
    /// has outlived it, and is listed in [`Report::leaks`](crate::Report::leaks). Scopes and tasks nest. Costs, and fails, as
    /// [`task_scope`](crate::task_scope).
    ///
    /// ```
    /// # #[global_allocator]
    /// # static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
    /// let t = memscope_rs::tracker!();
    /// let request = t.scope("request");
    /// let freed = vec![0_u8; 1000];
    /// drop(freed);
    /// let kept = vec![0_u8; 10];
    /// drop(request);
    /// let leaks = t.analyze().leaks;
    /// assert_eq!((leaks.len(), leaks[0].live_bytes), (1, 10)); // what outlived the request
    /// # drop(kept);
    /// ```
    pub fn scope(&self, name: &str) -> Scope {
        Scope::enter(ScopeKind::Scope, name)
    }

    /// Reads everything that was recorded, names the functions, and says what there is to say.
    ///
    /// Takes about a tenth of a second for a small program, for its debug information is read, and as much memory as that; how
    /// many blocks are alive hardly matters. What it allocates itself is not recorded. Where nothing is recorded, or the recording
    /// cannot be read, the report is empty and says so.
    ///
    /// ```
    /// # #[global_allocator]
    /// # static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
    /// let report = memscope_rs::tracker!().analyze();
    /// println!("{report}"); // how complete it is, sites with stacks, variables, tasks, leaks
    /// assert!(report.leaks.is_empty());
    /// ```
    pub fn analyze(&self) -> Report {
        self.look(End::Running)
    }

    fn look(&self, end: End) -> Report {
        let _aside = Aside::new();
        let marks = {
            let mut marks = self.marks();
            marks.look(self.inner.made.elapsed());
            marks.clone()
        };
        Report::read(&marks, end, false)
    }

    /// The same at the end of the program: what is alive now will never be freed.
    pub(crate) fn analyze_at_end(&self) -> Report {
        let _aside = Aside::new();
        let marks = self.marks().clone();
        Report::read(&marks, End::Ending, true)
    }

    /// The same where a panic begins, which may be the end: what is alive now might still have been freed.
    pub(crate) fn analyze_in_panic(&self) -> Report {
        self.look(if cfg!(panic = "abort") { End::Ending } else { End::Running })
    }
}

impl fmt::Debug for Tracker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracker").field("stats", &self.stats()).finish()
    }
}

/// The tracker of the process, ready at first use. The first call costs as [`tracker!`](crate::tracker!), any other as a clone.
///
/// # Errors
/// None at present: without an installed allocator there is a tracker too, which says that nothing is known.
///
/// ```
/// let tracker = memscope_rs::global_tracker().unwrap();
/// let names = vec!["a"; 10];
/// memscope_rs::track!(tracker, names);
/// assert_eq!(tracker.stats().tracked_values, 1);
/// ```
pub fn global_tracker() -> Result<Tracker, Error> {
    static GLOBAL: OnceLock<Tracker> = OnceLock::new();
    Ok(GLOBAL.get_or_init(|| Tracker::new("the process", 0)).clone())
}

/// Another name of [`global_tracker`], at the same cost. Nothing needs to be initialized.
///
/// # Errors
/// As [`global_tracker`].
///
/// ```
/// let tracker = memscope_rs::init_global_tracking().unwrap();
/// let names = vec!["a"; 10];
/// memscope_rs::track!(tracker, names);
/// assert_eq!(memscope_rs::global_tracker().unwrap().stats().tracked_values, 1); // it is the same
/// ```
pub fn init_global_tracking() -> Result<Tracker, Error> {
    global_tracker()
}

/// A place in the program at which values are tracked. [`track!`](crate::track!) makes one.
#[doc(hidden)]
#[derive(Debug)]
pub struct TrackPlace {
    name: &'static str,
    file: &'static str,
    line: u32,
    /// The first type that was tracked here (its name's address). A generic function has one place for all its types.
    type_name: AtomicPtr<u8>,
    /// The label of that type for the last tracker, and the tracker's label in the upper half.
    latest: AtomicU64,
}

/// Labels by tracker, place and type.
type Labels = HashMap<(u32, usize, &'static str), u32>;

static LABELS: RwLock<Option<Labels>> = RwLock::new(None);

impl TrackPlace {
    /// A place: what the value is called there, file and line.
    pub const fn new(name: &'static str, file: &'static str, line: u32) -> Self {
        let type_name = AtomicPtr::new(std::ptr::null_mut());
        Self { name, file, line, type_name, latest: AtomicU64::new(0) }
    }

    /// The label for a type of value that this tracker tracks here.
    #[inline]
    fn label(&'static self, tracker: u32, type_name: &'static str) -> u32 {
        // ORDERING: relaxed; both words say by themselves whom they are for.
        let latest = self.latest.load(Ordering::Relaxed);
        let known = self.type_name.load(Ordering::Relaxed).cast_const();
        if (latest >> 32) as u32 == tracker && std::ptr::eq(known, type_name.as_ptr()) {
            return latest as u32;
        }
        self.look_up(tracker, type_name)
    }

    #[cold]
    fn look_up(&'static self, tracker: u32, type_name: &'static str) -> u32 {
        if tracker == 0 {
            return 0;
        }
        let _aside = Aside::new();
        let key = (tracker, std::ptr::from_ref(self).addr(), type_name);
        let find = || {
            let labels = LABELS.read().unwrap_or_else(PoisonError::into_inner);
            labels.as_ref().and_then(|labels| labels.get(&key).copied())
        };
        let label = find().unwrap_or_else(|| {
            let mut labels = LABELS.write().unwrap_or_else(PoisonError::into_inner);
            *labels.get_or_insert_default().entry(key).or_insert_with(|| {
                let Self { name, file, line, .. } = self;
                recording::label(tracker, &format!("{name}\0{type_name}\0{file}\0"), *line)
            })
        });
        // The first type has the fast way for good, so the two words never belong to different types.
        // ORDERING: relaxed, as in `label`.
        let first = type_name.as_ptr().cast_mut();
        let taken = self.type_name.compare_exchange(
            std::ptr::null_mut(),
            first,
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
        if taken.is_ok() || taken == Err(first) {
            self.latest.store(u64::from(tracker) << 32 | u64::from(label), Ordering::Relaxed);
        }
        label
    }
}

/// A [`Tracker`] of its own: `let t = tracker!();`
///
/// Takes some 500 ns. What a tracker knows stays in the recording when it is gone, so each takes about a kilobyte for good. To
/// use one in many places, clone it, or name what belongs together by a [`scope`](crate::Tracker::scope).
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
/// use memscope_rs::{track, tracker};
///
/// let t = tracker!();
/// let data = vec![0_u8; 1024];
/// track!(t, data);
/// assert_eq!(t.stats().live_bytes, 1024);
/// drop(data);
/// assert_eq!(t.stats().live_bytes, 0);
/// ```
#[macro_export]
macro_rules! tracker {
    () => {
        $crate::Tracker::new(::core::file!(), ::core::line!())
    };
}

/// Gives the blocks of a value a name: that of the variable, with its type, file and line. `track!(t, value);`
///
/// The value is neither moved nor borrowed beyond the call. The name stays with the block: through realloc, on whatever
/// thread, until it is freed. Costs about 100 ns for a value with one block, 15 ns if it bears the name already; see
/// [`Trackable`](crate::Trackable) for what values have blocks, and what others cost. It cannot fail: a block that is not known is
/// counted in [`TrackerStats::unknown_allocations`](crate::TrackerStats).
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
/// use memscope_rs::{track, tracker};
///
/// let t = tracker!();
/// let mut names = vec!["a"];
/// track!(t, names);
/// names.extend(["b"; 100]); // it grows, and moves
/// assert_eq!((t.stats().live_allocations, t.stats().reallocations), (1, 1));
/// # drop(names);
/// ```
#[macro_export]
macro_rules! track {
    ($tracker:expr, $value:expr $(,)?) => {{
        static PLACE: $crate::TrackPlace =
            $crate::TrackPlace::new(::core::stringify!($value), ::core::file!(), ::core::line!());
        $tracker.track(&PLACE, &$value);
    }};
}
