//! The formats that a profile can be written in: their names, what they are for, and who writes them.
//!
//! Every format is an option of `run` and of `report`, made from [`Format::ALL`]: a format that is added there is
//! everywhere. Deliberately absent: the formats themselves, which are `memscope-report`.

use crate::arguments::View;
use crate::error::Error;
use crate::output::Output;
use clap::{Arg, ArgMatches, Command, FromArgMatches};
use memscope_profile::Profile;
use memscope_report::{csv, dhat, firefox, flamegraph, folded, html, json, pprof, speedscope};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Html,
    Json,
    Pprof,
    Dhat,
    Speedscope,
    Firefox,
    Flamegraph,
    Folded,
    Csv,
}

impl Format {
    pub(crate) const ALL: [Format; 9] = [
        Format::Html,
        Format::Json,
        Format::Pprof,
        Format::Dhat,
        Format::Speedscope,
        Format::Firefox,
        Format::Flamegraph,
        Format::Folded,
        Format::Csv,
    ];

    /// The option's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Format::Html => "html",
            Format::Json => "json",
            Format::Pprof => "pprof",
            Format::Dhat => "dhat",
            Format::Speedscope => "speedscope",
            Format::Firefox => "firefox",
            Format::Flamegraph => "flamegraph",
            Format::Folded => "folded",
            Format::Csv => "csv",
        }
    }

    /// The option with its dashes, as errors name it.
    pub(crate) fn option(self) -> &'static str {
        match self {
            Format::Html => "--html",
            Format::Json => "--json",
            Format::Pprof => "--pprof",
            Format::Dhat => "--dhat",
            Format::Speedscope => "--speedscope",
            Format::Firefox => "--firefox",
            Format::Flamegraph => "--flamegraph",
            Format::Folded => "--folded",
            Format::Csv => "--csv",
        }
    }

    /// What it is, and what reads it.
    pub(crate) fn about(self) -> &'static str {
        match self {
            Format::Html => "One page for a browser: flame graphs, timeline, every site",
            Format::Json => "The whole profile as JSON, with a published schema",
            Format::Pprof => "pprof (gzipped), for `go tool pprof`, Pyroscope, Parca",
            Format::Dhat => "DHAT, for valgrind's dh_view",
            Format::Speedscope => "speedscope, for speedscope.app",
            Format::Firefox => {
                "For the Firefox Profiler, profiler.firefox.com: sites and live bytes over time"
            }
            Format::Flamegraph => "A flame graph as SVG, by --metric",
            Format::Folded => "Collapsed stacks by --metric, for flame graph tools",
            Format::Csv => "The sites as a table, comma-separated",
        }
    }

    /// Writes `profile`.
    pub(crate) fn write(self, profile: &Profile, view: &View, output: Output) -> Result<(), Error> {
        output.finish(|out| self.write_to(profile, view, out))
    }

    fn write_to(self, profile: &Profile, view: &View, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Format::Html => {
                let sources = html::Sources { base: &base(), text: &source };
                html::write(profile, &sources, out)
            }
            Format::Json => json::write(profile, out),
            Format::Pprof => pprof::write(profile, out),
            Format::Dhat => dhat::write(profile, out),
            Format::Speedscope => speedscope::write(profile, out),
            Format::Firefox => firefox::write(profile, out),
            Format::Flamegraph => flamegraph::write(profile, view.metric, false, out),
            Format::Folded => folded::write(profile, view.metric, out),
            Format::Csv => csv::write(profile, out),
        }
    }
}

/// The folder that paths are shown relative to.
pub(crate) fn base() -> String {
    std::env::current_dir().map(|folder| folder.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The text of a source file, if it is one: paths come from the profiled program.
fn source(path: &str) -> Option<String> {
    /// Larger files are not source that a person wrote.
    const MAX_BYTES: u64 = 4 << 20;
    let metadata = fs::metadata(path).ok()?;
    let is_source = metadata.is_file() && metadata.len() <= MAX_BYTES;
    is_source.then(|| fs::read_to_string(path).ok()).flatten()
}

/// The formats that were asked for, each with its path. With `STDOUT` an option without a path means stdout.
#[derive(Clone, Debug, Default)]
pub(crate) struct Targets<const STDOUT: bool>(Vec<(Format, PathBuf)>);

impl<const STDOUT: bool> Targets<STDOUT> {
    /// Each path with its option.
    pub(crate) fn named(&self) -> impl Iterator<Item = (&'static str, Option<&Path>)> {
        self.0.iter().map(|(format, path)| (format.option(), Some(path.as_path())))
    }

    /// Opens every output.
    pub(crate) fn open(&self) -> Result<Vec<(Format, Output)>, Error> {
        // A profile holds paths and arguments, which are the user's own business.
        self.0.iter().map(|(format, path)| Ok((*format, Output::open(path, 0o600)?))).collect()
    }
}

impl<const STDOUT: bool> FromArgMatches for Targets<STDOUT> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let targets = Format::ALL.into_iter().filter_map(|format| {
            Some((format, matches.get_one::<PathBuf>(format.name())?.clone()))
        });
        Ok(Self(targets.collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl<const STDOUT: bool> clap::Args for Targets<STDOUT> {
    fn augment_args(command: Command) -> Command {
        let options = Format::ALL.map(|format| {
            let option = Arg::new(format.name())
                .long(format.name())
                .value_name("FILE")
                .value_parser(clap::value_parser!(PathBuf))
                .help(format.about())
                .help_heading("Formats (`-` is stdout)");
            if STDOUT { option.num_args(0..=1).default_missing_value("-") } else { option }
        });
        command.args(options)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}
