//! Writes a profile in the formats that were asked for.

use crate::arguments::View;
use crate::error::Error;
use crate::format::base;
use crate::output::Output;
use crate::terminal::Style;
use memscope_profile::{Profile, file};
use memscope_report::text;
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
        types: view.types,
        base: base(),
        ..text::Options::default()
    };
    text::write(profile, &options, out)
}

/// Writes the profile as a file that `memscope report` reads.
pub(crate) fn keep(profile: &Profile, output: Output) -> Result<(), Error> {
    output.finish(|out| file::write(profile, out))
}
