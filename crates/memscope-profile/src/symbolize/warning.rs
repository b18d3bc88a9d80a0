//! What symbolization tells about a module: what could be had of its symbols, and the one warning it may get.
//!
//! A warning says what is missing, where, and what to do. Modules that have no file behind them by nature get none.

use super::module::Trouble;
use super::task::Found;
use crate::model::{Symbols, Warning};

/// What came of one module's addresses.
#[derive(Debug)]
pub(super) struct Outcome {
    /// The module's place in the profile.
    pub(super) module: usize,
    /// The separate debug file that was used, if any.
    pub(super) debug_path: String,
    trouble: Option<Trouble>,
    /// Whether there is debug information, even if it covers none of the addresses.
    has_debug_info: bool,
    damage: Option<(String, usize)>,
    asked: usize,
    by_debug_info: usize,
    named: usize,
}

impl Outcome {
    pub(super) fn new(found: &Found) -> Self {
        Self {
            module: found.module,
            debug_path: found.debug_path.clone(),
            trouble: found.trouble.clone(),
            has_debug_info: found.has_debug_info,
            damage: found.damage.clone(),
            asked: found.asked,
            by_debug_info: found.by_debug_info,
            named: named(found),
        }
    }

    /// Adds what another task found for the same module.
    pub(super) fn add(&mut self, found: &Found) {
        self.asked += found.asked;
        self.by_debug_info += found.by_debug_info;
        self.named += named(found);
        self.damage = match (self.damage.take(), found.damage.clone()) {
            (Some((reason, mine)), Some((_, theirs))) => Some((reason, mine + theirs)),
            (mine, theirs) => mine.or(theirs),
        };
    }

    /// What could be had of the module's symbols.
    pub(super) fn symbols(&self) -> Symbols {
        match &self.trouble {
            Some(Trouble::NoFile) => Symbols::Missing,
            Some(Trouble::NotFound | Trouble::Unreadable(_)) => Symbols::Unreadable,
            Some(Trouble::Replaced(_)) => Symbols::Replaced,
            None if self.by_debug_info > 0 => Symbols::DebugInfo,
            None if self.named > 0 => Symbols::SymbolTable,
            None => Symbols::Missing,
        }
    }

    /// What a reader ought to know, if there is anything.
    pub(super) fn warning(&self, path: &str) -> Option<Warning> {
        let addresses = count(self.asked, "address", "addresses");
        let (message, hint) = match (&self.trouble, &self.damage) {
            (Some(Trouble::NoFile), _) => return None,
            (Some(Trouble::NotFound), _) => (
                format!(
                    "{path} was not found, because the program loaded it by a relative path, so {addresses} in it \
                     have no names."
                ),
                "Load it by an absolute path, or run memscope in the folder that the path starts from.".to_owned(),
            ),
            (Some(Trouble::Unreadable(reason)), _) => (
                format!("{path} cannot be read, so {addresses} in it have no names: {reason}."),
                "Run memscope where the file is, with the right to read it.".to_owned(),
            ),
            (Some(Trouble::Replaced(how)), _) => (
                format!(
                    "{path} is not the file that ran ({how}), so its symbols are not used \
                     and {addresses} in it have no names."
                ),
                "Put the file that ran back in its place, or profile the new one.".to_owned(),
            ),
            (None, Some((reason, damaged))) => (
                format!(
                    "The debug information of {} is damaged, so {} without file and line: {reason}.",
                    if self.debug_path.is_empty() { path } else { &self.debug_path },
                    count(*damaged, "address is", "addresses are"),
                ),
                "Build or install the file again.".to_owned(),
            ),
            (None, None) if !self.has_debug_info && self.named == 0 => (
                format!("{path} has no symbols, so {addresses} in it have no names."),
                get_debug_info(path),
            ),
            (None, None) if !self.has_debug_info => (
                format!(
                    "{path} has no debug information, so its functions have no files, lines or inlined calls."
                ),
                get_debug_info(path),
            ),
            // A few functions always lack it: those that the compiler brings to start a program.
            (None, None)
                if (self.asked - self.by_debug_info) * 4 > self.asked && self.asked >= 8 =>
            {
                (
                    format!(
                        "A part of {path} has no debug information: {} of {addresses} in it have no file and line.",
                        self.asked - self.by_debug_info
                    ),
                    get_debug_info(path),
                )
            }
            (None, None) => return None,
        };
        Some(Warning { message, hint })
    }
}

fn named(found: &Found) -> usize {
    found.runs.iter().filter(|(_, _, len)| *len > 0).count()
}

fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// What to do about missing debug information: install that of the system's own files, build that of the user's.
///
/// Cargo's "line-tables-only" is smaller, but keeps no paths of inlined functions (`new` instead of `Vec<T>::new`).
fn get_debug_info(path: &str) -> String {
    let is_system = ["/usr/", "/lib/", "/lib64/", "/bin/", "/sbin/"]
        .iter()
        .any(|folder| path.starts_with(folder));
    if is_system && !path.starts_with("/usr/local/") {
        "Install the package with its debug symbols (Debian and Ubuntu: the name ends in -dbg or -dbgsym; Fedora: dnf \
         debuginfo-install)."
            .to_owned()
    } else {
        "Build it with debug information: debug = \"limited\" under [profile.release] in Cargo.toml, or -g for C and C++; \
         and do not strip it."
            .to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(asked: usize, by_debug_info: usize, named: usize) -> Outcome {
        Outcome {
            module: 0,
            debug_path: String::new(),
            trouble: None,
            has_debug_info: by_debug_info > 0,
            damage: None,
            asked,
            by_debug_info,
            named,
        }
    }

    #[test]
    fn a_module_without_debug_information_is_told_once_with_what_to_do() {
        let own = outcome(20, 0, 20).warning("/home/me/demo").unwrap();
        assert!(own.message.contains("/home/me/demo has no debug information"), "{}", own.message);
        assert!(own.hint.contains("debug = \"limited\""));
        let system = outcome(20, 0, 20).warning("/usr/lib/x86_64-linux-gnu/libc.so.6").unwrap();
        assert!(system.hint.contains("Install"));
        assert_eq!(outcome(20, 0, 20).symbols(), Symbols::SymbolTable);
    }

    #[test]
    fn a_few_functions_without_debug_information_are_no_news() {
        assert_eq!(outcome(20, 18, 20).warning("/home/me/demo"), None);
        let half = outcome(20, 10, 20).warning("/home/me/demo").unwrap();
        assert!(half.message.contains("10 of 20 addresses"), "{}", half.message);
        assert_eq!(outcome(20, 10, 20).symbols(), Symbols::DebugInfo);
    }

    #[test]
    fn debug_information_that_covers_none_of_a_few_addresses_is_not_called_missing() {
        let few = Outcome { has_debug_info: true, ..outcome(2, 0, 2) };
        assert_eq!(few.warning("/home/me/demo"), None);
        let many = Outcome { has_debug_info: true, ..outcome(20, 0, 20) };
        let many = many.warning("/home/me/demo").unwrap();
        assert!(many.message.starts_with("A part of /home/me/demo"), "{}", many.message);
    }

    #[test]
    fn trouble_comes_before_all_else() {
        let replaced = Outcome {
            trouble: Some(Trouble::Replaced("its build id is another one".into())),
            ..outcome(1, 0, 0)
        };
        assert_eq!(replaced.symbols(), Symbols::Replaced);
        assert!(replaced.warning("/x").unwrap().message.contains("1 address in it"));
        let nothing = Outcome { trouble: Some(Trouble::NoFile), ..outcome(1, 0, 0) };
        assert_eq!((nothing.symbols(), nothing.warning("[vdso]")), (Symbols::Missing, None));
    }
}
