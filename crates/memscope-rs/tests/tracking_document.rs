//! The programs in `docs/tracking-module.md` compile and run as they stand there.
//!
//! Invariant: a block is taken from the document byte for byte. Around it goes only what it leaves out: lines before
//! it, and a `main`. One that tracks also runs with the allocator installed.

use std::fs;
use std::path::{Path, PathBuf};

const DOCUMENT: &str = include_str!("../docs/tracking-module.md");

const USE: &str = "use memscope_rs::tracking::TrackingStats;";
const STATS: &str = "let stats = TrackingStats::new();";
const WARN: &str = "macro_rules! warn { ($($word:tt)*) => { eprintln!($($word)*) } }";

/// Headings whose blocks run, in the document's order, with what each leaves out: before `main`, before the block in
/// `main`, and after it (where the block only defines a function).
const RUN: [(&str, &[&str], &[&str], &str); 12] = [
    ("Recording Operations", &[], &[], ""),
    ("Querying Statistics", &[USE], &[STATS], ""),
    ("Basic Tracking", &[], &[], "main();"),
    ("Concurrent Tracking", &[], &[], "main();"),
    (
        "Performance Monitoring",
        &["fn should_succeed() -> bool { true }"],
        &[],
        "monitor_performance();",
    ),
    ("With Tracker", &[], &[], ""),
    ("With Analysis", &[], &[], ""),
    ("1. Use for Performance Monitoring", &[USE, WARN], &[], ""),
    ("2. Share Across Threads", &[USE, "use std::sync::Arc;"], &[], ""),
    ("3. Monitor Contention", &[USE, WARN], &[STATS], ""),
    ("1. Not Checking Completeness", &[USE], &[], ""),
    ("2. Ignoring Contention", &[USE], &[STATS], ""),
];

/// What installs the allocator.
const INSTALL: &str =
    "#[global_allocator] static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();";

/// Every Rust block with the heading it stands under.
fn blocks() -> Vec<(&'static str, &'static str)> {
    let mut blocks = Vec::new();
    let mut heading = "";
    let mut rest = DOCUMENT;
    while let Some((line, after)) = rest.split_once('\n') {
        rest = after;
        if line == "```rust" {
            let (block, after) = rest.split_once("```\n").expect("a block ends");
            blocks.push((heading, block));
            rest = after;
        } else if line.starts_with("##") {
            heading = line.trim_start_matches('#').trim();
        }
    }
    blocks
}

fn program(block: &str, before_main: &[&str], before_block: &[&str], after_block: &str) -> String {
    let before_main = before_main.join("\n");
    let before_block = before_block.join("\n");
    format!("{before_main}\nfn main() {{\n{before_block}\n{block}\n{after_block}\n}}\n")
}

#[test]
fn every_block_runs() {
    let headings: Vec<_> = blocks().into_iter().map(|(heading, _)| heading).collect();
    assert_eq!(headings, RUN.map(|(heading, ..)| heading));
}

#[test]
fn the_blocks_compile_and_run_as_they_stand() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tracking_document");
    fs::create_dir_all(&folder).unwrap();
    let cases = trybuild::TestCases::new();
    for (heading, block) in blocks() {
        let (_, before_main, before_block, after_block) =
            RUN.iter().find(|(run, ..)| *run == heading).unwrap();
        let name: String = heading
            .chars()
            .map(|c| if c.is_alphanumeric() { c.to_ascii_lowercase() } else { '_' })
            .collect();
        let text = program(block, before_main, before_block, after_block);
        let tracks = ["tracker!", "track!", "global_tracker"].iter().any(|it| block.contains(it));
        let installed = tracks.then(|| (format!("{INSTALL}\n{text}"), "installed"));
        for (text, kind) in [(text, "alone")].into_iter().chain(installed) {
            let path: PathBuf = folder.join(format!("{name}_{kind}.rs"));
            fs::write(&path, text).unwrap();
            cases.pass(&path);
        }
    }
}
