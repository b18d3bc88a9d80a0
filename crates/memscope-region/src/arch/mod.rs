//! What depends on the processor: one file per architecture, each with the same items.

#[cfg(target_arch = "x86_64")]
mod x86_64;
#[cfg(target_arch = "x86_64")]
pub use x86_64::syscall;

#[cfg(not(target_arch = "x86_64"))]
compile_error!("memscope has no file for this architecture yet: add one beside arch/x86_64.rs");
