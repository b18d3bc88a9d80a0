//! Writes a profile in the formats that were asked for.

use crate::arguments::View;
use crate::error::Error;
use crate::output::Output;
use crate::terminal::Style;
use memscope_profile::{Profile, file};
use memscope_report::{folded, html, json, text};
use std::fs;
use std::io::{self, Write};

/// Writes the report for a terminal.
pub(crate) fn write_text(
    profile: &Profile,
    view: &View,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let options = text::Options {
        width: style.columns,
        colour: style.colour,
        top: view.top,
        base: base(),
        ..text::Options::default()
    };
    text::write(profile, &options, out)
}

/// Writes the profile as a file that `memscope report` reads.
pub(crate) fn keep(profile: &Profile, output: Output) -> Result<(), Error> {
    output.finish(|out| file::write(profile, out))
}

/// Writes the page for a browser, with the sources that are here.
pub(crate) fn write_html(profile: &Profile, output: Output) -> Result<(), Error> {
    let base = base();
    output.finish(|out| html::write(profile, &html::Sources { base: &base, text: &source }, out))
}

/// The folder that paths are shown relative to.
fn base() -> String {
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

/// Writes the profile as JSON.
pub(crate) fn write_json(profile: &Profile, output: Output) -> Result<(), Error> {
    output.finish(|out| json::write(profile, out))
}

/// Writes collapsed stacks.
pub(crate) fn write_folded(profile: &Profile, view: &View, output: Output) -> Result<(), Error> {
    output.finish(|out| folded::write(profile, view.metric, out))
}
