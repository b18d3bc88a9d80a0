//! The guard keeps the recording at return, in a panic and at exit; and a program that frees everything has no leaks.
#![cfg_attr(feature = "off", allow(unused, reason = "nothing is recorded"))]

use memscope_profile::model::End;
use memscope_rs::{Memscope, Session, task_scope, track, tracker};
use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

#[global_allocator]
static ALLOC: Memscope = Memscope::system();

/// The end that this process is to come to, if it is one that a test started.
const ENDING: &str = "MEMSCOPE_TEST_ENDING";
/// Where its profile goes.
const PROFILE: &str = "MEMSCOPE_TEST_PROFILE";

#[inline(never)]
fn forget() {
    // Unless it is used, the compiler may leave the allocation out.
    std::hint::black_box(Box::leak(vec![0_u8; 12_345].into_boxed_slice()));
}

/// What a program does that frees everything: on several threads, in tasks, with names and marks.
#[inline(never)]
fn work() {
    let t = tracker!();
    let shared: HashMap<u64, String> = (0..1000).map(|n| (n, format!("number {n}"))).collect();
    track!(t, shared);
    std::thread::scope(|scope| {
        for name in ["one", "two"] {
            let shared = &shared;
            scope.spawn(move || {
                let _task = task_scope(name);
                let sorted: BTreeMap<_, _> = shared.iter().collect();
                println!("{}", sorted.len());
            });
        }
    });
    t.mark("before");
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for n in 0..1000 {
            let _ = sender.send(vec![n; 10]);
        }
    });
    println!(
        "{} {}",
        receiver.iter().map(|list| list.len()).sum::<usize>(),
        t.since("before").is_some()
    );
    let _scope = t.scope("scope");
    println!("{}", t.analyze().leaks.len());
}

/// What a started process does: with a session, something that allocates, and an end.
fn child(ending: &str) {
    let path = PathBuf::from(std::env::var_os(PROFILE).unwrap());
    if ending == "confined" {
        confine();
        let mut inner = Command::new(std::env::current_exe().unwrap());
        inner.env(ENDING, "left").env("MEMSCOPE_MODE", "off").stdout(Stdio::null());
        assert!(inner.env(PROFILE, inner_path(&path)).status().unwrap().success());
    }
    let run = || {
        let _memscope = Session::start(path);
        // The keeper is none of the program's children.
        assert_eq!(wait(libc::WNOHANG), Err(Some(libc::ECHILD)));
        work();
        match ending {
            "clean" | "confined" => {}
            "return" => forget(),
            "killed" => {
                forget();
                println!("ready");
                std::thread::sleep(std::time::Duration::from_secs(60));
            }
            "aborted" => {
                forget();
                std::process::abort();
            }
            "left" => {
                // If nothing was recorded so far.
                memscope_rs::switch_to(memscope_rs::RecordingMode::Exact).unwrap();
                forget();
                // SAFETY: it ends the process, whatever that is about.
                unsafe { libc::_exit(0) };
            }
            "replaced" => {
                forget();
                let error = std::os::unix::process::CommandExt::exec(&mut Command::new("true"));
                panic!("{error}");
            }
            "panic" => {
                forget();
                std::panic::resume_unwind(Box::new(()));
            }
            "traced" => {
                forget();
                panic!("with a backtrace, if the environment says so");
            }
            _ => {
                forget();
                std::process::exit(3);
            }
        }
    };
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
    // Nothing is left of it, and the profile is not written over.
    assert_eq!(wait(libc::WNOHANG | libc::__WALL), Err(Some(libc::ECHILD)));
}

/// Puts the process, and those that it starts, under a filter of system calls, which lets all pass.
fn confine() {
    let code = (libc::BPF_RET | libc::BPF_K) as u16;
    let mut pass = libc::sock_filter { code, jt: 0, jf: 0, k: libc::SECCOMP_RET_ALLOW };
    let program = libc::sock_fprog { len: 1, filter: &raw mut pass };
    // SAFETY: the kernel reads the program while it is called.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        let set = libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program);
        assert_eq!(set, 0);
    }
}

/// Where the process puts its recording that a confined one starts.
fn inner_path(path: &Path) -> PathBuf {
    path.with_extension("inner")
}

/// Asks for any child that there is.
fn wait(options: i32) -> Result<i32, Option<i32>> {
    // SAFETY: plain numbers; nothing is written.
    let child = unsafe { libc::waitpid(-1, std::ptr::null_mut(), options) };
    if child < 0 { Err(std::io::Error::last_os_error().raw_os_error()) } else { Ok(child) }
}

/// Lets a process come to an end: what it said on stderr, and the sites of its profile that hold 12,345 bytes.
fn end(ending: &str) -> (String, usize) {
    end_with(ending, &[])
}

/// What the standard library keeps of debug information that it has read for a backtrace is nobody's leak.
fn a_backtrace_is_no_leak() {
    let (text, sites) = end_with("traced", &[("RUST_BACKTRACE", "1".into())]);
    assert!(text.contains("stack backtrace:"), "{text}");
    assert_eq!(sites, 1, "{text}");
    assert!(text.contains("12,345 bytes in 1 block, alive at the end"), "{text}");
    let leaks = text.split_once("Leaks: ").unwrap().1;
    assert!(!leaks.contains("gimli") && !leaks.contains("addr2line"), "{text}");
}

fn end_with(ending: &str, variables: &[(&str, PathBuf)]) -> (String, usize) {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("session-{ending}"));
    let _ = std::fs::remove_file(&path);
    let output = Command::new(std::env::current_exe().unwrap())
        .env(ENDING, ending)
        .env(PROFILE, &path)
        .envs(variables.iter().cloned())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(if ending == "exit" { 3 } else { 0 }), "{text}");
    let file = std::fs::File::open(&path).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let profile = memscope_profile::file::read(file, "the profile").unwrap();
    assert_eq!(profile.run.end, End::Ending, "{ending}");
    let mut shown = Vec::new();
    memscope_report::text::write(&profile, &Default::default(), &mut shown).unwrap();
    let shown = String::from_utf8(shown).unwrap();
    assert!(shown.contains(", and kept this itself at its end, pid "), "{ending}: {shown}");
    assert!(!shown.contains("running") && !shown.contains("live now"), "{ending}: {shown}");
    let sites = profile.sites.iter().filter(|site| site.counts.live_bytes() == 12_345);
    (text, sites.count())
}

fn a_program_that_frees_everything_has_no_leaks() {
    let (text, sites) = end("clean");
    assert_eq!(sites, 0, "{text}");
    assert!(text.contains("Leaks: none"), "{text}");
    assert_eq!(text.matches("Kept in").count(), 1, "{text}");
}

fn what_was_recorded_is_kept_however_it_ends() {
    for ending in ["return", "panic", "exit"] {
        let (text, sites) = end(ending);
        assert_eq!(sites, 1, "{ending}: {text}");
        assert!(text.contains("12,345 bytes in 1 block, alive at the end"), "{ending}: {text}");
        assert!(text.contains("session::forget"), "{ending}: {text}");
        // The panic that is under way is alive as well.
        let leaks = if ending == "panic" { "Leaks: 2\n" } else { "Leaks: 1\n" };
        assert!(text.contains(leaks), "{ending}: {text}");
        assert_eq!(text.matches("Kept in").count(), 1, "{ending}: {text}");
    }
}

/// Lets a process end without the end of its session, and looks at it before, if it is to be killed. Returns its id.
fn end_early(ending: &str, file: Option<&PathBuf>, before: impl FnOnce(u32)) -> u32 {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let mut process = Command::new(std::env::current_exe().unwrap())
        .env(ENDING, ending)
        .env(PROFILE, folder.join(format!("session-{ending}")))
        .env("MEMSCOPE_MODE", if ending == "left" { "off" } else { "exact" })
        .envs(file.map(|file| ("MEMSCOPE_FILE", file)))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let said = BufReader::new(process.stdout.take().unwrap()).lines();
    let mut said = said.map_while(Result::ok);
    let is_ready = said.any(|line| line == "ready");
    assert_eq!(is_ready, ending == "killed");
    if is_ready {
        before(process.id());
        process.kill().unwrap();
        // Nobody else has the pipe.
        assert_eq!(said.count(), 0);
    }
    let has_code = process.wait().unwrap().code().is_some();
    assert_eq!(has_code, !matches!(ending, "killed" | "aborted"), "{ending}");
    process.id()
}

/// The region of a process that ended early is in this file, with what it never freed.
fn assert_kept(file: &PathBuf, pid: u32, ending: &str) {
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let region = memscope_profile::Region::open_path(file).unwrap();
    let profile = region.read(End::Unknown).unwrap().profile;
    let sites = profile.sites.iter().filter(|site| site.counts.live_bytes() == 12_345);
    assert_eq!(sites.count(), 1, "{ending}");
    assert_eq!(profile.run.pid, pid);
    std::fs::remove_file(file).unwrap();
}

/// A process whose recording is in a file is ended by a signal: the recording is there.
fn a_file_outlives_a_signal() {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("region");
    for ending in ["killed", "aborted"] {
        // There is no need for a keeper.
        let pid = end_early(ending, Some(&file), |pid| assert!(children(pid).is_empty()));
        assert_kept(&file.with_extension(pid.to_string()), pid, ending);
    }
}

/// The ids of a process's children.
fn children(parent: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let parent = parent.to_string();
    pids.filter(|pid| stat(*pid).is_some_and(|fields| fields[1] == parent)).collect()
}

/// What the system says of a process, from its state on.
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(text.rsplit_once(") ")?.1.split(' ').map(str::to_owned).collect())
}

/// Waits up to ten seconds until something is so.
fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let since = std::time::Instant::now();
    while !is_so() {
        assert!(since.elapsed().as_secs() < 10, "{what}");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

/// Without a file, whatever ends the process, its keeper writes the recording into one.
fn a_keeper_outlives_the_process() {
    for ending in ["killed", "aborted", "left", "replaced"] {
        let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("session-{ending}"));
        let _ = std::fs::remove_file(&file);
        let mut keeper = None;
        let pid = end_early(ending, None, |pid| keeper = Some(look_at_keeper(pid)));
        wait_until("the file is there", || file.exists());
        assert_kept(&file, pid, ending);
        if let Some(keeper) = keeper {
            // Whoever adopts it may not wait for it.
            wait_until("the keeper is gone", || {
                stat(keeper).is_none_or(|fields| fields[0] == "Z" || fields[0] == "X")
            });
        }
    }
}

/// A filter of system calls may end a process that forks: so there is no keeper, and that is said, unless the parent has the same
/// filter, as in a container.
fn where_a_fork_may_be_forbidden_there_is_no_keeper() {
    let inner = inner_path(&Path::new(env!("CARGO_TARGET_TMPDIR")).join("session-confined"));
    let _ = std::fs::remove_file(&inner);
    let (text, sites) = end("confined");
    assert_eq!(sites, 0, "{text}");
    assert_eq!(
        text.matches("if this process is killed, nothing will be kept").count(),
        1,
        "{text}"
    );
    wait_until("the inner process's file is there", || inner.exists());
}

/// A keeper has nothing of the program's but its code and its region, and cannot be ended with it by mistake.
fn look_at_keeper(program: u32) -> u32 {
    let [keeper] = children(program)[..] else { panic!("one keeper") };
    let of_keeper = |what: &str| format!("/proc/{keeper}/{what}");
    let name = "memscope-keeper";
    let read = |what| std::fs::read_to_string(of_keeper(what)).unwrap();
    wait_until("its memory is given back", || !read("maps").contains("[heap]"));
    wait_until("it sleeps", || stat(keeper).unwrap()[0] == "S");
    assert!(read("comm").trim() == name && read("cmdline").trim_end_matches('\0') == name);
    assert!(!read("maps").contains("memfd:memscope"));
    let files = std::fs::read_dir(of_keeper("fd")).unwrap().flatten();
    let files: Vec<_> = files.map(|file| std::fs::read_link(file.path()).unwrap()).collect();
    assert_eq!(files.len(), 2, "{files:?}");
    assert_ne!(stat(keeper).unwrap()[3], stat(program).unwrap()[3], "a session of its own");
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
        // SAFETY: plain numbers.
        assert_eq!(unsafe { libc::kill(keeper as i32, signal) }, 0);
    }
    keeper
}

/// When the profile was kept, the file is no longer needed.
fn a_file_goes_when_the_profile_was_kept() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("regions");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir(&folder).unwrap();
    let (text, sites) = end_with("return", &[("MEMSCOPE_FILE", folder.join("region"))]);
    assert_eq!((sites, text.matches("Kept in").count()), (1, 1), "{text}");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
}

// Without the harness, which keeps what it allocates: what the started processes leave behind is their own.
fn main() {
    if cfg!(feature = "off") {
        return;
    }
    if let Ok(ending) = std::env::var(ENDING) {
        child(&ending);
        return;
    }
    what_was_recorded_is_kept_however_it_ends();
    a_backtrace_is_no_leak();
    a_program_that_frees_everything_has_no_leaks();
    a_file_outlives_a_signal();
    a_keeper_outlives_the_process();
    where_a_fork_may_be_forbidden_there_is_no_keeper();
    a_file_goes_when_the_profile_was_kept();
}
