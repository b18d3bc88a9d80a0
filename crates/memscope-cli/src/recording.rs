//! From what the supervisor holds after a process's end to a profile.
//!
//! Deliberately absent: symbols, which take long and which not every run needs.

use crate::caveats;
use crate::error::Error;
use crate::sampler::Sampler;
use memscope_profile::Profile;
use memscope_profile::model::{End, Mark};
use memscope_profile::region::Region;
use std::fs::File;
use std::path::PathBuf;

/// A process's region and what was seen of it while it ran.
#[derive(Debug)]
pub(crate) struct Recording {
    /// The region.
    pub(crate) region: File,
    /// From the region's start to the process's end.
    pub(crate) duration_ns: u64,
    /// Takes samples meanwhile.
    pub(crate) sampler: Sampler,
}

/// How a process ended, and what was seen of it from outside.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// How it ended.
    pub(crate) end: End,
    /// How many times it executed another program in its place after it had begun to record.
    pub(crate) images_before: usize,
    /// The moments that were noted.
    pub(crate) marks: Vec<Mark>,
    /// Whether recording began with the first of them.
    pub(crate) waited: bool,
    /// The program that it executed in its place at last without being followed; empty if that is not known.
    pub(crate) replaced_by: PathBuf,
}

/// Reads the region for the last time.
pub(crate) fn read(recording: Recording, seen: &Seen) -> Result<Profile, Error> {
    let Recording { region, duration_ns, sampler } = recording;
    let samples = sampler.finish();
    let wrong =
        |error: memscope_profile::FileError| Error::new(error.to_string()).hint(error.hint());
    let region = Region::open(region).map_err(wrong)?;
    let reading = region.read(seen.end).map_err(wrong)?;
    let mut profile = reading.profile;
    profile.run.duration_ns = duration_ns;
    profile.timeline = samples.finish(&reading.sites);
    caveats::add(&mut profile, seen);
    Ok(profile)
}
