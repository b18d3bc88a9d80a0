//! The profile of a process that still runs, made beside it.
//!
//! Invariants: the supervisor is not held up: all of this happens in a thread of its own. Deliberately absent: symbols,
//! which whoever asked looks up, unless the supervisor itself writes the file.

use crate::caveats;
use crate::control::{Caller, DONE, FAILED};
use crate::error::{Error, reason};
use crate::output::Output;
use crate::recording::Seen;
use crate::sampler::Asker;
use crate::show;
use crate::symbols::symbolize;
use crate::terminal::Voice;
use memscope_profile::region::Region;
use memscope_profile::{Profile, file};
use rustix::fs::{MemfdFlags, memfd_create};
use std::fs::File;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

/// What is needed to read a running process.
#[derive(Debug)]
pub(crate) struct Live {
    /// Its region.
    pub(crate) region: File,
    /// For the samples so far.
    pub(crate) asker: Asker,
    /// What was seen of it.
    pub(crate) seen: Seen,
}

impl Live {
    fn read(self) -> Result<Profile, Error> {
        let wrong =
            |error: memscope_profile::FileError| Error::new(error.to_string()).hint(error.hint());
        let reading = Region::open(self.region)
            .and_then(|region| region.read(self.seen.end))
            .map_err(wrong)?;
        let mut profile = reading.profile;
        if let Some(samples) = self.asker.samples() {
            profile.timeline = samples.finish(&reading.sites);
        }
        caveats::add(&mut profile, &self.seen);
        Ok(profile)
    }

    /// Sends the profile to whoever asked for it.
    pub(crate) fn send(self, caller: Caller) {
        let work = move || match self.read().and_then(|profile| packed(&profile)) {
            Ok(file) => caller.answer(DONE, "", Some(file.as_fd())),
            Err(error) => caller.answer(FAILED, &error.message, None),
        };
        // Without a thread whoever asked finds the connection closed.
        let _ = thread::Builder::new().name("answer".to_owned()).spawn(work);
    }

    /// Writes the profile, with symbols, to a file, in place of what is there.
    pub(crate) fn save(self, path: PathBuf) -> Option<JoinHandle<Result<(), Error>>> {
        let work = move || {
            let mut profile = self.read()?;
            symbolize(&mut profile, Voice::new(true));
            show::keep(&profile, Output::open(Path::new(&path), 0o600)?)
        };
        thread::Builder::new().name("saver".to_owned()).spawn(work).ok()
    }
}

fn packed(profile: &Profile) -> Result<File, Error> {
    let make = || {
        let mut file = File::from(memfd_create("memscope-profile", MemfdFlags::CLOEXEC)?);
        file::write(profile, &mut file)?;
        Ok(file)
    };
    make().map_err(|error: std::io::Error| Error::new(reason(&error)))
}
