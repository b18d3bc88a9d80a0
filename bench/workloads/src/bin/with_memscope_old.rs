//! The workloads under memscope-rs 0.2.3, whose feature `tracking-allocator` installs its allocator.

use std::process::ExitCode;

use memscope_old as _;

fn main() -> ExitCode {
    workloads::main()
}
