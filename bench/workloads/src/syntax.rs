//! Rust sources become syntax trees, by syn: deep, diverse stacks.

use std::fs;
use std::hint::black_box;
use std::path::Path;

/// Parses every Rust file under `folder` `rounds` times.
pub(crate) fn run(rounds: u64, folder: &Path) {
    let mut sources = Vec::new();
    read(folder, &mut sources);
    assert!(!sources.is_empty(), "no Rust sources under {}", folder.display());
    for _ in 0..rounds {
        for source in &sources {
            // A file that syn cannot parse is work all the same.
            let _ = black_box(syn::parse_file(source));
        }
    }
}

/// Reads the sources in the order of their names, so that every run does the same.
fn read(folder: &Path, sources: &mut Vec<String>) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            read(&path, sources);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            sources.extend(fs::read_to_string(&path));
        }
    }
}
