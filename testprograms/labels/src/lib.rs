//! Labels: a program says of its own blocks which types they are of, and a test reads what was said.
//!
//! A label is the address of the block or one inside it, the line of the program that says so, and the expected text: as
//! a person would write the type, without paths, the global allocator and the standard hasher. Blocks that are labelled
//! are kept until the program ends, so that a test finds each by its address:
//!
//! ```text
//! label at 0x55d0c0a01b20 41 Vec<Order>
//! label inside 0x55d0c0a01c80 57 HashMap<u32, Order> table
//! ```
//!
//! ` || ` stands between texts of which each is right. Where a box owns a value, `Box<T>` is the text.
//!
//! Invariants: the writing side allocates nothing but standard output's buffer. Deliberately absent: a look into values,
//! but for [`word`], without which the blocks that a value hides could not be labelled.

use std::mem::ManuallyDrop;
use std::panic::Location;

/// Labels the block that begins at `place`.
#[track_caller]
pub fn at<T: ?Sized>(place: &T, expected: &str) {
    print_label("at", address(place), expected);
}

/// Labels the block that `place` lies in. More than 16 bytes of the block must come after it, for addresses of blocks are
/// recorded to 32 bytes: what is closer to the end might as well be in the next.
#[track_caller]
pub fn inside<T: ?Sized>(place: &T, expected: &str) {
    print_label("inside", address(place), expected);
}

/// Labels the block of an `Rc` or `Arc`, whose value lies behind two counts.
#[track_caller]
pub fn counted<T: ?Sized>(value: &T, expected: &str) {
    let counts = (2 * size_of::<usize>()).max(align_of_val(value));
    print_label("at", address(value) - counts, expected);
}

/// Labels the nodes of a tree, of whose keys these are all: by the first key in each, which others follow.
#[track_caller]
pub fn nodes<'a, K: 'a>(keys: impl IntoIterator<Item = &'a K>, expected: &str) {
    let mut next = 0;
    for key in keys {
        if address(key) != next {
            print_label("inside", address(key), expected);
        }
        next = address(key) + size_of::<K>();
    }
}

/// Labels the block that the `index`-th word of `value` points to: for types that hide their pointers.
///
/// # Panics
/// If the value has no such word.
#[track_caller]
pub fn word<T>(value: &T, index: usize, expected: &str) {
    print_label("at", word_of(value, index), expected);
}

/// Labels the block that the `index`-th word of `value` points into, as [`inside`].
///
/// # Panics
/// If the value has no such word.
#[track_caller]
pub fn word_inside<T>(value: &T, index: usize, expected: &str) {
    print_label("inside", word_of(value, index), expected);
}

fn address<T: ?Sized>(place: &T) -> usize {
    std::ptr::from_ref(place).cast::<()>() as usize
}

fn word_of<T>(value: &T, index: usize) -> usize {
    assert!(size_of::<T>() >= (index + 1) * size_of::<usize>());
    assert!(align_of::<T>() >= align_of::<usize>());
    // SAFETY: the word lies within the value, aligned. It is read as a number; whether it is a pointer to a block is
    // for the test to find out.
    unsafe { std::ptr::from_ref(value).cast::<usize>().add(index).read_volatile() }
}

#[track_caller]
fn print_label(place: &str, address: usize, expected: &str) {
    println!("label {place} {address:#x} {} {expected}", Location::caller().line());
}

/// Keeps a value's blocks until the program ends.
pub fn keep<T>(value: T) {
    let _kept = ManuallyDrop::new(value);
}

/// A label as it was printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrintedLabel {
    /// The block's address, or one in it.
    pub address: u64,
    /// Whether it is one in it, perhaps.
    pub is_inside: bool,
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
    let mut words = line.strip_prefix("label ")?.splitn(4, ' ');
    let is_inside = words.next()? == "inside";
    Some(PrintedLabel {
        address: u64::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok()?,
        is_inside,
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
            "hello\nlabel at 0x10 7 Vec<(u32, u8)>\nlabel inside 0xff 8 Arc<str> || Arc<[u8]>\nlabel x\n",
        );
        let label = |address, is_inside, line, expected: &[&str]| PrintedLabel {
            address,
            is_inside,
            line,
            expected: expected.iter().map(|text| (*text).to_owned()).collect(),
        };
        assert_eq!(
            labels,
            [
                label(16, false, 7, &["Vec<(u32, u8)>"]),
                label(255, true, 8, &["Arc<str>", "Arc<[u8]>"])
            ]
        );
    }
}
