//! The report for a terminal.
//!
//! Order: which command and how it ended, how complete the recording is, warnings, totals, types, the top sites by four
//! metrics, named values and tasks, threads, the other processes of the run. What matters most stands first, so that the
//! first ten lines answer "can I trust this, and how much memory was it?".
//!
//! Invariants: no number without a unit; estimates are marked; a section with nothing to show says so in one line;
//! foreign text (names, paths, arguments) cannot control the terminal.
//! Deliberately absent: finding out the terminal's width and whether it has colours. The caller knows.

pub(crate) mod by_type;
pub(crate) mod figures;
mod frames;
pub(crate) mod growth;
pub(crate) mod head;
mod named;
pub(crate) mod names;
pub(crate) mod page;
pub(crate) mod paths;
mod processes;
mod sites;
pub(crate) mod stack;
mod table;
mod threads;
pub(crate) mod totals;
pub(crate) mod units;

use memscope_profile::Profile;
use memscope_profile::analyze::Analysis;
use memscope_profile::model::{Counts, End, Run};
use page::Page;
use std::io::{self, Write};

pub use units::counted;

/// How to write the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Columns of the terminal; less than 20 is taken as 20.
    pub width: usize,
    /// Whether to write ANSI colours.
    pub colour: bool,
    /// How many sites to show by each metric.
    pub top: usize,
    /// How many types to show.
    pub types: usize,
    /// How many functions of a stack to show before the rest is folded.
    pub max_functions: usize,
    /// The folder that source paths are shown relative to, beside that of the project that built the program.
    /// Empty: none.
    pub base: String,
}

impl Default for Options {
    fn default() -> Self {
        Self { width: 100, colour: false, top: 5, types: 10, max_functions: 8, base: String::new() }
    }
}

/// Writes the report.
///
/// Fails only if `out` does. Some tenths of a second for 100,000 stacks, nearly all of it for
/// merging sites that look the same (see [`Analysis`]).
pub fn write(profile: &Profile, options: &Options, out: &mut dyn Write) -> io::Result<()> {
    let mut buffered = io::BufWriter::new(out);
    let mut page = Page::new(&mut buffered, options.width, options.colour);
    head::write(profile, &mut page)?;
    // Where nothing was recorded, the head has said so, and why.
    if profile.completeness.attempts > 0 || profile.totals.allocations > 0 {
        page.blank()?;
        totals::write(profile, &mut page)?;
        by_type::write(profile, options.types, &mut page)?;
        let analysis = Analysis::new(profile);
        sites::write(&analysis, options, &mut page)?;
        growth::write(&analysis, options, &mut page)?;
        named::write(profile, &options.base, &mut page)?;
        threads::write(profile, &mut page)?;
    }
    processes::write(profile, &mut page)?;
    buffered.flush()
}

/// What happened at sites, in a few words: `1.2 MiB at the peak, 300 B live at end and 1,000 allocations`.
pub fn sums(counts: &Counts, run: &Run) -> String {
    let figures = figures::Figures::of(run);
    let live = if run.end == End::Running { "live now" } else { "live at end" };
    format!(
        "{} at the peak, {} {live} and {}",
        figures.bytes(counts.peak_bytes),
        figures.bytes(counts.live_bytes()),
        figures.counted(counts.allocations, "allocation")
    )
}

/// How large blocks are, in a few words: `mean 57 B, largest 24.0 KiB`. Empty if there was none.
pub fn block_sizes(counts: &Counts, run: &Run) -> String {
    let Some(mean) = counts.mean_block_bytes() else { return String::new() };
    let mean = figures::Figures::of(run).bytes(mean);
    match by_type::largest_block(counts) {
        Some(largest) => format!("mean {mean}, largest {largest}"),
        None => format!("mean {mean}"),
    }
}

/// A site in one line: the program's function nearest to the allocation, what it called, and where.
///
/// `base` is the folder that source paths are shown relative to, or empty.
pub fn site_name(analysis: &Analysis<'_>, site: u32, base: &str) -> String {
    let profile = analysis.profile();
    let Some(site) = profile.sites.get(site as usize) else { return String::new() };
    let rows = stack::rows(
        analysis,
        site,
        1,
        &paths::roots(base, &profile.run.exe, analysis.own_package()),
    );
    let Some((function, via)) = stack::head(&rows) else { return "no stack".to_owned() };
    let via = via.map_or(String::new(), |operation| format!(" via {operation}"));
    format!("{}{via} {}", function.name, function.place).trim_end().to_owned()
}

/// A site's stack, innermost first, a line for each function of the program's own and for each stretch of others.
pub fn site_stack(analysis: &Analysis<'_>, site: u32, base: &str) -> Vec<String> {
    let profile = analysis.profile();
    let Some(site) = profile.sites.get(site as usize) else { return Vec::new() };
    let rows = stack::rows(
        analysis,
        site,
        usize::MAX,
        &paths::roots(base, &profile.run.exe, analysis.own_package()),
    );
    let text = |row: &stack::Row| match row {
        stack::Row::Function(function) => format!("{} {}", function.name, function.place),
        stack::Row::Via(operation) => format!("via {operation}"),
        stack::Row::Folded { frames, whose, .. } => format!("… {frames} {whose} frames"),
        stack::Row::Note(note) => (*note).to_owned(),
    };
    rows.iter().map(text).collect()
}
