//! Symbolization with a line on the terminal that shows how far it is.

use crate::terminal::Voice;
use memscope_profile::Profile;
use memscope_profile::symbolize::{self, Progress, SymbolSearch};
use std::sync::{Mutex, PoisonError};

/// Names the functions in the profile.
pub(crate) fn symbolize(profile: &mut Profile, voice: Voice) {
    let line = Mutex::new(voice.progress("reading symbols:"));
    let show = |progress: Progress| {
        line.lock().unwrap_or_else(PoisonError::into_inner).show(progress.done, progress.total);
    };
    symbolize::symbolize(profile, &SymbolSearch::default(), &show);
}
