//! Programs that strain the recording: signals in the middle of it, and stacks deeper than any that are recorded.
//!
//! Deliberately absent: times. A strained program may take as long as it needs.

mod support;

use std::path::{Path, PathBuf};
use support::profile::{Profile, record, run};
use support::{Outcome, compile};

fn program(folder: &Path, name: &str, source: &str) -> PathBuf {
    compile(folder, name, source, &["-g", "-O1", "-fno-builtin", "-pthread"])
}

/// An allocator that a signal handler may call whatever it interrupted, unlike the C library's: it only ever adds.
const ALLOCATOR: &str = r#"
    #include <stddef.h>
    #include <stdint.h>
    #include <string.h>
    static char space[1 << 29] __attribute__((aligned(64)));
    static size_t used = 64;
    static void *take(size_t size) {
        size_t bytes = (size + 32 + 31) & ~(size_t)31;
        size_t at = __atomic_fetch_add(&used, bytes, __ATOMIC_RELAXED);
        if (at + bytes > sizeof space) return NULL;
        *(size_t *)(space + at) = size;
        return space + at + 32;
    }
    void *malloc(size_t size) { return take(size); }
    void *calloc(size_t count, size_t size) { return take(count * size); }
    void free(void *block) { (void)block; }
    void *realloc(void *block, size_t size) {
        void *new = take(size);
        if (block && new) {
            size_t old = *(size_t *)((char *)block - 32);
            memcpy(new, block, old < size ? old : size);
        }
        return new;
    }
"#;

/// What the program allocates and frees in its main function and in a handler that a timer runs at any moment, also while
/// one of the program's own events is being recorded. Then the handler's are misses; no other is.
#[test]
fn a_handler_that_interrupts_the_recording_disturbs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let options = ["-g", "-O1", "-fno-builtin", "-shared", "-fPIC"];
    let allocator = compile(folder.path(), "allocator.so", ALLOCATOR, &options);
    let source = r#"
        #include <signal.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <sys/time.h>
        static volatile unsigned long by_main, by_handler;
        __attribute__((noinline)) static void in_handler(void) {
            void *block = malloc(50);
            by_handler++;
            free(block);
        }
        static void handle(int signal) {
            (void)signal;
            in_handler();
        }
        __attribute__((noinline)) static int in_main(int depth) {
            void *volatile block = malloc(30);
            by_main++;
            int below = depth ? in_main(depth - 1) : 0;
            free(block);
            return below + 1;
        }
        int main(void) {
            struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
            struct itimerval often = {{0, 50}, {0, 50}}, never = {{0, 0}, {0, 0}};
            sigaction(SIGALRM, &action, NULL);
            setitimer(ITIMER_REAL, &often, NULL);
            while (by_handler < 2000 && by_main < 3000000) in_main(20);
            setitimer(ITIMER_REAL, &never, NULL);
            printf("%lu %lu\n", by_main, by_handler);
            return 0;
        }
    "#;
    let program = program(folder.path(), "interrupted", source);
    let json = folder.path().join("profile.json");
    let outcome = Outcome::of(run(&json, &program, &[]).env("LD_PRELOAD", &allocator));
    assert_eq!(outcome.code(), 0, "{outcome:?}");
    let mut numbers = outcome.stdout.split_whitespace().map(|word| word.parse::<u64>().unwrap());
    let (by_main, by_handler) = (numbers.next().unwrap(), numbers.next().unwrap());

    let profile = Profile::read(&json);
    let in_main = profile.counts("in_main", "interrupted.c");
    assert_eq!(in_main, [by_main, by_main * 30, by_main, by_main * 30]);
    let [allocations, bytes, frees, freed_bytes] = profile.counts("in_handler", "interrupted.c");
    assert_eq!((bytes, frees, freed_bytes), (allocations * 50, allocations, allocations * 50));
    // A handler allocates and frees once, and misses both or none.
    let reentered = profile.0["completeness"]["misses"]["reentered"].as_u64().unwrap();
    assert_eq!(allocations + reentered / 2, by_handler);
    assert!(reentered.is_multiple_of(2) && reentered > 0 && allocations > 0, "{reentered}");
    let completeness = |name| profile.number("completeness", name);
    assert_eq!(completeness("attempts"), completeness("successes") + reentered);
    // The thread was registered once, whatever came in between.
    assert_eq!(profile.0["threads"].as_array().unwrap().len(), 1);
    let misses = profile.0["completeness"]["misses"].as_object().unwrap();
    assert_eq!(misses.values().map(|count| count.as_u64().unwrap()).sum::<u64>(), reentered);
}

/// What is too deep is cut at its outer end and counted as truncated, and stacks after it are whole again.
#[test]
fn a_stack_that_is_too_deep_is_cut_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let source = r#"
        #include <pthread.h>
        #include <stdlib.h>
        __attribute__((noinline)) static void at_the_bottom(void) {
            void *volatile block = malloc(10);
            free(block);
        }
        __attribute__((noinline)) static int deep(int depth) {
            if (depth == 0 || depth == 290000) at_the_bottom();
            int below = depth ? deep(depth - 1) : 0;
            return below + 1;
        }
        __attribute__((noinline)) static void shallow(void) {
            void *volatile block = malloc(20);
            free(block);
        }
        static void *work(void *none) {
            shallow();
            deep(300000);
            shallow();
            return none;
        }
        int main(void) {
            pthread_attr_t attributes;
            pthread_t thread;
            pthread_attr_init(&attributes);
            pthread_attr_setstacksize(&attributes, 100 << 20);
            if (pthread_create(&thread, &attributes, work, NULL)) return 1;
            pthread_join(thread, NULL);
            return 0;
        }
    "#;
    let (profile, _) = record(&program(folder.path(), "abyss", source), &[]);
    assert_eq!(profile.counts("at_the_bottom", "abyss.c"), [2, 20, 2, 20]);
    assert_eq!(profile.counts("shallow", "abyss.c"), [2, 40, 2, 40]);
    assert_eq!(profile.number("completeness", "truncated_stacks"), 1);
    let lengths = profile
        .sites("at_the_bottom", "abyss.c")
        .into_iter()
        .map(|site| (site["stack"].as_array().unwrap().len() > 200_000, site["truncated"] == true));
    let mut lengths: Vec<_> = lengths.collect();
    lengths.sort_unstable();
    assert_eq!(lengths, [(false, false), (true, true)]);
}
