//! The processes that a program makes, in every way that there is: each has a profile of its own, or is named and runs
//! untouched.
//!
//! Deliberately absent: programs that are executed in a process's place, which exec.rs looks at.

mod support;

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::profile::Profile;
use support::{BARE, Outcome, compile, memscope};

/// A run with all its profiles.
struct Family {
    outcome: Outcome,
    program: Profile,
    /// With the names of their files.
    children: Vec<(String, Profile)>,
}

impl Family {
    /// Runs a command to its end and reads what was kept.
    fn of<S: AsRef<std::ffi::OsStr>>(options: &[&str], command: &[S]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let kept = folder.path().join("x.memscope");
        let mut run = memscope();
        run.args(["run", "--quiet", "-o"]).arg(&kept).args(options).arg("--").args(command);
        let outcome = Outcome::of(&mut run);
        let read = |path: &Path| {
            let json = folder.path().join("profile.json");
            let report = Outcome::of(memscope().arg("report").arg(path).arg("--json").arg(&json));
            assert_eq!(report.code(), 0, "{report:?}");
            Profile::read(&json)
        };
        let mut names: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "x.memscope")
            .collect();
        names.sort();
        let children =
            names.into_iter().map(|name| (name.clone(), read(&folder.path().join(name))));
        let children = children.collect();
        Self { program: read(&kept), outcome, children }
    }

    fn processes(&self) -> &[Value] {
        self.program.0["processes"].as_array().unwrap()
    }

    /// The process whose command holds this word.
    #[track_caller]
    fn process(&self, word: &str) -> &Value {
        let has = |it: &&Value| it["command"].as_array().unwrap().iter().any(|it| it == word);
        let found = self.processes().iter().find(has);
        found.unwrap_or_else(|| panic!("no {word} in {:#?}", self.processes()))
    }

    /// The profile of the process with this id.
    #[track_caller]
    fn profile(&self, pid: &Value) -> &Profile {
        let found = self.children.iter().find(|(_, profile)| &profile.0["run"]["pid"] == pid);
        &found.unwrap_or_else(|| panic!("no profile of {pid}")).1
    }
}

fn program(folder: &Path, name: &str, source: &str) -> PathBuf {
    compile(folder, name, source, &["-g", "-O1", "-fno-builtin", "-pthread"])
}

/// In three ways. What the child has of its parent is said, to the block; it is nowhere else, and freeing it is nothing
/// unknown.
#[test]
fn a_child_of_fork_has_a_profile_of_its_own_and_says_what_it_inherited() {
    let folder = tempfile::tempdir().unwrap();
    let source = r#"
        #define _GNU_SOURCE
        #include <pthread.h>
        #include <signal.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <sys/syscall.h>
        #include <sys/wait.h>
        #include <unistd.h>
        static void *kept[100];
        __attribute__((noinline)) static void by_parent(void) {
            for (int i = 0; i < 100; i++) kept[i] = malloc(1000);
        }
        __attribute__((noinline)) static void by_child(void) {
            for (int i = 0; i < 30; i++) free(kept[i]);
            kept[30] = realloc(kept[30], 2000);
            for (int i = 0; i < 7; i++) kept[i] = malloc(50);
        }
        static void *in_thread(void *none) {
            free(malloc(17));
            return none;
        }
        static pid_t make(const char *way) {
            if (!strcmp(way, "fork")) return fork();
            if (!strcmp(way, "_Fork")) return _Fork();
            return (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
        }
        static void *work(void *way) {
            int status = 0;
            pid_t child = make(way);
            if (child == 0) {
                pthread_t thread;
                by_child();
                pthread_create(&thread, NULL, in_thread, NULL);
                pthread_join(thread, NULL);
                _exit(7);
            }
            if (waitpid(child, &status, 0) != child || WEXITSTATUS(status) != 7) exit(1);
            return NULL;
        }
        int main(int argc, char **argv) {
            pthread_t thread;
            by_parent();
            if (argc < 3) { work(argv[1]); return 0; }
            if (pthread_create(&thread, NULL, work, argv[1])) return 2;
            pthread_join(thread, NULL);
            return 0;
        }
    "#;
    let program = program(folder.path(), "forks", source);
    let program = program.to_str().unwrap();
    for way in ["fork", "_Fork", "clone"] {
        for more in [&[][..], &["thread"]] {
            let family = Family::of(&[], &[&[program, way][..], more].concat());
            assert_eq!(family.outcome.code(), 0, "{way} {:?}", family.outcome);
            assert_eq!(family.processes().len(), 2, "{way}");
            let [(name, child)] = &family.children[..] else { panic!("{way}: not one child") };
            assert!(name.starts_with("x.") && name.ends_with("-forks.memscope"), "{name}");
            child.assert_complete();
            family.program.assert_complete();
            assert_eq!(child.counts("by_parent", "forks.c"), [0; 4], "{way}");
            // The old half of the realloc is the parent's.
            assert_eq!(child.counts("by_child", "forks.c"), [8, 2350, 0, 0], "{way}");
            assert_eq!(child.counts("in_thread", "forks.c"), [1, 17, 1, 17], "{way}");
            assert_eq!(child.number("completeness", "foreign_stacks"), 0, "{way}");
            assert_eq!(child.number("completeness", "unknown_frees"), 0, "{way}");
            assert_eq!(family.program.counts("by_child", "forks.c"), [0; 4], "{way}");
            let inherited = &child.0["run"]["inherited"];
            assert_eq!(inherited["from"], family.program.0["run"]["pid"], "{way}");
            assert!(inherited["frees"].as_u64().unwrap() >= 31, "{inherited}");
            let held = family.program.counts("by_parent", "forks.c");
            assert_eq!(held[0], 100);
            if way == "clone" {
                assert!(inherited["blocks"].is_null(), "{inherited}");
            } else if more.is_empty() {
                // All that the parent had at any time, since it frees nothing.
                assert_eq!(inherited["blocks"], family.program.number("totals", "allocations"));
                assert_eq!(inherited["bytes"], family.program.number("totals", "allocated_bytes"));
                assert_eq!(inherited["doubtful_events"], 0, "{inherited}");
            }
        }
    }
}

/// Whatever the other threads are doing: parent and children lose nothing and mix nothing.
#[test]
fn forks_while_other_threads_allocate() {
    let folder = tempfile::tempdir().unwrap();
    let source = r#"
        #include <pthread.h>
        #include <stdlib.h>
        #include <sys/wait.h>
        #include <unistd.h>
        static volatile int over;
        __attribute__((noinline)) static void by_others(void) { free(malloc(40)); }
        __attribute__((noinline)) static void by_child(void) { free(malloc(50)); }
        static void *work(void *none) {
            while (!over) by_others();
            return none;
        }
        int main(void) {
            pthread_t threads[3];
            int status, good = 0;
            for (int i = 0; i < 3; i++) pthread_create(&threads[i], NULL, work, NULL);
            for (int i = 0; i < 8; i++) {
                pid_t child = fork();
                if (child == 0) {
                    for (int j = 0; j < 1000; j++) by_child();
                    _exit(3);
                }
                good += waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 3;
            }
            over = 1;
            for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
            return good != 8;
        }
    "#;
    let family = Family::of(&[], &[program(folder.path(), "busy", source)]);
    assert_eq!(family.outcome.code(), 0, "{:?}", family.outcome);
    family.program.assert_complete();
    assert_eq!(family.children.len(), 8);
    for (name, child) in &family.children {
        child.assert_complete();
        assert_eq!(child.counts("by_child", "busy.c"), [1000, 50_000, 1000, 50_000], "{name}");
        assert_eq!(child.counts("by_others", "busy.c"), [0; 4], "{name}");
    }
    assert_eq!(family.program.counts("by_child", "busy.c"), [0; 4]);
}

/// A program that makes children with programs of their own, in every way. (MEMSCOPE_CACHE is what this test gave it, so it is
/// the program's own.)
const RUNS: &str = r#"
    #define _GNU_SOURCE
    #include <spawn.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    #include <sys/wait.h>
    #include <unistd.h>
    extern char **environ;
    static char *command(const char *word) {
        char *text;
        if (asprintf(&text, "env | grep -E '^(LD_PRELOAD|MEMSCOPE_[^C]|MEMSCOPE_C[^A])'; ls -l /proc/self/fd | grep memscope;"
            " : %s; echo \"$THEIRS\"", word) < 0) abort();
        return text;
    }
    int main(void) {
        int status;
        pid_t pid;
        for (char **entry = environ; *entry; entry++)
            if (!strncmp(*entry, "LD_PRELOAD", 10) || (!strncmp(*entry, "MEMSCOPE_", 9) && strncmp(*entry, "MEMSCOPE_CACHE=", 15))) return 2;
        setenv("THEIRS", "as it should be", 1);
        char **before = environ;
        if (fork() == 0) execlp("sh", "sh", "-c", command("forked"), "forked", NULL);
        wait(&status);
        char *vforked[] = {"sh", "-c", command("vforked"), "vforked", NULL};
        if (vfork() == 0) { execvp("sh", vforked); _exit(1); }
        wait(&status);
        char *spawned[] = {"sh", "-c", command("spawned"), "spawned", NULL};
        if (posix_spawnp(&pid, "sh", NULL, NULL, spawned, environ)) return 3;
        wait(&status);
        fflush(stdout);
        status = system(command("by-system"));
        if (environ != before || getenv("LD_PRELOAD")) return 4;
        FILE *stream = popen(command("by-popen"), "r");
        for (int c; (c = fgetc(stream)) != EOF;) putchar(c);
        if (environ != before || getenv("LD_PRELOAD")) return 5;
        return pclose(stream) | status;
    }
"#;

#[test]
fn programs_that_the_program_runs_are_followed_and_do_not_notice() {
    let folder = tempfile::tempdir().unwrap();
    let family = Family::of(&[], &[program(folder.path(), "runs", RUNS)]);
    assert_eq!(family.outcome.code(), 0, "{:?}", family.outcome);
    assert_eq!(family.outcome.stdout, "as it should be\n".repeat(5));
    assert_eq!(family.outcome.stderr, "");
    family.program.assert_complete();
    assert_eq!(family.program.number("run", "unfollowed_children"), 0);
    let shells = family.processes().iter().filter(|it| it["parent"] == 0);
    let mut shells: Vec<_> = shells.collect();
    assert_eq!(shells.len(), 5, "{:#?}", family.processes());
    for word in ["forked", "vforked", "spawned"] {
        assert_eq!(family.process(word)["parent"], 0);
    }
    // The shells' own children are the shells'.
    shells.retain(|shell| {
        let place = family.processes().iter().position(|it| it == *shell).unwrap();
        family.processes().iter().filter(|it| it["parent"] == place).count() == 4
    });
    assert_eq!(shells.len(), 5, "{:#?}", family.processes());
    for process in family.processes() {
        assert_eq!(process["attempts"], process["successes"], "{process}");
        assert_eq!(process["unfollowed_children"], 0, "{process}");
        assert!(process["allocations"].as_u64().unwrap() > 0, "{process}");
    }
}

#[test]
fn children_that_nobody_wants_are_left_alone_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let runs = program(folder.path(), "runs", RUNS);
    let family = Family::of(&["--children", "none"], &[&runs]);
    assert_eq!(family.outcome.stdout, "as it should be\n".repeat(5), "{:?}", family.outcome);
    assert!(family.children.is_empty() && family.processes().is_empty());
    assert_eq!(family.program.number("run", "unfollowed_children"), 5);

    let family = Family::of(&["--children", "gre?,e*v"], &[&runs]);
    assert_eq!(family.program.number("run", "unfollowed_children"), 0);
    assert_eq!(family.children.len(), 15, "{:#?}", family.processes());
    for (name, _) in &family.children {
        assert!(name.ends_with("-grep.memscope") || name.ends_with("-env.memscope"), "{name}");
    }
}

/// A program with the C library musl, as its own compiler builds it; `None` where there is none.
fn musl(folder: &Path, name: &str, options: &[&str]) -> Option<PathBuf> {
    let code = folder.join("musl.c");
    let program = folder.join(name);
    let source = "#include <stdlib.h>\nint main(void) { free(malloc(10)); return 7; }";
    fs::write(&code, source).unwrap();
    let mut compiler = Command::new("musl-gcc");
    let built = compiler.args(options).arg("-o").arg(&program).arg(&code).status().ok()?;
    assert!(built.success());
    Some(program)
}

/// Static, with 32 bits, with another C library, and of another user's rights.
#[test]
fn what_cannot_be_followed_runs_untouched_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let build = |name: &str, options: &[&str]| compile(folder.path(), name, BARE, options);
    let mut programs = vec![
        (build("static", &["-nostdlib", "-static"]), "statically linked"),
        (build("short", &["-nostdlib", "-static", "-m32", "-Wl,--build-id=none"]), "32-bit"),
    ];
    let built = musl(folder.path(), "musl", &[]).map(|it| (it, "uses the C library musl"));
    programs.extend(built);
    let built = musl(folder.path(), "musl-static", &["-static"]).map(|it| (it, "statically"));
    programs.extend(built);
    if rustix::process::geteuid().is_root() {
        let gains = folder.path().join("gains");
        fs::copy("/bin/true", &gains).unwrap();
        std::os::unix::fs::chown(&gains, Some(65534), None).unwrap();
        fs::set_permissions(&gains, std::os::unix::fs::PermissionsExt::from_mode(0o4755)).unwrap();
        programs.push((gains, "set-user-id"));
    }
    // Started by the shell (fork), by Rust (posix_spawn or fork), and by env in its place.
    for (path, why) in programs {
        let path = path.to_str().unwrap();
        let script = format!("{path}; echo $?; env -u NOTHING {path}; echo $?");
        // A kernel without 32-bit programs says so.
        let bare = Outcome::of(Command::new("sh").args(["-c", &script]));
        let family = Family::of(&[], &["sh", "-c", &script]);
        assert_eq!(family.outcome.stdout, bare.stdout, "{path}");
        assert_eq!(family.outcome.stderr, bare.stderr, "{path}");
        let first = family.processes().iter().find(|it| it["replaced_by"] == path);
        assert!(first.is_some(), "{:#?}", family.processes());
        let mut wide = memscope();
        wide.env("COLUMNS", "500").args(["run", "--", "sh", "-c", &script]);
        let outcome = Outcome::of(&mut wide);
        assert!(outcome.stderr.contains(&format!("then {path}, not followed")), "{outcome:?}");

        let source = format!(
            r#"
            #include <spawn.h>
            #include <stdlib.h>
            #include <sys/wait.h>
            #include <unistd.h>
            extern char **environ;
            static char *command[] = {{"{path}", NULL}};
            int main(void) {{
                pid_t pid;
                free(malloc(1));
                if (vfork() == 0) {{ execv(command[0], command); _exit(1); }}
                wait(NULL);
                if (posix_spawn(&pid, command[0], NULL, NULL, command, environ) == 0) wait(NULL);
                return 0;
            }}
            "#
        );
        let family = Family::of(&[], &[program(folder.path(), "starts", &source)]);
        let named = family.processes().iter().filter(|it| {
            it["exe"] == path && it["unfollowed"].as_str().is_some_and(|it| it.contains(why))
        });
        assert!(named.count() >= 1, "{:#?}", family.processes());
        assert!(family.program.number("run", "unfollowed_children") >= 1);
        family.program.assert_complete();
    }
}

#[test]
fn a_thread_s_many_children_by_vfork_leave_no_memory_behind() {
    let folder = tempfile::tempdir().unwrap();
    let source = r#"
        #define _GNU_SOURCE
        #include <stdio.h>
        #include <stdlib.h>
        #include <sys/wait.h>
        #include <unistd.h>
        static int mappings(void) {
            int lines = 0;
            FILE *maps = fopen("/proc/self/maps", "r");
            for (int c; (c = fgetc(maps)) != EOF;) lines += c == '\n';
            fclose(maps);
            return lines;
        }
        static void make(int times) {
            for (int i = 0; i < times; i++) {
                if (vfork() == 0) { execlp("true", "true", NULL); _exit(1); }
                wait(NULL);
            }
        }
        int main(void) {
            make(2);
            int before = mappings();
            make(50);
            return mappings() - before > 3;
        }
    "#;
    let family = Family::of(&["--children", "nothing"], &[program(folder.path(), "many", source)]);
    assert_eq!(family.outcome.code(), 0, "{:?}", family.outcome);
    assert_eq!(family.processes().len(), 53);
}

#[test]
fn make_and_its_compilers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(path.join("a.c"), "int a(void) { return 1; }\n").unwrap();
    fs::write(path.join("main.c"), "int a(void); int main(void) { return a() - 1; }\n").unwrap();
    let rules = "prog: a.o main.o\n\tcc -o prog a.o main.o\n%.o: %.c\n\tcc -g -c -o $@ $<\n";
    fs::write(path.join("Makefile"), rules).unwrap();
    let folder = path.to_str().unwrap();
    let family = Family::of(&["--children", "cc1"], &["make", "-j2", "-C", folder, "-s"]);
    assert_eq!(family.outcome.code(), 0, "{:?}", family.outcome);
    assert!(Command::new(path.join("prog")).status().unwrap().success());
    assert_eq!(family.children.len(), 2, "{:#?}", family.processes());
    for (name, compiler) in &family.children {
        assert!(name.contains("-cc1"), "{name}");
        assert!(compiler.number("totals", "peak_bytes") > 1 << 20, "{name}");
    }
    for process in family.processes() {
        assert_eq!(process["attempts"], process["successes"], "{process}");
    }
    assert_eq!(family.program.number("run", "unfollowed_children"), 0);
}

#[test]
fn python_s_processes() {
    let code = r#"
import multiprocessing, subprocess, sys, os
def work(n):
    kept = bytearray(3_000_017 + n)
    return len(kept)
if __name__ == "__main__":
    for way in ("fork", "spawn", "forkserver"):
        context = multiprocessing.get_context(way)
        with context.Pool(2) as pool:
            print(way, pool.map(work, [1, 2, 3]))
    print(subprocess.run([sys.executable, "-c", "print('sub')"], capture_output=True).stdout)
    print(subprocess.run("echo shell; exit 3", shell=True, preexec_fn=os.setsid).returncode)
    print(os.popen("echo popen").read(), os.system("exit 4"))
"#;
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("work.py");
    fs::write(&script, code).unwrap();
    let script = script.to_str().unwrap();
    let command = ["/usr/bin/python3", script];
    if !Path::new(command[0]).exists() {
        return;
    }
    let bare = Outcome::of(Command::new(command[0]).arg(script));
    let family = Family::of(&[], &command);
    assert_eq!((family.outcome.code(), bare.code()), (0, 0), "{:?} {bare:?}", family.outcome);
    assert_eq!(family.outcome.stdout, bare.stdout);
    assert_eq!(family.outcome.stderr, bare.stderr);
    let workers =
        family.children.iter().filter(|(_, it)| it.number("totals", "peak_bytes") > 3_000_017);
    assert!(workers.count() >= 3, "{:#?}", family.processes());
    // By then it has threads, and so the shell of os.system is left alone.
    let unfollowed: Vec<_> =
        family.processes().iter().filter(|it| it["unfollowed"].is_string()).collect();
    assert_eq!((unfollowed.len(), &unfollowed[0]["exe"]), (1, &"/bin/sh".into()));
    for (place, process) in family.processes().iter().enumerate() {
        // A pool ends its workers by SIGTERM, which may meet one in the middle of an event.
        let open = process["attempts"].as_u64().unwrap() - process["successes"].as_u64().unwrap();
        assert!(open <= u64::from(place != 0), "{process}");
        // It may meet one before its start is heard of, too: at most an idle one of each of two pools (the fork server's
        // are not ours). Who has no children lacks none.
        let unfollowed = process["unfollowed_children"].as_u64().unwrap();
        let most = if place == 0 { 3 } else { 0 };
        assert!((u64::from(place == 0)..=most).contains(&unfollowed), "{process}");
    }
    let forked = family.processes().iter().find(|it| it["parent"] == 0).unwrap();
    assert!(!family.profile(&forked["pid"]).0["run"]["inherited"]["from"].is_null());
}

/// Bare, control is given back when the program ends. So it is here, and what goes on is said; `--wait` waits for it.
#[test]
fn a_program_that_goes_on_in_the_background() {
    let script = "(sleep 1; printf late) > $0 & echo started";
    for (option, is_waited_for) in [("--quiet", false), ("--wait", true)] {
        let folder = tempfile::tempdir().unwrap();
        let late = folder.path().join("late");
        let mut command = memscope();
        command.args(["run", option, "--json", "-", "--", "sh", "-c", script]).arg(&late);
        let outcome = Outcome::of(&mut command);
        let (first, json) = outcome.stdout.split_once('\n').unwrap();
        assert_eq!(first, "started");
        let profile: Value = serde_json::from_str(json).unwrap();
        let ends: Vec<_> = profile["processes"].as_array().unwrap()[1..]
            .iter()
            .map(|it| it["end"]["how"].as_str().unwrap())
            .collect();
        assert_eq!(ends.contains(&"running"), !is_waited_for, "{ends:?}");
        let written = support::wait_for("the background process to end", || {
            fs::read_to_string(&late).ok().filter(|text| !text.is_empty() || is_waited_for)
        });
        assert_eq!(written, "late");
    }
}
