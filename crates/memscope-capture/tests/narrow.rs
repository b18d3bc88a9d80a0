//! Where the system gives no more memory, events are missed and counted by their cause; when it gives some again,
//! recording goes on.
//!
//! One test in a process of its own, for it limits the process.

mod support;

use memscope_capture::process::PROCESS;
use memscope_region::{MissCause, Table};
use std::sync::atomic::Ordering::Relaxed;
use support::{Numbers, free, malloc, record, start};

/// Blocks so far apart that each needs records of its own.
fn address(block: usize) -> usize {
    0x2000_0000_0000 + block * (1 << 30)
}

/// The process's address space in bytes.
fn used_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').next().unwrap().parse::<u64>().unwrap() * 4096
}

fn limit_address_space(bytes: libc::rlim_t) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` outlives both calls.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_AS, &raw mut limit), 0);
        limit.rlim_cur = bytes.min(limit.rlim_max);
        assert_eq!(libc::setrlimit(libc::RLIMIT_AS, &raw const limit), 0);
    }
}

#[test]
fn records_that_cannot_be_mapped_are_misses_until_they_can() {
    start();
    // The thread is registered and its stack's frames are known.
    assert_eq!(malloc(10, address(0)), address(0));
    let rows = || PROCESS.writer().unwrap().header().rows[Table::Shadow as usize].load(Relaxed);
    let before = rows();

    limit_address_space(used_bytes() + (1 << 20));
    for block in 1..=10_000 {
        assert_eq!(malloc(10, address(block)), address(block));
        free(address(block));
    }
    // What was there before is not lost.
    free(address(0));
    let numbers = Numbers::now();
    limit_address_space(libc::RLIM_INFINITY);

    assert_eq!(numbers.misses[MissCause::Records as usize], 10_000);
    assert_eq!(numbers.misses.iter().sum::<u64>(), 10_000);
    assert_eq!((numbers.allocations, numbers.frees, numbers.unknown_frees), (1, 1, 10_000));
    assert_eq!((numbers.attempts, numbers.successes), (20_002, 10_002));
    // Nor do misses use up the table that names the records.
    assert!(rows() - before <= 1, "{} rows for nothing", rows() - before);

    malloc(20, address(1));
    assert_eq!(record(address(1)).size_field(), 20);
    free(address(1));
    assert_eq!(Numbers::now().freed_bytes, 30);
}
