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

/// What is mistyped is told of, with the name that it has, and what the program chose is done.
#[test]
fn what_the_environment_says_wrongly_is_told_of() {
    for (name, value, told) in [
        ("MEMSCOPE_MODE", "sampeld", "memscope: MEMSCOPE_MODE=sampeld is ignored: it is exact, "),
        ("MEMSCOPE_INTERVAL", "512KiB", "memscope: MEMSCOPE_INTERVAL=512KiB is ignored: "),
        ("MEMSCOPE_FILE", "/nowhere/at/all", "memscope: /nowhere/at/all: no such file can be made"),
        ("MEMSCOPE_MODE", "", ""),
        ("MEMSCOPE_INTERVAL", "", ""),
    ] {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--nocapture"])
            .env(name, value)
            .output()
            .unwrap();
        let [text, errors] =
            [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        assert!(text.contains("true Exact"), "{name}={value}: {text}");
        assert_eq!(errors.matches("memscope: ").count(), usize::from(!told.is_empty()), "{errors}");
        assert!(errors.contains(told), "{name}={value}: {errors}");
    }
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
