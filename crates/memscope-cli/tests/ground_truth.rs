//! What is recorded equals what programs know of themselves: by function, kind, file and line, at the peak, and
//! however they end.
//!
//! Deliberately absent: what the runtime allocates, which the programs do not know; totals are compared with another
//! witness elsewhere.

mod support;

use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeSet;
use std::io::Read;
use std::process::Stdio;
use support::profile::{Profile, run, sum};
use support::{Outcome, wait_for};
use testprograms::ledger::Truth;
use testprograms::rust_program;

#[test]
fn every_function_s_blocks_are_what_it_counted() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("profile.json");
    let program = rust_program("counted");
    for threads in ["0", "1", "4"] {
        let outcome = Outcome::of(&mut run(&json, &program, &[threads]));
        assert_eq!(outcome.code(), 0, "{outcome:?}");
        let truth = Truth::parse(&outcome.stdout);
        let profile = Profile::read(&json);
        assert_eq!(profile.0["completeness"]["attempts"], profile.0["completeness"]["successes"]);

        assert!(truth.rows.len() > 10);
        for row in &truth.rows {
            let context = format!("{threads} threads, {row:?}");
            let sites = profile.sites(&row.function, &row.file);
            assert!(sites.iter().all(|site| site["kind"] == row.kind), "{context}");
            assert_eq!(sum(&sites, "allocations"), row.allocations, "{context}");
            assert_eq!(sum(&sites, "allocated_bytes"), row.allocated_bytes, "{context}");
            assert_eq!(sum(&sites, "frees"), row.frees, "{context}");
            assert_eq!(sum(&sites, "freed_bytes"), row.freed_bytes, "{context}");
            assert_eq!(sum(&sites, "temporary"), row.temporary, "{context}");
            assert_eq!(sum(&sites, "peak_blocks"), row.peak_blocks, "{context}");
            assert_eq!(sum(&sites, "peak_bytes"), row.peak_bytes, "{context}");
            for site in &sites {
                assert_eq!(profile.innermost(site)["line"], row.line, "{context}");
            }
        }
        // Each depth of the recursion is a stack of its own, one frame longer than the last.
        let nested = profile.sites("counted::nested", "bin/counted.rs");
        let depths = nested.iter().map(|site| site["stack"].as_array().unwrap().len());
        let depths: BTreeSet<_> = depths.collect();
        assert_eq!(depths.len(), 40);
        assert_eq!(depths.last().unwrap() - depths.first().unwrap(), 39);
    }
}

#[test]
fn however_a_program_ends_its_record_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("profile.json");
    let program = rust_program("endings");
    let endings = [
        ("return-3", 3),
        ("_exit", 3),
        ("exit-from-thread", 3),
        ("panic", 101),
        ("panic-in-thread", 0),
        ("abort", 128 + 6),
        ("sigsegv", 128 + 11),
        ("sigkill", 128 + 9),
        ("stack-overflow", 128 + 6),
        ("out-of-memory", 128 + 6),
    ];
    for (way, code) in endings {
        let outcome = Outcome::of(&mut run(&json, &program, &[way]));
        assert_eq!(outcome.code(), code, "{way}: {outcome:?}");
        assert_eq!(outcome.stdout, "1000 allocations 100000 bytes 400 frees\n", "{way}");
        let profile = Profile::read(&json);
        let sites = profile.sites("endings::allocate_known", "bin/endings.rs");
        assert_eq!(sum(&sites, "allocations"), 1000, "{way}");
        assert_eq!(sum(&sites, "allocated_bytes"), 100_000, "{way}");
        assert_eq!(sum(&sites, "frees"), 400, "{way}");
        assert_eq!(sum(&sites, "live_bytes"), 60_000, "{way}");
    }
}

/// Built so that a panic does not unwind.
#[test]
fn a_panic_that_aborts_leaves_a_whole_record() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("aborting.rs");
    std::fs::write(
        &source,
        "unsafe extern \"C\" { fn malloc(size: usize) -> *mut u8; fn free(block: *mut u8); }
         #[inline(never)]
         fn allocate_known() -> *mut u8 { std::hint::black_box(unsafe { malloc(100) }) }
         fn main() {
             let kept: Vec<_> = (0..1000).map(|_| allocate_known()).collect();
             unsafe { free(allocate_known()) };
             panic!(\"with {}\", kept.len());
         }",
    )
    .unwrap();
    let program = folder.path().join("aborting");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut build = std::process::Command::new(rustc);
    build.args(["--edition=2024", "-Cpanic=abort", "-g", "-o"]).arg(&program).arg(&source);
    let built = Outcome::of(&mut build);
    assert!(built.status.success(), "{built:?}");

    let json = folder.path().join("profile.json");
    let outcome = Outcome::of(&mut run(&json, &program, &[]));
    assert_eq!(outcome.code(), 128 + 6, "{outcome:?}");
    assert!(outcome.stderr.contains("with 1000"), "{outcome:?}");
    let profile = Profile::read(&json);
    profile.assert_complete();
    let known = profile.counts("aborting::allocate_known", "aborting.rs");
    assert_eq!(known, [1001, 100_100, 1, 100]);
}

#[test]
fn a_program_killed_in_the_middle_loses_nothing_that_it_counted() {
    const THREADS: u64 = 3;
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("profile.json");
    let mut memscope = run(&json, &rust_program("kill"), &[&THREADS.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = memscope.stdout.take().unwrap();
    let mut printed = vec![0; 1 << 18];
    stdout.read_exact(&mut printed).unwrap();
    let program = child(memscope.id()).expect("the program runs");
    kill_process(program, Signal::KILL).unwrap();
    stdout.read_to_end(&mut printed).unwrap();
    let status = wait_for("memscope to end", || memscope.try_wait().unwrap());
    assert_eq!(status.code(), Some(128 + 9));

    // The last line of each thread: what it had done when it wrote it.
    let mut counted = [(0, 0); THREADS as usize];
    for line in String::from_utf8(printed).unwrap().lines() {
        let numbers: Vec<u64> = line.split(' ').map(|word| word.parse().expect(line)).collect();
        counted[numbers[0] as usize] = (numbers[1], numbers[2]);
    }
    let allocations: u64 = counted.iter().map(|(allocations, _)| allocations).sum();
    let frees: u64 = counted.iter().map(|(_, frees)| frees).sum();
    assert!(allocations > 1000);

    let profile = Profile::read(&json);
    let sites = profile.sites("kill::allocate", "bin/kill.rs");
    // After its last line each thread may have allocated and freed once more.
    let once_more = 0..=THREADS;
    let recorded = (sum(&sites, "allocations"), sum(&sites, "frees"));
    assert!(once_more.contains(&(recorded.0 - allocations)), "{recorded:?}, {counted:?}");
    assert!(once_more.contains(&(recorded.1 - frees)), "{recorded:?}, {counted:?}");
}

/// The one child of a process.
fn child(parent: u32) -> Option<Pid> {
    let threads = std::fs::read_dir(format!("/proc/{parent}/task")).ok()?;
    let children = threads
        .filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("children")).ok());
    let children: String = children.collect();
    Pid::from_raw(children.trim().parse().ok()?)
}
