//! Sources of other crates whose threads meet in a few words, compiled for loom: under `cfg(memscope_loom)` (see `build.rs`) they
//! stand on loom's atomics. What holds in every order is checked in `tests/`.
//!
//! The sources are included, so that neither their crate nor what it needs is compiled a second time.
//! Deliberately absent: anything else. The crate is never part of a program.
#![forbid(unsafe_code)]

#[path = "../../../crates/memscope-rs/src/tracking/mod.rs"]
pub mod tracking;
