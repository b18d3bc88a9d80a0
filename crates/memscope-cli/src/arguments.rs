//! The command line.
//!
//! Deliberately absent: what the options do. `--help` is the user's manual, so every text here is written for users.

use crate::choice::Choice;
use crate::format::Targets;
use crate::limit::Limit;
use crate::mode::{ModeName, parse_bytes};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, CommandFactory, Parser, Subcommand};
use memscope_profile::analyze::Metric;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A heap profiler that records every allocation of an unmodified program with its full stack.
#[derive(Debug, Parser)]
#[command(name = "memscope", version, arg_required_else_help = true)]
pub(crate) struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub(crate) task: Task,
}

impl Arguments {
    /// The command line, program's name first. An error says what was probably meant.
    pub(crate) fn understood(
        words: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    ) -> Result<Self, clap::Error> {
        Self::try_parse_from(words).map_err(|mut error| {
            let Some(ContextValue::String(wrong)) = error.get(ContextKind::InvalidSubcommand)
            else {
                return error;
            };
            let is_helped = error.get(ContextKind::SuggestedSubcommand).is_some();
            // Short words are beyond clap's measure of likeness: `rn` is not like `run`.
            let tasks: Vec<String> = Self::command()
                .get_subcommands()
                .map(|task| task.get_name().to_owned())
                .filter(|task| wrong.chars().next().is_some_and(|first| task.starts_with(first)))
                .collect();
            if error.kind() == ErrorKind::InvalidSubcommand && !is_helped && !tasks.is_empty() {
                let tasks = ContextValue::Strings(tasks);
                error.insert(ContextKind::SuggestedSubcommand, tasks);
            }
            error
        })
    }
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// Run a program and show who holds its memory
    #[command(
        after_help = RUN_HELP,
        override_usage = "memscope run [OPTIONS] -- <PROGRAM> [ARGUMENTS]..."
    )]
    Run(Run),
    /// Show a profile that was kept, or a process that runs under `memscope run`
    #[command(after_help = REPORT_HELP)]
    Report(Report),
    /// Watch a running program: who holds its memory now
    #[command(after_help = TOP_HELP)]
    Top(Top),
    /// Compare profiles: what grew, shrank, is new, is gone
    #[command(after_help = DIFF_HELP)]
    Diff(Diff),
    /// Keep the profile of a process that runs under `memscope run`, as it is now
    #[command(after_help = SAVE_HELP)]
    Save(Save),
    /// Note a moment of a process that runs under `memscope run`: it stands in its profile, with what was live
    #[command(after_help = MARK_HELP)]
    Mark(Mark),
    /// Write the completions of a shell to stdout
    #[command(after_help = COMPLETIONS_HELP)]
    Completions(Completions),
}

const RUN_HELP: &str = "\
Examples:
  memscope run -- ./server --port 8080          the report appears when the server ends
  memscope run -o server.memscope -- ./server   and the profile is kept, for `memscope report`
  memscope run --html server.html -- ./server   and one page for a browser
  memscope run --sample 512KiB -- ./server      costs next to nothing; counts are estimates
  memscope run --quiet --flamegraph - -- ./convert in.png /dev/null > heap.svg

The program's input, output, signals and exit code pass through untouched; memscope speaks on stderr.

A program that never ends: `memscope report PID` and `memscope save PID` show and keep what it holds now, --every keeps
it again and again, and Ctrl-C ends the program as ever, with a report of all that it did.

Exit code:
  the program's own, or 128 + n if signal n ended it
  125  memscope failed, or nothing of a program that succeeded could be recorded
  126  the program cannot be executed
  127  the program is not found

Environment: COLUMNS, NO_COLOR and CLICOLOR_FORCE are honoured. A LD_PRELOAD of your own stays in force.";

const REPORT_HELP: &str = "\
Examples:
  memscope report server.memscope
  memscope report server.memscope --html server.html
  memscope report server.memscope --pprof server.pb.gz && go tool pprof -top server.pb.gz
  memscope report --list
  memscope report server.memscope --flamegraph --metric live-at-end > leaks.svg

FILE is a profile that `memscope run -o` wrote, or a region file.

Exit code: 0, or 1 if the file cannot be read or an output cannot be written, or 2 if the command line is wrong.

Environment: COLUMNS, NO_COLOR and CLICOLOR_FORCE are honoured.";

const TOP_HELP: &str = "\
Examples:
  memscope top 1234               what `memscope run` started, by its id or memscope's
  memscope top -- ./server        start it and watch it; what it prints is not shown

Keys:
  up, down  choose a site        enter  its stack       /  filter (enter ends, escape clears)
  s         what is counted      m      mark: show the growth since now
  t         threads              space  pause            q  quit
  w         keep the profile in memscope-PID.memscope

Exit code: 0; 1 if the program cannot be watched.";

const DIFF_HELP: &str = "\
Examples:
  memscope diff before.memscope after.memscope
  memscope diff main.memscope branch.memscope --markdown summary.md --fail-if 'peak > +5%'
  memscope diff a1.memscope b1.memscope --more-before a2.memscope --more-after b2.memscope
  memscope diff before.memscope after.memscope --folded | inferno-flamegraph > diff.svg

Sites are found again by their functions and source lines, so two builds can be compared.

--fail-if takes METRIC > NUMBER (the figure after) or METRIC > +NUMBER (its growth; with % of before). Metrics are
those of --metric; units B, KiB, MiB, GiB, KB, MB, GB.

Exit code: 0; 1 if a file cannot be read or written; 2 if the command line is wrong; 3 if a limit is passed.";

const SAVE_HELP: &str = "\
Examples:
  memscope save 1234                     to 1234.memscope
  memscope save 1234 -o before.memscope

Exit code: 0, or 1 if the process cannot be read or the file cannot be written.";

const MARK_HELP: &str = "\
Examples:
  memscope mark 1234 'after warm-up'

Exit code: 0, or 1 if the process cannot be reached.";

const COMPLETIONS_HELP: &str = "\
Examples:
  memscope completions bash > ~/.local/share/bash-completion/completions/memscope
  memscope completions zsh > ~/.zfunc/_memscope
  memscope completions fish > ~/.config/fish/completions/memscope.fish

For zsh, `fpath+=~/.zfunc` has to stand before `compinit` in ~/.zshrc.";

/// `memscope run`.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// What to record
    #[arg(long, value_enum, value_name = "MODE")]
    pub(crate) mode: Option<ModeName>,

    /// Record a sample only: one block for so many bytes on average, say 512KiB
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes)]
    pub(crate) sample: Option<u64>,

    /// Keep the profile in this file
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) targets: Targets<false>,

    /// Which children to profile: `all`, `none`, or patterns of their programs' names, such as `cc1*,ld`
    ///
    /// All that can be are followed and listed at the end of the report, unless it is `none`. Beside the FILE of
    /// --output, the profiles of those that are named here are kept in files of their own: x.1234-cc1.memscope beside
    /// x.memscope.
    #[arg(long, value_name = "CHOICE", default_value = "all")]
    pub(crate) children: Choice,

    /// Wait for the children that outlive the program, too; Ctrl-C ends the waiting
    #[arg(long)]
    pub(crate) wait: bool,

    /// Save the profile to the FILE of --output every so often, such as `30s`, while the program runs
    #[arg(long, value_name = "TIME", value_parser = time, requires = "output")]
    pub(crate) every: Option<Duration>,

    /// Begin to record when `memscope mark` is called, and not before
    #[arg(long)]
    pub(crate) wait_for_mark: bool,

    /// Look for separate debug files in this folder, before /usr/lib/debug; can be given several times
    ///
    /// What is in none of them is asked for at the servers that DEBUGINFOD_URLS names, if it is set.
    /// Names that were looked up are remembered by build in ~/.cache/memscope; MEMSCOPE_CACHE names another folder, or `off`.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) debug_dir: Vec<PathBuf>,

    /// Leave the sites out of all lists that a line `leak:PATTERN` of this file names; can be given several times
    ///
    /// The syntax is LeakSanitizer's: a pattern is part of the name of a function, a source file or an object of the stack;
    /// * stands for anything, ^ and $ for the beginning and the end, and # begins a comment. A profile that is kept is whole.
    #[arg(long, value_name = "FILE")]
    pub(crate) suppressions: Vec<PathBuf>,

    /// Leave the arguments of commands out of everything that is shown and kept
    #[arg(long)]
    pub(crate) no_args: bool,

    #[command(flatten)]
    pub(crate) view: View,

    /// Say nothing but errors
    #[arg(short, long)]
    pub(crate) quiet: bool,

    /// The program and its arguments
    // Everything from the first word that is no option of ours on, with or without dashes before it.
    #[arg(trailing_var_arg = true, required = true, value_name = "PROGRAM")]
    pub(crate) command: Vec<OsString>,
}

/// `memscope report`.
#[derive(Debug, Args)]
pub(crate) struct Report {
    /// The profile, or the id of a running process
    #[arg(value_name = "FILE|PID", required_unless_present = "list")]
    pub(crate) file: Option<PathBuf>,

    /// Look for separate debug files in this folder, before /usr/lib/debug; can be given several times
    ///
    /// What is in none of them is asked for at the servers that DEBUGINFOD_URLS names, if it is set.
    /// Names that were looked up are remembered by build in ~/.cache/memscope; MEMSCOPE_CACHE names another folder, or `off`.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) debug_dir: Vec<PathBuf>,

    /// Leave the sites out of all lists that a line `leak:PATTERN` of this file names; can be given several times
    ///
    /// The syntax is LeakSanitizer's: a pattern is part of the name of a function, a source file or an object of the stack;
    /// * stands for anything, ^ and $ for the beginning and the end, and # begins a comment. Totals are whole.
    #[arg(long, value_name = "FILE")]
    pub(crate) suppressions: Vec<PathBuf>,

    /// List the formats, and what reads them
    #[arg(long)]
    pub(crate) list: bool,

    /// Show only blocks of types with this in their names, such as `Vec<Order>`
    #[arg(long = "type", value_name = "TEXT")]
    pub(crate) type_text: Option<String>,

    #[command(flatten)]
    pub(crate) targets: Targets<true>,

    #[command(flatten)]
    pub(crate) view: View,
}

/// `memscope top`.
#[derive(Debug, Args)]
pub(crate) struct Top {
    /// The process
    #[arg(value_name = "PID", required_unless_present = "command", conflicts_with = "command")]
    pub(crate) pid: Option<u32>,

    /// The least time between two looks, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) every: u64,

    /// A program to start, and its arguments
    #[arg(last = true, value_name = "PROGRAM")]
    pub(crate) command: Vec<OsString>,
}

/// `memscope diff`.
#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// The profile of before
    #[arg(value_name = "BEFORE")]
    pub(crate) before: PathBuf,

    /// The profile of after
    #[arg(value_name = "AFTER")]
    pub(crate) after: PathBuf,

    /// Another run of before, for the spread; can be given several times
    #[arg(long, value_name = "FILE")]
    pub(crate) more_before: Vec<PathBuf>,

    /// Another run of after
    #[arg(long, value_name = "FILE")]
    pub(crate) more_after: Vec<PathBuf>,

    /// How many sites to show
    #[arg(long, value_name = "N", default_value_t = 15)]
    pub(crate) top: usize,

    /// By what sites are compared
    #[arg(long, default_value = "peak", value_parser = metric())]
    pub(crate) metric: Metric,

    /// Fail with exit code 3 if this is so, as in 'peak > +5%'; can be given several times
    #[arg(long, value_name = "LIMIT", value_parser = Limit::parse)]
    pub(crate) fail_if: Vec<Limit>,

    /// Leave the sites out of all lists that a line `leak:PATTERN` of this file names; can be given several times
    ///
    /// The syntax is LeakSanitizer's: a pattern is part of the name of a function, a source file or an object of the stack;
    /// * stands for anything, ^ and $ for the beginning and the end, and # begins a comment. --fail-if does not count them.
    #[arg(long, value_name = "FILE")]
    pub(crate) suppressions: Vec<PathBuf>,

    /// Write a page for a browser instead, to stdout or to a file
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    pub(crate) html: Option<PathBuf>,

    /// Write JSON instead, with all sites
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    pub(crate) json: Option<PathBuf>,

    /// Write collapsed stacks with two values instead, for differential flame graphs
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    pub(crate) folded: Option<PathBuf>,

    /// Write a summary for a pull request instead
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    pub(crate) markdown: Option<PathBuf>,
}

/// `memscope save`.
#[derive(Debug, Args)]
pub(crate) struct Save {
    /// The process, or the `memscope run` that started it
    pub(crate) pid: u32,

    /// The file; PID.memscope if none is named
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// `memscope mark`.
#[derive(Debug, Args)]
pub(crate) struct Mark {
    /// The process, or the `memscope run` that started it
    pub(crate) pid: u32,

    /// What to note, such as "after warm-up"
    pub(crate) text: String,
}

/// `memscope completions`.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

/// A time as `30s`, `5m`, `1h`, `500ms` or a number of seconds.
fn time(text: &str) -> Result<Duration, String> {
    let units = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("", 1000)];
    let unit = units.iter().find(|(unit, _)| text.ends_with(unit));
    let (unit, ms) = unit.copied().unwrap_or(("", 1000));
    let number = text.strip_suffix(unit).and_then(|number| number.parse::<u32>().ok());
    match number.filter(|number| *number > 0) {
        Some(number) => Ok(Duration::from_millis(u64::from(number) * ms)),
        None => Err("give a time such as 30s, 5m or 1h".into()),
    }
}

/// What the outputs show.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct View {
    /// How many sites each ranking of the report shows
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) top: usize,

    /// How many types of blocks the report shows
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) types: usize,

    /// What the flame graph and the collapsed stacks count
    #[arg(long, default_value = "peak", value_parser = metric())]
    pub(crate) metric: Metric,
}

impl Run {
    /// Where a run writes to, each with its option.
    pub(crate) fn targets(&self) -> Vec<(&'static str, Option<&Path>)> {
        [("--output", self.output.as_deref())].into_iter().chain(self.targets.named()).collect()
    }
}

/// The metrics by the names that users give them.
pub(crate) const METRICS: [(&str, Metric, &str); 5] = [
    ("peak", Metric::Peak, "Bytes alive when the most bytes were alive"),
    ("live-at-end", Metric::LiveAtEnd, "Bytes still alive at the end"),
    ("allocations", Metric::Allocations, "Number of allocations"),
    ("allocated-bytes", Metric::AllocatedBytes, "Bytes requested over the whole run"),
    ("temporary", Metric::Temporary, "Blocks freed before the next allocation"),
];

/// The name by which users know a metric.
pub(crate) fn metric_name(metric: Metric) -> &'static str {
    METRICS.iter().find(|(_, known, _)| *known == metric).map_or("", |(name, ..)| name)
}

fn metric() -> impl TypedValueParser<Value = Metric> {
    let values = METRICS.map(|(name, _, help)| PossibleValue::new(name).help(help));
    PossibleValuesParser::new(values).map(|given| {
        let found = METRICS.iter().find(|(name, ..)| *name == given);
        found.map_or(Metric::Peak, |&(_, metric, _)| metric)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Task, clap::Error> {
        Arguments::understood(line.split(' ')).map(|arguments| arguments.task)
    }

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn what_follows_our_options_is_the_program_s() {
        for dashes in ["-- ", ""] {
            let line = format!("memscope run -q --top 3 {dashes}ls --top 9 -- -x");
            let Ok(Task::Run(run)) = parse(&line) else { panic!("not a run") };
            assert_eq!(run.command, ["ls", "--top", "9", "--", "-x"]);
            assert!(run.quiet && run.view.top == 3 && run.view.metric == Metric::Peak);
        }
        assert!(parse("memscope run --no-such-option -- ls").is_err());
    }

    #[test]
    fn a_slip_of_the_finger_is_told_what_was_meant() {
        for (line, meant) in [
            ("memscope rn -- ls", "'run'"),
            ("memscope tpo 1", "'top'"),
            ("memscope reprt a.memscope", "'report'"),
            ("memscope run --smaple 512KiB -- ls", "'--sample'"),
            ("memscope report a.memscope --metric peek", "'peak'"),
        ] {
            let words = parse(line).unwrap_err().to_string();
            assert!(words.contains(meant), "{line}: {words}");
        }
    }

    #[test]
    fn every_metric_has_a_name() {
        for metric in Metric::ALL {
            let (name, ..) = METRICS.iter().find(|(_, known, _)| *known == metric).unwrap();
            let Ok(Task::Report(report)) =
                parse(&format!("memscope report a.memscope --folded --metric {name}"))
            else {
                panic!("not a report");
            };
            assert_eq!(report.view.metric, metric);
            let targets: Vec<_> = report.targets.named().collect();
            assert_eq!(targets, [("--folded", Some(Path::new("-")))]);
        }
        assert!(parse("memscope report a.memscope --metric size").is_err());
    }
}
