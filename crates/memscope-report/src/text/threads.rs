//! What each thread did, as a table. Pools of threads with numbered names share a line when there are many; threads
//! of the same name that have a line each are told apart by their ids.

use super::figures::Figures;
use super::page::{Breaks, Ink, Page, span};
use super::table;
use super::units::{count, counted};
use memscope_profile::model::{Mode, Profile, Thread};
use std::collections::{HashMap, HashSet};
use std::io;
use std::ops::RangeInclusive;

/// More threads than this are folded by the pattern of their names, and then cut to as many lines.
const MAX_LINES: usize = 20;
/// Columns for a name.
const NAME_COLUMNS: RangeInclusive<usize> = 12..=40;

/// A line: a thread, or several with names of one pattern.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Line {
    name: String,
    /// The kernel's id of the thread, if the line is of one.
    tid: Option<u32>,
    threads: usize,
    allocations: u64,
    allocated_bytes: u64,
    temporary: u64,
    frees: u64,
    missed: u64,
    live_bytes: i64,
    peak_bytes: u64,
}

impl Line {
    fn of(thread: &Thread, name: String) -> Self {
        Self {
            name,
            tid: Some(thread.tid),
            threads: 1,
            allocations: thread.allocations,
            allocated_bytes: thread.allocated_bytes,
            temporary: thread.temporary,
            frees: thread.frees,
            missed: thread.attempts.saturating_sub(thread.successes),
            live_bytes: thread.live_bytes,
            peak_bytes: thread.peak_bytes,
        }
    }

    fn add(&mut self, other: &Line) {
        self.tid = None;
        self.threads += other.threads;
        self.allocations = self.allocations.saturating_add(other.allocations);
        self.allocated_bytes = self.allocated_bytes.saturating_add(other.allocated_bytes);
        self.temporary = self.temporary.saturating_add(other.temporary);
        self.frees = self.frees.saturating_add(other.frees);
        self.missed = self.missed.saturating_add(other.missed);
        self.live_bytes = self.live_bytes.saturating_add(other.live_bytes);
        // Each had its own at a time of its own.
        self.peak_bytes = self.peak_bytes.max(other.peak_bytes);
    }
}

pub(super) fn write(profile: &Profile, page: &mut Page<'_>) -> io::Result<()> {
    let figures = Figures::of(&profile.run);
    page.blank()?;
    match profile.threads.as_slice() {
        [] => page.paragraph(
            0,
            2,
            Breaks::Words,
            &[span(Ink::Strong, "Threads: "), span(Ink::Plain, "none was recorded.")],
        ),
        [only] => {
            let text = format!(
                "one, {}, with {} of {}.",
                name(only),
                figures.counted(only.allocations, "allocation"),
                figures.bytes(only.allocated_bytes)
            );
            page.paragraph(
                0,
                2,
                Breaks::Words,
                &[span(Ink::Strong, "Threads: "), span(Ink::Plain, text)],
            )
        }
        threads => {
            page.paragraph(
                0,
                2,
                Breaks::Words,
                &[
                    span(Ink::Strong, "Threads"),
                    span(Ink::Plain, format!(", {} in all", count(threads.len() as u64))),
                ],
            )?;
            write_lines(&lines(threads), profile.run.mode, figures, page)
        }
    }
}

/// The lines of the table, those with the most bytes first.
fn lines(threads: &[Thread]) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    if threads.len() <= MAX_LINES {
        lines.extend(threads.iter().map(|thread| Line::of(thread, name(thread))));
    } else {
        let mut patterns = HashMap::new();
        for thread in threads {
            let line = Line::of(thread, name(thread));
            match patterns.get(&pattern(&line.name)) {
                Some(&place) => Line::add(&mut lines[place], &line),
                None => {
                    patterns.insert(pattern(&line.name), lines.len());
                    lines.push(line);
                }
            }
        }
        for line in lines.iter_mut().filter(|line| line.threads > 1) {
            line.name = format!("{} ({} threads)", pattern(&line.name), count(line.threads as u64));
        }
    }
    lines.sort_by_key(|line| std::cmp::Reverse((line.allocated_bytes, line.allocations)));
    if lines.len() > MAX_LINES {
        let mut rest = Line::default();
        lines.drain(MAX_LINES - 1..).for_each(|line| rest.add(&line));
        rest.name = format!("… {}", counted(rest.threads as u64, "more thread"));
        lines.push(rest);
    }
    lines
}

fn name(thread: &Thread) -> String {
    if thread.name.is_empty() { format!("thread {}", thread.tid) } else { thread.name.clone() }
}

/// A name with its numbers left open.
fn pattern(name: &str) -> String {
    let mut pattern = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '0'..='9' if pattern.ends_with('*') => {}
            '0'..='9' => pattern.push('*'),
            _ => pattern.push(c),
        }
    }
    pattern
}

/// Whether two threads have the same name and a line each.
fn has_namesakes(lines: &[Line]) -> bool {
    let mut names = HashSet::new();
    lines.iter().filter(|line| line.tid.is_some()).any(|line| !names.insert(line.name.as_str()))
}

/// Writes the lines under a heading, with as many columns as the page is wide enough for.
fn write_lines(
    lines: &[Line],
    mode: Mode,
    figures: Figures,
    page: &mut Page<'_>,
) -> io::Result<()> {
    type Cell = fn(&Line, Figures) -> String;
    let mut all: Vec<(&'static str, Cell)> = vec![
        ("allocated", |line, figures| figures.bytes(line.allocated_bytes)),
        ("allocations", |line, figures| figures.count(line.allocations)),
        ("temporary", |line, figures| figures.share(line.temporary, line.allocations)),
        ("frees", |line, figures| figures.count(line.frees)),
    ];
    if mode == Mode::Counting {
        // What is temporary is not counted; what a thread keeps is.
        all[2] = ("live", |line, figures| match line.live_bytes {
            bytes @ 0.. => figures.bytes(bytes as u64),
            bytes => format!("-{}", figures.bytes(bytes.unsigned_abs())),
        });
        all.insert(3, ("peak", |line, figures| figures.bytes(line.peak_bytes)));
    }
    if lines.iter().any(|line| line.missed > 0) {
        all.insert(2, ("events missed", |line, _| count(line.missed)));
    }
    if has_namesakes(lines) {
        all.insert(0, ("tid", |line, _| line.tid.map_or(String::new(), |tid| tid.to_string())));
    }
    let names = lines.iter().map(|line| line.name.as_str()).collect();
    let columns = all
        .into_iter()
        .map(|(heading, cell)| (heading, lines.iter().map(|line| cell(line, figures)).collect()));
    table::write(("thread", names), columns.collect(), NAME_COLUMNS, page).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_are_left_open() {
        assert_eq!(pattern("worker-12"), "worker-*");
        assert_eq!(pattern("pool-3-thread-14"), "pool-*-thread-*");
        assert_eq!(pattern("main"), "main");
    }

    #[test]
    fn few_threads_have_a_line_each_and_many_share_them() {
        let thread = |name: String, bytes| Thread {
            name,
            allocations: 1,
            allocated_bytes: bytes,
            ..Thread::default()
        };
        let few: Vec<_> = (0..20).map(|n| thread(format!("worker-{n}"), n)).collect();
        let few = lines(&few);
        assert_eq!((few.len(), few[0].name.as_str()), (20, "worker-19"));

        let mut many: Vec<_> = (0..64).map(|n| thread(format!("worker-{n}"), 10)).collect();
        many.push(thread("main".to_owned(), 1000));
        let many = lines(&many);
        assert_eq!(many.len(), 2);
        assert_eq!((many[0].name.as_str(), many[0].allocated_bytes), ("main", 1000));
        assert_eq!(
            (many[1].name.as_str(), many[1].allocated_bytes),
            ("worker-* (64 threads)", 640)
        );

        let letters = ('a'..='z').map(|c| thread(c.to_string(), 1)).collect::<Vec<_>>();
        let letters = lines(&letters);
        assert_eq!(letters.len(), MAX_LINES);
        assert_eq!(letters[MAX_LINES - 1].name, "… 7 more threads");
        assert_eq!(letters.iter().map(|line| line.allocated_bytes).sum::<u64>(), 26);
    }
}
