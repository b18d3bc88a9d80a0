//! The supervisor: runs the program, holds its region and those of its children, keeps their clocks going, and waits
//! for the end.
//!
//! One loop waits on three things at once: signals, processes that hand over their regions, and the end of any of them.
//! It wakes for the clock's tick in any case. Other threads sample the regions for the timeline (see
//! [`crate::sampler`]) and read those of children that have ended (see [`crate::keeper`]), so that a large region does
//! not hold up the clocks.
//!
//! Invariants: the program has the standard streams, the descriptors, the process group, the dispositions, the mask and
//! the limits that it would have had (see [`crate::signals`]); a region outlives its process, however that ends, because
//! the supervisor holds it open.

use crate::choice::Choice;
use crate::control::{Control, DONE, UNKNOWN};
use crate::error::{Error, NOT_EXECUTABLE, reason};
use crate::keeper::Keeper;
use crate::listener::Listener;
use crate::preload::{Orders, Preload};
use crate::processes::{Outcome, Processes};
use crate::program;
use crate::request::Request;
use crate::signals::Signals;
use crate::terminal::Voice;
use crate::tick::TICK_MS;
use memscope_profile::model::End;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Resource, getrlimit, pidfd_open, setrlimit};
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often it is looked whether the process still has the executable that it had.
const EXE_INTERVAL: Duration = Duration::from_millis(100);

/// How long it is waited, when the program has ended, for children that it made and that said nothing yet.
const PATIENCE: Duration = Duration::from_millis(100);

/// What to run, and how.
#[derive(Debug)]
pub(crate) struct Task<'a> {
    /// The program's file.
    pub(crate) path: &'a Path,
    /// Its name and its arguments.
    pub(crate) arguments: &'a [OsString],
    /// What it is told to do otherwise than usual.
    pub(crate) orders: Orders,
    /// Which children's profiles are kept; `None`: no child's.
    pub(crate) kept: Option<Choice>,
    /// Whether to wait for the children as well.
    pub(crate) waits: bool,
    /// Where and how often the profile is saved while the program runs.
    pub(crate) saved: Option<(PathBuf, Duration)>,
}

/// Runs the program and waits for its end.
pub(crate) fn run(task: Task<'_>) -> Result<(ExitStatus, Outcome), Error> {
    let failed = |what: &str, error: io::Error| Error::new(format!("{what}: {}", reason(&error)));
    let listener = Listener::open()
        .map_err(|error| failed("cannot open a socket for the program's region", error))?;
    let signals =
        Signals::install().map_err(|error| failed("cannot install signal handlers", error))?;
    let preload = Preload::new()?;
    let keeper =
        Keeper::start(task.kept.clone()).map_err(|error| failed("cannot start a thread", error))?;
    let apply = |command: &mut Command| preload.apply(command, listener.name(), task.orders);
    let child = spawn(task.path, task.arguments, apply)?;
    raise_limits();
    Supervisor::new(child, listener, signals, keeper, &task)
        .wait(task.waits)
        .map_err(|error| failed("cannot wait for the program", error))
}

/// Each process takes a few descriptors of ours, and profiles are files. The program was started with the limits as they
/// were.
fn raise_limits() {
    for resource in [Resource::Nofile, Resource::Fsize] {
        let mut limit = getrlimit(resource);
        limit.current = limit.maximum;
        // Where it cannot be raised, processes beyond it are not followed.
        let _ = setrlimit(resource, limit);
    }
}

/// Starts the program. A text without `#!` is given to the shell, as `execvp` does.
fn spawn(
    path: &Path,
    arguments: &[OsString],
    prepare: impl Fn(&mut Command),
) -> Result<Child, Error> {
    let (name, rest) = arguments.split_first().ok_or_else(|| Error::new("no program is named"))?;
    let mut command = Command::new(path);
    command.arg0(name).args(rest);
    prepare(&mut command);
    match command.spawn() {
        Err(error) if error.raw_os_error() == Some(Errno::NOEXEC.raw_os_error()) => {
            let mut shell = Command::new("/bin/sh");
            shell.arg(path).args(rest);
            prepare(&mut shell);
            shell.spawn().map_err(|_| program::refusal(path, error).exit_code(NOT_EXECUTABLE))
        }
        result => result.map_err(|error| program::refusal(path, error)),
    }
}

struct Supervisor {
    child: Child,
    pid: Pid,
    /// Readable when the program has ended. `None`: the kernel has no such thing; the tick looks.
    end: Option<OwnedFd>,
    listener: Listener,
    signals: Signals,
    processes: Processes,
    /// When the program's executable was looked at.
    exe_seen: Instant,
    /// Whether children say hello.
    listens: bool,
    control: Option<Control>,
    saved: Option<(PathBuf, Duration)>,
    last_saved: Instant,
    saving: Option<JoinHandle<Result<(), Error>>>,
}

/// What a wait ended with.
struct Ready {
    signals: bool,
    end: bool,
    listener: bool,
    control: bool,
    others: bool,
}

impl Supervisor {
    fn new(
        child: Child,
        listener: Listener,
        signals: Signals,
        keeper: Keeper,
        task: &Task<'_>,
    ) -> Self {
        let pid = Pid::from_child(&child);
        Self {
            end: pidfd_open(pid, PidfdFlags::empty()).ok(),
            processes: Processes::new(pid, keeper, task.orders.waits),
            // Without it the program runs as well; only nobody can ask.
            control: Control::open().ok(),
            saved: task.saved.clone(),
            last_saved: Instant::now(),
            saving: None,
            exe_seen: Instant::now(),
            listens: !task.orders.no_children,
            child,
            pid,
            listener,
            signals,
        }
    }

    fn wait(mut self, waits: bool) -> io::Result<(ExitStatus, Outcome)> {
        let status = loop {
            let ready = self.wait_for_an_event()?;
            if ready.signals {
                self.signals.pass_on(self.pid);
            }
            self.attend(&ready);
            if self.exe_seen.elapsed() >= EXE_INTERVAL && self.processes.program_records() {
                // Once it has ended there is nothing to be seen, and the name of before stays.
                if let Some(exe) = exe(self.pid) {
                    self.processes.saw_program(exe);
                }
                self.exe_seen = Instant::now();
            }
            if ready.end
                && let Some(status) = self.child.try_wait()?
            {
                break status;
            }
        };
        self.end = None;
        // What the program sent in its last moments is still in the socket.
        self.part();
        let begun = Instant::now();
        while self.listens && self.processes.awaits_children() && begun.elapsed() < PATIENCE {
            let ready = self.wait_for_an_event()?;
            self.attend(&ready);
        }
        while waits && self.processes.any_child_runs() {
            let ready = self.wait_for_an_event()?;
            if ready.signals && self.signals.asks_to_stop() {
                break;
            }
            self.attend(&ready);
        }
        self.part();
        if let Some(saving) = self.saving.take() {
            // The last word is the one to come.
            let _ = saving.join();
        }
        self.signals.end_by_themselves();
        Ok((status, self.processes.finish(end(status))))
    }

    /// Parts with those that have ended. What they sent in their last moments is heard in between.
    fn part(&mut self) {
        let over = self.processes.over();
        self.receive();
        self.processes.part(&over);
    }

    fn attend(&mut self, ready: &Ready) {
        if ready.listener {
            self.receive();
        }
        if ready.others || self.processes.any_is_gone() {
            self.part();
        }
        if ready.control {
            // A process that greeted before it was asked for is known when it is.
            self.receive();
            self.answer();
        }
        self.save();
        self.processes.tick();
    }

    fn answer(&mut self) {
        for (caller, request) in self.control.as_mut().map(Control::requests).unwrap_or_default() {
            match request {
                Request::Read(pid) => match self.processes.live(pid) {
                    Some(live) => live.send(caller),
                    None => caller.answer(UNKNOWN, "", None),
                },
                Request::Mark(pid, text) => {
                    let is_known = self.processes.mark(pid, text);
                    caller.answer(if is_known { DONE } else { UNKNOWN }, "", None);
                }
            }
        }
    }

    /// Saves the profile if it is time, and the last time is over. A failure is said, and it is tried again.
    fn save(&mut self) {
        let Some((path, interval)) = &self.saved else { return };
        if self.last_saved.elapsed() < *interval {
            return;
        }
        match self.saving.take() {
            Some(saving) if !saving.is_finished() => self.saving = Some(saving),
            Some(saving) => {
                if let Ok(Err(error)) = saving.join() {
                    Voice::new(false).error(&error);
                }
            }
            None => {
                self.last_saved = Instant::now();
                let live = self.processes.live(std::process::id());
                self.saving = live.and_then(|live| live.save(path.clone()));
            }
        }
    }

    /// Waits for the next event or the next tick.
    fn wait_for_an_event(&self) -> io::Result<Ready> {
        let watched = |descriptor| PollFd::from_borrowed_fd(descriptor, PollFlags::IN);
        let timeout = Timespec { tv_sec: 0, tv_nsec: TICK_MS.cast_signed() * 1_000_000 };
        let mut all = vec![watched(self.signals.descriptor())];
        all.extend(self.end.as_ref().map(|end| watched(end.as_fd())));
        let listeners = all.len();
        all.extend(self.listener.descriptors().map(watched));
        let controls = all.len();
        all.extend(self.control.iter().flat_map(Control::descriptors).map(watched));
        let others = all.len();
        all.extend(self.processes.ends());
        match poll(&mut all, Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let is_ready = |descriptor: &PollFd<'_>| !descriptor.revents().is_empty();
        Ok(Ready {
            signals: is_ready(&all[0]),
            end: self.end.is_none() || is_ready(&all[1]),
            listener: all[listeners..controls].iter().any(is_ready),
            control: all[controls..others].iter().any(is_ready),
            others: all[others..].iter().any(is_ready),
        })
    }

    fn receive(&mut self) {
        for message in self.listener.receive() {
            self.processes.hear(message);
        }
    }
}

fn end(status: ExitStatus) -> End {
    match (status.code(), status.signal()) {
        (Some(code), _) => End::Exited(code),
        (None, Some(signal)) => End::Signaled(signal),
        (None, None) => End::Unknown,
    }
}

/// The executable of a process, if the process lives and we may know.
fn exe(process: Pid) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/{}/exe", process.as_raw_nonzero())).ok()
}
