//! The preload library that the command carries, and how a program is made to load it.
//!
//! The library's bytes are part of the command (see `build.rs`) and are put into a memfd, which the dynamic linker
//! opens through `/proc/<our pid>/fd/<n>`: nothing is installed, nothing is left behind, and the path holds neither
//! a space nor a colon, which LD_PRELOAD could not express.
//!
//! Deliberately absent: the memfd in the program itself. It is closed on exec, so that no descriptor of ours turns
//! up there.

/// The library.
pub(crate) static LIBRARY: &[u8] = include_bytes!(env!("MEMSCOPE_PRELOAD_PATH"));
