//! A run: which program, how it ended, and the processes that came of it.

use serde::{Deserialize, Serialize};

/// Which program, when, how long, how it ended.
///
/// ```
/// use memscope_profile::model::{End, Run};
///
/// let run = Run { exe: "/bin/shop".into(), duration_ns: 1_500_000_000, end: End::Exited(0), ..Run::default() };
/// assert_eq!(format!("{} ran for {:.1} s", run.exe, run.duration_ns as f64 / 1e9), "/bin/shop ran for 1.5 s");
/// ```
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
    /// Nanoseconds from the start of recording to the end of the process (or to the reading, if it still ran).
    pub duration_ns: u64,
    /// How it ended.
    pub end: End,
    /// What was recorded.
    pub mode: Mode,
    /// Mean bytes between samples in mode sampled, else 0.
    pub interval_bytes: u64,
    /// The version of memscope that wrote this.
    pub memscope_version: String,
    /// How many children were not followed. (Where nobody followed any, all that it made.)
    pub unfollowed_children: u64,
    /// Whether the process went on to execute another program in its place, which is not part of this profile.
    pub replaced: bool,
    /// What it had of the process that it was forked from, if it was forked and went on in the same program.
    pub inherited: Option<Inherited>,
}

/// What a process had of the one that it was forked from. None of it is part of any other figure.
///
/// ```
/// use memscope_profile::model::{Inherited, Run};
///
/// let inherited = Inherited { from: 17, is_known: true, blocks: 10, bytes: 640, frees: 4, ..Inherited::default() };
/// let run = Run { inherited: Some(inherited), ..Run::default() };
/// let left = run.inherited.filter(|it| it.is_known).map(|it| it.blocks - it.frees);
/// assert_eq!(left, Some(6));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Inherited {
    /// Process id of the one that it was forked from.
    pub from: u32,
    /// Whether the next three are known. (They are not if it was made in a way that nobody calls.)
    pub is_known: bool,
    /// How many blocks were alive when it was forked.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Events of the other threads, during the fork, by which those two may be off.
    pub doubt: u64,
    /// How many of the blocks this process freed. (Where allocations were missed, frees of their blocks are among them.)
    pub frees: u64,
}

/// A moment that somebody noted from outside, and how things stood.
///
/// ```
/// use memscope_profile::model::Mark;
///
/// let mark = |ms, text: &str, live_bytes| Mark { ms, text: text.into(), live_bytes, ..Mark::default() };
/// let marks = [mark(100, "warm", 1000), mark(900, "after 100 requests", 1400)];
/// assert_eq!((marks[1].live_bytes - marks[0].live_bytes, marks[1].ms - marks[0].ms), (400, 800));
/// ```
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
///
/// ```
/// use memscope_profile::model::ProcessSummary;
///
/// let process = |exe: &str, parent, peak_bytes| ProcessSummary {
///     exe: exe.into(),
///     parent,
///     peak_bytes,
///     ..ProcessSummary::default()
/// };
/// let processes = [process("make", 0, 900), process("cc", 1, 5000), process("cc", 1, 7000)];
/// let largest = processes.iter().max_by_key(|it| it.peak_bytes).unwrap();
/// assert_eq!(processes[largest.parent as usize - 1].exe, "make");
/// ```
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
    /// Nanoseconds from the start of recording to its end (or to the reading, if it still ran).
    pub duration_ns: u64,
    /// How it ended, as far as that is known.
    pub end: End,
    /// Largest live bytes.
    pub peak_bytes: u64,
    /// Live bytes at its end (or when read).
    pub live_bytes: u64,
    /// How many allocations it made.
    pub allocations: u64,
    /// How many events should have been recorded: allocations and frees.
    pub attempts: u64,
    /// How many of them were.
    pub successes: u64,
    /// How many children of it were not followed.
    pub unfollowed_children: u64,
    /// The program that it executed in its place at last, if that was not followed.
    pub replaced_by: String,
    /// The file that its profile was kept in; empty if it was not.
    pub file: String,
}

/// How a process ended.
///
/// ```
/// use memscope_profile::model::End;
///
/// let words = |end| match end {
///     End::Exited(code) => format!("exited with code {code}"),
///     End::Signaled(signal) => format!("was ended by signal {signal}"),
///     End::Running | End::Ending => "was read while it ran".to_owned(),
///     End::Unknown => "ended somehow".to_owned(),
/// };
/// assert_eq!(words(End::Signaled(9)), "was ended by signal 9");
/// ```
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
///
/// ```
/// use memscope_profile::model::{Mode, Profile, Run};
///
/// let run = Run { mode: Mode::Sampled, interval_bytes: 512 << 10, ..Run::default() };
/// let profile = Profile { run, ..Profile::default() };
/// let are_estimates = profile.run.mode == Mode::Sampled;
/// assert!(are_estimates);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// Every allocation with its full stack.
    #[default]
    Exact,
    /// A sample by bytes; counts are estimates.
    Sampled,
    /// Totals only. Where `memscope run` counted, what is live and its peak are in usable bytes, as the allocator has them, and freed
    /// bytes are not known; a program that counts by itself knows the bytes that were asked for.
    Counting,
}
