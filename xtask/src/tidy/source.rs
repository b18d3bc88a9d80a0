//! A source file as the checks see it: its lines, its tokens, its functions, and where its tests begin.
//!
//! Comments are no tokens (doc comments are, as attributes); literals are, but without their contents.

use super::Problem;
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The folders that hold sources.
const FOLDERS: &[&str] = &["crates", "testprograms", "xtask", "bench", "fuzz"];

/// How far above what it explains a comment may stand, in lines.
const REACH_LINES: usize = 8;

/// A word, a punctuation mark, a bracket, or a literal (as `""`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) text: String,
    /// From 1 on.
    pub(crate) line: usize,
}

/// A Rust file.
pub(crate) struct Source {
    /// From the repository's root on, with slashes.
    pub(crate) path: String,
    pub(crate) lines: Vec<String>,
    pub(crate) tokens: Vec<Token>,
    /// The line of the first `#[cfg(test)]`, or one past the end. By convention tests stand last.
    pub(crate) tests_line: usize,
    /// Each function's tokens, from `fn` to the end of its body.
    functions: Vec<Range<usize>>,
}

impl Source {
    /// Reads a file's text. Fails, in words, if it is not made of Rust's tokens.
    pub(crate) fn new(path: &str, text: &str) -> Result<Self, String> {
        let stream: TokenStream =
            text.parse().map_err(|error| format!("cannot be read as Rust: {error}"))?;
        let mut tokens = Vec::new();
        flatten(stream, &mut tokens);
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let tests_line = find(&tokens, &["#", "[", "cfg", "(", "test", ")", "]"])
            .map_or(lines.len() + 1, |at| tokens[at].line);
        let functions = functions(&tokens);
        Ok(Self { path: path.to_owned(), lines, tokens, tests_line, functions })
    }

    /// Whether the token that begins at `at` and those behind it have these texts.
    pub(crate) fn reads(&self, at: usize, texts: &[&str]) -> bool {
        reads(&self.tokens, at, texts)
    }

    /// Whether a line is part of tests.
    pub(crate) fn is_test(&self, line: usize) -> bool {
        line >= self.tests_line
            || self.path.ends_with("/tests.rs")
            || ["/tests/", "/benches/"].iter().any(|folder| self.path.contains(folder))
    }

    /// Whether `mark` stands on a line or at most [`REACH_LINES`] above it.
    pub(crate) fn explains(&self, line: usize, mark: &str) -> bool {
        let above = line.saturating_sub(1 + REACH_LINES)..line.min(self.lines.len());
        self.lines[above].iter().any(|text| text.contains(mark))
    }

    /// Whether `mark` stands in the comment above a function that the token is in.
    pub(crate) fn function_explains(&self, token: usize, mark: &str) -> bool {
        self.functions.iter().filter(|function| function.contains(&token)).any(|function| {
            let line = self.tokens[function.start].line;
            let above = self.lines[..line - 1].iter().rev();
            above
                .take_while(|text| text.trim().starts_with("//") || text.trim().starts_with("#["))
                .any(|text| text.contains(mark))
        })
    }

    /// A problem of this file.
    pub(crate) fn problem(&self, line: usize, message: impl Into<String>) -> Problem {
        Problem { path: self.path.clone(), line, message: message.into() }
    }
}

/// Reads every Rust file of the repository, in the order of their paths. Files that cannot be tokenized are problems.
pub(crate) fn load(root: &Path) -> Result<(Vec<Source>, Vec<Problem>), String> {
    let mut paths = Vec::new();
    for folder in FOLDERS.iter().map(|folder| root.join(folder)).filter(|folder| folder.is_dir()) {
        walk(&folder, &mut paths)?;
    }
    paths.sort();
    let (mut sources, mut problems) = (Vec::new(), Vec::new());
    for path in paths {
        let text = std::fs::read_to_string(&path)
            .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
        match Source::new(&name, &text) {
            Ok(source) => sources.push(source),
            Err(message) => problems.push(Problem { path: name, line: 0, message }),
        }
    }
    Ok((sources, problems))
}

/// Collects the Rust files below a folder, but for build output and hidden folders.
fn walk(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<(), String> {
    let failed = |error| format!("cannot list {}: {error}", folder.display());
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                walk(&path, paths)?;
            }
        } else if name.ends_with(".rs") {
            paths.push(path);
        }
    }
    Ok(())
}

fn flatten(stream: TokenStream, tokens: &mut Vec<Token>) {
    for tree in stream {
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                let line = group.span_open().start().line;
                tokens.push(Token { text: open.to_owned(), line });
                flatten(group.stream(), tokens);
                let line = group.span_close().start().line;
                tokens.push(Token { text: close.to_owned(), line });
            }
            TokenTree::Literal(literal) => {
                tokens.push(Token { text: "\"\"".to_owned(), line: literal.span().start().line });
            }
            tree => {
                tokens.push(Token { text: tree.to_string(), line: tree.span().start().line });
            }
        }
    }
}

fn reads(tokens: &[Token], at: usize, texts: &[&str]) -> bool {
    tokens
        .get(at..at + texts.len())
        .is_some_and(|tokens| tokens.iter().zip(texts).all(|(token, text)| token.text == *text))
}

fn find(tokens: &[Token], texts: &[&str]) -> Option<usize> {
    (0..tokens.len()).find(|&at| reads(tokens, at, texts))
}

/// Finds the functions that have a body: from `fn` to the bracket that ends the body.
fn functions(tokens: &[Token]) -> Vec<Range<usize>> {
    let starts = tokens.iter().enumerate().filter(|(_, token)| token.text == "fn");
    starts.filter_map(|(start, _)| Some(start..function_end(tokens, start)?)).collect()
}

/// One past the body of the function at `start`; `None` if it has no body.
fn function_end(tokens: &[Token], start: usize) -> Option<usize> {
    let (mut depth, mut in_body) = (0_usize, false);
    for (at, token) in tokens.iter().enumerate().skip(start) {
        match token.text.as_str() {
            "{" | "(" | "[" => {
                in_body |= depth == 0 && token.text == "{";
                depth += 1;
            }
            "}" | ")" | "]" => {
                depth = depth.checked_sub(1)?;
                if in_body && depth == 0 {
                    return Some(at + 1);
                }
            }
            ";" if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::new("crates/a/src/lib.rs", text).expect("the sample is Rust")
    }

    #[test]
    fn strings_and_comments_are_no_tokens() {
        let source = source("//! unsafe\nfn f() { \"unsafe {\"; // unsafe {\n }");
        assert!(source.tokens.iter().all(|token| token.text != "unsafe"));
        assert!(source.reads(7, &["fn", "f", "(", ")", "{", "\"\""]));
    }

    #[test]
    fn tests_begin_where_they_are_configured() {
        assert_eq!(source("fn f() {}\n\n#[cfg(test)]\nmod tests {}").tests_line, 3);
        assert_eq!(source("fn f() {}\n").tests_line, 2);
    }

    #[test]
    fn a_function_ends_with_its_body_and_is_explained_above() {
        let text = "/// MARK: said\n#[inline]\nfn f(a: [u8; 4]) -> u8 { if a[0] > 1 { 1 } else { 2 } }\nfn g() { 3 }\ntrait T { fn h(); }";
        let source = source(text);
        let token = |text: &str| source.tokens.iter().position(|token| token.text == text);
        let inside = token("else").expect("it is there");
        assert!(source.function_explains(inside, "MARK:"));
        assert!(!source.function_explains(token("g").expect("it is there"), "MARK:"));
        assert_eq!(source.functions.len(), 2);
    }

    #[test]
    fn a_comment_explains_what_is_near_below() {
        let source = source(&format!("// MARK: said{}fn f() {{}}\n", "\n".repeat(9)));
        assert!(source.explains(1, "MARK:") && source.explains(9, "MARK:"));
        assert!(!source.explains(10, "MARK:"));
    }

    #[test]
    fn what_is_not_rust_is_refused_in_words() {
        assert!(Source::new("a.rs", "fn f( {").is_err());
    }
}
