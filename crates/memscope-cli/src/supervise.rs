//! The supervisor: runs the program, holds its region, keeps the clock going, and waits for the end.
//!
//! One loop waits on three things at once: signals, processes that hand over their regions, and the program's end.
//! It wakes for the clock's tick in any case. A second thread samples the region for the timeline (see
//! [`crate::sampler`]), so that a large region does not hold up the clock.
//!
//! Invariants: the program has the standard streams, the descriptors, the process group, the dispositions and the
//! mask that it would have had (see [`crate::signals`]); its region outlives it, however it ends, because the
//! supervisor holds it open. Deliberately absent: children. They are named, and not followed.

use crate::error::{Error, NOT_EXECUTABLE, reason};
use crate::listener::{Greeting, Listener};
use crate::preload::Preload;
use crate::program;
use crate::sampler::Sampler;
use crate::signals::Signals;
use crate::tick::{Clock, TICK_MS, elapsed_ns};
use memscope_profile::timeline::Recorder;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

/// How many other processes are remembered by name.
const MAX_STRANGERS: usize = 16;

/// How often it is looked whether the process still has the executable that it had.
const EXE_INTERVAL: Duration = Duration::from_millis(100);

/// How the program ended, and what it left.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its exit status.
    pub(crate) status: ExitStatus,
    /// How many times it executed another program in its place after it had begun to record.
    pub(crate) images_before: usize,
    /// The executable that the process had at last, as far as was seen.
    pub(crate) last_exe: PathBuf,
    /// Executables of other processes that said hello, each once; not all, if there were very many.
    pub(crate) strangers: Vec<PathBuf>,
}

/// A program's region and what was seen of it while it ran.
#[derive(Debug)]
pub(crate) struct Recording {
    /// The region.
    pub(crate) region: File,
    /// From the region's start to the program's end.
    pub(crate) duration_ns: u64,
    /// Samples taken meanwhile.
    pub(crate) samples: Recorder,
}

/// Runs the program at `path`, called as `arguments` say, and waits for its end. The recording is `None` if the
/// program never said hello.
pub(crate) fn run(
    path: &Path,
    arguments: &[OsString],
) -> Result<(Ended, Option<Recording>), Error> {
    let failed = |what: &str, error: io::Error| Error::new(format!("{what}: {}", reason(&error)));
    let listener = Listener::open()
        .map_err(|error| failed("cannot open a socket for the program's region", error))?;
    let signals =
        Signals::install().map_err(|error| failed("cannot install signal handlers", error))?;
    let preload = Preload::new()?;
    let child = spawn(path, arguments, |command| preload.apply(command, listener.name()))?;
    Supervisor::new(child, listener, signals)
        .wait()
        .map_err(|error| failed("cannot wait for the program", error))
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
    watch: Option<Watch>,
    images: usize,
    last_exe: PathBuf,
    /// When it was looked at.
    exe_seen: Instant,
    strangers: Vec<PathBuf>,
}

/// What a wait ended with.
struct Ready {
    signals: bool,
    end: bool,
    listener: bool,
}

/// The program's region while the program runs.
struct Watch {
    region: File,
    clock: Clock,
    sampler: Sampler,
}

impl Supervisor {
    fn new(child: Child, listener: Listener, signals: Signals) -> Self {
        let pid = Pid::from_child(&child);
        let end = pidfd_open(pid, PidfdFlags::empty()).ok();
        Self {
            child,
            pid,
            end,
            listener,
            signals,
            watch: None,
            images: 0,
            last_exe: PathBuf::new(),
            exe_seen: Instant::now(),
            strangers: Vec::new(),
        }
    }

    fn wait(mut self) -> io::Result<(Ended, Option<Recording>)> {
        let status = loop {
            let ready = self.wait_for_an_event()?;
            if ready.signals {
                self.signals.pass_on(self.pid);
            }
            if ready.listener {
                self.receive();
            }
            if let Some(watch) = &mut self.watch {
                watch.clock.tick();
                if self.exe_seen.elapsed() >= EXE_INTERVAL {
                    // Once it has ended there is nothing to be seen, and the name of before stays.
                    self.last_exe = exe(self.pid).unwrap_or(self.last_exe);
                    self.exe_seen = Instant::now();
                }
            }
            if ready.end
                && let Some(status) = self.child.try_wait()?
            {
                break status;
            }
        };
        // What the program sent in its last moments is still in the socket.
        self.receive();
        let recording = self.watch.map(|watch| Recording {
            duration_ns: elapsed_ns(watch.clock.start_ns()),
            region: watch.region,
            samples: watch.sampler.finish(),
        });
        let images_before = self.images.saturating_sub(1);
        let Self { last_exe, strangers, .. } = self;
        Ok((Ended { status, images_before, last_exe, strangers }, recording))
    }

    /// Waits for the next event or the next tick.
    fn wait_for_an_event(&self) -> io::Result<Ready> {
        let watched = |descriptor| PollFd::from_borrowed_fd(descriptor, PollFlags::IN);
        let timeout = Timespec { tv_sec: 0, tv_nsec: TICK_MS.cast_signed() * 1_000_000 };
        let mut all = vec![watched(self.signals.descriptor())];
        all.extend(self.end.as_ref().map(|end| watched(end.as_fd())));
        let others = all.len();
        all.extend(self.listener.descriptors().map(watched));
        match poll(&mut all, Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let is_ready = |descriptor: &PollFd<'_>| !descriptor.revents().is_empty();
        Ok(Ready {
            signals: is_ready(&all[0]),
            end: self.end.is_none() || is_ready(&all[1]),
            listener: all[others..].iter().any(is_ready),
        })
    }

    fn receive(&mut self) {
        for greeting in self.listener.receive() {
            if greeting.pid == self.pid {
                self.begin(greeting);
            } else if self.strangers.len() < MAX_STRANGERS {
                let name = exe(greeting.pid).unwrap_or_else(|| "a process that soon ended".into());
                if !self.strangers.contains(&name) {
                    self.strangers.push(name);
                }
            }
        }
    }

    /// The program's region takes the place of the one before, whose image is gone.
    fn begin(&mut self, greeting: Greeting) {
        let open = || -> io::Result<Watch> {
            let clock = Clock::new(greeting.region.try_clone()?)?;
            let sampler = Sampler::start(greeting.region.try_clone()?, clock.start_ns())?;
            Ok(Watch { region: greeting.region, clock, sampler })
        };
        if let Ok(watch) = open() {
            self.watch = Some(watch);
            self.images += 1;
            self.last_exe = PathBuf::new();
            self.exe_seen = Instant::now();
        }
    }
}

/// The executable of a process, if the process lives and we may know.
fn exe(process: Pid) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/{}/exe", process.as_raw_nonzero())).ok()
}
