//! memscope from inside your own program: every allocation with its full stack, variables by name, memory per task, and
//! allocation budgets in tests.
//!
//! ```
//! use memscope_rs::{Memscope, track, tracker};
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
//! let words: Vec<String> = "to be or not".split(' ').map(str::to_owned).collect();
//! println!("{}", t.since("before").unwrap());
//!
//! let task = memscope_rs::task_scope("import"); // what is allocated in it is counted under its name
//! let rows = vec![0_u8; 100];
//! drop(task);
//!
//! let report = t.analyze();
//! assert!(report.leaks.is_empty()); // what is merely alive is no leak
//! println!("{report}"); // completeness first, then sites with stacks, variables, tasks, leaks with evidence
//! # drop((words, rows));
//! ```
//!
//! | to | use |
//! |---|---|
//! | see who holds the memory | [`Tracker::analyze`] → [`Report`] |
//! | find a leak | [`Tracker::mark`], [`Tracker::scope`], [`Report::leaks`] with their [`Evidence`] |
//! | see memory per task, over threads | [`task_scope`], [`FutureExt::in_task`] |
//! | bound allocations in a test | [`assert_allocations!`], [`assert_no_leaks!`], [`measure()`] |
//! | keep the recording at the end | [`start`]; `memscope report` shows it |
//! | record less, or nothing, for a while | [`Memscope::sampled`], [`Memscope::counting`], [`switch_to`] |
//! | know how complete the numbers are | [`Tracker::tracking_stats`]; [`tracking`] for counters of your own |
//!
//! An event costs tens of nanoseconds, and a live block 8 bytes of record for every 32 of address space. Reading is done
//! by the same code as `memscope report`, and what it allocates itself is not recorded. Under `memscope run` each block is
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
pub use memscope_derive::Trackable;
pub use memscope_profile;
pub use mode::{RecordingMode, recording_mode, switch_to};
pub use report::{Place, Report, SiteReport, TaskReport, Variable};
pub use session::{Session, start};
#[cfg(feature = "tracing")]
pub use span::SpanLayer;
pub use task::{FutureExt, InTask, Scope, task_scope};
pub use trackable::{Trackable, ValueBlocks};
pub use tracker::{TrackPlace, Tracker, TrackerStats, global_tracker, init_global_tracking};
