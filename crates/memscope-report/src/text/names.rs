//! Function names for people: standard types by their own name, everything of the user's whole.
//!
//! `<alloc::vec::Vec<shop::Order>>::push` becomes `Vec<shop::Order>::push`. No type argument is ever dropped, and a
//! name that is not understood is left as it is: names are foreign text, and any text must come out well.

use std::borrow::Cow;

/// Crates whose modules say nothing to a reader of a report.
const STANDARD: [&str; 4] = ["core", "alloc", "std", "hashbrown"];

/// The name with the modules of standard items left out.
pub(crate) fn readable(name: &str) -> String {
    shorten(unwrap_inherent(name).as_ref(), |first| STANDARD.contains(&first))
}

/// The name of a standard operation, for naming it in passing: `Vec<Order>::push`. The modules of all types are
/// left out, and so are the standard's default type arguments.
pub(crate) fn brief(name: &str) -> String {
    let name = with_arguments(&shorten(unwrap_inherent(name).as_ref(), |_| true));
    DEFAULT_ARGUMENTS.iter().fold(name, |name, default| {
        name.replace(&format!(", {default}>"), ">").replace(&format!("::<{default}>"), "")
    })
}

/// As [`brief`], without type arguments: for what is only mentioned.
pub(crate) fn bare(name: &str) -> String {
    let name = brief(name);
    let mut text = String::with_capacity(name.len());
    let mut rest = name.as_str();
    while let Some(open) = rest.find('<') {
        let (before, after) = rest.split_at(open);
        text.push_str(before);
        match closing(&after[1..]) {
            // Arguments follow a name. What follows nothing is the name itself, as in `<X as T>::f`.
            Some(close) if text.ends_with(is_ident) || text.ends_with("::") => {
                text.truncate(text.trim_end_matches("::").len());
                rest = &after[close + 2..];
            }
            _ => {
                text.push('<');
                rest = &after[1..];
            }
        }
    }
    text + rest
}

/// Type arguments of standard types that are there whether or not anyone thought of them. The allocator comes last.
const DEFAULT_ARGUMENTS: [&str; 2] = ["Global", "RandomState"];

/// `Vec<T,A>::push::<Order, Global>` is `Vec<Order, Global>::push`. The older mangling names the parameters of the
/// type, and debug info the arguments of the function: first those of the type. The standard library's types and
/// the impls of their methods have the same order of parameters, so this may be done to its names and no others.
fn with_arguments(name: &str) -> String {
    fn parts(name: &str) -> Option<String> {
        let open = name.find('<')?;
        let close = open + 1 + closing(&name[open + 1..])?;
        let parameters: Vec<&str> = name[open + 1..close].split(',').collect();
        let is_parameter = |text: &&str| {
            text.starts_with(|c: char| c.is_ascii_uppercase())
                && text[1..].chars().all(|c| c.is_ascii_digit())
        };
        let method = &name[close + 1..];
        let (path, arguments) = method.strip_suffix('>')?.split_once("::<")?;
        let arguments = top_level_list(arguments);
        if !parameters.iter().all(is_parameter) || arguments.len() < parameters.len() {
            return None;
        }
        let (own, rest) = arguments.split_at(parameters.len());
        let rest = if rest.is_empty() { String::new() } else { format!("::<{}>", rest.join(", ")) };
        Some(format!("{}<{}>{path}{rest}", &name[..open], own.join(", ")))
    }
    parts(name).unwrap_or_else(|| name.to_owned())
}

/// The parts between the commas that stand outside of all brackets.
fn top_level_list(text: &str) -> Vec<&str> {
    let mut depth = 0i32;
    let mut before = ' ';
    text.split(|c| {
        match c {
            '<' | '(' | '[' | '{' => depth += 1,
            '>' if before == '-' => {}
            '>' | ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        before = c;
        c == ',' && depth == 0
    })
    .map(str::trim)
    .collect()
}

/// `<X>::f` is `X::f`, unless X is a trait impl (`<X as T>::f`) or has no name of its own (`<[T]>::f`).
fn unwrap_inherent(name: &str) -> Cow<'_, str> {
    let Some(inner) = name.strip_prefix('<') else { return Cow::Borrowed(name) };
    let Some(close) = closing(inner) else { return Cow::Borrowed(name) };
    let (path, rest) = (&inner[..close], &inner[close + 1..]);
    let is_path = path.starts_with(is_ident) && !has_top_level_as(path);
    // A function or dyn type is not a path, though it starts like one.
    let is_word = ["dyn ", "fn(", "for<", "unsafe ", "extern ", "impl "]
        .iter()
        .any(|word| path.starts_with(word));
    if is_path && !is_word && rest.starts_with("::") {
        Cow::Owned(format!("{path}{rest}"))
    } else {
        Cow::Borrowed(name)
    }
}

/// Where the bracket closes that was open before `text`.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        match c {
            '<' => depth += 1,
            // `->` is no bracket.
            '>' if before == '-' => {}
            '>' if depth == 0 => return Some(at),
            '>' => depth -= 1,
            _ => {}
        }
        before = c;
    }
    None
}

/// Whether ` as ` stands outside of all brackets.
fn has_top_level_as(path: &str) -> bool {
    let mut depth = 0i32;
    let mut before = ' ';
    for (at, c) in path.char_indices() {
        match c {
            '<' | '(' | '[' => depth += 1,
            '>' if before == '-' => {}
            '>' | ')' | ']' => depth -= 1,
            ' ' if depth == 0 && path[at..].starts_with(" as ") => return true,
            _ => {}
        }
        before = c;
    }
    false
}

/// Leaves out the modules of every path for whose first segment `drops` holds.
fn shorten(name: &str, drops: impl Fn(&str) -> bool) -> String {
    let mut text = String::with_capacity(name.len());
    let mut rest = name;
    while !rest.is_empty() {
        let path_bytes = path_len(rest);
        if path_bytes == 0 {
            let other = rest.find(is_ident).unwrap_or(rest.len());
            // What follows `::` here continues something that is no path, as in `<X as T>::f` or `{{closure}}::f`.
            text.push_str(&rest[..other]);
            rest = &rest[other..];
            if text.ends_with("::") || text.ends_with('#') || text.ends_with('\'') {
                let word = path_len(rest);
                text.push_str(&rest[..word]);
                rest = &rest[word..];
            }
            continue;
        }
        let path = &rest[..path_bytes];
        let first = path.split("::").next().unwrap_or(path);
        text.push_str(if drops(first) { without_modules(path) } else { path });
        rest = &rest[path_bytes..];
    }
    text
}

/// The length of the `a::b::C` at the front; 0 if there is none.
fn path_len(text: &str) -> usize {
    let mut end = 0;
    loop {
        let word = text[end..].find(|c| !is_ident(c)).unwrap_or(text.len() - end);
        if word == 0 {
            // A `::` that nothing follows (`core::num::<impl usize>`) is not part of the path.
            return end.saturating_sub(if end == 0 { 0 } else { 2 });
        }
        end += word;
        if !text[end..].starts_with("::") {
            return end;
        }
        end += 2;
    }
}

/// From the first segment that looks like a type on. A function is not known without its modules.
fn without_modules(path: &str) -> &str {
    let mut start = 0;
    for segment in path.split("::") {
        if segment.starts_with(char::is_uppercase) {
            return &path[start..];
        }
        start += segment.len() + 2;
    }
    path
}

fn is_ident(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_modules_are_left_out_and_nothing_else() {
        let table = [
            ("shop::store::Store<T>::insert", "shop::store::Store<T>::insert"),
            ("<alloc::vec::Vec<shop::Order>>::push", "Vec<shop::Order>::push"),
            ("alloc::vec::Vec<T,A>::push", "Vec<T,A>::push"),
            ("<shop::Order as core::clone::Clone>::clone", "<shop::Order as Clone>::clone"),
            (
                "<shop::Store<[u8; 32], alloc::string::String>>::insert::{closure#0}",
                "shop::Store<[u8; 32], String>::insert::{closure#0}",
            ),
            ("alloc::slice::<impl [T]>::to_vec", "alloc::slice::<impl [T]>::to_vec"),
            ("<[u8]>::to_vec", "<[u8]>::to_vec"),
            ("<dyn core::any::Any>::is", "<dyn Any>::is"),
            ("alloc::fmt::format", "alloc::fmt::format"),
            ("std::thread::spawn::{{closure}}", "std::thread::spawn::{{closure}}"),
            (
                "core::iter::traits::iterator::Iterator::collect::<alloc::vec::Vec<u8>>",
                "Iterator::collect::<Vec<u8>>",
            ),
            (
                "<fn(u8) -> alloc::string::String as core::ops::Fn>::call",
                "<fn(u8) -> String as Fn>::call",
            ),
            (
                "std::vector<int, std::allocator<int> >::push_back(int&&)",
                "std::vector<int, std::allocator<int> >::push_back(int&&)",
            ),
            ("main", "main"),
            ("<", "<"),
            ("a::", "a::"),
            ("::", "::"),
            ("", ""),
            ("größe::Maß<ünï>::日本", "größe::Maß<ünï>::日本"),
        ];
        for (name, text) in table {
            assert_eq!(readable(name), text);
        }
    }

    #[test]
    fn an_operation_is_named_in_passing() {
        let table = [
            ("<alloc::vec::Vec<shop::store::Order>>::push", "Vec<Order>::push"),
            ("alloc::vec::Vec<T,A>::push::<shop::Order, alloc::alloc::Global>", "Vec<Order>::push"),
            (
                "std::collections::hash::map::HashMap<K,V,S,A>::entry::<u64, fn(u8, u8) -> (), \
                 std::hash::random::RandomState, alloc::alloc::Global>",
                "HashMap<u64, fn(u8, u8) -> ()>::entry",
            ),
            ("core::option::Option<T>::map::<u8, [u8; 3], F>", "Option<u8>::map::<[u8; 3], F>"),
            ("alloc::vec::Vec<T,A>::push::<u8>", "Vec<T,A>::push::<u8>"),
            ("a<b", "a<b"),
            ("a<T>>::<", "a<T>>::<"),
            (
                "<std::collections::hash::map::HashMap<u64, shop::Order>>::insert",
                "HashMap<u64, Order>::insert",
            ),
            ("alloc::fmt::format", "alloc::fmt::format"),
        ];
        for (name, text) in table {
            assert_eq!(brief(name), text);
        }
    }

    #[test]
    fn what_is_only_mentioned_has_no_arguments() {
        let table = [
            (
                "<core::iter::Map<Vec<u8>, fn(u8) -> u8> as core::iter::Iterator>::fold::<(), F>",
                "<Map as Iterator>::fold",
            ),
            ("core::iter::Iterator::for_each::<core::ops::Range<u64>, F>", "Iterator::for_each"),
            ("alloc::slice::<impl [T]>::to_vec", "alloc::slice::to_vec"),
            ("<[T]>::to_vec", "<[T]>::to_vec"),
            ("operator<<", "operator<<"),
            ("a<b>>", "a>"),
            ("<<<", "<<<"),
        ];
        for (name, text) in table {
            assert_eq!(bare(name), text);
        }
    }
}
