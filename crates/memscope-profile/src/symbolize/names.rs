//! The texts a task meets, each kept once: function names, symbols, files.
//!
//! Invariant: number 0 is the empty text and stands for "not known"; so does every text once the task has met more
//! of them than its debug information can account for.

use std::collections::HashMap;
use std::sync::Arc;

use super::demangle;
use crate::model::StringId;

/// Texts by number.
#[derive(Debug)]
pub(super) struct Names {
    texts: Vec<Arc<str>>,
    ids: HashMap<Arc<str>, StringId>,
    functions: HashMap<StringId, Function>,
    bytes_left: usize,
    is_full: bool,
}

/// What a function is called.
#[derive(Clone, Copy, Debug)]
pub(super) struct Function {
    /// For people.
    pub(super) name: StringId,
    /// For the linker; 0 if it is the same.
    pub(super) symbol: StringId,
}

impl Names {
    /// No text but the empty one, and room for `max_bytes` of others.
    pub(super) fn new(max_bytes: usize) -> Self {
        let empty: Arc<str> = Arc::from("");
        Self {
            texts: vec![empty.clone()],
            ids: HashMap::from([(empty, 0)]),
            functions: HashMap::new(),
            bytes_left: max_bytes,
            is_full: false,
        }
    }

    /// The number of a text.
    pub(super) fn text(&mut self, text: &str) -> StringId {
        if let Some(&id) = self.ids.get(text) {
            return id;
        }
        let (Some(left), Ok(id)) =
            (self.bytes_left.checked_sub(text.len()), StringId::try_from(self.texts.len()))
        else {
            self.is_full = true;
            return 0;
        };
        self.bytes_left = left;
        let text: Arc<str> = Arc::from(text);
        self.texts.push(text.clone());
        self.ids.insert(text, id);
        id
    }

    /// A function by the name that the linker or the debug information has for it. `debug_name` is asked only for
    /// names that have lost their generic arguments or the kinds of what the compiler made, and only once for each.
    pub(super) fn function(
        &mut self,
        raw: &str,
        debug_name: impl FnOnce() -> Option<String>,
    ) -> Function {
        let raw_id = self.text(raw);
        if raw_id == 0 {
            return Function { name: 0, symbol: 0 };
        }
        if let Some(&function) = self.functions.get(&raw_id) {
            return function;
        }
        let readable = demangle::demangle(raw).map(|readable| {
            let completed = if demangle::is_rust_legacy(raw) {
                debug_name().and_then(|name| demangle::with_generics(&readable, &name))
            } else if demangle::is_rust_v0(raw) && readable.contains("{closure#") {
                debug_name().and_then(|name| demangle::with_kinds(&readable, &name))
            } else {
                None
            };
            completed.unwrap_or(readable)
        });
        let function = match readable {
            Some(readable) if readable != raw => {
                Function { name: self.text(&readable), symbol: raw_id }
            }
            _ => Function { name: raw_id, symbol: 0 },
        };
        self.functions.insert(raw_id, function);
        function
    }

    /// The text of that number, unless it is the empty one.
    pub(super) fn get(&self, id: StringId) -> Option<&str> {
        self.texts.get(id as usize).map(|text| &**text).filter(|text| !text.is_empty())
    }

    /// Whether there was a text that had no room.
    pub(super) fn is_full(&self) -> bool {
        self.is_full
    }

    /// The texts in the order of their numbers.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(|text| &**text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_one_number() {
        let mut names = Names::new(1 << 10);
        assert_eq!(names.text(""), 0);
        let id = names.text("a");
        assert_eq!((names.text("b"), names.text("a")), (id + 1, id));
        assert_eq!(names.texts().collect::<Vec<_>>(), ["", "a", "b"]);
    }

    #[test]
    fn too_much_text_is_not_known() {
        let mut names = Names::new(4);
        assert_ne!(names.text("abc"), 0);
        assert_eq!(names.text("de"), 0);
        assert_ne!(names.text("f"), 0);
    }

    #[test]
    fn the_symbol_is_told_only_where_it_differs() {
        let mut names = Names::new(1 << 10);
        let plain = names.function("main", || panic!("a plain name has no generics"));
        assert_eq!((names.texts().nth(plain.name as usize), plain.symbol), (Some("main"), 0));
        let raw = "_ZN4demo4keep17h0123456789abcdefE";
        let whole = names.function(raw, || Some("keep<u8>".to_owned()));
        assert_eq!(names.texts().nth(whole.name as usize), Some("demo::keep::<u8>"));
        assert_eq!(names.texts().nth(whole.symbol as usize), Some(raw));
        assert_eq!(names.function(raw, || panic!("asked twice")).name, whole.name);
    }
}
