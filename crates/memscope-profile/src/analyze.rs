//! From a profile to findings: which stacks hold, held or churn the memory.
//!
//! ```text
//! Profile -> stack (frames of a stack) -> class (whose code is a frame?) -> merge (sites that a person
//!            cannot tell apart are one line) -> rank (by peak, by live at the end, ...)
//! ```
//!
//! Invariants: a ranking's lines and what it leaves out add up to its total; the same profile gives the same order
//! every time; a profile that breaks the model's promises gives odd findings, never a panic.
//! Deliberately absent: wording and layout, which belong to the reports.

mod class;
mod compare;
mod merge;
mod own;
mod rank;
mod stack;
mod task;

#[cfg(test)]
mod tests;

pub use class::{Class, Classifier};
pub use compare::{Change, Comparison, LineChange, Spread, compare, compare_types};
pub use merge::Analysis;
pub use rank::{Line, Metric, Ranking};
pub use stack::{FrameView, StackFrames};
pub use task::TaskLine;
