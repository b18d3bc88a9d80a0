//! Ends in the way it is told to, after having allocated what it says.
//!
//! `endings WAY`: allocates 1000 blocks of 100 bytes in `allocate_known`, frees 400 of them, prints `1000 allocations
//! 100000 bytes 400 frees`, and ends. The ways, and what the parent sees, stand in [`WAYS`].

use std::hint::black_box;
use std::io::Write;
use std::process::ExitCode;

const BLOCKS: usize = 1000;
const BLOCK_BYTES: usize = 100;
const FREED: usize = 400;

/// A way to end.
struct Way {
    name: &'static str,
    end: fn() -> ExitCode,
}

/// Every way: by return (0), exit code 3, panic (101), or a signal.
const WAYS: &[Way] = &[
    Way { name: "return", end: || ExitCode::SUCCESS },
    Way { name: "return-3", end: || ExitCode::from(3) },
    Way { name: "_exit", end: exit_at_once },
    Way { name: "exit-from-thread", end: exit_from_thread },
    Way { name: "panic", end: || panic!("as told") },
    // Only the thread ends; the program returns 0.
    Way { name: "panic-in-thread", end: panic_in_thread },
    Way { name: "abort", end: || std::process::abort() },
    Way { name: "sigsegv", end: read_from_nowhere },
    Way { name: "sigkill", end: kill_self },
    // These two end by SIGABRT, after a message of the runtime.
    Way { name: "stack-overflow", end: overflow_stack },
    Way { name: "out-of-memory", end: exhaust_memory },
    // Where memory is bounded from outside, the kernel kills it (SIGKILL).
    Way { name: "fill-memory", end: fill_memory },
];

#[inline(never)]
fn allocate_known() -> *mut libc::c_void {
    // SAFETY: any size may be asked for.
    black_box(unsafe { libc::malloc(black_box(BLOCK_BYTES)) })
}

/// Ends with exit code 3, without atexit handlers.
fn exit_at_once() -> ExitCode {
    // SAFETY: ending the process is always allowed.
    unsafe { libc::_exit(3) }
}

/// Ends with exit code 3 from another thread, while this one waits.
fn exit_from_thread() -> ExitCode {
    let thread = std::thread::spawn(|| std::process::exit(3));
    match thread.join() {
        Ok(never) => never,
        Err(_) => ExitCode::FAILURE,
    }
}

fn panic_in_thread() -> ExitCode {
    let thread = std::thread::spawn(|| {
        let held = black_box(vec![1_u8; 5000]);
        assert!(held.is_empty(), "as told");
    });
    ExitCode::from(u8::from(thread.join().is_ok()))
}

fn read_from_nowhere() -> ExitCode {
    // SAFETY: it is not sound, and that is the point: the kernel ends the program here.
    ExitCode::from(unsafe { black_box(8 as *const u8).read_volatile() })
}

fn kill_self() -> ExitCode {
    // SAFETY: ending the process is always allowed.
    unsafe { libc::raise(libc::SIGKILL) };
    ExitCode::FAILURE
}

fn overflow_stack() -> ExitCode {
    fn recurse(depth: u64) -> u64 {
        let held = black_box([depth; 64]);
        if depth == u64::MAX { 0 } else { recurse(depth + 1) + held[1] }
    }
    ExitCode::from(recurse(0) as u8)
}

/// Allocates until nothing is left of an address space that was cut to 256 MiB more than is used now.
fn exhaust_memory() -> ExitCode {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let used_pages: u64 = statm.split(' ').next().and_then(|text| text.parse().ok()).unwrap_or(0);
    let bytes = used_pages * 4096 + (256 << 20);
    let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
    // SAFETY: `limit` is initialized and outlives the call.
    if unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) } != 0 {
        return ExitCode::FAILURE;
    }
    let mut held = Vec::with_capacity(1000);
    loop {
        held.push(black_box(vec![0_u8; 1 << 20]));
    }
}

/// Allocates MiB after MiB and uses it, saying each time how many there are; gives up at 1 GiB.
fn fill_memory() -> ExitCode {
    let mut held = Vec::with_capacity(1024);
    for count in 1..=1024 {
        held.push(allocate_and_use());
        println!("{count} MiB");
    }
    ExitCode::from(u8::from(black_box(held).is_empty()))
}

#[inline(never)]
fn allocate_and_use() -> *mut libc::c_void {
    const BYTES: usize = 1 << 20;
    // SAFETY: any size may be asked for; what was given is as large.
    unsafe {
        let block = black_box(libc::malloc(BYTES));
        if block.is_null() { block } else { libc::memset(block, 1, BYTES) }
    }
}

fn main() -> ExitCode {
    let name = std::env::args().nth(1).unwrap_or_default();
    let Some(way) = WAYS.iter().find(|way| way.name == name) else {
        let names: Vec<_> = WAYS.iter().map(|way| way.name).collect();
        eprintln!("Usage: endings {}", names.join("|"));
        return ExitCode::from(2);
    };
    // The program dumps no core: that would only take time.
    let limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is initialized and outlives the call.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &limit) };

    let blocks: [_; BLOCKS] = std::array::from_fn(|_| allocate_known());
    for block in &blocks[..FREED] {
        // SAFETY: each block was allocated once and is freed once.
        unsafe { libc::free(*block) };
    }
    println!("{BLOCKS} allocations {} bytes {FREED} frees", BLOCKS * BLOCK_BYTES);
    // What ends by force does not flush.
    let _ = std::io::stdout().flush();
    (way.end)()
}
