//! Symbolization with a line on the terminal that shows how far it is, with debug files from servers if the environment
//! names any, and with a folder that remembers what was looked up.

use crate::debuginfod::Servers;
use crate::terminal::Voice;
use memscope_profile::Profile;
use memscope_profile::symbolize::{
    self, DebugFiles, KnownSymbols, NameCache, Progress, SymbolSearch,
};
use std::ffi::OsString;
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
    with_search(profile, voice, symbolize::symbolize);
}

/// The same for a process that is looked at again and again.
pub(crate) fn symbolize_again(profile: &mut Profile, known: &mut KnownSymbols, voice: Voice) {
    with_search(profile, voice, |profile, search, show| {
        symbolize::symbolize_again(profile, known, search, show);
    });
}

fn with_search(
    profile: &mut Profile,
    voice: Voice,
    look_up: impl FnOnce(&mut Profile, &SymbolSearch, &(dyn Fn(Progress) + Sync)),
) {
    let line = Mutex::new(voice.progress("reading symbols:"));
    let show = |progress: Progress| {
        line.lock().unwrap_or_else(PoisonError::into_inner).show(progress.done, progress.total);
    };
    let mut search = SymbolSearch::default();
    let named = DIRECTORIES.get().into_iter().flatten().cloned();
    search.debug_directories.splice(0..0, named);
    let servers = SERVERS.get_or_init(|| Servers::of(|name| std::env::var_os(name)).map(Arc::new));
    search.elsewhere = servers.clone().map(|servers| servers as Arc<dyn DebugFiles>);
    search.cache = cache(|name| std::env::var_os(name));
    look_up(profile, &search, &show);
    if let Some(servers) = servers {
        profile.warnings.extend(servers.take_warnings());
    }
}

/// The folder that remembers names: what MEMSCOPE_CACHE says (`off` for none), or `memscope` in the user's folder of caches.
/// None if there is no such folder.
fn cache(variable: impl Fn(&str) -> Option<OsString>) -> Option<NameCache> {
    let set = |name| variable(name).filter(|value| !value.is_empty());
    // A relative path in these two is not to be used, says the convention.
    let absolute = |name| set(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = match set("MEMSCOPE_CACHE") {
        Some(said) if said == "off" => None,
        Some(said) => Some(PathBuf::from(said)),
        None => {
            let home = || Some(absolute("HOME")?.join(".cache"));
            absolute("XDG_CACHE_HOME").or_else(home).map(|base| base.join("memscope"))
        }
    };
    folder.map(NameCache::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_names_is_where_the_environment_says() {
        /// Variables, and the folder that they name.
        type Case<'a> = (&'a [(&'a str, &'a str)], Option<&'a str>);
        let table: [Case<'_>; 8] = [
            (&[], None),
            (&[("HOME", "/home/a")], Some("/home/a/.cache/memscope")),
            (&[("HOME", "home")], None),
            (&[("HOME", "/home/a"), ("XDG_CACHE_HOME", "/c")], Some("/c/memscope")),
            (&[("HOME", "/home/a"), ("XDG_CACHE_HOME", "c")], Some("/home/a/.cache/memscope")),
            (&[("HOME", "/home/a"), ("MEMSCOPE_CACHE", "off")], None),
            (&[("HOME", "/home/a"), ("MEMSCOPE_CACHE", "")], Some("/home/a/.cache/memscope")),
            (&[("XDG_CACHE_HOME", "/c"), ("MEMSCOPE_CACHE", "names")], Some("names")),
        ];
        for (variables, expected) in table {
            let of = |name: &str| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| OsString::from(value))
            };
            let folder = cache(of).map(|cache| cache.folder);
            assert_eq!(folder, expected.map(PathBuf::from), "{variables:?}");
        }
    }
}
