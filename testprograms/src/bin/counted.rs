//! Counts its own allocations and prints the truth.
//!
//! `counted [THREADS]`: allocates on the main thread and on THREADS more (4; 0 is allowed), and prints one line for
//! each of its allocating functions:
//!
//! ```text
//! function kind allocations bytes frees freed_bytes temporary peak_blocks peak_bytes file:line
//! ```
//!
//! and then `failed N`, the calls that returned null. Each function calls the C library in one line, is never inlined
//! and never a tail call, so it is always the caller of the allocator.
//!
//! The peak is known by construction: when every thread holds its blocks and waits, the main thread allocates the
//! largest block of all, and frees it first. Between allocating a block and reallocating it another is allocated,
//! so that it does not matter whether a realloc counts as a temporary block's end. No call allocates in between that
//! the program does not count: blocks are kept in arrays, not vectors.

use libc::c_void;
use std::array::from_fn;
use std::hint::black_box;
use std::ptr::null_mut;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use testprograms::ledger::{Block, Count};

/// Blocks that a worker allocates and does not free itself.
const HANDED_OVER: usize = 48;

/// Defines the counts, named after their functions, and the list of all of them.
macro_rules! counts {
    ($($count:ident $function:literal $kind:literal;)*) => {
        $(static $count: Count = Count::new(concat!("counted::", $function), $kind, file!());)*
        static COUNTS: &[&Count] = &[$(&$count),*];
    };
}

counts! {
    ROW "row" "malloc";
    TABLE "table" "calloc";
    TEXT "text" "realloc";
    LIST "list" "realloc";
    PAGE "page" "aligned";
    LANE "lane" "aligned";
    SCRATCH "scratch" "malloc";
    NESTED "nested" "malloc";
    KEPT "kept" "malloc";
    MESSAGE "message" "malloc";
    SUMMIT "summit" "malloc";
}

/// Calls that returned null.
static FAILED: AtomicU64 = AtomicU64::new(0);

#[inline(never)]
fn row(bytes: usize) -> Block {
    // SAFETY: any size may be asked for.
    let (address, line) = (unsafe { libc::malloc(black_box(bytes)) }, line!());
    ROW.allocated(black_box(address as usize), bytes, line)
}

#[inline(never)]
fn table(rows: usize, row_bytes: usize) -> Block {
    // SAFETY: any size may be asked for.
    let (address, line) = (unsafe { libc::calloc(black_box(rows), row_bytes) }, line!());
    TABLE.allocated(black_box(address as usize), rows * row_bytes, line)
}

/// Allocates a text, or gives an old one another length.
#[inline(never)]
fn text(old: Option<Block>, bytes: usize) -> Block {
    let old = old.map_or(0, Block::freed) as *mut c_void;
    // SAFETY: `old` is null or a block that is used no more.
    let (address, line) = (unsafe { libc::realloc(old, black_box(bytes)) }, line!());
    TEXT.allocated(black_box(address as usize), bytes, line)
}

#[inline(never)]
fn list(old: Option<Block>, items: usize) -> Block {
    let old = old.map_or(0, Block::freed) as *mut c_void;
    // SAFETY: `old` is null or a block that is used no more.
    let (address, line) = (unsafe { libc::reallocarray(old, black_box(items), 24) }, line!());
    LIST.allocated(black_box(address as usize), items * 24, line)
}

#[inline(never)]
fn page(bytes: usize) -> Block {
    let mut address = null_mut();
    // SAFETY: the alignment is a power of two, and `address` can be written.
    let (code, line) = (unsafe { libc::posix_memalign(&mut address, 4096, bytes) }, line!());
    assert_eq!(code, 0);
    PAGE.allocated(black_box(address as usize), bytes, line)
}

#[inline(never)]
fn lane(bytes: usize) -> Block {
    // SAFETY: the alignment is a power of two and divides the size.
    let (address, line) = (unsafe { libc::aligned_alloc(64, black_box(bytes)) }, line!());
    LANE.allocated(black_box(address as usize), bytes, line)
}

#[inline(never)]
fn scratch(bytes: usize) {
    // SAFETY: any size may be asked for.
    let (address, line) = (unsafe { libc::malloc(black_box(bytes)) }, line!());
    free(SCRATCH.allocated(black_box(address as usize), bytes, line));
}

/// Allocates at this depth and at every one below, so on as many stacks as there are blocks.
#[inline(never)]
fn nested(blocks: &mut [Option<Block>]) {
    let Some((first, rest)) = blocks.split_first_mut() else { return };
    // SAFETY: any size may be asked for.
    let (address, line) = (unsafe { libc::malloc(black_box(rest.len() + 1)) }, line!());
    *first = Some(NESTED.allocated(black_box(address as usize), rest.len() + 1, line));
    nested(black_box(rest));
}

/// Allocates what is never freed.
#[inline(never)]
fn kept(bytes: usize) {
    // SAFETY: any size may be asked for.
    let (address, line) = (unsafe { libc::malloc(black_box(bytes)) }, line!());
    KEPT.allocated(black_box(address as usize), bytes, line);
}

/// Allocates what another thread frees.
#[inline(never)]
fn message(bytes: usize) -> Block {
    // SAFETY: any size may be asked for.
    let (address, line) = (unsafe { libc::malloc(black_box(bytes)) }, line!());
    MESSAGE.allocated(black_box(address as usize), bytes, line)
}

/// Allocates the last block before the peak.
#[inline(never)]
fn summit() -> Block {
    let bytes = 64 << 20;
    // SAFETY: any size may be asked for.
    let (address, line) = (unsafe { libc::malloc(black_box(bytes)) }, line!());
    SUMMIT.allocated(black_box(address as usize), bytes, line)
}

/// Asks for more than there is, in every way.
#[inline(never)]
fn refused(block: Block) -> Block {
    let half = black_box(usize::MAX / 2);
    let old = block.address as *mut c_void;
    // SAFETY: a call that fails leaves the old block as it is.
    let results = unsafe {
        [
            libc::malloc(half),
            libc::calloc(half, 4),
            libc::realloc(old, half),
            libc::reallocarray(old, half, 4),
            libc::aligned_alloc(64, half & !63),
        ]
    };
    FAILED.fetch_add(
        black_box(results).iter().filter(|result| result.is_null()).count() as u64,
        Relaxed,
    );
    block
}

#[inline(never)]
fn free(block: Block) {
    // SAFETY: the block was allocated once and is consumed here.
    unsafe { libc::free(block.freed() as *mut c_void) };
}

/// Frees by the call that is as good as a free.
#[inline(never)]
fn free_by_realloc(block: Block) {
    // SAFETY: the block was allocated once and is consumed here. With size 0 the C library frees it.
    let address = unsafe { libc::realloc(block.freed() as *mut c_void, black_box(0)) };
    assert!(address.is_null());
}

/// A worker: allocates, frees some itself, waits for the peak to pass, and hands the rest over.
fn work(before: &Barrier, after: &Barrier) -> [Block; HANDED_OVER] {
    let own: [Block; 32] = from_fn(|index| row(index * 40));
    let messages = from_fn(|index| message(100 + index));
    for _ in 0..200 {
        scratch(24);
    }
    own.into_iter().for_each(free);
    before.wait();
    after.wait();
    messages
}

fn main() {
    let threads = std::env::args().nth(1).map_or(4, |text| text.parse().unwrap_or(4));

    let rows: [Block; 64] = from_fn(|index| row(index * 8));
    let tables: [Block; 16] = from_fn(|index| table(index, 100));
    let mut spoken = text(None, 16);
    let mut listed = list(None, 4);
    for doubling in 1..=10 {
        kept(1);
        spoken = text(Some(spoken), 16 << doubling);
        listed = list(Some(listed), 4 << doubling);
    }
    // Smaller again, and freed by a realloc to nothing.
    spoken = text(Some(spoken), 10);
    let lanes: [Block; 8] = from_fn(|index| lane(64 * (index + 1)));
    let pages: [Block; 4] = from_fn(|index| page(1000 * index + 1));
    // The sizes around 2^23 bytes are where a size needs more bits.
    let large: [Block; 4] = from_fn(|index| row((1 << 23) - 2 + index));
    let mut tree = [const { None }; 40];
    nested(&mut tree);
    for _ in 0..1000 {
        scratch(48);
    }
    kept(5000);
    let spoken = refused(spoken);
    free_by_realloc(spoken);

    let (before, after) = (Barrier::new(threads + 1), Barrier::new(threads + 1));
    std::thread::scope(|scope| {
        let mut workers = Vec::with_capacity(threads);
        for _ in 0..threads {
            workers.push(scope.spawn(|| work(&before, &after)));
        }
        before.wait();
        let top = summit();
        for count in COUNTS {
            count.at_peak();
        }
        free(top);
        after.wait();
        for worker in workers {
            worker.join().expect("a worker does not panic").into_iter().for_each(free);
        }
    });

    rows.into_iter().chain(tables).chain(lanes).chain(pages).chain(large).for_each(free);
    tree.into_iter().flatten().for_each(free);
    free(listed);
    for count in COUNTS {
        println!("{count}");
    }
    println!("failed {}", FAILED.load(Relaxed));
}
