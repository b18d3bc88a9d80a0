//! `memscope run`: everything that can fail is made sure of, the program runs, and what it did is told.
//!
//! Invariants: the program's exit code is memscope's, unless nothing at all could be recorded of a program that
//! succeeded, or an output that was asked for could not be written; nothing is ever written to stdout that was not
//! asked for. Deliberately absent: how the program is supervised (see [`crate::supervise`]).

use crate::arguments::Run;
use crate::error::{Error, OWN_FAILURE};
use crate::output::Output;
use crate::terminal::Voice;
use crate::{program, supervise};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;

/// Runs the program and reports. The value is the exit code.
pub(crate) fn run(options: &Run, voice: Voice) -> Result<u8, Error> {
    let open = |path: &Option<PathBuf>, mode| {
        path.as_deref().map(|path| Output::open(path, mode)).transpose()
    };
    let name = options.command.first().ok_or_else(|| Error::new("no program is named"))?;
    let path = program::find(name)?;
    // A profile holds paths and arguments, which are the user's own business.
    let _output = open(&options.output, 0o600)?;
    let _json = open(&options.json, 0o600)?;
    let _folded = open(&options.folded, 0o600)?;

    let ended = supervise::run(&path, &options.command)?;
    let exit_code = exit_code(ended.status);
    if ended.recording.is_none() {
        let error = Error::new("nothing was recorded");
        voice.error(&error);
        return Ok(if exit_code == 0 { OWN_FAILURE } else { exit_code });
    }
    Ok(exit_code)
}

/// The exit code that a shell would show: the program's own, or 128 and the signal's number.
fn exit_code(status: ExitStatus) -> u8 {
    match (status.code(), status.signal()) {
        (Some(code), _) => (code & 0xff) as u8,
        (None, Some(signal)) => 128 + (signal & 0x7f) as u8,
        (None, None) => OWN_FAILURE,
    }
}
