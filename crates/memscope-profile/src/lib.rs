//! From a region or a file to a [`Profile`]: read, symbolize, analyze.
//!
//! ```text
//! region (live, dead or in a file) -> read -> symbolize -> Profile -> analyze -> findings
//!                                                             ^
//!                                     .memscope file <- file -+
//! ```
//!
//! ```
//! use memscope_profile::analyze::{Analysis, Metric};
//! use memscope_profile::model::{Address, Counts, Frame, Profile, Site, StackNode};
//!
//! // As a region or a file would give it: one site, `shop::fill`, with 64 bytes alive at the peak.
//! let counts = Counts { allocations: 2, allocated_bytes: 64, peak_bytes: 64, ..Counts::default() };
//! let profile = Profile {
//!     strings: vec![String::new(), "shop::fill".into()],
//!     frames: vec![Frame { function: 1, ..Frame::default() }],
//!     addresses: vec![Address { frames_len: 1, ..Address::default() }],
//!     stacks: vec![StackNode { parent: 0, address: 0 }],
//!     sites: vec![Site { stack: 1, kind: 1, counts, ..Site::default() }],
//!     ..Profile::default()
//! };
//!
//! // Kept in a file, and read again.
//! let mut file = Vec::new();
//! memscope_profile::file::write(&profile, &mut file)?;
//! let profile = memscope_profile::file::read(&file[..], "shop.memscope")?;
//!
//! // Who held the memory?
//! let ranking = Analysis::new(&profile).rank(Metric::Peak, 5);
//! let line = &ranking.lines[0];
//! let site = &profile.sites[line.sites[0] as usize];
//! let innermost = profile.stack_frames(site.stack).next().expect("a frame");
//! assert_eq!((innermost.function(), line.value, line.share), ("shop::fill", 64, 1.0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Invariants: nothing read is trusted (every index and length is checked; a torn or hostile input gives an error
//! or a warning, never a panic, a hang or memory out of proportion); the program being read is not disturbed.
//! Deliberately absent: formats for people and other tools (see `memscope-report`).
#![forbid(unsafe_code)]

pub mod analyze;
mod check;
mod error;
pub mod estimate;
pub mod file;
pub mod model;
#[cfg(test)]
mod mutation;
pub mod region;
mod sealed;
pub mod suppression;
pub mod symbolize;
pub mod timeline;
pub mod types;

pub use error::{FileError, Result};
pub use model::Profile;
pub use region::Region;
