//! The project's chores: `cargo xtask ci` is the whole test run, `cargo xtask <step>` one step of it.
//!
//! A step is a command line or the tidy checks. Steps run in order, the quick ones first, and the first that fails
//! ends the run. Each says how long it took. Nothing is configured here that cargo's own files can say.

mod steps;
mod tidy;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(name), None) = (arguments.next(), arguments.next()) else {
        eprintln!("{}", steps::usage());
        return ExitCode::from(2);
    };
    let Some(chosen) = steps::named(&name) else {
        eprintln!("xtask: no step is called '{name}'.\n{}", steps::usage());
        return ExitCode::from(2);
    };
    match steps::run(&chosen) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            ExitCode::FAILURE
        }
    }
}
