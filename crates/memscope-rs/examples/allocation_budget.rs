//! An allocation budget in a test: how many allocations a piece of code may make, on its own thread.
//!
//! In a crate of your own this stands under `#[cfg(test)]`, and the assertions in `#[test]` functions.

use memscope_rs::{Memscope, assert_allocations, assert_no_leaks, measure};

#[global_allocator]
static ALLOC: Memscope = Memscope::system();

/// Joins words without an allocation more than it needs.
fn join(words: &[&str]) -> String {
    let mut text = String::with_capacity(words.iter().map(|word| word.len() + 1).sum());
    for word in words {
        text.push_str(word);
        text.push(' ');
    }
    text
}

fn main() {
    assert_allocations!(1, join(&["one", "two", "three"]));
    assert_allocations!(0, { "one two".split(' ').count() });
    assert_no_leaks!(join(&["nothing", "stays"]));

    let measured = measure(|| vec![join(&["a"]), join(&["b"])]);
    println!("{} allocations, {} bytes at most", measured.allocations, measured.peak_bytes);
}
