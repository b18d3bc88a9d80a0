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
use crate::tick::{Clock, TICK_MS};
use memscope_profile::model::Timeline;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};

/// How many other processes are remembered by name.
const MAX_STRANGERS: usize = 16;

/// How the program ended, and what it left.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its exit status.
    pub(crate) status: ExitStatus,
    /// What it recorded; `None` if it never said hello.
    pub(crate) recording: Option<Recording>,
    /// How many times it executed another program in its place after it had begun to record.
    pub(crate) images_before: usize,
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
    pub(crate) timeline: Timeline,
}

/// Runs the program at `path`, called as `arguments` say, and waits for its end.
pub(crate) fn run(path: &Path, arguments: &[OsString]) -> Result<Ended, Error> {
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
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NOEXEC.raw_os_error()) => {
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
    strangers: Vec<PathBuf>,
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
        Self { child, pid, end, listener, signals, watch: None, images: 0, strangers: Vec::new() }
    }

    fn wait(mut self) -> io::Result<Ended> {
        let status = loop {
            self.wait_for_an_event()?;
            self.signals.pass_on(self.pid);
            self.receive();
            if let Some(watch) = &mut self.watch {
                watch.clock.tick();
            }
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
        };
        // What the program sent in its last moments is still in the socket.
        self.receive();
        let recording = self.watch.map(|watch| Recording {
            duration_ns: watch.clock.elapsed_ns(),
            region: watch.region,
            timeline: watch.sampler.finish(),
        });
        Ok(Ended {
            status,
            images_before: self.images.saturating_sub(1),
            recording,
            strangers: self.strangers,
        })
    }

    /// Waits for the next event or the next tick.
    fn wait_for_an_event(&self) -> io::Result<()> {
        let timeout = Timespec { tv_sec: 0, tv_nsec: TICK_MS.cast_signed() * 1_000_000 };
        let mut watched: Vec<_> = self
            .listener
            .descriptors()
            .chain([self.signals.descriptor()])
            .chain(self.end.as_ref().map(AsFd::as_fd))
            .map(|descriptor| PollFd::from_borrowed_fd(descriptor, PollFlags::IN))
            .collect();
        match poll(&mut watched, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn receive(&mut self) {
        for greeting in self.listener.receive() {
            if greeting.pid == self.pid {
                self.begin(greeting);
            } else if self.strangers.len() < MAX_STRANGERS {
                let exe = format!("/proc/{}/exe", greeting.pid.as_raw_nonzero());
                let name = std::fs::read_link(exe).unwrap_or_else(|_| "a process".into());
                if !self.strangers.contains(&name) {
                    self.strangers.push(name);
                }
            }
        }
    }

    /// The program's region takes the place of the one before, whose image is gone.
    fn begin(&mut self, greeting: Greeting) {
        let open = || -> io::Result<Watch> {
            Ok(Watch {
                clock: Clock::new(greeting.region.try_clone()?)?,
                sampler: Sampler::start(greeting.region.try_clone()?),
                region: greeting.region,
            })
        };
        if let Ok(watch) = open() {
            self.watch = Some(watch);
            self.images += 1;
        }
    }
}
