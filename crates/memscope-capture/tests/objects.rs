//! The two ways to find the object that covers an address.

use memscope_capture::object::{Object, find, find_by_iterating};

/// Both agree on addresses in this program, in the C library, on the stack and in nothing.
#[test]
fn both_ways_find_the_same() {
    let here = find as *const () as usize;
    let there = libc::qsort as *const () as usize;
    for address in [here, there, here + 4096, 0, 4096, &raw const there as usize] {
        let (one, other) = (find(address), find_by_iterating(address));
        let seen = |object: Option<Object>| {
            object.map(|it| {
                (it.start, it.end, it.unwind_header, it.bias, it.name().to_vec(), it.entry())
            })
        };
        assert_eq!(seen(one), seen(other), "{address:x}");
    }
    assert!(find(here).is_some() && find(there).is_some() && find(4096).is_none());
}
