//! A table: a column of names, then columns of figures, as many as the page is wide enough for.

use super::page::{Breaks, Ink, Page, columns, elide_middle, span};
use std::io;

/// A heading and a cell for each line.
pub(super) type Column = (&'static str, Vec<String>);

/// Fewer columns than this no name is cut to in order to show a further figure.
const MIN_NAME_COLUMNS: usize = 12;

/// Writes the table, indented by two. Names are cut to `max_name_columns`, or fewer on a narrow page; columns that find no
/// place are left out, the last first.
pub(super) fn write(
    names: (&str, Vec<&str>),
    figures: Vec<Column>,
    max_name_columns: usize,
    page: &mut Page<'_>,
) -> io::Result<()> {
    let (heading, names) = names;
    let longest = names.iter().map(|name| columns(name)).max().unwrap_or(0);
    let mut name_columns = longest.clamp(columns(heading).min(max_name_columns), max_name_columns);
    let mut grid: Vec<(usize, Vec<String>)> = Vec::new();
    let mut used = 2;
    for (heading, lines) in figures {
        let mut cells = vec![heading.to_owned()];
        cells.extend(lines);
        let width = cells.iter().map(|cell| columns(cell)).max().unwrap_or(0) + 2;
        if used + width + name_columns.min(MIN_NAME_COLUMNS) > page.width() {
            break;
        }
        used += width;
        grid.push((width, cells));
    }
    name_columns = name_columns.min(page.width().saturating_sub(used));
    for (n, name) in std::iter::once(heading).chain(names).enumerate() {
        let name = elide_middle(name, name_columns);
        let mut text = name.clone() + &" ".repeat(name_columns - columns(&name));
        for (width, cells) in &grid {
            let cell = cells.get(n).map_or("", String::as_str);
            text.push_str(&" ".repeat(width - columns(cell)));
            text.push_str(cell);
        }
        let ink = if n == 0 { Ink::Faint } else { Ink::Plain };
        page.paragraph(2, 2, Breaks::Words, &[span(ink, text)])?;
    }
    Ok(())
}
