//! What holds with whatever allocator inside: exact counts, cheap zeroes, frees on other threads.

use memscope_rs::{Heap, measure, track, tracker};
use std::hint::black_box;

/// Resident bytes of this process.
fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

#[inline(never)]
fn keep(count: usize) -> Vec<Box<[u8]>> {
    (1..=count).map(|size| vec![1_u8; size].into_boxed_slice()).collect()
}

/// Checks the allocator that is installed. `zeroes_are_cheap`: by itself it leaves fresh zeroes untouched.
pub(crate) fn check(zeroes_are_cheap: bool) {
    let t = tracker!();
    let before = t.heap();
    assert!(before.is_recorded);

    // Each size from one byte on, with a record of its own, and all freed elsewhere.
    let mut kept = Vec::new();
    let counts = measure(|| kept = keep(3000));
    assert_eq!((counts.allocations, counts.frees), (3001, 0));
    let bytes = 3000 * 3001 / 2 + 3000 * size_of::<Box<[u8]>>() as u64;
    assert_eq!(counts.allocated_bytes, bytes);
    let report = t.analyze();
    let site = report.sites.iter().find(|site| site.place.function.contains("inner::keep"));
    let site = site.unwrap_or_else(|| panic!("{report}"));
    assert_eq!(site.counts.live_blocks(), 3000);
    std::thread::spawn(move || drop(kept)).join().unwrap();
    let live = |heap: Heap| heap.live_bytes.saturating_sub(before.live_bytes);
    assert!(live(t.heap()) < 100_000, "{:?}", t.heap());

    // A realloc keeps contents and name.
    let mut grown = vec![7_u8; 10];
    track!(t, grown);
    for _ in 0..12 {
        grown.reserve_exact(2 * grown.capacity() - grown.len());
    }
    assert_eq!((t.stats().live_allocations, t.stats().live_bytes), (1, 10 << 12));
    assert!(grown.iter().all(|byte| *byte == 7));
    drop(grown);
    assert_eq!(t.stats().live_allocations, 0);

    // Zeroes that nobody touched cost nothing.
    let resident = resident_bytes();
    let zeroes = black_box(vec![0_u8; 512 << 20]);
    let extra = resident_bytes().saturating_sub(resident);
    assert!(!zeroes_are_cheap || extra < 32 << 20, "{extra}");
    assert_eq!((zeroes[0], zeroes[300 << 20], zeroes[(512 << 20) - 1]), (0, 0, 0));
    assert!(live(t.heap()) >= 512 << 20);
    drop(zeroes);

    let aligned: Vec<_> = (0..100).map(|_| Box::new(Aligned([1; 4096]))).collect();
    assert!(aligned.iter().all(|block| (&raw const **block).addr().is_multiple_of(4096)));
    assert_eq!(aligned.iter().map(|block| usize::from(block.0[4095])).sum::<usize>(), 100);
    drop(aligned);
    let stats = t.tracking_stats();
    assert_eq!((stats.detailed.completeness, stats.unknown_frees), (1.0, 0), "{stats}");
}

#[repr(align(4096))]
struct Aligned([u8; 4096]);
