//! A witness for the stacks: loaded into any program by LD_PRELOAD, it records each allocation as capture does and
//! compares the stack that its record leads to, frame by frame, with `backtrace::trace`. At the end it writes one line to the file that
//! `STACK_CHECKER_OUT` names (else to stderr): how many were compared, how many differed, how deep they were; with the
//! first few differences before it.
//!
//! It hooks malloc, calloc, realloc and free only, forwards to the C library, and keeps its region to itself.

use core::arch::naked_asm;
use core::cell::Cell;
use core::sync::atomic::{AtomicU64, Ordering};
use memscope_capture::arch::Entry;
use memscope_capture::event;
use memscope_capture::hooks::RawBlock;
use memscope_capture::process::{PROCESS, Start};
use memscope_capture::thread::Guard;
use memscope_region::record::Record;
use memscope_region::table::REGION_BYTES;
use memscope_region::{Kind, sys};
use std::io::Write;

unsafe extern "C" {
    fn __libc_malloc(size: usize) -> RawBlock;
    fn __libc_calloc(count: usize, size: usize) -> RawBlock;
    fn __libc_realloc(block: RawBlock, size: usize) -> RawBlock;
    fn __libc_free(block: RawBlock);
}

static COMPARED: AtomicU64 = AtomicU64::new(0);
static DIFFERENT: AtomicU64 = AtomicU64::new(0);
static FRAMES: AtomicU64 = AtomicU64::new(0);
static DEEPEST: AtomicU64 = AtomicU64::new(0);
static SLOW: AtomicU64 = AtomicU64::new(0);

/// Differences that are written out in full.
const SHOWN: u64 = 3;

thread_local! {
    /// Set while the witness is at work, whose own allocations are not looked at.
    static COMPARING: Cell<bool> = const { Cell::new(false) };
}

fn start() {
    if !PROCESS.claim_start() {
        return;
    }
    let started = sys::memory_file(c"stack-checker", REGION_BYTES).and_then(|fd| {
        let started = PROCESS.start(&Start { fd, granule_shift: 5, ..Start::default() });
        sys::close(fd);
        started
    });
    if started.is_err() {
        PROCESS.give_up();
    }
}

/// Takes the stack as the hooks do, then asks the witness.
fn check(entry: Entry, kind: Kind, block: RawBlock, size: usize) {
    if block.is_null() || COMPARING.get() {
        return;
    }
    COMPARING.set(true);
    if let Some(mut guard) = Guard::take(start) {
        let slow_walks = |guard: &Guard| guard.row().slow_walks.load(Ordering::Relaxed);
        let before = slow_walks(&guard);
        // SAFETY: called by a stub that was entered at `entry`, for a block that was just made.
        unsafe { event::allocated(&mut guard, entry, kind, block as usize, size) };
        let slow = slow_walks(&guard) != before;
        let record = guard.record(block as usize).map(|place| place.load(Ordering::Relaxed));
        drop(guard);
        compare(&recorded(Record(record.unwrap_or(0))), slow);
    }
    COMPARING.set(false);
}

/// The return addresses of the stack that a record leads to, innermost first.
fn recorded(record: Record) -> Vec<usize> {
    let mut stack = Vec::new();
    let Some(writer) = PROCESS.writer() else { return stack };
    let site = record.site().checked_sub(1).and_then(|row| writer.site(row));
    let mut node = site.map_or(0, |site| site.node.load(Ordering::Relaxed));
    while let Some(row) = node.checked_sub(1).and_then(|row| writer.node(row)) {
        let word = row.word.load(Ordering::Relaxed);
        let address = ((word >> 32) as u32).checked_sub(1).and_then(|row| writer.address(row));
        stack.push(address.map_or(0, |row| row.address.load(Ordering::Relaxed) as usize));
        node = word as u32;
    }
    stack
}

fn compare(ours: &[usize], slow: bool) {
    let mut theirs = Vec::with_capacity(ours.len() + 16);
    backtrace::trace(|frame| {
        theirs.push(frame.ip() as usize);
        true
    });
    // The witness ends with a frame at address 0, which is none.
    while theirs.last() == Some(&0) {
        theirs.pop();
    }
    // It begins in this library; our stack begins at the hook's caller.
    let begin = ours
        .first()
        .and_then(|first| theirs.iter().position(|ip| ip == first))
        .unwrap_or(theirs.len());
    let theirs = &theirs[begin..];
    COMPARED.fetch_add(1, Ordering::Relaxed);
    FRAMES.fetch_add(ours.len() as u64, Ordering::Relaxed);
    DEEPEST.fetch_max(ours.len() as u64, Ordering::Relaxed);
    SLOW.fetch_add(slow.into(), Ordering::Relaxed);
    if ours != theirs && DIFFERENT.fetch_add(1, Ordering::Relaxed) < SHOWN {
        let at = ours
            .iter()
            .zip(theirs)
            .position(|(a, b)| a != b)
            .unwrap_or(ours.len().min(theirs.len()));
        let near = |stack: &[usize]| {
            format!(
                "{:x?}",
                &stack[at.saturating_sub(2).min(stack.len())..(at + 3).min(stack.len())]
            )
        };
        say(&format!(
            "different from frame {at} on (of {} and {}): ours {} theirs {}\n",
            ours.len(),
            theirs.len(),
            near(ours),
            near(theirs)
        ));
    }
}

fn say(text: &str) {
    let opened = std::env::var_os("STACK_CHECKER_OUT")
        .and_then(|path| std::fs::OpenOptions::new().append(true).create(true).open(path).ok());
    // Nothing can be done about a failure to write.
    let _ = match opened {
        Some(mut file) => file.write_all(text.as_bytes()),
        None => std::io::stderr().write_all(text.as_bytes()),
    };
}

extern "C" fn report() {
    COMPARING.set(true);
    say(&format!(
        "compared {} different {} mean depth {:.1} deepest {} slow {}\n",
        COMPARED.load(Ordering::Relaxed),
        DIFFERENT.load(Ordering::Relaxed),
        FRAMES.load(Ordering::Relaxed) as f64 / COMPARED.load(Ordering::Relaxed).max(1) as f64,
        DEEPEST.load(Ordering::Relaxed),
        SLOW.load(Ordering::Relaxed),
    ));
    COMPARING.set(false);
}

#[used]
#[unsafe(link_section = ".fini_array")]
static REPORT: extern "C" fn() = report;

macro_rules! hook {
    ($($name:ident, $sp:literal, $rbp:literal => $body:ident;)*) => {
        $(
            #[unsafe(naked)]
            #[unsafe(no_mangle)]
            unsafe extern "C" fn $name() {
                naked_asm!(
                    concat!("mov ", $sp, ", rsp"),
                    concat!("mov ", $rbp, ", rbp"),
                    "jmp {body}",
                    body = sym $body,
                )
            }
        )*
    };
}

hook! {
    malloc, "rsi", "rdx" => malloc_body;
    calloc, "rdx", "rcx" => calloc_body;
    realloc, "rdx", "rcx" => realloc_body;
}

unsafe extern "C" fn malloc_body(size: usize, sp: usize, rbp: usize) -> RawBlock {
    // SAFETY: forwarded.
    let block = unsafe { __libc_malloc(size) };
    check(Entry { sp, rbp }, Kind::Malloc, block, size);
    block
}

unsafe extern "C" fn calloc_body(count: usize, size: usize, sp: usize, rbp: usize) -> RawBlock {
    // SAFETY: forwarded.
    let block = unsafe { __libc_calloc(count, size) };
    check(Entry { sp, rbp }, Kind::Calloc, block, count.wrapping_mul(size));
    block
}

unsafe extern "C" fn realloc_body(block: RawBlock, size: usize, sp: usize, rbp: usize) -> RawBlock {
    // SAFETY: forwarded.
    let new = unsafe { __libc_realloc(block, size) };
    check(Entry { sp, rbp }, Kind::Realloc, new, size);
    new
}

#[unsafe(no_mangle)]
unsafe extern "C" fn free(block: RawBlock) {
    // SAFETY: forwarded. Frees have no stack; their records are not kept here.
    unsafe { __libc_free(block) }
}
