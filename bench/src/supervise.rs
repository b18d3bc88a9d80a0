//! One run of one contender: its CPU time and memory, and, under memscope, what was recorded.
//!
//! This process stands in for `memscope run`: the library connects, sends its region and goes on. Both wait in the
//! socket until the program has ended; nothing of ours runs beside it, so the coarse clock of birth times stands still.

use crate::contender::Contender;
use crate::programs::Programs;
use crate::{Case, Result};
use memscope_profile::Region;
use memscope_profile::model::End;
use memscope_region::hello::Hello;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SocketAddrUnix,
    SocketFlags, SocketType, accept_with, bind, listen, recvmsg, socket_with,
};
use serde::Serialize;
use std::fs::File;
use std::io::{IoSliceMut, Read};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use wait4::Wait4;

/// What one run cost.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Cost {
    /// User and system time, of the process and of children that it waited for.
    pub(crate) cpu_ns: u64,
    /// Largest resident set, as the program says itself if it is one of ours; else as wait4 reports it, which is no
    /// less than this process's own.
    pub(crate) rss_bytes: u64,
}

/// What memscope counted in one run.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Recorded {
    /// Allocations, a realloc counting as one: the events that costs are divided by.
    pub(crate) allocations: u64,
    /// Allocation sites: distinct stacks and kinds of call.
    pub(crate) sites: u64,
    /// Blocks alive at the peak.
    pub(crate) peak_blocks: u64,
    /// Events that should have been recorded.
    pub(crate) attempts: u64,
    /// Events that were.
    pub(crate) successes: u64,
}

/// Receives the regions of programs.
#[derive(Debug)]
pub(crate) struct Supervisor {
    socket: OwnedFd,
    name: String,
}

impl Supervisor {
    /// Opens a socket.
    ///
    /// # Errors
    /// If the system gives none.
    pub(crate) fn new() -> Result<Self> {
        let name = format!("memscope-bench-{}", std::process::id());
        let open = || -> rustix::io::Result<OwnedFd> {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
            bind(&socket, &SocketAddrUnix::new_abstract_name(name.as_bytes())?)?;
            listen(&socket, 16)?;
            Ok(socket)
        };
        let socket = open().map_err(|error| format!("cannot open a socket: {error}"))?;
        Ok(Self { socket, name })
    }

    /// Runs the case once.
    ///
    /// # Errors
    /// If it cannot be started or does not succeed, or if memscope recorded nothing.
    pub(crate) fn run(
        &self,
        contender: Contender,
        case: &Case,
        programs: &Programs,
    ) -> Result<(Cost, Option<File>)> {
        self.run_saying(contender, case, programs).map(|(cost, region, _)| (cost, region))
    }

    /// The same, with what the program said on stderr.
    ///
    /// # Errors
    /// See [`Supervisor::run`].
    pub(crate) fn run_saying(
        &self,
        contender: Contender,
        case: &Case,
        programs: &Programs,
    ) -> Result<(Cost, Option<File>, String)> {
        let what = format!("{} ({})", case.name, contender.name());
        let mut child = contender
            .command(case, programs, &self.name)
            .spawn()
            .map_err(|error| format!("{what} cannot be started: {error}"))?;
        let mut said = Vec::new();
        if let Some(mut stderr) = child.stderr.take() {
            stderr.read_to_end(&mut said).map_err(|error| format!("{what}: {error}"))?;
        }
        let used = child.wait4().map_err(|error| format!("{what} cannot be awaited: {error}"))?;
        let region = self.receive();
        if !used.status.success() {
            return Err(format!(
                "{what} failed ({}): {}",
                used.status,
                String::from_utf8_lossy(&said)
            ));
        }
        if contender == Contender::Memscope && region.is_none() {
            return Err(format!("{what} sent no region"));
        }
        let said = String::from_utf8_lossy(&said).into_owned();
        let cost = Cost {
            cpu_ns: (used.rusage.utime + used.rusage.stime).as_nanos() as u64,
            rss_bytes: own_words(&said).unwrap_or(used.rusage.maxrss),
        };
        Ok((cost, region, said))
    }

    /// The first of the regions that were sent. The others go.
    fn receive(&self) -> Option<File> {
        let mut first = None;
        while let Ok(caller) = accept_with(&self.socket, SocketFlags::CLOEXEC) {
            let mut bytes = [0; Hello::BYTES];
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut attached = RecvAncillaryBuffer::new(&mut space);
            let received = recvmsg(
                &caller,
                &mut [IoSliceMut::new(&mut bytes)],
                &mut attached,
                RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT,
            );
            let region = attached.drain().find_map(|message| match message {
                RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
                _ => None,
            });
            if received.is_ok() && Hello::decode(&bytes).is_some() {
                first = first.or(region);
            }
        }
        first.map(File::from)
    }
}

/// The resident set in a line `VmHWM: 12 kB`, if there is one.
fn own_words(said: &str) -> Option<u64> {
    let line = said.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok().map(|kib: u64| kib << 10)
}

/// Reads what the region of a program that has ended holds.
///
/// # Errors
/// If it cannot be read.
pub(crate) fn recorded(region: File) -> Result<Recorded> {
    let profile = Region::open(region)
        .and_then(|region| region.read(End::Exited(0)))
        .map_err(|error| error.to_string())?
        .profile;
    Ok(Recorded {
        allocations: profile.totals.allocations,
        sites: profile.sites.len() as u64,
        peak_blocks: profile.totals.peak_blocks,
        attempts: profile.completeness.attempts,
        successes: profile.completeness.successes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_may_say_how_large_it_was() {
        assert_eq!(own_words("a\nVmHWM:\t    12 kB\n"), Some(12 << 10));
        assert_eq!(own_words("VmHWM: many\n"), None);
    }
}
