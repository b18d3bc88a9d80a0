//! From what the supervisor holds after the program's end to a profile.
//!
//! Deliberately absent: symbols, which take long and which not every run needs.

use crate::caveats;
use crate::error::Error;
use crate::supervise::{Ended, Recording};
use memscope_profile::Profile;
use memscope_profile::model::End;
use memscope_profile::region::Region;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// Reads the region for the last time.
pub(crate) fn read(recording: Recording, ended: &Ended) -> Result<Profile, Error> {
    let Recording { region, duration_ns, samples } = recording;
    let wrong = |error: memscope_profile::Error| Error::new(error.to_string()).hint(error.hint());
    let region = Region::open(region).map_err(wrong)?;
    let reading = region.read(end(ended.status)).map_err(wrong)?;
    let mut profile = reading.profile;
    profile.run.duration_ns = duration_ns;
    profile.timeline = samples.finish(&reading.sites);
    caveats::add(&mut profile, ended);
    Ok(profile)
}

fn end(status: ExitStatus) -> End {
    match (status.code(), status.signal()) {
        (Some(code), _) => End::Exited(code),
        (None, Some(signal)) => End::Signaled(signal),
        (None, None) => End::Unknown,
    }
}
