//! The processes of the run, as a tree: what each held, for how long, and how much of it was recorded.
//!
//! Where there are many, those with the largest peaks are shown, each with those that led to it. A run of one process
//! has no such section.

use super::head::{children, quoted};
use super::page::{Breaks, Ink, Page, Span, columns, elide_middle, span};
use super::units::{bytes, count, duration, share};
use memscope_profile::model::{End, ProcessSummary, Profile};
use std::io;

/// More processes than this are not shown.
const MAX_LINES: usize = 30;
/// A command has at least so many columns, if need be on a line of its own.
const MIN_NAME_COLUMNS: usize = 24;
/// Deeper ones are shown at this depth.
const MAX_DEPTH: usize = 12;

pub(super) fn write(profile: &Profile, page: &mut Page<'_>) -> io::Result<()> {
    let processes = &profile.processes;
    if processes.is_empty() {
        return Ok(());
    }
    let followed = processes.iter().filter(|process| process.unfollowed.is_empty()).count();
    let mut title = format!(", {} in all", count(processes.len() as u64));
    if followed < processes.len() {
        title += &format!(", {} of them not followed", count((processes.len() - followed) as u64));
    }
    page.blank()?;
    page.paragraph(
        0,
        2,
        Breaks::Words,
        &[span(Ink::Strong, "Processes"), span(Ink::Plain, title)],
    )?;
    let shown = shown(processes);
    let lines: Vec<_> = tree(processes, &shown);
    let cells: Vec<_> = lines.iter().map(|(place, _)| cells(&processes[*place])).collect();
    let heads = ["Peak", "Live at end", "Duration", "Recorded", "Pid"].map(str::to_owned);
    let width = |column: usize| {
        let all = cells.iter().chain([&heads]).map(|cells| columns(&cells[column]));
        all.max().unwrap_or(0)
    };
    let widths: [usize; 5] = std::array::from_fn(width);
    let row = |cells: &[String; 5]| {
        let cells = cells.iter().zip(widths).map(|(cell, width)| {
            format!("{}{cell}", " ".repeat(width.saturating_sub(columns(cell))))
        });
        cells.collect::<Vec<_>>().join("  ")
    };
    page.paragraph(2, 2, Breaks::Words, &[span(Ink::Faint, row(&heads))])?;
    for ((place, depth), cells) in lines.iter().zip(&cells) {
        let process = &processes[*place];
        let mut line = vec![span(Ink::Plain, row(cells)), span(Ink::Plain, "  ")];
        line.push(span(Ink::Faint, "· ".repeat(*depth)));
        let used = 4 + widths.iter().sum::<usize>() + 2 * (widths.len() + depth);
        line.extend(name(process, page.width().saturating_sub(used).max(MIN_NAME_COLUMNS)));
        page.paragraph(2, 6, Breaks::Words, &line)?;
    }
    let hidden = processes.len() - lines.len();
    if hidden > 0 {
        let text = match hidden {
            1 => "… 1 more process with a smaller peak".to_owned(),
            _ => format!("… {} more processes with smaller peaks", count(hidden as u64)),
        };
        page.paragraph(2, 4, Breaks::Words, &[span(Ink::Faint, text)])?;
    }
    Ok(())
}

/// Those that have a line: the largest, and those that led to them.
fn shown(processes: &[ProcessSummary]) -> Vec<bool> {
    let mut by_size: Vec<usize> = (0..processes.len()).collect();
    by_size.sort_by_key(|place| {
        let process = &processes[*place];
        // What is not followed is named before what is small.
        std::cmp::Reverse((!process.unfollowed.is_empty(), process.peak_bytes))
    });
    // Not all places go to those that are not followed.
    let unfollowed = by_size.iter().filter(|place| !processes[**place].unfollowed.is_empty());
    let followed = by_size.iter().filter(|place| processes[**place].unfollowed.is_empty());
    let chosen = unfollowed.take(MAX_LINES / 3).chain(followed).take(MAX_LINES);
    let mut shown = vec![false; processes.len()];
    for place in chosen {
        let mut next = Some(*place);
        while let Some(place) = next.filter(|place| !shown[*place]) {
            shown[place] = true;
            next = maker(processes, place);
        }
    }
    shown
}

/// Who made a process, if that is known.
fn maker(processes: &[ProcessSummary], place: usize) -> Option<usize> {
    // One that does not come before it would be a circle.
    (processes[place].parent as usize).checked_sub(1).filter(|maker| *maker < place)
}

/// The lines in their order: each process after the one that made it, with its depth.
fn tree(processes: &[ProcessSummary], shown: &[bool]) -> Vec<(usize, usize)> {
    let mut made: Vec<Vec<usize>> = vec![Vec::new(); processes.len()];
    let mut waiting = Vec::new();
    for place in (0..processes.len()).rev().filter(|place| shown[*place]) {
        match maker(processes, place) {
            Some(maker) => made[maker].push(place),
            None => waiting.push((place, 0)),
        }
    }
    let mut lines = Vec::new();
    while let Some((place, depth)) = waiting.pop() {
        lines.push((place, depth));
        let deeper = (depth + 1).min(MAX_DEPTH);
        waiting.extend(made[place].iter().map(|child| (*child, deeper)));
    }
    lines
}

fn cells(process: &ProcessSummary) -> [String; 5] {
    let pid = if process.pid == 0 { "–".to_owned() } else { process.pid.to_string() };
    if !process.unfollowed.is_empty() {
        return ["–", "–", "–", "–", &pid].map(str::to_owned);
    }
    let recorded = if process.attempts == process.successes {
        "all".to_owned()
    } else {
        share(process.successes, process.attempts).unwrap_or_default()
    };
    let time = duration(process.duration_ns);
    [bytes(process.peak_bytes), bytes(process.live_bytes), time, recorded, pid]
}

/// The command, and what there is to say of it.
fn name(process: &ProcessSummary, width: usize) -> Vec<Span> {
    let command = match process.command.as_slice() {
        [] if process.exe.is_empty() => "unknown program".to_owned(),
        [] => process.exe.clone(),
        words => words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" "),
    };
    let mut notes = Vec::new();
    if process.end == End::Running {
        notes.push("still running".to_owned());
    }
    if !process.replaced_by.is_empty() {
        notes.push(format!("then {}, not followed", process.replaced_by));
    }
    if !process.unfollowed.is_empty() {
        notes.push(format!("not followed: {}", process.unfollowed));
    }
    if process.unfollowed_children > 0 {
        notes.push(format!("{} not followed", children(process.unfollowed_children)));
    }
    if !process.file.is_empty() {
        notes.push(format!("in {}", process.file));
    }
    let notes = if notes.is_empty() { String::new() } else { format!("  ({})", notes.join("; ")) };
    vec![span(Ink::Code, elide_middle(&command, width)), span(Ink::Faint, notes)]
}
