//! Nothing is left for later: no test or doc example that does not run, no mark of unfinished work.

use super::{Problem, Source};

/// Macros that stand for missing work.
const MACROS: &[&str] = &["todo", "unimplemented", "dbg"];

/// The mark of unfinished work, in two parts so that this file does not carry it.
const MARK: &str = concat!("FIX", "ME");

pub(super) fn check(source: &Source) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (at, token) in source.tokens.iter().enumerate() {
        if source.reads(at, &["#", "[", "ignore"]) {
            problems.push(source.problem(token.line, "a test that never runs proves nothing"));
        }
        let name = token.text.as_str();
        if MACROS.contains(&name) && source.reads(at + 1, &["!"]) && !source.reads(at + 2, &["="]) {
            problems.push(source.problem(token.line, format!("`{name}!` is not finished work")));
        }
    }
    for (index, line) in source.lines.iter().enumerate() {
        if line.split_once("//").is_some_and(|(_, comment)| comment.contains(MARK)) {
            problems.push(source.problem(index + 1, format!("{MARK} is not finished work")));
        }
        let line = line.trim_start();
        let doc = line.strip_prefix("///").or_else(|| line.strip_prefix("//!"));
        if doc.is_some_and(ignored_example) {
            problems.push(source.problem(index + 1, "an example that never runs proves nothing"));
        }
    }
    problems
}

/// Whether a line of documentation begins an example that is not run.
pub(super) fn ignored_example(line: &str) -> bool {
    line.trim_start()
        .strip_prefix("```")
        .is_some_and(|flags| flags.split([',', ' ']).any(|flag| flag.starts_with("ignore")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> usize {
        check(&Source::new("crates/a/src/lib.rs", text).expect("the sample is Rust")).len()
    }

    #[test]
    fn every_test_and_example_runs() {
        // Put together, so that whoever looks for such tests does not find this one.
        let ignored = ["#[test]\n#[", "ignore", " = \"slow\"]\nfn f() {}"].concat();
        assert_eq!(problems(&ignored), 1);
        assert_eq!(problems("//! ```ignore\n//! f()\n//! ```"), 1);
        assert_eq!(problems("/// ```rust,ignore\n/// f()\n/// ```\nfn f() {}"), 1);
        assert_eq!(problems("//! ```text\n//! ignore\n//! ```\n//! ```no_run\n//! ```"), 0);
    }

    #[test]
    fn nothing_is_unfinished() {
        assert_eq!(problems("fn f() { todo!() }"), 1);
        assert_eq!(problems("fn f() { core::unimplemented!(); dbg!(1); }"), 2);
        assert_eq!(problems("fn f() { todo != 1; \"todo!()\"; }"), 0);
        assert_eq!(problems(&format!("fn f() {{}} // {MARK}: later")), 1);
    }
}
