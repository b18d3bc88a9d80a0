//! Two sets of runs side by side: for a terminal, as Markdown for a pull request, as a page, as JSON, as collapsed stacks
//! with two values for differential flame graphs.
//!
//! Every form shows the same: the totals by each metric, then the types and the sites that changed most by one. Of several runs the mean
//! is shown and from where to where they reach; a change within that reach says so.
//!
//! Deliberately absent: a verdict. What change is too much, whoever asks says.

use crate::text::page::elide_middle;
use crate::text::{head, site_name, units};
use memscope_profile::analyze::{
    Analysis, Change, Comparison, LineChange, Metric, Spread, compare, compare_types,
};
use memscope_profile::model::{Mode, Symbols};
use std::collections::BTreeMap;
use std::io::{self, Write};

/// What is compared, and how much of it is shown.
#[derive(Clone, Copy, Debug)]
pub struct Runs<'a> {
    /// Runs of before.
    pub before: &'a [&'a Analysis<'a>],
    /// Runs of after.
    pub after: &'a [&'a Analysis<'a>],
    /// By what sites are compared.
    pub metric: Metric,
    /// How many sites to show.
    pub top: usize,
    /// The folder that source paths are shown relative to. Empty: none.
    pub base: &'a str,
}

/// The metrics in the words of tables.
fn label(metric: Metric) -> &'static str {
    match metric {
        Metric::Peak => "Peak",
        Metric::LiveAtEnd => "Live at end",
        Metric::Allocations => "Allocations",
        Metric::AllocatedBytes => "Allocated bytes",
        Metric::Temporary => "Temporary",
    }
}

/// A figure of a metric as the tables write it: `9.96 MiB`, `380,155`.
pub fn amount(metric: Metric, value: u64) -> String {
    if metric.is_bytes() { units::bytes(value) } else { units::count(value) }
}

fn spread(metric: Metric, spread: Spread) -> String {
    let mean = amount(metric, spread.mean);
    if spread.min == spread.max {
        return mean;
    }
    format!("{mean} ({} to {})", amount(metric, spread.min), amount(metric, spread.max))
}

/// `+1.20 MiB`, `−3`, `0`.
fn change(metric: Metric, change: i64) -> String {
    let sign = match change {
        0 => "",
        1.. => "+",
        _ => "−",
    };
    format!("{sign}{}", amount(metric, change.unsigned_abs()))
}

/// The change as a part of before: `+5.2 %`.
fn percent(before: Spread, after: Spread) -> String {
    if before.mean == 0 || before.mean == after.mean {
        return String::new();
    }
    let percent = (after.mean as f64 / before.mean as f64 - 1.0) * 100.0;
    format!("{percent:+.1} %").replace('-', "−")
}

fn kind(change: &LineChange) -> &'static str {
    match change.kind() {
        Change::New => "new",
        Change::Gone => "gone",
        _ if change.is_within_spread() => "within the spread",
        Change::Grown => "grown",
        Change::Shrunk => "shrunk",
        Change::Same => "same",
    }
}

/// A cell of a table: what it says, and the number that it is sorted by, if it is one.
struct Cell {
    text: String,
    number: Option<i64>,
}

impl Cell {
    fn words(text: String) -> Self {
        Self { text, number: None }
    }

    fn number(text: String, number: u64) -> Self {
        Self { text, number: Some(i64::try_from(number).unwrap_or(i64::MAX)) }
    }

    fn spread(metric: Metric, it: Spread) -> Self {
        Self::number(spread(metric, it), it.mean)
    }

    fn change(metric: Metric, by: i64) -> Self {
        Self { text: change(metric, by), number: Some(by) }
    }
}

/// A table: its head, then its rows.
type Table = (Vec<&'static str>, Vec<Vec<Cell>>);

/// The script of the page, as it was built from `web/`.
const SCRIPT: &str = include_str!("../asset/diff.js");

impl Runs<'_> {
    fn comparison(&self, metric: Metric) -> Comparison {
        compare(self.before, self.after, metric)
    }

    fn totals(&self) -> Table {
        let rows = Metric::ALL.map(|metric| {
            let Comparison { before, after, .. } = self.comparison(metric);
            let by = after.mean.wrapping_sub(before.mean).cast_signed();
            vec![
                Cell::words(label(metric).to_owned()),
                Cell::spread(metric, before),
                Cell::spread(metric, after),
                Cell::change(metric, by),
                Cell::words(percent(before, after)),
            ]
        });
        (vec!["", "Before", "After", "Change", ""], rows.into())
    }

    fn sites(&self, comparison: &Comparison) -> Table {
        self.changes(comparison, "Site", false, |it| self.name(it))
    }

    /// What changed by type; `None` if no type is known on either side.
    fn types(&self) -> Option<(String, Table)> {
        let comparison = compare_types(self.before, self.after, self.metric);
        let caption = self.caption(&comparison).replacen("Sites", "Types", 1);
        let table = self.changes(&comparison, "Type", true, |it| self.type_name(it).to_owned());
        (!comparison.changes.is_empty()).then_some((caption, table))
    }

    fn changes(
        &self,
        comparison: &Comparison,
        of: &'static str,
        has_block_sizes: bool,
        name: impl Fn(&LineChange) -> String,
    ) -> Table {
        let metric = self.metric;
        let changed = comparison.changes.iter().filter(|it| it.kind() != Change::Same);
        let rows = changed.take(self.top).map(|it| {
            let mut row = vec![
                Cell::change(metric, it.change()),
                Cell::spread(metric, it.before),
                Cell::spread(metric, it.after),
                Cell::words(kind(it).to_owned()),
            ];
            if has_block_sizes {
                row.push(self.sizes(it.mean_block_bytes, ""));
                row.push(self.sizes(it.largest_block_bytes, self.least()));
            }
            row.push(Cell::words(name(it)));
            row
        });
        let mut head = vec!["Change", "Before", "After", ""];
        if has_block_sizes {
            head.extend(["Mean block", "Largest"]);
        }
        head.push(of);
        (head, rows.collect())
    }

    /// What stands before the size of a largest block: of blocks in a sample it says the least that it can be.
    fn least(&self) -> &'static str {
        let mut runs = self.before.iter().chain(self.after);
        if runs.any(|it| it.profile().run.mode == Mode::Sampled) { "≥" } else { "" }
    }

    /// A size before and after, once if it is the same; sorted by after.
    fn sizes(&self, [before, after]: [Spread; 2], mark: &str) -> Cell {
        let text = |it: Spread| match it.max {
            0 => "–".to_owned(),
            _ => format!("{mark}{}", units::bytes(it.mean)),
        };
        let text = match (text(before), text(after)) {
            (before, after) if before == after => before,
            (before, after) => format!("{before} → {after}"),
        };
        Cell::number(text, after.mean)
    }

    /// The function nearest to the allocation, what it called, and where.
    fn name(&self, change: &LineChange) -> String {
        let Some(analysis) = self.before.iter().chain(self.after).nth(change.run) else {
            return String::new();
        };
        site_name(analysis, change.site, self.base)
    }

    fn type_name(&self, change: &LineChange) -> &str {
        let analysis = self.before.iter().chain(self.after).nth(change.run);
        let heap_type = analysis.and_then(|it| {
            let profile = it.profile();
            profile.heap_type(profile.sites.get(change.site as usize)?)
        });
        heap_type.map_or("", |it| &it.name)
    }

    fn command(&self) -> String {
        let command = self.after.first().map(|it| head::command(&it.profile().run));
        elide_middle(&command.unwrap_or_default(), 160)
    }

    fn counts(&self) -> String {
        let runs = |runs: &[&Analysis<'_>]| units::counted(runs.len() as u64, "run");
        format!("{} before, {} after", runs(self.before), runs(self.after))
    }

    fn heading(&self) -> String {
        format!("{}: {}", self.command(), self.counts())
    }

    fn caption(&self, comparison: &Comparison) -> String {
        let count = |wanted| comparison.changes.iter().filter(|it| it.kind() == wanted).count();
        format!(
            "Sites by {}: {} grown, {} shrunk, {} new, {} gone, {} the same",
            label(self.metric).to_lowercase(),
            count(Change::Grown),
            count(Change::Shrunk),
            count(Change::New),
            count(Change::Gone),
            count(Change::Same)
        )
    }

    /// What to know before the figures are trusted, in words.
    fn remarks(&self) -> Vec<String> {
        let mut remarks = self.incomplete();
        let (before, after) = (names_of(self.before), names_of(self.after));
        if let (Some(before), Some(after)) = (before, after)
            && before != after
        {
            remarks.push(format!(
                "The program has {} before and {} after, so its sites and types are not found again. Build both with \
                 the same `debug`.",
                said(before),
                said(after)
            ));
        }
        remarks
    }

    /// Runs that did not record everything, in words.
    fn incomplete(&self) -> Vec<String> {
        let runs = self
            .before
            .iter()
            .map(|it| ("before", it))
            .chain(self.after.iter().map(|it| ("after", it)));
        runs.filter(|(_, it)| {
            it.profile().completeness.attempts != it.profile().completeness.successes
        })
        .map(|(side, it)| {
            let run = it.profile();
            let verdict = head::verdict(&run.completeness, run.run.mode);
            let verdict: String = verdict.iter().map(|span| span.text()).collect();
            format!("A run of {side}: {verdict}")
        })
        .collect()
    }
}

/// Where the names of a program's own functions come from; `None` if that is not the same in all runs, or not known.
fn names_of(runs: &[&Analysis<'_>]) -> Option<Symbols> {
    let mut known = runs.iter().map(|run| {
        let profile = run.profile();
        let own = profile.modules.iter().find(|module| module.path == profile.run.exe);
        own.map(|module| module.symbols).filter(|symbols| *symbols != Symbols::NotAsked)
    });
    let first = known.next()??;
    known.all(|it| it == Some(first)).then_some(first)
}

fn said(symbols: Symbols) -> &'static str {
    match symbols {
        Symbols::DebugInfo => "debug information",
        Symbols::SymbolTable => "names of functions only",
        Symbols::NotAsked | Symbols::Missing | Symbols::Unreadable | Symbols::Replaced => {
            "no names"
        }
    }
}

/// Writes tables for a terminal.
pub fn text(runs: &Runs<'_>, out: &mut dyn Write) -> io::Result<()> {
    let comparison = runs.comparison(runs.metric);
    writeln!(out, "{}", runs.heading())?;
    for line in runs.remarks() {
        writeln!(out, "{line}")?;
    }
    writeln!(out)?;
    columns(&runs.totals(), out)?;
    if let Some((caption, table)) = runs.types() {
        writeln!(out, "\n{caption}")?;
        columns(&table, out)?;
    }
    writeln!(out, "\n{}", runs.caption(&comparison))?;
    columns(&runs.sites(&comparison), out)
}

/// Columns of text; the last is not padded, all but the first and the last are aligned to the right.
fn columns((head, rows): &Table, out: &mut dyn Write) -> io::Result<()> {
    let texts = |row: &'_ Vec<Cell>| row.iter().map(|cell| cell.text.clone()).collect();
    let head: Vec<String> = head.iter().map(|it| (*it).to_owned()).collect();
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(rows.iter().map(texts)).collect();
    for row in &rows {
        for (n, cell) in row.iter().enumerate() {
            let width = rows.iter().map(|row| row[n].chars().count()).max().unwrap_or(0);
            let pad = " ".repeat(width - cell.chars().count());
            match n {
                0 => write!(out, "  {cell}{pad}")?,
                _ if n + 1 == row.len() => write!(out, "  {cell}")?,
                _ => write!(out, "  {pad}{cell}")?,
            }
        }
        writeln!(out)?;
    }
    Ok(())
}

/// Writes a summary as Markdown, ready for a pull request.
pub fn markdown(runs: &Runs<'_>, out: &mut dyn Write) -> io::Result<()> {
    let comparison = runs.comparison(runs.metric);
    let code = |text: &str| format!("`{}`", text.replace('`', "'").replace('|', "\\|"));
    writeln!(out, "### Memory: {}\n\n{}.\n", code(&runs.command()), runs.counts())?;
    for line in runs.remarks() {
        writeln!(out, "{line}\n")?;
    }
    let code_in_last = |(head, mut rows): Table| {
        rows.iter_mut()
            .filter_map(|row| row.last_mut())
            .for_each(|last| last.text = code(&last.text));
        (head, rows)
    };
    markdown_table(&runs.totals(), out)?;
    if let Some((caption, table)) = runs.types() {
        writeln!(out, "\n{caption}\n")?;
        markdown_table(&code_in_last(table), out)?;
    }
    writeln!(out, "\n{}\n", runs.caption(&comparison))?;
    markdown_table(&code_in_last(runs.sites(&comparison)), out)
}

fn markdown_table((head, rows): &Table, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "| {} |", head.join(" | "))?;
    writeln!(out, "|{} :--- |", " ---: |".repeat(head.len() - 1))?;
    rows.iter().try_for_each(|row| {
        let texts: Vec<&str> = row.iter().map(|cell| &*cell.text).collect();
        writeln!(out, "| {} |", texts.join(" | "))
    })
}

/// Writes a page for a browser. Its tables of types and sites can be sorted by each column; that is all its script does.
pub fn html(runs: &Runs<'_>, out: &mut dyn Write) -> io::Result<()> {
    let comparison = runs.comparison(runs.metric);
    let escaped = |text: &str| crate::html::Escaped(text).to_string();
    writeln!(
        out,
        r#"<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:">
<link rel="icon" href="data:,"><title>memscope diff</title>
<style>{}</style></head><body><h1>{}</h1>"#,
        crate::html::STYLE,
        escaped(&runs.heading())
    )?;
    for line in runs.remarks() {
        writeln!(out, "<p class=\"warning\">{}</p>", escaped(&line))?;
    }
    let mut sections = vec![("Totals".to_owned(), runs.totals())];
    sections.extend(runs.types());
    sections.push((runs.caption(&comparison), runs.sites(&comparison)));
    for (caption, (head, rows)) in sections {
        writeln!(out, "<h2>{}</h2><div class=\"table\"><table><thead><tr>", escaped(&caption))?;
        for (column, cell) in head.iter().enumerate() {
            let is_number = rows.first().is_some_and(|row| row[column].number.is_some());
            let class = if is_number { " class=\"number\"" } else { "" };
            write!(out, "<th scope=\"col\"{class}>{cell}</th>")?;
        }
        writeln!(out, "</tr></thead><tbody>")?;
        for row in rows {
            let cell = |cell: &Cell| match cell.number {
                Some(number) => {
                    format!(
                        "<td class=\"number\" data-number=\"{number}\">{}</td>",
                        escaped(&cell.text)
                    )
                }
                None => format!("<td>{}</td>", escaped(&cell.text)),
            };
            let cells: String = row.iter().map(cell).collect();
            writeln!(out, "<tr>{cells}</tr>")?;
        }
        writeln!(out, "</tbody></table></div>")?;
    }
    writeln!(out, "<script>{SCRIPT}</script></body></html>")
}

/// Writes everything as JSON: totals by metric, and every site that has some of the metric on either side.
pub fn json(runs: &Runs<'_>, out: &mut dyn Write) -> io::Result<()> {
    let figures = |it: Spread| serde_json::json!({"min": it.min, "mean": it.mean, "max": it.max});
    let key = |metric| match metric {
        Metric::Peak => "peak_bytes",
        Metric::LiveAtEnd => "live_bytes",
        Metric::Allocations => "allocations",
        Metric::AllocatedBytes => "allocated_bytes",
        Metric::Temporary => "temporary",
    };
    let totals: BTreeMap<_, _> = Metric::ALL
        .map(|metric| {
            let Comparison { before, after, .. } = runs.comparison(metric);
            (key(metric), serde_json::json!({"before": figures(before), "after": figures(after)}))
        })
        .into();
    // Of runs in which it has no block, or of whose blocks nothing is known, it has none.
    let sizes = |[before, after]: [Spread; 2]| {
        let known = |it: Spread| Some(it).filter(|it| it.max > 0).map(figures);
        serde_json::json!({"before": known(before), "after": known(after)})
    };
    let comparison = runs.comparison(runs.metric);
    let changes = |comparison: &Comparison, key: &str, name: &dyn Fn(&LineChange) -> String| {
        let change = |it: &LineChange| {
            serde_json::json!({
                key: name(it),
                "how": kind(it),
                "change": it.change(),
                "before": figures(it.before),
                "after": figures(it.after),
                "mean_block_bytes": sizes(it.mean_block_bytes),
                "largest_block_bytes": sizes(it.largest_block_bytes),
            })
        };
        comparison.changes.iter().map(change).collect::<Vec<_>>()
    };
    let sites = changes(&comparison, "site", &|it| runs.name(it));
    let types = compare_types(runs.before, runs.after, runs.metric);
    let types = changes(&types, "type", &|it| runs.type_name(it).to_owned());
    let document = serde_json::json!({
        "format": "memscope-diff",
        "version": 1,
        "runs": {"before": runs.before.len(), "after": runs.after.len()},
        "metric": key(runs.metric),
        "totals": totals,
        "types": types,
        "sites": sites,
    });
    serde_json::to_writer(&mut *out, &document)?;
    writeln!(out)
}

/// Writes collapsed stacks with two values each, before and after, as differential flame graphs take them. Of several
/// runs, the values are means.
pub fn folded(runs: &Runs<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut stacks: BTreeMap<String, [u64; 2]> = BTreeMap::new();
    for (side, analyses) in [runs.before, runs.after].into_iter().enumerate() {
        for analysis in analyses {
            let mut text = Vec::new();
            crate::folded::write(analysis.profile(), runs.metric, &mut text)?;
            for line in String::from_utf8_lossy(&text).lines() {
                if let Some((stack, value)) = line.rsplit_once(' ') {
                    let value: u64 = value.parse().unwrap_or(0);
                    let sums = stacks.entry(stack.to_owned()).or_default();
                    sums[side] = sums[side].saturating_add(value);
                }
            }
        }
    }
    let counts = [runs.before.len().max(1) as u64, runs.after.len().max(1) as u64];
    for (stack, [before, after]) in stacks {
        writeln!(out, "{stack} {} {}", before / counts[0], after / counts[1])?;
    }
    Ok(())
}
