//! What depends on the processor: registers, the thread-local word, the entry into a hook. One file per
//! architecture, each with the same items.

#[cfg(target_arch = "x86_64")]
mod x86_64;
#[cfg(target_arch = "x86_64")]
pub use x86_64::*;
