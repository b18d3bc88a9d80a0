//! Lines of source around the frames that hold the most, so that the page shows them where the sources are not.
//!
//! Bounded: by the number of places, by lines around each, by the length of a line.

use memscope_profile::analyze::{Analysis, Class, Metric};
use std::collections::{BTreeSet, HashMap};

/// Lines of the ranking by each metric whose frames get their source.
const LINES_WITH_SOURCE: usize = 50;
/// Frames of one stack that get it.
const FRAMES_WITH_SOURCE: usize = 24;
/// Files that are asked for.
const MAX_FILES: usize = 300;
/// Lines shown on each side.
const AROUND: u32 = 3;
/// Columns of a line that are shown.
const MAX_COLUMNS: usize = 160;

/// A stretch of lines of a file.
#[derive(Debug, serde::Serialize)]
pub(super) struct Snippet {
    /// The file's number in the profile's texts.
    #[serde(skip)]
    pub(super) file: u32,
    /// The number of the first line.
    pub(super) first_line: u32,
    /// The lines.
    pub(super) text: Vec<String>,
}

/// The source around the frames of the program's own that stand in the rankings.
pub(super) fn snippets(
    analysis: &Analysis<'_>,
    source: &dyn Fn(&str) -> Option<String>,
) -> Vec<Snippet> {
    let profile = analysis.profile();
    let mut places = BTreeSet::new();
    for metric in Metric::ALL {
        for line in analysis.rank(metric, LINES_WITH_SOURCE).lines {
            let Some(site) = profile.sites.get(line.sites[0] as usize) else { continue };
            let own = profile
                .stack_frames(site.stack)
                .filter(|view| analysis.class(view) == Class::User && view.line() > 0)
                .take(FRAMES_WITH_SOURCE);
            places.extend(own.filter_map(|view| Some((view.frame()?.file, view.line()))));
        }
    }
    let mut files: HashMap<u32, Option<String>> = HashMap::new();
    let mut snippets: Vec<Snippet> = Vec::new();
    for (file, line) in places {
        let path = profile.string(file);
        if path.is_empty() || files.len() == MAX_FILES && !files.contains_key(&file) {
            continue;
        }
        let Some(text) = files.entry(file).or_insert_with(|| source(path)) else { continue };
        let mut first_line = line.saturating_sub(AROUND).max(1);
        // Places come by file and line: what the one before shows already is not shown twice.
        let before = snippets.last_mut().filter(|it| it.file == file);
        let shown =
            before.as_ref().map_or(0, |it| it.first_line.saturating_add(it.text.len() as u32));
        let goes_on = shown >= first_line;
        first_line = first_line.max(shown);
        let lines = text.lines().skip(first_line as usize - 1);
        let lines = lines.take(line.saturating_add(AROUND + 1).saturating_sub(first_line) as usize);
        let lines = lines.map(|text| text.chars().take(MAX_COLUMNS).collect());
        match before {
            Some(before) if goes_on => before.text.extend(lines),
            _ => {
                let text: Vec<String> = lines.collect();
                // A file that is shorter than it was says nothing about this place.
                if !text.is_empty() {
                    snippets.push(Snippet { file, first_line, text });
                }
            }
        }
    }
    snippets
}
