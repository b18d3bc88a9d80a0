//! The workloads on jemalloc, built with its profiler, which the variable `_RJEM_MALLOC_CONF` turns on.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    workloads::main()
}
