//! The JSON's form: one struct per object of the schema, made from the profile while it is written.
//!
//! A separate set of structs, so that the profile's own fields can change without changing what was published.

use super::by_type::{self, TypeForm};
use super::growth::GrowthForm;
use super::intervals::IntervalsForm;
use super::named::{TaskForm, VariableForm};
use super::processes::{InheritedForm, MarkForm, ProcessForm};
use crate::sequence::Sequence;
use memscope_profile::analyze::Metric;
use memscope_profile::model::{
    Completeness, Counts, End, Kind, MissCause, Mode, Module, Profile, Run, Sample, Site, Symbols,
    Thread, Totals,
};
use memscope_profile::types::TypeHistogram;
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

/// The document.
pub(super) struct Document<'p> {
    profile: &'p Profile,
    /// For each address, the number of its first frame in the JSON's list of frames; then their total.
    first_frames: Vec<u32>,
    types: Vec<TypeForm>,
    /// For each site, the place of its type.
    types_of_sites: Vec<u32>,
}

impl<'p> Document<'p> {
    pub(super) fn new(profile: &'p Profile) -> Self {
        let mut next = 0u32;
        let mut first_frames = Vec::with_capacity(profile.addresses.len() + 1);
        for address in &profile.addresses {
            first_frames.push(next);
            // An address without symbols is one frame without a name.
            next = next.saturating_add(address.frames_len.max(1));
        }
        first_frames.push(next);
        let (types, types_of_sites) = by_type::types(profile);
        Self { profile, first_frames, types, types_of_sites }
    }

    fn text(&self, id: u32) -> Option<&'p str> {
        self.profile.strings.get(id as usize).map(String::as_str).filter(|text| !text.is_empty())
    }
}

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let profile = self.profile;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("format", "memscope-profile")?;
        map.serialize_entry("version", &super::VERSION)?;
        map.serialize_entry("run", &RunForm::of(&profile.run))?;
        map.serialize_entry("completeness", &CompletenessForm::of(profile))?;
        map.serialize_entry(
            "warnings",
            &Sequence(|| {
                profile.warnings.iter().map(|w| WarningForm { message: &w.message, hint: &w.hint })
            }),
        )?;
        map.serialize_entry("totals", &TotalsForm::of(&profile.totals, &profile.run))?;
        let thread = |thread| ThreadForm::of(thread, &profile.run);
        map.serialize_entry("threads", &Sequence(|| profile.threads.iter().map(thread)))?;
        map.serialize_entry("modules", &Sequence(|| profile.modules.iter().map(ModuleForm::of)))?;
        map.serialize_entry("frames", &Sequence(|| self.frames()))?;
        map.serialize_entry("sites", &Sequence(|| self.sites()))?;
        map.serialize_entry("types", &self.types)?;
        map.serialize_entry(
            "timeline",
            &TimelineForm {
                interval_ms: profile.timeline.interval_ms,
                samples: Sequence(|| profile.timeline.samples.iter().map(SampleForm)),
            },
        )?;
        let tasks = profile.task_lines();
        map.serialize_entry("tasks", &Sequence(|| tasks.iter().map(TaskForm::of)))?;
        map.serialize_entry("variables", &Sequence(|| profile.variables().map(VariableForm::of)))?;
        map.serialize_entry("marks", &Sequence(|| profile.marks.iter().map(MarkForm::of)))?;
        map.serialize_entry(
            "processes",
            &Sequence(|| profile.processes.iter().map(ProcessForm::of)),
        )?;
        map.end()
    }
}

#[derive(serde::Serialize)]
struct RunForm<'p> {
    command: &'p [String],
    exe: &'p str,
    pid: u32,
    start_unix_ms: u64,
    duration_ns: u64,
    end: EndForm,
    mode: &'static str,
    interval_bytes: u64,
    memscope_version: &'p str,
    unfollowed_children: u64,
    replaced: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    inherited: Option<InheritedForm>,
}

impl<'p> RunForm<'p> {
    fn of(run: &'p Run) -> Self {
        Self {
            command: &run.command,
            exe: &run.exe,
            pid: run.pid,
            start_unix_ms: run.start_ns / 1_000_000,
            duration_ns: run.duration_ns,
            end: EndForm::of(run.end),
            mode: match run.mode {
                Mode::Exact => "exact",
                Mode::Sampled => "sampled",
                Mode::Counting => "counting",
            },
            interval_bytes: run.interval_bytes,
            memscope_version: &run.memscope_version,
            unfollowed_children: run.unfollowed_children,
            replaced: run.replaced,
            inherited: run.inherited.as_ref().map(InheritedForm::of),
        }
    }
}

#[derive(serde::Serialize)]
pub(super) struct EndForm {
    how: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<i32>,
}

impl EndForm {
    pub(super) fn of(end: End) -> Self {
        let (how, code, signal) = match end {
            End::Unknown => ("unknown", None, None),
            End::Running => ("running", None, None),
            End::Ending => ("ending", None, None),
            End::Exited(code) => ("exited", Some(code), None),
            End::Signaled(signal) => ("signaled", None, Some(signal)),
        };
        Self { how, code, signal }
    }
}

#[derive(serde::Serialize)]
struct CompletenessForm<'p> {
    attempts: u64,
    successes: u64,
    misses: MissesForm<'p>,
    unknown_frees: u64,
    truncated_stacks: u64,
    foreign_stacks: u64,
    peak_uncertainty_bytes: u64,
    type_shares: TypeSharesForm,
}

/// How many of the allocated bytes have a type, and how that is known.
#[derive(serde::Serialize)]
struct TypeSharesForm {
    size_checked_bytes: u64,
    named_bytes: u64,
    raw_bytes: u64,
    unknown_bytes: u64,
}

impl<'p> CompletenessForm<'p> {
    fn of(profile: &'p Profile) -> Self {
        let completeness: &Completeness = &profile.completeness;
        let shares = TypeHistogram::new(profile, Metric::AllocatedBytes).shares;
        Self {
            attempts: completeness.attempts,
            successes: completeness.successes,
            misses: MissesForm(&completeness.misses),
            unknown_frees: completeness.unknown_frees,
            truncated_stacks: completeness.truncated_stacks,
            foreign_stacks: completeness.foreign_stacks,
            peak_uncertainty_bytes: completeness.peak_uncertainty_bytes,
            type_shares: TypeSharesForm {
                size_checked_bytes: shares.size_checked,
                named_bytes: shares.named,
                raw_bytes: shares.raw,
                unknown_bytes: shares.unknown,
            },
        }
    }
}

struct MissesForm<'p>(&'p [u64; MissCause::COUNT]);

impl Serialize for MissesForm<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let key = |cause| match cause {
            MissCause::Reentered => "reentered",
            MissCause::NotReady => "not_ready",
            MissCause::Threads => "threads",
            MissCause::Sites => "sites",
            MissCause::Counters => "counters",
            MissCause::Records => "records",
        };
        serializer.collect_map(MissCause::ALL.map(|cause| (key(cause), self.0[cause as usize])))
    }
}

#[derive(serde::Serialize)]
struct WarningForm<'p> {
    message: &'p str,
    hint: &'p str,
}

#[derive(serde::Serialize)]
struct TotalsForm {
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
    #[serde(skip_serializing_if = "Option::is_none")]
    growth: Option<GrowthForm>,
    #[serde(skip_serializing_if = "Option::is_none")]
    intervals: Option<IntervalsForm>,
}

impl TotalsForm {
    fn of(totals: &Totals, run: &Run) -> Self {
        Self {
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
            growth: totals.growth.as_ref().map(GrowthForm::of),
            intervals: IntervalsForm::of_totals(totals, run),
        }
    }
}

#[derive(serde::Serialize)]
struct ThreadForm<'p> {
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
    #[serde(skip_serializing_if = "Option::is_none")]
    live_bytes: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peak_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    intervals: Option<IntervalsForm>,
}

impl<'p> ThreadForm<'p> {
    fn of(thread: &'p Thread, run: &Run) -> Self {
        let is_counting = run.mode == Mode::Counting;
        Self {
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
            live_bytes: is_counting.then_some(thread.live_bytes),
            peak_bytes: is_counting.then_some(thread.peak_bytes),
            intervals: IntervalsForm::of_thread(thread, run),
        }
    }
}

#[derive(serde::Serialize)]
struct ModuleForm<'p> {
    path: &'p str,
    build_id: String,
    start: Hex,
    end: Hex,
    bias: Hex,
    symbols: &'static str,
    debug_path: &'p str,
}

impl<'p> ModuleForm<'p> {
    fn of(module: &'p Module) -> Self {
        Self {
            path: &module.path,
            build_id: module.build_id.iter().map(|byte| format!("{byte:02x}")).collect(),
            start: Hex(module.start),
            end: Hex(module.end),
            bias: Hex(module.bias),
            symbols: match module.symbols {
                Symbols::NotAsked => "not_asked",
                Symbols::DebugInfo => "debug_info",
                Symbols::SymbolTable => "symbol_table",
                Symbols::Missing => "missing",
                Symbols::Unreadable => "unreadable",
                Symbols::Replaced => "replaced",
            },
            debug_path: &module.debug_path,
        }
    }
}

/// A number that may exceed 2^53.
#[derive(Clone, Copy)]
struct Hex(u64);

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:#x}", self.0))
    }
}

#[derive(serde::Serialize)]
struct FrameForm<'p> {
    address: Hex,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_instruction: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    module: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<&'p str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    symbol: Option<&'p str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'p str>,
    #[serde(skip_serializing_if = "is_zero")]
    line: u32,
    #[serde(skip_serializing_if = "is_zero")]
    column: u32,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    inlined: bool,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl<'p> Document<'p> {
    fn frames(&self) -> impl Iterator<Item = FrameForm<'p>> {
        self.profile.addresses.iter().flat_map(move |address| {
            let of_address = FrameForm {
                address: Hex(address.address),
                is_instruction: address.is_instruction,
                module: address.module.checked_sub(1),
                function: None,
                symbol: None,
                file: None,
                line: 0,
                column: 0,
                inlined: false,
            };
            (0..address.frames_len.max(1)).map(move |n| {
                let place = address.frames_start as usize + n as usize;
                match self.profile.frames.get(place) {
                    Some(frame) if address.frames_len > 0 => FrameForm {
                        function: self.text(frame.function),
                        symbol: self.text(frame.symbol),
                        file: self.text(frame.file),
                        line: frame.line,
                        column: frame.column,
                        inlined: frame.inlined,
                        ..of_address
                    },
                    _ => FrameForm { ..of_address },
                }
            })
        })
    }

    fn threads_of(&self, site: &Site) -> &[u32] {
        let set = (site.threads as usize).checked_sub(1);
        set.and_then(|at| self.profile.thread_sets.get(at)).map_or(&[], Vec::as_slice)
    }

    fn sites(&self) -> impl Iterator<Item = SiteForm<'_, 'p>> {
        self.profile.sites.iter().zip(&self.types_of_sites).map(move |(site, heap_type)| {
            let Counts {
                allocations,
                allocated_bytes,
                frees,
                freed_bytes,
                temporary,
                peak_blocks,
                peak_bytes,
                largest_block_bytes: _,
                growth: _,
                deviations: _,
            } = site.counts;
            SiteForm {
                kind: match Kind::from_u8(site.kind) {
                    Some(Kind::Malloc) => "malloc",
                    Some(Kind::Calloc) => "calloc",
                    Some(Kind::Realloc) => "realloc",
                    Some(Kind::Aligned) => "aligned",
                    None => "unknown",
                },
                stack: StackForm { document: self, stack: site.stack },
                heap_type: *heap_type,
                truncated: site.truncated,
                task: site.task,
                threads: self.threads_of(site),
                first_ms: site.first_ms,
                allocations,
                allocated_bytes,
                frees,
                freed_bytes,
                temporary,
                peak_blocks,
                peak_bytes,
                live_blocks: site.counts.live_blocks(),
                live_bytes: site.counts.live_bytes(),
                largest_block_bytes: site.counts.largest_block(),
                growth: GrowthForm::of_site(&site.counts),
                intervals: IntervalsForm::of_site(&site.counts, &self.profile.run),
            }
        })
    }
}

#[derive(serde::Serialize)]
struct SiteForm<'d, 'p> {
    kind: &'static str,
    stack: StackForm<'d, 'p>,
    #[serde(rename = "type")]
    heap_type: u32,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
    #[serde(skip_serializing_if = "is_zero")]
    task: u32,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    threads: &'d [u32],
    first_ms: u64,
    allocations: u64,
    allocated_bytes: u64,
    frees: u64,
    freed_bytes: u64,
    temporary: u64,
    peak_blocks: u64,
    peak_bytes: u64,
    live_blocks: u64,
    live_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    largest_block_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    growth: Option<GrowthForm>,
    #[serde(skip_serializing_if = "Option::is_none")]
    intervals: Option<IntervalsForm>,
}

/// Numbers of frames, innermost first.
struct StackForm<'d, 'p> {
    document: &'d Document<'p>,
    stack: u32,
}

impl Serialize for StackForm<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Document { profile, first_frames, .. } = self.document;
        let mut seq = serializer.serialize_seq(None)?;
        let mut stack = self.stack;
        while let Some(node) = stack.checked_sub(1).and_then(|n| profile.stacks.get(n as usize)) {
            let address = node.address as usize;
            if let Some([first, end]) = first_frames.get(address..address.saturating_add(2)) {
                for frame in *first..*end {
                    seq.serialize_element(&frame)?;
                }
            }
            // Parents come first in a checked profile; in any other, this keeps the walk finite.
            stack = if node.parent < stack { node.parent } else { 0 };
        }
        seq.end()
    }
}

#[derive(serde::Serialize)]
struct TimelineForm<L> {
    interval_ms: u64,
    samples: L,
}

struct SampleForm<'p>(&'p Sample);

impl Serialize for SampleForm<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Sample { ms, live_bytes, live_blocks, allocations, ref changes } = *self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("ms", &ms)?;
        map.serialize_entry("live_bytes", &live_bytes)?;
        map.serialize_entry("live_blocks", &live_blocks)?;
        map.serialize_entry("allocations", &allocations)?;
        map.serialize_entry(
            "changes",
            &Sequence(|| {
                changes.iter().map(|change| ChangeForm {
                    site: change.site,
                    live_blocks: change.live_blocks,
                    live_bytes: change.live_bytes,
                    allocations: change.allocations,
                    allocated_bytes: change.allocated_bytes,
                })
            }),
        )?;
        map.end()
    }
}

#[derive(serde::Serialize)]
struct ChangeForm {
    site: u32,
    live_blocks: i64,
    live_bytes: i64,
    allocations: u64,
    allocated_bytes: u64,
}
