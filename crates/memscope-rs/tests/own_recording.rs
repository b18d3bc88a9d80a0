//! A program that records itself sees its own allocations, exactly, and looking changes nothing.
#![cfg_attr(feature = "off", allow(unused, reason = "nothing is recorded"))]

use memscope_rs::{Heap, Memscope, tracker};

#[global_allocator]
static ALLOC: Memscope = Memscope::system();

#[inline(never)]
fn keep(count: usize) -> Vec<Box<[u8]>> {
    (0..count).map(|_| vec![1_u8; 100].into_boxed_slice()).collect()
}

/// A vector that grows step by step, beside others that keep it from growing where it is; how many steps it took, and how
/// many bytes had to be copied, by the addresses.
#[inline(never)]
fn grow() -> (Vec<Vec<u64>>, u64, u64) {
    let (mut vectors, mut steps, mut copied) = (vec![Vec::new(); 3], 0, 0);
    for number in 0..1000 {
        for vector in &mut vectors {
            let (place, room) = (vector.as_ptr(), vector.capacity());
            vector.push(number);
            if room > 0 && vector.capacity() != room {
                steps += 1;
                copied += if vector.as_ptr() == place { 0 } else { room as u64 * 8 };
            }
        }
    }
    (vectors, steps, copied)
}

/// What happened between two looks.
fn since(before: Heap) -> (u64, u64, i64, i64) {
    let now = tracker!().heap();
    let change = |now: u64, before: u64| now as i64 - before as i64;
    (
        now.allocations - before.allocations,
        now.frees - before.frees,
        change(now.live_blocks, before.live_blocks),
        change(now.live_bytes, before.live_bytes),
    )
}

fn main() {
    if cfg!(feature = "off") {
        return;
    }
    let t = tracker!();

    let before = t.heap();
    assert!(before.is_recorded);
    let kept = keep(1000);
    let pointers = (size_of_val(&kept[..])) as i64;
    assert_eq!(since(before), (1001, 0, 1001, 100_000 + pointers));

    // Looking is no event, however much it allocates, and however long its results are kept.
    let before = t.heap();
    let report = t.analyze();
    let text = report.to_string();
    let stats = t.tracking_stats();
    assert_eq!(since(before), (0, 0, 0, 0));
    drop((report.clone(), text));
    assert_eq!(stats.detailed.completeness, 1.0, "{stats}");

    // The report has the site, with the program's own function.
    let site = report.sites.iter().find(|site| site.counts.live_bytes() == 100_000);
    let site = site.unwrap_or_else(|| panic!("{report}"));
    assert!(site.place.function.contains("own_recording::keep"), "{site:?}");
    assert_eq!((site.counts.allocations, site.counts.frees), (1000, 0));
    assert!(site.place.file.ends_with("own_recording.rs"), "{site:?}");
    assert!(site.stack.iter().any(|place| place.function.contains("own_recording::main")));
    drop(report);

    let (vectors, steps, copied) = grow();
    let report = t.analyze();
    let sites = report.sites.iter().filter(|site| site.place.function.contains("::grow"));
    let mut growths: Vec<_> = sites.map(|site| site.counts.growth).collect();
    growths.retain(|growth| growth.growths > 0);
    let [growth] = growths[..] else { panic!("{growths:?}") };
    assert!(copied > 0);
    assert_eq!((growth.growths, growth.copied_bytes), (steps, copied));
    assert_eq!((growth.outgrown_blocks, growth.shrinks), (steps, 0));
    drop((report, vectors));

    // What the program frees is seen, and on another thread too.
    let before = t.heap();
    let bytes = 100_000 + pointers;
    std::thread::scope(|scope| {
        scope.spawn(move || drop(kept));
    });
    let (_, frees, _, live_bytes) = since(before);
    assert!(frees >= 1001, "{frees}");
    assert!((-bytes..-bytes + 2000).contains(&live_bytes), "{live_bytes}");

    // A realloc is one event of each kind and keeps its block.
    let before = t.heap();
    let mut grown = Vec::with_capacity(10);
    grown.resize(10, 1_u64);
    grown.reserve_exact(1000);
    assert_eq!(since(before), (2, 1, 1, 8 * 1010));
    drop(grown);

    // The largest stays the same if it was past.
    assert!(t.heap().peak_bytes >= 100_000);
    assert_eq!(t.tracking_stats().unknown_frees, 0);
}
