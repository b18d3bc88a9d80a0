//! A stack as a person reads it: the program's own functions, and one line for each stretch of others.
//!
//! ```text
//! __rust_alloc, RawVec::grow_one, Vec::push    ->  (below the function that called it)  via Vec<Order>::push
//! Store::insert  src/store.rs:42               ->  Store::insert  src/store.rs:42
//! Map::fold, Iterator::for_each                ->  … 2 std frames (Iterator::for_each)
//! main  src/main.rs:7                          ->  main  src/main.rs:7
//! lang_start, .., __libc_start_main, _start    ->  … 5 runtime frames
//! ```
//!
//! Invariant: every frame of the stack is in exactly one row's count, so nothing vanishes silently; only what lies
//! between the innermost own function and `malloc` is not counted but named.

use super::{names, paths};
use memscope_profile::analyze::{Analysis, Class, FrameView};
use memscope_profile::model::Site;
use std::ops::Range;

/// How many functions of the standard library are shown of a stack that has no others.
const MAX_STD_FUNCTIONS: usize = 3;

/// A line of a stack, innermost first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Row {
    /// A function that is shown.
    Function(Function),
    /// The standard library's operation by which the function above allocated.
    Via(String),
    /// Frames that are not shown.
    Folded {
        /// How many.
        frames: usize,
        /// Whose, as in `2 std frames`; or `more`.
        whose: &'static str,
        /// The outermost of them, if it says something.
        outermost: Option<String>,
    },
    /// Something to know about the stack itself.
    Note(&'static str),
}

impl Row {
    fn is_function(&self) -> bool {
        matches!(self, Row::Function(_))
    }

    fn frames(&self) -> usize {
        match self {
            Row::Function(function) => function.frames,
            Row::Folded { frames, .. } => *frames,
            Row::Via(_) | Row::Note(_) => 0,
        }
    }
}

/// The function that a stack is named after: the innermost that is shown, behind what may be folded, and what it called.
pub(crate) fn head(rows: &[Row]) -> Option<(&Function, Option<&str>)> {
    let at = rows.iter().position(Row::is_function)?;
    let Row::Function(function) = &rows[at] else { return None };
    let via = match rows.get(at + 1) {
        Some(Row::Via(operation)) => Some(&**operation),
        _ => None,
    };
    Some((function, via))
}

/// A function at a place in the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Function {
    /// Its readable name, or where its code lies.
    pub(crate) name: String,
    /// `file:line`, or empty.
    pub(crate) place: String,
    /// Inlined into the next.
    pub(crate) inlined: bool,
    /// Its source belongs to a crate that came from a registry or a repository.
    pub(crate) is_dependency: bool,
    /// How many frames in a row are this function at this place (recursion).
    pub(crate) frames: usize,
}

/// The rows of a site's stack, with at most `max_functions` functions.
pub(crate) fn rows(
    analysis: &Analysis<'_>,
    site: &Site,
    max_functions: usize,
    roots: &[String],
) -> Vec<Row> {
    let mut has_begun = false;
    let frames: Vec<_> = analysis
        .profile()
        .stack_frames(site.stack)
        .map(|view| {
            // Beyond where libc starts a program there is only its entry, which may have no name to know it by.
            let class = if has_begun { Class::Runtime } else { analysis.class(&view) };
            has_begun |= view.function().starts_with("__libc_start_");
            (class, view)
        })
        .collect();
    // The program's own functions are shown; where there are none, those nearest to it.
    let shown = [Class::User, Class::Std, Class::Runtime, Class::Allocator]
        .into_iter()
        .find_map(|class| Some((class, frames.iter().position(|frame| frame.0 == class)?)));
    let mut rows = Vec::new();
    if let Some((class, first)) = shown {
        let via = frames[..first].iter().rev().find(|(class, _)| *class == Class::Std);
        functions(class, &frames[first..], &mut rows, roots, analysis.own_package());
        if let Some((_, view)) = via {
            rows.insert(1, Row::Via(names::brief(&name(view))));
        }
        if class == Class::Std {
            keep_outermost(&mut rows, MAX_STD_FUNCTIONS);
        }
    }
    shorten(&mut rows, max_functions);
    if frames.is_empty() {
        rows.push(Row::Note("no stack could be had"));
    } else if site.truncated {
        rows.push(Row::Note("the stack is cut short here, its outer frames are not known"));
    }
    rows
}

/// Rows from the innermost function outwards: those of class `shown`, and folds of the others.
fn functions(
    shown: Class,
    frames: &[(Class, FrameView<'_>)],
    rows: &mut Vec<Row>,
    roots: &[String],
    own_package: &str,
) {
    for run in frames.chunk_by(|a, b| (a.0 == shown) == (b.0 == shown)) {
        if run[0].0 != shown {
            let is_runtime = run.iter().any(|(class, _)| *class == Class::Runtime);
            let outermost = run.last().filter(|_| !is_runtime);
            rows.push(Row::Folded {
                frames: run.len(),
                whose: if is_runtime { "runtime" } else { "std" },
                outermost: outermost.map(|(_, view)| names::bare(&name(view))),
            });
            continue;
        }
        for (_, view) in run {
            let new = function(view, roots, own_package);
            match rows.last_mut() {
                Some(Row::Function(last))
                    if (&last.name, &last.place) == (&new.name, &new.place) =>
                {
                    last.frames += 1;
                }
                _ => rows.push(Row::Function(new)),
            }
        }
    }
}

/// Folds the functions inside of the `max_functions` outermost: of a library's own doings, what was asked of it says
/// more than how it does it.
fn keep_outermost(rows: &mut Vec<Row>, max_functions: usize) {
    let functions = rows.iter().take_while(|row| row.is_function()).count();
    if functions > max_functions + 1 {
        let inside = functions - max_functions;
        fold(rows, 0..inside, "std");
        if let Some(Row::Folded { outermost, .. }) = rows.first_mut() {
            *outermost = None;
        }
    }
}

/// Shortens a stack of more than `max_functions` functions: first by folding what lies within dependencies, then,
/// if that was not enough, by folding all between the last function shown and the outermost.
fn shorten(rows: &mut Vec<Row>, max_functions: usize) {
    let functions = |rows: &[Row]| rows.iter().filter(|row| row.is_function()).count();
    if functions(rows) <= max_functions {
        return;
    }
    fold_dependencies(rows);
    let mut seen = 0;
    let cut = rows.iter().position(|row| {
        seen += usize::from(row.is_function());
        seen > max_functions
    });
    let last = rows.iter().rposition(Row::is_function);
    if let (Some(cut), Some(last)) = (cut, last)
        && cut < last
    {
        fold(rows, cut..last + 1, "more");
    }
}

/// Folds each stretch of several functions of dependencies; the innermost function stays.
fn fold_dependencies(rows: &mut Vec<Row>) {
    let is_dependency = |row: &Row| matches!(row, Row::Function(f) if f.is_dependency);
    let may_be_within = |row: &Row| is_dependency(row) || matches!(row, Row::Folded { .. });
    let mut at = 1;
    while at < rows.len() {
        let run = rows[at..].iter().take_while(|row| may_be_within(row)).count();
        let end = rows[at..at + run].iter().rposition(is_dependency).map_or(at, |n| at + n + 1);
        if is_dependency(&rows[at]) && end > at + 1 {
            fold(rows, at..end, "dependency");
        }
        at += 1;
    }
}

/// Replaces rows by one that counts their frames and names the outermost of them.
fn fold(rows: &mut Vec<Row>, range: Range<usize>, whose: &'static str) {
    let outermost = match &rows[range.end - 1] {
        Row::Function(function) => Some(function.name.clone()),
        _ => None,
    };
    let frames = rows[range.clone()].iter().map(Row::frames).sum();
    rows.splice(range, [Row::Folded { frames, whose, outermost }]);
}

fn function(view: &FrameView<'_>, roots: &[String], own_package: &str) -> Function {
    let file = view.file();
    let place = match view.line() {
        _ if file.is_empty() => String::new(),
        0 => paths::shorten(file, roots).into_owned(),
        line => format!("{}:{line}", paths::shorten(file, roots)),
    };
    Function {
        name: name(view),
        place,
        inlined: view.is_inlined(),
        is_dependency: paths::is_dependency(file, own_package),
        frames: 1,
    }
}

/// The function's name; without one, where its code lies.
fn name(view: &FrameView<'_>) -> String {
    let function = view.function();
    if !function.is_empty() {
        return names::readable(function);
    }
    match view.module() {
        Some(module) => {
            let file = module.path.rsplit('/').next().unwrap_or_default();
            format!("{file}+{:#x}", view.file_address())
        }
        None => format!("{:#x}", view.address().address),
    }
}

#[cfg(test)]
#[path = "../../tests/profiles/mod.rs"]
mod profiles;

#[cfg(test)]
mod tests {
    use super::profiles::{Builder, Code, order_service};
    use super::*;
    use memscope_profile::model::{Counts, Kind};

    /// The rows of a stack, innermost first, one text each.
    fn texts(codes: &[Code], max_functions: usize) -> Vec<String> {
        let mut builder = Builder::new("/usr/bin/shop");
        let site = *builder.site(&[codes], Kind::Malloc, Counts::default());
        let analysis = Analysis::new(&builder.profile);
        let rows = rows(&analysis, &site, max_functions, &[]);
        rows.iter()
            .map(|row| match row {
                Row::Function(f) => format!("{}x {} {}", f.frames, f.name, f.place),
                Row::Via(operation) => format!("via {operation}"),
                Row::Folded { frames, whose, outermost } => {
                    format!("{frames} {whose} {}", outermost.as_deref().unwrap_or("-"))
                }
                Row::Note(text) => (*text).to_owned(),
            })
            .collect()
    }

    #[test]
    fn own_functions_are_shown_and_others_folded() {
        assert_eq!(
            texts(
                &[
                    &["__rust_alloc"],
                    &["alloc::raw_vec::RawVec<u8>::grow_one"],
                    &["<alloc::vec::Vec<u8>>::push", "shop::put @ src/put.rs:3"],
                    &["core::iter::Iterator::fold"],
                    &["core::iter::Iterator::for_each"],
                    &["shop::main @ src/main.rs:9"],
                    &["std::rt::lang_start"],
                    &["_start"],
                ],
                8
            ),
            [
                "1x shop::put src/put.rs:3",
                "via Vec<u8>::push",
                "2 std Iterator::for_each",
                "1x shop::main src/main.rs:9",
                "2 runtime -"
            ]
        );
    }

    #[test]
    fn without_own_functions_those_nearest_are_shown() {
        assert_eq!(
            texts(&[&["__rust_alloc"], &["std::thread::Thread::new"], &["std::rt::init"]], 8),
            ["1x Thread::new ", "1 runtime -"]
        );
        let deep: &[Code] = &[
            &["__rust_alloc"],
            &["std::a"],
            &["std::b"],
            &["std::c"],
            &["std::d"],
            &["std::e"],
            &["std::rt::init"],
        ];
        assert_eq!(
            texts(deep, 8),
            ["2 std -", "1x std::c ", "1x std::d ", "1x std::e ", "1 runtime -"]
        );
        assert_eq!(texts(&[&["malloc"]], 8), ["1x malloc "]);
        assert_eq!(texts(&[], 8), ["no stack could be had"]);
    }

    #[test]
    fn dependencies_give_way_first_when_there_are_many_functions() {
        let codes: &[Code] = &[
            &["serde::a @ /h/.cargo/registry/src/x/serde-1.0.0/src/a.rs:1"],
            &["shop::b @ src/b.rs:2"],
            &["tokio::c @ /h/.cargo/registry/src/x/tokio-1.0.0/src/c.rs:3"],
            &["core::ops::FnOnce::call_once"],
            &["tokio::d @ /h/.cargo/registry/src/x/tokio-1.0.0/src/d.rs:4"],
            &["shop::e @ src/e.rs:5"],
            &["shop::main @ src/main.rs:6"],
        ];
        assert_eq!(
            texts(codes, 4),
            [
                "1x serde::a serde-1.0.0/src/a.rs:1",
                "1x shop::b src/b.rs:2",
                "3 dependency tokio::d",
                "1x shop::e src/e.rs:5",
                "1x shop::main src/main.rs:6"
            ]
        );
        assert_eq!(
            texts(codes, 2),
            [
                "1x serde::a serde-1.0.0/src/a.rs:1",
                "1x shop::b src/b.rs:2",
                "3 dependency tokio::d",
                "2 more shop::main"
            ]
        );
        assert_eq!(texts(codes, 9).len(), codes.len());
    }

    #[test]
    fn beyond_the_start_of_the_program_is_the_runtime() {
        let codes: &[Code] =
            &[&["load @ a.c:1"], &["main @ a.c:9"], &["__libc_start_main_impl"], &["+entry"]];
        assert_eq!(texts(codes, 8), ["1x load a.c:1", "1x main a.c:9", "2 runtime -"]);
    }

    #[test]
    fn recursion_is_one_row() {
        let walk: Code = &["shop::walk @ src/tree.rs:7"];
        assert_eq!(
            texts(&[walk, walk, walk, &["shop::main @ src/main.rs:1"]], 8),
            ["3x shop::walk src/tree.rs:7", "1x shop::main src/main.rs:1"]
        );
    }

    #[test]
    fn every_frame_outside_the_operation_is_in_one_row() {
        let profile = order_service();
        let analysis = Analysis::new(&profile);
        for site in &profile.sites {
            let frames: Vec<_> = profile.stack_frames(site.stack).collect();
            let all = rows(&analysis, site, usize::MAX, &[]);
            let counted = |rows: &[Row]| rows.iter().map(Row::frames).sum::<usize>();
            let inside = frames.len() - counted(&all);
            assert!(frames[..inside].iter().all(|frame| analysis.class(frame) != Class::User));
            for max_functions in 0..12 {
                assert_eq!(counted(&rows(&analysis, site, max_functions, &[])), counted(&all));
            }
        }
    }
}
