//! What a running `memscope run` is asked on its socket, as bytes.
//!
//! Invariant: whatever the bytes, they are a request or none. Deliberately absent: who may ask (see `control`).

/// The longest request.
pub(crate) const REQUEST_BYTES: usize = 4096;

/// What is asked, of the process with an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Its profile as it is now.
    Read(u32),
    /// To note a moment, by this text.
    Mark(u32, String),
}

/// The first byte of a request.
const READ: u8 = b'r';
const MARK: u8 = b'm';

impl Request {
    /// As it is sent.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let (kind, pid, text) = match self {
            Self::Read(pid) => (READ, pid, ""),
            Self::Mark(pid, text) => (MARK, pid, text.as_str()),
        };
        [&[kind][..], &pid.to_ne_bytes(), text.as_bytes()].concat()
    }

    /// Reads one; `None` if it is none.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        let (pid, text) = rest.split_first_chunk()?;
        let pid = u32::from_ne_bytes(*pid);
        match *kind {
            READ if text.is_empty() => Some(Self::Read(pid)),
            MARK => Some(Self::Mark(pid, String::from_utf8_lossy(text).into_owned())),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_come_back() {
        for request in [Request::Read(7), Request::Mark(u32::MAX, "after warm-up ü".into())] {
            assert_eq!(Request::decode(&request.encode()), Some(request));
        }
        for bytes in [&b""[..], b"r", b"r123", b"r1234x", b"x1234"] {
            assert_eq!(Request::decode(bytes), None);
        }
    }
}
