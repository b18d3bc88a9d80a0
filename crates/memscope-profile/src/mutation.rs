//! Mutations of bytes, for tests of readers: the same in every run, unless MEMSCOPE_SEED is another number, and as many as
//! are asked for.
//!
//! `MEMSCOPE_MUTATIONS=1000000 cargo test --release -p memscope-profile mutat` runs a million of each; without it there
//! are a few thousand, so that every test run has some.

/// Numbers that look random and are the same in every run with the same MEMSCOPE_SEED.
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        let asked: Option<u64> =
            std::env::var("MEMSCOPE_SEED").ok().and_then(|text| text.parse().ok());
        Self(seed ^ asked.unwrap_or(0) << 8)
    }

    fn word(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ word >> 31
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.word() % bound.max(1) as u64) as usize
    }
}

/// How many mutations to try.
pub(crate) fn executions(usual: u64) -> u64 {
    let asked = std::env::var("MEMSCOPE_MUTATIONS").ok().and_then(|text| text.parse().ok());
    asked.unwrap_or(usual)
}

/// Numbers that readers stumble over.
const EXTREMES: [u64; 8] =
    [0, 1, 0x7fff_ffff, 0xffff_ffff, 1 << 40, i64::MAX as u64, u64::MAX - 7, u64::MAX];

/// Overwrites a few bytes: single bits and bytes, and numbers of 2 to 8 bytes.
pub(crate) fn overwrite(bytes: &mut [u8], numbers: &mut Numbers) {
    for _ in 0..=numbers.below(4) {
        if bytes.is_empty() {
            return;
        }
        let place = numbers.below(bytes.len());
        let extreme = EXTREMES[numbers.below(EXTREMES.len())].to_le_bytes();
        match numbers.below(5) {
            0 => bytes[place] ^= 1 << numbers.below(8),
            1 => bytes[place] = numbers.below(256) as u8,
            2 => bytes[place] = bytes[place].wrapping_add(1),
            kind => {
                let width = [2, 4, 8][kind.min(4) - 2].min(bytes.len() - place);
                bytes[place..place + width].copy_from_slice(&extreme[..width]);
            }
        }
    }
}

/// Any mutation: also parts cut off, taken out, doubled and exchanged.
pub(crate) fn mutate(bytes: &mut Vec<u8>, numbers: &mut Numbers) {
    let (one, other) = (numbers.below(bytes.len() + 1), numbers.below(bytes.len() + 1));
    let (start, end) = (one.min(other), one.max(other));
    match numbers.below(12) {
        0 => bytes.truncate(one),
        1 => drop(bytes.drain(start..end)),
        2 => {
            let part = bytes[start..end].to_vec();
            bytes.splice(start..start, part);
        }
        3 => {
            let length = (end - start) / 2;
            let (head, tail) = bytes[start..end].split_at_mut(length);
            head.swap_with_slice(&mut tail[..length]);
        }
        _ => overwrite(bytes, numbers),
    }
}
