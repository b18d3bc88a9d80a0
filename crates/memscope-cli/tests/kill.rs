//! A program that is killed at any moment, by a signal or by the kernel for want of memory, leaves a record of all that it
//! had done.
//!
//! The program counts its completed allocations and frees and writes the counts to a pipe, each by a write of its own, so
//! what it wrote last is known whenever it dies. Deliberately absent: other endings.

mod support;

use rustix::process::{Pid, Signal, kill_process};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use support::profile::{Profile, run, run_as, sum};
use support::{Outcome, wait_for};
use testprograms::rust_program;

/// The program's process: the one child of the command that runs it.
fn program_of(command: u32) -> Option<Pid> {
    let threads = std::fs::read_dir(format!("/proc/{command}/task")).ok()?;
    let children = threads
        .filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("children")).ok());
    Pid::from_raw(children.collect::<String>().trim().parse().ok()?)
}

/// Runs the program with so many threads, kills it after a time, and compares.
fn killed_after(options: &[&str], program: &Path, threads: u64, time: Duration) {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("profile.json");
    let mut memscope = run_as(options, &json, program, &[&threads.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = memscope.stdout.take().unwrap();
    // It has begun. From here on any moment will do.
    let mut printed = vec![0; 1];
    stdout.read_exact(&mut printed).unwrap();
    let pid = program_of(memscope.id()).expect("the program runs");
    let reader = std::thread::spawn(move || {
        stdout.read_to_end(&mut printed).unwrap();
        String::from_utf8(printed).unwrap()
    });
    std::thread::sleep(time);
    kill_process(pid, Signal::KILL).unwrap();
    let status = wait_for("memscope to end", || memscope.try_wait().unwrap());
    assert_eq!(status.code(), Some(128 + 9));

    // The last line of each thread. A killed write is whole or is not there.
    let mut last = vec![(0, 0); threads as usize];
    for line in reader.join().unwrap().lines() {
        let numbers: Vec<u64> = line.split(' ').map(|word| word.parse().expect(line)).collect();
        last[numbers[0] as usize] = (numbers[1], numbers[2]);
    }
    let allocations: u64 = last.iter().map(|(allocations, _)| allocations).sum();
    let frees: u64 = last.iter().map(|(_, frees)| frees).sum();

    let profile = Profile::read(&json);
    let context = format!("{threads} threads killed after {time:?}: {last:?}");
    if options.contains(&"counting") {
        // The program's own, and what the runtime allocates beside them.
        let counted = |name: &str| profile.number("totals", name);
        assert!(counted("allocations") >= allocations && counted("frees") >= frees, "{context}");
        let beside = 100 + 20 * threads;
        assert!(counted("allocations") <= allocations + threads + beside, "{context}");
        assert!(counted("frees") <= frees + threads + beside, "{context}");
        return;
    }
    let sites = profile.sites("kill::allocate", "bin/kill.rs");
    // After what it wrote last each thread may have allocated and freed once more.
    let recorded = (sum(&sites, "allocations"), sum(&sites, "frees"));
    assert!((allocations..=allocations + threads).contains(&recorded.0), "{recorded:?}, {context}");
    assert!((frees..=frees + threads).contains(&recorded.1), "{recorded:?}, {context}");
    // Of each thread one event may have been begun and not ended; none was missed for another reason.
    let [attempts, successes] =
        ["attempts", "successes"].map(|name| profile.number("completeness", name));
    assert!((successes..=successes + threads).contains(&attempts), "{attempts} {successes}");
    assert_eq!(profile.number("run", "pid"), u64::from(pid.as_raw_nonzero().get().unsigned_abs()));
    assert_eq!(profile.0["run"]["end"]["how"], "signaled", "{context}");
}

#[test]
fn a_program_killed_at_any_moment_loses_nothing_that_it_counted() {
    let program = rust_program("kill");
    for options in [&[][..], &["--sample", "1"], &["--mode", "counting"]] {
        for threads in [1, 4] {
            // The other modes write no more than exact does, and in the same way.
            let step = if options.is_empty() { 1 } else { 3 };
            for round in (0..6_u64).step_by(step) {
                // From at once to a tenth of a second, at no multiple of anything.
                let time = Duration::from_micros(round * round * 3461);
                killed_after(options, &program, threads, time);
            }
        }
    }
}

/// A memory cgroup of our own, removed at the end; what is in it may use so many bytes. `None` where none can be made.
struct MemoryGroup(PathBuf);

impl MemoryGroup {
    fn new(bytes: u64) -> Option<Self> {
        let name = format!("memscope-test-{}", std::process::id());
        // Version 1 of the interface, then version 2.
        [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")]
            .into_iter()
            .find_map(|(root, limit)| {
                let group = Path::new(root).join(&name);
                std::fs::create_dir(&group).ok()?;
                let group = Self(group);
                std::fs::write(group.0.join(limit), bytes.to_string()).ok()?;
                // Nothing is to be written to disk instead.
                let _ = std::fs::write(group.0.join("memory.swap.max"), "0");
                Some(group)
            })
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        // What was killed may not be gone yet.
        wait_for("the group to be empty", || std::fs::remove_dir(&self.0).ok());
    }
}

#[test]
fn a_program_that_the_kernel_kills_for_want_of_memory_loses_nothing() {
    let Some(group) = MemoryGroup::new(96 << 20) else {
        println!("not tested: no memory cgroup can be made here");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("profile.json");
    let script = format!("echo $$ > '{}/cgroup.procs' && exec \"$0\" \"$@\"", group.0.display());
    let program = rust_program("endings");
    let arguments = ["-c", &script, program.to_str().unwrap(), "fill-memory"];
    let outcome = Outcome::of(&mut run(&json, Path::new("sh"), &arguments));
    assert_eq!(outcome.code(), 128 + 9, "{outcome:?}");
    let mut said = outcome.stdout.lines().filter_map(|line| line.strip_suffix(" MiB"));
    let count: u64 = said.next_back().expect("it filled some").parse().unwrap();
    assert!((10..96).contains(&count), "{count} MiB");

    let profile = Profile::read(&json);
    assert_eq!(profile.0["run"]["end"]["how"], "signaled");
    assert_eq!(profile.counts("endings::allocate_known", "bin/endings.rs")[0], 1000);
    // It was killed while it used the last block, or before it said so.
    let filled = profile.sites("endings::allocate_and_use", "bin/endings.rs");
    assert!((count..=count + 1).contains(&sum(&filled, "allocations")), "{count} {filled:?}");
    let [attempts, successes] =
        ["attempts", "successes"].map(|name| profile.number("completeness", name));
    assert!((successes..=successes + 1).contains(&attempts), "{attempts} {successes}");
}
