//! The numbers of a report agree with each other and with the program: sites, threads and totals are three ways to count
//! the same events, and the peak is made of what was there.
//!
//! Deliberately absent: single functions, which are compared elsewhere.

mod support;

use serde_json::Value;
use support::profile::{Profile, record, sum};
use support::{compile, memscope};
use testprograms::ledger::Truth;
use testprograms::rust_program;

/// Asserts that the parts of a complete profile of a program that ended add up.
#[track_caller]
fn assert_sums(profile: &Profile) {
    let all = |name: &str| -> Vec<&Value> { profile.0[name].as_array().unwrap().iter().collect() };
    let (sites, threads) = (all("sites"), all("threads"));
    for name in ["allocations", "allocated_bytes", "frees", "freed_bytes", "temporary"] {
        let total = profile.number("totals", name);
        assert_eq!(sum(&sites, name), total, "{name} by site");
        assert_eq!(sum(&threads, name), total, "{name} by thread");
    }
    let totals = |name| profile.number("totals", name);
    assert_eq!(totals("live_blocks"), totals("allocations") - totals("frees"));
    assert_eq!(totals("live_bytes"), totals("allocated_bytes") - totals("freed_bytes"));
    assert_eq!(sum(&sites, "live_bytes"), totals("live_bytes"));
    assert_eq!(sum(&sites, "live_blocks"), totals("live_blocks"));
    // Each event is an allocation, a free, or an allocation that failed.
    let completeness = |name| profile.number("completeness", name);
    assert_eq!(sum(&threads, "successes"), completeness("successes"));
    assert_eq!(
        completeness("successes"),
        totals("allocations") + totals("frees") + totals("failed") + completeness("unknown_frees")
    );
    let at_peak = sum(&sites, "peak_bytes");
    let uncertain = completeness("peak_uncertainty_bytes");
    assert!(at_peak.abs_diff(totals("peak_bytes")) <= uncertain, "{at_peak}, {uncertain}");
    if uncertain == 0 {
        assert_eq!(sum(&sites, "peak_blocks"), totals("peak_blocks"));
    }
}

#[test]
fn sites_threads_and_totals_of_one_thread_agree_to_the_byte() {
    let (profile, outcome) = record(&rust_program("counted"), &["0"]);
    profile.assert_complete();
    assert_sums(&profile);
    assert_eq!(profile.number("completeness", "peak_uncertainty_bytes"), 0);
    let truth = Truth::parse(&outcome.stdout);
    assert_eq!(profile.number("totals", "failed"), truth.failed);
    // The peak is the program's blocks and what the runtime held beside them, which sites tell apart.
    let counted: u64 = truth.rows.iter().map(|row| row.peak_bytes).sum();
    let of_counted = truth.rows.iter().map(|row| {
        let sites = profile.sites(&row.function, &row.file);
        sum(&sites, "peak_bytes")
    });
    assert_eq!(of_counted.sum::<u64>(), counted);
    let peak = profile.number("totals", "peak_bytes");
    assert!((counted..counted + (64 << 10)).contains(&peak), "{peak}, {counted}");
}

#[test]
fn sites_threads_and_totals_of_several_threads_agree() {
    for threads in ["1", "6"] {
        let (profile, outcome) = record(&rust_program("counted"), &[threads]);
        profile.assert_complete();
        assert_sums(&profile);
        let truth = Truth::parse(&outcome.stdout);
        let counted: u64 = truth.rows.iter().map(|row| row.peak_bytes).sum();
        let uncertain = profile.number("completeness", "peak_uncertainty_bytes");
        let peak = profile.number("totals", "peak_bytes");
        let runtime = 64 << 10;
        assert!((counted - uncertain..=counted + uncertain + runtime).contains(&peak), "{peak}");
    }
}

/// 20 at a time, so that each thread but the first ones takes over what a dead one left.
#[test]
fn a_thousand_threads_are_counted_each() {
    let folder = tempfile::tempdir().unwrap();
    let source = r#"
        #include <pthread.h>
        #include <stdlib.h>
        static void *handed[1000];
        __attribute__((noinline)) static void *allocate(size_t size) {
            void *block = malloc(size);
            *(volatile char *)block = 1;
            return block;
        }
        static void *work(void *argument) {
            long me = (long)argument;
            for (int i = 0; i < 10; i++) free(allocate(100));
            handed[me] = allocate(1000);
            if (me >= 20) free(handed[me - 20]);
            return NULL;
        }
        int main(void) {
            pthread_t threads[20];
            for (long i = 0; i < 1000; i++) {
                if (i >= 20) pthread_join(threads[i % 20], NULL);
                if (pthread_create(&threads[i % 20], NULL, work, (void *)i)) return 1;
            }
            for (int i = 0; i < 20; i++) pthread_join(threads[i], NULL);
            return 0;
        }
    "#;
    let options = ["-g", "-O1", "-fno-builtin", "-pthread"];
    let program = compile(folder.path(), "thousand", source, &options);
    let (profile, _) = record(&program, &[]);
    profile.assert_complete();
    assert_sums(&profile);
    assert_eq!(
        profile.counts("allocate", "thousand.c"),
        [11_000, 2_000_000, 10_980, 1_000_000 + 980_000]
    );
    assert_eq!(profile.0["threads"].as_array().unwrap().len(), 1001);
    assert_eq!(sum(&profile.sites("allocate", "thousand.c"), "live_bytes"), 20_000);
}

/// The report of the same profile in another form says the same.
#[test]
fn collapsed_stacks_add_up_to_the_totals() {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("counted.memscope");
    let mut command = memscope();
    command.args(["run", "--quiet", "-o"]).arg(&kept).arg("--").arg(rust_program("counted"));
    assert_eq!(support::Outcome::of(command.arg("2")).code(), 0);
    let report = |options: &[&str]| {
        support::Outcome::of(memscope().arg("report").arg(&kept).args(options)).stdout
    };
    let json = Profile(serde_json::from_str(&report(&["--json"])).unwrap());
    assert_sums(&json);
    for (metric, name) in [
        ("allocations", "allocations"),
        ("allocated-bytes", "allocated_bytes"),
        ("live-at-end", "live_bytes"),
    ] {
        let folded = report(&["--folded", "--metric", metric]);
        let values = folded.lines().map(|line| line.rsplit_once(' ').unwrap().1);
        let sum: u64 = values.map(|value| value.parse::<u64>().unwrap()).sum();
        assert_eq!(sum, json.number("totals", name), "{metric}");
    }
}
