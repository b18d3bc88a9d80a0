//! The Firefox Profiler's own format, a "processed profile", version 61 (its viewer takes any version up to its own).
//!
//! ```text
//! shared   texts, functions, frames, the prefix tree of stacks: once for all threads
//! threads  one for each metric: bytes as native allocations, numbers as weighted samples
//! counter  live bytes over time, the peak among them: the viewer's memory track
//! ```
//!
//! What was allocated lies where it was allocated in time, as far as the timeline says, and the rest at the end: a span
//! that is chosen in the viewer has the sites of that span. What was freed lies there as well, with negative weights, as
//! the format has it.
//!
//! Invariants: the positive weights of a metric's thread add up to the metric; a stack's parent comes before it; metrics
//! without any value are left out, since viewers show nothing for them.
//! Deliberately absent: addresses of blocks, which a profile does not hold, and so the viewer's "retained" view, which the
//! threads "Peak" and "Live at end" stand for. The crate fxprof-processed-profile is not used: its weights have 32 bits,
//! and its frames no files.

use crate::folded;
use crate::sequence::Sequence;
use crate::text::{head, paths};
use memscope_profile::Profile;
use memscope_profile::analyze::{Analysis, Class, FrameView, Metric};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::hash::Hash;
use std::io::{self, Write};

/// The version of the format that is written.
const VERSION: u32 = 61;

/// Whose code a frame is: name and colour. The first is for what is none of the others. Frames of the standard library
/// and of the allocator have none, which in this format is that of their caller: what they allocate is for it.
const CATEGORIES: [(&str, &str); 4] =
    [("Other", "grey"), ("Program", "yellow"), ("Dependency", "blue"), ("Runtime", "purple")];

/// Writes the profile. Memory is in proportion to stacks and frames. Fails only if `out` does.
pub fn write(profile: &Profile, out: &mut dyn Write) -> io::Result<()> {
    let mut out = io::BufWriter::with_capacity(64 << 10, out);
    serde_json::to_writer(&mut out, &Document::new(profile))?;
    out.flush()
}

struct Document<'p> {
    profile: &'p Profile,
    tables: Tables<'p>,
    /// By stack of the profile, the row of its innermost frame; that of the empty one first.
    ends: Vec<u32>,
}

impl<'p> Document<'p> {
    fn new(profile: &'p Profile) -> Self {
        let analysis = Analysis::new(profile);
        let mut tables = Tables::default();
        // Each address has the same frames wherever it stands.
        let addresses: Vec<Vec<u32>> = (0..profile.addresses.len() as u32)
            .map(|address| {
                let views: Vec<_> = profile.address_frames(address).collect();
                // The outermost is the function itself, the others were inlined into it.
                let frames = (0_u32..).zip(views.iter().rev());
                frames
                    .map(|(depth, view)| {
                        tables.frame_of(view, depth, analysis.class(view), analysis.own_package())
                    })
                    .collect()
            })
            .collect();
        let nothing = tables.bare_frame("[no stack]");
        let mut ends = vec![tables.stack(None, nothing)];
        for (index, node) in profile.stacks.iter().enumerate() {
            // A parent that does not come before would be a cycle; it counts as the root.
            let parent = node.parent as usize;
            let mut end = (1..=index).contains(&parent).then(|| ends[parent]);
            for frame in addresses.get(node.address as usize).into_iter().flatten() {
                end = Some(tables.stack(end, *frame));
            }
            ends.push(end.unwrap_or(ends[0]));
        }
        Self { profile, tables, ends }
    }

    fn end_ms(&self) -> u64 {
        let last = self.profile.timeline.samples.last().map_or(0, |sample| sample.ms);
        last.max(self.profile.run.duration_ns / 1_000_000)
    }

    fn row_of(&self, stack: u32) -> u32 {
        self.ends.get(stack as usize).copied().unwrap_or(self.ends[0])
    }

    fn meta(&self) -> Value {
        let run = &self.profile.run;
        let verdict = head::verdict(&self.profile.completeness, run.mode);
        let verdict: String = verdict.iter().map(|span| span.text()).collect();
        let entry = |label: &str, value: String| json!({ "label": label, "format": "string", "value": value });
        let mut entries = vec![entry("Completeness", verdict)];
        entries.extend(head::facts(self.profile).into_iter().map(|fact| entry("Note", fact)));
        let warnings = &self.profile.warnings;
        entries.extend(
            warnings.iter().map(|it| entry("Warning", format!("{} {}", it.message, it.hint))),
        );
        let category = |(name, color): (&str, &str)| json!({ "name": name, "color": color, "subcategories": ["Other"] });
        json!({
            "interval": self.profile.timeline.interval_ms.max(1),
            "startTime": run.start_ns / 1_000_000,
            "processType": 0,
            "product": head::command(run),
            "importedFrom": concat!("memscope ", env!("CARGO_PKG_VERSION")),
            "extra": [{ "label": "memscope", "entries": entries }],
            "stackwalk": 1,
            "version": 31,
            "preprocessedProfileVersion": VERSION,
            "categories": CATEGORIES.map(category),
            "markerSchema": [],
            "symbolicated": true,
            "usesOnlyOneStackType": true,
            "sourceCodeIsNotOnSearchfox": true,
            "keepProfileThreadOrder": true,
            "initialVisibleThreads": (0..self.metrics().count()).collect::<Vec<_>>(),
            "initialSelectedThreads": [0],
        })
    }

    /// The metrics that have a thread, that of most people first.
    fn metrics(&self) -> impl Iterator<Item = Metric> {
        let has_any =
            |metric: &Metric| self.profile.sites.iter().any(|site| metric.value(&site.counts) > 0);
        Metric::ALL.into_iter().filter(has_any)
    }

    /// Live bytes over time: each sample's time, and the change since the one before. The peak is known better than by any
    /// sample.
    fn live_bytes(&self) -> Vec<(u64, i64)> {
        let Profile { timeline, totals, .. } = self.profile;
        let mut points: Vec<(u64, u64)> = vec![(0, 0)];
        points.extend(timeline.samples.iter().map(|sample| (sample.ms, sample.live_bytes)));
        let place = points.partition_point(|(ms, _)| *ms < totals.peak_ms);
        points.insert(place, (totals.peak_ms, totals.peak_bytes));
        let mut before = 0;
        let change = |(ms, bytes): (u64, u64)| {
            let change = bytes.wrapping_sub(before).cast_signed();
            before = bytes;
            (ms, change)
        };
        points.into_iter().map(change).collect()
    }

    fn counter(&self) -> Value {
        let points = self.live_bytes();
        json!({
            "name": "malloc",
            "category": "Memory",
            "description": "Live bytes",
            "pid": self.profile.run.pid.to_string(),
            "mainThreadIndex": 0,
            "samples": {
                "time": points.iter().map(|(ms, _)| ms).collect::<Vec<_>>(),
                "count": points.iter().map(|(_, change)| change).collect::<Vec<_>>(),
                "length": points.len(),
            },
        })
    }
}

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let thread = |(number, metric)| Thread { document: self, number, metric };
        let has_any = self.metrics().next().is_some();
        let counters = if has_any { vec![self.counter()] } else { Vec::new() };
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("meta", &self.meta())?;
        map.serialize_entry("libs", &[(); 0])?;
        map.serialize_entry("pages", &[(); 0])?;
        map.serialize_entry("shared", &self.tables)?;
        map.serialize_entry("threads", &Sequence(|| self.metrics().enumerate().map(thread)))?;
        map.serialize_entry("counters", &counters)?;
        map.end()
    }
}

/// What all threads refer to by number, in the form in which it is written.
#[derive(Default, serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Tables<'p> {
    string_array: Vec<String>,
    sources: SourceTable<'p>,
    resource_table: ResourceTable,
    func_table: FuncTable,
    frame_table: FrameTable,
    native_symbols: NativeSymbols,
    stack_table: StackTable,
    #[serde(skip)]
    known: Known<'p>,
}

/// The numbers of what is in the tables.
#[derive(Default)]
struct Known<'p> {
    texts: HashMap<String, u32>,
    sources: HashMap<&'p str, u32>,
    resources: HashMap<u32, u32>,
    functions: HashMap<Function, u32>,
    frames: HashMap<Frame, u32>,
}

/// The number of `key`, and whether it is a new one.
fn number<K: Eq + Hash>(known: &mut HashMap<K, u32>, key: K) -> (u32, bool) {
    let next = known.len() as u32;
    let number = *known.entry(key).or_insert(next);
    (number, number == next)
}

/// A function: its name, source file and object.
type Function = (u32, Option<u32>, Option<u32>);

/// A frame: its function, category, how often inlined, line and column.
type Frame = (u32, Option<u32>, u32, Option<u32>, Option<u32>);

#[derive(Default, serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct SourceTable<'p> {
    id: Vec<()>,
    filename: Vec<&'p str>,
    start_line: Vec<u32>,
    start_column: Vec<u32>,
    #[serde(rename = "sourceMapURL")]
    source_map_url: Vec<()>,
    length: usize,
}

#[derive(Default, serde::Serialize)]
struct ResourceTable {
    name: Vec<u32>,
    lib: Vec<()>,
    host: Vec<()>,
    #[serde(rename = "type")]
    kind: Vec<u32>,
    length: usize,
}

#[derive(Default, serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct FuncTable {
    name: Vec<u32>,
    #[serde(rename = "isJS")]
    is_js: Vec<bool>,
    #[serde(rename = "relevantForJS")]
    relevant_for_js: Vec<bool>,
    /// -1: none.
    resource: Vec<i64>,
    source: Vec<Option<u32>>,
    line_number: Vec<()>,
    column_number: Vec<()>,
    length: usize,
}

#[derive(Default, serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct FrameTable {
    /// -1: of no object of the profile's list, which is for the viewer to look up symbols; they are here.
    address: Vec<i64>,
    inline_depth: Vec<u32>,
    category: Vec<Option<u32>>,
    subcategory: Vec<Option<u32>>,
    func: Vec<u32>,
    native_symbol: Vec<()>,
    #[serde(rename = "innerWindowID")]
    inner_window_id: Vec<u32>,
    line: Vec<Option<u32>>,
    column: Vec<Option<u32>>,
    length: usize,
}

/// Without a row: symbols are looked up.
#[derive(Default, serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct NativeSymbols {
    lib_index: [(); 0],
    address: [(); 0],
    name: [(); 0],
    function_size: [(); 0],
    length: usize,
}

#[derive(Default, serde::Serialize)]
struct StackTable {
    frame: Vec<u32>,
    prefix: Vec<Option<u32>>,
    length: usize,
}

impl<'p> Tables<'p> {
    fn text(&mut self, text: &str) -> u32 {
        if let Some(number) = self.known.texts.get(text) {
            return *number;
        }
        self.string_array.push(text.to_owned());
        number(&mut self.known.texts, text.to_owned()).0
    }

    fn source(&mut self, path: &'p str) -> u32 {
        let (number, is_new) = number(&mut self.known.sources, path);
        if is_new {
            let table = &mut self.sources;
            table.id.push(());
            table.filename.push(path);
            table.start_line.push(1);
            table.start_column.push(1);
            table.source_map_url.push(());
            table.length += 1;
        }
        number
    }

    /// The mapped object with this file name.
    fn resource(&mut self, path: &str) -> u32 {
        /// What the viewer calls a library.
        const LIBRARY: u32 = 1;
        let name = self.text(path.rsplit('/').next().unwrap_or_default());
        let (number, is_new) = number(&mut self.known.resources, name);
        if is_new {
            let table = &mut self.resource_table;
            table.name.push(name);
            table.lib.push(());
            table.host.push(());
            table.kind.push(LIBRARY);
            table.length += 1;
        }
        number
    }

    fn function(&mut self, name: u32, source: Option<u32>, resource: Option<u32>) -> u32 {
        let (number, is_new) = number(&mut self.known.functions, (name, source, resource));
        if is_new {
            let table = &mut self.func_table;
            table.name.push(name);
            table.is_js.push(false);
            table.relevant_for_js.push(false);
            table.resource.push(resource.map_or(-1, i64::from));
            table.source.push(source);
            table.line_number.push(());
            table.column_number.push(());
            table.length += 1;
        }
        number
    }

    fn frame(&mut self, frame: Frame) -> u32 {
        let (number, is_new) = number(&mut self.known.frames, frame);
        if is_new {
            let (function, category, depth, line, column) = frame;
            let table = &mut self.frame_table;
            table.address.push(-1);
            table.inline_depth.push(depth);
            table.category.push(category);
            table.subcategory.push(category.map(|_| 0));
            table.func.push(function);
            table.native_symbol.push(());
            table.inner_window_id.push(0);
            table.line.push(line);
            table.column.push(column);
            table.length += 1;
        }
        number
    }

    fn frame_of(
        &mut self,
        view: &FrameView<'p>,
        depth: u32,
        class: Class,
        own_package: &str,
    ) -> u32 {
        let name = self.text(&folded::whole_name(view));
        let source = (!view.file().is_empty()).then(|| self.source(view.file()));
        let resource = view.module().map(|module| self.resource(&module.path));
        let function = self.function(name, source, resource);
        let category = match class {
            Class::User if view.function().is_empty() => Some(0),
            Class::User if paths::is_dependency(view.file(), own_package) => Some(2),
            Class::User => Some(1),
            Class::Runtime => Some(3),
            Class::Std | Class::Allocator => None,
        };
        let known = |number: u32| Some(number).filter(|number| *number > 0);
        let column = view.frame().map_or(0, |frame| frame.column);
        self.frame((function, category, depth, known(view.line()), known(column)))
    }

    /// A frame that is nothing but a name.
    fn bare_frame(&mut self, name: &str) -> u32 {
        let name = self.text(name);
        let function = self.function(name, None, None);
        self.frame((function, Some(0), 0, None, None))
    }

    fn stack(&mut self, parent: Option<u32>, frame: u32) -> u32 {
        let table = &mut self.stack_table;
        table.prefix.push(parent);
        table.frame.push(frame);
        table.length += 1;
        table.length as u32 - 1
    }
}

/// What one metric has, as the samples of a thread.
struct Thread<'d> {
    document: &'d Document<'d>,
    number: usize,
    metric: Metric,
}

/// A weight at a time: milliseconds, weight, row of the stack.
type Weight = (u64, i64, u32);

impl Thread<'_> {
    fn name(&self) -> &'static str {
        match self.metric {
            Metric::Peak => "Peak",
            Metric::LiveAtEnd => "Live at end",
            Metric::Allocations => "Allocations",
            Metric::AllocatedBytes => "Allocated bytes",
            Metric::Temporary => "Temporary allocations",
        }
    }

    /// The sites' values, at one moment.
    fn at_once(&self, ms: u64) -> impl Iterator<Item = Weight> {
        let Self { document, metric, .. } = self;
        let sites = document.profile.sites.iter();
        let weights = sites.map(move |site| {
            let value = i64::try_from(metric.value(&site.counts)).unwrap_or(i64::MAX);
            (ms, value, document.row_of(site.stack))
        });
        weights.filter(|(_, value, _)| *value > 0)
    }

    /// What was allocated and freed, when it was.
    fn over_time(&self) -> impl Iterator<Item = Weight> {
        let Document { profile, .. } = self.document;
        // What no sample tells is left for the end.
        let mut rest: Vec<(u64, u64)> = profile
            .sites
            .iter()
            .map(|site| (site.counts.allocated_bytes, site.counts.freed_bytes))
            .collect();
        let mut weights = Vec::new();
        let mut put = |ms, site: usize, allocated: u64, freed: u64| {
            let row = profile.sites.get(site).map_or(0, |site| self.document.row_of(site.stack));
            let bytes = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
            weights.extend([(ms, bytes(allocated), row), (ms, -bytes(freed), row)]);
        };
        for sample in &profile.timeline.samples {
            for change in &sample.changes {
                let Some(rest) = rest.get_mut(change.site as usize) else { continue };
                let freed = i128::from(change.allocated_bytes) - i128::from(change.live_bytes);
                let freed = u64::try_from(freed.max(0)).unwrap_or(u64::MAX);
                // Never more than there was in all: what is sampled is rounded.
                let (allocated, freed) = (change.allocated_bytes.min(rest.0), freed.min(rest.1));
                *rest = (rest.0 - allocated, rest.1 - freed);
                put(sample.ms, change.site as usize, allocated, freed);
            }
        }
        let end = self.document.end_ms();
        for (site, (allocated, freed)) in rest.into_iter().enumerate() {
            put(end, site, allocated, freed);
        }
        weights.retain(|(_, weight, _)| *weight != 0);
        weights.into_iter()
    }

    fn weights(&self) -> Vec<Weight> {
        match self.metric {
            Metric::Peak => self.at_once(self.document.profile.totals.peak_ms).collect(),
            Metric::AllocatedBytes => self.over_time().collect(),
            _ => self.at_once(self.document.end_ms()).collect(),
        }
    }
}

/// A table of samples.
#[derive(Default, serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Samples {
    stack: Vec<u32>,
    time: Vec<u64>,
    weight: Vec<i64>,
    weight_type: &'static str,
    length: usize,
}

impl Samples {
    fn new(weight_type: &'static str, weights: Vec<Weight>) -> Self {
        let length = weights.len();
        let mut samples = Self { weight_type, length, ..Self::default() };
        for (ms, weight, stack) in weights {
            samples.time.push(ms);
            samples.weight.push(weight);
            samples.stack.push(stack);
        }
        samples
    }
}

impl Serialize for Thread<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let run = &self.document.profile.run;
        let none: [(); 0] = [];
        let markers = json!({
            "data": none, "name": none, "startTime": none, "endTime": none, "phase": none,
            "category": none, "length": 0,
        });
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", self.name())?;
        map.serialize_entry("processName", run.exe.rsplit('/').next().unwrap_or_default())?;
        map.serialize_entry("processType", "default")?;
        map.serialize_entry("processStartupTime", &0)?;
        map.serialize_entry("processShutdownTime", &())?;
        map.serialize_entry("registerTime", &0)?;
        map.serialize_entry("unregisterTime", &())?;
        map.serialize_entry("pausedRanges", &none)?;
        map.serialize_entry("isMainThread", &(self.number == 0))?;
        map.serialize_entry("pid", &run.pid.to_string())?;
        map.serialize_entry("tid", &self.number)?;
        map.serialize_entry("markers", &markers)?;
        let weights = self.weights();
        if self.metric.is_bytes() {
            map.serialize_entry("samples", &Samples::new("samples", Vec::new()))?;
            map.serialize_entry("nativeAllocations", &Samples::new("bytes", weights))?;
        } else {
            map.serialize_entry("samples", &Samples::new("samples", weights))?;
        }
        map.end()
    }
}
