//! Every memory ordering in region and capture says why it is enough.
//!
//! The reason stands in an `ORDERING:` comment near above it, or in the comment above its function. Tests need none.

use super::{Problem, Source};
use std::collections::BTreeSet;

const ROOMS: &[&str] = &["crates/memscope-region/src/", "crates/memscope-capture/src/"];
const ORDERINGS: &[&str] = &["Relaxed", "Acquire", "Release", "AcqRel", "SeqCst"];

pub(super) fn check(source: &Source) -> Vec<Problem> {
    if !ROOMS.iter().any(|room| source.path.starts_with(room)) {
        return Vec::new();
    }
    let (imported, imports) = imports(source);
    let mut problems = Vec::new();
    for (at, token) in source.tokens.iter().enumerate() {
        let text = token.text.as_str();
        let qualified = at >= 3 && source.reads(at - 3, &["Ordering", ":", ":"]);
        if !ORDERINGS.contains(&text)
            || !(qualified || imported.contains(text))
            || imports.contains(&at)
            || source.is_test(token.line)
        {
            continue;
        }
        if !source.explains(token.line, "ORDERING:") && !source.function_explains(at, "ORDERING:") {
            let message = format!("{text} says why it is enough, in an `ORDERING:` comment");
            problems.push(source.problem(token.line, message));
        }
    }
    problems
}

/// The orderings that the file imports by name, and the places of all tokens that are part of a `use`.
fn imports(source: &Source) -> (BTreeSet<&str>, BTreeSet<usize>) {
    let (mut names, mut places) = (BTreeSet::new(), BTreeSet::new());
    let (mut in_use, mut in_ordering) = (false, false);
    for (at, token) in source.tokens.iter().enumerate() {
        match token.text.as_str() {
            "use" => (in_use, in_ordering) = (true, false),
            ";" => in_use = false,
            "Ordering" => in_ordering = true,
            "*" if in_use && in_ordering => names.extend(ORDERINGS),
            text if in_use && in_ordering && ORDERINGS.contains(&text) => {
                names.insert(text);
            }
            _ => {}
        }
        if in_use {
            places.insert(at);
        }
    }
    (names, places)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> usize {
        let source = Source::new("crates/memscope-capture/src/a.rs", text);
        check(&source.expect("the sample is Rust")).len()
    }

    #[test]
    fn an_ordering_says_why() {
        assert_eq!(problems("fn f() { a.load(Ordering::Relaxed) }"), 1);
        assert_eq!(
            problems("fn f() {\n // ORDERING: one writer.\n a.load(Ordering::Relaxed) }"),
            0
        );
        assert_eq!(
            problems(
                "/// Loads.\n/// ORDERING: one writer.\nfn f() {\n\n\n\n\n\n\n\n\n\n a.load(Ordering::Relaxed) }"
            ),
            0
        );
    }

    #[test]
    fn an_imported_ordering_is_one_too() {
        assert_eq!(
            problems(
                "use core::sync::atomic::Ordering::{self, Acquire};\nfn f() { a.load(Acquire); Kind::Release }"
            ),
            1
        );
        assert_eq!(problems("use core::sync::atomic::Ordering::*;\nfn f() { a.load(Relaxed) }"), 1);
    }

    #[test]
    fn comparisons_and_tests_need_no_reason() {
        assert_eq!(problems("fn f() { Ordering::Less }"), 0);
        assert_eq!(problems("#[cfg(test)]\nmod tests { fn f() { a.load(Ordering::SeqCst) } }"), 0);
    }
}
