//! `MEMSCOPE_MODE` has the last word over what the program chose.
#![cfg(not(feature = "off"))]

use memscope_rs::{Memscope, tracker};
use std::process::Command;

#[global_allocator]
static ALLOC: Memscope = Memscope::system();

/// What a started process says of itself.
#[test]
fn child() {
    let report = tracker!().analyze();
    println!("{} {:?}", report.heap.is_recorded, report.profile().run.mode);
}

#[test]
fn the_environment_decides() {
    for (mode, said) in
        [("off", "false Exact"), ("exact", "true Exact"), ("sampled", "true Sampled")]
    {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--nocapture"])
            .env("MEMSCOPE_MODE", mode)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains(said), "{mode}: {text}");
    }
}
