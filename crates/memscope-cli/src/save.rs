//! `memscope save` and `memscope mark`: of a process that runs under `memscope run` in another terminal.

use crate::arguments::{Mark, Save};
use crate::client;
use crate::error::Error;
use crate::output::Output;
use crate::report::FAILURE;
use crate::show;
use crate::symbols::symbolize;
use crate::terminal::Voice;
use std::io::{self, Write};
use std::path::PathBuf;

/// Writes the profile of a running process to a file. The value is the exit code.
pub(crate) fn save(options: &Save, voice: Voice) -> Result<u8, Error> {
    let pid = options.pid;
    let path = options.output.clone().unwrap_or_else(|| PathBuf::from(format!("{pid}.memscope")));
    let save = || {
        let output = Output::open(&path, 0o600)?;
        let mut profile = client::read(pid)?;
        symbolize(&mut profile, voice);
        show::keep(&profile, output)
    };
    save().map_err(|error| error.exit_code(FAILURE))?;
    // A stdout that is closed is no reason to fail.
    let _ = writeln!(io::stdout(), "{}", path.display());
    Ok(0)
}

/// Notes a moment of a running process. The value is the exit code.
pub(crate) fn mark(options: &Mark) -> Result<u8, Error> {
    client::mark(options.pid, &options.text).map(|()| 0).map_err(|it| it.exit_code(FAILURE))
}
