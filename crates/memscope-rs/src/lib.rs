//! Every allocation of your own program with its stack; variables by name, memory per task, budgets in tests.
//!
//! ```
//! use memscope_rs::{Memscope, assert_allocations, task_scope, track, tracker};
//!
//! #[global_allocator]
//! static ALLOC: Memscope = Memscope::system(); // or Memscope::new(MiMalloc), and so on
//!
//! let t = tracker!();
//! let orders = vec![0_u8; 1024];
//! track!(t, orders); // the variable's name joins the real block, until it is freed
//! assert_eq!((t.stats().total_allocations, t.stats().live_bytes), (1, 1024));
//!
//! t.mark("before"); // what is alive at every place, to compare with later
//! let import = task_scope("import"); // what is allocated in it counts under its name
//! let rows = vec![0_u8; 100];
//! drop(import);
//! println!("{}", t.since("before").unwrap()); // +100 bytes in +1 block, and where
//!
//! assert_allocations!(..=2, format!("{} rows", rows.len())); // for tests: or it says where
//!
//! let report = t.analyze(); // completeness, sites with stacks, variables, tasks, leaks
//! assert!(report.leaks.is_empty()); // with evidence only: what is merely alive is no leak
//! println!("{report}");
//! # drop((orders, rows));
//! ```
//!
//! Next: [who holds the memory](Tracker::analyze) · leaks by [marks](Tracker::since), by [scopes](Tracker::scope), and their
//! [evidence](Evidence) · tasks of [threads](task_scope), [futures](FutureExt::in_task) and spans · in tests
//! [budgets](assert_allocations!), [no leaks](assert_no_leaks!), [measuring](measure()) · [keeping the recording](start) for
//! `memscope report` · recording [a sample](Memscope::sampled), [sums](Memscope::counting) or [nothing](switch_to) for a while ·
//! [how complete](Tracker::tracking_stats) it is · [counters](tracking) of your own · [your own types](Trackable)
//!
//! An event costs tens of nanoseconds, and a live block 8 bytes of record for every 32 of address space. Sizes are bytes as
//! they were asked for, ratios lie between 0 and 1, and names say the unit of a time (`_ms`, `_ns`). Reading is done by the
//! same code as `memscope report`, and what it allocates itself is not recorded. Under `memscope run` each block is
//! recorded once. Without an installed allocator everything runs, and says that nothing is known. `MEMSCOPE_MODE`,
//! `MEMSCOPE_INTERVAL` and `MEMSCOPE_FILE` in the environment have the last word over [what the program chose](Memscope).
//!
//! Coming from another crate? See `docs/COMING_FROM.md` of the project.
//!
//! Deliberately absent: a global allocator that installs itself; recording in a child of `fork` (it is counted by its
//! parent); platforms other than x86_64 Linux with glibc.
//!
//! Features: `serde` makes readings serializable; `tracing` brings `SpanLayer`, by which spans are tasks; `html` brings
//! `Report::to_html`; `off` compiles recording to nothing, with the same interface.

#[allow(unsafe_code)]
mod allocator;
mod error;
mod heap;
#[cfg(feature = "html")]
mod html;
mod leak;
mod mark;
mod measure;
mod mode;
mod recording;
mod report;
mod session;
#[cfg(feature = "tracing")]
mod span;
mod task;
mod trackable;
mod tracker;
pub mod tracking;

pub use allocator::Memscope;
pub use error::Error;
pub use heap::{CaptureStats, Heap};
pub use leak::{Evidence, Leak};
pub use mark::{MarkDifference, SiteDifference};
pub use measure::{Budget, Measurement, measure, measure_value};
/// A type of your own for [`track!`]: the blocks of its fields bear the name of the variable.
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
/// use memscope_rs::{Trackable, track, tracker};
///
/// #[derive(Trackable)]
/// struct Image {
///     pixels: Vec<u8>,
///     name: Option<String>,
///     width: u32,
/// }
///
/// let t = tracker!();
/// let image = Image { pixels: vec![0; 1000], name: Some("moon".to_owned()), width: 40 };
/// track!(t, image);
/// assert_eq!((t.stats().tracked_values, t.stats().live_allocations), (1, 2));
/// assert_eq!(t.stats().live_bytes, 1004);
/// # let _ = image.width;
/// ```
#[doc(inline)]
pub use memscope_derive::Trackable;
/// What a [`Report`] is made from, for analyses of one's own: [`Report::profile`], and the files that a [`Session`] keeps.
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
/// use memscope_rs::memscope_profile::analyze::{Analysis, Metric};
///
/// let kept = vec![0_u8; 1 << 20];
/// let report = memscope_rs::tracker!().analyze();
/// let ranking = Analysis::new(report.profile()).rank(Metric::LiveAtEnd, 3);
/// assert_eq!(ranking.lines[0].value, 1 << 20);
/// # drop(kept);
/// ```
pub use memscope_profile;
pub use mode::{RecordingMode, recording_mode, switch_to};
pub use report::{Place, Report, SiteReport, TaskReport, Variable};
pub use session::{Session, start};
#[cfg(feature = "tracing")]
pub use span::SpanLayer;
pub use task::{FutureExt, InTask, Scope, task_scope};
pub use trackable::{Trackable, ValueBlocks};
pub use tracker::{TrackPlace, Tracker, TrackerStats, global_tracker, init_global_tracking};
