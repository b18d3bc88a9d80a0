//! x86_64: registers by their DWARF numbers, the thread-local word, the thread pointer.

use core::arch::{asm, global_asm};

/// How many registers the unwinder knows: the 16 general ones and the return address.
pub const REGISTERS: usize = 17;
/// DWARF number of rbp.
pub const RBP: u16 = 6;
/// DWARF number of rsp.
pub const RSP: u16 = 7;
/// DWARF number of the return address.
pub const RIP: u16 = 16;

/// Where an event entered: the state at the first instruction of the hook, before it pushed anything. The word at
/// `sp` is the return address into the caller.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Entry {
    /// The stack pointer at entry.
    pub sp: usize,
    /// The caller's rbp.
    pub rbp: usize,
}

/// All registers at one point of the program, by DWARF number. Only those that a callee keeps are known.
#[derive(Clone, Copy, Debug)]
pub struct Registers {
    /// Values by DWARF number.
    pub value: [usize; REGISTERS],
}

impl Registers {
    /// The registers of the function into which this is inlined.
    #[inline(always)]
    pub fn here() -> Self {
        let mut value = [0usize; REGISTERS];
        // SAFETY: stores into `value` only, at places below its length; no stack is used.
        unsafe {
            asm!(
                "mov [{v} + 3*8], rbx",
                "mov [{v} + 6*8], rbp",
                "mov [{v} + 7*8], rsp",
                "mov [{v} + 12*8], r12",
                "mov [{v} + 13*8], r13",
                "mov [{v} + 14*8], r14",
                "mov [{v} + 15*8], r15",
                "lea {t}, [rip]",
                "mov [{v} + 16*8], {t}",
                v = in(reg) value.as_mut_ptr(),
                t = out(reg) _,
                options(nostack, preserves_flags),
            );
        }
        Self { value }
    }
}

// Two words per thread, the second for cold paths, reached by the initial-exec model: a load from the GOT and one relative to fs. Rust's own
// thread-locals would call __tls_get_addr in a shared library.
global_asm!(
    ".pushsection .tbss.memscope_thread,\"awT\",@nobits",
    ".p2align 3",
    ".hidden memscope_thread_word",
    ".globl memscope_thread_word",
    ".type memscope_thread_word, @object",
    ".size memscope_thread_word, 16",
    "memscope_thread_word:",
    ".zero 16",
    ".popsection",
);

/// The thread's word: 0 in a new thread.
#[inline(always)]
pub fn thread_word() -> usize {
    let word: usize;
    // SAFETY: reads the calling thread's own word.
    unsafe {
        asm!(
            "mov {word}, qword ptr [rip + memscope_thread_word@GOTTPOFF]",
            "mov {word}, qword ptr fs:[{word}]",
            word = out(reg) word,
            options(nostack, preserves_flags, readonly),
        );
    }
    word
}

/// Sets the thread's word.
#[inline]
pub fn set_thread_word(word: usize) {
    // SAFETY: writes the calling thread's own word, which nothing else uses.
    unsafe {
        asm!(
            "mov {place}, qword ptr [rip + memscope_thread_word@GOTTPOFF]",
            "mov qword ptr fs:[{place}], {word}",
            place = out(reg) _,
            word = in(reg) word,
            options(nostack, preserves_flags),
        );
    }
}

/// The thread's second word: 0 in a new thread.
pub fn side_word() -> usize {
    let word: usize;
    // SAFETY: reads the calling thread's own word.
    unsafe {
        asm!(
            "mov {word}, qword ptr [rip + memscope_thread_word@GOTTPOFF]",
            "mov {word}, qword ptr fs:[{word} + 8]",
            word = out(reg) word,
            options(nostack, preserves_flags, readonly),
        );
    }
    word
}

/// Sets the thread's second word.
pub fn set_side_word(word: usize) {
    // SAFETY: writes the calling thread's own word, which nothing else uses.
    unsafe {
        asm!(
            "mov {place}, qword ptr [rip + memscope_thread_word@GOTTPOFF]",
            "mov qword ptr fs:[{place} + 8], {word}",
            place = out(reg) _,
            word = in(reg) word,
            options(nostack, preserves_flags),
        );
    }
}

/// The thread pointer: the address of the thread's control block, which lies at the top of the stack of a
/// thread that the C library made.
#[inline(always)]
pub fn thread_pointer() -> usize {
    let pointer: usize;
    // SAFETY: the ABI puts the thread pointer's own value at fs:0.
    unsafe {
        asm!("mov {}, qword ptr fs:[0]", out(reg) pointer, options(nostack, preserves_flags, readonly, pure));
    }
    pointer
}

/// The address of the preloaded library's table (see [`crate::door`]); 0 where there is none.
#[inline(always)]
pub fn preloaded_door() -> usize {
    let address: usize;
    // SAFETY: a load from the global offset table. The reference is weak: 0 if nothing defines the symbol.
    unsafe {
        asm!(
            ".weak memscope_door",
            "mov {address}, qword ptr [rip + memscope_door@GOTPCREL]",
            address = out(reg) address,
            options(nostack, preserves_flags, readonly, pure),
        );
    }
    address
}

/// The address of the C library's `_dl_find_object`; 0 where it has none (before glibc 2.35).
pub fn dl_find_object() -> usize {
    let address: usize;
    // SAFETY: a load from the global offset table. The reference is weak: 0 if nothing defines the symbol.
    unsafe {
        asm!(
            ".weak _dl_find_object",
            "mov {address}, qword ptr [rip + _dl_find_object@GOTPCREL]",
            address = out(reg) address,
            options(nostack, preserves_flags, readonly, pure),
        );
    }
    address
}

/// Asks for the cache line at an address, which may be anything.
#[inline(always)]
pub fn prefetch(address: *const u8) {
    use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: a hint that never faults.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) };
}

// What sampling and counting keep for each thread, beside the word and reached in the same way.
global_asm!(
    ".pushsection .tbss.memscope_mode,\"awT\",@nobits",
    ".p2align 3",
    ".irp name, memscope_countdown, memscope_random, memscope_mark, memscope_row",
    ".hidden \\name",
    ".globl \\name",
    ".type \\name, @object",
    ".size \\name, 8",
    "\\name:",
    ".zero 8",
    ".endr",
    ".popsection",
);

/// Takes `amount` from the thread's countdown; whether it fell below 0, and wrapped. One instruction on memory, so that
/// a signal handler that allocates cannot come in between.
#[inline(always)]
pub fn spend(amount: usize) -> bool {
    // SAFETY: changes the calling thread's own word.
    unsafe {
        asm!(
            "mov rax, qword ptr [rip + memscope_countdown@GOTTPOFF]",
            "sub qword ptr fs:[rax], {amount}",
            "jb {below}",
            amount = in(reg) amount,
            below = label { return true },
            out("rax") _,
            options(nostack),
        );
    }
    false
}

/// Adds to the word at an offset from `row`; whether it is above the one at another offset then, as signed numbers are. The
/// addition is one instruction on memory, as in [`spend`].
///
/// # Safety
/// There is an atomic of 64 bits at both offsets, in bytes, and only the calling thread writes the first.
#[inline(always)]
pub(crate) unsafe fn add_is_above<const WORD: usize, const OTHER: usize>(
    row: *const u8,
    amount: u64,
) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        asm!(
            "add qword ptr [{row} + {word}], {amount}",
            "mov {amount}, qword ptr [{row} + {word}]",
            "cmp {amount}, qword ptr [{row} + {other}]",
            "jg {above}",
            row = in(reg) row,
            amount = inout(reg) amount => _,
            word = const WORD,
            other = const OTHER,
            above = label { return true },
            options(nostack),
        );
    }
    false
}

/// Adds to the word at an offset from `row`, as [`add_is_above`] does; whether it is `LIMIT` or more then.
///
/// # Safety
/// As there.
#[inline(always)]
pub(crate) unsafe fn add_is_at_least<const WORD: usize, const LIMIT: i64>(
    row: *const u8,
    amount: u64,
) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        asm!(
            "add qword ptr [{row} + {word}], {amount}",
            "cmp qword ptr [{row} + {word}], {limit}",
            "jge {reached}",
            row = in(reg) row,
            amount = in(reg) amount,
            word = const WORD,
            limit = const LIMIT,
            reached = label { return true },
            options(nostack),
        );
    }
    false
}

/// Takes from the word at an offset from `row`, in one instruction as well; whether it is below `LIMIT` then.
///
/// # Safety
/// As in [`add_is_above`].
#[inline(always)]
pub(crate) unsafe fn subtract_is_below<const WORD: usize, const LIMIT: i64>(
    row: *const u8,
    amount: u64,
) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        asm!(
            "sub qword ptr [{row} + {word}], {amount}",
            "cmp qword ptr [{row} + {word}], {limit}",
            "jl {below}",
            row = in(reg) row,
            amount = in(reg) amount,
            word = const WORD,
            limit = const LIMIT,
            below = label { return true },
            options(nostack),
        );
    }
    false
}

/// Functions that read and write a thread-local word.
macro_rules! words {
    ($($(#[$doc:meta])* $symbol:literal: $get:ident, $set:ident;)*) => {
        $(
            $(#[$doc])*
            #[inline(always)]
            pub fn $get() -> u64 {
                let word: u64;
                // SAFETY: reads the calling thread's own word.
                unsafe {
                    asm!(
                        concat!("mov {word}, qword ptr [rip + ", $symbol, "@GOTTPOFF]"),
                        "mov {word}, qword ptr fs:[{word}]",
                        word = out(reg) word,
                        options(nostack, preserves_flags, readonly),
                    );
                }
                word
            }

            #[doc = concat!("Sets what [`", stringify!($get), "`] gives.")]
            #[inline]
            pub fn $set(word: u64) {
                // SAFETY: writes the calling thread's own word.
                unsafe {
                    asm!(
                        concat!("mov {place}, qword ptr [rip + ", $symbol, "@GOTTPOFF]"),
                        "mov qword ptr fs:[{place}], {word}",
                        place = out(reg) _,
                        word = in(reg) word,
                        options(nostack, preserves_flags),
                    );
                }
            }
        )*
    };
}

words! {
    /// What is left of the thread's countdown in bytes.
    "memscope_countdown": countdown, set_countdown;
    /// The state of the thread's random numbers; 0 in a new thread.
    "memscope_random": random_state, set_random_state;
    /// The countdown as it stood after the thread's last sample.
    "memscope_mark": sample_mark, set_sample_mark;
    /// The address of the row in which the thread counts; 0 in a new thread.
    "memscope_row": counting_row, set_counting_row;
}
