//! `unsafe` stands only where the design allows it, and always with its reason.
//!
//! Allowed: the rooms that write shared memory or hook functions, the one file that implements `GlobalAlloc`, and
//! the programs to be profiled, which call the C library. Whether the reason is right is for the reader to judge.

use super::{Problem, Source};

/// Where unsafe code may stand: beginnings of paths.
const ALLOWED: &[&str] = &[
    "crates/memscope-region/",
    "crates/memscope-capture/",
    "crates/memscope-preload/",
    "crates/memscope-rs/src/allocator.rs",
    // Allocators that stand behind ours and see what it asks for.
    "crates/memscope-rs/tests/",
    "testprograms/",
    // An allocator that counts what an input costs.
    "fuzz/src/counted.rs",
];

pub(super) fn check(source: &Source) -> Vec<Problem> {
    let allowed = ALLOWED.iter().any(|path| source.path.starts_with(path));
    let uses = source.tokens.iter().enumerate().filter(|(_, token)| token.text == "unsafe");
    let problem = |(at, token): (usize, &super::source::Token)| {
        if !allowed {
            return Some(source.problem(
                token.line,
                "unsafe code stands only in region, capture, preload and the GlobalAlloc impl",
            ));
        }
        let asserts = source.reads(at + 1, &["{"]) || source.reads(at + 1, &["impl"]);
        (asserts && !source.explains(token.line, "SAFETY:")).then(|| {
            source.problem(
                token.line,
                "an unsafe block or impl says why it is sound, in a `SAFETY:` comment",
            )
        })
    };
    uses.filter_map(problem).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(path: &str, text: &str) -> usize {
        check(&Source::new(path, text).expect("the sample is Rust")).len()
    }

    #[test]
    fn unsafe_code_stands_in_its_rooms_only() {
        let text = "// SAFETY: it is.\nunsafe impl Send for A {}";
        assert_eq!(problems("crates/memscope-capture/src/a.rs", text), 0);
        assert_eq!(problems("crates/memscope-rs/src/allocator.rs", text), 0);
        assert_eq!(problems("crates/memscope-rs/src/tasks.rs", text), 1);
        assert_eq!(problems("crates/memscope-profile/src/a.rs", "unsafe fn f() {}"), 1);
    }

    #[test]
    fn a_block_says_why_it_is_sound() {
        let path = "crates/memscope-region/src/a.rs";
        assert_eq!(problems(path, "fn f() { unsafe { g() } }"), 1);
        assert_eq!(problems(path, "fn f() {\n // SAFETY: g is there.\n unsafe { g() } }"), 0);
        assert_eq!(problems(path, "unsafe impl Send for A {}"), 1);
        assert_eq!(problems(path, "unsafe fn f() {}\n#[unsafe(no_mangle)]\nfn g() {}"), 0);
    }
}
