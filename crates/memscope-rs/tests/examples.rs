//! The examples run and say what they promise, and those that free everything have no leaks.
#![cfg(not(feature = "off"))]

use memscope_rs::memscope_profile::{
    Region,
    model::End,
    symbolize::{SymbolSearch, symbolize},
};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;

/// Runs an example; what it says on stdout.
fn run(example: &str) -> String {
    run_with(example, &[])
}

/// Functions of the standard library in which it allocates what it keeps for itself.
const LIBRARYS_OWN: [&str; 4] = ["std::io::stdio::", "std::thread::", "std::sys::", "std::rt::"];

/// The functions of an example in whose blocks it leaves something behind, as the file of its recording says.
fn left_behind(example: &str) -> Vec<String> {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("left-{example}"));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir(&folder).unwrap();
    run_with(example, &[("MEMSCOPE_FILE", folder.join("region"))]);
    let file = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    let region = Region::open_path(&file).unwrap();
    let mut profile = region.read(End::Exited(0)).unwrap().profile;
    symbolize(&mut profile, &SymbolSearch { threads: 1, ..SymbolSearch::default() }, &|_| {});
    let stack = |mut stack: u32| {
        let mut functions = Vec::new();
        while let Some(node) = stack.checked_sub(1).map(|at| profile.stacks[at as usize]) {
            let frames = profile.addresses[node.address as usize].frames();
            let frames = profile.frames[frames].iter();
            functions.extend(frames.map(|it| profile.strings[it.function as usize].clone()));
            stack = node.parent;
        }
        functions
    };
    let alive = profile.sites.iter().filter(|site| site.counts.live_blocks() > 0);
    let own = format!("{example}::");
    let left = alive.filter_map(|site| {
        let functions = stack(site.stack);
        let is_librarys = |name: &String| LIBRARYS_OWN.iter().any(|own| name.contains(own));
        let innermost = functions.iter().find(|name| name.starts_with(&own) || is_librarys(name));
        innermost.filter(|name| !is_librarys(name)).cloned()
    });
    let mut left: Vec<_> = left.collect();
    left.dedup();
    left
}

#[test]
fn no_example_leaves_anything_behind() {
    for example in ["memory_per_task", "allocation_budget"] {
        assert_eq!(left_behind(example), [""; 0], "{example}");
    }
    // But the one that is to be found out, as long as it runs.
    assert_eq!(left_behind("find_a_leak"), [""; 0]);
}

/// An example's program. Cargo builds the examples with the tests, but not for this test alone.
fn built(example: &str) -> PathBuf {
    static ONCE: Mutex<()> = Mutex::new(());
    let _alone = ONCE.lock();
    // target/PROFILE/deps/this
    let exe = std::env::current_exe().unwrap();
    let folder = exe.ancestors().nth(2).unwrap();
    let program = folder.join("examples").join(example);
    if !program.exists() {
        let profile = folder.file_name().unwrap().to_str().unwrap();
        let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(["build", "--quiet", "--examples", "--package=memscope-rs", "--profile"])
            .arg(if profile == "debug" { "dev" } else { profile })
            .arg("--target-dir")
            .arg(folder.parent().unwrap())
            .arg("--manifest-path")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
            .status();
        assert!(
            status.is_ok_and(|status| status.success()) && program.exists(),
            "{} is missing. Hint: cargo build -p memscope-rs --examples",
            program.display()
        );
    }
    program
}

fn run_with(example: &str, variables: &[(&str, PathBuf)]) -> String {
    let output = Command::new(built(example)).envs(variables.iter().cloned()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

#[test]
fn a_leak_is_found_and_what_is_alive_is_not_called_one() {
    let text = run("find_a_leak");
    let leaks: Vec<_> = text.lines().filter(|line| line.contains(" bytes at ")).collect();
    assert!(leaks.iter().any(|line| line.contains("find_a_leak::Cache::answer")), "{text}");
    assert!(leaks.iter().all(|line| line.contains("Cache::answer")), "{text}");
    let series = "1,000 blocks at \"hour 0\", 2,000 blocks at \"hour 1\"";
    assert!(text.contains(series), "{text}");
    assert!(text.contains("1600 bytes of settings are alive"), "{text}");
}

#[test]
fn tasks_are_told_apart() {
    let text = run("memory_per_task");
    let line = |task: &str| {
        let line = text.lines().find(|line| line.starts_with(task));
        line.unwrap_or_else(|| panic!("{text}")).split_whitespace().map(str::to_owned)
    };
    let image: Vec<_> = line("image").collect();
    let video: Vec<_> = line("video").collect();
    let number = |text: &str| text.parse::<u64>().unwrap();
    assert!(number(&image[1]) >= 16 << 16, "{text}");
    assert!(number(&video[1]) < 1 << 16, "{text}");
    assert!(number(&video[4]) >= 160 << 16, "{text}");
}

#[test]
fn a_budget_is_kept() {
    assert_eq!(run("allocation_budget"), "3 allocations, 52 bytes at most\n");
}
