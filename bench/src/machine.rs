//! What it ran on, and with which versions.

use crate::Result;
use serde::Serialize;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The machine, and what is installed on it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Machine {
    /// The day, in UTC.
    pub(crate) date: String,
    /// The commit of memscope, with a `+` if files were changed since.
    pub(crate) commit: String,
    /// The processor's name.
    pub(crate) processor: String,
    /// Processors that can be used.
    pub(crate) processors: usize,
    /// Main memory.
    pub(crate) memory_bytes: u64,
    /// The kernel's release.
    pub(crate) kernel: String,
    /// The C library.
    pub(crate) libc: String,
    /// The compiler.
    pub(crate) rustc: String,
    /// heaptrack, dhat and jemalloc's crate; empty where not installed.
    pub(crate) peers: Vec<String>,
    /// Load average of the last minute at the start.
    pub(crate) load: f64,
}

impl Machine {
    /// Looks around.
    ///
    /// # Errors
    /// If the system does not say what every Linux says.
    pub(crate) fn look(root: &Path) -> Result<Self> {
        let processors = read("/proc/cpuinfo")?;
        let memory = read("/proc/meminfo")?;
        let git = |arguments: &[&str]| {
            said("git", &[&["-C", &root.display().to_string()], arguments].concat())
        };
        let changed =
            if git(&["status", "--porcelain", "--", "crates"]).is_empty() { "" } else { "+" };
        let lock = read(&root.join("bench/Cargo.lock").display().to_string())?;
        let mut peers = vec![said("heaptrack", &["--version"])];
        peers.extend(["dhat", "tikv-jemallocator", "memscope-rs"].map(|name| locked(&lock, name)));
        let kib = field(&memory, "MemTotal").trim_end_matches(" kB").parse::<u64>().unwrap_or(0);
        Ok(Self {
            date: said("date", &["--utc", "+%Y-%m-%d"]),
            commit: git(&["rev-parse", "--short=12", "HEAD"]) + changed,
            processor: field(&processors, "model name"),
            processors: std::thread::available_parallelism().map_or(0, usize::from),
            memory_bytes: kib << 10,
            kernel: read("/proc/sys/kernel/osrelease")?.trim().into(),
            libc: said("getconf", &["GNU_LIBC_VERSION"]),
            rustc: said("rustc", &["--version"]),
            peers: peers.into_iter().filter(|peer| !peer.is_empty()).collect(),
            load: load()?,
        })
    }
}

/// The load average of the last minute.
///
/// # Errors
/// If the system does not say.
pub(crate) fn load() -> Result<f64> {
    let text = read("/proc/loadavg")?;
    text.split(' ').next().and_then(|word| word.parse().ok()).ok_or("/proc/loadavg is odd".into())
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(path).map_err(|error| format!("cannot read {path}: {error}"))
}

/// The first line that a program prints; empty if there is no such program.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let bytes = output.map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&bytes).lines().next().unwrap_or_default().trim().into()
}

/// The value of the first line `name : value`.
fn field(text: &str, name: &str) -> String {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.map(|rest| rest.trim_start_matches([' ', '\t', ':']).trim().into()).unwrap_or_default()
}

/// A package with its version, from a lock file.
fn locked(lock: &str, name: &str) -> String {
    let entry = format!("name = \"{name}\"\nversion = \"");
    let version = lock.split_once(&entry).and_then(|(_, rest)| rest.split_once('"'));
    version.map(|(version, _)| format!("{name} {version}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_versions_are_found() {
        assert_eq!(field("a : 1\nmodel name\t: X 5 @ 2\n", "model name"), "X 5 @ 2");
        assert_eq!(field("MemTotal:   12 kB\n", "MemTotal"), "12 kB");
        assert_eq!(field("a : 1\n", "b"), "");
        let lock = "[[package]]\nname = \"dhat\"\nversion = \"0.3.3\"\n";
        assert_eq!(locked(lock, "dhat"), "dhat 0.3.3");
        assert_eq!(locked(lock, "hat"), "");
    }
}
