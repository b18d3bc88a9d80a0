//! The programs do what they say when nothing watches them. A profiler that finds otherwise is then wrong.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use testprograms::ledger::Truth;
use testprograms::{c_program, rust_program};

/// More than any of the programs takes, by far.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a program to its end and returns how it ended and what it printed.
fn run(program: &Path, arguments: &[&str]) -> (ExitStatus, String) {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program can be started");
    // What the programs print fits into a pipe, so they need nobody to read it before they end.
    let begin = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("the child can be waited for") {
            break status;
        }
        if begin.elapsed() > PATIENCE {
            child.kill().expect("the child can be killed");
            panic!("{} {arguments:?} did not end", program.display());
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let mut printed = String::new();
    child.stdout.take().expect("it is piped").read_to_string(&mut printed).expect("it is text");
    (status, printed)
}

#[test]
fn the_c_programs_print_what_they_did() {
    let programs = [
        ("family.c", "family 310 blocks 26317230 bytes 310 frees 40 failed\n"),
        ("threads.c", "threads 1600 lists, sum 53064646\n"),
        ("cpp.cpp", "cpp 300 articles 7350 prices 100 caught 3 lanes refused\n"),
        ("odd.c", "odd 5000 deep 10 signals\n"),
        ("coroutines.c", "coroutines 6 finished, sum 1197\n"),
        ("dl.c", "dl 30 rounds moved\n"),
    ];
    for (name, expected) in programs {
        let (status, printed) = run(&c_program(name), &[]);
        assert!(status.success(), "{name}: {status}");
        assert_eq!(printed, expected, "{name}");
    }
}

#[test]
fn the_order_service_sells_the_same_each_time() {
    let program = rust_program("order_service");
    let (status, alone) = run(&program, &["5000", "0"]);
    assert!(status.success());
    let (_, again) = run(&program, &["5000", "0"]);
    assert_eq!(alone, again);
    assert!(alone.starts_with("5000 orders of 991 customers"), "{alone}");
    let (_, by_threads) = run(&program, &["5000", "3"]);
    assert!(by_threads.starts_with("5000 orders of "), "{by_threads}");
}

#[test]
fn counted_counts_what_it_was_written_to_do() {
    let program = rust_program("counted");
    for threads in [0, 1, 4] {
        let (status, printed) = run(&program, &[&threads.to_string()]);
        assert!(status.success());
        let truth = Truth::parse(&printed);
        assert_eq!((truth.rows.len(), truth.failed), (11, 5));
        let row = |name: &str| {
            let row = truth.rows.iter().find(|row| row.function == format!("counted::{name}"));
            row.unwrap_or_else(|| panic!("no row {name}"))
        };
        assert_eq!(row("row").allocations, 68 + 32 * threads);
        assert_eq!((row("row").temporary, row("row").peak_blocks), (0, 68));
        assert_eq!((row("text").allocations, row("text").frees), (12, 12));
        assert_eq!((row("list").allocated_bytes, row("list").peak_bytes), (24 * 4 * 2047, 98_304));
        assert_eq!((row("nested").allocations, row("nested").freed_bytes), (40, 820));
        assert_eq!((row("kept").frees, row("kept").peak_bytes), (0, 5010));
        let scratch = row("scratch");
        assert_eq!((scratch.temporary, scratch.frees), (1000 + 200 * threads, scratch.allocations));
        assert_eq!((row("message").frees, row("message").temporary), (48 * threads, 0));
        assert_eq!((row("summit").temporary, row("summit").peak_bytes), (1, 64 << 20));
    }
}

#[test]
fn kill_counts_until_it_is_killed() {
    let mut child = Command::new(rust_program("kill"))
        .arg("3")
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program can be started");
    let mut stdout = child.stdout.take().expect("it is piped");
    let mut printed = vec![0; 1 << 16];
    stdout.read_exact(&mut printed).expect("it goes on for as long as somebody reads");
    child.kill().expect("the child can be killed");
    stdout.read_to_end(&mut printed).expect("a killed program's pipe ends");
    assert_eq!(child.wait().expect("the child can be waited for").signal(), Some(9));

    let printed = String::from_utf8(printed).expect("it is text");
    let mut last = [(0, 0); 3];
    for line in printed.lines() {
        let numbers: Vec<usize> = line.split(' ').map(|word| word.parse().expect(line)).collect();
        let [thread, allocations, frees] = numbers[..] else { panic!("not a line: {line}") };
        assert_eq!(allocations, last[thread].0 + 1);
        assert_eq!(frees, (allocations - 1) - (allocations - 1) / 4);
        last[thread] = (allocations, frees);
    }
    // Not every thread has had its turn, perhaps.
    assert!(last.iter().any(|(allocations, _)| *allocations > 1));
}

#[test]
fn each_ending_is_what_its_name_says() {
    let program = rust_program("endings");
    let endings = [
        ("return", Some(0), None),
        ("return-3", Some(3), None),
        ("_exit", Some(3), None),
        ("exit-from-thread", Some(3), None),
        ("panic", Some(101), None),
        ("panic-in-thread", Some(0), None),
        ("abort", None, Some(6)),
        ("sigsegv", None, Some(11)),
        ("sigkill", None, Some(9)),
        ("stack-overflow", None, Some(6)),
        ("out-of-memory", None, Some(6)),
        ("no such way", Some(2), None),
    ];
    for (way, code, signal) in endings {
        let (status, printed) = run(&program, &[way]);
        assert_eq!((status.code(), status.signal()), (code, signal), "{way}");
        let expected =
            if code == Some(2) { "" } else { "1000 allocations 100000 bytes 400 frees\n" };
        assert_eq!(printed, expected, "{way}");
    }
}
