//! Labels: a program says of its own blocks which types they are of, and a test reads what was said.
//!
//! A label is an address inside the block (its first byte or any other), the line of the program that says so, and the
//! expected text: as a person would write the type, without paths, the global allocator and the standard hasher.
//! Blocks that are labelled are kept until the program ends, so that a test finds each by its address:
//!
//! ```text
//! label 0x55d0c0a01b20 41 Vec<Order>
//! label 0x55d0c0a01c80 57 Arc<str> || Arc<[u8]>
//! ```
//!
//! ` || ` stands between texts of which each is right. Where a box owns a value, `Box<T>` is the text.
//!
//! Invariants: the writing side allocates nothing but standard output's buffer. Deliberately absent: a look into values,
//! but for [`word`], without which the blocks that a value hides could not be labelled.

use std::mem::ManuallyDrop;
use std::panic::Location;

/// Labels the block that `place` lies in.
#[track_caller]
pub fn at<T: ?Sized>(place: &T, expected: &str) {
    print_label(std::ptr::from_ref(place).cast::<()>() as usize, expected);
}

/// Labels the block that the `index`-th word of `value` points into: for types that hide their pointers.
///
/// # Panics
/// If the value has no such word.
#[track_caller]
pub fn word<T>(value: &T, index: usize, expected: &str) {
    assert!(
        size_of::<T>() >= (index + 1) * size_of::<usize>()
            && align_of::<T>() >= align_of::<usize>()
    );
    // SAFETY: the word lies within the value, aligned. It is read as a number; whether it is a pointer into a block is
    // for the test to find out.
    let address = unsafe { std::ptr::from_ref(value).cast::<usize>().add(index).read_volatile() };
    print_label(address, expected);
}

#[track_caller]
fn print_label(address: usize, expected: &str) {
    println!("label {address:#x} {} {expected}", Location::caller().line());
}

/// Keeps a value's blocks until the program ends.
pub fn keep<T>(value: T) {
    let _kept = ManuallyDrop::new(value);
}

/// A label as it was printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrintedLabel {
    /// An address in the block.
    pub address: u64,
    /// The line of the program that labelled it.
    pub line: u32,
    /// The texts of which each is right.
    pub expected: Vec<String>,
}

/// Reads a program's output. Lines that are no labels are none of ours.
pub fn parse(output: &str) -> Vec<PrintedLabel> {
    output.lines().filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<PrintedLabel> {
    let mut words = line.strip_prefix("label 0x")?.splitn(3, ' ');
    Some(PrintedLabel {
        address: u64::from_str_radix(words.next()?, 16).ok()?,
        line: words.next()?.parse().ok()?,
        expected: words.next()?.split(" || ").map(str::to_owned).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read() {
        let labels = parse(
            "hello\nlabel 0x10 7 Vec<(u32, u8)>\nlabel 0xff 8 Arc<str> || Arc<[u8]>\nlabel x\n",
        );
        let label = |address, line, expected: &[&str]| PrintedLabel {
            address,
            line,
            expected: expected.iter().map(|text| (*text).to_owned()).collect(),
        };
        assert_eq!(
            labels,
            [label(16, 7, &["Vec<(u32, u8)>"]), label(255, 8, &["Arc<str>", "Arc<[u8]>"])]
        );
    }
}
