//! Symbolization against programs whose answers are known: their sources carry marks, and the compiler, binutils and
//! the linker make the variants (stripped, split, compressed, damaged).
//!
//! Every byte of a function is looked up, as if a call ended there, so that no test depends on which instructions the
//! compiler chose. Deliberately absent: any figure of time.

mod cache;
mod damage;
mod debug_files;
mod frames;
mod programs;
mod support;
