//! How a profiled process hands its region to `memscope run`, and how it is told what to do.
//!
//! The supervisor listens on an abstract Unix socket (SOCK_SEQPACKET) and puts its name, without the leading zero
//! byte, into [`SOCKET_VARIABLE`]. The process connects when it has made its region, sends one [`Hello`] with the
//! memfd attached (SCM_RIGHTS), and closes the connection at once, so that no descriptor of ours stays open.

/// Names the supervisor's abstract socket.
pub const SOCKET_VARIABLE: &str = "MEMSCOPE_SOCKET";
/// What LD_PRELOAD was before memscope added itself; the process restores it. Absent: it was not set.
pub const USER_PRELOAD_VARIABLE: &str = "MEMSCOPE_USER_PRELOAD";
/// `exact`, `sampled` or `counting`; absent: exact.
pub const MODE_VARIABLE: &str = "MEMSCOPE_MODE";
/// Mean bytes between samples in mode sampled, in decimal.
pub const INTERVAL_VARIABLE: &str = "MEMSCOPE_INTERVAL";

/// The message, in native byte order: magic, layout version, process id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Process id of the sender.
    pub pid: u32,
    /// [`crate::header::VERSION`] of the sender's region.
    pub version: u32,
}

impl Hello {
    /// The message's length.
    pub const BYTES: usize = 16;

    /// The message as it is sent.
    pub fn encode(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..8].copy_from_slice(&crate::header::MAGIC.to_ne_bytes());
        bytes[8..12].copy_from_slice(&self.version.to_ne_bytes());
        bytes[12..].copy_from_slice(&self.pid.to_ne_bytes());
        bytes
    }

    /// Reads a message; `None` if it is not one.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let word = |at: usize| Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        if bytes.len() != Self::BYTES || bytes[..8] != crate::header::MAGIC.to_ne_bytes() {
            return None;
        }
        Some(Self { version: word(8)?, pid: word(12)? })
    }
}
