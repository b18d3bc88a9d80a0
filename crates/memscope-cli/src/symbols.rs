//! Symbolization with a line on the terminal that shows how far it is, and with debug files from servers if the environment
//! names any.

use crate::debuginfod::Servers;
use crate::terminal::Voice;
use memscope_profile::Profile;
use memscope_profile::symbolize::{self, DebugFiles, Progress, SymbolSearch};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Folders with separate debug files that the user named. Set once, before anything is symbolized.
static DIRECTORIES: OnceLock<Vec<PathBuf>> = OnceLock::new();

/// The servers of this process, so that each silent one is waited for once.
static SERVERS: OnceLock<Option<Arc<Servers>>> = OnceLock::new();

/// Looks into these folders for separate debug files, before the usual one.
pub(crate) fn look_into(directories: &[PathBuf]) {
    // The command line is read once.
    let _ = DIRECTORIES.set(directories.to_vec());
}

/// Names the functions in the profile.
pub(crate) fn symbolize(profile: &mut Profile, voice: Voice) {
    let line = Mutex::new(voice.progress("reading symbols:"));
    let show = |progress: Progress| {
        line.lock().unwrap_or_else(PoisonError::into_inner).show(progress.done, progress.total);
    };
    let mut search = SymbolSearch::default();
    let named = DIRECTORIES.get().into_iter().flatten().cloned();
    search.debug_directories.splice(0..0, named);
    let servers = SERVERS.get_or_init(|| Servers::of(|name| std::env::var_os(name)).map(Arc::new));
    search.elsewhere = servers.clone().map(|servers| servers as Arc<dyn DebugFiles>);
    symbolize::symbolize(profile, &search, &show);
    if let Some(servers) = servers {
        profile.warnings.extend(servers.take_warnings());
    }
}
