//! The values and the tasks that the program named, as tables. A program that names none has neither.

use super::figures::Figures;
use super::page::{Breaks, Ink, Page, span};
use super::paths;
use super::table::{self, Column};
use super::units::{count, counted};
use memscope_profile::analyze::TaskLine;
use memscope_profile::model::{Label, Profile};
use std::cmp::Reverse;
use std::io;
use std::ops::RangeInclusive;

/// Lines of each table.
const MAX_LINES: usize = 20;
/// Columns for a name.
const NAME_COLUMNS: RangeInclusive<usize> = 30..=60;

pub(super) fn write(profile: &Profile, base: &str, page: &mut Page<'_>) -> io::Result<()> {
    let figures = Figures::of(&profile.run);
    values(profile, &paths::roots(base, &profile.run.exe, profile.own_package()), page)?;
    tasks(profile, figures, page)
}

fn values(profile: &Profile, roots: &[String], page: &mut Page<'_>) -> io::Result<()> {
    // Only what was recorded exactly has a name, also in a process that began with a sample.
    let figures = Figures::EXACT;
    let mut values: Vec<&Label> = profile.variables().collect();
    values.sort_by_key(|it| Reverse((it.live_bytes, it.peak_bytes)));
    let name = |it: &&Label| {
        let file = paths::shorten(&it.file, roots);
        format!("{}: {} ({file}:{})", it.name, it.type_name, it.line)
    };
    let column = |heading, cell: &dyn Fn(&Label) -> String| {
        (heading, values.iter().take(MAX_LINES).map(|it| cell(it)).collect())
    };
    let cells = vec![
        column("live", &|it| figures.bytes(it.live_bytes)),
        column("peak", &|it| figures.bytes(it.peak_bytes)),
        column("blocks alive", &|it| count(it.live_blocks)),
        column("blocks ever", &|it| count(it.blocks)),
    ];
    section("Named values", "value", values.iter().map(name).collect(), cells, page)
}

fn tasks(profile: &Profile, figures: Figures, page: &mut Page<'_>) -> io::Result<()> {
    let mut tasks = profile.task_lines();
    tasks.sort_by_key(|it| Reverse((it.counts.live_bytes(), it.counts.allocated_bytes)));
    let name = |it: &TaskLine<'_>| match it.task.kind_name() {
        "" | "task" => it.path.clone(),
        kind => format!("{} ({kind})", it.path),
    };
    let column = |heading, cell: &dyn Fn(&TaskLine<'_>) -> String| {
        (heading, tasks.iter().take(MAX_LINES).map(cell).collect())
    };
    let cells = vec![
        column("live", &|it| figures.bytes(it.counts.live_bytes())),
        column("peak", &|it| figures.bytes(it.task.peak_bytes)),
        column("allocated", &|it| figures.bytes(it.counts.allocated_bytes)),
        column("allocations", &|it| figures.count(it.counts.allocations)),
    ];
    let title = "Tasks, each without its children";
    section(title, "task", tasks.iter().map(name).collect(), cells, page)
}

/// A title and a table; nothing at all if there are no names.
fn section(
    title: &str,
    heading: &str,
    names: Vec<String>,
    cells: Vec<Column>,
    page: &mut Page<'_>,
) -> io::Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    page.blank()?;
    let all = format!(", {} in all", count(names.len() as u64));
    page.paragraph(0, 2, Breaks::Words, &[span(Ink::Strong, title), span(Ink::Plain, all)])?;
    let shown = names.iter().take(MAX_LINES).map(String::as_str).collect();
    table::write((heading, shown), cells, NAME_COLUMNS, page)?;
    match names.len().saturating_sub(MAX_LINES) {
        0 => Ok(()),
        more => {
            let text = format!(" …  {}", counted(more as u64, &format!("more {heading}")));
            page.paragraph(0, 4, Breaks::Words, &[span(Ink::Faint, text)])
        }
    }
}
