//! `memscope run`: everything that can fail is made sure of, the program runs, and what it did is told.
//!
//! Invariants: the program's exit code is memscope's, unless nothing at all could be recorded of a program that
//! succeeded, or an output that was asked for could not be written; nothing is ever written to stdout that was not
//! asked for. Deliberately absent: how the program is supervised (see [`crate::supervise`]).

use crate::arguments::Run;
use crate::choice::Choice;
use crate::error::{Error, OWN_FAILURE};
use crate::format::Format;
use crate::mode::Selected;
use crate::output::{Output, check_distinct};
use crate::preload::Orders;
use crate::processes::Outcome;
use crate::supervise::Task;
use crate::symbols::{look_into, symbolize};
use crate::terminal::{Style, Voice};
use crate::{caveats, children, hookable, keeper, program, recording, show, supervise, suppress};
use memscope_profile::Profile;
use memscope_profile::suppression::Suppressions;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// Runs the program and reports. The value is the exit code.
pub(crate) fn run(options: &Run, voice: Voice) -> Result<u8, Error> {
    look_into(&options.debug_dir);
    check_distinct(&options.targets())?;
    let suppressions = suppress::read(&options.suppressions)?;
    let mode = Selected::new(options.mode, options.sample)
        .map_err(|sentence| Error::new(sentence).hint("Leave out one of the two options."))?;
    let name = options.command.first().ok_or_else(|| Error::new("no program is named"))?;
    let path = program::find(name)?;
    hookable::check(&path)?;
    let outputs = Outputs {
        profile: options.output.as_deref().map(|path| Output::open(path, 0o600)).transpose()?,
        formats: options.targets.open()?,
    };

    let keeps_children = options.output.is_some() && options.children != Choice::None;
    let (status, outcome) = supervise::run(Task {
        path: &path,
        arguments: &options.command,
        orders: Orders {
            no_children: options.children == Choice::None,
            no_arguments: options.no_args,
            waits: options.wait_for_mark,
            mode,
        },
        kept: keeps_children.then(|| options.children.clone()),
        waits: options.wait,
        saved: options.output.clone().zip(options.every),
    })?;
    let exit_code = exit_code(status);
    let Outcome { program: (recording, seen), mut processes, profiles, followed_children } =
        outcome;
    let shown = match recording {
        Some(recording) => recording::read(recording, &seen).and_then(|mut profile| {
            let unfollowed = &mut profile.run.unfollowed_children;
            *unfollowed = unfollowed.saturating_sub(followed_children);
            if let Some(output) = &options.output {
                children::keep(&mut processes, profiles, output, voice)?;
            }
            if let Some(first) = processes.first_mut() {
                *first = keeper::in_short(&profile);
            }
            profile.processes = processes;
            if let Some(error) = caveats::nothing_seen(&profile) {
                return Err(error);
            }
            if voice.is_quiet() && outputs.is_empty() {
                return Ok(());
            }
            symbolize(&mut profile, voice);
            show(profile, options, outputs, &suppressions, voice)
        }),
        None => Err(caveats::never_heard_of(&path)),
    };
    match shown {
        // The program's own failure says more.
        Err(error) if exit_code != 0 => {
            voice.error(&error);
            Ok(exit_code)
        }
        shown => shown.map(|()| exit_code),
    }
}

/// Where the profile is written to.
struct Outputs {
    profile: Option<Output>,
    formats: Vec<(Format, Output)>,
}

impl Outputs {
    fn is_empty(&self) -> bool {
        self.profile.is_none() && self.formats.is_empty()
    }
}

fn show(
    mut profile: Profile,
    options: &Run,
    outputs: Outputs,
    suppressions: &Suppressions,
    voice: Voice,
) -> Result<(), Error> {
    // What is kept is whole.
    let kept = outputs.profile.map(|output| show::keep(&profile, output));
    suppress::apply(suppressions, &mut profile);
    let profile = &profile;
    if !voice.is_quiet() {
        let style = Style::of(&io::stderr());
        // A stderr that is closed or full is no reason to lose the files.
        let _ = show::write_text(profile, &options.view, style, &mut io::stderr().lock());
    }
    let written = outputs
        .formats
        .into_iter()
        .map(|(format, output)| format.write(profile, &options.view, output))
        .collect::<Vec<_>>();
    // Each is tried, whatever became of the others.
    kept.into_iter().chain(written).collect()
}

/// The exit code that a shell would show: the program's own, or 128 and the signal's number.
fn exit_code(status: ExitStatus) -> u8 {
    match (status.code(), status.signal()) {
        (Some(code), _) => (code & 0xff) as u8,
        (None, Some(signal)) => 128 + (signal & 0x7f) as u8,
        (None, None) => OWN_FAILURE,
    }
}
