//! The mode is changed while the program runs, from whatever mode it began in.
//!
//! Deliberately absent: the harness. The program starts itself once for each of its parts and each mode.
#![cfg_attr(feature = "off", allow(unused, reason = "nothing is recorded"))]

mod measurings;
mod names;
mod switching;

use memscope_rs::memscope_profile::Profile;
use memscope_rs::memscope_profile::model::{Frame, Site};
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
fn main() {
    if cfg!(feature = "off") {
        return;
    }
    let parts = [&switching::PARTS[..], &names::PARTS, &measurings::PARTS].concat();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let wanted = match arguments.as_slice() {
        [begun, part] if begun == "begun" => part,
        _ => return start_each(&parts),
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

/// The sites under a function.
pub(crate) fn sites<'a>(profile: &'a Profile, function: &str) -> Vec<&'a Site> {
    let function = format!("::{function}");
    let is_it = |frame: &Frame| profile.strings[frame.function as usize].ends_with(&function);
    let is_here = |site: &&Site| {
        let mut stack = site.stack;
        while let Some(node) = stack.checked_sub(1).map(|at| profile.stacks[at as usize]) {
            let address = &profile.addresses[node.address as usize];
            if profile.frames[address.frames()].iter().any(is_it) {
                return true;
            }
            stack = node.parent;
        }
        false
    };
    profile.sites.iter().filter(is_here).collect()
}

/// Functions of their own, with a name in them, or the optimizer makes one of all.
macro_rules! makers {
    ($($name:ident)*) => { $(
        #[inline(never)]
        pub(crate) fn $name(count: usize) -> Vec<Vec<u8>> {
            black_box(stringify!($name));
            let mut blocks = Vec::with_capacity(count);
            // A closure would be without the name, and one for all again.
            for _ in 0..count {
                blocks.push(black_box(vec![1_u8; 1000]));
            }
            blocks
        }
    )* };
}
makers! { early later exactly counted unseen sampled again }
