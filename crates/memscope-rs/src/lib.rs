//! memscope from inside your own program.
//!
//! What is there: [`Memscope`], the allocator that records; [`tracker!`], which asks what was recorded; [`tracking`],
//! counters that say how complete a tracking is.
//!
//! Deliberately absent: a global allocator that installs itself.
//!
//! Features: `serde` makes readings serializable; `off` compiles recording to nothing.

#[allow(unsafe_code)]
mod allocator;
mod error;
mod heap;
mod leak;
mod mark;
mod measure;
mod recording;
mod report;
mod session;
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
pub use report::{Place, Report, SiteReport, TaskReport, Variable};
pub use session::{Session, start};
pub use task::{FutureExt, InTask, Scope, task_scope};
pub use trackable::{Trackable, ValueBlocks};
pub use tracker::{TrackPlace, Tracker, TrackerStats, global_tracker, init_global_tracking};
