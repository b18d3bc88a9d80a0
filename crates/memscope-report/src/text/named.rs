//! The variables and the tasks that the program named, as tables. A program without names has neither.

use super::figures::Figures;
use super::page::{Breaks, Ink, Page, columns, elide_middle, span};
use super::paths;
use super::units::count;
use memscope_profile::model::{Label, Profile};
use std::cmp::Reverse;
use std::io;

/// Lines of each table.
const MAX_LINES: usize = 20;
/// Names are cut to this many columns, or fewer on a narrow page.
const MAX_NAME_COLUMNS: usize = 60;

pub(super) fn write(profile: &Profile, base: &str, page: &mut Page<'_>) -> io::Result<()> {
    let figures = Figures::of(&profile.run);
    let roots = paths::roots(base, &profile.run.exe);
    let mut variables: Vec<&Label> = profile.variables().collect();
    variables.sort_by_key(|it| Reverse((it.live_bytes, it.peak_bytes)));
    let rows = variables.iter().map(|it| {
        let file = paths::shorten(&it.file, &roots);
        let name = format!("{}: {} ({file}:{})", it.name, it.type_name, it.line);
        let live = figures.bytes(it.live_bytes);
        (name, [live, figures.bytes(it.peak_bytes), count(it.live_blocks), count(it.blocks)])
    });
    table("Named values", ["live", "peak", "blocks alive", "blocks ever"], rows.collect(), page)?;

    let mut tasks = profile.task_lines();
    tasks.sort_by_key(|it| Reverse((it.counts.live_bytes(), it.counts.allocated_bytes)));
    let rows = tasks.iter().map(|it| {
        let name = match it.task.kind_name() {
            "" | "task" => it.path.clone(),
            kind => format!("{} ({kind})", it.path),
        };
        let live = figures.bytes(it.counts.live_bytes());
        let allocated = figures.bytes(it.counts.allocated_bytes);
        let allocations = figures.count(it.counts.allocations);
        (name, [live, figures.bytes(it.task.peak_bytes), allocated, allocations])
    });
    let title = "Tasks, each without its children";
    table(title, ["live", "peak", "allocated", "allocations"], rows.collect(), page)
}

/// Rows under headings, the name last: it is what may be cut. Nothing at all if there are no rows.
fn table(
    title: &str,
    headings: [&str; 4],
    rows: Vec<(String, [String; 4])>,
    page: &mut Page<'_>,
) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    page.blank()?;
    let all = format!(", {} in all", count(rows.len() as u64));
    page.paragraph(0, 2, Breaks::Words, &[span(Ink::Strong, title), span(Ink::Plain, all)])?;
    let widths: [usize; 4] = std::array::from_fn(|at| {
        let cells = rows.iter().take(MAX_LINES).map(|(_, cells)| columns(&cells[at]));
        cells.chain([columns(headings[at])]).max().unwrap_or(0)
    });
    // A narrow page has the first figures only.
    let mut shown = widths.len();
    while shown > 1
        && 2 + widths[..shown].iter().map(|it| it + 2).sum::<usize>() + 16 > page.width()
    {
        shown -= 1;
    }
    let used = 2 + widths[..shown].iter().map(|width| width + 2).sum::<usize>();
    let room = page.width().saturating_sub(used).clamp(4, MAX_NAME_COLUMNS);
    let mut line = |ink, cells: [&str; 4], name: &str| {
        let mut text = String::new();
        for (cell, width) in cells.iter().zip(widths).take(shown) {
            text.push_str(&" ".repeat(width - columns(cell)));
            text.push_str(cell);
            text.push_str("  ");
        }
        text.push_str(&elide_middle(name, room));
        page.paragraph(2, 2, Breaks::Words, &[span(ink, text)])
    };
    line(Ink::Faint, headings, "")?;
    for (name, cells) in rows.iter().take(MAX_LINES) {
        line(Ink::Plain, cells.each_ref().map(String::as_str), name)?;
    }
    match rows.len().saturating_sub(MAX_LINES) {
        0 => Ok(()),
        more => {
            let text = format!("… {} more", count(more as u64));
            page.paragraph(2, 2, Breaks::Words, &[span(Ink::Faint, text)])
        }
    }
}
