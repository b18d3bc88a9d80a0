//! Counting in tests: only the thread that runs the code, and a failure says where.
#![cfg(not(feature = "off"))]

use memscope_rs::{Memscope, assert_allocations, assert_no_leaks, measure, measure_value};
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;

#[global_allocator]
static ALLOC: Memscope = Memscope::system();

#[test]
fn other_threads_are_not_measured() {
    let (begin, end) = (Barrier::new(2), Barrier::new(2));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            begin.wait();
            let kept: Vec<_> = (0..1000).map(|n| vec![n; 10]).collect();
            end.wait();
            drop(kept);
        });
        let measured = measure(|| {
            begin.wait();
            let own = vec![1_u8; 123];
            end.wait();
            own
        });
        assert_eq!((measured.allocations, measured.allocated_bytes), (1, 123));
        assert_eq!((measured.frees, measured.peak_bytes), (0, 123));
    });
}

#[test]
fn measurings_nest_and_survive_panics() {
    let (inner, outer) = measure_value(|| {
        let _first = black_box(Box::new([0_u8; 100]));
        let inner = measure(|| drop(black_box(vec![0_u8; 1000])));
        drop(black_box(vec![0_u8; 10]));
        inner
    });
    assert_eq!((inner.allocations, inner.peak_bytes), (1, 1000));
    assert_eq!((outer.allocations, outer.frees, outer.peak_bytes), (3, 3, 1100));
    let panicked = catch_unwind(|| measure(|| std::panic::resume_unwind(Box::new(()))));
    assert!(panicked.is_err());
    // What comes after is recorded as ever.
    let after = measure(|| black_box(vec![0_u8; 5]));
    assert_eq!((after.allocations, after.peak_bytes), (1, 5));
}

#[inline(never)]
fn wasteful() -> usize {
    (0..3).map(|n| format!("{n}").len()).sum()
}

/// What a failing assertion says.
fn failure(code: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(code)).expect_err("it should fail");
    payload.downcast_ref::<String>().cloned().unwrap_or_default()
}

#[test]
fn a_budget_that_is_kept_passes() {
    assert_allocations!(0, { 1 + 1 });
    assert_allocations!(3, { wasteful() });
    assert_allocations!(1..=3, wasteful());
    assert_allocations!(0..=5 | 7, { wasteful() });
}

#[test]
fn a_budget_that_is_exceeded_says_where() {
    let text = failure(|| assert_allocations!(..=2, { wasteful() }));
    assert!(text.starts_with("3 allocations, expected 0..=2\n"), "{text}");
    assert!(text.contains("measured::wasteful"), "{text}");
    assert!(text.contains("measured.rs"), "{text}");
    // The stack leads to the code that was measured, and what lies between is folded. (The compiler may make one function of
    // this code and the same in the test above.)
    let line = text.lines().find(|line| line.starts_with("    measured::a_budget_that_is_"));
    assert!(line.is_some_and(|line| line.contains("measured.rs:")), "{text}");
    assert!(!text.contains("memscope_rs::measure") && !text.contains("library/core"), "{text}");
    let text = failure(|| assert_allocations!(0 | 2, { black_box(vec![1_u8; 1]) }));
    assert!(text.starts_with("1 allocation, expected 0 | 2\n  1 allocation, 1 byte\n"), "{text}");
}

#[test]
fn of_many_sites_the_first_are_listed() {
    let text = failure(|| {
        assert_allocations!(0, {
            drop(black_box(vec![1_u8]));
            drop(black_box(vec![2_u8]));
            drop(black_box(vec![3_u8]));
            drop(black_box(vec![4_u8]));
            drop(black_box(vec![5_u8]));
            drop(black_box(vec![6_u8]));
            drop(black_box(vec![7_u8]));
        });
    });
    assert!(text.starts_with("7 allocations, expected 0\n"), "{text}");
    assert_eq!(text.matches("\n  1 allocation, 1 byte\n").count(), 5, "{text}");
    assert!(text.ends_with("\n  … 2 more sites"), "{text}");
}

#[test]
fn what_is_not_freed_is_said_with_its_stack() {
    assert_no_leaks!({ wasteful() });
    // A value that the code has is not leaked, nor is what another thread frees.
    assert_no_leaks!({ vec![1_u8; 10] });
    assert_no_leaks!({
        let data = vec![1_u8; 10];
        std::thread::scope(|scope| scope.spawn(move || drop(data)).join().unwrap());
    });
    let mut kept = Vec::with_capacity(1);
    let text = failure(|| assert_no_leaks!({ kept.push(vec![1_u8; 77]) }));
    assert!(text.starts_with("77 bytes were not freed"), "{text}");
    assert!(text.contains("measured::what_is_not_freed"), "{text}");
    // The stack ends with the code that was measured.
    assert!(!text.contains("memscope_rs::measure"), "{text}");
    drop(kept);
}
