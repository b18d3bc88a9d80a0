//! `memscope`: runs a program and shows who holds its memory.
//!
//! ```text
//! arguments -> run -> program, hookable, output -> supervise (preload, listener, signals)
//!                                               -> processes (tick, sampler, keeper)
//!                  -> recording, symbols, caveats, suppress -> show, format, children
//!           -> report, save, mark -> client ~~> control, live (of a `run`)
//!                                -> show
//!           -> diff (several), limit
//!           -> top (client, again and again)
//!           -> completions
//! ```
//!
//! Invariants: an error that a user can meet is one sentence, a hint and an exit code (see [`error`]); memscope's own
//! words go to stderr. Deliberately absent: analysis and formats, which are `memscope-profile` and `memscope-report`.
#![forbid(unsafe_code)]

mod arguments;
mod caveats;
mod children;
mod choice;
mod client;
mod completions;
mod control;
mod debuginfod;
mod diff;
mod error;
mod format;
mod hookable;
mod keeper;
mod limit;
mod listener;
mod live;
mod mode;
mod output;
mod preload;
mod processes;
mod program;
mod recording;
mod report;
mod request;
mod run;
mod sampler;
mod save;
mod show;
mod signals;
mod supervise;
mod suppress;
mod symbols;
mod terminal;
mod tick;
mod top;

use arguments::{Arguments, Task};
use error::OWN_FAILURE;
use std::process::ExitCode;
use terminal::Voice;

fn main() -> ExitCode {
    let arguments = match Arguments::understood(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(error) => return refuse(&error),
    };
    let (voice, result) = match &arguments.task {
        Task::Run(options) => {
            let voice = Voice::new(options.quiet);
            (voice, run::run(options, voice))
        }
        Task::Save(options) => {
            let voice = Voice::new(false);
            (voice, save::save(options, voice))
        }
        Task::Mark(options) => (Voice::new(false), save::mark(options)),
        Task::Report(options) => {
            let voice = Voice::new(false);
            (voice, report::report(options, voice))
        }
        Task::Completions(options) => (Voice::new(false), completions::completions(options)),
        Task::Top(options) => (Voice::new(false), top::top(options)),
        Task::Diff(options) => {
            let voice = Voice::new(false);
            (voice, diff::diff(options, voice))
        }
    };
    ExitCode::from(result.unwrap_or_else(|error| {
        voice.error(&error);
        error.exit_code
    }))
}

/// Help and version are no failure. A wrong command line is one of memscope's own under `run`, where any other code
/// could be the program's.
fn refuse(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    let is_run = std::env::args_os().nth(1).is_some_and(|argument| argument == "run");
    match error.exit_code() {
        0 => ExitCode::SUCCESS,
        _ if is_run => ExitCode::from(OWN_FAILURE),
        code => ExitCode::from(u8::try_from(code).unwrap_or(2)),
    }
}
