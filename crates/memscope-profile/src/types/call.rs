//! What a frame says about a call: in which module its function stands, what it is called, with which generic arguments.
//!
//! Names come in three forms, all of which carry the concrete arguments:
//!
//! ```text
//! <alloc::vec::Vec<u8>>::push                        v0 mangling: those of the type, then those of the function
//! alloc::vec::Vec<T,A>::push::<u8, Global>           legacy mangling, completed from the debug information
//! push<u8, Global>         in library/alloc/src/vec/mod.rs     line tables: no path, so the file says the module
//! ```
//!
//! The module is taken from the source file where there is one, because all forms have that in common.

use super::text;

/// A function of a library, as a frame has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Call<'a> {
    /// `alloc::vec`; empty if it is not known.
    pub(super) module: String,
    /// `push`; `{closure#0}` for a closure.
    pub(super) function: &'a str,
    /// Generic arguments: of the type, then of the function.
    pub(super) arguments: Vec<&'a str>,
    /// The path before the function, as it stands; empty if there is none.
    pub(super) owner: &'a str,
}

impl<'a> Call<'a> {
    /// Reads a function's name (`is_v0`: from a name of the v0 mangling) and the file that it stands in.
    pub(super) fn of(name: &'a str, is_v0: bool, file: &str) -> Self {
        let (path, own) = match text::split_arguments(name) {
            Some((path, own)) if !path.is_empty() => (path, text::arguments(own)),
            _ => (name, Vec::new()),
        };
        let path = path.strip_suffix("::").unwrap_or(path);
        let (owner, function) = split_last(path);
        let (own_type, implemented) = split_implementation(outer_implementation(owner));
        let mut arguments = if is_v0 { text::parts(own_type).1 } else { Vec::new() };
        // `<[u8]>::to_vec`
        if is_v0 && arguments.is_empty() {
            arguments.extend(text::slice_element(own_type));
        }
        arguments.extend(own);
        let module = module_of_file(file).unwrap_or_else(|| {
            // `<T as Into>::into`, `<[u8]>::to_vec`: the type is at home everywhere.
            match owner.starts_with('<') && !own_type.contains("::") {
                true => implemented.map_or("core".to_owned(), module_of_type),
                false => module_of_type(own_type),
            }
        });
        Self { module, function, arguments, owner }
    }

    /// The function with its path, without generic arguments.
    pub(super) fn plain_name(&self) -> String {
        let mut name = String::new();
        let mut depth = 0_usize;
        let mut before = ' ';
        for next in self.owner.chars() {
            match next {
                '<' => depth += 1,
                '>' if before == '-' => {}
                '>' => depth = depth.saturating_sub(1),
                _ if depth == 0 => name.push(next),
                _ => {}
            }
            before = next;
        }
        let owner = name.trim_matches(':');
        // `<Type as Trait>::method` is the type's.
        let own_type = text::short(split_implementation(self.owner).0);
        match (self.owner.starts_with('<'), owner) {
            (true, _) => format!("{own_type}::{}", self.function),
            (false, "") => self.function.to_owned(),
            (false, owner) => format!("{owner}::{}", self.function),
        }
    }

    /// The type that the function belongs to, with concrete arguments: `shop::Block<shop::Order>` of
    /// `shop::Block<T>::allocate::<shop::Order>`. None if it belongs to none, or its arguments are not known.
    pub(super) fn own_type(&self) -> Option<String> {
        let (own, _) = split_implementation(self.owner);
        let (base, parameters) = text::parts(own);
        let last = base.rsplit("::").next().unwrap_or_default();
        // Types are written large; what is not is a module, or a function around this one.
        if !last.starts_with(char::is_uppercase) {
            return None;
        }
        let is_open = |text: &&&str| !text.contains("::") && text.starts_with(char::is_uppercase);
        if parameters.iter().find(is_open).is_none() {
            return Some(own.to_owned());
        }
        // The legacy mangling has the names of the parameters; the function's own arguments begin with theirs.
        let concrete = self.arguments.get(..parameters.len())?;
        Some(format!("{base}<{}>", concrete.join(", ")))
    }

    /// The crate, empty if it is not known.
    pub(super) fn home(&self) -> &str {
        self.module.split("::").next().unwrap_or_default()
    }
}

/// A path and its last part.
fn split_last(path: &str) -> (&str, &str) {
    let bytes = path.as_bytes();
    let mut depth = 0_i32;
    for at in (1..bytes.len()).rev() {
        match bytes[at] {
            b'>' if bytes[at - 1] == b'-' => {}
            b'>' | b'}' => depth += 1,
            b'<' | b'{' => depth -= 1,
            b':' if depth == 0 && bytes[at - 1] == b':' => {
                return (&path[..at - 1], &path[at + 1..]);
            }
            _ => {}
        }
    }
    ("", path)
}

/// `<X>` or `<X as Y>` of a path that goes on from there into a method, as `<X>::reserve` does; else the path itself.
fn outer_implementation(owner: &str) -> &str {
    if !owner.starts_with('<') {
        return owner;
    }
    let bytes = owner.as_bytes();
    let mut depth = 0_i32;
    for at in 0..bytes.len() {
        match bytes[at] {
            b'<' => depth += 1,
            b'>' if at > 0 && bytes[at - 1] == b'-' => {}
            b'>' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &owner[..=at];
        }
    }
    owner
}

/// The type that a path is about, and the trait: `X` and `Y` of `<X as Y>`, `X` of `<X>`; else the path itself.
fn split_implementation(owner: &str) -> (&str, Option<&str>) {
    let Some(inner) = owner.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')) else {
        return (owner, None);
    };
    let bytes = inner.as_bytes();
    let mut depth = 0_i32;
    for at in 0..bytes.len() {
        match bytes[at] {
            b'<' | b'(' | b'[' => depth += 1,
            b'>' if at > 0 && bytes[at - 1] == b'-' => {}
            b'>' | b')' | b']' => depth -= 1,
            b' ' if depth == 0 && inner[at..].starts_with(" as ") => {
                return (&inner[..at], Some(&inner[at + 4..]));
            }
            _ => {}
        }
    }
    (inner, None)
}

/// `alloc::vec` of `alloc::vec::Vec<u8>`, `alloc::fmt` of the path of a function there.
fn module_of_type(path: &str) -> String {
    let path = path.split(['<', '{', '[', '(', '&', ' ']).next().unwrap_or_default();
    let modules = path.split("::").take_while(|part| !part.starts_with(char::is_uppercase));
    modules.filter(|part| !part.is_empty()).collect::<Vec<_>>().join("::")
}

/// `alloc::raw_vec` of `.../library/alloc/src/raw_vec/mod.rs`, `smallvec` of `.../smallvec-1.13.2/src/lib.rs`.
fn module_of_file(file: &str) -> Option<String> {
    let (folder, inside) = file.rsplit_once("/src/")?;
    let (above, folder) = folder.rsplit_once('/').unwrap_or(("", folder));
    // A program's own folder may be called so, too.
    if matches!(folder, "core" | "alloc" | "std") && !above.ends_with("library") {
        return None;
    }
    // A version begins with a digit.
    let mut versions = folder
        .match_indices('-')
        .filter(|(at, _)| folder[at + 1..].starts_with(|next: char| next.is_ascii_digit()));
    let home = versions.next().map_or(folder, |(at, _)| &folder[..at]).replace('-', "_");
    let inside = inside.strip_suffix(".rs")?;
    let inside = inside.strip_suffix("/mod").unwrap_or(inside);
    let mut module = home;
    for part in inside.split('/').filter(|part| !matches!(*part, "lib" | "main" | "mod")) {
        module.push_str("::");
        module.push_str(part);
    }
    Some(module)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_name_says_the_same() {
        let file = "/rustc/1/library/alloc/src/vec/mod.rs";
        let forms = [
            ("<alloc::vec::Vec<shop::Order>>::push", true, ""),
            ("<alloc::vec::Vec<shop::Order>>::push", true, file),
            ("alloc::vec::Vec<T,A>::push::<shop::Order, alloc::alloc::Global>", false, file),
            ("push<shop::Order, alloc::alloc::Global>", false, file),
        ];
        for (name, is_v0, file) in forms {
            let call = Call::of(name, is_v0, file);
            assert_eq!(
                (&*call.module, call.function, call.arguments[0]),
                ("alloc::vec", "push", "shop::Order")
            );
        }
    }

    #[test]
    fn implementations_functions_and_closures() {
        let table = [
            (
                "<alloc::vec::Vec<u8> as core::clone::Clone>::clone",
                true,
                ("alloc::vec", "clone", vec!["u8"]),
            ),
            (
                "alloc::fmt::format::{closure#0}",
                false,
                ("alloc::fmt::format", "{closure#0}", vec![]),
            ),
            ("alloc::vec::from_elem::<u8>", true, ("alloc::vec", "from_elem", vec!["u8"])),
            (
                "<[u8]>::to_vec_in::<alloc::alloc::Global>",
                true,
                ("core", "to_vec_in", vec!["u8", "alloc::alloc::Global"]),
            ),
            (
                "<alloc::raw_vec::RawVecInner>::finish_grow",
                true,
                ("alloc::raw_vec", "finish_grow", vec![]),
            ),
            (
                "hashbrown::map::HashMap<K,V,S,A>::insert::<u32, ()>",
                false,
                ("hashbrown::map", "insert", vec!["u32", "()"]),
            ),
            (
                "std::sys::backtrace::__rust_begin_short_backtrace::<fn(), ()>",
                true,
                ("std::sys::backtrace", "__rust_begin_short_backtrace", vec!["fn()", "()"]),
            ),
            (
                "<alloc::raw_vec::RawVecInner>::reserve::do_reserve_and_handle::<alloc::alloc::Global>",
                true,
                ("alloc::raw_vec", "do_reserve_and_handle", vec!["alloc::alloc::Global"]),
            ),
            ("malloc", false, ("", "malloc", vec![])),
            ("operator<<", false, ("", "operator<<", vec![])),
            ("", false, ("", "", vec![])),
        ];
        for (name, is_v0, (module, function, arguments)) in table {
            let call = Call::of(name, is_v0, "");
            assert_eq!(
                (&*call.module, call.function, call.arguments),
                (module, function, arguments),
                "{name}"
            );
        }
    }

    #[test]
    fn methods_have_a_type() {
        let table = [
            ("shop::Block<T>::allocate::<shop::Order>", false, Some("shop::Block<shop::Order>")),
            ("<shop::Block<T> as shop::Make>::make::<u8>", false, Some("shop::Block<u8>")),
            ("<shop::Block<shop::Order>>::allocate", true, Some("shop::Block<shop::Order>")),
            ("shop::Arena::new", false, Some("shop::Arena")),
            ("shop::Block<T>::allocate", false, None),
            ("shop::fill::<u8>", false, None),
            ("malloc", false, None),
        ];
        for (name, is_v0, expected) in table {
            assert_eq!(Call::of(name, is_v0, "").own_type().as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn files_say_modules() {
        let module = |file| module_of_file(file).unwrap_or_default();
        assert_eq!(module("/rust/deps/hashbrown-0.16.1/src/raw/mod.rs"), "hashbrown::raw");
        assert_eq!(module("/r/smallvec-1.13.2/src/lib.rs"), "smallvec");
        assert_eq!(module("/r/arc-swap-1.0.0-rc1/src/debt/list.rs"), "arc_swap::debt::list");
        assert_eq!(
            module("/rustc/2/library/alloc/src/collections/btree/node.rs"),
            "alloc::collections::btree::node"
        );
        assert_eq!(module("src/main.rs"), "");
        assert_eq!(module("./malloc/malloc.c"), "");
        assert_eq!(module("/home/user/shop/crates/core/src/list.rs"), "");
    }
}
