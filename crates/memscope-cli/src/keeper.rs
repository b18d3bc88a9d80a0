//! Reads the regions of children that have ended, in a thread of its own, so that the clocks go on.
//!
//! Invariants: of a process that is done only what is to be told remains: a line of numbers, and its profile, packed, if
//! it is to be kept. Its region is given back to the system at once, so a run may make any number of processes.
//! Deliberately absent: symbols, which are looked up when the run is over.

use crate::choice::Choice;
use crate::recording::{self, Recording, Seen};
use memscope_profile::model::ProcessSummary;
use memscope_profile::{Profile, file};
use std::path::Path;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};

/// What is left of a process.
#[derive(Debug)]
pub(crate) struct Remains {
    /// Its place among the processes of the run.
    pub(crate) place: usize,
    /// It in short, with all its children as if none were followed. Where its region could not be read, it says so.
    pub(crate) process: ProcessSummary,
    /// Its profile as a file holds it, if it is wanted.
    pub(crate) profile: Option<Vec<u8>>,
}

/// Reads regions until it is finished.
#[derive(Debug)]
pub(crate) struct Keeper {
    tasks: Sender<(usize, Recording, Seen)>,
    thread: JoinHandle<Vec<Remains>>,
}

impl Keeper {
    /// Begins. The profiles of those that `wanted` names are kept; of none, without it.
    pub(crate) fn start(wanted: Option<Choice>) -> std::io::Result<Self> {
        let (tasks, given) = mpsc::channel::<(usize, Recording, Seen)>();
        let thread = thread::Builder::new().name("keeper".to_owned()).spawn(move || {
            given
                .iter()
                .map(|(place, recording, seen)| read(place, recording, &seen, wanted.as_ref()))
                .collect()
        })?;
        Ok(Self { tasks, thread })
    }

    /// Hands over the recording of the process at `place`.
    pub(crate) fn take(&self, place: usize, recording: Recording, seen: Seen) {
        // It ends when this value goes, not before.
        let _ = self.tasks.send((place, recording, seen));
    }

    /// Waits for the last, and gives what is left of all.
    pub(crate) fn finish(self) -> Vec<Remains> {
        drop(self.tasks);
        self.thread.join().unwrap_or_default()
    }
}

fn read(place: usize, recording: Recording, seen: &Seen, wanted: Option<&Choice>) -> Remains {
    let profile = match recording::read(recording, seen) {
        Ok(profile) => profile,
        Err(error) => {
            let process = ProcessSummary { unfollowed: error.message, ..ProcessSummary::default() };
            return Remains { place, process, profile: None };
        }
    };
    let is_wanted = wanted.is_some_and(|choice| choice.wants(Path::new(&profile.run.exe)));
    let mut packed = Vec::new();
    let is_packed = is_wanted && file::write(&profile, &mut packed).is_ok();
    Remains { place, process: in_short(&profile), profile: is_packed.then_some(packed) }
}

/// A process in short.
pub(crate) fn in_short(profile: &Profile) -> ProcessSummary {
    ProcessSummary {
        pid: profile.run.pid,
        command: profile.run.command.clone(),
        exe: profile.run.exe.clone(),
        duration_ns: profile.run.duration_ns,
        end: profile.run.end,
        peak_bytes: profile.totals.peak_bytes,
        live_bytes: profile.totals.live_bytes,
        allocations: profile.totals.allocations,
        attempts: profile.completeness.attempts,
        successes: profile.completeness.successes,
        unfollowed_children: profile.run.unfollowed_children,
        ..ProcessSummary::default()
    }
}
