//! What the page's script is given: the profile in columns, with the classes, lines and names that the reports use.
//!
//! The script and this form are built and shipped together, so the form may change at will. Columns are optional for the
//! script: a view whose data is not there is not shown.
//!
//! - A frame is a function at a place: (function, file, line, class, inlined). An address is a list of frames, innermost
//!   first. Stacks are the prefix tree, each node by its distance to its parent.
//! - A site's `line` is the number of the line of the report that it belongs to.
//! - Numbers are JavaScript's: exact up to 2^53.

use super::Sources;
use super::columns::Differences;
use super::interner::{Frames, Interner, Names};
use super::snippets::{self, Snippet};
use super::spans::{Spans, spans};
use crate::text::figures::Figures;
use crate::text::{by_type, growth, head, paths};
use memscope_profile::analyze::{Analysis, Line, Metric};
use memscope_profile::model::{MissCause, Mode, Module, Profile, Symbols, Thread};
use memscope_profile::types::{TypeHistogram, TypeLine};

/// No more places that grew than these.
const MAX_GROWTH_ROWS: usize = 1000;

/// The whole of it.
#[derive(Debug, serde::Serialize)]
pub(super) struct Payload<'p> {
    run: Run<'p>,
    completeness: Completeness,
    warnings: Vec<[&'p str; 2]>,
    totals: Totals,
    functions: Names,
    files: Names,
    frames: Frames,
    addresses: Addresses,
    stacks: Stacks,
    sites: Sites,
    types: Vec<TypeRow<'p>>,
    growth: Growing,
    threads: Vec<ThreadRow<'p>>,
    /// Which threads allocated at a site: places in `threads`, ascending.
    thread_sets: Vec<&'p [u32]>,
    /// Named values: name, type, file, line, live bytes, live blocks, most bytes, blocks.
    variables: Vec<VariableRow<'p>>,
    tasks: Vec<TaskRow>,
    modules: Vec<ModuleRow<'p>>,
    timeline: Samples,
    spans: Spans,
    snippets: Vec<SnippetRow>,
}

#[derive(Debug, serde::Serialize)]
struct Run<'p> {
    exe: &'p str,
    start_ms: u64,
    duration_ms: u64,
    mode: &'static str,
    interval_bytes: u64,
    version: &'p str,
}

#[derive(Debug, serde::Serialize)]
struct Completeness {
    attempts: u64,
    successes: u64,
    /// What is missing and why, in sentences.
    facts: Vec<String>,
    /// Events that were missed, with their cause.
    misses: Vec<(&'static str, u64)>,
    unknown_frees: u64,
    truncated_stacks: u64,
    foreign_stacks: u64,
    peak_uncertainty_bytes: u64,
}

#[derive(Debug, serde::Serialize)]
struct Totals {
    allocations: u64,
    allocated_bytes: u64,
    frees: u64,
    freed_bytes: u64,
    reallocs: u64,
    temporary: u64,
    failed: u64,
    peak_bytes: u64,
    peak_blocks: u64,
    peak_ms: u64,
    peak_is_end: bool,
    live_bytes: u64,
    live_blocks: u64,
}

#[derive(Debug, Default, serde::Serialize)]
struct Addresses {
    /// How many frames each has.
    frames: Vec<u32>,
    /// All their frames, innermost first.
    frame: Vec<u32>,
}

#[derive(Debug, Default, serde::Serialize)]
struct Stacks {
    /// A node's number (from 1 on) less its parent's.
    up: Vec<u32>,
    address: Vec<u32>,
}

#[derive(Debug, Default, serde::Serialize)]
struct Sites {
    stack: Differences,
    line: Differences,
    /// The place in `types` plus one. Empty if no type is known.
    heap_type: Vec<u32>,
    /// The place in `thread_sets` plus one, 0: not known. Empty if it is known of none.
    threads: Vec<u32>,
    kind: Vec<u8>,
    truncated: Vec<u8>,
    first_ms: Differences,
    allocations: Vec<u64>,
    allocated_bytes: Vec<u64>,
    live_blocks: Vec<u64>,
    live_bytes: Vec<u64>,
    temporary: Vec<u64>,
    peak_blocks: Vec<u64>,
    peak_bytes: Vec<u64>,
}

#[derive(Debug, serde::Serialize)]
struct ThreadRow<'p> {
    tid: u32,
    name: &'p str,
    first_ms: u64,
    attempts: u64,
    successes: u64,
    allocations: u64,
    allocated_bytes: u64,
    frees: u64,
    freed_bytes: u64,
    temporary: u64,
}

/// What some blocks are; those of nothing known have no name.
#[derive(Debug, serde::Serialize)]
struct TypeRow<'p> {
    name: &'p str,
    known_by: &'static str,
    peak_bytes: u64,
    peak_blocks: u64,
    /// Room for values in the blocks alive at the peak; left out if it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    peak_capacity: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    largest_block_bytes: Option<u64>,
    is_largest_of_sample: bool,
    copied_bytes: u64,
    given_back_bytes: u64,
    live_bytes: u64,
    allocated_bytes: u64,
    allocations: u64,
    temporary: u64,
}

/// What growing cost, and what would have spared it.
#[derive(Debug, Default, serde::Serialize)]
struct Growing {
    /// Of all; empty if nothing was copied, or it is not known.
    about: String,
    copied_bytes: u64,
    /// The places, that with the most first.
    rows: Vec<GrowthRow>,
}

#[derive(Debug, serde::Serialize)]
struct GrowthRow {
    /// The line of the report.
    line: u32,
    copied_bytes: u64,
    growths: u64,
    steps: String,
    /// Empty if there is none.
    advice: String,
}

#[derive(Debug, serde::Serialize)]
struct VariableRow<'p> {
    name: &'p str,
    type_name: &'p str,
    file: &'p str,
    line: u32,
    live_bytes: u64,
    live_blocks: u64,
    peak_bytes: u64,
    blocks: u64,
}

#[derive(Debug, serde::Serialize)]
struct TaskRow {
    /// From the outermost task on.
    name: String,
    kind: &'static str,
    peak_bytes: u64,
    live_bytes: u64,
    allocated_bytes: u64,
    allocations: u64,
}

#[derive(Debug, serde::Serialize)]
struct ModuleRow<'p> {
    path: &'p str,
    build_id: String,
    symbols: &'static str,
    is_named: bool,
    debug_path: &'p str,
}

#[derive(Debug, Default, serde::Serialize)]
struct Samples {
    interval_ms: u64,
    ms: Differences,
    live_bytes: Differences,
    live_blocks: Differences,
    allocations: Differences,
}

#[derive(Debug, serde::Serialize)]
struct SnippetRow {
    file: u32,
    #[serde(flatten)]
    snippet: Snippet,
}

impl<'p> Payload<'p> {
    /// Takes time and memory in proportion to frames, stacks, sites and changes.
    pub(super) fn new(analysis: &Analysis<'p>, sources: &Sources<'_>) -> Self {
        let profile = analysis.profile();
        let roots = paths::roots(sources.base, &profile.run.exe, analysis.own_package());
        let lines = analysis.line_of_each_site();
        let mut interner = Interner::new(analysis, &roots);
        let addresses = addresses(profile, &mut interner);
        let snippets = snippets::snippets(analysis, sources.text)
            .into_iter()
            .map(|snippet| SnippetRow { file: interner.file(snippet.file), snippet })
            .collect();
        let Interner { functions, files, frames, .. } = interner;
        let by_type = TypeHistogram::new(profile, Metric::Peak);
        Self {
            run: run(profile),
            completeness: completeness(profile),
            warnings: profile.warnings.iter().map(|it| [&*it.message, &*it.hint]).collect(),
            totals: totals(profile),
            functions,
            files,
            frames,
            addresses,
            stacks: stacks(profile),
            sites: sites(profile, &lines, &by_type),
            types: types(profile, by_type),
            growth: growth(analysis, &lines),
            threads: profile.threads.iter().map(thread).collect(),
            thread_sets: profile.thread_sets.iter().map(|set| shown(set)).collect(),
            variables: variables(profile, &roots),
            tasks: tasks(profile),
            modules: profile.modules.iter().map(module).collect(),
            timeline: samples(profile),
            spans: spans(&profile.timeline, &lines),
            snippets,
        }
    }
}

/// So many threads of a site the page knows: what it holds of them must not outgrow the rest.
const MAX_SHOWN_THREADS: usize = 16;

fn shown(set: &[u32]) -> &[u32] {
    &set[..set.len().min(MAX_SHOWN_THREADS)]
}

fn addresses(profile: &Profile, interner: &mut Interner<'_, '_>) -> Addresses {
    let mut addresses = Addresses::default();
    for number in 0..profile.addresses.len() {
        let before = addresses.frame.len();
        for view in profile.address_frames(number as u32) {
            addresses.frame.push(interner.frame(&view));
        }
        addresses.frames.push((addresses.frame.len() - before) as u32);
    }
    addresses
}

fn stacks(profile: &Profile) -> Stacks {
    let mut stacks = Stacks::default();
    for (index, node) in profile.stacks.iter().enumerate() {
        let id = index as u32 + 1;
        // A parent that is not smaller would be a cycle; it counts as the root.
        let parent = if node.parent < id { node.parent } else { 0 };
        stacks.up.push(id - parent);
        stacks.address.push(node.address);
    }
    stacks
}

fn sites(profile: &Profile, lines: &[u32], by_type: &TypeHistogram<'_>) -> Sites {
    let mut sites = Sites::default();
    if !profile.types.is_empty() {
        sites.heap_type = vec![0; profile.sites.len()];
        for (place, line) in (1..).zip(&by_type.lines) {
            line.sites.iter().for_each(|site| sites.heap_type[*site as usize] = place);
        }
    }
    if !profile.thread_sets.is_empty() {
        sites.threads = profile.sites.iter().map(|site| site.threads).collect();
    }
    for (site, &line) in profile.sites.iter().zip(lines) {
        let counts = &site.counts;
        sites.stack.0.push(site.stack.into());
        sites.line.0.push(line.into());
        sites.kind.push(site.kind);
        sites.truncated.push(site.truncated.into());
        sites.first_ms.0.push(site.first_ms);
        sites.allocations.push(counts.allocations);
        sites.allocated_bytes.push(counts.allocated_bytes);
        // Mostly zero, which what was freed is not.
        sites.live_blocks.push(counts.live_blocks());
        sites.live_bytes.push(counts.live_bytes());
        sites.temporary.push(counts.temporary);
        sites.peak_blocks.push(counts.peak_blocks);
        sites.peak_bytes.push(counts.peak_bytes);
    }
    sites
}

/// None if no site has a type.
fn types<'p>(profile: &'p Profile, by_type: TypeHistogram<'p>) -> Vec<TypeRow<'p>> {
    if profile.types.is_empty() {
        return Vec::new();
    }
    let row = |line: TypeLine<'p>| TypeRow {
        name: line.name,
        known_by: by_type::known_by(line.evidence),
        peak_bytes: line.counts.peak_bytes,
        peak_blocks: line.counts.peak_blocks,
        peak_capacity: line.peak_capacity,
        largest_block_bytes: line.counts.largest_block(),
        is_largest_of_sample: line.counts.is_largest_of_sample(),
        copied_bytes: line.counts.growth.copied_bytes,
        given_back_bytes: line.counts.growth.given_back_bytes,
        live_bytes: line.counts.live_bytes(),
        allocated_bytes: line.counts.allocated_bytes,
        allocations: line.counts.allocations,
        temporary: line.counts.temporary,
    };
    by_type.lines.into_iter().map(row).collect()
}

fn growth(analysis: &Analysis<'_>, lines: &[u32]) -> Growing {
    let profile = analysis.profile();
    let figures = Figures::of(&profile.run);
    let Some(growth) = profile.totals.growth.filter(|growth| growth.copied_bytes > 0) else {
        return Growing::default();
    };
    let row = |line: &Line| GrowthRow {
        line: lines[line.sites[0] as usize],
        copied_bytes: line.counts.growth.copied_bytes,
        growths: line.counts.growth.growths,
        steps: growth::steps(profile, line, figures),
        advice: growth::advice(profile, line, figures).unwrap_or_default(),
    };
    let rows = growth::lines(analysis).iter().take(MAX_GROWTH_ROWS).map(row).collect();
    Growing { about: growth::about(&growth, figures), copied_bytes: growth.copied_bytes, rows }
}

fn run(profile: &Profile) -> Run<'_> {
    let run = &profile.run;
    Run {
        exe: &run.exe,
        start_ms: run.start_ns / 1_000_000,
        duration_ms: run.duration_ns / 1_000_000,
        mode: match run.mode {
            Mode::Exact => "exact",
            Mode::Sampled => "sampled",
            Mode::Counting => "counting",
        },
        interval_bytes: run.interval_bytes,
        version: &run.memscope_version,
    }
}

fn completeness(profile: &Profile) -> Completeness {
    let completeness = &profile.completeness;
    Completeness {
        attempts: completeness.attempts,
        successes: completeness.successes,
        facts: head::facts(profile),
        misses: MissCause::ALL
            .map(|cause| (head::why(cause), completeness.misses[cause as usize]))
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .collect(),
        unknown_frees: completeness.unknown_frees,
        truncated_stacks: completeness.truncated_stacks,
        foreign_stacks: completeness.foreign_stacks,
        peak_uncertainty_bytes: completeness.peak_uncertainty_bytes,
    }
}

fn totals(profile: &Profile) -> Totals {
    let totals = &profile.totals;
    Totals {
        allocations: totals.allocations,
        allocated_bytes: totals.allocated_bytes,
        frees: totals.frees,
        freed_bytes: totals.freed_bytes,
        reallocs: totals.reallocs,
        temporary: totals.temporary,
        failed: totals.failed,
        peak_bytes: totals.peak_bytes,
        peak_blocks: totals.peak_blocks,
        peak_ms: totals.peak_ms,
        peak_is_end: totals.peak_is_end,
        live_bytes: totals.live_bytes,
        live_blocks: totals.live_blocks,
    }
}

fn thread(thread: &Thread) -> ThreadRow<'_> {
    ThreadRow {
        tid: thread.tid,
        name: &thread.name,
        first_ms: thread.first_ms,
        attempts: thread.attempts,
        successes: thread.successes,
        allocations: thread.allocations,
        allocated_bytes: thread.allocated_bytes,
        frees: thread.frees,
        freed_bytes: thread.freed_bytes,
        temporary: thread.temporary,
    }
}

fn variables<'p>(profile: &'p Profile, roots: &[String]) -> Vec<VariableRow<'p>> {
    let rows = profile.variables().map(|label| VariableRow {
        name: &label.name,
        type_name: &label.type_name,
        file: roots
            .iter()
            .find_map(|root| label.file.strip_prefix(root.as_str())?.strip_prefix('/'))
            .unwrap_or(&label.file),
        line: label.line,
        live_bytes: label.live_bytes,
        live_blocks: label.live_blocks,
        peak_bytes: label.peak_bytes,
        blocks: label.blocks,
    });
    rows.collect()
}

fn tasks(profile: &Profile) -> Vec<TaskRow> {
    let rows = profile.task_lines().into_iter().map(|line| TaskRow {
        kind: line.task.kind_name(),
        peak_bytes: line.task.peak_bytes,
        live_bytes: line.counts.live_bytes(),
        allocated_bytes: line.counts.allocated_bytes,
        allocations: line.counts.allocations,
        name: line.path,
    });
    rows.collect()
}

fn module(module: &Module) -> ModuleRow<'_> {
    let (symbols, is_named) = match module.symbols {
        Symbols::NotAsked => ("none of its code stands in a stack", true),
        Symbols::DebugInfo => ("functions, files and lines", true),
        Symbols::SymbolTable => ("functions, without files and lines", true),
        Symbols::Missing => ("none: its functions are shown as addresses", false),
        Symbols::Unreadable => ("the file could not be read", false),
        Symbols::Replaced => ("the file was replaced since the run", false),
    };
    ModuleRow {
        path: &module.path,
        build_id: module.build_id.iter().map(|byte| format!("{byte:02x}")).collect(),
        symbols,
        is_named,
        debug_path: &module.debug_path,
    }
}

fn samples(profile: &Profile) -> Samples {
    let samples = &profile.timeline.samples;
    Samples {
        interval_ms: profile.timeline.interval_ms,
        ms: samples.iter().map(|sample| sample.ms).collect(),
        live_bytes: samples.iter().map(|sample| sample.live_bytes).collect(),
        live_blocks: samples.iter().map(|sample| sample.live_blocks).collect(),
        allocations: samples.iter().map(|sample| sample.allocations).collect(),
    }
}
