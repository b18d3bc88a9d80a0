//! What happens around a program's own main: allocations before and after it, in signal handlers, on threads that end,
//! and in children that go on in the same program.
//!
//! Deliberately absent: totals of whole programs, which valgrind is the witness of.

mod support;

use std::path::PathBuf;
use std::process::Command;
use support::profile::{Profile, record};
use support::{Outcome, compile};
use testprograms::c_program;

/// Compiles a program in a folder that lasts as long as the test.
fn program(folder: &tempfile::TempDir, name: &str, source: &str) -> PathBuf {
    compile(folder.path(), name, source, &["-g", "-O1", "-fno-builtin", "-pthread"])
}

#[test]
fn allocations_before_main_after_it_and_in_handlers_are_counted() {
    let (profile, _) = record(&c_program("odd.c"), &[]);
    profile.assert_complete();
    // The bytes are those of the source: frames of alloca of 16, 116, … 4916 bytes, and 8 of 500 after jumps.
    let alloca_bytes = (0..50).map(|i| 16 + i * 100).sum::<u64>() + 8 * 500;
    for (function, allocations, bytes) in [
        ("before_main", 1, 111),
        ("after_main", 1, 222),
        ("with_alloca", 58, alloca_bytes),
        ("jump_out", 8, 8 * 40),
        ("on_signal", 10, 10 * 64),
        ("deep", 5000, 50 * 5050),
        ("thread", 5, 5 * 88),
        // The destructor of a thread's value sets it again, and so runs twice.
        ("at_thread_end", 10, 10 * 77),
    ] {
        let counts = profile.counts(function, "odd.c");
        assert_eq!(counts, [allocations, bytes, allocations, bytes], "{function}");
    }
    assert_eq!(profile.sites("deep", "odd.c").len(), 5000);
    // Ten signals on a stack of their own.
    assert_eq!(profile.number("completeness", "foreign_stacks"), 10);
}

/// The library's constructor runs before that of the profiler, and says so: it still finds what only the profiler's
/// takes away.
#[test]
fn allocations_before_any_constructor_of_ours_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let early = r#"
        #include <stdlib.h>
        void *early[10];
        int ran_first;
        __attribute__((constructor)) static void begin_early(void) {
            for (int i = 0; i < 10; i++) early[i] = malloc(321);
            free(early[9]);
            ran_first = getenv("MEMSCOPE_SOCKET") != NULL;
        }
    "#;
    let options = ["-g", "-shared", "-fPIC", "-fno-builtin"];
    let library = compile(folder.path(), "libearly.so", early, &options);
    let source = r#"
        #include <stdlib.h>
        extern int ran_first;
        int main(void) { return ran_first && !getenv("MEMSCOPE_SOCKET") ? 0 : 9; }
    "#;
    let library_path = format!("-Wl,-rpath,{}", folder.path().display());
    // A library given before the source is linked where its symbols are not needed yet, unless it is told to be.
    let options = ["-Wl,--no-as-needed", library.to_str().unwrap(), &library_path];
    let program = compile(folder.path(), "late", source, &options);
    let (profile, _) = record(&program, &[]);
    profile.assert_complete();
    assert_eq!(profile.counts("begin_early", "libearly.so.c"), [10, 3210, 1, 321]);
}

/// Under a limit on file size the region is smaller, and holds the program and its child all the same.
#[test]
fn a_limit_on_file_size_leaves_room_for_a_smaller_region() {
    let folder = tempfile::tempdir().unwrap();
    let source = r#"
        #include <stdlib.h>
        #include <sys/wait.h>
        #include <unistd.h>
        static void take(int count) { while (count--) free(malloc(100)); }
        int main(void) {
            take(1000);
            if (fork() == 0) { take(10); _exit(0); }
            return wait(NULL) < 0;
        }
    "#;
    let program = program(&folder, "limited", source);
    let json = folder.path().join("profile.json");
    // 512 MiB, in blocks of 512 bytes.
    let script = format!(
        "ulimit -f 1048576; exec '{}' run -q --json '{}' -- '{}'",
        env!("CARGO_BIN_EXE_memscope"),
        json.display(),
        program.display()
    );
    let outcome =
        Outcome::of(Command::new("sh").args(["-c", &script]).env("MEMSCOPE_CACHE", "off"));
    assert_eq!((outcome.code(), &*outcome.stderr), (0, ""));
    let profile = Profile::read(&json);
    profile.assert_complete();
    assert_eq!(profile.counts("take", "limited.c"), [1000, 100_000, 1000, 100_000]);
    assert_eq!(profile.0["processes"].as_array().unwrap().len(), 2);
}

/// Three ways to make a child that goes on in the same program: through the C library, past its hooks of fork, and past
/// the C library.
#[test]
fn a_child_of_fork_changes_no_number_of_its_parent() {
    let folder = tempfile::tempdir().unwrap();
    let source = r#"
        #define _GNU_SOURCE
        #include <pthread.h>
        #include <signal.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <sys/syscall.h>
        #include <sys/wait.h>
        #include <unistd.h>
        static void *kept[100];
        __attribute__((noinline)) static void allocate(void) {
            for (int i = 0; i < 100; i++) kept[i] = malloc(1000);
        }
        static void *in_thread(void *none) {
            for (int i = 0; i < 100; i++) free(malloc(17));
            return none;
        }
        /* Allocates, frees and moves blocks of its parent, and starts a thread. */
        static int child(void) {
            pthread_t thread;
            allocate();
            for (int i = 0; i < 50; i++) free(kept[i]);
            for (int i = 50; i < 100; i++) kept[i] = realloc(kept[i], 70000);
            pthread_create(&thread, NULL, in_thread, NULL);
            pthread_join(thread, NULL);
            return 7;
        }
        int main(void) {
            int status, good = 0;
            allocate();
            pid_t forked = fork();
            if (forked == 0) exit(child());
            good += waitpid(forked, &status, 0) == forked && WEXITSTATUS(status) == 7;
            forked = _Fork();
            if (forked == 0) _exit(child());
            good += waitpid(forked, &status, 0) == forked && WEXITSTATUS(status) == 7;
            forked = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
            if (forked == 0) _exit(child());
            good += waitpid(forked, &status, 0) == forked && WEXITSTATUS(status) == 7;
            for (int i = 0; i < 100; i++) free(kept[i]);
            return good == 3 ? 0 : 1;
        }
    "#;
    let (profile, _) = record(&program(&folder, "forks", source), &[]);
    profile.assert_complete();
    // Each child is a process of its own, with what it did itself.
    let children = &profile.0["processes"].as_array().unwrap()[1..];
    for child in children {
        assert_eq!(
            (&child["allocations"], &child["parent"]),
            (&children[0]["allocations"], &0.into())
        );
        assert_eq!(child["attempts"], child["successes"], "{child}");
    }
    assert_eq!(children.len(), 3);
    assert_eq!(profile.counts("allocate", "forks.c"), [100, 100_000, 100, 100_000]);
    assert_eq!(profile.counts("child", "forks.c"), [0; 4]);
    assert_eq!(profile.counts("in_thread", "forks.c"), [0; 4]);
    assert_eq!(profile.0["threads"].as_array().unwrap().len(), 1);
    assert_eq!(profile.number("run", "unfollowed_children"), 0);
}

/// A daemon's habit. What is mapped later is mapped without a descriptor.
#[test]
fn a_program_that_closes_every_descriptor_is_recorded_on() {
    let folder = tempfile::tempdir().unwrap();
    let source = r#"
        #define _GNU_SOURCE
        #include <stdlib.h>
        #include <unistd.h>
        static void *kept[100000];
        __attribute__((noinline)) static void allocate(int depth, int first) {
            for (int i = first; i < first + 1000; i++) kept[i] = malloc(10000);
            if (depth) allocate(depth - 1, first + 1000);
        }
        int main(void) {
            closefrom(0);
            allocate(99, 0);
            for (int i = 0; i < 100000; i++) free(kept[i]);
            return 0;
        }
    "#;
    let (profile, _) = record(&program(&folder, "daemon", source), &[]);
    profile.assert_complete();
    let counts = profile.counts("allocate", "daemon.c");
    assert_eq!(counts, [100_000, 1_000_000_000, 100_000, 1_000_000_000]);
    assert_eq!(profile.number("totals", "peak_bytes"), 1_000_000_000);
}

/// The records of any stretch of addresses need more than the program may map: it runs as if nothing were, and each
/// miss is counted by its cause.
#[test]
fn a_program_that_may_not_map_much_runs_and_its_misses_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let source = r#"
        #include <stdlib.h>
        #include <string.h>
        #include <sys/resource.h>
        static void *kept[500];
        int main(void) {
            struct rlimit limit = {60 << 20, 60 << 20};
            if (setrlimit(RLIMIT_AS, &limit)) return 3;
            for (int i = 0; i < 500; i++) {
                kept[i] = malloc(1000);
                if (!kept[i]) return 4;
                memset(kept[i], i, 1000);
            }
            for (int i = 0; i < 500; i++) free(kept[i]);
            return 0;
        }
    "#;
    let (profile, _) = record(&program(&folder, "narrow", source), &[]);
    assert_eq!(profile.number("completeness", "attempts"), 1000);
    assert_eq!(profile.0["completeness"]["misses"]["records"], 500);
    // A free of a block whose allocation was missed is recorded as what it is.
    assert_eq!(profile.number("completeness", "unknown_frees"), 500);
    assert_eq!(profile.number("completeness", "successes"), 500);
    assert_eq!(profile.number("totals", "allocations"), 0);
}
