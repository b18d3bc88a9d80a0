//! The command line.
//!
//! Deliberately absent: what the options do. `--help` is the user's manual, so every text here is written for users.

use crate::choice::Choice;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use memscope_profile::analyze::Metric;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// A heap profiler that records every allocation of an unmodified program with its full stack.
#[derive(Debug, Parser)]
#[command(name = "memscope", version, arg_required_else_help = true)]
pub(crate) struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub(crate) task: Task,
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
    /// Show a profile that was kept
    #[command(after_help = REPORT_HELP)]
    Report(Report),
}

const RUN_HELP: &str = "\
Examples:
  memscope run -- ./server --port 8080          the report appears when the server ends
  memscope run -o server.memscope -- ./server   and the profile is kept, for `memscope report`
  memscope run --quiet --folded - -- ./convert in.png /dev/null | inferno-flamegraph > heap.svg

The program's input, output, signals and exit code pass through untouched; memscope speaks on stderr.

Exit code:
  the program's own, or 128 + n if signal n ended it
  125  memscope failed, or nothing of a program that succeeded could be recorded
  126  the program cannot be executed
  127  the program is not found

Environment: COLUMNS, NO_COLOR and CLICOLOR_FORCE are honoured. A LD_PRELOAD of your own stays in force.";

const REPORT_HELP: &str = "\
Examples:
  memscope report server.memscope
  memscope report server.memscope --json profile.json
  memscope report server.memscope --folded --metric live-at-end | inferno-flamegraph > leaks.svg

FILE is a profile that `memscope run -o` wrote, or a region file.

Exit code: 0, or 1 if the file cannot be read or an output cannot be written, or 2 if the command line is wrong.

Environment: COLUMNS, NO_COLOR and CLICOLOR_FORCE are honoured.";

/// `memscope run`.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Keep the profile in this file
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// Write the report as one page for a browser
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,

    /// Write the whole profile as JSON; `-` is stdout
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Write collapsed stacks, for flame graphs; `-` is stdout
    #[arg(long, value_name = "FILE")]
    pub(crate) folded: Option<PathBuf>,

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
    /// The profile
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// Write the report as one page for a browser instead, to stdout or to a file
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    pub(crate) html: Option<PathBuf>,

    /// Write the whole profile as JSON instead, to stdout or to a file
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    pub(crate) json: Option<PathBuf>,

    /// Write collapsed stacks instead, to stdout or to a file
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    pub(crate) folded: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) view: View,
}

/// What the outputs show.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct View {
    /// How many sites each ranking of the report shows
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) top: usize,

    /// What the collapsed stacks count
    #[arg(long, default_value = "peak", value_parser = metric())]
    pub(crate) metric: Metric,
}

impl Run {
    /// Where a run writes to, each with its option.
    pub(crate) fn targets(&self) -> [(&'static str, Option<&Path>); 4] {
        [
            ("--output", self.output.as_deref()),
            ("--html", self.html.as_deref()),
            ("--json", self.json.as_deref()),
            ("--folded", self.folded.as_deref()),
        ]
    }
}

impl Report {
    /// Where a report writes to, each with its option.
    pub(crate) fn targets(&self) -> [(&'static str, Option<&Path>); 3] {
        [
            ("--html", self.html.as_deref()),
            ("--json", self.json.as_deref()),
            ("--folded", self.folded.as_deref()),
        ]
    }
}

/// The metrics by the names that users give them.
const METRICS: [(&str, Metric, &str); 5] = [
    ("peak", Metric::Peak, "Bytes alive when the most bytes were alive"),
    ("live-at-end", Metric::LiveAtEnd, "Bytes still alive at the end"),
    ("allocations", Metric::Allocations, "Number of allocations"),
    ("allocated-bytes", Metric::AllocatedBytes, "Bytes requested over the whole run"),
    ("temporary", Metric::Temporary, "Blocks freed before the next allocation"),
];

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
    use clap::CommandFactory;

    fn parse(line: &str) -> Result<Task, clap::Error> {
        Arguments::try_parse_from(line.split(' ')).map(|arguments| arguments.task)
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
    fn every_metric_has_a_name() {
        for metric in Metric::ALL {
            let (name, ..) = METRICS.iter().find(|(_, known, _)| *known == metric).unwrap();
            let Ok(Task::Report(report)) =
                parse(&format!("memscope report a.memscope --folded --metric {name}"))
            else {
                panic!("not a report");
            };
            assert_eq!(report.view.metric, metric);
            assert_eq!(report.folded, Some(PathBuf::from("-")));
        }
        assert!(parse("memscope report a.memscope --metric size").is_err());
    }
}
