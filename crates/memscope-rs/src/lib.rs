//! memscope from inside your own program.
//!
//! What is there: [`tracking`], counters that say how complete a tracking is.
//!
//! Deliberately absent: a global allocator that installs itself.
//!
//! Features: `serde` makes readings serializable.

pub mod tracking;
