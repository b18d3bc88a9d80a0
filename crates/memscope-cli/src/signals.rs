//! What memscope does with signals, so that the program does not notice it.
//!
//! - SIGINT and SIGQUIT from the terminal reach the program itself, since both are in the terminal's foreground
//!   group; memscope stays, because it has a report to write. Where no terminal can have sent them, they were sent
//!   to memscope and are forwarded.
//! - SIGTERM, SIGHUP, SIGUSR1 and SIGUSR2 are forwarded.
//! - SIGTSTP and the other stops have their default effect: the terminal stops both, `fg` continues both.
//! - SIGCHLD says that the program stopped. If it stopped alone and a shell with job control waits for memscope, then
//!   memscope stops as well, so that the shell has its prompt; a SIGCONT is then passed on.
//!
//! Invariants: only handlers are used, never "ignore" and never a mask, because exec resets handlers to the default
//! and keeps the other two: the program starts with the dispositions and the mask that memscope was started with. A
//! signal that was ignored when memscope started is left alone for the same reason. (Two exceptions. The Rust runtime
//! ignores SIGPIPE before `main`, and the program gets the default back. And SIGCHLD is always handled: were it
//! ignored, the kernel would throw the program's exit status away.)
//!
//! A signal that is sent to the whole process group reaches the program twice, once forwarded.

use crate::output;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// The signals that memscope handles while the program runs.
const HANDLED: [i32; 8] = [SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];

/// Those that ask a process to stop.
const STOPPING: [i32; 4] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM];

/// The signals that arrived, in no order.
#[derive(Debug)]
pub(crate) struct Signals {
    delivery: SignalDelivery<UnixStream, SignalOnly>,
}

impl Signals {
    /// Installs the handlers. They stay for the life of the process.
    pub(crate) fn install() -> io::Result<Self> {
        let ignored = std::fs::read_to_string("/proc/self/status")
            .map(|status| ignored_signals(&status))
            .unwrap_or_default();
        let handled = HANDLED
            .into_iter()
            .filter(|&signal| signal == SIGCHLD || ignored & 1 << (signal - 1) == 0);
        let (read, write) = UnixStream::pair()?;
        let delivery = SignalDelivery::with_pipe(read, write, SignalOnly, handled)?;
        Ok(Self { delivery })
    }

    /// What to wait on for a signal.
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.delivery.get_read().as_fd()
    }

    /// Whether one of the signals that arrived asks memscope itself to stop, when there is no program any more to pass
    /// them on to. Does not wait.
    pub(crate) fn asks_to_stop(&mut self) -> bool {
        self.delivery.pending().any(|number| STOPPING.contains(&number))
    }

    /// The program has ended, and what is left is memscope's own work: from here on, who asks it to stop ends it.
    pub(crate) fn end_by_themselves(mut self) {
        let wait = move || loop {
            let mut all = [PollFd::new(self.delivery.get_read(), PollFlags::IN)];
            let _ = poll(&mut all, None);
            let asks = self.delivery.pending().find(|it| STOPPING.contains(it));
            if let Some(number) = asks {
                output::remove_unfinished();
                std::process::exit(128 + number);
            }
        };
        // Without a thread the work is done to its end.
        let _ = std::thread::Builder::new().name("signals".to_owned()).spawn(wait);
    }

    /// Deals with the signals that arrived. Does not wait.
    pub(crate) fn pass_on(&mut self, program: Pid) {
        let mut may_have_stopped = false;
        let mut continued = false;
        for number in self.delivery.pending() {
            match number {
                SIGCHLD => may_have_stopped = true,
                SIGCONT => continued = true,
                SIGINT | SIGQUIT if is_in_foreground() => {}
                _ => send(program, number),
            }
        }
        if continued && is_stopped(program) {
            send(program, SIGCONT);
        } else if may_have_stopped && !continued && has_shell() && is_stopped(program) {
            // The terminal's Ctrl-Z reaches us a moment before or after the program. Whoever continues us then
            // continues both, and there is nothing left to do.
            std::thread::sleep(Duration::from_millis(20));
            if is_stopped(program) {
                let _ = kill_process(rustix::process::getpid(), Signal::STOP);
            }
        }
    }
}

/// The program may be gone, or run as somebody else; then there is nobody to tell.
fn send(program: Pid, number: i32) {
    if let Some(signal) = Signal::from_named_raw(number) {
        let _ = kill_process(program, signal);
    }
}

/// What `/proc/<pid>/stat` says of a process and its terminal. The ids may be 0, which stands for a process outside our
/// namespace of process ids (the leader of a container's session); so they are numbers here, and not [`Pid`]s.
#[derive(Debug, PartialEq, Eq)]
struct Standing {
    state: char,
    parent: i32,
    group: i32,
    session: i32,
    /// The foreground group of the controlling terminal, -1 without one.
    foreground_group: i32,
}

impl Standing {
    fn of(process: impl std::fmt::Display) -> Option<Self> {
        Self::read(&std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?)
    }

    /// The name before the state, in parentheses, may hold anything.
    fn read(stat: &str) -> Option<Self> {
        let mut fields = stat.rsplit_once(") ")?.1.split_ascii_whitespace();
        let state = fields.next()?.chars().next()?;
        let mut number = || fields.next()?.parse::<i32>().ok();
        let (parent, group, session) = (number()?, number()?, number()?);
        let _terminal = number()?;
        Some(Self { state, parent, group, session, foreground_group: number()? })
    }

    /// Whether its group is the foreground group of a terminal.
    fn is_in_foreground(&self) -> bool {
        self.group != 0 && self.group == self.foreground_group
    }
}

/// Whether our group is the foreground group of a terminal.
fn is_in_foreground() -> bool {
    Standing::of("self").is_some_and(|ours| ours.is_in_foreground())
}

/// Whether our parent is a shell with job control: of our session, and with us in a group of our own that has the
/// terminal. Only then will somebody continue us.
fn has_shell() -> bool {
    let Some(ours) = Standing::of("self") else { return false };
    let Some(parent) = Standing::of(ours.parent) else { return false };
    parent.session == ours.session && parent.group != ours.group && ours.is_in_foreground()
}

/// Whether a process is stopped at this moment.
fn is_stopped(process: Pid) -> bool {
    Standing::of(process.as_raw_nonzero()).is_some_and(|standing| standing.state == 'T')
}

/// The mask of ignored signals in `/proc/<pid>/status`; bit 0 is signal 1.
fn ignored_signals(status: &str) -> u64 {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_writes_is_read() {
        assert_eq!(ignored_signals("Name:\tx\nSigBlk:\t01\nSigIgn:\t0000000000001000\n"), 0x1000);
        assert_eq!(ignored_signals(""), 0);
    }

    #[test]
    fn a_process_of_another_namespace_leads_the_session() {
        let standing = Standing::read("12 (a) T b) S 1 0 0 0 -1 4194560").unwrap();
        let read = Standing { state: 'S', parent: 1, group: 0, session: 0, foreground_group: -1 };
        assert_eq!(standing, read);
        assert!(!standing.is_in_foreground());
        assert!(!Standing { foreground_group: 0, ..standing }.is_in_foreground());
        assert!(Standing::read("12 (sh) S 1 7 5 34816 7 4194560").unwrap().is_in_foreground());
        assert_eq!(Standing::read("12 (a"), None);
        assert_eq!(Standing::read("12 (a) S 1 2"), None);
    }
}
