//! Functions, files and frames under the numbers by which the page's script knows them.

use crate::folded::whole_name;
use crate::text::{names, paths};
use memscope_profile::analyze::{Analysis, Class, FrameView};
use std::collections::HashMap;

/// Texts with a shorter form for narrow places.
#[derive(Debug, Default, serde::Serialize)]
pub(super) struct Names {
    name: Vec<String>,
    /// Empty if it is the same.
    short: Vec<String>,
}

#[derive(Debug, Default, serde::Serialize)]
pub(super) struct Frames {
    function: Vec<u32>,
    file: Vec<u32>,
    line: Vec<u32>,
    /// See [`class_number`].
    class: Vec<u8>,
    inlined: Vec<u8>,
}

/// Gives numbers to functions, files and frames as they are met.
pub(super) struct Interner<'a, 'p> {
    analysis: &'a Analysis<'p>,
    roots: &'a [String],
    pub(super) functions: Names,
    known_functions: HashMap<String, u32>,
    pub(super) files: Names,
    known_files: HashMap<u32, u32>,
    pub(super) frames: Frames,
    known_frames: HashMap<(u32, u32, u32, u8, bool), u32>,
}

impl<'a, 'p> Interner<'a, 'p> {
    pub(super) fn new(analysis: &'a Analysis<'p>, roots: &'a [String]) -> Self {
        let mut interner = Self {
            analysis,
            roots,
            functions: Names::default(),
            known_functions: HashMap::new(),
            files: Names::default(),
            known_files: HashMap::new(),
            frames: Frames::default(),
            known_frames: HashMap::new(),
        };
        // The file without a name is number 0.
        interner.file(0);
        interner
    }

    pub(super) fn frame(&mut self, view: &FrameView<'_>) -> u32 {
        let class = class_number(self.analysis.class(view), view, self.analysis.own_package());
        let function = self.function(view, class);
        let file = self.file(view.frame().map_or(0, |frame| frame.file));
        let key = (function, file, view.line(), class, view.is_inlined());
        let next = self.known_frames.len() as u32;
        *self.known_frames.entry(key).or_insert_with(|| {
            self.frames.function.push(function);
            self.frames.file.push(file);
            self.frames.line.push(view.line());
            self.frames.class.push(class);
            self.frames.inlined.push(view.is_inlined().into());
            next
        })
    }

    fn function(&mut self, view: &FrameView<'_>, class: u8) -> u32 {
        let name = whole_name(view);
        if let Some(&known) = self.known_functions.get(&name) {
            return known;
        }
        let is_own = class == class_number(Class::User, view, self.analysis.own_package());
        let short = if is_own { names::readable(&name) } else { names::brief(&name) };
        let number = self.functions.name.len() as u32;
        self.functions.short.push(if short == name { String::new() } else { short });
        self.functions.name.push(name.clone());
        self.known_functions.insert(name, number);
        number
    }

    /// The number of a file by the number of its path in the profile.
    pub(super) fn file(&mut self, path: u32) -> u32 {
        let next = self.known_files.len() as u32;
        *self.known_files.entry(path).or_insert_with(|| {
            let path = self.analysis.profile().string(path);
            let short = paths::shorten(path, self.roots);
            self.files.short.push(if short == path { String::new() } else { short.into_owned() });
            self.files.name.push(path.to_owned());
            next
        })
    }
}

/// Whose code a frame is, for the page: 0 the program's own, 1 a crate that it uses, 2 without a name, 3 the standard
/// library's, 4 the runtime's, 5 the allocator's.
fn class_number(class: Class, view: &FrameView<'_>, own_package: &str) -> u8 {
    match class {
        Class::User if view.function().is_empty() => 2,
        Class::User if paths::is_dependency(view.file(), own_package) => 1,
        Class::User => 0,
        Class::Std => 3,
        Class::Runtime => 4,
        Class::Allocator => 5,
    }
}
