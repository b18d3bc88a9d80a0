//! The workloads on the system's allocator: what is preloaded sees every call.

use std::process::ExitCode;

fn main() -> ExitCode {
    workloads::main()
}
