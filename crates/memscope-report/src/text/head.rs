//! The head of the report: the command, how it ended, how complete the recording is, warnings.

use super::by_type;
use super::figures::Figures;
use super::page::{Breaks, Ink, Page, Span, elide_middle, span};
use super::units::{bytes, count, counted, duration, share};
use memscope_profile::analyze::Metric;
use memscope_profile::estimate::unseen_bytes;
use memscope_profile::model::{
    Completeness, Counts, End, Era, Inherited, MissCause, Mode, Profile, Run,
};
use memscope_profile::types::TypeHistogram;
use std::io;

/// A command longer than this many lines is cut in its middle.
const MAX_COMMAND_LINES: usize = 3;

pub(super) fn write(profile: &Profile, page: &mut Page<'_>) -> io::Result<()> {
    let command = elide_middle(&command(&profile.run), MAX_COMMAND_LINES * page.width() - 10);
    page.paragraph(
        0,
        2,
        Breaks::Code,
        &[span(Ink::Faint, "memscope: "), span(Ink::Strong, command)],
    )?;
    page.paragraph(0, 2, Breaks::Words, &[span(Ink::Plain, ending(&profile.run))])?;
    page.blank()?;
    completeness(profile, page)?;
    for warning in &profile.warnings {
        page.paragraph(
            0,
            2,
            Breaks::Words,
            &[span(Ink::Warn, "Warning: "), span(Ink::Plain, &warning.message)],
        )?;
        if !warning.hint.is_empty() {
            page.paragraph(
                2,
                4,
                Breaks::Words,
                &[span(Ink::Strong, "Hint: "), span(Ink::Plain, &warning.hint)],
            )?;
        }
    }
    Ok(())
}

/// The command as a shell would take it.
pub(crate) fn command(run: &Run) -> String {
    if run.command.is_empty() {
        return if run.exe.is_empty() { "unknown program".to_owned() } else { run.exe.clone() };
    }
    run.command.iter().map(|argument| quoted(argument)).collect::<Vec<_>>().join(" ")
}

pub(super) fn quoted(argument: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "_-+=./,:@%^".contains(c);
    if !argument.is_empty() && argument.chars().all(is_plain) {
        argument.to_owned()
    } else {
        format!("'{}'", argument.replace('\'', r"'\''"))
    }
}

pub(crate) fn ending(run: &Run) -> String {
    let time = duration(run.duration_ns);
    let text = match run.end {
        End::Unknown if run.duration_ns == 0 => "how it ended is not known".to_owned(),
        End::Unknown => format!("ran for at least {time}, how it ended is not known"),
        End::Running => format!("still running, read after {time}"),
        End::Ending => format!("ran for {time}, and kept this itself at its end"),
        End::Exited(code) => format!("ran for {time}, exited with code {code}"),
        End::Signaled(signal) => match signal_name(signal) {
            Some(name) => format!("ran for {time}, killed by signal {signal} ({name})"),
            None => format!("ran for {time}, killed by signal {signal}"),
        },
    };
    if run.pid == 0 { text } else { format!("{text}, pid {}", run.pid) }
}

/// The signals by which programs end, with their numbers on Linux.
fn signal_name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        10 => "SIGUSR1",
        11 => "SIGSEGV",
        12 => "SIGUSR2",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        24 => "SIGXCPU",
        25 => "SIGXFSZ",
        31 => "SIGSYS",
        _ => return None,
    })
}

fn completeness(profile: &Profile, page: &mut Page<'_>) -> io::Result<()> {
    page.paragraph(0, 2, Breaks::Words, &verdict(&profile.completeness, profile.run.mode))?;
    for fact in facts(profile) {
        page.paragraph(2, 4, Breaks::Words, &[span(Ink::Plain, fact)])?;
    }
    Ok(())
}

/// Whether everything was recorded, in one sentence.
pub(crate) fn verdict(completeness: &Completeness, mode: Mode) -> Vec<Span> {
    let Completeness { attempts, successes, truncated_stacks, .. } = *completeness;
    if attempts == 0 {
        return vec![
            span(Ink::Warn, "Nothing recorded: "),
            span(Ink::Plain, "not one allocation was seen."),
        ];
    }
    if successes == attempts && missed(completeness) == 0 {
        let done = match mode {
            Mode::Exact => "recorded",
            Mode::Sampled => "recorded",
            Mode::Counting => "counted",
        };
        let noun = if mode == Mode::Sampled { "sampled event" } else { "event" };
        let events = match attempts {
            1 => format!("the one {noun} was {done}"),
            _ => format!("all {} were {done}", counted(attempts, noun)),
        };
        let stacks = match truncated_stacks {
            _ if mode == Mode::Counting => ".".to_owned(),
            0 => ", every stack whole.".to_owned(),
            n => format!(", {} of them with the stack cut short.", count(n)),
        };
        return vec![span(Ink::Good, "Complete: "), span(Ink::Plain, events + &stacks)];
    }
    let recorded = share(successes, attempts).unwrap_or_default();
    vec![
        span(Ink::Warn, "Incomplete: "),
        span(
            Ink::Plain,
            format!(
                "{} of {} were recorded ({recorded}).",
                count(successes),
                counted(attempts, "event")
            ),
        ),
    ]
}

fn missed(completeness: &Completeness) -> u64 {
    completeness.misses.iter().fold(0, |sum, n| sum.saturating_add(*n))
}

/// What is missing and why, and what else bears on the figures.
pub(crate) fn facts(profile: &Profile) -> Vec<String> {
    let completeness = &profile.completeness;
    let run = &profile.run;
    let mut facts = Vec::new();
    let under_way = completeness
        .attempts
        .saturating_sub(completeness.successes)
        .saturating_sub(missed(completeness));
    if under_way > 0 {
        facts.push(format!(
            "{} under way when {}.",
            counted(under_way, "event"),
            if run.end == End::Running { "it was read" } else { "it ended" }
        ));
    }
    for cause in MissCause::ALL {
        let n = completeness.misses[cause as usize];
        if n > 0 {
            facts.push(format!("{} missed: {}.", count(n), why(cause)));
        }
    }
    let is_complete = completeness.attempts == completeness.successes && missed(completeness) == 0;
    if completeness.truncated_stacks > 0 && !is_complete {
        facts.push(format!(
            "{} recorded with the stack cut short.",
            counted(completeness.truncated_stacks, "event")
        ));
    }
    if completeness.foreign_stacks > 0 {
        facts.push(format!(
            "{} on a stack that is not the thread's own (a coroutine's, a signal handler's).",
            counted(completeness.foreign_stacks, "event")
        ));
    }
    if completeness.unknown_frees > 0 {
        facts.push(format!(
            "{} of blocks from before recording began, or whose allocation was missed.",
            counted(completeness.unknown_frees, "free")
        ));
    }
    if run.mode != Mode::Counting && !profile.types.is_empty() {
        let shares = TypeHistogram::new(profile, Metric::AllocatedBytes).shares;
        let figures = Figures::of(run);
        let of = if profile.suppressed == Counts::default() {
            "Of all bytes allocated"
        } else {
            "Of the bytes allocated at the sites that are shown"
        };
        facts.push(format!("{of}, {}.", by_type::evidence(&shares, figures)));
    }
    if completeness.peak_uncertainty_bytes > 0 {
        facts.push(format!(
            "The peak is exact to within {}: threads report what they hold in steps.",
            bytes(completeness.peak_uncertainty_bytes)
        ));
    }
    if let Some(inherited) = &run.inherited {
        facts.push(of_parent(inherited));
    }
    if run.unfollowed_children > 0 {
        facts.push(format!("{}, not followed.", children(run.unfollowed_children)));
    }
    facts.extend(completeness.eras.iter().zip(1..).map(|(era, next)| {
        let end = completeness.eras.get(next).map(|next| next.from_ms);
        of_era(era, end)
    }));
    match run.mode {
        Mode::Exact => {}
        Mode::Sampled => {
            facts.push(format!(
                "Sampled every {} on average: figures marked ≈ are estimates, ± is their 95 % range.",
                bytes(run.interval_bytes)
            ));
            facts.push(format!(
                "A site may be missing that allocated less than {} in all.",
                bytes(unseen_bytes(run.interval_bytes))
            ));
        }
        Mode::Counting => {
            facts.push("Only totals were counted, no stacks.".to_owned());
            // A program that counts itself knows what it frees.
            if profile.totals.freed_bytes > 0 {
                return facts;
            }
            facts.push(
                "Allocated bytes are those asked for; the peak and live bytes are those that the \
                 allocator made of them."
                    .to_owned(),
            );
        }
    }
    facts
}

/// What was recorded for some time.
fn of_era(era: &Era, end_ms: Option<u64>) -> String {
    let what = match era.mode {
        Some(Mode::Exact) => "everything was recorded",
        Some(Mode::Sampled) => "a sample was recorded, and the figures of its sites are estimates",
        Some(Mode::Counting) => "allocations were only counted, and are at no site",
        None => "nothing was recorded but frees of blocks that were",
    };
    let from = duration(era.from_ms * 1_000_000);
    match end_ms {
        Some(end) => format!("From {from} to {} {what}.", duration(end * 1_000_000)),
        None => format!("From {from} on {what}."),
    }
}

/// So many child processes.
pub(super) fn children(n: u64) -> String {
    match n {
        1 => "1 child process".to_owned(),
        n => format!("{} child processes", count(n)),
    }
}

/// What a process had of the one that it was forked from.
fn of_parent(inherited: &Inherited) -> String {
    let Inherited { from, is_known, blocks, bytes: held, doubt, frees } = *inherited;
    let freed = format!("it freed {}", count(frees));
    if !is_known {
        return format!(
            "Forked from process {from}: of the blocks that it inherited {freed}; none is counted here."
        );
    }
    let doubt = match doubt {
        0 => String::new(),
        doubt => format!(", give or take {} of other threads", counted(doubt, "event")),
    };
    format!(
        "Forked from process {from} with {} of {}{doubt}, of which {freed}; none is counted here.",
        counted(blocks, "block"),
        bytes(held)
    )
}

pub(crate) fn why(cause: MissCause) -> &'static str {
    match cause {
        MissCause::Reentered => "in or after a signal handler that interrupted the recording",
        MissCause::NotReady => "before recording was ready",
        MissCause::Threads => "no room for another thread",
        MissCause::Sites => "no room for another stack",
        MissCause::Counters => "no room for another counter",
        MissCause::Records => "no room for records of so many addresses",
    }
}
