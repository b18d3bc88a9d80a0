//! The work that allocators and profilers are compared on, the same code in every program of `bin/`.
//!
//! A program is called with a workload's name and its arguments. Every workload does the same at every run: random
//! choices come from a generator with a fixed seed.
//!
//! Deliberately absent: clocks and counts. Who runs a program measures it, but for memory, see [`report_memory`].

mod boxes;
mod json;
mod latency;
mod maps;
mod pairs;
mod stacks;
mod syntax;
mod tasks;
mod threads;

use std::process::ExitCode;

/// Runs the workload that the command line names: the `main` of every program.
pub fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Some(()) => {
            report_memory();
            ExitCode::SUCCESS
        }
        None => {
            eprintln!("no such workload, or not its arguments: {arguments:?}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &[&str]) -> Option<()> {
    match *arguments {
        ["boxes", blocks, depth] => boxes::run(blocks.parse().ok()?, depth.parse().ok()?),
        ["json", rounds] => json::run(rounds.parse().ok()?),
        ["syn", rounds, folder] => syntax::run(rounds.parse().ok()?, folder.as_ref()),
        ["maps", keys] => maps::run(keys.parse().ok()?),
        ["two", batches] => threads::exchange(batches.parse().ok()?),
        ["pairs", blocks] => pairs::pairs(blocks.parse().ok()?),
        ["work", boxes] => pairs::work(boxes.parse().ok()?),
        ["latency", blocks] => latency::warm(blocks.parse().ok()?),
        ["first", stacks] => latency::first(stacks.parse().ok()?),
        ["nothing"] => {}
        ["tasks", rounds] => tasks::run(rounds.parse().ok()?),
        ["stacks", blocks, stacks] => stacks::run(blocks.parse().ok()?, stacks.parse().ok()?),
        ["threads", blocks, threads] => {
            threads::side_by_side(blocks.parse().ok()?, threads.parse().ok()?);
        }
        _ => return None,
    }
    Some(())
}

/// Says on stderr how large the resident set was at most, in the kernel's words. What wait4 reports is no less than
/// what the parent had.
fn report_memory() {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if let Some(line) = status.lines().find(|line| line.starts_with("VmHWM:")) {
        eprintln!("{line}");
    }
}

/// Marsaglia's xorshift generator of 64 bits: a few instructions a number, so that work stays allocation.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn new() -> Self {
        Self(88_172_645_463_325_252)
    }

    #[inline(always)]
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}
