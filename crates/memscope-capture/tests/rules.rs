//! Unwind rules keep what they are given or say that they cannot, and their table finds what was entered and nothing
//! that was forgotten.

use memscope_capture::rule::{FIRST_BITS, Found, Rule, RuleTable, Shape};
use memscope_region::sys;

fn table(bits: u32) -> &'static RuleTable {
    let place: *mut RuleTable = sys::map_private(size_of::<RuleTable>()).expect("memory").cast();
    // SAFETY: fresh memory that is never unmapped.
    unsafe {
        RuleTable::make(place, bits).expect("memory");
        &*place
    }
}

fn find(table: &RuleTable, pc: usize) -> Option<Found> {
    // SAFETY: the view is of a table.
    unsafe { table.view().find(pc) }
}

/// The return address number `i` of a made-up program, and what its table holds.
fn entry(i: usize) -> (usize, Found) {
    let rule = Rule::new(Shape::Rsp, (i as i64 % 1000 + 1) * 8, 0);
    (0x5555_5555_0000 + i * 5, Found { rule, address: i as u32 + 1 })
}

#[test]
fn a_rule_keeps_its_numbers_or_is_slow() {
    const OFFSETS: i64 = 1 << 19;
    const SLOTS: i64 = 1 << 10;
    for shape in [Shape::Rsp, Shape::Rbp, Shape::RbpIndirect] {
        for offset in [0, 1, 2, 63, OFFSETS - 2, OFFSETS - 1] {
            for slot in [0, 1, 2, SLOTS - 1] {
                let rule = Rule::new(shape, offset * 8, slot * 8);
                assert_eq!(rule.shape(), shape);
                assert_eq!(rule.cfa_offset(), offset as usize * 8);
                assert_eq!(rule.rbp_below(), slot as usize * 8);
                assert_eq!(rule.is_simple(), shape != Shape::RbpIndirect);
                assert_eq!(rule.uses_rbp(), shape != Shape::Rsp);
                assert_eq!(rule.loads_rbp(), slot != 0 || shape == Shape::RbpIndirect);
            }
        }
        for (offset, slot) in [
            (OFFSETS * 8, 0),
            (8, SLOTS * 8),
            (-8, 0),
            (8, -8),
            (12, 0),
            (8, 4),
            (i64::MAX, 0),
            (i64::MIN, i64::MIN),
        ] {
            assert_eq!(Rule::new(shape, offset, slot), Rule::plain(Shape::Slow));
        }
    }
    for shape in [Shape::Unknown, Shape::End, Shape::Slow] {
        assert_eq!(Rule::plain(shape).shape(), shape);
        assert!(!Rule::plain(shape).is_simple());
    }
}

#[test]
fn a_table_finds_what_was_entered_and_nothing_else() {
    let table = table(FIRST_BITS);
    let many = 1 << (FIRST_BITS - 2);
    for i in 0..many {
        let (pc, found) = entry(i);
        assert_eq!(find(table, pc), None);
        assert!(!table.insert(pc, found));
    }
    for i in 0..many {
        let (pc, found) = entry(i);
        assert_eq!(find(table, pc), Some(found));
        assert_eq!(find(table, pc + 1), None);
    }
    // The latest counts.
    let (pc, _) = entry(3);
    let other = Found { rule: Rule::plain(Shape::End), address: 77 };
    table.insert(pc, other);
    assert_eq!(find(table, pc), Some(other));
}

#[test]
fn a_table_asks_for_a_larger_one_and_never_fills_up() {
    let small = table(FIRST_BITS);
    let slots = 1 << FIRST_BITS;
    let first_refused = (0..2 * slots).find(|i| {
        let (pc, found) = entry(*i);
        small.insert(pc, found)
    });
    assert!(first_refused.is_some_and(|count| count > slots / 4 && count < slots / 2));
    // Nobody makes a larger one: what is looked up in vain must still come to an end.
    for i in 0..4 * slots {
        let (pc, found) = entry(i);
        small.insert(pc, found);
    }
    assert_eq!(find(small, 0x1234), None);

    let larger = table(small.bits() + 1);
    small.copy_to(larger);
    let mut kept = 0;
    for i in 0..4 * slots {
        let (pc, found) = entry(i);
        assert_eq!(find(larger, pc), find(small, pc));
        kept += usize::from(find(larger, pc) == Some(found));
    }
    assert!(kept > slots / 2);
}

#[test]
fn what_is_forgotten_is_not_found_and_hides_nothing() {
    let table = table(FIRST_BITS);
    for i in 0..500 {
        let (pc, found) = entry(i);
        table.insert(pc, found);
    }
    // The addresses in the middle, whose places others were put behind.
    let range = entry(100).0..entry(400).0;
    table.forget(range.clone());
    for i in 0..500 {
        let (pc, found) = entry(i);
        assert_eq!(find(table, pc), (!range.contains(&pc)).then_some(found));
    }
    // Other code has come to lie there.
    let (pc, _) = entry(200);
    let other = Found { rule: Rule::plain(Shape::Slow), address: 9 };
    table.insert(pc, other);
    assert_eq!(find(table, pc), Some(other));
    let larger = self::table(FIRST_BITS + 1);
    table.copy_to(larger);
    assert_eq!(find(larger, pc), Some(other));
    assert_eq!(find(larger, entry(201).0), None);
}

/// A table as threads share it: by its address.
#[derive(Clone, Copy)]
struct Shared(&'static RuleTable);

// SAFETY: a table is made of atomics and of what never changes.
unsafe impl Send for Shared {}

impl Shared {
    fn table(self) -> &'static RuleTable {
        self.0
    }
}

#[test]
fn threads_enter_and_find_at_the_same_time() {
    let shared = Shared(table(FIRST_BITS + 4));
    std::thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || {
                let table = shared.table();
                for i in 0..8000 {
                    // Each begins elsewhere, and all enter the same.
                    let (pc, found) = entry((i + thread * 2000) % 8000);
                    if find(table, pc).is_none() {
                        table.insert(pc, found);
                    }
                    assert_eq!(find(table, pc), Some(found));
                }
            });
        }
    });
    for i in 0..8000 {
        let (pc, found) = entry(i);
        assert_eq!(find(shared.table(), pc), Some(found));
    }
}
