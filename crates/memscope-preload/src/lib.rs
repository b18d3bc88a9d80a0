//! The preload library: the malloc family of a program that nobody prepared, hooked.
//!
//! Loaded by LD_PRELOAD under `memscope run`. Each hooked symbol is a stub of two instructions (see [`stub`]) that
//! hands its arguments and the state at entry to the bodies in `memscope-capture`. What is hooked stands in one table,
//! in [`stub`]; each mode has bodies of its own, chosen in [`dispatch`]; the allocator behind is found in [`host`]; [`start`] makes the region and hands it to the supervisor;
//! [`child`], [`exec`] and [`spawn`] see to it that children, and images that are executed in a process's place, are
//! recorded too.
//!
//! no_std, no unwinding, no allocation, nothing but libc: it runs before everything else in the program.
#![no_std]
#![no_builtins]

mod behind;
mod child;
mod dispatch;
mod door;
mod environment;
mod exec;
mod follow;
mod host;
mod image;
mod mapping;
mod spawn;
mod start;
mod stub;

#[cfg(not(test))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    // Nothing here panics on purpose. If a bounds check should fail all the same, the program must not go on with
    // half an allocator.
    // SAFETY: the instruction ends the process.
    unsafe { core::arch::asm!("ud2", options(noreturn)) }
}

// The precompiled core library names this symbol in its unwind tables. Hidden: a program's own must not be replaced.
core::arch::global_asm!(
    ".pushsection .text.rust_eh_personality,\"ax\",@progbits",
    ".hidden rust_eh_personality",
    ".globl rust_eh_personality",
    "rust_eh_personality:",
    "ud2",
    ".popsection",
);
