//! Columns: the values of one field of many rows, as short numbers.
//!
//! A column is a byte that says how, then one variable-length number (seven bits to a byte, low ones first) for each
//! row: the value itself, or its difference from the row before, whichever makes the column shorter. Rows mostly
//! resemble their neighbours, so columns are short, and deflate finds them easy.

/// The values themselves.
const PLAIN: u8 = 0;
/// Differences, zigzag: 0, -1, 1, -2, ...
const DIFFERENCES: u8 = 1;

/// A value that can stand in a column.
pub(super) trait Cell: Sized {
    /// As an unsigned number, small ones for small values.
    fn to_number(&self) -> u64;
    /// Back again; `None` if no value has this number.
    fn from_number(number: u64) -> Option<Self>;
}

impl Cell for u64 {
    fn to_number(&self) -> u64 {
        *self
    }
    fn from_number(number: u64) -> Option<Self> {
        Some(number)
    }
}

impl Cell for u32 {
    fn to_number(&self) -> u64 {
        u64::from(*self)
    }
    fn from_number(number: u64) -> Option<Self> {
        number.try_into().ok()
    }
}

impl Cell for u8 {
    fn to_number(&self) -> u64 {
        u64::from(*self)
    }
    fn from_number(number: u64) -> Option<Self> {
        number.try_into().ok()
    }
}

impl Cell for bool {
    fn to_number(&self) -> u64 {
        u64::from(*self)
    }
    fn from_number(number: u64) -> Option<Self> {
        (number < 2).then_some(number == 1)
    }
}

impl Cell for i64 {
    fn to_number(&self) -> u64 {
        zigzag(*self)
    }
    fn from_number(number: u64) -> Option<Self> {
        Some(unzigzag(number))
    }
}

fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63) as u64
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

/// Encodes a column.
pub(super) fn encode(numbers: impl Iterator<Item = u64>) -> Vec<u8> {
    let mut plain = vec![PLAIN];
    let mut differences = vec![DIFFERENCES];
    let mut before = 0_u64;
    for number in numbers {
        push(&mut plain, number);
        push(&mut differences, zigzag(number.wrapping_sub(before) as i64));
        before = number;
    }
    if differences.len() < plain.len() { differences } else { plain }
}

fn push(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// How many numbers a column has, without decoding it.
pub(super) fn count(column: &[u8]) -> usize {
    column.iter().skip(1).filter(|byte| **byte < 0x80).count()
}

/// Decodes a column, calling `visit` for each number in turn. False if it is not a column, or `visit` says so.
#[must_use]
pub(super) fn decode(column: &[u8], mut visit: impl FnMut(u64) -> bool) -> bool {
    let Some((how, bytes)) = column.split_first() else { return false };
    let mut before = 0_u64;
    let mut number = 0_u64;
    let mut shift = 0;
    for byte in bytes {
        let low = u64::from(byte & 0x7f);
        if shift > 63 || low << shift >> shift != low {
            return false;
        }
        number |= low << shift;
        shift += 7;
        if *byte < 0x80 {
            let value = match *how {
                PLAIN => number,
                DIFFERENCES => before.wrapping_add(unzigzag(number) as u64),
                _ => return false,
            };
            if !visit(value) {
                return false;
            }
            (before, number, shift) = (value, 0, 0);
        }
    }
    shift == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decoded(column: &[u8]) -> Option<Vec<u64>> {
        let mut numbers = Vec::new();
        decode(column, |number| {
            numbers.push(number);
            true
        })
        .then_some(numbers)
    }

    proptest! {
        #[test]
        fn numbers_come_back(numbers in prop::collection::vec(
            prop_oneof![0..9_u64, any::<u64>(), (0..64_u32).prop_map(|bit| 1 << bit)], 0..50,
        )) {
            let column = encode(numbers.iter().copied());
            prop_assert_eq!(count(&column), numbers.len());
            prop_assert_eq!(decoded(&column), Some(numbers));
        }

        #[test]
        fn any_bytes_are_survived(column in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Some(numbers) = decoded(&column) {
                prop_assert_eq!(count(&column), numbers.len());
            }
        }
    }

    #[test]
    fn signs_and_limits() {
        for value in [0, -1, 1, i64::MIN, i64::MAX] {
            assert_eq!(i64::from_number(value.to_number()), Some(value));
        }
        assert_eq!(
            (u8::from_number(256), u32::from_number(1 << 32), bool::from_number(2)),
            (None, None, None)
        );
        assert_eq!(encode([7, 8, 9].into_iter()), [0, 7, 8, 9]);
        assert_eq!(encode([1 << 40, (1 << 40) + 1].into_iter())[0], DIFFERENCES);
        // Too many bits, an unfinished number, no kind of column.
        let mut long = vec![PLAIN];
        long.extend([0xff; 9]);
        assert_eq!(decoded(&[&long[..], &[0x01]].concat()), Some(vec![u64::MAX]));
        assert_eq!(decoded(&[&long[..], &[0x02]].concat()), None);
        assert_eq!((decoded(&[PLAIN, 0x80]), decoded(&[2, 1]), decoded(&[])), (None, None, None));
    }
}
