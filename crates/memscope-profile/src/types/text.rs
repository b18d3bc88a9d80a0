//! The text of a type: its parts, and how a person would write it.
//!
//! Texts come from debug information (`alloc::vec::Vec<shop::Order, alloc::alloc::Global>`) or from a mangled name. A
//! person leaves out the paths, the global allocator and the standard hasher: `Vec<Order>`.
//!
//! Invariants: any text is taken, and gives a text that is not much longer; nesting deeper than [`MAX_DEPTH`] stays as it
//! is. Deliberately absent: what a type means (see [`super::rules`]).

/// Deeper generics than this are written as they stand.
const MAX_DEPTH: usize = 48;

/// The last part of the paths of what a person leaves out at the end of a list of arguments.
const LEFT_OUT: [&str; 4] = ["Global", "RandomState", "DefaultHashBuilder", "MutSlice"];

/// The arguments in `a, b<c, d>`: split at the commas outside of brackets.
pub(super) fn arguments(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut start, mut before) = (0_i32, 0, b' ');
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'<' | b'(' | b'[' | b'{' => depth += 1,
            // The arrow of a function type is no bracket.
            b'>' if before == b'-' => {}
            b'>' | b')' | b']' | b'}' => depth -= 1,
            b',' if depth == 0 => {
                parts.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
        before = byte;
    }
    let last = text[start..].trim();
    if !last.is_empty() {
        parts.push(last);
    }
    parts
}

/// What stands before the generic arguments at the end of a name, and these; `None` if it does not end in any.
pub(super) fn split_arguments(name: &str) -> Option<(&str, &str)> {
    let inner = name.strip_suffix('>')?;
    let mut depth = 1_i32;
    let bytes = name.as_bytes();
    for at in (0..inner.len()).rev() {
        match bytes[at] {
            b'>' if at > 0 && bytes[at - 1] == b'-' => {}
            b'>' => depth += 1,
            b'<' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some((&name[..at], &inner[at + 1..]));
        }
    }
    None
}

/// A type without its generic arguments, and these: `a::B<c, d>` is `a::B` and `c, d`. A tuple's are its fields.
pub(super) fn parts(text: &str) -> (&str, Vec<&str>) {
    if let Some(fields) = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        return ("()", arguments(fields));
    }
    match split_arguments(text) {
        Some((base, list)) => (base.strip_suffix("::").unwrap_or(base), arguments(list)),
        None => (text, Vec::new()),
    }
}

/// The element of a slice, `[T]`.
pub(super) fn slice_element(text: &str) -> Option<&str> {
    let (element, length) = element(text)?;
    length.is_none().then_some(element)
}

/// The element of an array, `[T; n]`.
pub(crate) fn array_element(text: &str) -> Option<&str> {
    let (element, length) = element(text)?;
    length.map(|_| element)
}

/// The element of a slice or an array, and the array's length as it is written.
fn element(text: &str) -> Option<(&str, Option<&str>)> {
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    let mut depth = 0_i32;
    for (at, byte) in inner.bytes().enumerate() {
        match byte {
            b'<' | b'(' | b'[' => depth += 1,
            b'>' if at > 0 && inner.as_bytes()[at - 1] == b'-' => {}
            b'>' | b')' | b']' => depth -= 1,
            b';' if depth == 0 => return Some((inner[..at].trim(), Some(inner[at + 1..].trim()))),
            _ => {}
        }
    }
    Some((inner, None))
}

/// Bytes of the types whose size the language itself says, wherever the program runs.
pub(super) fn known_bytes(text: &str) -> Option<u64> {
    Some(match text {
        "u8" | "i8" | "bool" => 1,
        "u16" | "i16" => 2,
        "u32" | "i32" | "f32" | "char" => 4,
        "u64" | "i64" | "f64" | "usize" | "isize" => 8,
        "u128" | "i128" => 16,
        _ => {
            let (element, length) = element(text)?;
            known_bytes(element)?.checked_mul(length?.parse().ok()?)?
        }
    })
}

/// The text as a person would write it.
pub(super) fn short(text: &str) -> String {
    let mut reader = Reader { text, at: 0 };
    let mut out = String::new();
    while reader.at < text.len() {
        reader.list(&mut out, 0);
        // A bracket that nothing opened.
        out.push_str(reader.take_char());
    }
    out
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn take_char(&mut self) -> &'t str {
        let char_bytes = self.rest().chars().next().map_or(0, char::len_utf8);
        let taken = &self.rest()[..char_bytes];
        self.at += char_bytes;
        taken
    }

    fn take_if(&mut self, start: &str) -> bool {
        let found = self.rest().starts_with(start);
        self.at += if found { start.len() } else { 0 };
        found
    }

    /// Reads up to a closing bracket.
    fn list(&mut self, out: &mut String, depth: usize) {
        while let Some(next) = self.rest().chars().next() {
            match next {
                '>' | ')' | ']' | '}' => return,
                '(' | '[' if depth < MAX_DEPTH => {
                    out.push_str(self.take_char());
                    self.list(out, depth + 1);
                    if self.rest().starts_with([')', ']']) {
                        out.push_str(self.take_char());
                    }
                }
                '-' if self.take_if("->") => out.push_str("->"),
                '{' | '<' => self.path(out, depth),
                next if is_word(next) => self.path(out, depth),
                _ => out.push_str(self.take_char()),
            }
        }
    }

    /// Reads `a::b::C<d, e>` or `a::f::{closure_env#0}<g>` and writes what a person calls it.
    fn path(&mut self, out: &mut String, depth: usize) {
        let mut outer = "";
        loop {
            let start = out.len();
            let name = self.segment();
            let made = made_by_the_compiler(name, outer);
            out.push_str(made.as_deref().unwrap_or(name));
            let has_arguments =
                self.rest().starts_with('<') || self.rest().starts_with("::<") && !name.is_empty();
            if has_arguments {
                self.take_if("::");
                self.at += 1;
                let arguments_start = self.at;
                let mut inner = String::new();
                if depth < MAX_DEPTH {
                    self.list(&mut inner, depth + 1);
                } else {
                    self.skip_list();
                    inner.push_str(&self.text[arguments_start..self.at]);
                }
                self.take_if(">");
                if made.is_none() {
                    write_arguments(&inner, out);
                }
            }
            if !self.rest().starts_with("::") || self.rest().starts_with("::<") && has_arguments {
                return;
            }
            self.at += 2;
            // It was the way to what follows. The function that a closure stands in is kept in mind.
            out.truncate(start);
            if !name.starts_with('{') {
                outer = name;
            }
        }
    }

    fn segment(&mut self) -> &'t str {
        let rest = self.rest();
        let length = if rest.starts_with('{') {
            rest.find('}').map_or(rest.len(), |at| at + 1)
        } else {
            rest.find(|next| !is_word(next)).unwrap_or(rest.len())
        };
        self.at += length;
        &rest[..length]
    }

    fn skip_list(&mut self) {
        let (mut depth, mut before) = (0_usize, b' ');
        for byte in self.rest().bytes() {
            match byte {
                b'<' => depth += 1,
                b'>' if before == b'-' => {}
                b'>' if depth == 0 => return,
                b'>' => depth -= 1,
                _ => {}
            }
            self.at += 1;
            before = byte;
        }
    }
}

/// Writes shortened arguments without those at the end that go without saying.
fn write_arguments(list: &str, out: &mut String) {
    let mut kept = arguments(list);
    while let Some(last) = kept.last()
        && LEFT_OUT.contains(&last.trim_start_matches('&'))
    {
        kept.pop();
    }
    if kept.is_empty() && !list.is_empty() {
        return;
    }
    out.push('<');
    out.push_str(&kept.join(", "));
    out.push('>');
}

/// What a person calls a type that the compiler made: a closure, a future.
fn made_by_the_compiler(name: &str, function: &str) -> Option<String> {
    let kind = name.strip_prefix('{')?.split(['#', '}']).next()?;
    let function = if function.is_empty() { "?" } else { function };
    Some(match kind {
        "async_fn_env" | "async_fn" => format!("async fn {function}"),
        "async_block_env" | "async_block" => format!("async block in {function}"),
        "async_closure_env" | "async_closure" => format!("async closure in {function}"),
        "gen_fn_env" | "gen_block_env" => format!("generator in {function}"),
        "closure_env" | "closure" => format!("closure in {function}"),
        _ => return None,
    })
}

fn is_word(next: char) -> bool {
    next.is_alphanumeric() || matches!(next, '_' | '$' | '#')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_a_person_would_write_it() {
        let table = [
            ("u8", "u8"),
            ("shop::Order", "Order"),
            ("alloc::vec::Vec<shop::Order, alloc::alloc::Global>", "Vec<Order>"),
            ("alloc::boxed::Box<dyn shop::Handler, alloc::alloc::Global>", "Box<dyn Handler>"),
            (
                "std::collections::hash::map::HashMap<u64, &str, std::hash::random::RandomState, alloc::alloc::Global>",
                "HashMap<u64, &str>",
            ),
            ("(u32, alloc::string::String)", "(u32, String)"),
            ("[alloc::string::String; 4]", "[String; 4]"),
            ("&mut [shop::Order]", "&mut [Order]"),
            ("fn(u64) -> shop::Order", "fn(u64) -> Order"),
            ("core::option::Option<fn(&str) -> a::B>", "Option<fn(&str) -> B>"),
            ("shop::main::worker::{async_fn_env#0}", "async fn worker"),
            ("shop::main::{async_block_env#1}", "async block in main"),
            ("shop::main::{async_block_env#0}::{closure_env#3}<u8>", "closure in main"),
            ("shop::Store<u8>::fill::{closure_env#0}<u8>", "closure in fill"),
            ("dashmap::{impl#4}::_entry::{closure_env#1}<u64, u8>", "closure in _entry"),
            ("<shop::Store<u8> as shop::Keep>::fill::{closure#0}", "closure in fill"),
            (
                "dyn core::ops::function::FnMut<(u8,), Output=()> + core::marker::Send",
                "dyn FnMut<(u8,), Output=()> + Send",
            ),
            ("a::B<alloc::alloc::Global>", "B"),
            ("größe::Maß<ünï>", "Maß<ünï>"),
            ("<", "<>"),
            ("a::>b", ">b"),
            ("", ""),
        ];
        for (text, expected) in table {
            assert_eq!(short(text), expected, "{text}");
        }
    }

    #[test]
    fn parts_of_types() {
        assert_eq!(
            arguments("a, b<c, d>, fn(e, f) -> g, [h; 2]"),
            ["a", "b<c, d>", "fn(e, f) -> g", "[h; 2]"]
        );
        assert_eq!(parts("a::B<c, fn(d) -> e>"), ("a::B", vec!["c", "fn(d) -> e"]));
        assert_eq!(parts("(u64, shop::Order)"), ("()", vec!["u64", "shop::Order"]));
        assert_eq!(parts("shop::Order"), ("shop::Order", vec![]));
        assert_eq!(array_element("[[u8; 4]; 3]"), Some("[u8; 4]"));
        assert_eq!(slice_element("[[u8; 4]]"), Some("[u8; 4]"));
        assert_eq!(slice_element("[u8; 4]"), None);
        assert_eq!(array_element("shop::Order"), None);
    }

    #[test]
    fn sizes_that_the_language_says() {
        assert_eq!(known_bytes("char"), Some(4));
        assert_eq!(known_bytes("[[u16; 4]; 3]"), Some(24));
        assert_eq!(known_bytes("shop::Order"), None);
        assert_eq!(known_bytes("[u8]"), None);
    }

    #[test]
    fn hostile_texts_stay_within_bounds() {
        let texts = [
            "a<".repeat(10_000),
            "<".repeat(10_000),
            "(".repeat(10_000),
            "::{".repeat(9_999),
            ">".repeat(9_999),
        ];
        for text in &texts {
            assert!(short(text).len() <= 2 * text.len() + 100);
            arguments(text);
            parts(text);
        }
    }
}
