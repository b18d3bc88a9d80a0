//! How complete a tracking is: attempts, successes and misses, counted by any number of threads.
//!
//! [`TrackingStats`] is usable on its own, without an allocator or a tracker:
//!
//! ```
//! use memscope_rs::tracking::TrackingStats;
//!
//! static STATS: TrackingStats = TrackingStats::new();
//!
//! STATS.record_attempt();
//! STATS.record_success();
//! assert_eq!(STATS.get_completeness(), 1.0);
//! println!("{STATS}");
//! ```
//!
//! ```text
//! record_*  -> thread: which shard is mine?  -> shard: one plain add, no other thread writes there
//! get_*     -> list: all shards' outcomes, then all shards' attempts -> DetailedStats -> warning
//! ```
//!
//! Invariants:
//! - In every reading, at any moment, successes + misses <= attempts, if callers record the attempt first: on the
//!   same thread, or on another with a happens-before between the two (a channel, a lock, a join).
//! - A reading is exact once the threads that recorded were joined.
//! - Recording takes no lock, and allocates only the first time that a thread records in an instance.
//!
//! What it costs is measured by `bench/benches/tracking.rs` and recorded in `bench/record`.
//!
//! Deliberately absent: causes of misses and what the attempts were for. Whoever records knows.
#![forbid(unsafe_code)]

mod detailed;
mod serial;
mod shard;
mod shards;
mod stats;
mod sync;
mod thread;
mod warning;

pub use detailed::DetailedStats;
pub use stats::TrackingStats;
pub use warning::on_low_completeness;
