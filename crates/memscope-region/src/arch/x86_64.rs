//! x86_64: the raw system call.

use core::arch::asm;

/// Makes a system call without touching `errno`, which belongs to the profiled program. Returns what the kernel
/// returns: a value, or `-errno`.
///
/// # Safety
/// As safe as the call that is made: pointers must be good for what the kernel does with them.
#[inline]
pub unsafe fn syscall(number: i64, arguments: [usize; 6]) -> isize {
    let result: isize;
    // SAFETY: the kernel clobbers rcx and r11 and returns in rax; memory effects are the caller's promise.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") arguments[0],
            in("rsi") arguments[1],
            in("rdx") arguments[2],
            in("r10") arguments[3],
            in("r8") arguments[4],
            in("r9") arguments[5],
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result
}
