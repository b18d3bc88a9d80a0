//! How well types are named, on programs that say themselves what their blocks are: `types_dev`, on which the rules are
//! developed, and `types_score`, on which they are not.
//!
//! `MEMSCOPE_TYPE_SCORES=types_score cargo test -p memscope-cli --test types -- --nocapture` builds a program in every way
//! that changes what is known of its types and prints the table; `types_dev` also prints what was named wrong.

#[path = "../../src/listener.rs"]
#[allow(dead_code, reason = "the command's own, of which the test uses a part")]
mod listener;
mod score;
#[path = "../support/mod.rs"]
mod support;

use score::{Score, record};
use testprograms::build::Build;

const USUAL: Build = Build::USUAL;
const LINES: Build = Build { debug: "line-tables-only", ..USUAL };

/// Every choice by itself.
const BUILDS: [Build; 12] = [
    USUAL,
    Build { debug: "1", ..USUAL },
    LINES,
    Build { opt_level: "0", ..USUAL },
    Build { opt_level: "2", ..USUAL },
    Build { mangling: "v0", ..USUAL },
    Build { mangling: "v0", debug: "line-tables-only", ..USUAL },
    Build { lto: "thin", ..USUAL },
    Build { lto: "fat", ..USUAL },
    Build { panic: "abort", ..USUAL },
    Build { codegen_units: "1", ..USUAL },
    Build { codegen_units: "1", lto: "fat", panic: "abort", debug: "line-tables-only", ..USUAL },
];

fn score(program: &str, build: &Build) -> Score {
    let (profile, labelled) = record(&build.program(program));
    Score::of_profile(&profile, &labelled)
}

/// A line of the table: shares of allocations and of bytes.
fn line(build: &Build, score: &Score) -> String {
    let parts = [score.right, score.wrong, score.raw, score.unknown, score.right_checked];
    let shares = parts.map(|part| {
        let [blocks, bytes] = part.shares(score.all);
        format!("{blocks:.1} / {bytes:.1}")
    });
    format!("| {build} | {} | {} |", shares.join(" | "), score.wrong_checked.blocks)
}

/// The floor under each score: 98 % with full debug information and 95 % with line tables.
const FLOORS: [(&str, Build, f64); 5] = [
    ("types_dev", USUAL, 98.0),
    ("types_dev", Build { opt_level: "0", ..USUAL }, 98.0),
    ("types_dev", Build { mangling: "v0", ..USUAL }, 98.0),
    ("types_score", USUAL, 98.0),
    ("types_score", LINES, 95.0),
];

/// What must hold: so much of the blocks and of the bytes is right, in percent, and nothing is wrong whose size was
/// checked.
#[track_caller]
fn assert_score(program: &str, build: &Build, least: f64) {
    let score = score(program, build);
    let text = line(build, &score);
    println!("{program} {text}");
    assert_eq!(score.wrong_checked.blocks, 0, "{text}\n{:#?}", score.misses);
    assert!(
        score.right.shares(score.all).into_iter().all(|share| share >= least),
        "{text}\n{:#?}",
        score.misses
    );
}

#[test]
fn no_score_falls_and_nothing_is_wrong_whose_size_fits() {
    for (program, build, least) in FLOORS {
        assert_score(program, &build, least);
    }
}

/// C++ says with its library's allocators what they are for. Where the program says `new` itself, or `malloc`, there is only
/// the function.
#[test]
fn containers_of_cpp_are_named_and_what_the_program_asks_for_itself_is_not_typed() {
    for flags in [&["-O0"] as &[&str], &["-O2"], &["-O2", "-g1"], &["-Os"]] {
        let (profile, labelled) = record(&testprograms::c_program_with("types.cpp", flags));
        let score = Score::of_profile(&profile, &labelled);
        let misses = &score.misses;
        println!("{flags:?} {score:?}");
        assert_eq!((score.wrong.blocks, score.unknown.blocks), (0, 0), "{flags:?} {misses:#?}");
        assert_eq!((score.raw.blocks, misses.len()), (3, 3), "{flags:?} {misses:#?}");
        assert!(
            misses.keys().all(|miss| miss.contains("said to be 'in bare(int)'")),
            "{misses:#?}"
        );
        let checked = score.right_checked.shares(score.right);
        // With less debug information there are no sizes.
        let has_sizes = !flags.contains(&"-g1");
        assert_eq!(checked.iter().all(|share| *share > 70.0), has_sizes, "{flags:?} {checked:?}");
    }
}

/// A compiler may say what a `new` is for: then it is typed, if its size fits, and the constructor's argument, the class that
/// is derived from and as large, and what the program asks for in other ways are told apart.
#[test]
fn a_new_of_cpp_is_typed_where_debug_information_says_its_type() {
    let program = testprograms::c_program_with("new.s", &["-g0", "-Wa,-gdwarf-5", "-lstdc++"]);
    let (profile, labelled) = record(&program);
    let score = Score::of_profile(&profile, &labelled);
    let misses = &score.misses;
    println!("{score:?}");
    assert_eq!((score.wrong.blocks, score.unknown.blocks), (0, 0), "{misses:#?}");
    assert_eq!((score.right_checked.blocks, score.right.blocks), (9, 9), "{misses:#?}");
    assert_eq!((score.raw.blocks, misses.len()), (3, 3), "{misses:#?}");
    assert!(misses.keys().all(|miss| miss.contains("said to be 'in untyped(int)'")), "{misses:#?}");
}

/// By command only: it builds a program a dozen times.
#[test]
fn the_table_of_all_builds() {
    let Ok(program) = std::env::var("MEMSCOPE_TYPE_SCORES") else { return };
    println!(
        "| {program} | right | wrong | function only | unknown | right, size fits | wrong, size fits |"
    );
    println!("|---|---|---|---|---|---|---|");
    for build in BUILDS {
        let score = score(&program, &build);
        println!("{}", line(&build, &score));
        if program == "types_dev" {
            score.misses.iter().for_each(|(miss, sum)| println!("<!-- {sum:?} {miss} -->"));
        }
    }
}
