//! Numbers for people: separators, units, shares.
//!
//! Invariant: no text made here is a bare number whose unit the reader must guess, [`count`] apart, and a rounded
//! share never says "100 %" or "0 %" of something that is not all or nothing.

/// The step of a recording's clock; its times are no more exact.
const TICK_MS: u64 = 10;

/// With thousands separators: `1,234,567`.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count and what is counted: `1 block`, `2,000 blocks`.
///
/// ```
/// assert_eq!(memscope_report::text::counted(2000, "block"), "2,000 blocks");
/// ```
pub fn counted(n: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(n), if n == 1 { "" } else { "s" })
}

/// Bytes with three digits that count: `512 B`, `12.3 MiB`.
pub(crate) fn bytes(n: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if n < 1024 {
        return format!("{n} B");
    }
    let mut value = n as f64 / 1024.0;
    let mut unit = 0;
    // 1023.5 and above would be printed as 1024 of this unit.
    while value >= 1023.5 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{} {}", three_digits(value), UNITS[unit])
}

/// Three digits that count; more only if the whole part has more.
fn three_digits(value: f64) -> String {
    if value < 9.995 {
        format!("{value:.2}")
    } else if value < 99.95 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

/// A part of a whole in percent; `None` if there is no whole.
pub(crate) fn share(part: u64, whole: u64) -> Option<String> {
    let percent = part as f64 * 100.0 / whole as f64;
    Some(match part {
        _ if whole == 0 => return None,
        0 => "0 %".to_owned(),
        _ if part == whole => "100 %".to_owned(),
        _ if percent < 0.1 => "<0.1 %".to_owned(),
        _ if part < whole && percent > 99.9 => ">99.9 %".to_owned(),
        _ => format!("{percent:.1} %"),
    })
}

/// A time span in the unit that suits it: `850 µs`, `1.84 s`, `3 min 5 s`.
pub(crate) fn duration(ns: u64) -> String {
    let seconds = ns / 1_000_000_000;
    match ns {
        0..1_000 => format!("{ns} ns"),
        1_000..999_500 => format!("{} µs", three_digits(ns as f64 / 1e3)),
        999_500..999_500_000 => format!("{} ms", three_digits(ns as f64 / 1e6)),
        _ if seconds < 60 => format!("{} s", three_digits(ns as f64 / 1e9)),
        _ if seconds < 3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", count(seconds / 3600), seconds / 60 % 60),
    }
}

/// How long after the start something was: `after 1.84 s`. A recording's clock moves in steps of [`TICK_MS`].
pub(crate) fn since_start(ms: u64) -> String {
    if ms < TICK_MS {
        format!("within {TICK_MS} ms")
    } else {
        format!("after {}", duration(ms.saturating_mul(1_000_000)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_separators() {
        let table = [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (12_345, "12,345"),
            (1_234_567, "1,234,567"),
            (u64::MAX, "18,446,744,073,709,551,615"),
        ];
        for (n, text) in table {
            assert_eq!(count(n), text);
        }
        assert_eq!(counted(1, "block"), "1 block");
        assert_eq!(counted(0, "block"), "0 blocks");
    }

    #[test]
    fn bytes_have_three_digits() {
        let table = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.00 KiB"),
            (491_520, "480 KiB"),
            (1_048_064, "1.00 MiB"),
            (1_047_552, "1023 KiB"),
            (12_897_123, "12.3 MiB"),
            (10 << 20, "10.0 MiB"),
            (u64::MAX, "16.0 EiB"),
        ];
        for (n, text) in table {
            assert_eq!(bytes(n), text);
        }
    }

    #[test]
    fn shares_do_not_round_to_all_or_nothing() {
        let table = [
            (0, 10, "0 %"),
            (10, 10, "100 %"),
            (1, 1_000_000, "<0.1 %"),
            (999_999, 1_000_000, ">99.9 %"),
            (504, 1000, "50.4 %"),
            (20, 10, "200.0 %"),
        ];
        for (part, whole, text) in table {
            assert_eq!(share(part, whole).as_deref(), Some(text));
        }
        assert_eq!(share(1, 0), None);
    }

    #[test]
    fn durations_take_the_unit_that_suits() {
        let table = [
            (0, "0 ns"),
            (850_000, "850 µs"),
            (999_600, "1.00 ms"),
            (1_840_000_000, "1.84 s"),
            (59_999_999_999, "60.0 s"),
            (185_000_000_000, "3 min 5 s"),
            (3_723_000_000_000, "1 h 2 min"),
        ];
        for (ns, text) in table {
            assert_eq!(duration(ns), text);
        }
    }

    #[test]
    fn times_shorter_than_the_clock_can_tell_claim_no_more() {
        let table = [
            (0, "within 10 ms"),
            (5, "within 10 ms"),
            (10, "after 10.0 ms"),
            (1_204, "after 1.20 s"),
            (u64::MAX, "after 5,124,095 h 34 min"),
        ];
        for (ms, text) in table {
            assert_eq!(since_start(ms), text);
        }
    }
}
