//! Line tables for builds that would have none.
//!
//! The environment is stronger than the manifest, so a profile that says `debug` itself is left alone. The manifest is not
//! parsed but looked at line by line, for `debug` in the section of the profile.

use std::ffi::OsString;
use std::process::Command;

/// The environment variable that is to be set for this call of cargo, and its value.
pub(crate) fn missing(task: &str, flags: &[OsString]) -> Option<(String, &'static str)> {
    let flags: Vec<_> =
        flags.iter().map_while(|flag| flag.to_str().filter(|it| *it != "--")).collect();
    let named = flags.iter().enumerate().find_map(|(n, flag)| {
        let value = || flags.get(n + 1).copied();
        if *flag == "--profile" { value() } else { flag.strip_prefix("--profile=") }
    });
    let is_release = flags.iter().any(|flag| matches!(*flag, "--release" | "-r"));
    let profile = match (named, task) {
        (Some(named), _) => named,
        (None, "bench") => "bench",
        (None, _) if is_release => "release",
        // dev and test have debug information.
        (None, _) => return None,
    };
    if matches!(profile, "dev" | "test") {
        return None;
    }
    let name = format!("CARGO_PROFILE_{}_DEBUG", profile.to_uppercase().replace('-', "_"));
    let is_set = std::env::var_os(&name).is_some();
    (!is_set && !says_debug(&manifest()?, profile)).then_some((name, "limited"))
}

/// The workspace's manifest.
fn manifest() -> Option<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["locate-project", "--workspace", "--message-format", "plain"])
        .output()
        .ok()?;
    std::fs::read_to_string(String::from_utf8_lossy(&output.stdout).trim()).ok()
}

fn says_debug(manifest: &str, profile: &str) -> bool {
    let mut is_within = false;
    manifest.lines().map(str::trim).any(|line| {
        if line.starts_with('[') {
            is_within = line.trim_matches(['[', ']', ' ']) == format!("profile.{profile}");
        }
        let key = line.split('=').next().unwrap_or_default().trim();
        is_within && key == "debug"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(task: &str, flags: &[&str]) -> Option<String> {
        let flags: Vec<OsString> = flags.iter().map(OsString::from).collect();
        missing(task, &flags).map(|(name, _)| name)
    }

    #[test]
    fn only_what_is_missing_is_asked_for() {
        assert_eq!(asked("run", &[]), None);
        assert_eq!(asked("test", &["--", "--release"]), None);
        assert_eq!(asked("bench", &[]).as_deref(), Some("CARGO_PROFILE_BENCH_DEBUG"));
        let thin = asked("run", &["--profile", "thin-lto"]);
        assert_eq!(thin.as_deref(), Some("CARGO_PROFILE_THIN_LTO_DEBUG"));
        // This workspace's own release profile has debug information.
        assert_eq!(asked("run", &["--release"]), None);
    }

    #[test]
    fn a_manifest_that_decides_is_left_alone() {
        let manifest = "[profile.release]\nopt-level = 3\ndebug = 1\n[profile.bench]\nlto = true\n";
        assert!(says_debug(manifest, "release"));
        assert!(!says_debug(manifest, "bench"));
    }
}
