//! The law of the hot path, at the hooks: whatever the allocator behind answers is passed on, counted for what it is, and
//! changes nothing else; a free is recorded before it happens; an event that cannot be recorded is counted.

mod support;

use memscope_capture::process::PROCESS;
use memscope_capture::thread::Guard;
use memscope_region::record::SIZE_ELSEWHERE;
use memscope_region::{Kind, MissCause};
use std::sync::atomic::Ordering::Relaxed;
use support::{
    Numbers, aligned, calloc, errno, free, malloc, posix_memalign, realloc, record,
    record_at_giving_back, row, set_errno, start,
};

/// Addresses that no other test uses, far from each other.
fn address(test: usize) -> usize {
    (0x1000 + test) << 32
}

/// A number that no function of the C library stores there.
const ERRNO: i32 = 4711;

/// The kind of the site that a block was allocated at.
fn kind_of(block: usize) -> Option<Kind> {
    let site = PROCESS.writer()?.site(record(block).site().checked_sub(1)?)?;
    Kind::from_u8(site.kind.load(Relaxed) as u8)
}

#[test]
fn what_an_allocator_refuses_is_counted_as_failed_and_nothing_else() {
    start();
    set_errno(ERRNO);
    let before = Numbers::now();
    assert_eq!(before, Numbers::default());
    assert_eq!(malloc(1, 0), 0);
    assert_eq!(calloc(usize::MAX, 16, 0), 0);
    assert_eq!(realloc(0, 10, 0), 0);
    assert_eq!(aligned(64, 0), 0);
    assert_eq!(posix_memalign(64, 0), (libc::ENOMEM, 7));
    assert_eq!(errno(), ERRNO);
    let expected = Numbers { attempts: 5, successes: 5, failed: 5, ..before };
    assert_eq!(Numbers::now(), expected);
    assert_eq!(row().new_stacks.load(Relaxed), 0);
}

#[test]
fn each_function_is_counted_as_its_kind_and_leaves_errno_alone() {
    start();
    let base = address(1);
    // The first event of a thread registers it, and maps the records of this part of the address space.
    set_errno(ERRNO);
    assert_eq!(malloc(100, base), base);
    assert_eq!(calloc(10, 20, base + 64), base + 64);
    assert_eq!(realloc(0, 300, base + 128), base + 128);
    assert_eq!(aligned(400, base + 4096), base + 4096);
    assert_eq!(posix_memalign(500, base + 8192), (0, base + 8192));
    let kinds = [0, 64, 128, 4096, 8192].map(|offset| kind_of(base + offset));
    let [malloc_kind, calloc_kind, realloc_kind, aligned_kind, memalign_kind] = kinds;
    assert_eq!(malloc_kind, Some(Kind::Malloc));
    assert_eq!(calloc_kind, Some(Kind::Calloc));
    assert_eq!(realloc_kind, Some(Kind::Realloc));
    assert_eq!((aligned_kind, memalign_kind), (Some(Kind::Aligned), Some(Kind::Aligned)));
    let expected = Numbers {
        attempts: 5,
        successes: 5,
        allocations: 5,
        allocated_bytes: 1500,
        reallocs: 1,
        ..Numbers::default()
    };
    assert_eq!(Numbers::now(), expected);
    for offset in [8192, 4096, 128, 64, 0] {
        free(base + offset);
        assert_eq!(record_at_giving_back().0, 0, "recorded before it is given back");
    }
    free(0);
    assert_eq!(errno(), ERRNO);
    let expected = Numbers {
        attempts: 10,
        successes: 10,
        frees: 5,
        freed_bytes: 1500,
        // Only the first was freed with no allocation after its own.
        temporary: 1,
        ..expected
    };
    assert_eq!(Numbers::now(), expected);
}

#[test]
fn a_realloc_moves_its_block_and_one_to_nothing_frees_it() {
    start();
    let base = address(2);
    malloc(10, base);
    assert_eq!(realloc(base, 20, base + 64), base + 64);
    assert_eq!((record_at_giving_back().0, record(base).0), (0, 0));
    // In place.
    realloc(base + 64, 30, base + 64);
    assert_eq!(record(base + 64).size_field(), 30);
    assert_eq!(realloc(base + 64, 0, 0), 0);
    assert_eq!(record(base + 64).0, 0);
    let expected = Numbers {
        attempts: 6,
        successes: 6,
        allocations: 3,
        allocated_bytes: 60,
        frees: 3,
        freed_bytes: 60,
        reallocs: 2,
        // The last; a block that moves lives on.
        temporary: 1,
        ..Numbers::default()
    };
    assert_eq!(Numbers::now(), expected);
}

#[test]
fn a_realloc_that_fails_takes_back_its_old_half() {
    start();
    let base = address(3);
    for size in [10, SIZE_ELSEWHERE as usize + 5] {
        malloc(size, base);
        let (numbers, old, next) = (Numbers::now(), record(base), record(base + 32));
        assert_eq!(realloc(base, 1 << 40, 0), 0);
        assert_eq!((record(base), record(base + 32)), (old, next));
        let expected = Numbers {
            attempts: numbers.attempts + 1,
            successes: numbers.successes + 1,
            failed: numbers.failed + 1,
            ..numbers
        };
        assert_eq!(Numbers::now(), expected);
        // It is still the block allocated last.
        free(base);
        let expected = Numbers {
            attempts: expected.attempts + 1,
            successes: expected.successes + 1,
            frees: expected.frees + 1,
            freed_bytes: expected.freed_bytes + size as u64,
            temporary: expected.temporary + 1,
            ..expected
        };
        assert_eq!(Numbers::now(), expected);
    }
}

#[test]
fn a_realloc_that_fails_on_an_unknown_block_is_one_failure() {
    start();
    assert_eq!(realloc(address(4), 10, 0), 0);
    let expected = Numbers { attempts: 1, successes: 1, failed: 1, ..Numbers::default() };
    assert_eq!(Numbers::now(), expected);
}

#[test]
fn what_comes_while_a_hook_is_entered_is_counted_as_reentered() {
    start();
    let base = address(5);
    malloc(10, base);
    let row = row();
    let guard = Guard::take(start).unwrap();
    assert_eq!(malloc(20, base + 64), base + 64);
    assert_eq!(realloc(0, 20, 0), 0);
    free(base);
    drop(guard);
    assert_eq!(row.misses[MissCause::Reentered as usize].load(Relaxed), 3);
    // The reader adds them to the attempts, which the interrupted hook may be in the middle of counting.
    let numbers = Numbers::now();
    assert_eq!((numbers.attempts, numbers.successes), (1, 1));
    assert_eq!((record(base + 64).0, record(base).size_field()), (0, 10));

    // The free was missed. It is made up for when the allocator gives the address away again.
    malloc(33, base);
    let numbers = Numbers::now();
    assert_eq!((numbers.allocations, numbers.allocated_bytes), (2, 43));
    assert_eq!((numbers.frees, numbers.freed_bytes), (1, 10));
    assert_eq!(record(base).size_field(), 33);
}

#[test]
fn sizes_are_kept_to_the_byte_however_large() {
    start();
    let base = address(6);
    let limit = SIZE_ELSEWHERE as usize;
    let mut expected = 0;
    for size in [0, 1, 63, limit - 1, limit, limit + 1, 8 << 20, 1 << 40, (1 << 47) + 3] {
        malloc(size, base);
        let elsewhere = record(base).size_is_elsewhere();
        assert_eq!(elsewhere, size >= limit);
        assert_eq!(record(base + 32).0, if elsewhere { size as u64 } else { 0 });
        free(base);
        expected += size as u64;
        let numbers = Numbers::now();
        assert_eq!((numbers.allocated_bytes, numbers.freed_bytes), (expected, expected));
        assert_eq!((record(base).0, record(base + 32).0), (0, 0));
    }
}

#[test]
fn blocks_at_the_edges_of_chunks_of_records_are_recorded() {
    start();
    let chunk = 1 << 28;
    for base in [address(7), address(7) + chunk] {
        for block in [base - 32, base] {
            // Large, so that the size of the first stands in the next chunk.
            malloc(1 << 30, block);
            free(block);
        }
    }
    let numbers = Numbers::now();
    assert_eq!((numbers.frees, numbers.freed_bytes), (4, 4 << 30));
}

#[test]
fn addresses_that_no_program_has_are_misses() {
    start();
    malloc(10, 1 << 47);
    free(1 << 47);
    malloc(10, usize::MAX - 31);
    free(usize::MAX - 31);
    let numbers = Numbers::now();
    assert_eq!(numbers.misses[MissCause::Records as usize], 2);
    assert_eq!((numbers.unknown_frees, numbers.attempts, numbers.successes), (2, 4, 2));
}

#[test]
fn a_block_freed_by_another_thread_is_counted_there() {
    start();
    let base = address(8);
    malloc(10, base);
    malloc(20, base + 64);
    let theirs = std::thread::spawn(move || {
        free(base);
        realloc(base + 64, 30, base + 128);
        Numbers::now()
    });
    let theirs = theirs.join().unwrap();
    assert_eq!((theirs.frees, theirs.freed_bytes, theirs.temporary), (2, 30, 0));
    assert_eq!((theirs.allocations, theirs.reallocs), (1, 1));
    assert_eq!(Numbers::now().frees, 0);
    free(base + 128);
    assert_eq!((Numbers::now().frees, Numbers::now().freed_bytes), (1, 30));
}
