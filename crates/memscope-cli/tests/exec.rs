//! A program that executes another in its place: the other is recorded where it can be, said where it cannot, and
//! finds everything as if memscope were not there.
//!
//! Deliberately absent: programs that the program starts beside itself, which children.rs looks at.

mod support;

use rustix::process::geteuid;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use support::profile::{Profile, record, run};
use support::{BARE, Outcome, compile};
use testprograms::c_program;

/// Every variant of exec.c that ends in its image.
const VARIANTS: [&str; 18] = [
    "execve",
    "execve-without",
    "execv",
    "execvp",
    "execvp-path",
    "execvpe",
    "execl",
    "execl-five",
    "execl-short",
    "execlp",
    "execle",
    "execle-short",
    "fexecve",
    "execveat",
    "execveat-empty",
    "thread",
    "handler",
    "no-environ",
];

/// What 37 blocks of 100 bytes are, in exec.c's image.
const IMAGE: [u64; 4] = [37, 3700, 37, 3700];

/// PATH with a folder before it that has nothing to find, and one that has a file that may not be executed.
fn search_path(program: &Path, folder: &Path) -> OsString {
    let denied = folder.join("denied");
    fs::create_dir_all(&denied).unwrap();
    fs::write(denied.join("exec"), "no program").unwrap();
    let home = program.parent().unwrap();
    std::env::join_paths([folder, &denied, home, Path::new("/usr/bin"), Path::new("/bin")]).unwrap()
}

/// The environment that both runs of a comparison have.
fn surroundings<'c>(
    command: &'c mut Command,
    path: &OsString,
    preload: Option<&str>,
) -> &'c mut Command {
    command.env_clear().env("A", "1").env("PATH", path).env("ZZ", "").stdin(Stdio::null());
    command.envs(preload.map(|preload| ("LD_PRELOAD", preload)))
}

/// Runs a program bare and recorded; it must not see the difference. Gives what was recorded.
#[track_caller]
fn compare(program: &Path, arguments: &[&str], preload: Option<&str>) -> Profile {
    let folder = tempfile::tempdir().unwrap();
    let path = search_path(program, folder.path());
    let json = folder.path().join("profile.json");
    let bare = Outcome::of(surroundings(Command::new(program).args(arguments), &path, preload));
    let recorded = Outcome::of(surroundings(&mut run(&json, program, arguments), &path, preload));
    assert_eq!(recorded.code(), bare.code(), "{arguments:?} {recorded:?}");
    assert_eq!(recorded.stdout, bare.stdout, "{arguments:?}");
    assert_eq!(recorded.stderr, bare.stderr, "{arguments:?}");
    Profile::read(&json)
}

fn was_replaced(profile: &Profile) -> bool {
    profile.0["run"]["replaced"].as_bool().unwrap()
}

fn warnings(profile: &Profile) -> String {
    profile.0["warnings"].to_string()
}

#[test]
fn every_way_to_execute_is_followed() {
    let program = c_program("exec.c");
    for variant in VARIANTS {
        let profile = compare(&program, &[variant], None);
        profile.assert_complete();
        assert_eq!(profile.counts("allocate", "exec.c"), IMAGE, "{variant}");
        // What came before is another image's, whose region is gone.
        assert_eq!(profile.counts("allocate_before", "exec.c"), [0; 4], "{variant}");
        assert!(!was_replaced(&profile), "{variant}");
        assert!(warnings(&profile).contains("what it did before is not shown"), "{variant}");
        assert_eq!(profile.0["run"]["command"][1], "image", "{variant}");
    }
}

#[test]
fn a_preload_of_the_user_s_own_stays_as_it_is() {
    let program = c_program("exec.c");
    for preload in ["", "libm.so.6", "libm.so.6:libdl.so.2"] {
        let profile = compare(&program, &["execv"], Some(preload));
        assert_eq!(profile.counts("allocate", "exec.c"), IMAGE, "{preload:?}");
    }
}

#[test]
fn a_program_that_closed_every_descriptor_is_followed() {
    let profile = compare(&c_program("exec.c"), &["closed"], None);
    assert_eq!(profile.counts("allocate", "exec.c"), IMAGE);
}

#[test]
fn an_execution_that_fails_leaves_everything_as_it_was() {
    let profile = compare(&c_program("exec.c"), &["failing"], None);
    profile.assert_complete();
    assert_eq!(profile.counts("allocate", "exec.c"), IMAGE);
    assert!(!was_replaced(&profile));
    assert_eq!(warnings(&profile), "[]");
}

/// By fork, vfork and posix_spawn (twice), each with another image; one child of vfork ends without one, and is the only
/// one that is not followed. One of the executions that fail and a spawn that fails make no child.
#[test]
fn children_are_followed_and_do_not_notice() {
    let profile = compare(&c_program("exec.c"), &["children"], None);
    profile.assert_complete();
    assert_eq!(profile.counts("allocate", "exec.c"), IMAGE);
    let processes = profile.0["processes"].as_array().unwrap();
    let quiet = processes.iter().filter(|it| it["command"][1] == "quiet" && it["parent"] == 0);
    assert_eq!((quiet.count(), processes.len()), (4, 5), "{processes:?}");
    assert_eq!(profile.number("run", "unfollowed_children"), 1);
    assert!(!was_replaced(&profile));
}

/// A script in `folder`, ready to be run.
fn script(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    // Written by another process: a child that another test forks meanwhile would hold the file open for writing, and a
    // file that is open for writing cannot be executed.
    let write = "printf %s \"$1\" > \"$0\" && chmod 755 \"$0\"";
    let written = Command::new("sh").args(["-c", write]).arg(&path).arg(text).status();
    assert!(written.unwrap().success());
    path
}

#[test]
fn wrappers_lead_to_the_program_that_is_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let program = c_program("exec.c");
    let target = program.to_str().unwrap();
    let shell = format!("#!/bin/sh\nexec {target} image \"$@\"\n");
    let wrapper = script(folder.path(), "wrapper", &shell);
    // Through env, and through a script whose interpreter is a script.
    let through_env = format!("#! /usr/bin/env sh\nexec {} through\n", wrapper.display());
    let through_env = script(folder.path(), "through-env", &through_env);
    let nested = format!("#!{}\n", wrapper.display());
    let nested = script(folder.path(), "nested", &nested);
    let in_shell = format!("exec {target} image");
    let commands: [&[&str]; 5] = [
        &[wrapper.to_str().unwrap(), "one", "two"],
        &[through_env.to_str().unwrap()],
        &[target, "to", nested.to_str().unwrap(), "three"],
        &["/bin/sh", "-c", &in_shell],
        &["/usr/bin/env", "B=2", target, "image"],
    ];
    for command in commands {
        let profile = compare(Path::new(command[0]), &command[1..], None);
        assert_eq!(profile.counts("allocate", "exec.c"), IMAGE, "{command:?}");
        assert!(!was_replaced(&profile), "{command:?}");
    }
}

#[test]
fn programs_of_the_system_are_followed() {
    for command in [&["/bin/sh", "-c", "exec ls /"][..], &["/usr/bin/env", "ls", "/"]] {
        let profile = compare(Path::new(command[0]), &command[1..], None);
        profile.assert_complete();
        assert!(profile.0["run"]["exe"].as_str().unwrap().ends_with("/ls"), "{command:?}");
        assert!(profile.number("totals", "allocations") > 0, "{command:?}");
    }
}

#[test]
fn an_interpreter_behind_a_shim_shows_its_own_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let shim = script(folder.path(), "python3", "#!/bin/sh\nexec /usr/bin/env python3 \"$@\"\n");
    let code = "kept = [bytearray(1000003) for _ in range(50)]";
    let (profile, _) = record(&shim, &["-c", code]);
    let exe = profile.0["run"]["exe"].as_str().unwrap();
    assert!(exe.rsplit('/').next().unwrap().starts_with("python3"), "{exe}");
    assert!(profile.number("totals", "peak_bytes") > 50_000_000);
}

/// The system's dynamic linker under another name: for all that can be known, another C library's.
fn another_dynamic_linker(folder: &Path) -> PathBuf {
    let program = fs::read(c_program("exec.c")).unwrap();
    let start = program.windows(5).position(|part| part == b"/lib6").unwrap();
    let name = program[start..].split(|byte| *byte == 0).next().unwrap();
    let linker = PathBuf::from(std::str::from_utf8(name).unwrap());
    let copy = folder.join("ld-other.so");
    fs::copy(linker, &copy).unwrap();
    copy
}

/// Executes what cannot be followed: it runs as it would, and that it did is said.
#[track_caller]
fn assert_not_followed(target: &Path) {
    let profile = compare(&c_program("exec.c"), &["to", target.to_str().unwrap()], None);
    assert_eq!(profile.counts("allocate_before", "exec.c"), [1, 1000, 1, 1000]);
    assert!(was_replaced(&profile));
    assert!(warnings(&profile).contains("in its place, which could not be followed"));
}

#[test]
fn what_cannot_be_followed_is_executed_all_the_same_and_said() {
    let folder = tempfile::tempdir().unwrap();
    let source = r#"
        #include <stdio.h>
        extern char **environ;
        int main(void) {
            for (char **entry = environ; *entry; entry++) puts(*entry);
            return 5;
        }
    "#;
    let bare = compile(folder.path(), "bare", BARE, &["-static", "-nostdlib"]);
    assert_not_followed(&bare);
    let linker =
        format!("-Wl,--dynamic-linker={}", another_dynamic_linker(folder.path()).display());
    assert_not_followed(&compile(folder.path(), "other", source, &[&linker]));
    if geteuid().is_root() {
        let program = compile(folder.path(), "gains", source, &[]);
        std::os::unix::fs::chown(&program, Some(65534), None).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o4755)).unwrap();
        assert_not_followed(&program);
    }
}

/// The report names the images.
#[test]
fn the_report_says_which_program_is_shown() {
    let (profile, _) = record(Path::new("/usr/bin/env"), &["ls", "/"]);
    let all = profile.0["warnings"].as_array().unwrap();
    let says = |part: &str| {
        all.iter().any(|it| it["message"].as_str().is_some_and(|text| text.contains(part)))
    };
    assert!(says("/ls in its place; what it did before is not shown"), "{all:?}");
}
