//! The examples run and say what they promise, and those that free everything have no leaks.
#![cfg(not(any(loom, feature = "off")))]

use std::path::PathBuf;
use std::process::Command;

/// Runs an example, which cargo builds with the tests; what it says on stdout.
fn run(example: &str) -> String {
    let mut path: PathBuf = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.push("examples");
    let output = Command::new(path.join(example)).output().unwrap();
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
    let series = "1000 blocks at \"hour 0\", 2000 blocks at \"hour 1\"";
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
