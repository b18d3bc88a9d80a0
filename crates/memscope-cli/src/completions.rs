//! `memscope completions`: what a shell needs to complete memscope's command line.
//!
//! Invariant: it is generated from the same definition as `--help`. Deliberately absent: installing it; that is one line
//! of the user's shell, and `--help` has it.

use crate::arguments::{Arguments, Completions};
use crate::error::{Error, reason};
use crate::report::FAILURE;
use clap::CommandFactory;
use std::io::{ErrorKind, Write, stdout};

/// Writes the completions. The value is the exit code.
pub(crate) fn completions(options: &Completions) -> Result<u8, Error> {
    // In memory first: the generator panics if it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Arguments::command(), "memscope", &mut script);
    match stdout().write_all(&script) {
        // Whoever read it has had enough.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            let words = format!("cannot write the completions: {}", reason(&error));
            Err(Error::new(words).exit_code(FAILURE))
        }
        _ => Ok(0),
    }
}
