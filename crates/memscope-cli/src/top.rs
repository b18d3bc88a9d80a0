//! `memscope top`: who holds a running program's memory, looked at again and again.
//!
//! ```text
//! client::read -> symbolize (what is new) -> Analysis -> Look (lines of the screen)   in a thread of its own, for a fraction of its time
//!                                           -> screen                    keys are answered meanwhile
//! ```
//!
//! Invariants: the program is only read, by the memscope that holds its region; the terminal is as it was before, however
//! this ends; nothing needs colours, or more than 80x24. Deliberately absent: recording, which `memscope run` does.

mod screen;

use crate::arguments::Top;
use crate::client;
use crate::error::{Error, reason};
use crate::format::base;
use crate::report::FAILURE;
use crate::symbols::symbolize_again;
use crate::terminal::Voice;
use memscope_profile::Profile;
use memscope_profile::analyze::{self, Analysis, Metric};
use memscope_profile::model::{Growth, TypeEvidence};
use memscope_profile::symbolize::KnownSymbols;
use memscope_profile::types::{TypeHistogram, TypeLine};
use memscope_report::text::{block_sizes, site_name, site_stack};
use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::io::{self, IsTerminal};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::time::{Duration, Instant};

/// Lines of each ranking.
const MAX_LINES: usize = 200;

/// Sites of a type that are listed with it.
const MAX_SITES_OF_TYPE: usize = 12;

/// Types of a site's line that are listed with it.
const MAX_TYPES_OF_SITE: usize = 4;

/// A look is followed by a pause of so many times its own duration: what reads a hundred thousand stacks takes their
/// counters out of the cache of the processor that writes them.
const PAUSES_PER_LOOK: u32 = 9;

/// What was seen at one moment.
#[derive(Debug)]
pub(crate) struct Look {
    /// The profile, for keeping it.
    pub(crate) profile: Profile,
    /// The sites by each metric, then types, threads, tasks and named values.
    pub(crate) rankings: Vec<Ranking>,
}

/// Lines by one measure, the largest first.
#[derive(Clone, Debug)]
pub(crate) struct Ranking {
    /// What the lines are of.
    pub(crate) of: Of,
    /// The measure in words.
    pub(crate) by: &'static str,
    /// Whether the values are bytes.
    pub(crate) is_bytes: bool,
    pub(crate) lines: Vec<Line>,
}

/// What a ranking ranks, in the order in which a key leads from one to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    Sites,
    Types,
    Threads,
    Tasks,
    Values,
}

impl Of {
    pub(crate) const ALL: [Self; 5] =
        [Self::Sites, Self::Types, Self::Threads, Self::Tasks, Self::Values];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Sites => "Sites",
            Self::Types => "Types",
            Self::Threads => "Threads",
            Self::Tasks => "Tasks",
            Self::Values => "Named values",
        }
    }

    /// What to say where there are none.
    pub(crate) fn none(self) -> &'static str {
        match self {
            Self::Sites => "no site",
            Self::Types => "no type",
            Self::Threads => "no thread",
            Self::Tasks => {
                "The program names no tasks; `task_scope` of the crate memscope-rs does."
            }
            Self::Values => "The program names no values; `track!` of the crate memscope-rs does.",
        }
    }
}

/// A line of a ranking.
#[derive(Clone, Debug, Default)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) value: u64,
    /// What is shown below it when it is opened: types and stack of a site, else what more is known.
    pub(crate) stack: Vec<String>,
    /// The threads that allocated there, as far as that is known.
    pub(crate) threads: String,
}

/// Watches. The value is the exit code.
pub(crate) fn top(options: &Top) -> Result<u8, Error> {
    watch(options).map(|()| 0).map_err(|error| error.exit_code(FAILURE))
}

fn watch(options: &Top) -> Result<(), Error> {
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        return Err(Error::new("memscope top draws on a terminal, and there is none")
            .hint("`memscope report PID` writes the same as text."));
    }
    let started = if options.command.is_empty() { None } else { Some(start(options)?) };
    let pid = options.pid.or_else(|| started.as_ref().map(|it| it.0.id()));
    let pid = pid.ok_or_else(|| Error::new("no process is named"))?;
    // The first look before the screen is taken: what cannot be read is refused in words.
    let mut known = KnownSymbols::default();
    let first = match &started {
        None => look(client::read(pid)?, &mut known),
        Some(_) => look(first_of(pid)?, &mut known),
    };
    let (sender, receiver) = mpsc::sync_channel(1);
    let every = Duration::from_secs(options.every);
    std::thread::Builder::new()
        .name("looks".to_owned())
        .spawn(move || looks(pid, every, known, &sender))
        .map_err(|error| Error::new(format!("cannot start a thread: {}", reason(&error))))?;
    let ended = screen::show(pid, first, &receiver);
    drop(started);
    match ended {
        Ok(Some(words)) => eprintln!("memscope: {words}"),
        Ok(None) => {}
        Err(error) => {
            return Err(Error::new(format!("the terminal failed: {}", reason(&error))));
        }
    }
    Ok(())
}

/// A program that we started, by a `memscope run`; it ends with us.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        // The memscope passes it on, and ends after the program.
        if let Ok(pid) = i32::try_from(self.0.id())
            && let Some(pid) = rustix::process::Pid::from_raw(pid)
            && matches!(self.0.try_wait(), Ok(None))
        {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = self.0.wait();
    }
}

fn start(options: &Top) -> Result<Started, Error> {
    let failed =
        |error: io::Error| Error::new(format!("cannot start memscope: {}", reason(&error)));
    let here = std::env::current_exe().map_err(failed)?;
    let child = Command::new(here)
        .args(["run", "--quiet", "--"])
        .args(&options.command)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    Ok(Started(child))
}

/// The first profile of a program that was just started.
fn first_of(pid: u32) -> Result<Profile, Error> {
    let begun = Instant::now();
    loop {
        match client::read(pid) {
            Err(_) if begun.elapsed() < Duration::from_secs(5) => {
                std::thread::sleep(Duration::from_millis(50));
            }
            result => return result,
        }
    }
}

/// Looks again and again, until nobody wants to see it or there is nothing more to see.
fn looks(
    pid: u32,
    every: Duration,
    mut known: KnownSymbols,
    sender: &SyncSender<Result<Look, Error>>,
) {
    loop {
        let begun = Instant::now();
        let result = client::read(pid).map(|profile| look(profile, &mut known));
        let is_last = result.is_err();
        if sender.send(result).is_err() || is_last {
            return;
        }
        std::thread::sleep(every.max(begun.elapsed() * PAUSES_PER_LOOK));
    }
}

fn look(mut profile: Profile, known: &mut KnownSymbols) -> Look {
    symbolize_again(&mut profile, known, Voice::new(true));
    let mut rankings = sites(&profile);
    rankings.extend([types(&profile), threads(&profile), tasks(&profile), values(&profile)]);
    Look { rankings, profile }
}

fn sites(profile: &Profile) -> Vec<Ranking> {
    let base = base();
    let analysis = Analysis::new(profile);
    let ranking = |metric: Metric| {
        let lines = analysis.rank(metric, MAX_LINES).lines.into_iter();
        let lines = lines.map(|line| Line {
            name: site_name(&analysis, line.sites[0], &base),
            value: line.value,
            stack: std::iter::once(types_of(profile, &line))
                .chain(site_stack(&analysis, line.sites[0], &base))
                .collect(),
            threads: threads_of(profile, &line.sites),
        });
        let by = match metric {
            Metric::Peak => "at the peak",
            Metric::LiveAtEnd => "live",
            Metric::Allocations => "allocations",
            Metric::AllocatedBytes => "allocated bytes",
            Metric::Temporary => "temporary",
        };
        Ranking { of: Of::Sites, by, is_bytes: metric.is_bytes(), lines: lines.collect() }
    };
    Metric::ALL.map(ranking).into()
}

/// What the blocks of a line are, the type of its largest site first, and how large.
fn types_of(profile: &Profile, line: &analyze::Line) -> String {
    let mut names: Vec<&str> = Vec::new();
    for site in line.sites.iter().filter_map(|site| profile.sites.get(*site as usize)) {
        let heap_type = profile.heap_type(site).filter(|it| it.evidence.is_typed());
        let name = heap_type.map_or("(no type)", |it| &it.name);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let more = names.len().saturating_sub(MAX_TYPES_OF_SITE);
    names.truncate(MAX_TYPES_OF_SITE);
    let more = if more > 0 { format!(" and {more} more types") } else { String::new() };
    format!("{}{more}; {}", names.join(", "), block_sizes(&line.counts, &profile.run))
}

/// The names of the threads that allocated at these sites.
fn threads_of(profile: &Profile, sites: &[u32]) -> String {
    let sites = sites.iter().filter_map(|site| profile.sites.get(*site as usize));
    let names = sites.flat_map(|site| profile.threads_of(site)).map(|thread| &*thread.name);
    let names: BTreeSet<&str> = names.collect();
    names.into_iter().collect::<Vec<_>>().join(", ")
}

/// Lines in the order of their values.
fn ranked(of: Of, by: &'static str, lines: impl Iterator<Item = Line>) -> Ranking {
    let mut lines: Vec<Line> = lines.collect();
    lines.sort_by_key(|line| Reverse(line.value));
    lines.truncate(MAX_LINES);
    Ranking { of, by, is_bytes: true, lines }
}

fn types(profile: &Profile) -> Ranking {
    let histogram = TypeHistogram::new(profile, Metric::LiveAtEnd);
    let (analysis, base) = (Analysis::new(profile), base());
    // The sites of a type, those with the most first.
    let sites = |line: &TypeLine<'_>| {
        let live = |site: &u32| profile.sites[*site as usize].counts.live_bytes();
        let mut sites: Vec<u32> =
            line.sites.iter().copied().filter(|site| live(site) > 0).collect();
        sites.sort_by_key(|site| Reverse(live(site)));
        let more = sites.len().saturating_sub(MAX_SITES_OF_TYPE);
        let mut texts: Vec<_> = sites
            .iter()
            .take(MAX_SITES_OF_TYPE)
            .map(|site| {
                format!("{}  {}", screen::bytes(live(site)), site_name(&analysis, *site, &base))
            })
            .collect();
        texts.extend((more > 0).then(|| format!("and {more} more sites")));
        texts
    };
    let lines = histogram.present().iter().map(|it| Line {
        name: if it.name.is_empty() { "(unknown)".to_owned() } else { it.name.to_owned() },
        value: it.counts.live_bytes(),
        stack: std::iter::once(format!(
            "{} blocks alive, from {} sites; of all: {}; known by {}",
            it.counts.live_blocks(),
            it.sites.len(),
            block_sizes(&it.counts, &profile.run),
            match it.evidence {
                TypeEvidence::SizeChecked => "name, and the size fits",
                TypeEvidence::Named => "name",
                TypeEvidence::Raw => "function only",
                TypeEvidence::Unknown => "nothing",
            }
        ))
        .chain(growth_of(&it.counts.growth))
        .chain(sites(it))
        .collect(),
        ..Line::default()
    });
    ranked(Of::Types, "live", lines)
}

/// What growing cost, if it did.
fn growth_of(growth: &Growth) -> Option<String> {
    let Growth { growths, copied_bytes, given_back_bytes, .. } = *growth;
    (growths > 0 || given_back_bytes > 0).then(|| {
        format!(
            "grown {growths} times, {} copied; {} given back by shrinking",
            screen::bytes(copied_bytes),
            screen::bytes(given_back_bytes)
        )
    })
}

fn threads(profile: &Profile) -> Ranking {
    let lines = profile.threads.iter().map(|it| Line {
        name: format!("{} ({})", it.name, it.tid),
        value: it.allocated_bytes,
        stack: vec![format!(
            "{} allocations, {} frees, {} temporary",
            it.allocations, it.frees, it.temporary
        )],
        ..Line::default()
    });
    ranked(Of::Threads, "allocated bytes", lines)
}

fn tasks(profile: &Profile) -> Ranking {
    let lines = profile.task_lines().into_iter().map(|it| Line {
        value: it.counts.live_bytes(),
        stack: vec![format!(
            "{} blocks alive, {} bytes at most, {} allocations of {} bytes, entered {} times",
            it.counts.live_blocks(),
            it.task.peak_bytes,
            it.counts.allocations,
            it.counts.allocated_bytes,
            it.task.entries
        )],
        name: it.path,
        ..Line::default()
    });
    ranked(Of::Tasks, "live, each without its children", lines)
}

fn values(profile: &Profile) -> Ranking {
    let lines = profile.variables().map(|it| Line {
        name: format!("{}: {}", it.name, it.type_name),
        value: it.live_bytes,
        stack: vec![
            format!("{}:{}", it.file, it.line),
            format!(
                "{} of {} blocks alive, {} bytes at most",
                it.live_blocks, it.blocks, it.peak_bytes
            ),
        ],
        ..Line::default()
    });
    ranked(Of::Values, "live", lines)
}

/// The next look that is there, if one is.
fn next(receiver: &Receiver<Result<Look, Error>>) -> Option<Result<Look, Error>> {
    receiver.try_recv().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use memscope_profile::model::{Address, Counts, Frame, HeapType, Site, StackNode};

    #[test]
    fn a_type_leads_to_its_sites_those_with_the_most_first() {
        let strings = ["", "shop::fill", "shop::load"].map(String::from).to_vec();
        let frame = |function| Frame { function, ..Frame::default() };
        let address = |frames_start| Address { frames_start, frames_len: 1, ..Address::default() };
        let site = |stack, live, heap_type| {
            let counts = Counts { allocations: 1, allocated_bytes: live, ..Counts::default() };
            Site { stack, kind: 1, heap_type, counts, ..Site::default() }
        };
        let heap_type = HeapType {
            name: "Vec<Order>".to_owned(),
            evidence: TypeEvidence::Named,
            ..HeapType::default()
        };
        let freed = Counts { frees: 1, freed_bytes: 9, ..site(1, 9, 1).counts };
        let profile = Profile {
            strings,
            frames: vec![frame(1), frame(2)],
            addresses: vec![address(0), address(1)],
            stacks: vec![StackNode { parent: 0, address: 0 }, StackNode { parent: 0, address: 1 }],
            types: vec![heap_type],
            sites: vec![
                site(1, 100, 1),
                site(2, 2048, 1),
                site(1, 7, 0),
                Site { counts: freed, ..site(1, 9, 1) },
            ],
            ..Profile::default()
        };
        let ranking = types(&profile);
        assert_eq!(ranking.lines.len(), 2);
        let line = &ranking.lines[0];
        assert_eq!((line.name.as_str(), line.value), ("Vec<Order>", 2148));
        assert_eq!(line.stack.len(), 3, "{:?}", line.stack);
        assert!(line.stack[0].contains("known by name"), "{:?}", line.stack);
        assert!(line.stack[1].contains("shop::load") && line.stack[2].contains("shop::fill"));
    }
}
