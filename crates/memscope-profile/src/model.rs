//! The profile: what was measured, in the nouns that every output uses.
//!
//! A profile is self-contained: stacks, modules, symbols, timeline. Ids are places in its vectors, and a profile
//! that comes from [`crate::file`] or [`crate::region`] has been checked: every id is in range, every parent of a
//! stack node comes before the node, every frame range lies within `frames`.
//!
//! All of it is plain data. Names say the unit: `_bytes` (as they were asked for), `_blocks`, `_ms` and `_ns`; where a run was
//! sampled, counts are estimates, and [`Deviations`] say how far they may be off. Reading a field costs a load.
//!
//! ```
//! use memscope_profile::model::{Counts, HeapType, Profile, Site, Task};
//!
//! let counts = Counts { allocations: 2, allocated_bytes: 64, frees: 1, freed_bytes: 48, ..Counts::default() };
//! let profile = Profile {
//!     types: vec![HeapType { name: "Vec<Order>".into(), ..HeapType::default() }],
//!     tasks: vec![Task { name: "import".into(), ..Task::default() }],
//!     sites: vec![Site { heap_type: 1, task: 1, counts, ..Site::default() }],
//!     ..Profile::default()
//! };
//! let site = &profile.sites[0];
//! assert_eq!((site.counts.live_blocks(), site.counts.live_bytes()), (1, 16));
//! assert_eq!(profile.heap_type(site).map(|it| it.name.as_str()), Some("Vec<Order>"));
//! assert_eq!(profile.task_lines()[0].counts.live_bytes(), 16);
//! ```

mod growth;
mod heap_type;
mod named;
mod run;
mod time;

use crate::estimate::Deviations;
use serde::{Deserialize, Serialize};

pub use growth::Growth;
pub use heap_type::{HeapType, TypeEvidence, TypeLayout};
#[doc(inline)]
pub use memscope_region::row::{Kind, MissCause};
pub use named::{Label, Task};
pub use run::{End, Inherited, Mark, Mode, ProcessSummary, Run};
pub use time::{Sample, SiteChange, Timeline};

/// What one process did with its memory.
///
/// ```
/// use memscope_profile::model::{Profile, Totals};
///
/// let totals = Totals { peak_bytes: 4096, peak_blocks: 2, ..Totals::default() };
/// let profile = Profile { totals, ..Profile::default() };
/// println!("{} bytes in {} blocks at most", profile.totals.peak_bytes, profile.totals.peak_blocks);
/// assert!(profile.warnings.is_empty()); // nothing that one ought to know before trusting that
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Profile {
    /// Which program, when, how long, how it ended.
    pub run: Run,
    /// How much of what happened was recorded.
    pub completeness: Completeness,
    /// Sums over the whole process.
    pub totals: Totals,
    /// Mapped objects.
    pub modules: Vec<Module>,
    /// Return addresses, each with its frames.
    pub addresses: Vec<Address>,
    /// Symbolized frames, in runs that [`Address::frames`] names: innermost inlined function first.
    pub frames: Vec<Frame>,
    /// The prefix tree of stacks. [`StackId`] `n` is `stacks[n - 1]`; 0 is the root (no frame).
    pub stacks: Vec<StackNode>,
    /// Allocation sites with their counts.
    pub sites: Vec<Site>,
    /// What the blocks of sites are.
    pub types: Vec<HeapType>,
    /// Threads, in the order in which they were first seen.
    pub threads: Vec<Thread>,
    /// Sets of threads, which sites name: places in `threads`, ascending. Of more than
    /// [`MAX_THREADS_OF_SITE`](crate::region::MAX_THREADS_OF_SITE) the first are there.
    pub thread_sets: Vec<Vec<u32>>,
    /// Names that the program gave to blocks, and the trackers that gave them.
    pub labels: Vec<Label>,
    /// Tasks, scopes and spans of the program. A parent comes before its children.
    pub tasks: Vec<Task>,
    /// Live bytes over time.
    pub timeline: Timeline,
    /// The processes of the run, if this is the profile of the one that was started: itself first, then those that came
    /// of it, each after the one that made it. Empty if there was but one.
    pub processes: Vec<ProcessSummary>,
    /// Moments that somebody noted from outside, oldest first.
    pub marks: Vec<Mark>,
    /// Texts that frames refer to by number. The first is empty.
    pub strings: Vec<String>,
    /// What a reader ought to know before trusting the numbers.
    pub warnings: Vec<Warning>,
    /// What the sites had that were taken out as somebody wished, see [`crate::suppression`]. It is part of `totals`.
    pub suppressed: Counts,
}

/// How much of what happened was recorded. `attempts == successes + sum of misses` once the process has ended.
///
/// ```
/// use memscope_profile::model::{Completeness, MissCause};
///
/// let mut completeness = Completeness { attempts: 1000, successes: 999, ..Completeness::default() };
/// completeness.misses[MissCause::Sites as usize] = 1;
/// let missed: u64 = completeness.misses.iter().sum();
/// assert_eq!(completeness.successes + missed, completeness.attempts);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Completeness {
    /// Events that should have been recorded: allocations and frees. A realloc is one of each.
    pub attempts: u64,
    /// Events that were.
    pub successes: u64,
    /// Events that were not, by [`MissCause`] (its number is the place here).
    pub misses: [u64; MissCause::COUNT],
    /// How many frees were of blocks that were allocated before recording began, or whose allocation was missed.
    pub unknown_frees: u64,
    /// How many events have a stack that could not be walked to its end.
    pub truncated_stacks: u64,
    /// How many events were on a stack that was not the thread's own (coroutines, alternate signal stacks).
    pub foreign_stacks: u64,
    /// From when on what was recorded, if the program changed that: the beginning first. Empty if it did not. The latest are
    /// kept.
    pub eras: Vec<Era>,
    /// Bytes by which the peak's total may be off because threads publish their live bytes in steps; 0 with one thread.
    pub peak_uncertainty_bytes: u64,
}

/// A time in which a program recorded itself in one way.
///
/// ```
/// use memscope_profile::model::{Era, Mode};
///
/// let eras = [Era { from_ms: 0, mode: Some(Mode::Exact) }, Era { from_ms: 1500, mode: None }];
/// let unrecorded = eras.iter().find(|era| era.mode.is_none());
/// assert_eq!(unrecorded.map(|era| era.from_ms), Some(1500)); // nothing from 1.5 s on
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Era {
    /// Its beginning in milliseconds since the start.
    pub from_ms: u64,
    /// What was recorded; `None`: nothing.
    pub mode: Option<Mode>,
}

/// Sums over the whole process.
///
/// ```
/// use memscope_profile::model::Totals;
///
/// let totals = Totals { allocations: 200, temporary: 30, peak_bytes: 4096, peak_ms: 80, ..Totals::default() };
/// let temporary = totals.temporary as f64 / totals.allocations as f64;
/// println!("{} bytes after {} ms; {:.0} % temporary", totals.peak_bytes, totals.peak_ms, 100.0 * temporary);
/// assert_eq!(temporary, 0.15);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Totals {
    /// Allocations (a realloc counts as one).
    pub allocations: u64,
    /// Bytes requested by them.
    pub allocated_bytes: u64,
    /// Frees (the old half of a realloc counts as one).
    pub frees: u64,
    /// Bytes they gave back.
    pub freed_bytes: u64,
    /// Reallocs among the allocations.
    pub reallocs: u64,
    /// How many blocks were freed with no allocation in between on the same thread.
    pub temporary: u64,
    /// Allocations that failed: the allocator returned null.
    pub failed: u64,
    /// Largest live bytes.
    pub peak_bytes: u64,
    /// Blocks that made up the peak.
    pub peak_blocks: u64,
    /// When the peak was reached, in milliseconds since the start. If `peak_is_end`, the end (or when read): when
    /// exactly it was reached is not known then.
    pub peak_ms: u64,
    /// Whether the peak was still held at the end (or when read).
    pub peak_is_end: bool,
    /// Live bytes at the end (or when read).
    pub live_bytes: u64,
    /// Live blocks at the end (or when read).
    pub live_blocks: u64,
    /// What reallocs made larger or smaller. `None`: not known, because the run was not recorded exactly, or by an earlier
    /// version.
    pub growth: Option<Growth>,
    /// How far these may be off, in a sampled run.
    pub deviations: Deviations,
}

/// A mapped object.
///
/// ```
/// use memscope_profile::model::{Module, Symbols};
///
/// let module = Module { path: "/lib/libshop.so".into(), start: 0x7000, end: 0x9000, bias: 0x6000, ..Module::default() };
/// assert!((module.start..module.end).contains(&0x7abc)); // so this address is in the file at
/// assert_eq!(0x7abc - module.bias, 0x1abc);
/// assert_eq!(module.symbols, Symbols::NotAsked);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Module {
    /// Its path.
    pub path: String,
    /// Its build id in bytes; empty if it has none.
    pub build_id: Vec<u8>,
    /// First mapped address.
    pub start: u64,
    /// One past the last mapped address.
    pub end: u64,
    /// Run-time address less this is the address in the file's own terms.
    pub bias: u64,
    /// What could be had of its symbols.
    pub symbols: Symbols,
    /// Where they came from, if not from the object itself (a separate debug file).
    pub debug_path: String,
}

/// What could be had of a module's symbols.
///
/// ```
/// use memscope_profile::model::Symbols;
///
/// let has_lines = |symbols| matches!(symbols, Symbols::DebugInfo);
/// assert!(has_lines(Symbols::DebugInfo) && !has_lines(Symbols::SymbolTable));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Symbols {
    /// No address of the module was asked for.
    #[default]
    NotAsked,
    /// Functions, inlined frames, files and lines.
    DebugInfo,
    /// Function names only, from a symbol table.
    SymbolTable,
    /// Nothing: the file has no symbols.
    Missing,
    /// The file could not be read.
    Unreadable,
    /// The file on disk has another build id: it was replaced since the run.
    Replaced,
}

/// A number into [`Profile::strings`].
///
/// ```
/// use memscope_profile::model::{Profile, StringId};
///
/// let profile = Profile { strings: vec!["".into(), "shop::fill".into()], ..Profile::default() };
/// let fill: StringId = 1;
/// assert_eq!(profile.string(fill), "shop::fill");
/// ```
pub type StringId = u32;

/// A return address and its frames.
///
/// ```
/// use memscope_profile::model::{Address, Frame, Profile};
///
/// let profile = Profile {
///     frames: vec![Frame { line: 7, inlined: true, ..Frame::default() }, Frame { line: 20, ..Frame::default() }],
///     addresses: vec![Address { address: 0x1010, frames_len: 2, ..Address::default() }],
///     ..Profile::default()
/// };
/// let lines: Vec<u32> = profile.frames[profile.addresses[0].frames()].iter().map(|it| it.line).collect();
/// assert_eq!(lines, [7, 20]); // line 7 was inlined into the function of line 20
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// The address as it stood on the stack (one past the call).
    pub address: u64,
    /// The module's number plus one; 0: none is known.
    pub module: u32,
    /// Whether the address is the instruction itself rather than a return address.
    pub is_instruction: bool,
    /// First of its frames in [`Profile::frames`].
    pub frames_start: u32,
    /// How many frames; 0: no symbol is known.
    pub frames_len: u32,
}

impl Address {
    /// Its frames' places in [`Profile::frames`]. An addition; in a profile that was checked they are in range.
    ///
    /// ```
    /// use memscope_profile::model::Address;
    ///
    /// assert_eq!(Address { frames_start: 3, frames_len: 2, ..Address::default() }.frames(), 3..5);
    /// ```
    pub fn frames(&self) -> std::ops::Range<usize> {
        self.frames_start as usize..self.frames_start as usize + self.frames_len as usize
    }
}

/// A function at a place in the source.
///
/// ```
/// use memscope_profile::model::{Frame, Profile};
///
/// let strings = ["", "shop::fill", "src/main.rs"].map(String::from).to_vec();
/// let profile = Profile { strings, ..Profile::default() };
/// let frame = Frame { function: 1, file: 2, line: 12, ..Frame::default() };
/// let text = format!("{} {}:{}", profile.string(frame.function), profile.string(frame.file), frame.line);
/// assert_eq!(text, "shop::fill src/main.rs:12");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Frame {
    /// Demangled name, generics whole.
    pub function: StringId,
    /// Mangled name; 0 if it has none.
    pub symbol: StringId,
    /// Source file; 0 if not known.
    pub file: StringId,
    /// Line, 0 if not known.
    pub line: u32,
    /// Column, 0 if not known.
    pub column: u32,
    /// Whether this function was inlined into the next frame.
    pub inlined: bool,
}

/// A stack: the number of a node of the prefix tree, read from the innermost frame to the root. 0: the root.
///
/// ```
/// use memscope_profile::model::{Profile, StackId, StackNode};
///
/// let stacks = vec![StackNode { parent: 0, address: 0 }, StackNode { parent: 1, address: 1 }];
/// let profile = Profile { stacks, ..Profile::default() };
/// let inner: StackId = 2;
/// assert_eq!(profile.stacks[inner as usize - 1].parent, 1); // whose caller is stack 1
/// ```
pub type StackId = u32;

/// A node of the prefix tree of stacks.
///
/// ```
/// use memscope_profile::model::StackNode;
///
/// let stacks = [StackNode { parent: 0, address: 5 }, StackNode { parent: 1, address: 9 }];
/// let (mut stack, mut addresses) = (2, Vec::new());
/// while stack != 0 {
///     let node = stacks[stack as usize - 1];
///     addresses.push(node.address);
///     stack = node.parent;
/// }
/// assert_eq!(addresses, [9, 5]); // from the innermost frame out
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackNode {
    /// The caller's stack, 0 if this is the outermost frame. Always smaller than the node's own id.
    pub parent: StackId,
    /// Place in [`Profile::addresses`].
    pub address: u32,
}

/// An allocation site: a stack and the kind of call.
///
/// ```
/// use memscope_profile::model::{Counts, Kind, Profile, Site};
///
/// let counts = Counts { allocations: 3, allocated_bytes: 300, ..Counts::default() };
/// let site = Site { kind: Kind::Calloc as u8, first_ms: 40, counts, ..Site::default() };
/// let profile = Profile { sites: vec![site], ..Profile::default() };
/// let zeroed = profile.sites.iter().filter(|site| Kind::from_u8(site.kind) == Some(Kind::Calloc));
/// assert_eq!(zeroed.map(|site| site.counts.live_bytes()).sum::<u64>(), 300);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// The stack.
    pub stack: StackId,
    /// The number of the kind of call, see [`Kind::from_u8`].
    pub kind: u8,
    /// Whether the stack could not be walked to its end.
    pub truncated: bool,
    /// The task that was current: its place in [`Profile::tasks`] plus one, 0 if none.
    pub task: u32,
    /// The name that the program gave to these blocks: its place in [`Profile::labels`] plus one, 0 if none.
    pub label: u32,
    /// What its blocks are: place in [`Profile::types`] plus one, 0 if nothing is known.
    pub heap_type: u32,
    /// The threads that allocated there: place in [`Profile::thread_sets`] plus one, 0 if that is not known.
    pub threads: u32,
    /// When the site was first met, in milliseconds since the start.
    pub first_ms: u64,
    /// What happened there.
    pub counts: Counts,
}

/// What happened at a site.
///
/// ```
/// use memscope_profile::model::Counts;
///
/// let counts = Counts { allocations: 4, allocated_bytes: 100, frees: 1, freed_bytes: 40, ..Counts::default() };
/// assert_eq!((counts.live_blocks(), counts.live_bytes()), (3, 60));
/// assert_eq!(counts.mean_block_bytes(), Some(25));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Allocations; a realloc is one.
    pub allocations: u64,
    /// Bytes requested by them.
    pub allocated_bytes: u64,
    /// Frees of its blocks; the old half of a realloc is one.
    pub frees: u64,
    /// Bytes they gave back.
    pub freed_bytes: u64,
    /// Frees with no allocation in between on the same thread.
    pub temporary: u64,
    /// Its blocks alive at the process's peak.
    pub peak_blocks: u64,
    /// Its bytes alive at the process's peak.
    pub peak_bytes: u64,
    /// Bytes of the largest block that was allocated; 0 if it is not known. Exact up to 4,095 bytes, and of blocks that are all
    /// alike; any other may be larger by less than a 2,048th. Where [`Counts::deviations`] are not 0, it is that of the
    /// blocks in the sample: another may be larger. (Blocks that were named since count here and at the site of their name.)
    pub largest_block_bytes: u64,
    /// What reallocs made larger or smaller. All 0 where [`Totals::growth`] is not known.
    #[serde(default)]
    pub growth: Growth,
    /// How far these may be off, in a sampled run.
    pub deviations: Deviations,
}

impl Counts {
    /// Blocks alive at the end (or when read). A subtraction.
    ///
    /// ```
    /// use memscope_profile::model::Counts;
    ///
    /// assert_eq!(Counts { allocations: 5, frees: 2, ..Counts::default() }.live_blocks(), 3);
    /// ```
    pub fn live_blocks(&self) -> u64 {
        self.allocations.saturating_sub(self.frees)
    }

    /// Bytes alive at the end (or when read). A subtraction.
    ///
    /// ```
    /// use memscope_profile::model::Counts;
    ///
    /// assert_eq!(Counts { allocated_bytes: 50, freed_bytes: 20, ..Counts::default() }.live_bytes(), 30);
    /// ```
    pub fn live_bytes(&self) -> u64 {
        self.allocated_bytes.saturating_sub(self.freed_bytes)
    }

    /// The mean bytes of a block, rounded; `None` if there was none. A division.
    ///
    /// ```
    /// use memscope_profile::model::Counts;
    ///
    /// assert_eq!(Counts { allocations: 3, allocated_bytes: 50, ..Counts::default() }.mean_block_bytes(), Some(17));
    /// assert_eq!(Counts::default().mean_block_bytes(), None);
    /// ```
    pub fn mean_block_bytes(&self) -> Option<u64> {
        let half = self.allocations / 2;
        self.allocated_bytes.saturating_add(half).checked_div(self.allocations)
    }

    /// Bytes of the largest block, as far as they are known. A comparison.
    ///
    /// ```
    /// use memscope_profile::model::Counts;
    ///
    /// assert_eq!(Counts { largest_block_bytes: 4096, ..Counts::default() }.largest_block(), Some(4096));
    /// assert_eq!(Counts::default().largest_block(), None);
    /// ```
    pub fn largest_block(&self) -> Option<u64> {
        Some(self.largest_block_bytes).filter(|bytes| *bytes > 0)
    }

    /// Whether the largest block is known from a sample only, so that another may be larger. A few comparisons.
    ///
    /// ```
    /// use memscope_profile::{estimate::Deviations, model::Counts};
    ///
    /// let deviations = Deviations { live_bytes: 100, ..Deviations::default() };
    /// assert!(Counts { deviations, ..Counts::default() }.is_largest_of_sample());
    /// assert!(!Counts::default().is_largest_of_sample());
    /// ```
    pub fn is_largest_of_sample(&self) -> bool {
        self.deviations != Deviations::default()
    }
}

/// A thread and what it did itself. (What it freed may have been allocated by another.)
///
/// ```
/// use memscope_profile::model::Thread;
///
/// let thread = |name: &str, allocated_bytes| Thread { name: name.into(), allocated_bytes, ..Thread::default() };
/// let threads = [thread("main", 100), thread("worker", 900)];
/// let busiest = threads.iter().max_by_key(|it| it.allocated_bytes).unwrap();
/// assert_eq!(busiest.name, "worker");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Thread {
    /// Kernel thread id.
    pub tid: u32,
    /// Name, as the kernel had it.
    pub name: String,
    /// When its first event came, in milliseconds since the start.
    pub first_ms: u64,
    /// How many events should have been recorded: allocations and frees.
    pub attempts: u64,
    /// How many of them were.
    pub successes: u64,
    /// Allocations; a realloc is one.
    pub allocations: u64,
    /// Bytes requested by them.
    pub allocated_bytes: u64,
    /// Frees; the old half of a realloc is one.
    pub frees: u64,
    /// Bytes given back by them.
    pub freed_bytes: u64,
    /// How many blocks it freed with no allocation in between.
    pub temporary: u64,
    /// Live bytes that the thread has added to the process's: more than 0 for who allocates and lets others free. Known in
    /// mode counting only.
    pub live_bytes: i64,
    /// The most that these live bytes were.
    pub peak_bytes: u64,
    /// How far these may be off, in a sampled run: allocations, frees and their bytes.
    pub deviations: Deviations,
}

/// What a reader ought to know before trusting the numbers.
///
/// ```
/// use memscope_profile::model::Warning;
///
/// let warning = Warning { message: "/bin/shop has no symbols".into(), hint: "Build it with debug = 1.".into() };
/// assert_eq!(format!("{}. {}", warning.message, warning.hint), "/bin/shop has no symbols. Build it with debug = 1.");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// One sentence: what and where.
    pub message: String,
    /// What to do about it; may be empty.
    pub hint: String,
}
