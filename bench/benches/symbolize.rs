//! How long it takes to name ten thousand distinct addresses of one file, and how much memory.
//!
//! ```text
//! cd bench && cargo bench --bench symbolize -- FILE [ADDRESSES]
//! ```
//!
//! The addresses are drawn evenly from the file's executable sections, with a fixed seed. Each run is a process of its
//! own, because the largest resident set of a process only grows; the file is in the page cache after the first,
//! which is not counted. Nothing fails when it is slow: figures are read and recorded, in `record/`. With
//! `SYMBOLIZE_CACHE=FOLDER` names are remembered there: `first` empties the folder before each run, `again` does not
//! (`SYMBOLIZE_CACHE_RUN=first`, else again).

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use memscope_profile::model::{Address, Module, Profile};
use memscope_profile::symbolize::{NameCache, SymbolSearch, build_id, symbolize};
use object::{Object, ObjectSection, ReadCache, SectionKind};
use wait4::Wait4;

/// Runs that count.
const RUNS: usize = 7;

/// Set in the processes that do the work.
const WORKER: &str = "SYMBOLIZE_WORKER";

/// A folder that remembers names.
const CACHE: &str = "SYMBOLIZE_CACHE";

/// `first`: the folder is emptied before each run.
const CACHE_RUN: &str = "SYMBOLIZE_CACHE_RUN";

/// What one run took.
struct Run {
    wall_ms: f64,
    cpu_ms: f64,
    rss_mib: f64,
}

fn main() -> ExitCode {
    // Cargo adds `--bench`.
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let Some(file) = arguments.next().map(PathBuf::from) else {
        eprintln!("usage: cargo bench --bench symbolize -- FILE [ADDRESSES]");
        return ExitCode::from(2);
    };
    let count = arguments.next().map_or(Some(10_000), |count| count.parse().ok());
    let result = match count {
        None => Err("ADDRESSES is not a number".to_owned()),
        Some(count) if std::env::var_os(WORKER).is_some() => work(&file, count),
        Some(count) => compare(&file, count),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("symbolize: {sentence}");
            ExitCode::FAILURE
        }
    }
}

/// Names the addresses once, and prints the milliseconds that it took and how many addresses got a line.
fn work(file: &Path, count: usize) -> Result<(), String> {
    let mut profile = profile(file, count)?;
    let cache = std::env::var_os(CACHE).map(|folder| NameCache::new(folder.into()));
    let search = SymbolSearch { cache, ..SymbolSearch::default() };
    let begun = Instant::now();
    symbolize(&mut profile, &search, &|_| ());
    let wall = begun.elapsed();
    let frames = |address: &Address| &profile.frames[address.frames()];
    let with_line = profile.addresses.iter().filter(|one| frames(one).iter().any(|f| f.line > 0));
    let said = format!("{} {}", wall.as_secs_f64() * 1e3, with_line.count());
    std::io::stdout().write_all(said.as_bytes()).map_err(|error| error.to_string())
}

/// Reads of the file only what is asked for, so that the memory measured is that of symbolizing.
fn headers(file: &Path) -> Result<ReadCache<File>, String> {
    File::open(file).map(ReadCache::new).map_err(|error| format!("{}: {error}", file.display()))
}

/// A profile with addresses of the file.
fn profile(file: &Path, count: usize) -> Result<Profile, String> {
    let cache = headers(file)?;
    let object = object::File::parse(&cache).map_err(|error| error.to_string())?;
    let code: Vec<(u64, u64)> = object
        .sections()
        .filter(|section| section.kind() == SectionKind::Text)
        .map(|section| (section.address(), section.size()))
        .collect();
    let size: u64 = code.iter().map(|(_, size)| size).sum();
    if size == 0 {
        return Err(format!("{} has no code", file.display()));
    }
    let mut profile = Profile::default();
    profile.modules.push(Module {
        path: file.display().to_string(),
        build_id: build_id(file).unwrap_or_default(),
        ..Module::default()
    });
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut drawn = std::collections::BTreeSet::new();
    while drawn.len() < count.min(size as usize / 2) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let mut place = state % size;
        let section = code.iter().find(|(_, size)| {
            let here = place < *size;
            place -= if here { 0 } else { *size };
            here
        });
        drawn.insert(section.map_or(0, |(start, _)| start + place));
    }
    let address = |address| Address { address, module: 1, ..Address::default() };
    profile.addresses = drawn.into_iter().map(address).collect();
    Ok(profile)
}

/// Runs workers and prints the medians.
fn compare(file: &Path, count: usize) -> Result<(), String> {
    let exe = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut runs = Vec::new();
    let mut with_line = String::new();
    let is_first = std::env::var(CACHE_RUN).is_ok_and(|run| run == "first");
    for number in 0..=RUNS {
        if let Some(folder) = std::env::var_os(CACHE).filter(|_| is_first) {
            // The first time it is not there.
            let _ = std::fs::remove_dir_all(folder);
        }
        let mut worker = Command::new(&exe)
            .arg(file)
            .arg(count.to_string())
            .env(WORKER, "1")
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let mut said = String::new();
        std::io::Read::read_to_string(&mut worker.stdout.take().expect("a pipe"), &mut said)
            .map_err(|error| error.to_string())?;
        let used = worker.wait4().map_err(|error| error.to_string())?;
        let (wall, lines) = said.split_once(' ').ok_or("a run failed")?;
        with_line = lines.to_owned();
        let cpu = used.rusage.utime + used.rusage.stime;
        if number > 0 {
            runs.push(Run {
                wall_ms: wall.parse().map_err(|_| "a run failed")?,
                cpu_ms: cpu.as_secs_f64() * 1e3,
                rss_mib: used.rusage.maxrss as f64 / f64::from(1 << 20),
            });
        }
    }
    let cache = headers(file)?;
    let object = object::File::parse(&cache).map_err(|error| error.to_string())?;
    let is_debug = |name: &str| name.starts_with(".debug_");
    let debug: u64 = object
        .sections()
        .filter(|section| section.name().is_ok_and(is_debug))
        .map(|section| section.size())
        .sum();
    let middle = |of: fn(&Run) -> f64| {
        let mut values: Vec<f64> = runs.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        format!("{:.0} ({:.0} to {:.0})", values[RUNS / 2], values[0], values[RUNS - 1])
    };
    println!(
        "{count} addresses, {:.1} MB of debug sections: {with_line} with a line",
        debug as f64 / 1e6
    );
    println!("median of {RUNS} (least to most):");
    println!("  elapsed   {} ms", middle(|run| run.wall_ms));
    println!("  CPU time  {} ms", middle(|run| run.cpu_ms));
    println!("  memory    {} MiB", middle(|run| run.rss_mib));
    Ok(())
}
