//! Leaks are what there is evidence for, and nothing else.
#![cfg(not(feature = "off"))]

use memscope_rs::{Evidence, Leak, Memscope, measure, tracker};
use std::fmt::{self, Write};

#[global_allocator]
static ALLOC: Memscope = Memscope::system();

/// Text goes nowhere.
struct Nowhere;

impl Write for Nowhere {
    fn write_str(&mut self, _: &str) -> fmt::Result {
        Ok(())
    }
}

fn of<'a>(leaks: &'a [Leak], function: &str) -> Vec<&'a Leak> {
    leaks.iter().filter(|leak| leak.site.place.function.contains(function)).collect()
}

#[inline(never)]
fn steady() -> Vec<u8> {
    vec![1; 1000]
}

#[inline(never)]
fn swelling(kept: &mut Vec<Box<[u64]>>) {
    kept.push(Box::new([1]));
}

#[test]
fn what_is_merely_alive_is_no_leak() {
    let t = tracker!();
    let kept = steady();
    t.mark("one");
    t.mark("two");
    t.mark("three");
    assert!(of(&t.analyze().leaks, "leaks::steady").is_empty());
    drop(kept);
}

#[test]
fn growth_over_marks_is_evidence_with_its_series() {
    let t = tracker!();
    let mut kept = Vec::with_capacity(100);
    for mark in ["a", "b", "c", "not set"] {
        for _ in 0..2 {
            swelling(&mut kept);
        }
        if mark != "not set" {
            t.mark(mark);
        }
    }
    let report = t.analyze();
    let leaks = of(&report.leaks, "leaks::swelling");
    assert_eq!(leaks.len(), 1, "{:?}", report.leaks);
    let series = [("a", 2), ("b", 4), ("c", 6), ("now", 8)];
    let series = series.map(|(mark, blocks)| (mark.to_owned(), blocks)).to_vec();
    assert_eq!(leaks[0].evidence, Evidence::Growing { series });
    assert_eq!((leaks[0].live_blocks, leaks[0].live_bytes), (8, 64));

    // The difference of two marks, by site.
    let difference = t.between("a", "c").unwrap();
    let site = difference.sites.iter().find(|it| it.place.function.contains("leaks::swelling"));
    let site = site.unwrap_or_else(|| panic!("{difference}"));
    assert_eq!((site.live_blocks, site.live_bytes, site.allocations), (4, 32, 4));
    let since = t.since("a").unwrap();
    let site = since.sites.iter().find(|it| it.place.function.contains("leaks::swelling"));
    assert_eq!(site.map(|site| site.live_blocks), Some(6));
    assert!(t.between("c", "no such mark").is_none());
    // Showing it is none of the program's doing.
    let shown = measure(|| write!(Nowhere, "{since}{}", leaks[0].evidence));
    assert_eq!((shown.allocations, shown.frees), (0, 0));

    // Once it shrinks, it does not keep growing.
    kept.truncate(1);
    assert!(of(&t.analyze().leaks, "leaks::swelling").is_empty());
}

/// Not at once, but where it goes on and on. (A tracker of its own, which has no marks.)
#[test]
fn growth_over_time_is_evidence_with_its_series() {
    let t = tracker!();
    let (mut kept, mut level) = (Vec::with_capacity(100), Vec::new());
    for look in 1..=5 {
        swelling_slowly(&mut kept);
        level = vec![steady()];
        let leaks = t.analyze().leaks;
        let found = of(&leaks, "leaks::swelling_slowly");
        assert_eq!(found.len(), usize::from(look == 5), "{leaks:?}");
        assert!(of(&leaks, "leaks::steady").is_empty());
        if let [leak] = found.as_slice() {
            let Evidence::Growing { series } = &leak.evidence else { panic!("{leak:?}") };
            let blocks: Vec<_> = series.iter().map(|(_, blocks)| *blocks).collect();
            assert_eq!(blocks, [1, 2, 3, 4, 5]);
            assert!(series.iter().all(|(time, _)| time.ends_with(" s")), "{series:?}");
        }
    }
    drop((kept, level));
}

#[inline(never)]
fn swelling_slowly(kept: &mut Vec<Box<[u64]>>) {
    kept.push(Box::new([1]));
}

#[inline(never)]
fn handle(requests: &mut Vec<Vec<u8>>) {
    let answer = vec![0_u8; 10];
    requests.push(vec![1_u8; 300]);
    drop(answer);
}

#[test]
fn what_outlives_its_scope_is_evidence() {
    let t = tracker!();
    let mut requests = Vec::with_capacity(10);
    for parses in [false, true] {
        let _request = t.scope("request");
        let _parse = parses.then(|| memscope_rs::task_scope("parse"));
        handle(&mut requests);
        // While the scope is under way nothing has outlived it.
        assert!(of(&t.analyze().leaks, "leaks::handle").is_empty());
    }
    let report = t.analyze();
    let leaks = of(&report.leaks, "leaks::handle");
    let evidence = Evidence::Outlived { scope: "request".into() };
    assert_eq!(leaks.len(), 1, "{leaks:?}");
    assert_eq!((leaks[0].evidence.clone(), leaks[0].live_blocks), (evidence, 2));
    assert_eq!(leaks[0].live_bytes, 600);
    assert!(report.to_string().contains("outlived the scope \"request\""), "{report}");
    drop(requests);
    assert!(of(&t.analyze().leaks, "leaks::handle").is_empty());
}
