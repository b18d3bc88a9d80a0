//! The workloads with dhat linked in, recording whole stacks.
//!
//! Its profiler is never dropped: what it would do then, finding names and writing its file, is no cost of recording.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

fn main() -> ExitCode {
    Box::leak(Box::new(dhat::Profiler::builder().trim_backtraces(None).build()));
    workloads::main()
}
