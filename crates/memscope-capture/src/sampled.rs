//! Mode sampled: a sample of the allocations by bytes, each with its full stack, and unbiased estimates of the rest.
//!
//! ```text
//! gap      how many bytes a thread lets pass before the next sample: exponential, so every byte has the same chance
//! weight   for how many blocks and bytes a sampled block stands, and how far that may be off
//! filter   whether a block that is freed can be one of the sample: one load
//! event    a sampled block enters and leaves the rows and the records
//! hooks    the bodies of the malloc family
//! ```
//!
//! Invariants:
//! - Each allocation takes its size and 64 bytes more from the thread's countdown (see
//!   [`SAMPLED_BYTES_MORE`](memscope_region::row::SAMPLED_BYTES_MORE)). A block of s bytes is in the sample with the
//!   probability p = 1 - e^(-(s+64)/interval), whatever came before.
//! - A sampled block counts 1/p times, here and when it is freed: the same number, for it follows from the size alone,
//!   which the record keeps. What is allocated and freed adds up to nothing, to the last digit.
//! - Counts in rows are in units of 1 / [`COUNTS_PER_BLOCK`](weight::COUNTS_PER_BLOCK); bytes are bytes. A site has a
//!   second row, under its id with [`VARIANCE`](memscope_region::row::VARIANCE) set, which holds the variances of the
//!   same numbers as 64-bit floats.
//! - A free of a sampled block is always found, on whatever thread, in whatever order. A free of another costs one load of
//!   a byte.
//!
//! Deliberately absent: guard, thread state and region on the way of an allocation that is not in the sample.

pub mod event;
pub mod filter;
pub mod gap;
pub mod hooks;
pub mod weight;
