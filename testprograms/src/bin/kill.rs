//! Allocates until it is killed, and says after each allocation how many there were.
//!
//! `kill [THREADS]`: each thread (1) allocates blocks of 64 bytes, frees each but every fourth after the next one,
//! and writes `thread allocations frees` to stdout by a write of its own, once a round. So whoever reads the last
//! line of each thread knows what a record of the run must contain: this at least, and at most one more of each.
//!
//! The counting allocates nothing: lines are made on the stack, and a full pipe only makes the program wait.

use std::hint::black_box;

/// The size of a block.
const BLOCK_BYTES: usize = 64;

/// A line of at most three numbers.
struct Line {
    bytes: [u8; 64],
    len: usize,
}

impl Line {
    fn new(numbers: [u64; 3]) -> Self {
        let mut line = Self { bytes: [b'\n'; 64], len: 0 };
        for number in numbers {
            line.push(number);
        }
        line
    }

    /// Appends a number and a space; the last space is later the end of the line.
    fn push(&mut self, mut number: u64) {
        let start = self.len;
        loop {
            self.bytes[self.len] = b'0' + (number % 10) as u8;
            self.len += 1;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        self.bytes[start..self.len].reverse();
        self.bytes[self.len] = b' ';
        self.len += 1;
    }

    /// Writes the line in one call, which a pipe does not divide.
    fn write(mut self) {
        self.bytes[self.len - 1] = b'\n';
        // SAFETY: the first `len` bytes are initialized and belong to this line.
        let written = unsafe { libc::write(1, self.bytes.as_ptr().cast(), self.len) };
        if written != self.len as isize {
            // Nobody reads any more.
            // SAFETY: ending the process is always allowed.
            unsafe { libc::_exit(1) }
        }
    }
}

#[inline(never)]
fn allocate() -> *mut libc::c_void {
    // SAFETY: any size may be asked for.
    black_box(unsafe { libc::malloc(black_box(BLOCK_BYTES)) })
}

fn work(thread: u64) {
    let (mut allocations, mut frees) = (0, 0);
    let mut last = allocate();
    loop {
        allocations += 1;
        Line::new([thread, allocations, frees]).write();
        let next = allocate();
        if allocations % 4 != 0 {
            // SAFETY: the block was allocated in the last round and is not used again.
            unsafe { libc::free(last) };
            frees += 1;
        }
        last = next;
    }
}

fn main() {
    let threads = std::env::args().nth(1).map_or(1, |text| text.parse().unwrap_or(1));
    std::thread::scope(|scope| {
        for thread in 1..threads {
            scope.spawn(move || work(thread));
        }
        work(0);
    });
}
