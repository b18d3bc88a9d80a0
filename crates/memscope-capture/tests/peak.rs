//! The counters and the peak against a naive oracle: with one thread every number is exact at every moment, and so is what
//! the peak was made of; with several the totals are exact at the end and the peak is within what threads hold back.
//!
//! One process, for there is one peak. The phases follow each other in one test.

mod support;

use memscope_capture::event::UNFLUSHED_BYTES;
use memscope_capture::process::PROCESS;
use memscope_region::record::{from_short, short};
use memscope_region::row::{CounterCells, GROWTH};
use memscope_region::{CounterRow, Header, Table};
use std::collections::HashMap;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use support::{calloc, free, malloc, realloc, record, start};

/// Addresses that are far from those of other threads.
fn base(thread: usize) -> usize {
    0x3000_0000_0000 + thread * (1 << 32)
}

/// A sequence of numbers that looks random.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound
    }

    /// Mostly small, sometimes past the size that a record has bits for.
    fn size(&mut self) -> usize {
        let bits = self.below(25);
        self.below(1 << bits)
    }
}

/// Allocates at one of several depths, so at one of several sites.
#[inline(never)]
fn allocate_at(depth: usize, zeroed: bool, size: usize, address: usize) {
    match depth {
        0 if zeroed => calloc(size, 1, address),
        0 => malloc(size, address),
        _ => {
            allocate_at(std::hint::black_box(depth - 1), zeroed, size, address);
            std::hint::black_box(address)
        }
    };
}

/// Live blocks and bytes.
type Live = (i64, i64);

/// What ought to be: obvious, and slow.
#[derive(Default)]
struct Oracle {
    blocks: HashMap<usize, (u32, usize)>,
    sites: HashMap<u32, Live>,
    largest: HashMap<u32, usize>,
    live_bytes: usize,
    peak_bytes: usize,
    at_peak: HashMap<u32, Live>,
}

impl Oracle {
    fn allocated(&mut self, address: usize, size: usize) {
        let site = record(address).site();
        assert_ne!(site, 0);
        assert!(self.blocks.insert(address, (site, size)).is_none());
        let live = self.sites.entry(site).or_default();
        *live = (live.0 + 1, live.1 + size as i64);
        self.live_bytes += size;
        let largest = self.largest.entry(site).or_default();
        *largest = size.max(*largest);
    }

    fn freed(&mut self, address: usize) {
        if self.live_bytes > self.peak_bytes {
            (self.peak_bytes, self.at_peak) = (self.live_bytes, self.sites.clone());
        }
        let (site, size) = self.blocks.remove(&address).unwrap();
        let live = self.sites.get_mut(&site).unwrap();
        *live = (live.0 - 1, live.1 - size as i64);
        self.live_bytes -= size;
    }
}

fn header() -> &'static Header {
    PROCESS.writer().unwrap().header()
}

fn load(cell: &AtomicU64) -> u64 {
    cell.load(Relaxed)
}

/// The row as a reader has it, as far as two numbers share a word.
fn packed(row: &CounterCells) -> CounterRow {
    let zeros = CounterRow::decode(&[0; CounterRow::BYTES]).unwrap();
    CounterRow { peak_blocks_and_largest: load(&row.peak_blocks_and_largest), ..zeros }
}

/// The largest block by site, as the region has it.
fn largest() -> HashMap<u32, u64> {
    let writer = PROCESS.writer().unwrap();
    let mut largest = HashMap::new();
    for number in 0..header().rows[Table::Counters as usize].load(Relaxed) {
        let Some(row) = writer.counter(number) else { continue };
        let site = row.site.load(Relaxed);
        if site != 0 && site & GROWTH == 0 && load(&row.allocations) != 0 {
            let bytes: &mut u64 = largest.entry(site).or_default();
            *bytes = packed(row).largest_block().max(*bytes);
        }
    }
    largest
}

/// What the region holds of live blocks by site: now, and at the peak.
fn recorded() -> (HashMap<u32, Live>, HashMap<u32, Live>) {
    let writer = PROCESS.writer().unwrap();
    let epoch = header().peak_epoch.load(Relaxed);
    let (mut now, mut at_peak) = (HashMap::<u32, Live>::new(), HashMap::<u32, Live>::new());
    for number in 0..header().rows[Table::Counters as usize].load(Relaxed) {
        let Some(row) = writer.counter(number) else { continue };
        let CounterCells { allocations, frees, allocated_bytes, freed_bytes, .. } = row;
        let site = row.site.load(Relaxed);
        if site & GROWTH != 0 {
            continue;
        }
        let live = (
            load(allocations).wrapping_sub(load(frees)) as i64,
            load(allocated_bytes).wrapping_sub(load(freed_bytes)) as i64,
        );
        // A row that did not change since the peak still holds what it held then.
        let then = if row.epoch.load(Relaxed) == epoch {
            (packed(row).peak_blocks(), load(&row.peak_bytes) as i64)
        } else {
            live
        };
        for (sums, value) in [(&mut now, live), (&mut at_peak, then)] {
            let sum = sums.entry(site).or_default();
            *sum = (sum.0 + value.0, sum.1 + value.1);
        }
    }
    for sums in [&mut now, &mut at_peak] {
        sums.retain(|site, live| *site != 0 && *live != (0, 0));
    }
    (now, at_peak)
}

/// Live bytes as a reader finds them: the header's and what threads hold back.
fn live_bytes() -> i64 {
    let writer = PROCESS.writer().unwrap();
    let rows = header().rows[Table::Threads as usize].load(Relaxed);
    let held = (0..rows).filter_map(|row| writer.thread(row));
    held.fold(load(&header().live_bytes), |sum, row| sum.wrapping_add(load(&row.unflushed_bytes)))
        as i64
}

fn one_thread_is_exact() {
    let (mut oracle, mut random) = (Oracle::default(), Random(7));
    let mut addresses: Vec<usize> = Vec::new();
    let mut unused: Vec<usize> = (0..200).map(|i| base(0) + i * (1 << 26)).collect();
    for step in 0..4000 {
        // Grows and shrinks in waves, so that there are many peaks, each higher than the last or not.
        let growing = step % 400 < 250;
        let choice = random.below(10);
        if !addresses.is_empty() && (unused.is_empty() || choice < if growing { 3 } else { 8 }) {
            let address = addresses.swap_remove(random.below(addresses.len()));
            oracle.freed(address);
            if choice % 3 == 0 {
                let size = random.size() + 1;
                realloc(address, size, address);
                oracle.allocated(address, size);
                addresses.push(address);
            } else {
                free(address);
                unused.push(address);
            }
        } else {
            let address = unused.pop().unwrap();
            let size = random.size();
            allocate_at(random.below(6), choice % 2 == 0, size, address);
            oracle.allocated(address, size);
            addresses.push(address);
        }
        assert_eq!(live_bytes(), oracle.live_bytes as i64);
        assert_eq!(load(&header().peak_bytes), oracle.peak_bytes as u64);
        if step % 37 == 0 {
            let without_nothing = |sites: &HashMap<u32, Live>| {
                let mut sites = sites.clone();
                sites.retain(|_, live| *live != (0, 0));
                sites
            };
            let expected = (without_nothing(&oracle.sites), without_nothing(&oracle.at_peak));
            assert_eq!(recorded(), expected, "at step {step}");
        }
    }
    assert!(oracle.sites.len() > 10);
    let cut = |(site, size): (&u32, &usize)| (*site, from_short(short(*size as u64)));
    assert_eq!(largest(), oracle.largest.iter().map(cut).collect());
    for address in addresses {
        free(address);
    }
    assert_eq!(live_bytes(), 0);
}

/// Four threads that hand their blocks to each other, up to a peak at which all of them wait.
fn several_threads_are_exact_at_the_end() {
    const THREADS: usize = 4;
    const BLOCKS: usize = 2000;
    const BYTES: usize = 40_000;
    let before = load(&header().peak_bytes) as usize;
    let all = THREADS * BLOCKS * BYTES;
    assert!(all > before, "the peak is to come");
    let block = |thread: usize, number: usize| base(1 + thread) + number * 65_536;
    let barrier = Barrier::new(THREADS);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let barrier = &barrier;
            scope.spawn(move || {
                for number in 0..BLOCKS {
                    malloc(BYTES, block(thread, number));
                    // Something that comes and goes, which is not at the peak.
                    malloc(number, block(thread, BLOCKS + number));
                    free(block(thread, BLOCKS + number));
                }
                barrier.wait();
                for number in 0..BLOCKS {
                    free(block((thread + number) % THREADS, number));
                }
            });
        }
    });
    assert_eq!(live_bytes(), 0);
    assert!(recorded().0.is_empty());
    let within = THREADS * UNFLUSHED_BYTES as usize;
    let peak = load(&header().peak_bytes) as usize;
    assert!(peak.abs_diff(all) <= within, "{peak} is not within {within} of {all}");
    // What it is said to be made of is what was there when it was seen last, give or take a block of each thread.
    let made_of = recorded().1.values().map(|live| live.1).sum::<i64>() as usize;
    let within = 2 * within + THREADS * BYTES;
    assert!(made_of.abs_diff(all) <= within, "{made_of} is not within {within} of {all}");
}

#[test]
fn counters_and_peak_are_those_of_the_oracle() {
    start();
    one_thread_is_exact();
    several_threads_are_exact_at_the_end();
}
