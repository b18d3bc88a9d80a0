//! The socket on which processes hand over their regions.
//!
//! Each process connects once, sends one [`Hello`] with its region's memfd attached, or a [`Notice`], and is gone (see
//! [`memscope_region::hello`]). The name is abstract, so that no file is left behind, and cannot be guessed.
//!
//! Invariants: nothing blocks, so a process that connects and then stalls holds up nobody; a caller of another user
//! is not listened to; the process id is the one that the kernel vouches for, not the one in the message (they differ
//! between pid namespaces). Deliberately absent: a look into the region.

use memscope_region::hello::{Hello, Notice};
use rustix::net::sockopt::socket_peercred;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SocketAddrUnix,
    SocketFlags, SocketType, accept_with, bind, listen, recvmsg, socket_with,
};
use rustix::process::Pid;
use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// How many processes may be connected without having spoken. The oldest gives way.
const MAX_CALLERS: usize = 64;

/// The longest message.
const MESSAGE_BYTES: usize = Notice::BYTES + Notice::PATH_BYTES;

/// How many calls may wait to be taken: as many as the system allows.
const BACKLOG: i32 = 4096;

/// What a process said. The process id `pid` is that of the sender, as this process numbers it.
#[derive(Debug)]
pub(crate) enum Message {
    /// It has made its region.
    Hello { pid: Pid, hello: Hello, region: File },
    /// A process is about to be, or has become, the image at a path that is not followed.
    Notice { pid: Pid, notice: Notice, path: PathBuf },
}

/// Listens for processes.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: OwnedFd,
    name: String,
    /// Connected, and not yet heard.
    callers: VecDeque<OwnedFd>,
}

impl Listener {
    /// Opens a socket with a name of its own.
    pub(crate) fn open() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        let name = format!("memscope-{}", unguessable()?);
        bind(&socket, &SocketAddrUnix::new_abstract_name(name.as_bytes())?)?;
        listen(&socket, BACKLOG)?;
        Ok(Self { socket, name, callers: VecDeque::new() })
    }

    /// The socket's name, without the leading zero byte.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What to wait on for [`Listener::receive`] to have something to do.
    pub(crate) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        std::iter::once(self.socket.as_fd()).chain(self.callers.iter().map(AsFd::as_fd))
    }

    /// The messages that have arrived, in the order of the calls. Does not wait.
    pub(crate) fn receive(&mut self) -> Vec<Message> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        while let Ok(caller) = accept_with(&self.socket, flags) {
            if self.callers.len() == MAX_CALLERS {
                self.callers.pop_front();
            }
            self.callers.push_back(caller);
        }
        let mut messages = Vec::new();
        self.callers.retain(|caller| match message(caller) {
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
            Ok(message) => {
                messages.extend(message);
                false
            }
        });
        messages
    }
}

/// What the caller says; `None` if it is no message of ours.
fn message(caller: &OwnedFd) -> io::Result<Option<Message>> {
    let mut bytes = [0; MESSAGE_BYTES + 1];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut attached = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(
        caller,
        &mut [IoSliceMut::new(&mut bytes)],
        &mut attached,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    let region = attached.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    let peer = socket_peercred(caller)?;
    if peer.uid != rustix::process::geteuid() && peer.uid != rustix::process::getuid() {
        return Ok(None);
    }
    let bytes = bytes.get(..received.bytes).unwrap_or_default();
    Ok(match (Hello::decode(bytes), region, Notice::decode(bytes)) {
        (Some(hello), Some(region), _) => {
            Some(Message::Hello { pid: peer.pid, hello, region: File::from(region) })
        }
        (None, None, Some((notice, path))) => {
            let path = PathBuf::from(OsStr::from_bytes(path));
            Some(Message::Notice { pid: peer.pid, notice, path })
        }
        _ => None,
    })
}

/// 128 random bits in hexadecimal.
fn unguessable() -> io::Result<String> {
    let mut bytes = [0_u8; 16];
    let mut filled = 0;
    while filled < bytes.len() {
        match rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty()) {
            Ok(count) => filled += count,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, connect, sendmsg};
    use std::io::IoSlice;
    use std::os::unix::fs::FileExt;

    fn call(listener: &Listener) -> OwnedFd {
        let socket =
            socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
                .unwrap();
        let address = SocketAddrUnix::new_abstract_name(listener.name().as_bytes()).unwrap();
        connect(&socket, &address).unwrap();
        socket
    }

    fn say(socket: &OwnedFd, bytes: &[u8], region: Option<&File>) {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut attached = SendAncillaryBuffer::new(&mut space);
        let descriptors: Vec<_> = region.iter().map(AsFd::as_fd).collect();
        if !descriptors.is_empty() {
            assert!(attached.push(SendAncillaryMessage::ScmRights(&descriptors)));
        }
        sendmsg(socket, &[IoSlice::new(bytes)], &mut attached, SendFlags::empty()).unwrap();
    }

    #[test]
    fn a_greeting_arrives_with_its_region_after_the_caller_has_gone() {
        let mut listener = Listener::open().unwrap();
        assert!(listener.receive().is_empty());
        let region = tempfile::tempfile().unwrap();
        region.write_all_at(b"region", 0).unwrap();
        let caller = call(&listener);
        say(&caller, &Hello { pid: 1, parent: 0, version: 1 }.encode(), Some(&region));
        drop(caller);
        let [Message::Hello { pid, hello, region }] = &listener.receive()[..] else {
            panic!("no greeting");
        };
        assert_eq!((*pid, hello.pid), (rustix::process::getpid(), 1));
        let mut bytes = [0; 6];
        region.read_exact_at(&mut bytes, 0).unwrap();
        assert_eq!(&bytes, b"region");
        assert!(listener.callers.is_empty());
    }

    #[test]
    fn a_notice_brings_a_path() {
        let mut listener = Listener::open().unwrap();
        let head = Notice { pid: 7, parent: 8 }.encode();
        say(&call(&listener), &[&head[..], b"/bin/x y"].concat(), None);
        let [Message::Notice { notice, path, .. }] = &listener.receive()[..] else {
            panic!("no notice");
        };
        assert_eq!((notice.pid, notice.parent, path.to_str()), (7, 8, Some("/bin/x y")));
    }

    #[test]
    fn who_is_silent_holds_up_nobody_and_who_talks_nonsense_is_dropped() {
        let mut listener = Listener::open().unwrap();
        let silent = call(&listener);
        let region = tempfile::tempfile().unwrap();
        let hello = Hello { pid: 1, parent: 0, version: 1 }.encode();
        say(&call(&listener), b"nonsense", Some(&region));
        say(&call(&listener), &[hello.as_slice(), b"!"].concat(), Some(&region));
        say(&call(&listener), &hello, None);
        drop(call(&listener));
        // A process that another test forks meanwhile has the dropped ends open until it calls exec.
        for _ in 0..1000 {
            assert!(listener.receive().is_empty());
            if listener.callers.len() == 1 {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        assert_eq!(listener.callers.len(), 1);
        say(&silent, &hello, Some(&region));
        assert_eq!(listener.receive().len(), 1);
        let many: Vec<_> = (0..MAX_CALLERS + 3)
            .map(|_| {
                let caller = call(&listener);
                assert!(listener.receive().is_empty());
                caller
            })
            .collect();
        assert_eq!(listener.callers.len(), MAX_CALLERS);
        drop(many);
    }
}
