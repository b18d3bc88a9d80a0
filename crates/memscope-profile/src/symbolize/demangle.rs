//! From the name a linker knows to the name a person reads.
//!
//! Rust names of both manglings (without the hash, generics whole), C++ names as c++filt shows them; every other
//! name is its own. Which mangling it is, the name itself says: the language that a compilation unit claims would be
//! wrong for functions that were inlined across languages.
//!
//! Invariant: work and output are bounded, whatever the name; what exceeds the bounds is left as it stands.

use std::fmt::{self, Write};

use crate::types;

/// A longer name is not demangled. (Futures of futures reach some ten thousand bytes.)
pub(super) const MAX_NAME_BYTES: usize = 1 << 17;

/// A demangled name that would get longer than this is given up.
const MAX_DEMANGLED_BYTES: usize = 1 << 18;

/// Levels of nesting allowed in C++ names; the library's own default is too low for expression templates.
const CPP_RECURSION_LIMIT: u32 = 256;

/// The readable form of a mangled name, `None` if it is not mangled in a way that is known.
pub(super) fn demangle(name: &str) -> Option<String> {
    if name.len() > MAX_NAME_BYTES {
        return None;
    }
    if is_rust_v0(name) || is_rust_legacy(name) {
        let mut text = Bounded(String::new());
        write!(text, "{:#}", rustc_demangle::try_demangle(name).ok()?).ok()?;
        return Some(text.0);
    }
    if name.starts_with("_Z") { demangle_cpp(name) } else { None }
}

/// Whether a Rust name carries no generic arguments of its own: those of the legacy mangling.
pub(super) fn is_rust_legacy(name: &str) -> bool {
    // Ends in a hash, `17h` and 16 hexadecimal digits, then `E`; thin link-time optimization may append ".llvm.123".
    let Some(rest) = name.strip_prefix("_ZN") else { return false };
    let body = rest.find(".llvm.").map_or(rest, |place| &rest[..place]);
    let Some(start) = body.rfind("17h") else { return false };
    let tail = &body.as_bytes()[start + 3..];
    tail.len() > 16
        && tail[..16].iter().all(u8::is_ascii_hexdigit)
        && tail[16] == b'E'
        && (tail.len() == 17 || tail[17] == b'.')
}

pub(super) fn is_rust_v0(name: &str) -> bool {
    name.strip_prefix("_R")
        .and_then(|rest| rest.bytes().next())
        .is_some_and(|byte| byte.is_ascii_uppercase())
}

fn demangle_cpp(name: &str) -> Option<String> {
    let parse = cpp_demangle::ParseOptions::default().recursion_limit(CPP_RECURSION_LIMIT);
    let symbol = cpp_demangle::BorrowedSymbol::new_with_options(name.as_bytes(), &parse).ok()?;
    let show = cpp_demangle::DemangleOptions::new().recursion_limit(CPP_RECURSION_LIMIT);
    let mut text = Bounded(String::new());
    symbol.structured_demangle(&mut text, &show).ok()?;
    Some(text.0)
}

/// Completes a demangled name of Rust's legacy mangling, which has lost the generic arguments, with the name that
/// the debug information has (`push<u8, alloc::alloc::Global>`, `{closure#0}`).
pub(super) fn with_generics(demangled: &str, debug_name: &str) -> Option<String> {
    let (path, last) = split_last(demangled)?;
    let (base, generics) = match debug_name.find('<') {
        Some(place) if !debug_name.starts_with('<') && debug_name.ends_with('>') => {
            debug_name.split_at(place)
        }
        _ => (debug_name, ""),
    };
    // `{{closure}}` is `{closure#0}`, `{{closure_env}}` and the like follow the same rule.
    let compiler_made = last.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
    let same = match compiler_made {
        Some(kind) => base
            .strip_prefix('{')
            .and_then(|rest| rest.strip_prefix(kind))
            .is_some_and(|rest| rest.starts_with('#')),
        None => base == last,
    };
    if !same || (generics.is_empty() && compiler_made.is_none()) {
        return None;
    }
    let separator = if generics.is_empty() { "" } else { "::" };
    Some(format!("{path}{base}{separator}{generics}"))
}

/// Says in a demangled name of Rust's v0 mangling, which calls each type that the compiler made a closure, what they are
/// by the debug information: `work::{closure#0}` is the future of an `async fn` if that has `work::{async_fn_env#0}`.
/// `None` if nothing is to be said.
pub(super) fn with_kinds(demangled: &str, debug_name: &str) -> Option<String> {
    let known: Vec<_> = made_types(debug_name, "_env#").collect();
    let mut text = String::new();
    let mut written = 0;
    for made in made_types(demangled, "#").filter(|made| made.kind == "closure") {
        let same = known.iter().find(|it| (it.outer, it.number) == (made.outer, made.number));
        let Some(same) = same.filter(|same| same.kind != made.kind) else { continue };
        text.push_str(&demangled[written..made.start]);
        text.push_str(&format!("{{{}_env#{}}}", same.kind, same.number));
        written = made.end;
    }
    text.push_str(&demangled[written..]);
    (written > 0).then_some(text)
}

/// A type that the compiler made, as it stands in a name: `outer::{kind#number}`.
struct Made<'n> {
    outer: &'n str,
    kind: &'n str,
    number: &'n str,
    start: usize,
    end: usize,
}

fn made_types<'n>(name: &'n str, mark: &'n str) -> impl Iterator<Item = Made<'n>> {
    name.match_indices('{').filter_map(move |(start, _)| {
        let length = name[start..].find('}')?;
        let (kind, number) = name[start + 1..start + length].split_once(mark)?;
        let path = name[..start].strip_suffix("::")?;
        let path = match types::without_arguments(path) {
            Some(path) => path.strip_suffix("::").unwrap_or(path),
            None => path,
        };
        // Of what lies in a future, too, only the number is the same.
        let ends = |next: char| !next.is_alphanumeric() && next != '_' && next != '}';
        let outer = path.rfind(ends).map_or(path, |at| &path[at + 1..]);
        Some(Made { outer, kind, number, start, end: start + length + 1 })
    })
}

/// A path and its last part; the path keeps its `::`. Colons within angle brackets do not count.
fn split_last(name: &str) -> Option<(&str, &str)> {
    let mut depth = 0_i32;
    let bytes = name.as_bytes();
    for place in (1..bytes.len()).rev() {
        match bytes[place] {
            // The arrow of a function type is not a bracket.
            b'>' if bytes[place - 1] != b'-' => depth += 1,
            b'<' => depth -= 1,
            b':' if depth == 0 && bytes[place - 1] == b':' => {
                return Some(name.split_at(place + 1));
            }
            _ => {}
        }
    }
    None
}

/// A text that refuses to grow too long.
struct Bounded(String);

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > MAX_DEMANGLED_BYTES {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::guard::MAX_STACK_BYTES;
    use super::*;

    #[test]
    fn names_of_every_mangling() {
        let cases = [
            ("_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE", "core::fmt::Write::write_fmt"),
            (
                "_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE.llvm.123456",
                "core::fmt::Write::write_fmt",
            ),
            (
                "_ZN55_$LT$alloc..vec..Vec$LT$T$GT$$u20$as$u20$demo..Grow$GT$4grow17h0123456789abcdefE",
                "<alloc::vec::Vec<T> as demo::Grow>::grow",
            ),
            ("_RNvCs1234_7mycrate3foo", "mycrate::foo"),
            (
                "_RINvCs2ndz2m94zur_4demo4keepNtNtCslNYArtu3iFV_5alloc6string6StringEB2_",
                "demo::keep::<alloc::string::String>",
            ),
            ("_ZN3foo3barEv", "foo::bar()"),
            (
                "_ZNSt6vectorIiSaIiEE9push_backERKi",
                "std::vector<int, std::allocator<int> >::push_back(int const&)",
            ),
        ];
        for (mangled, readable) in cases {
            assert_eq!(demangle(mangled).as_deref(), Some(readable), "{mangled}");
        }
        for plain in ["main", "_start", "_Z", "_R", "", "_ZN", "_Rust_like", "_ZN17hE"] {
            assert_eq!(demangle(plain), None, "{plain}");
        }
    }

    #[test]
    fn generics_come_from_the_debug_information() {
        let cases = [
            ("demo::keep", "keep<u32>", Some("demo::keep::<u32>")),
            (
                "alloc::vec::Vec<T,A>::push",
                "push<u8, alloc::alloc::Global>",
                Some("alloc::vec::Vec<T,A>::push::<u8, alloc::alloc::Global>"),
            ),
            ("demo::main::{{closure}}", "{closure#0}", Some("demo::main::{closure#0}")),
            ("demo::map::{{closure}}", "{closure#1}<u32>", Some("demo::map::{closure#1}::<u32>")),
            (
                "<fn() -> a::B as c::D>::call",
                "call<fn() -> a::B>",
                Some("<fn() -> a::B as c::D>::call::<fn() -> a::B>"),
            ),
            ("demo::main", "main", None),
            ("demo::main", "other<u32>", None),
            ("main", "main<u32>", None),
        ];
        for (demangled, debug_name, expected) in cases {
            assert_eq!(with_generics(demangled, debug_name).as_deref(), expected, "{demangled}");
        }
    }

    #[test]
    fn futures_are_told_from_closures_by_the_debug_information() {
        let cases = [
            (
                "<alloc::boxed::Box<demo::work::{closure#0}>>::new",
                "new<demo::work::{async_fn_env#0}>",
                Some("<alloc::boxed::Box<demo::work::{async_fn_env#0}>>::new"),
            ),
            (
                "demo::keep::<demo::work::<u8>::{closure#1}::{closure#0}, demo::main::{closure#1}>",
                "keep<demo::work::{async_block#1}::{async_block_env#0}<u8>, demo::main::{closure_env#1}>",
                Some(
                    "demo::keep::<demo::work::<u8>::{closure#1}::{async_block_env#0}, demo::main::{closure#1}>",
                ),
            ),
            // Another number, another function, no type.
            ("demo::keep::<demo::work::{closure#0}>", "keep<demo::work::{async_fn_env#1}>", None),
            ("demo::keep::<demo::work::{closure#0}>", "keep<demo::rest::{async_fn_env#0}>", None),
            ("demo::work::{closure#0}", "{async_fn#0}", None),
            ("{", "{_env#", None),
        ];
        for (demangled, debug_name, expected) in cases {
            assert_eq!(with_kinds(demangled, debug_name).as_deref(), expected, "{demangled}");
        }
    }

    #[test]
    fn hostile_names_stay_within_bounds() {
        // Each substitution doubles the text of the one before.
        let mut doubling = String::from("_Z1fSt4pairIiiE");
        for _ in 0..200 {
            doubling.push_str("S_IS_S_E");
        }
        let deep = format!("_Z1f{}i", "P".repeat(60_000));
        let nested = format!("_ZN1a{}1bEv{}", "I".repeat(5_000), "E".repeat(5_000));
        let backrefs = format!("_RINvC1a1b{}E", "TB7_B7_".repeat(400));
        let endless = format!("_ZN{}E", "9".repeat(100_000));
        let odd = format!("_Z{}", "\u{fffd}".repeat(50));
        let all = [doubling, deep, nested, backrefs, endless, odd];
        let work = move || {
            for name in all {
                assert!(demangle(&name).is_none_or(|text| text.len() <= MAX_DEMANGLED_BYTES));
            }
        };
        // Half of the stack that a thread that symbolizes has.
        let thread = std::thread::Builder::new().stack_size(MAX_STACK_BYTES);
        thread.spawn(work).unwrap().join().unwrap();
    }
}
