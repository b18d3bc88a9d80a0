//! The top sites by each metric, each with its stack.
//!
//! A stack is written once: where a site is among the top by several metrics, the later ones point to the first.

use super::figures::{Figures, Unit};
use super::page::{Breaks, Ink, Page, columns, span};
use super::stack::{Row, rows};
use super::totals::held_to_the_end;
use super::units::{counted, since_start};
use super::{Options, frames, paths};
use memscope_profile::analyze::{Analysis, Line, Metric, Ranking};
use memscope_profile::model::{Counts, End, Profile, Site};
use std::collections::HashMap;
use std::io;

pub(super) fn write(
    analysis: &Analysis<'_>,
    options: &Options,
    page: &mut Page<'_>,
) -> io::Result<()> {
    let profile = analysis.profile();
    if profile.sites.is_empty() || options.top == 0 {
        return Ok(());
    }
    let roots = paths::roots(&options.base, &profile.run.exe, analysis.own_package());
    let figures = Figures::of(&profile.run);
    let mut writer = Writer { analysis, options, roots, figures, page, shown: HashMap::new() };
    for metric in [Metric::Peak, Metric::LiveAtEnd, Metric::Allocations, Metric::Temporary] {
        writer.section(&Section::of(metric, profile))?;
    }
    Ok(())
}

/// The words of a section.
struct Section {
    metric: Metric,
    /// The metric's sum over the whole process.
    whole: u64,
    heading: &'static str,
    /// What follows the heading.
    about: String,
    /// What a site of this section is called elsewhere: `number 1 at the peak`.
    place: &'static str,
    /// The section, if there is nothing to show.
    nothing: &'static str,
}

impl Section {
    fn of(metric: Metric, profile: &Profile) -> Self {
        let totals = &profile.totals;
        let figures = Figures::of(&profile.run);
        match metric {
            Metric::Peak => Section {
                metric,
                whole: totals.peak_bytes,
                heading: "Top sites at the peak",
                about: match held_to_the_end(profile) {
                    Some(held) => format!(", {}, {held}", figures.bytes(totals.peak_bytes)),
                    None => {
                        let since_start = since_start(totals.peak_ms);
                        format!(", {} {since_start}", figures.bytes(totals.peak_bytes))
                    }
                },
                place: "at the peak",
                nothing: "At the peak: nothing was held.",
            },
            Metric::LiveAtEnd if profile.run.end == End::Running => Section {
                metric,
                whole: totals.live_bytes,
                heading: "Top sites live now",
                about: format!(", {}", figures.bytes(totals.live_bytes)),
                place: "live now",
                nothing: "Live now: nothing, every block was freed.",
            },
            Metric::LiveAtEnd => Section {
                metric,
                whole: totals.live_bytes,
                heading: "Top sites live at end",
                about: format!(", {} never freed", figures.bytes(totals.live_bytes)),
                place: "live at end",
                nothing: "Live at end: nothing, every block was freed.",
            },
            Metric::Allocations | Metric::AllocatedBytes => Section {
                metric,
                whole: totals.allocations,
                heading: "Top sites by allocations",
                about: format!(", of {}", figures.counted(totals.allocations, "allocation")),
                place: "by allocations",
                nothing: "By allocations: nothing was allocated.",
            },
            Metric::Temporary => Section {
                metric,
                whole: totals.temporary,
                heading: "Top sites by temporary allocations",
                about: format!(
                    ", of {} freed before their thread allocated again",
                    figures.count(totals.temporary)
                ),
                place: "by temporary allocations",
                nothing: "Temporary allocations: none.",
            },
        }
    }

    /// An amount of the metric, for people.
    fn amount(&self, value: u64, figures: Figures) -> String {
        match self.metric {
            Metric::Peak | Metric::LiveAtEnd | Metric::AllocatedBytes => figures.bytes(value),
            Metric::Allocations | Metric::Temporary => figures.counted(value, "allocation"),
        }
    }

    /// What is to be said of a line beside its amount and share.
    fn details(&self, counts: &Counts, figures: Figures) -> String {
        let error = |unit| {
            let value = self.metric.value(counts);
            figures.error(value, self.metric.deviation(counts), unit)
        };
        let held = |bytes, blocks_in_words: String| {
            let error = error(Unit::Bytes).map_or(String::new(), |error| format!(" {error}"));
            format!("{}{error} in {blocks_in_words}", figures.exact_bytes(bytes))
        };
        let counted = || error(Unit::Count).map_or(String::new(), |error| format!("{error}, "));
        let size = || {
            let size = figures.mean_size(counts.allocated_bytes, counts.allocations);
            size.map_or(String::new(), |size| format!(", {size}"))
        };
        match self.metric {
            Metric::Peak => {
                let blocks = figures.counted(counts.peak_blocks, "block");
                held(counts.peak_bytes, blocks)
            }
            Metric::LiveAtEnd => {
                let (live, of) = (counts.live_blocks(), counts.allocations);
                let blocks = match counts.frees {
                    0 if of == 1 => "its only block".to_owned(),
                    0 => format!("all its {}", figures.counted(of, "block")),
                    _ => format!("{} of {}", figures.counted(live, "block"), figures.count(of)),
                };
                held(counts.live_bytes(), blocks)
            }
            Metric::Allocations | Metric::AllocatedBytes => {
                format!("{}{}{}", counted(), figures.bytes(counts.allocated_bytes), size())
            }
            Metric::Temporary => {
                let of_its_own = figures.share(counts.temporary, counts.allocations);
                format!("{}{of_its_own} of its allocations{}", counted(), size())
            }
        }
    }
}

struct Writer<'w, 'o, 'p> {
    analysis: &'w Analysis<'p>,
    options: &'w Options,
    roots: Vec<String>,
    figures: Figures,
    page: &'w mut Page<'o>,
    /// Lines whose stack was written already, by the least of their sites, and what they are called.
    shown: HashMap<u32, String>,
}

impl Writer<'_, '_, '_> {
    fn section(&mut self, section: &Section) -> io::Result<()> {
        self.page.blank()?;
        let ranking = self.analysis.rank(section.metric, self.options.top);
        // Of sites that disagree with the totals, none may have more than all.
        let suppressed = section.metric.value(&self.analysis.profile().suppressed);
        let whole = section.whole.saturating_sub(suppressed).max(ranking.total);
        if ranking.lines.is_empty() && whole == 0 && suppressed > 0 {
            let text = format!("{}; none of it at a site that is shown.", section.about);
            let about = [span(Ink::Strong, section.heading), span(Ink::Plain, text)];
            return self.page.paragraph(0, 2, Breaks::Words, &about);
        }
        if ranking.lines.is_empty() && whole == 0 {
            return self.page.paragraph(0, 2, Breaks::Words, &[span(Ink::Strong, section.nothing)]);
        }
        self.page.paragraph(
            0,
            2,
            Breaks::Words,
            &[span(Ink::Strong, section.heading), span(Ink::Plain, &section.about)],
        )?;
        let heads: Vec<_> = ranking
            .lines
            .iter()
            .map(|line| {
                let amount = section.amount(line.value, self.figures);
                (amount, self.figures.share(line.value, whole))
            })
            .collect();
        let amount_columns = heads.iter().map(|head| columns(&head.0)).max().unwrap_or(0);
        let share_columns = heads.iter().map(|head| columns(&head.1)).max().unwrap_or(0);
        for (n, (line, (amount, share))) in ranking.lines.iter().zip(heads).enumerate() {
            let number = n + 1;
            let lead = format!("{number:>2}. ");
            let amount_gap = " ".repeat(amount_columns - columns(&amount));
            let share_gap = " ".repeat(share_columns - columns(&share) + 2);
            let indent = columns(&lead);
            self.page.paragraph(
                0,
                indent,
                Breaks::Words,
                &[
                    span(Ink::Plain, lead + &amount_gap),
                    span(Ink::Strong, amount),
                    span(Ink::Plain, format!("{share_gap}{share}  ")),
                    span(Ink::Faint, section.details(&line.counts, self.figures)),
                    span(Ink::Plain, self.types(line)),
                ],
            )?;
            self.stack(line, indent, format!("number {number} {}", section.place))?;
        }
        self.rest(section, &ranking, whole)
    }

    /// What the line's blocks are: the types of its sites, that with the most first. Where that one has none, a lesser
    /// part's would mislead.
    fn types(&self, line: &Line) -> String {
        let profile = self.analysis.profile();
        let mut names: Vec<&str> = Vec::new();
        for site in line.sites.iter().filter_map(|site| profile.sites.get(*site as usize)) {
            let heap_type = profile.heap_type(site).filter(|it| it.evidence.is_typed());
            names.extend(heap_type.map(|it| it.name.as_str()).filter(|name| !names.contains(name)));
        }
        let largest = line.sites.first().and_then(|site| profile.sites.get(*site as usize));
        let is_typed = |site| profile.heap_type(site).is_some_and(|it| it.evidence.is_typed());
        match names[..] {
            [] => String::new(),
            _ if !largest.is_some_and(is_typed) => String::new(),
            [only] => format!(", {only}"),
            [first, second] => format!(", {first} and {second}"),
            [first, ref others @ ..] => {
                format!(", {first} and {}", counted(others.len() as u64, "other type"))
            }
        }
    }

    /// The stack of a line, or where it stands already.
    fn stack(&mut self, line: &Line, indent: usize, here: String) -> io::Result<()> {
        let sites = &self.analysis.profile().sites;
        let sites_of_line = || line.sites.iter().filter_map(|n| sites.get(*n as usize));
        let Some(most) = sites_of_line().next() else { return Ok(()) };
        let site = Site { truncated: sites_of_line().any(|site| site.truncated), ..*most };
        let mut rows = rows(self.analysis, &site, self.options.max_functions, &self.roots);
        let key = line.sites.iter().min().copied().unwrap_or(0);
        let lead_rows = 1 + usize::from(matches!(rows.get(1), Some(Row::Via(_))));
        let elsewhere = self.shown.get(&key).filter(|_| rows.len() > lead_rows + 1).cloned();
        if elsewhere.is_some() {
            rows.truncate(lead_rows);
        }
        frames::write(&rows, indent, self.page)?;
        match elsewhere {
            Some(place) => {
                let text = format!("… the stack of {place}");
                self.page.paragraph(indent, indent + 2, Breaks::Words, &[span(Ink::Faint, text)])
            }
            None => {
                self.shown.entry(key).or_insert(here);
                Ok(())
            }
        }
    }

    /// What is not shown.
    fn rest(&mut self, section: &Section, ranking: &Ranking, whole: u64) -> io::Result<()> {
        let mut rest = Vec::new();
        if ranking.omitted_lines > 0 {
            rest.push(format!(
                "{}: {} ({})",
                counted(ranking.omitted_lines as u64, "more site"),
                section.amount(ranking.omitted_value, self.figures),
                self.figures.share(ranking.omitted_value, whole)
            ));
        }
        let unaccounted = whole - ranking.total;
        if unaccounted > 0 {
            rest.push(format!(
                "{} ({}) that no site accounts for",
                section.amount(unaccounted, self.figures),
                self.figures.share(unaccounted, whole)
            ));
        }
        if rest.is_empty() {
            return Ok(());
        }
        let text = format!(" …  {}", rest.join("; "));
        self.page.paragraph(0, 4, Breaks::Words, &[span(Ink::Faint, text)])
    }
}
