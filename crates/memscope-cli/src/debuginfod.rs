//! Debug files from debuginfod servers: only if DEBUGINFOD_URLS names some, and only for files whose debug information is
//! not on this machine. What is fetched stays in the folder that other clients of debuginfod use as well.
//!
//! The transfer is curl's, which knows TLS, the system's certificates and proxies. Its output is read here and written
//! beside its place, so that the bound on its size holds whatever a server says, and a file is whole or absent.
//!
//! Invariants: a file is kept only if it has the build id that was asked for; a server that does not answer is asked once;
//! the time for each file is bounded. Deliberately absent: sources and executables, which servers have as well; the cleaning
//! of the folder.

use crate::error::reason;
use memscope_profile::model::Warning;
use memscope_profile::symbolize::{DebugFiles, build_id};
use std::collections::HashSet;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A transfer that is slower than this for DEBUGINFOD_TIMEOUT seconds is given up: 100 KiB in that time.
const SLOW_BYTES: u64 = 100 << 10;
/// The usual DEBUGINFOD_TIMEOUT.
const SLOW_SECONDS: u64 = 90;
/// How long one file may take, unless DEBUGINFOD_MAXTIME says so.
const MAX_SECONDS: u64 = 600;
/// How long connecting may take.
const CONNECT_SECONDS: u64 = 10;
/// The largest file that is taken, unless DEBUGINFOD_MAXSIZE says so.
const MAX_BYTES: u64 = 2 << 30;
/// So long it is remembered that no server has a file.
const MISS: Duration = Duration::from_secs(600);

/// What curl exits with if the server answered that there is no such file.
const CURL_REFUSED: i32 = 22;

/// The servers that the environment names.
#[derive(Debug)]
pub(crate) struct Servers {
    urls: Vec<String>,
    cache: PathBuf,
    slow_seconds: u64,
    max_seconds: u64,
    max_bytes: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Servers that did not answer.
    silent: HashSet<String>,
    warnings: Vec<Warning>,
}

/// Why there is no file.
enum Failure {
    /// The server has none.
    Absent,
    /// The file is not taken, for this reason.
    Refused(String),
    /// The server, or the way to it, does not work.
    Silent(String),
}

impl Servers {
    /// Those of DEBUGINFOD_URLS, if it names any and there is a folder to keep files in.
    pub(crate) fn of(variable: impl Fn(&str) -> Option<OsString>) -> Option<Self> {
        let set = |name| variable(name).filter(|value| !value.is_empty());
        let text = |name| set(name).and_then(|value| value.into_string().ok());
        let number = |name| text(name).and_then(|it| it.parse().ok()).filter(|&it: &u64| it > 0);
        let urls: Vec<_> = text("DEBUGINFOD_URLS")?
            .split_whitespace()
            .filter(|url| url.starts_with("http://") || url.starts_with("https://"))
            .map(|url| url.trim_end_matches('/').to_owned())
            .collect();
        let folder = |name| set(name).map(PathBuf::from);
        let old = folder("HOME").map(|home| home.join(".debuginfod_client_cache"));
        let cache = folder("DEBUGINFOD_CACHE_PATH")
            .or_else(|| old.filter(|old| old.is_dir()))
            .or_else(|| folder("XDG_CACHE_HOME").map(|it| it.join("debuginfod_client")))
            .or_else(|| folder("HOME").map(|it| it.join(".cache/debuginfod_client")))?;
        (!urls.is_empty()).then(|| Self {
            urls,
            cache,
            slow_seconds: number("DEBUGINFOD_TIMEOUT").unwrap_or(SLOW_SECONDS),
            max_seconds: number("DEBUGINFOD_MAXTIME").unwrap_or(MAX_SECONDS),
            max_bytes: number("DEBUGINFOD_MAXSIZE").unwrap_or(MAX_BYTES),
            state: Mutex::default(),
        })
    }

    /// What went wrong since this was last asked.
    pub(crate) fn take_warnings(&self) -> Vec<Warning> {
        std::mem::take(&mut self.state().warnings)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn warn(&self, message: String, hint: &str) {
        let warning = Warning { message, hint: hint.to_owned() };
        let mut state = self.state();
        if !state.warnings.contains(&warning) {
            state.warnings.push(warning);
        }
    }

    /// Fetches a file to its place. Whether it is there then.
    fn fetch(&self, id: &[u8], name: &str, place: &Path) -> bool {
        let mut all_answered = true;
        for url in &self.urls {
            if self.state().silent.contains(url) {
                all_answered = false;
                continue;
            }
            match self.fetch_from(url, id, name, place) {
                Ok(()) => return true,
                Err(Failure::Absent) => {}
                Err(Failure::Refused(why)) => {
                    all_answered = false;
                    self.warn(
                        format!("What {url} has for the build id {name} is not used: {why}."),
                        "DEBUGINFOD_MAXSIZE, in bytes, sets the largest file that is taken. Anything else is the server's fault.",
                    );
                }
                Err(Failure::Silent(why)) => {
                    all_answered = false;
                    self.state().silent.insert(url.clone());
                    self.warn(
                        format!("The server {url} gave no debug information: {why}."),
                        "Take it out of DEBUGINFOD_URLS, or unset the variable, if it cannot be reached.",
                    );
                }
            }
        }
        if all_answered {
            // As other clients do it: an empty file says that there is none.
            let _ = File::create(place);
        }
        false
    }

    fn fetch_from(&self, url: &str, id: &[u8], name: &str, place: &Path) -> Result<(), Failure> {
        let here = |error: io::Error| {
            Failure::Silent(format!("{} could not be written: {}", place.display(), reason(&error)))
        };
        let temporary = place.with_file_name(format!(".debuginfo.{}", std::process::id()));
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let fetched = options.open(&temporary).map_err(here).and_then(|mut file| {
            self.transfer(&format!("{url}/buildid/{name}/debuginfo"), &mut file)?;
            if build_id(&temporary).as_deref() != Some(id) {
                return Err(Failure::Refused("it has another build id".to_owned()));
            }
            fs::rename(&temporary, place).map_err(here)
        });
        if fetched.is_err() {
            // The error is what counts.
            let _ = fs::remove_file(&temporary);
        }
        fetched
    }

    /// Copies what is at `url` to `file`, by curl.
    fn transfer(&self, url: &str, file: &mut File) -> Result<(), Failure> {
        let mut curl = Command::new("curl");
        // The first keeps the user's own settings of curl out.
        curl.args(["-q", "--silent", "--show-error", "--fail", "--location", "--max-redirs", "5"]);
        curl.args(["--proto", "=http,https", "--proto-redir", "=http,https"]);
        curl.args(["--user-agent", concat!("memscope/", env!("CARGO_PKG_VERSION"))]);
        let seconds = self.slow_seconds;
        for (option, number) in [
            ("--connect-timeout", CONNECT_SECONDS.min(seconds)),
            ("--speed-time", seconds),
            ("--speed-limit", SLOW_BYTES.div_ceil(seconds)),
            ("--max-time", self.max_seconds),
        ] {
            curl.arg(option).arg(number.to_string());
        }
        curl.arg("--url").arg(url);
        let child = curl.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.map_err(|error| {
            let hint = if error.kind() == io::ErrorKind::NotFound { " (install curl)" } else { "" };
            Failure::Silent(format!("curl could not be started: {}{hint}", reason(&error)))
        })?;
        let copied = child.stdout.take().map_or(Ok(0), |out| {
            // One byte more than may be, to see whether there is.
            io::copy(&mut out.take(self.max_bytes.saturating_add(1)), file)
        });
        let is_too_large = copied.as_ref().is_ok_and(|&bytes| bytes > self.max_bytes);
        if is_too_large || copied.is_err() {
            // It may have ended by itself.
            let _ = child.kill();
        }
        let mut said = String::new();
        // curl says a line; its silence is no reason to fail.
        let _ = child.stderr.take().map(|error| error.take(4096).read_to_string(&mut said));
        let ended = child.wait();
        copied.and_then(|_| file.flush()).map_err(|error| {
            Failure::Silent(format!("its answer could not be kept: {}", reason(&error)))
        })?;
        if is_too_large {
            return Err(Failure::Refused(format!("it is larger than {} bytes", self.max_bytes)));
        }
        match ended {
            Ok(status) if status.success() => Ok(()),
            // 404; but also what a server says that wants something else from whoever asks.
            Ok(status) if status.code() == Some(CURL_REFUSED) && said.contains("404") => {
                Err(Failure::Absent)
            }
            Ok(status) if said.trim().is_empty() => {
                Err(Failure::Silent(format!("curl ended with {status}")))
            }
            Ok(_) => {
                let said = said.trim().trim_start_matches("curl: ").trim_end_matches('.');
                Err(Failure::Silent(said.replace('\n', " ")))
            }
            Err(error) => Err(Failure::Silent(reason(&error))),
        }
    }
}

impl DebugFiles for Servers {
    fn find(&self, id: &[u8]) -> Option<PathBuf> {
        let mut name = String::with_capacity(2 * id.len());
        for byte in id {
            // Writing to a string does not fail.
            let _ = write!(name, "{byte:02x}");
        }
        let folder = self.cache.join(&name);
        let place = folder.join("debuginfo");
        if let Ok(there) = fs::metadata(&place) {
            let age = there.modified().ok().and_then(|time| time.elapsed().ok());
            if there.len() > 0 {
                return Some(place);
            }
            if age.is_some_and(|age| age < MISS) {
                return None;
            }
        }
        if let Err(error) = fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder) {
            let message = format!(
                "The folder {} for debug files could not be made: {}.",
                folder.display(),
                reason(&error)
            );
            self.warn(message, "DEBUGINFOD_CACHE_PATH names another place.");
            return None;
        }
        self.fetch(id, &name, &place).then_some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Option<Servers> {
        let value = |name: &str| variables.iter().find(|it| it.0 == name).map(|it| it.1.into());
        Servers::of(value)
    }

    #[test]
    fn without_servers_nobody_is_asked() {
        for urls in ["", " ", "ftp://a.example", "file:///etc"] {
            assert!(of(&[("HOME", "/nowhere"), ("DEBUGINFOD_URLS", urls)]).is_none(), "{urls}");
        }
        assert!(of(&[("HOME", "/nowhere")]).is_none());
        assert!(of(&[("DEBUGINFOD_URLS", "https://a.example")]).is_none(), "no folder");
    }

    #[test]
    fn the_variables_of_other_clients_count() {
        let urls = ("DEBUGINFOD_URLS", "https://a.example/ http://b.example:8002");
        let home = ("HOME", "/nowhere");
        let servers = of(&[urls, home, ("DEBUGINFOD_TIMEOUT", "7")]).unwrap();
        assert_eq!(servers.urls, ["https://a.example", "http://b.example:8002"]);
        assert_eq!(servers.cache, Path::new("/nowhere/.cache/debuginfod_client"));
        assert_eq!((servers.slow_seconds, servers.max_bytes), (7, MAX_BYTES));
        let servers = of(&[urls, home, ("XDG_CACHE_HOME", "/x"), ("DEBUGINFOD_MAXSIZE", "9")]);
        let servers = servers.unwrap();
        assert_eq!(servers.cache, Path::new("/x/debuginfod_client"));
        assert_eq!((servers.slow_seconds, servers.max_bytes), (SLOW_SECONDS, 9));
        let servers = of(&[urls, home, ("DEBUGINFOD_CACHE_PATH", "/y")]).unwrap();
        assert_eq!(servers.cache, Path::new("/y"));
    }
}
