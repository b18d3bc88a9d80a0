//! One noun, one type: a public type's name is defined once in the whole project, and says something.
//!
//! `Result` may repeat: each public crate has its own.

use super::{Problem, Source};
use std::collections::BTreeMap;

const REPEATABLE: &[&str] = &["Result"];
const KINDS: &[&str] = &["struct", "enum", "union", "trait", "type"];

/// Words that promise much and say nothing.
const EMPTY_WORDS: &[&str] = &["Manager", "Engine", "Unified", "Enhanced", "Smart"];

pub(super) fn check(sources: &[Source]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut first: BTreeMap<&str, (&Source, usize)> = BTreeMap::new();
    let in_crates =
        |source: &&Source| source.path.starts_with("crates/") && source.path.contains("/src/");
    for source in sources.iter().filter(in_crates) {
        for (name, line) in public_types(source) {
            if EMPTY_WORDS.iter().any(|word| name.contains(word)) {
                problems.push(source.problem(line, format!("`{name}` is no noun of the design")));
            }
            if REPEATABLE.contains(&name) {
                continue;
            }
            if let Some((other, other_line)) = first.insert(name, (source, line)) {
                let message = format!("`{name}` is also defined at {}:{other_line}", other.path);
                problems.push(source.problem(line, message));
            }
        }
    }
    problems
}

/// The names and lines of the types that a file makes public. `pub(crate)` is not public.
fn public_types(source: &Source) -> impl Iterator<Item = (&str, usize)> {
    (0..source.tokens.len()).filter_map(|at| {
        let token = &source.tokens[at];
        let mut at = at + 1;
        if token.text != "pub" || source.is_test(token.line) {
            return None;
        }
        at += usize::from(source.reads(at, &["unsafe"]));
        let kind = source.tokens.get(at)?;
        let name = source.tokens.get(at + 1)?;
        // In a macro the name may be a variable: `pub struct $name`.
        (KINDS.contains(&kind.text.as_str()) && name.text != "$")
            .then_some((name.text.as_str(), name.line))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(files: &[(&str, &str)]) -> Vec<String> {
        let sources: Vec<_> = files
            .iter()
            .map(|(path, text)| Source::new(path, text).expect("the sample is Rust"))
            .collect();
        check(&sources).iter().map(Problem::to_string).collect()
    }

    #[test]
    fn a_public_name_is_defined_once() {
        let files = [
            ("crates/a/src/lib.rs", "pub struct Site;"),
            ("crates/b/src/lib.rs", "pub struct Frame;\npub enum Site {}"),
        ];
        let found = problems(&files);
        assert_eq!(
            found,
            ["crates/b/src/lib.rs:2: `Site` is also defined at crates/a/src/lib.rs:1"]
        );
    }

    #[test]
    fn results_private_types_macros_and_tests_may_repeat() {
        let text = "pub type Result = A; struct A; pub(crate) struct B;\nmacro_rules! m { ($n:ident) => { pub struct $n; } }\n#[cfg(test)]\nmod tests { pub struct C; }";
        assert!(problems(&[("crates/a/src/x.rs", text), ("crates/b/src/x.rs", text)]).is_empty());
    }

    #[test]
    fn a_name_says_something() {
        assert_eq!(problems(&[("crates/a/src/lib.rs", "pub trait SiteManager {}")]).len(), 1);
    }
}
