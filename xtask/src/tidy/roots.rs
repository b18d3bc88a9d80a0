//! What the compiler is asked to enforce stands at the root of each crate.
//!
//! The rooms on the hot path are `no_std`, so that allocating there does not compile. The rooms that read are
//! `forbid(unsafe_code)`, so that no allowance deeper down can undo it.

use super::{Problem, Source};

/// A crate's root, and the attribute that it carries.
const ROOTS: &[(&str, &[&str])] = &[
    ("crates/memscope-region/src/lib.rs", NO_STD),
    ("crates/memscope-capture/src/lib.rs", NO_STD),
    ("crates/memscope-preload/src/lib.rs", NO_STD),
    ("crates/memscope-profile/src/lib.rs", NO_UNSAFE),
    ("crates/memscope-report/src/lib.rs", NO_UNSAFE),
    ("crates/memscope-cli/src/main.rs", NO_UNSAFE),
    ("crates/memscope-cli/src/bin/cargo-memscope/main.rs", NO_UNSAFE),
];

const NO_STD: &[&str] = &["#", "!", "[", "no_std", "]"];
const NO_UNSAFE: &[&str] = &["#", "!", "[", "forbid", "(", "unsafe_code", ")", "]"];

pub(super) fn check(source: &Source) -> Vec<Problem> {
    let rows = ROOTS.iter().filter(|(path, _)| *path == source.path);
    rows.filter(|(_, attribute)| !(0..source.tokens.len()).any(|at| source.reads(at, attribute)))
        .map(|(_, attribute)| {
            source.problem(0, format!("the crate carries {}", attribute.concat()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_carries_its_attribute() {
        let problems = |path: &str, text: &str| {
            check(&Source::new(path, text).expect("the sample is Rust")).len()
        };
        let region = "crates/memscope-region/src/lib.rs";
        assert_eq!(problems(region, "//! The region.\n#![no_std]"), 0);
        assert_eq!(problems(region, "//! The region: #![no_std]"), 1);
        assert_eq!(problems("crates/memscope-region/src/row.rs", "//! Rows."), 0);
        assert_eq!(problems("crates/memscope-cli/src/main.rs", "#![forbid(unsafe_code)]"), 0);
    }
}
