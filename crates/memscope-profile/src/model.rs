//! The profile: what was measured, in the nouns that every output uses.
//!
//! A profile is self-contained: stacks, modules, symbols, timeline. Ids are places in its vectors, and a profile
//! that comes from [`crate::file`] or [`crate::region`] has been checked: every id is in range, every parent of a
//! stack node comes before the node, every frame range lies within `frames`.

mod growth;
mod heap_type;

use crate::estimate::Deviations;
use serde::{Deserialize, Serialize};

pub use growth::Growth;
pub use heap_type::{HeapType, TypeEvidence, TypeLayout};
pub use memscope_region::row::{Kind, MissCause};

/// What one process did with its memory.
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

/// Which program, when, how long, how it ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Run {
    /// The command and its arguments.
    pub command: Vec<String>,
    /// The executable's path.
    pub exe: String,
    /// Process id.
    pub pid: u32,
    /// Start, in nanoseconds since the Unix epoch.
    pub start_ns: u64,
    /// From the start of recording to the end of the process (or to the reading, if it still ran).
    pub duration_ns: u64,
    /// How it ended.
    pub end: End,
    /// What was recorded.
    pub mode: Mode,
    /// Mean bytes between samples in mode sampled, else 0.
    pub interval_bytes: u64,
    /// The version of memscope that wrote this.
    pub memscope_version: String,
    /// Children that were not followed. (Where nobody followed any, all that it made.)
    pub unfollowed_children: u64,
    /// Whether the process went on to execute another program in its place, which is not part of this profile.
    pub replaced: bool,
    /// What it had of the process that it was forked from, if it was forked and went on in the same program.
    pub inherited: Option<Inherited>,
}

/// What a process had of the one that it was forked from. None of it is part of any other figure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Inherited {
    /// Process id of the one that it was forked from.
    pub from: u32,
    /// Whether the next three are known. (They are not if it was made in a way that nobody calls.)
    pub is_known: bool,
    /// Blocks that were alive when it was forked.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Events of the other threads, during the fork, by which those two may be off.
    pub doubt: u64,
    /// How many of the blocks this process freed. (Where allocations were missed, frees of their blocks are among them.)
    pub frees: u64,
}

/// A moment that somebody noted from outside, and how things stood.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Mark {
    /// Milliseconds since the start.
    pub ms: u64,
    /// What it was noted by.
    pub text: String,
    /// Live bytes of the process.
    pub live_bytes: u64,
    /// Allocations so far.
    pub allocations: u64,
}

/// A process of a run, in short.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProcessSummary {
    /// Process id.
    pub pid: u32,
    /// Place of the process that made it, plus one; 0: not known.
    pub parent: u32,
    /// The command and its arguments.
    pub command: Vec<String>,
    /// The executable's path.
    pub exe: String,
    /// Why it was not followed; empty if it was. What follows is known only of processes that were.
    pub unfollowed: String,
    /// From the start of recording to its end (or to the reading, if it still ran).
    pub duration_ns: u64,
    /// How it ended, as far as that is known.
    pub end: End,
    /// Largest live bytes.
    pub peak_bytes: u64,
    /// Live bytes at its end (or when read).
    pub live_bytes: u64,
    /// Allocations.
    pub allocations: u64,
    /// Events that should have been recorded.
    pub attempts: u64,
    /// Events that were.
    pub successes: u64,
    /// Children of it that were not followed.
    pub unfollowed_children: u64,
    /// The program that it executed in its place at last, if that was not followed.
    pub replaced_by: String,
    /// The file that its profile was kept in; empty if it was not.
    pub file: String,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// Not known: the region was read after the fact.
    #[default]
    Unknown,
    /// It still ran when it was read.
    Running,
    /// It read itself as it came to its end; how that went is for others to say.
    Ending,
    /// It exited with this code.
    Exited(i32),
    /// It was ended by this signal.
    Signaled(i32),
}

/// What was recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// Every allocation with its full stack.
    #[default]
    Exact,
    /// A sample by bytes; counts are estimates.
    Sampled,
    /// Totals only. What is live and its peak are then in usable bytes, as the allocator has them, and freed bytes are not
    /// known.
    Counting,
}

/// How much of what happened was recorded. `attempts == successes + sum of misses` once the process has ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Completeness {
    /// Events that should have been recorded: allocations and frees. A realloc is one of each.
    pub attempts: u64,
    /// Events that were.
    pub successes: u64,
    /// Events that were not, by [`MissCause`] (its number is the place here).
    pub misses: [u64; MissCause::COUNT],
    /// Frees of blocks that were allocated before recording began, or whose allocation was missed.
    pub unknown_frees: u64,
    /// Events whose stack could not be walked to its end.
    pub truncated_stacks: u64,
    /// Events on a stack that was not the thread's own (coroutines, alternate signal stacks).
    pub foreign_stacks: u64,
    /// From when on what was recorded, if the program changed that: the beginning first. Empty if it did not. The latest are
    /// kept.
    pub eras: Vec<Era>,
    /// Bytes by which the peak's total may be off because threads publish their live bytes in steps; 0 with one thread.
    pub peak_uncertainty_bytes: u64,
}

/// A time in which a program recorded itself in one way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Era {
    /// Its beginning in milliseconds since the start.
    pub from_ms: u64,
    /// What was recorded; `None`: nothing.
    pub mode: Option<Mode>,
}

/// Sums over the whole process.
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
    /// Blocks freed with no allocation in between on the same thread.
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
pub type StringId = u32;

/// A return address and its frames.
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
    /// Its frames' places in [`Profile::frames`].
    pub fn frames(&self) -> std::ops::Range<usize> {
        self.frames_start as usize..self.frames_start as usize + self.frames_len as usize
    }
}

/// A function at a place in the source.
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

/// A stack: a node of the prefix tree, read from the innermost frame to the root. 0: the root.
pub type StackId = u32;

/// A node of the prefix tree of stacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackNode {
    /// The caller's stack, 0 if this is the outermost frame. Always smaller than the node's own id.
    pub parent: StackId,
    /// Place in [`Profile::addresses`].
    pub address: u32,
}

/// An allocation site: a stack and the kind of call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// The stack.
    pub stack: StackId,
    /// The kind of call, see [`Kind`].
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Allocations.
    pub allocations: u64,
    /// Bytes requested.
    pub allocated_bytes: u64,
    /// Frees of its blocks.
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
    /// Blocks alive at the end (or when read).
    pub fn live_blocks(&self) -> u64 {
        self.allocations.saturating_sub(self.frees)
    }

    /// Bytes alive at the end (or when read).
    pub fn live_bytes(&self) -> u64 {
        self.allocated_bytes.saturating_sub(self.freed_bytes)
    }

    /// The mean bytes of a block, rounded; `None` if there was none.
    pub fn mean_block_bytes(&self) -> Option<u64> {
        let half = self.allocations / 2;
        self.allocated_bytes.saturating_add(half).checked_div(self.allocations)
    }

    /// Bytes of the largest block, as far as they are known.
    pub fn largest_block(&self) -> Option<u64> {
        Some(self.largest_block_bytes).filter(|bytes| *bytes > 0)
    }

    /// Whether the largest block is known from a sample only, so that another may be larger.
    pub fn is_largest_of_sample(&self) -> bool {
        self.deviations != Deviations::default()
    }
}

/// A thread and what it did itself. (What it freed may have been allocated by another.)
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Thread {
    /// Kernel thread id.
    pub tid: u32,
    /// Name, as the kernel had it.
    pub name: String,
    /// When its first event came, in milliseconds since the start.
    pub first_ms: u64,
    /// Events that should have been recorded.
    pub attempts: u64,
    /// Events that were.
    pub successes: u64,
    /// Allocations.
    pub allocations: u64,
    /// Bytes requested.
    pub allocated_bytes: u64,
    /// Frees.
    pub frees: u64,
    /// Bytes given back.
    pub freed_bytes: u64,
    /// Blocks freed with no allocation in between.
    pub temporary: u64,
    /// Live bytes that the thread has added to the process's: more than 0 for who allocates and lets others free. Known in
    /// mode counting only.
    pub live_bytes: i64,
    /// The most that these were.
    pub peak_bytes: u64,
    /// How far these may be off, in a sampled run: allocations, frees and their bytes.
    pub deviations: Deviations,
}

/// A name that the program gave to blocks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Label {
    /// Place of the tracker that gave it, plus one. If that is its own place, it is the tracker.
    pub tracker: u32,
    /// The name, as it stood in the source.
    pub name: String,
    /// The type of the value.
    pub type_name: String,
    /// Source file in which the name was given.
    pub file: String,
    /// Line of it.
    pub line: u32,
    /// Blocks that bear it.
    pub live_blocks: u64,
    /// Their bytes.
    pub live_bytes: u64,
    /// The most that the bytes ever were.
    pub peak_bytes: u64,
    /// Blocks that ever bore it; one that is moved by realloc stays one.
    pub blocks: u64,
    /// Bytes that they had when they were named.
    pub bytes: u64,
    /// Moves by realloc.
    pub moves: u64,
    /// Strong handles to the block that was named last, if it is shared; else 0.
    pub strong: u32,
    /// Weak handles to it.
    pub weak: u32,
}

/// A task, a scope or a span: a name under a parent. What it allocated and holds is the sum over the sites that name it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Task {
    /// The parent's place in [`Profile::tasks`] plus one, 0 if none.
    pub parent: u32,
    /// Its name.
    pub name: String,
    /// What it is: 1 a task, 2 a scope, 3 a span.
    pub kind: u32,
    /// How many are under way (scopes and spans).
    pub open: u32,
    /// How often it was entered.
    pub entries: u64,
    /// The most bytes that it held at once, what its children held not included. Exact while one thread at a time is
    /// in it.
    pub peak_bytes: u64,
}

/// Live bytes over time, and by site.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Timeline {
    /// Time between two samples at the end, in milliseconds. (It doubles, and every other sample is merged into
    /// the next, when there are too many.)
    pub interval_ms: u64,
    /// The samples, oldest first.
    pub samples: Vec<Sample>,
}

/// The state at a moment, as the difference from the sample before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// Milliseconds since the start.
    pub ms: u64,
    /// Live bytes of the process.
    pub live_bytes: u64,
    /// Live blocks of the process.
    pub live_blocks: u64,
    /// Allocations so far.
    pub allocations: u64,
    /// What changed, by site; sorted by site.
    pub changes: Vec<SiteChange>,
}

/// How a site's live blocks and allocations changed between two samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteChange {
    /// Place in [`Profile::sites`].
    pub site: u32,
    /// Change of live blocks.
    pub live_blocks: i64,
    /// Change of live bytes.
    pub live_bytes: i64,
    /// Allocations in between.
    pub allocations: u64,
    /// Bytes requested in between.
    pub allocated_bytes: u64,
}

/// What a reader ought to know before trusting the numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// One sentence: what and where.
    pub message: String,
    /// What to do about it; may be empty.
    pub hint: String,
}
