//! The whole profile as JSON, for programs.
//!
//! The form is described by a JSON Schema ([`schema`]) and is stable: keys are added, never renamed or given
//! another meaning; a change that breaks readers raises `version`. Differences from the profile's own form: stacks
//! are written out as lists of frame numbers, frames carry their address and module, numbers that may exceed what
//! JavaScript holds exactly (addresses) are hexadecimal texts.
//!
//! Everything is written as it goes: memory does not grow with the profile, apart from four bytes per address and
//! some for each type and site.
//! Deliberately absent: rankings and other findings, which follow from what is here.

mod by_type;
mod form;
mod growth;
mod intervals;
mod named;
mod processes;

use memscope_profile::Profile;
use std::io::{self, Write};

/// Version of the form that [`write()`] writes.
pub const VERSION: u32 = 1;

/// Writes `profile` as one JSON document on one line.
///
/// Fails only if `out` does. Costs about a microsecond per stack of ten frames.
pub fn write(profile: &Profile, out: &mut dyn Write) -> io::Result<()> {
    let mut out = io::BufWriter::with_capacity(64 << 10, out);
    serde_json::to_writer(&mut out, &form::Document::new(profile))?;
    out.write_all(b"\n")?;
    out.flush()
}

/// The JSON Schema (draft 2020-12) of what [`write()`] writes.
pub fn schema() -> &'static str {
    include_str!("../schema/memscope-profile.schema.json")
}
