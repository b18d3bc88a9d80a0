//! A program that starts itself once for each of its parts and each mode that a process may begin in.

use memscope_rs::{Memscope, RecordingMode, recording_mode, switch_to};
use std::hint::black_box;
use std::process::{Command, Stdio};

#[global_allocator]
static ALLOC: Memscope = Memscope::system();

/// Small enough that nearly every block of 1,000 bytes is far from certain to be in the sample, and many are.
const INTERVAL_BYTES: &str = "4096";

/// Bytes that no allocator has.
pub(crate) const TOO_MUCH: usize = 1 << 60;

/// A part by its name. It is told which mode the process began in.
pub(crate) type Part = (&'static str, fn(RecordingMode));

/// Starts all parts, or is one.
pub(crate) fn run(parts: &[Part]) {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let wanted = match arguments.as_slice() {
        [begun, part] if begun == "begun" => part,
        _ => return start_each(parts),
    };
    let (_, run) = parts.iter().find(|(name, _)| name == wanted).unwrap();
    run(recording_mode());
}

fn start_each(parts: &[Part]) {
    let program = std::env::current_exe().unwrap();
    let mut failures = String::new();
    for (part, _) in parts {
        let children = ["exact", "sampled", "counting", "off"].map(|mode| {
            let mut command = Command::new(&program);
            command.args(["begun", part]).env("MEMSCOPE_MODE", mode);
            command.env("MEMSCOPE_INTERVAL", INTERVAL_BYTES).stderr(Stdio::piped());
            (mode, command.spawn().unwrap())
        });
        for (mode, child) in children {
            let output = child.wait_with_output().unwrap();
            if !output.status.success() {
                let errors = String::from_utf8_lossy(&output.stderr);
                failures.push_str(&format!("{part}, begun in mode {mode}: {errors}\n"));
            }
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

pub(crate) fn to(mode: RecordingMode) {
    switch_to(mode).unwrap();
    assert_eq!(recording_mode(), mode);
}

/// Functions of their own, with a name in them, or the optimizer makes one of all.
macro_rules! makers {
    ($($name:ident)*) => { $(
        #[inline(never)]
        pub(crate) fn $name(count: usize) -> Vec<Vec<u8>> {
            black_box(stringify!($name));
            (0..count).map(|_| black_box(vec![1_u8; 1000])).collect()
        }
    )* };
}
makers! { early later }
