//! A stack's rows on the page: names to the left, places in a column beside them where they fit.

use super::page::{Breaks, Ink, Page, columns, elide_middle, span};
use super::stack::{Function, Row};
use super::units::{count, counted};
use std::io;

/// A name longer than this many lines is cut in its middle.
const MAX_NAME_LINES: usize = 3;

/// Names longer than this do not push the column of places outwards.
const MAX_NAME_COLUMNS: usize = 72;

/// Writes the rows, each beginning at column `indent`. The first function is the one to look at.
pub(super) fn write(rows: &[Row], indent: usize, page: &mut Page<'_>) -> io::Result<()> {
    let name_columns = rows
        .iter()
        .filter_map(|row| match row {
            Row::Function(function) if !function.place.is_empty() => {
                Some((columns(&function.name), columns(&tail(function))))
            }
            _ => None,
        })
        .filter(|(name, tail)| {
            *name <= MAX_NAME_COLUMNS && indent + name + 2 + tail <= page.width()
        })
        .map(|(name, _)| name)
        .max()
        .unwrap_or(0);
    let longest_name = MAX_NAME_LINES * page.width().saturating_sub(indent + 2).max(10);
    for (n, row) in rows.iter().enumerate() {
        match row {
            Row::Function(function) => {
                let ink = if n == 0 { Ink::Code } else { Ink::Plain };
                let name = elide_middle(&function.name, longest_name);
                write_function(ink, &name, function, indent, name_columns, page)?;
            }
            Row::Via(operation) => {
                let operation = elide_middle(operation, longest_name);
                page.paragraph(
                    indent + 2,
                    indent + 4,
                    Breaks::Code,
                    &[span(Ink::Faint, "via "), span(Ink::Plain, operation)],
                )?;
            }
            Row::Folded { .. } => {
                let text = elide_middle(&folded(row), longest_name);
                page.paragraph(indent, indent + 2, Breaks::Code, &[span(Ink::Faint, text)])?;
            }
            Row::Note(text) => {
                let text = format!("… {text}");
                page.paragraph(indent, indent + 2, Breaks::Words, &[span(Ink::Warn, text)])?;
            }
        }
    }
    Ok(())
}

fn write_function(
    ink: Ink,
    name: &str,
    function: &Function,
    indent: usize,
    name_columns: usize,
    page: &mut Page<'_>,
) -> io::Result<()> {
    let tail = tail(function);
    let (place, remarks) = tail.split_at(function.place.len());
    let (place, remarks) = (span(Ink::Place, place), span(Ink::Faint, remarks));
    let free = page.width().saturating_sub(indent + 2 + columns(&tail));
    if columns(name) <= free && !tail.is_empty() {
        let to_column = name_columns.min(free).saturating_sub(columns(name)) + 2;
        let gap = " ".repeat(if function.place.is_empty() { 1 } else { to_column });
        let spans = [span(ink, name), span(Ink::Plain, gap), place, remarks];
        return page.paragraph(indent, indent + 2, Breaks::Code, &spans);
    }
    page.paragraph(indent, indent + 2, Breaks::Code, &[span(ink, name)])?;
    if tail.is_empty() {
        return Ok(());
    }
    page.paragraph(indent + 4, indent + 6, Breaks::Code, &[place, remarks])
}

/// Where the function is and what else is to be said of it.
fn tail(function: &Function) -> String {
    let mut tail = function.place.clone();
    let mut remark = |text: &str| {
        tail.push_str(if tail.is_empty() { "" } else { " " });
        tail.push_str(text);
    };
    if function.inlined {
        remark("(inlined)");
    }
    if function.frames > 1 {
        remark(&format!("({} times, recursive)", count(function.frames as u64)));
    }
    tail
}

fn folded(row: &Row) -> String {
    let Row::Folded { frames, whose, outermost } = row else { return String::new() };
    let frames = counted(*frames as u64, &format!("{whose} frame"));
    match outermost {
        Some(name) if *whose == "more" => format!("… {frames}, out to {name}"),
        Some(name) => format!("… {frames} ({name})"),
        None => format!("… {frames}"),
    }
}
