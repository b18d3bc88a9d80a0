//! Surroundings that profilers stumble over: the program does in them what it does without memscope, down to its
//! descriptors, limits and children, and what could not be recorded is said.
//!
//! Deliberately absent: what other files look at: signal handlers that allocate (strain.rs), coroutines and alternate stacks
//! (stacks.rs), kills (kill.rs).

mod support;

use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use support::profile::{Profile, run};
use support::{Outcome, compile, memscope};
use testprograms::c_program;

/// What is expected of a way.
struct Expected {
    way: &'static str,
    /// Whether all that the program itself does is recorded.
    complete: bool,
    /// Whether its child, made by fork, is followed.
    child: bool,
}

const fn whole(way: &'static str) -> Expected {
    Expected { way, complete: true, child: true }
}

const fn alone(way: &'static str) -> Expected {
    Expected { way, complete: true, child: false }
}

const WAYS: [Expected; 22] = [
    whole("plain"),
    whole("close-all"),
    whole("dup-over"),
    // A child needs a descriptor or two for a moment, and room in a file; its parent no longer does.
    alone("few-descriptors"),
    alone("small-files"),
    whole("small-stack"),
    whole("small-space"),
    whole("locked"),
    whole("locked-now"),
    whole("chroot"),
    // The supervisor listens to its own user only.
    alone("dropped"),
    whole("not-dumpable"),
    // A filter might end a child that did what memscope needs.
    alone("no-sockets"),
    alone("deadly-sockets"),
    alone("no-memfd"),
    // Whether new tables are needed after the call that is forbidden is chance.
    Expected { way: "no-mmap", complete: false, child: false },
    Expected { way: "no-mremap", complete: false, child: false },
    whole("failing"),
    whole("many-threads"),
    whole("short-threads"),
    whole("load"),
    whole("storm"),
];

/// As the test itself may not.
fn needs_root(way: &str) -> bool {
    matches!(way, "chroot" | "dropped" | "locked" | "locked-now")
}

fn prepare(command: &mut Command) -> &mut Command {
    command.env_clear().env("PATH", "/usr/bin:/bin").env("ZZ", "").stdin(Stdio::null())
}

fn looked_at(expected: &Expected, program: &Path) {
    let Expected { way, complete, child } = *expected;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let json = folder.path().join("profile.json");
    let bare = Outcome::of(prepare(Command::new(program).args([way, path])));
    assert_eq!(bare.code(), 0, "{way} {bare:?}");
    let ours = Outcome::of(prepare(&mut run(&json, program, &[way, path])));
    assert_eq!(
        (ours.code(), &ours.stdout, &ours.stderr),
        (bare.code(), &bare.stdout, &bare.stderr),
        "{way}"
    );
    let profile = Profile::read(&json);
    let processes = profile.0["processes"].as_array().unwrap();
    if complete {
        profile.assert_complete();
        assert_eq!(profile.counts("allocate", "hostile.c"), [37, 3700, 20, 2000], "{way}");
        let is_followed = processes.len() == 2;
        assert_eq!(is_followed, child, "{way} {processes:#?}");
    }
    // Nobody is forgotten: a child is followed or counted.
    let unfollowed = profile.number("run", "unfollowed_children");
    assert_eq!(unfollowed + processes.len().saturating_sub(1) as u64, 1, "{way} {processes:#?}");
    let completeness = &profile.0["completeness"];
    let misses =
        completeness["misses"].as_object().unwrap().values().map(|it| it.as_u64().unwrap());
    let successes = completeness["successes"].as_u64().unwrap();
    assert_eq!(completeness["attempts"], successes + misses.sum::<u64>(), "{way} {completeness}");
}

#[test]
fn the_program_does_what_it_does_without_memscope() {
    let program = c_program("hostile.c");
    let is_root = rustix::process::geteuid().is_root();
    let tried = WAYS.iter().filter(|it| is_root || !needs_root(it.way));
    // All are looked at, whatever became of the others.
    let failed = tried.filter(|it| catch_unwind(|| looked_at(it, &program)).is_err());
    let failed: Vec<_> = failed.map(|it| it.way).collect();
    assert!(failed.is_empty(), "{failed:?}");
}

/// With nothing in its environment, and with a library of the user's own.
#[test]
fn an_empty_environment_and_another_s_preload() {
    let folder = tempfile::tempdir().unwrap();
    let program = c_program("hostile.c");
    // memscope itself loads it as well, and is not to speak.
    let other = r#"
        #include <stdio.h>
        #include <string.h>
        extern char *program_invocation_short_name;
        __attribute__((constructor)) static void begin(void) {
            if (!strcmp(program_invocation_short_name, "hostile")) puts("theirs");
        }
    "#;
    let library = compile(folder.path(), "theirs.so", other, &["-shared", "-fPIC"]);
    for preload in [None, Some(&library)] {
        let prepare = |command: &mut Command| {
            command.env_clear().stdin(Stdio::null()).envs(preload.map(|it| ("LD_PRELOAD", it)));
            Outcome::of(command)
        };
        let json = folder.path().join("profile.json");
        let bare = prepare(Command::new(&program).arg("plain"));
        let ours = prepare(&mut run(&json, &program, &["plain"]));
        assert_eq!((ours.code(), &ours.stdout, &ours.stderr), (0, &bare.stdout, &bare.stderr));
        assert_eq!(Profile::read(&json).counts("allocate", "hostile.c"), [37, 3700, 20, 2000]);
    }
}

/// A core dump holds the program's memory, and not ours.
#[test]
fn a_core_dump_has_its_normal_size() {
    let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap_or_default();
    if pattern.starts_with('|') || pattern.contains('/') {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let source = "#include <stdlib.h>\nint main(void) { char *p = malloc(5000000); for (int i = 0; i < 5000000; i += 99) p[i] = 1; abort(); }";
    let program = compile(folder.path(), "aborts", source, &["-g"]);
    let bytes = |name: &str, prefix: &str| {
        let place = folder.path().join(name);
        std::fs::create_dir(&place).unwrap();
        let script = format!("ulimit -c unlimited; cd {name}; exec {prefix} ../aborts");
        let mut shell = Command::new("sh");
        let outcome = Outcome::of(shell.current_dir(folder.path()).args(["-c", &script]));
        assert!(
            outcome.status.code() == Some(134) || outcome.status.code().is_none(),
            "{outcome:?}"
        );
        let files = std::fs::read_dir(place).unwrap().map(|it| it.unwrap().metadata().unwrap());
        files.map(|file| std::os::unix::fs::MetadataExt::blocks(&file) * 512).sum::<u64>()
    };
    let bare = bytes("bare", "");
    let ours = bytes("ours", &format!("'{}' run -q --", env!("CARGO_BIN_EXE_memscope")));
    assert!(program.exists() && bare > 4_000_000 && ours < bare + (16 << 20), "{bare} {ours}");
}

/// The memory cgroup of the test's own, if one can be made.
fn cgroup(name: &str, limit_bytes: u64) -> Option<PathBuf> {
    let name = format!("memscope-test-{name}-{}", std::process::id());
    for (root, file) in
        [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")]
    {
        let group = Path::new(root).join(&name);
        if std::fs::create_dir(&group).is_ok() {
            if std::fs::write(group.join(file), limit_bytes.to_string()).is_ok() {
                return Some(group);
            }
            let _ = std::fs::remove_dir(&group);
        }
    }
    None
}

/// The kernel kills what takes too much; what was recorded until then is there.
#[test]
fn a_kill_by_a_memory_cgroup_loses_nothing() {
    let Some(group) = cgroup("kill", 64 << 20) else { return };
    let folder = tempfile::tempdir().unwrap();
    let source = r#"
        #include <stdlib.h>
        #include <string.h>
        __attribute__((noinline)) static void take(void) { memset(malloc(1 << 20), 1, 1 << 20); }
        int main(void) { for (;;) take(); }
    "#;
    let program = compile(folder.path(), "greedy", source, &["-g", "-O1", "-fno-builtin"]);
    // The program alone enters the group: memscope is not in it.
    let procs = group.join("cgroup.procs");
    let script = format!("echo $$ > {} && exec {}", procs.display(), program.display());
    let json = folder.path().join("profile.json");
    let outcome = Outcome::of(&mut run(&json, Path::new("/bin/sh"), &["-c", &script]));
    support::wait_for("the group to be empty", || std::fs::remove_dir(&group).ok());
    assert_eq!(outcome.code(), 128 + 9, "{outcome:?}");
    let profile = Profile::read(&json);
    let [allocations, bytes, ..] = profile.counts("take", "greedy.c");
    assert!(allocations > 10 && bytes == allocations << 20, "{allocations}");
}

/// memscope's own words are not the program's: without a report not a byte is said.
#[test]
fn nothing_is_said_when_nothing_is_to_be_said() {
    let mut command = memscope();
    let outcome = Outcome::of(command.args(["run", "--quiet", "--", "true"]));
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("", ""));
}
