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
mod heap;
mod recording;
mod report;
mod tracker;
pub mod tracking;

pub use allocator::Memscope;
pub use heap::{CaptureStats, Heap};
pub use memscope_profile;
pub use report::{Place, Report, SiteReport};
pub use tracker::Tracker;
