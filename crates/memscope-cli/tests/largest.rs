//! The largest block of a site and of a type, on a program whose blocks are known, in every output that says it.

mod support;

use serde_json::Value;
use support::profile::{Profile, record, record_as};
use support::{Outcome, compile, memscope};

/// Blocks of known sizes, a function for each site. `several` is called by two threads.
const PROGRAM: &str = r#"
#include <pthread.h>
#include <stdlib.h>
#define SITE(name) __attribute__((noinline)) void *name(size_t size) { void *volatile block = malloc(size); return block; }
SITE(small) SITE(alike) SITE(mixed) SITE(lone) SITE(several) SITE(passing)
__attribute__((noinline)) void *grown(void *old, size_t size) { void *volatile block = realloc(old, size); return block; }
static void *thread(void *unused) { several(70001); (void)unused; return NULL; }
int main(void) {
    small(50); small(4095); small(100);
    for (int n = 0; n < 3; n++) alike(100003);
    for (int n = 0; n < 10; n++) mixed(10000 + n);
    mixed(7654321);
    lone(12345677);
    several(500);
    pthread_t id;
    pthread_create(&id, NULL, thread, NULL);
    pthread_join(id, NULL);
    several(600);
    // The largest need not be alive at the peak, nor at the end.
    free(passing(3000)); passing(10);
    void *block = NULL;
    for (size_t size = 64; size <= 4032; size *= 3) block = grown(block, size);
    grown(block, 20);
    return 0;
}
"#;

/// The site's function, the true size of its largest block, and whether the record has it to the byte.
const TRUTH: [(&str, u64, bool); 7] = [
    ("small", 4095, true),
    ("alike", 100_003, true),
    ("mixed", 7_654_321, false),
    ("lone", 12_345_677, true),
    ("several", 70_001, false),
    ("passing", 3000, true),
    ("grown", 1728, true),
];

/// The largest block of all sites in a function.
fn largest(profile: &Profile, function: &str) -> u64 {
    let of_sites = profile.sites(function, "largest.c");
    of_sites.iter().map(|site| site["largest_block_bytes"].as_u64().unwrap_or(0)).max().unwrap_or(0)
}

#[test]
fn the_largest_block_of_each_site_is_the_one_that_the_program_made() {
    let folder = tempfile::tempdir().unwrap();
    let program = compile(folder.path(), "largest", PROGRAM, &["-g", "-O1", "-fno-builtin"]);
    let (profile, _) = record(&program, &[]);
    profile.assert_complete();
    for (function, bytes, is_exact) in TRUTH {
        let said = largest(&profile, function);
        let least = if is_exact { bytes } else { bytes - bytes / 2048 };
        assert!((least..=bytes).contains(&said), "{function}: {said} of {bytes}");
        // Of C the function is what stands for the type.
        let types = profile.0["types"].as_array().unwrap();
        let of_type = types.iter().find(|it| it["name"] == format!("in {function}")).unwrap();
        assert_eq!(of_type["largest_block_bytes"], said, "{function}");
        let mean =
            of_type["allocated_bytes"].as_f64().unwrap() / of_type["allocations"].as_f64().unwrap();
        assert_eq!(of_type["mean_block_bytes"], mean.round() as u64, "{function}");
    }
}

/// A sample is of some blocks only, and says no more than they do; one of many intervals is always in it.
#[test]
fn of_a_sample_no_block_is_said_to_be_larger_than_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let program = compile(folder.path(), "largest", PROGRAM, &["-g", "-O1", "-fno-builtin"]);
    let (profile, _) = record_as(&["--mode", "sampled"], &program, &[]);
    for (function, bytes, _) in TRUTH {
        let said = largest(&profile, function);
        assert!(said <= bytes, "{function}: {said} of {bytes}");
    }
    let said = largest(&profile, "lone");
    assert!(said >= 12_345_677 - 12_345_677 / 2048, "{said}");
    let (counted, _) = record_as(&["--mode", "counting"], &program, &[]);
    assert_eq!(counted.0["sites"], Value::Array(Vec::new()));
}

#[test]
fn every_output_says_it() {
    let folder = tempfile::tempdir().unwrap();
    let program = compile(folder.path(), "largest", PROGRAM, &["-g", "-O1", "-fno-builtin"]);
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let kept = path("kept.memscope");
    let run = Outcome::of(memscope().args(["run", "--quiet", "-o", &kept]).arg(&program));
    assert_eq!(run.code(), 0, "{run:?}");
    let written = |arguments: &[&str]| {
        let mut command = memscope();
        let outcome = Outcome::of(command.args(arguments).env("COLUMNS", "200"));
        assert_eq!(outcome.code(), 0, "{outcome:?}");
        outcome.stdout
    };
    let text = written(&["report", &kept, "--types", "20"]);
    let line =
        text.lines().find(|line| line.contains("in small")).unwrap_or_else(|| panic!("{text}"));
    assert!(text.contains("mean block") && line.contains("4.00 KiB"), "{text}");

    assert!(!text.contains("on a wider page"), "{text}");
    let narrow = Outcome::of(memscope().args(["report", &kept]).env("COLUMNS", "90"));
    assert!(narrow.stdout.contains("on a wider page: largest, allocated"), "{narrow:?}");

    // A report of one type says of what it is, and nothing of the others' blocks.
    let text = written(&["report", &kept, "--type", "in small"]);
    let shown =
        "Only sites of types with \"in small\" in their names are shown, with 4.15 KiB at the peak";
    for sentence in
        [shown, "Of the bytes allocated at the sites that are shown", "; none of it at a site"]
    {
        assert!(text.contains(sentence), "{text}");
    }
    assert!(!text.contains("Of all bytes") && !text.contains("every block was freed"), "{text}");

    let csv = written(&["report", &kept, "--csv"]);
    let mut rows = csv.lines().map(|row| row.split(',').collect::<Vec<_>>());
    let head = rows.next().unwrap();
    let column = |name: &str| head.iter().position(|it| *it == name).unwrap();
    let row = rows.find(|row| row.contains(&"in lone")).unwrap();
    assert_eq!(row[column("largest_block_bytes")], "12345677");
    assert_eq!(row[column("mean_block_bytes")], "12345677");

    let diff: Value = serde_json::from_str(&written(&["diff", &kept, &kept, "--json"])).unwrap();
    let of_type = |name: &str| {
        let types = diff["types"].as_array().unwrap();
        types.iter().find(|it| it["type"] == name).unwrap_or_else(|| panic!("{diff}")).clone()
    };
    assert_eq!(of_type("in small")["largest_block_bytes"]["after"]["mean"], 4095);
    assert_eq!(of_type("in small")["mean_block_bytes"]["before"]["mean"], 1415);
}
