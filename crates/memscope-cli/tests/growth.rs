//! What reallocs cost, on programs whose reallocs are known: what was copied, moved with its pages, given back, outgrown.

mod support;

use serde_json::Value;
use support::compile;
use support::profile::{record, record_as, sum};

/// Grows blocks so that it is known which move: `fence` keeps a block from growing where it is. The program itself counts,
/// by the addresses, and prints what it did: growths, copied, remapped, shrinks, given back, last block.
const PROGRAM: &str = r#"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
static uint64_t growths, copied, remapped, shrinks, given_back;
static void *volatile fences[1000];
static int fence;
__attribute__((noinline)) static void *resize(void *block, size_t old, size_t size) {
    uintptr_t before = (uintptr_t)block;
    void *volatile moved = realloc(block, size);
    if (before && size > old) growths++;
    if (before && size < old) { shrinks++; given_back += old - size; }
    if (before && (uintptr_t)moved != before) {
        if (old >= 200000 && size >= 200000) remapped += old; else copied += old < size ? old : size;
    }
    return moved;
}
__attribute__((noinline)) static void *first(size_t size) {
    void *volatile block = malloc(size);
    return block;
}
int main(void) {
    for (int round = 0; round < 3; round++) {
        void *block = first(48);
        size_t size = 48;
        while (size < 48 << 9) {
            fences[fence++] = malloc(32);
            block = resize(block, size, size * 2);
            size *= 2;
        }
        block = resize(block, size, 1000);
        block = resize(block, 1000, 1000);
        fences[fence++] = block;
    }
    void *large = resize(NULL, 0, 1 << 20);
    void *volatile wall = malloc(1 << 20);
    large = resize(large, 1 << 20, 8 << 20);
    fences[fence++] = large;
    fences[fence++] = wall;
    printf("%lu %lu %lu %lu %lu\n", growths, copied, remapped, shrinks, given_back);
    return 0;
}
"#;

const NAMES: [&str; 5] =
    ["growths", "copied_bytes", "remapped_bytes", "shrinks", "given_back_bytes"];

fn growth(value: &Value) -> [u64; 5] {
    NAMES.map(|name| value[name].as_u64().unwrap_or_else(|| panic!("{name} of {value}")))
}

#[test]
fn what_reallocs_cost_is_what_the_program_saw() {
    let folder = tempfile::tempdir().unwrap();
    let program = compile(folder.path(), "grow", PROGRAM, &["-g", "-O1", "-fno-builtin"]);
    let (profile, outcome) = record(&program, &[]);
    profile.assert_complete();
    let counted: Vec<u64> =
        outcome.stdout.split_whitespace().map(|number| number.parse().unwrap()).collect();
    assert_eq!(&growth(&profile.0["totals"]["growth"])[..], &counted[..]);
    // 9 doublings in each of three rounds, and one of the large block, which moves with its pages.
    assert_eq!((counted[0], counted[2]), (28, 1 << 20));
    assert!(counted[1] > 0 && counted[4] == 3 * ((48 << 9) - 1000), "{counted:?}");

    let all = |sites: &[&Value], name: &str| -> u64 {
        sites.iter().filter_map(|site| site["growth"][name].as_u64()).sum()
    };
    let firsts = profile.sites("first", "grow.c");
    assert_eq!((all(&firsts, "outgrown_blocks"), all(&firsts, "outgrown_bytes")), (3, 144));
    assert_eq!(all(&firsts, "growths"), 0);
    let resized = profile.sites("resize", "grow.c");
    assert_eq!(all(&resized, "growths"), 28);
    // All but the last of each round, and the large one.
    assert_eq!(all(&resized, "outgrown_blocks"), 3 * 8 + 1);
    assert_eq!(sum(&resized, "allocations"), 3 * 11 + 2);
}

#[test]
fn what_is_not_known_is_not_said() {
    let folder = tempfile::tempdir().unwrap();
    let program = compile(folder.path(), "grow", PROGRAM, &["-g", "-O1", "-fno-builtin"]);
    for mode in ["sampled", "counting"] {
        let (profile, _) = record_as(&["--mode", mode], &program, &[]);
        assert_eq!(profile.0["totals"]["growth"], Value::Null, "{mode}");
    }
}
