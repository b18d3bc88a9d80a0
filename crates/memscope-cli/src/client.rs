//! Asks the `memscope run` that holds a running process: for its profile, or to note a moment.
//!
//! The supervisors of this machine are found by the names of their sockets, and each is asked in turn, for only it knows
//! which processes are its own. Deliberately absent: any look at the process itself, which is not disturbed.

use crate::control::{DONE, FAILED, PREFIX, is_allowed};
use crate::error::{Error, reason};
use crate::request::{REQUEST_BYTES, Request};
use memscope_profile::{Profile, file};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, SocketAddrUnix,
    SocketFlags, SocketType, connect, recvmsg, send, socket_with,
};
use std::fs::File;
use std::io::{self, IoSliceMut, Seek};
use std::mem::MaybeUninit;
use std::time::Duration;

/// The profile of a running process, without symbols.
pub(crate) fn read(pid: u32) -> Result<Profile, Error> {
    let descriptor = ask(pid, &Request::Read(pid))?;
    let mut packed = descriptor.ok_or_else(|| Error::new("memscope answered without a profile"))?;
    packed.rewind().map_err(|error| Error::new(reason(&error)))?;
    file::read(packed, &format!("the profile of process {pid}"))
        .map_err(|error| Error::new(error.to_string()).hint(error.hint()))
}

/// Notes a moment of a running process.
pub(crate) fn mark(pid: u32, text: &str) -> Result<(), Error> {
    // What does not fit is cut at a character.
    let mut end = text.len().min(REQUEST_BYTES - 8);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    ask(pid, &Request::Mark(pid, text[..end].to_owned())).map(drop)
}

/// How often the supervisors are looked for, and how long is waited in between.
const LOOKS: u32 = 3;
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// Asks each supervisor until one knows the process.
fn ask(pid: u32, request: &Request) -> Result<Option<File>, Error> {
    for look in 0..LOOKS {
        // The kernel's list is read in pieces, and may lack a socket where others come and go meanwhile.
        if look > 0 {
            std::thread::sleep(BETWEEN_LOOKS);
        }
        let names = std::fs::read_to_string("/proc/net/unix").unwrap_or_default();
        let names =
            names.lines().filter_map(|line| line.split_whitespace().nth(7)?.strip_prefix('@'));
        for name in names.filter(|name| name.starts_with(PREFIX)) {
            // One that has ended meanwhile, or is another user's, is not the one.
            let Ok(Some((kind, text, descriptor))) = ask_one(name, request) else { continue };
            match kind {
                DONE => return Ok(descriptor),
                FAILED => return Err(Error::new(text)),
                _ => {}
            }
        }
    }
    Err(Error::new(format!("no memscope of yours records a process {pid} that runs now")).hint(
        "Start the program with `memscope run`; then give its process id, or memscope's own.",
    ))
}

type Answer = (u8, String, Option<File>);

/// `None`: whoever listens there is not to be believed.
fn ask_one(name: &str, request: &Request) -> io::Result<Option<Answer>> {
    let socket =
        socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    connect(&socket, &SocketAddrUnix::new_abstract_name(name.as_bytes())?)?;
    if !is_allowed(&socket) {
        return Ok(None);
    }
    send(&socket, &request.encode(), SendFlags::NOSIGNAL)?;
    let mut bytes = [0; REQUEST_BYTES];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut attached = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(
        &socket,
        &mut [IoSliceMut::new(&mut bytes)],
        &mut attached,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    let descriptor = attached.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    let answer = bytes.get(..received.bytes).unwrap_or_default();
    Ok(answer.split_first().map(|(kind, text)| {
        (*kind, String::from_utf8_lossy(text).into_owned(), descriptor.map(File::from))
    }))
}
