//! The shape of a file: it opens with what it is, and it is not long.

use super::{Problem, Source};

/// The most lines that a file may have before its tests.
const LINES_MAX: usize = 600;

/// Names of files that say nothing about what is in them.
const EMPTY_NAMES: &[&str] =
    &["utils.rs", "util.rs", "common.rs", "types.rs", "helpers.rs", "misc.rs"];

pub(super) fn check(source: &Source) -> Vec<Problem> {
    let mut problems = Vec::new();
    if !source.lines.first().is_some_and(|line| line.starts_with("//!")) {
        problems.push(source.problem(1, "a file opens with `//!`: what it is, its invariants"));
    }
    let lines = source.tests_line - 1;
    if lines > LINES_MAX {
        problems.push(source.problem(
            0,
            format!("{lines} lines before its tests, {LINES_MAX} at most: a file holds one idea"),
        ));
    }
    let name = source.path.rsplit('/').next().unwrap_or(&source.path);
    if EMPTY_NAMES.contains(&name) {
        problems.push(source.problem(0, "a file is named after the one idea that it holds"));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(path: &str, text: &str) -> usize {
        check(&Source::new(path, text).expect("the sample is Rust")).len()
    }

    #[test]
    fn a_file_opens_with_what_it_is() {
        assert_eq!(problems("a/src/walk.rs", "//! Walks.\nfn f() {}"), 0);
        assert_eq!(problems("a/src/walk.rs", "// Walks.\nfn f() {}"), 1);
        assert_eq!(problems("a/src/walk.rs", ""), 1);
    }

    #[test]
    fn only_lines_before_the_tests_count() {
        let long = "\n".repeat(LINES_MAX);
        assert_eq!(problems("a/src/walk.rs", &format!("//! Walks.{long}fn f() {{}}")), 1);
        assert_eq!(
            problems("a/src/walk.rs", &format!("//! Walks.\n#[cfg(test)]\nmod tests {{{long}}}")),
            0
        );
    }

    #[test]
    fn a_name_says_something() {
        assert_eq!(problems("a/src/utils.rs", "//! Things."), 1);
    }
}
