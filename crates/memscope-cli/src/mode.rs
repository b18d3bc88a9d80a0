//! What is recorded: every allocation, a sample, or totals; as the user says it, and as the library is told.
//!
//! Invariant: the program's library is told nothing for what it does anyway. Deliberately absent: what the modes do.

use clap::ValueEnum;
use memscope_region::hello::{DEFAULT_INTERVAL_BYTES, INTERVAL_VARIABLE, MODE_VARIABLE};
use std::process::Command;

/// The modes by the names that users give them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ModeName {
    /// Every allocation with its full stack
    Exact,
    /// A sample by bytes, see --sample: costs next to nothing, counts are estimates
    Sampled,
    /// Totals by thread, no stacks: costs next to nothing, counts are exact
    Counting,
}

/// What is recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Selected {
    /// Every allocation with its full stack.
    #[default]
    Exact,
    /// A sample every so many bytes on average.
    Sampled(u64),
    /// Totals.
    Counting,
}

impl Selected {
    /// What the two options say together, or why they contradict each other.
    pub(crate) fn new(mode: Option<ModeName>, interval: Option<u64>) -> Result<Self, String> {
        match (mode, interval) {
            (None | Some(ModeName::Sampled), Some(interval)) => Ok(Self::Sampled(interval)),
            (Some(ModeName::Sampled), None) => Ok(Self::Sampled(DEFAULT_INTERVAL_BYTES)),
            (None | Some(ModeName::Exact), None) => Ok(Self::Exact),
            (Some(ModeName::Counting), None) => Ok(Self::Counting),
            (Some(ModeName::Exact | ModeName::Counting), Some(_)) => {
                Err("--sample is for mode sampled only".to_owned())
            }
        }
    }

    /// Tells the library in the program that the command starts.
    pub(crate) fn apply(self, command: &mut Command) {
        command.env_remove(MODE_VARIABLE).env_remove(INTERVAL_VARIABLE);
        match self {
            Self::Exact => {}
            Self::Sampled(interval) => {
                command.env(MODE_VARIABLE, "sampled").env(INTERVAL_VARIABLE, interval.to_string());
            }
            Self::Counting => {
                command.env(MODE_VARIABLE, "counting");
            }
        }
    }
}

/// The least and the most that an interval can be, in bytes.
const INTERVALS: std::ops::RangeInclusive<u64> = 1..=1 << 40;

/// Reads a number of bytes: `4096`, `64k`, `512KiB`, `1.5MiB`. Units are powers of 1024.
pub(crate) fn parse_bytes(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == ' ');
    let unit = match text[digits.len()..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1u64,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        _ => return Err("a number of bytes is written like 4096, 512KiB or 1.5MiB".to_owned()),
    };
    let number: f64 = digits
        .parse()
        .map_err(|_| "a number of bytes is written like 4096, 512KiB or 1.5MiB".to_owned())?;
    let bytes = (number * unit as f64).round() as u64;
    if !number.is_finite() || number < 0.0 || !INTERVALS.contains(&bytes) {
        return Err("an interval is from 1 byte to 1024 GiB".to_owned());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_as_people_write_them() {
        for (text, bytes) in [
            ("4096", 4096),
            ("512KiB", 512 << 10),
            ("512k", 512 << 10),
            ("1.5 MiB", 3 << 19),
            ("2GB", 2 << 30),
            ("1", 1),
        ] {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
        for text in ["", "0", "-1", "KiB", "1 parsec", "nan", "inf", "1e300", "2048GiB", "1KiB2"] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_interval_makes_it_a_sample_and_contradicts_the_other_modes() {
        use ModeName::{Counting, Exact, Sampled};
        assert_eq!(Selected::new(None, None), Ok(Selected::Exact));
        assert_eq!(Selected::new(None, Some(7)), Ok(Selected::Sampled(7)));
        assert_eq!(Selected::new(Some(Sampled), Some(7)), Ok(Selected::Sampled(7)));
        assert_eq!(Selected::new(Some(Sampled), None), Ok(Selected::Sampled(512 << 10)));
        assert_eq!(Selected::new(Some(Counting), None), Ok(Selected::Counting));
        for mode in [Exact, Counting] {
            assert!(Selected::new(Some(mode), Some(7)).is_err());
        }
    }
}
