//! How a profiled process hands its region to `memscope run`, and how it is told what to do.
//!
//! The supervisor listens on an abstract Unix socket (SOCK_SEQPACKET) and puts its name, without the leading zero
//! byte, into [`SOCKET_VARIABLE`]. The process connects when it has made its region, sends one [`Hello`] with the
//! memfd attached (SCM_RIGHTS), and closes the connection at once, so that no descriptor of ours stays open. A process
//! that goes on as an image without a region, or makes a child that does, says so by a [`Notice`] in the same way.

/// Names the supervisor's abstract socket.
pub const SOCKET_VARIABLE: &str = "MEMSCOPE_SOCKET";
/// What LD_PRELOAD was before memscope added itself; the process restores it. Absent: it was not set.
pub const USER_PRELOAD_VARIABLE: &str = "MEMSCOPE_USER_PRELOAD";
/// `exact`, `sampled` or `counting`; absent: exact.
pub const MODE_VARIABLE: &str = "MEMSCOPE_MODE";
/// Mean bytes between samples in mode sampled, in decimal.
pub const INTERVAL_VARIABLE: &str = "MEMSCOPE_INTERVAL";
/// Where a process that records itself makes its region, instead of in memory: a file of this name, a dot and its process id.
pub const FILE_VARIABLE: &str = "MEMSCOPE_FILE";
/// The order that the environment had, which `memscope run` cannot keep: numbers in decimal, with commas between them. After
/// our variables are gone, the entry at each place is exchanged with that at the number there. Absent: it is as it was.
pub const ORDER_VARIABLE: &str = "MEMSCOPE_ORDER";
/// What of the usual is to be done otherwise: letters, each of them one of the `OPTION_` constants. Absent: nothing.
pub const OPTIONS_VARIABLE: &str = "MEMSCOPE_OPTIONS";

/// All of them. The program never sees one.
pub const VARIABLES: [&str; 6] = [
    SOCKET_VARIABLE,
    USER_PRELOAD_VARIABLE,
    MODE_VARIABLE,
    INTERVAL_VARIABLE,
    OPTIONS_VARIABLE,
    ORDER_VARIABLE,
];

/// What [`INTERVAL_VARIABLE`] is if it is absent: a sample every 512 KiB on average.
pub const DEFAULT_INTERVAL_BYTES: u64 = 512 << 10;

/// Children are left alone.
pub const OPTION_NO_CHILDREN: u8 = b'c';
/// Of command lines only the program's name is written down.
pub const OPTION_NO_ARGUMENTS: u8 = b'a';
/// Recording begins when it is told to (see [`crate::HeaderRow::waiting`]).
pub const OPTION_WAIT: u8 = b'w';

/// The message, in native byte order: magic, layout version, process id, its parent's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Process id of the sender, as it knows itself.
    pub pid: u32,
    /// The process that forked it, or its parent.
    pub parent: u32,
    /// [`crate::header::VERSION`] of the sender's region.
    pub version: u32,
}

impl Hello {
    /// The message's length.
    pub const BYTES: usize = 20;

    /// The message as it is sent.
    pub fn encode(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..8].copy_from_slice(&crate::header::MAGIC.to_ne_bytes());
        bytes[8..12].copy_from_slice(&self.version.to_ne_bytes());
        bytes[12..16].copy_from_slice(&self.pid.to_ne_bytes());
        bytes[16..].copy_from_slice(&self.parent.to_ne_bytes());
        bytes
    }

    /// Reads a message; `None` if it is not one.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != Self::BYTES || bytes[..8] != crate::header::MAGIC.to_ne_bytes() {
            return None;
        }
        Some(Self { version: word(bytes, 8)?, pid: word(bytes, 12)?, parent: word(bytes, 16)? })
    }
}

/// The first bytes of a [`Notice`].
const NOTICE_MAGIC: [u8; 8] = *b"memskips";

/// A process is about to be, or has just become, an image that is not followed. The image's path comes behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Its id, as whoever sends this knows it.
    pub pid: u32,
    /// The process that made it; the same number if an image is executed in the place of a process that is followed.
    pub parent: u32,
}

impl Notice {
    /// The length of what comes before the path.
    pub const BYTES: usize = 16;
    /// The longest path that is sent whole.
    pub const PATH_BYTES: usize = 4096;

    /// What comes before the path.
    pub fn encode(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..8].copy_from_slice(&NOTICE_MAGIC);
        bytes[8..12].copy_from_slice(&self.pid.to_ne_bytes());
        bytes[12..].copy_from_slice(&self.parent.to_ne_bytes());
        bytes
    }

    /// Reads a message and its path; `None` if it is not one.
    pub fn decode(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (head, path) = bytes.split_at_checked(Self::BYTES)?;
        if !head.starts_with(&NOTICE_MAGIC) {
            return None;
        }
        Some((Self { pid: word(head, 8)?, parent: word(head, 12)? }, path))
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}
