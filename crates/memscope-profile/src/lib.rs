//! From a region or a file to a [`Profile`]: read, symbolize, analyze.
//!
//! ```text
//! region (live, dead or in a file) -> read -> symbolize -> Profile -> analyze -> findings
//!                                                             ^
//!                                     .memscope file <- file -+
//! ```
//!
//! Invariants: nothing read is trusted (every index and length is checked; a torn or hostile input gives an error
//! or a warning, never a panic, a hang or memory out of proportion); the program being read is not disturbed.
//! Deliberately absent: formats for people and other tools (see `memscope-report`).
#![forbid(unsafe_code)]

pub mod analyze;
mod check;
mod error;
pub mod file;
pub mod model;
pub mod region;
pub mod symbolize;
pub mod timeline;

pub use error::{Error, Result};
pub use model::Profile;
pub use region::Region;
