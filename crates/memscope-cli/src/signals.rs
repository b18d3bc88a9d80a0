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

use rustix::process::{Pid, Signal, getpgid, getpgrp, getppid, getsid, kill_process};
use signal_hook::consts::{SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// The signals that memscope handles while the program runs.
const HANDLED: [i32; 8] = [SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];

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

/// Whether our group is the foreground group of a terminal.
fn is_in_foreground() -> bool {
    std::fs::File::open("/dev/tty")
        .ok()
        .and_then(|terminal| rustix::termios::tcgetpgrp(terminal).ok())
        .is_some_and(|group| group == getpgrp())
}

/// Whether our parent is a shell with job control: of our session, and with us in a group of our own that has the
/// terminal. Only then will somebody continue us.
fn has_shell() -> bool {
    let Some(parent) = getppid() else { return false };
    let same_session = getsid(Some(parent)).ok() == getsid(None).ok();
    let other_group = getpgid(Some(parent)).is_ok_and(|group| group != getpgrp());
    same_session && other_group && is_in_foreground()
}

/// Whether a process is stopped at this moment.
fn is_stopped(process: Pid) -> bool {
    std::fs::read_to_string(format!("/proc/{}/stat", process.as_raw_nonzero()))
        .ok()
        .and_then(|stat| state(&stat))
        .is_some_and(|state| state == 'T')
}

/// The state in `/proc/<pid>/stat`. The name before it, in parentheses, may hold anything.
fn state(stat: &str) -> Option<char> {
    stat.rsplit_once(") ")?.1.chars().next()
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
        assert_eq!(state("12 (a) T b) S 1 2"), Some('S'));
        assert_eq!(state("12 (a"), None);
    }
}
