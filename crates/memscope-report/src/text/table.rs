//! A table: a column of names, then columns of figures, as many as the page is wide enough for.

use super::page::{Breaks, Ink, Page, columns, elide_middle, span};
use std::io;
use std::ops::RangeInclusive;

/// A heading and a cell for each line.
pub(super) type Column = (&'static str, Vec<String>);

/// What is left to a name beside the first figure.
const FIRST_FIGURE_NAME_COLUMNS: usize = 6;

/// Writes the table, indented by two. Names are cut to the most of `name_columns`, and to no fewer than the least of them in
/// order to show a further figure: figures that find no place are left out, the last first. A page too narrow for both
/// has the first figure. Returns the headings of what was left out.
pub(super) fn write(
    names: (&str, Vec<&str>),
    figures: Vec<Column>,
    name_columns: RangeInclusive<usize>,
    page: &mut Page<'_>,
) -> io::Result<Vec<&'static str>> {
    let (heading, names) = names;
    let longest = names.iter().map(|name| columns(name)).max().unwrap_or(0);
    let (least, most) = name_columns.into_inner();
    let mut name_columns = longest.clamp(columns(heading).min(most), most);
    let mut grid: Vec<(usize, Vec<String>)> = Vec::new();
    let mut used = 2;
    let mut left_out = Vec::new();
    for (heading, lines) in figures {
        let mut cells = vec![heading.to_owned()];
        cells.extend(lines);
        let width = cells.iter().map(|cell| columns(cell)).max().unwrap_or(0) + 2;
        let room = if grid.is_empty() { least.min(FIRST_FIGURE_NAME_COLUMNS) } else { least };
        if !left_out.is_empty() || used + width + name_columns.min(room) > page.width() {
            left_out.push(heading);
            continue;
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
    Ok(left_out)
}
