//! A program that runs under `memscope run` and is looked at from another terminal meanwhile: shown, kept, marked, kept
//! again and again.
//!
//! Deliberately absent: times. The program waits until it is told to go on.

mod support;

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use support::profile::{Profile, sum};
use support::{Outcome, Running, compile, memscope, start, wait_for};

/// Allocates 10 blocks of 100 bytes, then 20 of 1000 when the file `go` is there, and ends when `end` is there. Says how far
/// it is by files.
const STEPS: &str = r#"
    #include <fcntl.h>
    #include <stdlib.h>
    #include <unistd.h>
    static void *kept[30];
    __attribute__((noinline)) static void first(void) {
        for (int i = 0; i < 10; i++) kept[i] = malloc(100);
    }
    __attribute__((noinline)) static void second(void) {
        for (int i = 10; i < 30; i++) kept[i] = malloc(1000);
    }
    static void say(const char *name) { close(open(name, O_CREAT | O_WRONLY, 0600)); }
    static void await(const char *name) { while (access(name, F_OK)) usleep(2000); }
    int main(int argc, char **argv) {
        if (argc < 2 || chdir(argv[1])) return 2;
        first();
        say("one");
        await("go");
        second();
        say("two");
        await("end");
        return 5;
    }
"#;

/// The program in a folder, being run.
struct Steps {
    folder: tempfile::TempDir,
    running: Running,
}

impl Steps {
    fn start(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options_of_c = ["-g", "-O1", "-fno-builtin"];
        let program = compile(folder.path(), "steps", STEPS, &options_of_c);
        let mut command = memscope();
        command.current_dir(folder.path()).args(["run", "--json", "last.json"]).args(options);
        command.arg("--").arg(program).arg(folder.path());
        let running = start(&mut command);
        let steps = Self { folder, running };
        steps.await_file("one");
        steps
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn await_file(&self, name: &str) {
        wait_for(name, || self.path(name).exists().then_some(()));
    }

    fn say(&self, name: &str) {
        fs::write(self.path(name), "").unwrap();
    }

    /// The supervisor's process id, which stands for the program's.
    fn supervisor(&self) -> String {
        self.running.child.id().to_string()
    }

    fn memscope(&self, arguments: &[&str]) -> Outcome {
        Outcome::of(memscope().current_dir(self.folder.path()).args(arguments))
    }

    /// Lets the program end; gives how memscope did, and the last profile.
    fn end(self) -> (Outcome, Profile) {
        self.say("go");
        self.say("end");
        let outcome = self.running.end();
        assert_eq!(outcome.code(), 5, "{outcome:?}");
        (outcome, Profile::read(&self.folder.path().join("last.json")))
    }
}

fn counts(profile: &Profile, function: &str) -> [u64; 2] {
    let sites = profile.sites(function, "steps.c");
    ["allocations", "allocated_bytes"].map(|name| sum(&sites, name))
}

#[test]
fn a_running_program_is_shown_kept_and_marked() {
    let steps = Steps::start(&[]);
    let id = steps.supervisor();
    let json = |arguments: &[&str]| {
        let outcome = steps.memscope(arguments);
        assert_eq!(outcome.code(), 0, "{outcome:?}");
        Profile(serde_json::from_str(&outcome.stdout).unwrap())
    };
    let profile = json(&["report", &id, "--json"]);
    assert_eq!(profile.0["run"]["end"]["how"], "running");
    assert_eq!((counts(&profile, "first"), counts(&profile, "second")), ([10, 1000], [0, 0]));
    // By the program's own id as well.
    let pid = profile.number("run", "pid").to_string();
    assert_ne!(pid, id);
    assert_eq!(steps.memscope(&["mark", &pid, "after warm-up"]).code(), 0);
    steps.say("go");
    steps.await_file("two");
    let saved = steps.memscope(&["save", &pid]);
    assert_eq!((saved.code(), saved.stdout), (0, format!("{pid}.memscope\n")));
    let file = steps.path(&format!("{pid}.memscope"));
    assert_eq!(std::os::unix::fs::MetadataExt::mode(&fs::metadata(&file).unwrap()) & 0o777, 0o600);
    let profile = json(&["report", file.to_str().unwrap(), "--json"]);
    assert_eq!(counts(&profile, "second"), [20, 20_000]);
    let shown = steps.memscope(&["report", &pid]);
    assert!(shown.stdout.contains("still running") && shown.stdout.contains("\"after warm-up\""));

    let (_, last) = steps.end();
    let [mark] = &last.0["marks"].as_array().unwrap()[..] else { panic!("not one mark") };
    assert_eq!(mark["text"], "after warm-up");
    let at_mark = mark["live_bytes"].as_u64().unwrap();
    assert!((1000..20_000).contains(&at_mark), "{mark}");
    last.assert_complete();
}

#[test]
fn recording_waits_for_a_mark() {
    let steps = Steps::start(&["--wait-for-mark"]);
    let id = steps.supervisor();
    let marked = steps.memscope(&["mark", &id, "now"]);
    assert_eq!(marked.code(), 0, "{marked:?}");
    let (outcome, last) = steps.end();
    assert_eq!((counts(&last, "first"), counts(&last, "second")), ([0, 0], [20, 20_000]));
    assert!(outcome.stderr.contains("Recording began with the mark \"now\""), "{outcome:?}");
    last.assert_complete();

    let (outcome, last) = Steps::start(&["--wait-for-mark"]).end();
    assert_eq!(last.number("totals", "allocations"), 0);
    assert!(outcome.stderr.contains("and there was none"), "{outcome:?}");
}

#[test]
fn a_profile_is_saved_again_and_again() {
    let steps = Steps::start(&["-o", "x.memscope", "--every", "200ms"]);
    let read = |steps: &Steps| {
        let outcome = steps.memscope(&["report", "x.memscope", "--json"]);
        (outcome.status.code() == Some(0))
            .then(|| Profile(serde_json::from_str(&outcome.stdout).unwrap()))
    };
    let first = wait_for("the first", || read(&steps));
    assert_eq!(
        (counts(&first, "first"), &first.0["run"]["end"]["how"]),
        ([10, 1000], &"running".into())
    );
    steps.say("go");
    wait_for("the next", || read(&steps).filter(|it| counts(it, "second") == [20, 20_000]));
    let (_, last) = steps.end();
    assert_eq!(counts(&last, "second"), [20, 20_000]);
}

#[test]
fn who_is_not_recorded_or_not_asked_properly_is_said() {
    let refused = |arguments: &[&str], code, sentence: &str| {
        Outcome::of(memscope().args(arguments)).assert_refused(code, sentence);
    };
    let own = std::process::id().to_string();
    refused(&["report", &own], 1, &format!("records a process {own} that runs now"));
    refused(&["mark", &own, "x"], 1, "records a process");
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("x");
    refused(&["save", &own, "-o", output.to_str().unwrap()], 1, "records a process");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    for arguments in [["run", "--every", "5x"], ["run", "--every", "5s"]] {
        let outcome = Outcome::of(memscope().args(arguments).args(["--", "true"]));
        assert_eq!(outcome.code(), 125, "{outcome:?}");
    }
}

/// Another user may neither read a profile nor note a moment.
#[test]
fn other_users_are_not_answered() {
    if !rustix::process::geteuid().is_root() || !Path::new("/usr/bin/setpriv").exists() {
        return;
    }
    let steps = Steps::start(&[]);
    // Root is always answered, so the one who runs it must be the other.
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("memscope");
    fs::copy(env!("CARGO_BIN_EXE_memscope"), &copy).unwrap();
    for path in [folder.path(), &copy] {
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    let mut stranger = std::process::Command::new("/usr/bin/setpriv");
    stranger.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(copy);
    let outcome = Outcome::of(stranger.args(["mark", &steps.supervisor(), "stranger"]));
    assert_eq!(outcome.code(), 1, "{outcome:?}");
    let (_, last) = steps.end();
    assert_eq!(last.0["marks"], Value::Array(Vec::new()));
}

#[test]
fn arguments_are_left_out_if_that_is_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("x.json");
    let script = "/bin/echo secret >/dev/null; true";
    let mut command = memscope();
    command.args(["run", "--no-args", "--json"]).arg(&json);
    let outcome = Outcome::of(command.args(["--", "sh", "-c", script]));
    assert_eq!(outcome.code(), 0, "{outcome:?}");
    let text = fs::read_to_string(&json).unwrap();
    assert!(!text.contains("secret") && !outcome.stderr.contains("secret"), "{outcome:?}");
    assert!(text.contains("/bin/echo"), "{text}");
}

/// The debug information of a stripped program, taken from where the user says.
#[test]
fn debug_files_are_found_where_the_user_says() {
    let folder = tempfile::tempdir().unwrap();
    let source = "#include <stdlib.h>\nstatic void *take(void) { return malloc(77); }\nint main(void) { free(take()); return 0; }";
    let options = ["-g", "-O0", "-Wl,--build-id=0x1234567890abcdef"];
    let program = compile(folder.path(), "stripped", source, &options);
    let place = folder.path().join("debug/.build-id/12");
    fs::create_dir_all(&place).unwrap();
    fs::rename(&program, place.join("34567890abcdef.debug")).unwrap();
    let options = ["-s", "-O0", "-Wl,--build-id=0x1234567890abcdef"];
    let program = compile(folder.path(), "stripped", source, &options);
    for (options, names) in [(&[][..], 0), (&["--debug-dir", "debug"], 1)] {
        let mut command = memscope();
        command.current_dir(folder.path()).args(["run", "-q", "--json", "x.json"]).args(options);
        assert_eq!(Outcome::of(command.arg("--").arg(&program)).code(), 0);
        let profile = Profile::read(&folder.path().join("x.json"));
        assert_eq!(profile.sites("take", "stripped.c").len(), names);
    }
}
