//! The socket on which a running `memscope run` is asked for what it holds: by `memscope report PID`, `save` and `mark`.
//!
//! Its name is abstract and begins with [`PREFIX`], so that it can be found; who may ask is decided by the kernel's word on
//! who is calling. One request on each connection, one answer, and the connection is closed.
//!
//! Invariants: nothing blocks the supervisor: a profile is made and sent by a thread of its own; only the user who runs
//! memscope, and root, are answered. Deliberately absent: the network.

use crate::request::{REQUEST_BYTES, Request};
use rustix::net::sockopt::socket_peercred;
use rustix::net::{
    AddressFamily, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix,
    SocketFlags, SocketType, accept_with, bind, listen, recv, sendmsg, socket_with,
};
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// How the names of such sockets begin.
pub(crate) const PREFIX: &str = "memscope-control-";

/// How many callers may be connected without having spoken.
const MAX_CALLERS: usize = 16;

/// The first byte of an answer: done (a profile comes as a descriptor), not one of ours, or failed and why.
pub(crate) const DONE: u8 = b'+';
pub(crate) const UNKNOWN: u8 = b'?';
pub(crate) const FAILED: u8 = b'-';

/// Whoever asked, waiting for an answer.
#[derive(Debug)]
pub(crate) struct Caller(OwnedFd);

impl Caller {
    /// Answers, with a descriptor if there is one. Whoever has gone is not missed.
    pub(crate) fn answer(self, kind: u8, text: &str, descriptor: Option<BorrowedFd<'_>>) {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut attached = SendAncillaryBuffer::new(&mut space);
        let descriptors: Vec<_> = descriptor.into_iter().collect();
        if !descriptors.is_empty() {
            attached.push(SendAncillaryMessage::ScmRights(&descriptors));
        }
        let bytes = [&[kind][..], text.as_bytes()].concat();
        let _ = sendmsg(&self.0, &[IoSlice::new(&bytes)], &mut attached, SendFlags::NOSIGNAL);
    }
}

/// Listens for those who ask.
#[derive(Debug)]
pub(crate) struct Control {
    socket: OwnedFd,
    /// Connected, and not yet heard.
    callers: Vec<OwnedFd>,
}

impl Control {
    /// Opens the socket.
    pub(crate) fn open() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        let name = format!("{PREFIX}{}", std::process::id());
        bind(&socket, &SocketAddrUnix::new_abstract_name(name.as_bytes())?)?;
        listen(&socket, 16)?;
        Ok(Self { socket, callers: Vec::new() })
    }

    /// What to wait on for [`Control::requests`] to have something to do.
    pub(crate) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        std::iter::once(self.socket.as_fd()).chain(self.callers.iter().map(AsFd::as_fd))
    }

    /// The requests that have arrived. Does not wait.
    pub(crate) fn requests(&mut self) -> Vec<(Caller, Request)> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        while let Ok(caller) = accept_with(&self.socket, flags) {
            if self.callers.len() == MAX_CALLERS {
                self.callers.remove(0);
            }
            self.callers.push(caller);
        }
        let mut requests = Vec::new();
        for caller in std::mem::take(&mut self.callers) {
            let mut bytes = [0; REQUEST_BYTES];
            match recv(&caller, &mut bytes, RecvFlags::empty()) {
                Ok((_, count)) if is_allowed(&caller) => {
                    let request = bytes.get(..count).and_then(Request::decode);
                    requests.extend(request.map(|request| (Caller(caller), request)));
                }
                Err(rustix::io::Errno::AGAIN) => self.callers.push(caller),
                _ => {}
            }
        }
        requests
    }
}

/// Whether the other side is the user who runs this, or root.
pub(crate) fn is_allowed(socket: &OwnedFd) -> bool {
    socket_peercred(socket).is_ok_and(|peer| {
        peer.uid.is_root()
            || peer.uid == rustix::process::geteuid()
            || peer.uid == rustix::process::getuid()
    })
}
