//! The ledger: what a program truly allocated, function by function, counted by the program itself.
//!
//! A program writes with [`Count`] and prints the rows; a test parses what was printed with [`Truth::parse`]. The
//! writing side allocates nothing, so that the program's blocks are all that its functions allocate.
//!
//! One block freed with no other allocated in between on that thread is *temporary*. The ledger knows only of the
//! program's own blocks: a program must not rely on what the runtime allocates in between.

use std::cell::Cell;
use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// What one function allocated, and what became of it. A `static` for each function.
#[derive(Debug)]
pub struct Count {
    function: &'static str,
    kind: &'static str,
    file: &'static str,
    line: AtomicU32,
    allocations: AtomicU64,
    bytes: AtomicU64,
    frees: AtomicU64,
    freed_bytes: AtomicU64,
    temporary: AtomicU64,
    peak_blocks: AtomicU64,
    peak_bytes: AtomicU64,
}

/// A block and where it belongs.
#[derive(Debug)]
pub struct Block {
    /// Its address.
    pub address: usize,
    /// Its size in bytes, as it was asked for.
    pub bytes: usize,
    /// The function that allocated it.
    pub count: &'static Count,
}

thread_local! {
    /// The block that this thread allocated last, 0 once it is freed.
    static LAST: Cell<usize> = const { Cell::new(0) };
}

impl Count {
    /// An empty count for `function` (its name as symbols have it), which makes calls of this `kind` (malloc, calloc,
    /// realloc or aligned) in `file`.
    pub const fn new(function: &'static str, kind: &'static str, file: &'static str) -> Self {
        Self {
            function,
            kind,
            file,
            line: AtomicU32::new(0),
            allocations: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            frees: AtomicU64::new(0),
            freed_bytes: AtomicU64::new(0),
            temporary: AtomicU64::new(0),
            peak_blocks: AtomicU64::new(0),
            peak_bytes: AtomicU64::new(0),
        }
    }

    /// Enters the block that was just allocated at `address` by the call on `line`.
    pub fn allocated(&'static self, address: usize, bytes: usize, line: u32) -> Block {
        self.line.store(line, Relaxed);
        self.allocations.fetch_add(1, Relaxed);
        self.bytes.fetch_add(bytes as u64, Relaxed);
        LAST.set(address);
        Block { address, bytes, count: self }
    }

    /// Enters the live blocks as those of the peak.
    pub fn at_peak(&self) {
        self.peak_blocks.store(self.allocations.load(Relaxed) - self.frees.load(Relaxed), Relaxed);
        self.peak_bytes.store(self.bytes.load(Relaxed) - self.freed_bytes.load(Relaxed), Relaxed);
    }
}

impl Block {
    /// Enters that the block is freed now, by this thread, and returns its address.
    pub fn freed(self) -> usize {
        self.count.frees.fetch_add(1, Relaxed);
        self.count.freed_bytes.fetch_add(self.bytes as u64, Relaxed);
        if LAST.get() == self.address {
            self.count.temporary.fetch_add(1, Relaxed);
            LAST.set(0);
        }
        self.address
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers = [
            &self.allocations,
            &self.bytes,
            &self.frees,
            &self.freed_bytes,
            &self.temporary,
            &self.peak_blocks,
            &self.peak_bytes,
        ];
        write!(f, "{} {}", self.function, self.kind)?;
        for number in numbers {
            write!(f, " {}", number.load(Relaxed))?;
        }
        write!(f, " {}:{}", self.file, self.line.load(Relaxed))
    }
}

/// A [`Count`] as it was printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CountRow {
    /// The function's name.
    pub function: String,
    /// malloc, calloc, realloc or aligned.
    pub kind: String,
    /// Blocks allocated.
    pub allocations: u64,
    /// Their bytes.
    pub allocated_bytes: u64,
    /// Blocks freed, by whichever thread.
    pub frees: u64,
    /// Their bytes.
    pub freed_bytes: u64,
    /// Blocks freed with none allocated in between.
    pub temporary: u64,
    /// Blocks alive at the peak.
    pub peak_blocks: u64,
    /// Their bytes.
    pub peak_bytes: u64,
    /// The source file.
    pub file: String,
    /// The line of the call.
    pub line: u32,
}

/// What a program printed of its ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Truth {
    /// A row for each function.
    pub rows: Vec<CountRow>,
    /// Calls that returned null for want of memory.
    pub failed: u64,
}

impl Truth {
    /// Reads a program's output. Lines that are neither a row nor `failed N` are none of the ledger's.
    pub fn parse(output: &str) -> Self {
        let mut truth = Self::default();
        for line in output.lines() {
            if let Some(number) = line.strip_prefix("failed ") {
                truth.failed = number.parse().unwrap_or_default();
            }
            truth.rows.extend(parse_row(line));
        }
        truth
    }
}

fn parse_row(line: &str) -> Option<CountRow> {
    let mut words = line.split(' ');
    let (function, kind) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut number = || words.next()?.parse().ok();
    let mut row = CountRow {
        function,
        kind,
        allocations: number()?,
        allocated_bytes: number()?,
        frees: number()?,
        freed_bytes: number()?,
        temporary: number()?,
        peak_blocks: number()?,
        peak_bytes: number()?,
        ..CountRow::default()
    };
    let (file, line) = words.next()?.rsplit_once(':')?;
    (row.file, row.line) = (file.to_owned(), line.parse().ok()?);
    Some(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_what_was_entered() {
        static COUNT: Count = Count::new("a::f", "malloc", "a.rs");
        let first = COUNT.allocated(0x10, 5, 7);
        let second = COUNT.allocated(0x20, 6, 7);
        COUNT.at_peak();
        first.freed();
        assert_eq!(second.freed(), 0x20);
        let printed = format!("hello\n{COUNT}\nfailed 3\n");
        assert_eq!(
            Truth::parse(&printed),
            Truth {
                failed: 3,
                rows: vec![CountRow {
                    function: "a::f".to_owned(),
                    kind: "malloc".to_owned(),
                    allocations: 2,
                    allocated_bytes: 11,
                    frees: 2,
                    freed_bytes: 11,
                    temporary: 1,
                    peak_blocks: 2,
                    peak_bytes: 11,
                    file: "a.rs".to_owned(),
                    line: 7,
                }],
            }
        );
    }
}
