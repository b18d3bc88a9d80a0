//! What the reader makes of a region: the numbers against a naive count, and damage of every kind.

use super::synthetic::{Encode, Synthetic, zeros};
use super::*;
use crate::model::{Counts, Kind, Mode};
use crate::mutation::{Numbers, executions, overwrite};
use memscope_region::header::{CHUNKS_OFFSET, HEADER_BYTES, VERSION};
use memscope_region::record::{Birth, Record, SIZE_ELSEWHERE};
use memscope_region::row::{COUNTERS_AT_A_TIME, LARGEST_SHIFT, OWNER};
use memscope_region::table::{CHUNKS_PER_TABLE, EXTENT_BYTES};
use memscope_region::{CounterRow, HeaderRow, SiteRow, Table, ThreadRow};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::os::unix::fs::FileExt;

fn read(region: Synthetic) -> Reading {
    Region::open(region.build()).expect("a region").read(End::Unknown).expect("read")
}

/// A program with two modules, three stacks, two threads.
fn small() -> Synthetic {
    let mut region = Synthetic::new();
    (region.header.command_row, region.header.command_bytes) = region.text("shop\0--fast\0");
    (region.header.exe_row, region.header.exe_bytes) = region.text("/usr/bin/shop");
    region.header.start_realtime_ns = 5;
    region.header.tick = u32::from(Birth::from_ms(1500).0);
    region.header.peak_bytes = 130;
    region.header.peak_tick = u32::from(Birth::from_ms(700).0);
    region.header.peak_epoch = 2;
    region.header.live_bytes = 100;
    region.header.unthreaded_attempts = 3;
    region.header.unthreaded_misses[1] = 3;
    let main = region.module("", 0x40_0000);
    let library = region.module("/lib/libfoo.so", 0x7000_0000);
    let a = region.address(0x40_0010, main);
    let b = region.address(0x7000_0020, library);
    // The same address once more, as racing threads write it.
    let twin = region.address(0x40_0010, main);
    let outer = region.node(0, a);
    let inner = region.node(outer, b);
    let outer_twin = region.node(0, twin);
    let inner_twin = region.node(outer_twin, b);
    let site = region.site(inner, Kind::Malloc as u32);
    let site_twin = region.site(inner_twin, Kind::Malloc as u32);
    let other = region.site(outer, Kind::Realloc as u32 | 1 << 8);
    let _unused = region.site(inner, Kind::Calloc as u32);
    let counter = zeros(CounterRow::decode);
    for row in [
        // An old epoch: what it is now, it was at the peak.
        CounterRow {
            site,
            epoch: 1,
            allocations: 5,
            allocated_bytes: 100,
            frees: 1,
            freed_bytes: 20,
            peak_blocks_and_largest: 22 << LARGEST_SHIFT,
            ..counter
        },
        // Of the peak's epoch: 3 blocks with 50 bytes then.
        CounterRow {
            site: other,
            epoch: 2,
            allocations: 4,
            allocated_bytes: 60,
            frees: 4,
            freed_bytes: 60,
            temporary: 2,
            peak_blocks_and_largest: 30 << LARGEST_SHIFT | 3,
            peak_bytes: 50,
        },
        // A thread that frees what the other allocated.
        CounterRow {
            site: site_twin,
            epoch: 2,
            allocations: 2,
            allocated_bytes: 40,
            peak_blocks_and_largest: 25 << LARGEST_SHIFT,
            ..counter
        },
        CounterRow { site, epoch: 2, frees: 1, freed_bytes: 20, ..counter },
    ] {
        region.push(Table::Counters, &row);
    }
    let mut name = [0; 16];
    name[..6].copy_from_slice(b"worker");
    let name = [0, 8].map(|at| u64::from_ne_bytes(name[at..at + 8].try_into().expect("8")));
    let thread = ThreadRow { tid: 43, state: 1, name, birth: 9, ..zeros(ThreadRow::decode) };
    for row in [
        ThreadRow {
            attempts: 13,
            successes: 13,
            misses: [1, 0, 0, 0, 0, 0, 0, 0],
            allocations: 9,
            allocated_bytes: 160,
            frees: 5,
            freed_bytes: 80,
            temporary: 2,
            ..thread
        },
        zeros(ThreadRow::decode),
        ThreadRow {
            allocations: 2,
            allocated_bytes: 40,
            frees: 1,
            freed_bytes: 20,
            unflushed_bytes: 0,
            ..thread
        },
    ] {
        region.push(Table::Threads, &row);
    }
    region
}

#[test]
fn a_small_region_in_full() {
    let Reading { profile, sites } = read(small());
    let run = &profile.run;
    assert_eq!(run.command, ["shop", "--fast"]);
    assert_eq!((run.exe.as_str(), run.pid, run.start_ns), ("/usr/bin/shop", 42, 5));
    assert_eq!((run.duration_ns, run.mode), (1_500_000_000, Mode::Exact));

    let modules: Vec<_> = profile.modules.iter().map(|it| (it.path.as_str(), it.bias)).collect();
    assert_eq!(modules, [("/usr/bin/shop", 0x40_0000), ("/lib/libfoo.so", 0x7000_0000)]);
    assert_eq!(profile.modules[0].build_id, [1, 2, 3]);
    assert_eq!((profile.addresses.len(), profile.stacks.len()), (2, 2));

    // The twins are one site, the unused site is none.
    assert_eq!(profile.sites.len(), 2);
    assert_eq!(
        (sites.get(1), sites.get(2), sites.get(3), sites.get(4)),
        (Some(0), Some(0), Some(1), None)
    );
    let [site, other] = profile.sites[..] else { panic!("two sites") };
    assert_eq!((site.stack, site.kind, site.truncated, site.first_ms), (2, 1, false, 7));
    assert_eq!((other.stack, other.kind, other.truncated), (1, 3, true));
    assert_eq!(
        site.counts,
        Counts {
            allocations: 7,
            allocated_bytes: 140,
            frees: 2,
            freed_bytes: 40,
            temporary: 0,
            // 4 by the old epoch, and nothing then by the rows of the peak's.
            peak_blocks: 4,
            peak_bytes: 80,
            // Of the twin's row.
            largest_block_bytes: 25,
            ..Counts::default()
        }
    );
    assert_eq!((other.counts.peak_blocks, other.counts.peak_bytes), (3, 50));
    assert_eq!(other.counts.largest_block_bytes, 30);

    let totals = &profile.totals;
    assert_eq!((totals.allocations, totals.allocated_bytes, totals.frees), (11, 200, 6));
    assert_eq!((totals.peak_bytes, totals.peak_blocks, totals.peak_ms), (130, 7, 700));
    assert!(!totals.peak_is_end);
    assert_eq!((totals.live_bytes, totals.live_blocks, totals.temporary), (100, 5, 2));
    let completeness = &profile.completeness;
    assert_eq!((completeness.attempts, completeness.successes), (17, 13));
    assert_eq!(completeness.misses[..2], [1, 3]);
    assert_eq!(completeness.peak_uncertainty_bytes, 2 * 65536);
    let threads: Vec<_> = profile.threads.iter().map(|it| (it.tid, it.name.as_str())).collect();
    assert_eq!(threads, [(43, "worker"), (43, "worker")]);
    assert_eq!(profile.warnings, []);
}

#[test]
fn while_memory_grows_the_present_is_the_peak() {
    let mut region = small();
    region.header.peak_bytes = 99;
    let Reading { profile, .. } = read(region);
    assert_eq!((profile.totals.peak_bytes, profile.totals.peak_ms), (100, 1500));
    assert!(profile.totals.peak_is_end);
    let peaks: Vec<_> = profile.sites.iter().map(|it| it.counts.peak_bytes).collect();
    assert_eq!((peaks, profile.totals.peak_blocks), (vec![100, 0], 5));
}

#[test]
fn less_than_nothing_is_nothing() {
    let mut region = small();
    let counter = zeros(CounterRow::decode);
    region.header.live_bytes = 70;
    // More was freed than allocated, now and at the peak.
    region.push(
        Table::Counters,
        &CounterRow { site: 4, epoch: 1, frees: 3, freed_bytes: 30, ..counter },
    );
    let Reading { profile, sites } = read(region);
    let counts = profile.sites[sites.get(4).expect("kept") as usize].counts;
    assert_eq!((counts.peak_blocks, counts.peak_bytes), (0, 0));
    assert_eq!((counts.live_blocks(), counts.live_bytes()), (0, 0));
    assert_eq!(profile.totals.peak_blocks, 7);
    assert_eq!(profile.warnings, []);
}

#[test]
fn a_site_knows_the_threads_that_allocated_there() {
    let mut region = small();
    let counter = zeros(CounterRow::decode);
    let owner = |pointer| CounterRow { site: OWNER, allocations: pointer, ..counter };
    let thread = |tid, thread_pointer| ThreadRow {
        tid,
        state: 1,
        thread_pointer,
        ..zeros(ThreadRow::decode)
    };
    // After the two threads of before: one that a later one took over from, one that did not allocate, one alone.
    for (tid, pointer, allocations) in [(50, 7, 4), (51, 7, 2), (52, 7, 0), (53, 9, 1)] {
        region.push(Table::Threads, &ThreadRow { allocations, ..thread(tid, pointer) });
    }
    let allocated = CounterRow { allocations: 1, allocated_bytes: 8, ..counter };
    region.push(Table::Counters, &owner(7));
    region.push(Table::Counters, &CounterRow { site: 1, ..allocated });
    let ended = CounterRow { site: 4, ..allocated };
    for _ in 2..COUNTERS_AT_A_TIME {
        region.push(Table::Counters, &ended);
    }
    // Another's, which does not say whose.
    region.push(Table::Counters, &CounterRow { site: 3, ..allocated });
    region.push(Table::Counters, &owner(9));
    region.push(Table::Counters, &CounterRow { site: 1, ..allocated });
    // It only freed there.
    region.push(Table::Counters, &CounterRow { site: 3, frees: 1, ..counter });
    let Reading { profile, sites } = read(region);
    let tids = |id| -> Vec<u32> {
        let site = profile.sites[sites.get(id).expect("a site") as usize];
        profile.threads_of(&site).map(|thread| thread.tid).collect()
    };
    assert_eq!((tids(1), tids(4), tids(3)), (vec![50, 51, 53], vec![50, 51], vec![]));
    // No row of an owner is one of a site.
    assert_eq!(profile.warnings.len(), 1, "{:?}", profile.warnings);
    assert!(profile.warnings[0].message.contains("live bytes by site"), "{:?}", profile.warnings);
}

#[test]
fn a_difference_between_sites_and_threads_is_said() {
    let mut region = small();
    region.header.live_bytes = 90;
    let warnings = read(region).profile.warnings;
    assert!(
        matches!(&warnings[..], [it] if it.message.contains("100") && it.message.contains("90"))
    );
}

#[test]
fn damage_becomes_warnings_and_keeps_the_totals() {
    let mut region = small();
    // A parent that comes later, an address and a module that are not there, a site that is not there, a text
    // outside of its table, an unknown kind.
    let stray = region.address(0x99, 77);
    let node = region.node(500, stray);
    let node = region.node(node, 900);
    let site = region.push(Table::Sites, &SiteRow { node, task: 0, birth: 0, kind: 9 });
    let counter = CounterRow { allocations: 1, allocated_bytes: 8, ..zeros(CounterRow::decode) };
    region.push(Table::Counters, &CounterRow { site, ..counter });
    region.push(Table::Counters, &CounterRow { site: 4_000_000, ..counter });
    region.header.exe_row = 1 << 30;
    let Reading { profile, sites } = read(region);
    let stack = profile.sites[sites.get(site).expect("kept") as usize].stack;
    let addresses: Vec<_> =
        profile.stack_frames(stack).map(|view| (view.address().address, view.module())).collect();
    assert_eq!(addresses, [(0x99, None)]);
    let lost = profile.sites[sites.get(4_000_000).expect("kept") as usize];
    assert_eq!((lost.stack, lost.truncated, lost.counts.allocated_bytes), (0, true, 8));
    let said: Vec<_> = profile.warnings.iter().map(|it| it.message.as_str()).collect();
    assert_eq!(said.len(), 5, "{said:#?}");
}

#[test]
fn blocks_of_any_size_anywhere() {
    let mut region = small();
    let birth = Birth::from_ms(3);
    let piece = 1_u64 << 23;
    let base = piece << 5;
    let big = SIZE_ELSEWHERE + 5;
    let record = |site, size| Record::new(site, size, birth).0;
    // A size that looks like a record; at the edge of what is read at a time; at the edge of a page; at the end of
    // a piece.
    let edge = (256 << 10) / 8 - 1;
    region.records(
        2 * base,
        &[(0, record(3, 1 << 40)), (1, 1 << 40 | 1), (9, record(1, 64) | 1 << 63)],
    );
    region.records(
        base,
        &[
            (0, record(1, 0)),
            (5, record(2, 24)),
            (edge, record(2, big)),
            (edge + 1, big),
            (600_000 - 600_000 % 512 + 511, record(2, big)),
            (600_000 - 600_000 % 512 + 512, big),
            (piece - 1, record(1, big)),
        ],
    );
    let region = Region::open(region.build()).expect("a region");
    let blocks: Vec<Block> =
        region.blocks().expect("blocks").map(|it| it.expect("block")).collect();
    let page = 600_000 - 600_000 % 512 + 511;
    let expected = [
        (base, 1, 0, false),
        (base + 5 * 32, 2, 24, false),
        (base + edge * 32, 2, big, false),
        (base + page * 32, 2, big, false),
        (base + (piece - 1) * 32, 1, record(3, 1 << 40), false),
        (2 * base + 32, 1, 0, false),
        (2 * base + 9 * 32, 1, 64, true),
    ];
    // The last block of the first piece says that its size stands in the first record of the second.
    let seen: Vec<_> =
        blocks.iter().map(|it| (it.address, it.site, it.size_bytes, it.is_marked)).collect();
    assert_eq!(seen.len(), expected.len());
    for (seen, expected) in seen.iter().zip(&expected) {
        assert_eq!((seen.0, seen.1, seen.3), (expected.0, expected.1, expected.3));
    }
    assert_eq!(seen[..5], expected[..5]);
    assert!(blocks.iter().all(|it| it.address == 2 * base + 32 || it.birth_ms == 3));
}

#[test]
fn what_is_no_region_is_refused_in_words() {
    let message = |file: File| Region::open(file).expect_err("refused").to_string();
    let patched = |at: u64, bytes: &[u8]| {
        let file = small().build();
        file.write_all_at(bytes, at).expect("written");
        message(file)
    };
    assert_eq!(patched(0, b"hello"), "the region is not a memscope region");
    assert_eq!(
        patched(8, &[9]),
        format!("the region has format version 9, and this memscope knows version {VERSION}")
    );
    assert!(patched(12, &[0]).contains("never completed"));
    let empty = small().build();
    empty.set_len(0).expect("cut");
    assert_eq!(message(empty), "the region is not a memscope region");
    let short = small().build();
    short.set_len(600).expect("cut");
    assert_eq!(
        message(short),
        format!("the region is truncated: it has 600 of {HEADER_BYTES} bytes")
    );
    let missing = Region::open_path(Path::new("/no/such/region")).expect_err("refused");
    assert!(missing.to_string().starts_with("/no/such/region could not be opened"), "{missing}");
}

/// A region that claims everything and holds nothing, or the same chunk a thousand times, costs next to nothing.
#[test]
fn claims_cost_nothing() {
    for spread in [false, true] {
        let file = small().build();
        let header = Layout::read(&Region::open(file.try_clone().expect("clone")).expect("region"))
            .expect("layout")
            .header;
        let mut bytes = Vec::new();
        HeaderRow { rows: [u32::MAX; 10], ..header }.encode(&mut bytes);
        file.write_all_at(&bytes, 0).expect("written");
        // Behind everything that was written; or all in one place, over what was.
        let mut free = if spread { 4096 } else { 1 };
        let mut directory = Vec::new();
        for table in Table::ALL {
            for _ in 0..CHUNKS_PER_TABLE {
                directory.extend((free as u32).to_ne_bytes());
                free += if spread { table.chunk_bytes() / EXTENT_BYTES } else { 0 };
            }
        }
        file.write_all_at(&directory, CHUNKS_OFFSET).expect("written");
        file.set_len(1 << 40).expect("sized");
        let region = Region::open(file).expect("a region");
        let chunks =
            Table::ALL.iter().map(|it| it.max_rows().div_ceil(it.rows_per_chunk())).sum::<u32>();
        let bad_chunks = if spread { 0 } else { chunks as usize - 1 };
        let layout = region.layout().expect("layout");
        assert_eq!(layout.bad_chunks, bad_chunks);
        let data = |table: &Table| rows::data_bytes(&region, &layout, *table);
        // Of the chunks in one place, the first one is believed.
        let there = if spread { 0 } else { Table::Modules.chunk_bytes() };
        assert!(Table::ALL.iter().map(data).sum::<u64>() <= there);
        let Reading { profile, .. } = region.read(End::Unknown).expect("read");
        assert!(
            profile.modules.len() <= 512 && profile.stacks.is_empty() && profile.sites.is_empty()
        );
        let mut totals = SiteTotals::default();
        region.site_totals(&mut totals).expect("read");
        assert!(totals.totals().is_empty());
    }
}

/// What a program does at a site: which thread, which site, and to allocate (bytes) or to free its oldest block.
type Event = (usize, u32, Option<u64>);

/// Writes counters as capture does, and keeps whole snapshots beside.
struct Writer {
    rows: BTreeMap<(usize, u32), CounterRow>,
    live_bytes: u64,
    peak_bytes: u64,
    peak_epoch: u32,
    blocks: BTreeMap<u32, Vec<u64>>,
    snapshot: BTreeMap<u32, Vec<u64>>,
    snapshot_bytes: u64,
}

impl Writer {
    fn new() -> Self {
        Self {
            rows: BTreeMap::new(),
            live_bytes: 0,
            peak_bytes: 0,
            peak_epoch: 0,
            blocks: BTreeMap::new(),
            snapshot: BTreeMap::new(),
            snapshot_bytes: 0,
        }
    }

    fn apply(&mut self, (thread, site, bytes): Event) {
        let size = match bytes {
            Some(bytes) => bytes,
            None => match self.blocks.get_mut(&site).filter(|it| !it.is_empty()) {
                Some(blocks) => blocks.remove(0),
                None => return,
            },
        };
        if bytes.is_none() && self.live_bytes > self.peak_bytes {
            self.peak_bytes = self.live_bytes;
            self.peak_epoch += 1;
        }
        let epoch = self.peak_epoch;
        let row = self.rows.entry((thread, site)).or_insert(CounterRow {
            site,
            epoch,
            ..zeros(CounterRow::decode)
        });
        if row.epoch != epoch {
            row.epoch = epoch;
            let below = (1 << LARGEST_SHIFT) - 1;
            row.peak_blocks_and_largest = row.allocations.wrapping_sub(row.frees) & below;
            row.peak_bytes = row.allocated_bytes.wrapping_sub(row.freed_bytes);
        }
        if bytes.is_some() {
            row.allocations += 1;
            row.allocated_bytes += size;
            self.live_bytes += size;
            self.blocks.entry(site).or_default().push(size);
        } else {
            row.frees += 1;
            row.freed_bytes += size;
            self.live_bytes -= size;
        }
        if self.live_bytes > self.snapshot_bytes {
            self.snapshot_bytes = self.live_bytes;
            self.snapshot = self.blocks.clone();
        }
    }

    fn region(&self) -> Synthetic {
        let mut region = Synthetic::new();
        region.header.live_bytes = self.live_bytes;
        region.header.peak_bytes = self.peak_bytes;
        region.header.peak_epoch = self.peak_epoch;
        for kind in 1..=4 {
            region.site(0, kind);
        }
        for row in self.rows.values() {
            region.push(Table::Counters, row);
        }
        region
    }
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = (0..3_usize, 1..5_u32, prop::option::weighted(0.6, 1..1000_u64));
    prop::collection::vec(event, 0..200)
}

proptest! {
    #[test]
    fn peaks_equal_whole_snapshots(events in events()) {
        let mut writer = Writer::new();
        events.into_iter().for_each(|event| writer.apply(event));
        let Reading { profile, sites } = read(writer.region());
        prop_assert_eq!(&profile.warnings, &[]);
        prop_assert_eq!(profile.totals.peak_bytes, writer.snapshot_bytes);
        for site in 1..5 {
            let counts = sites.get(site).map_or(Counts::default(), |it| profile.sites[it as usize].counts);
            let sum = |of: &BTreeMap<u32, Vec<u64>>| {
                let blocks = of.get(&site).cloned().unwrap_or_default();
                (blocks.len() as u64, blocks.iter().sum::<u64>())
            };
            prop_assert_eq!((counts.live_blocks(), counts.live_bytes()), sum(&writer.blocks));
            prop_assert_eq!((counts.peak_blocks, counts.peak_bytes), sum(&writer.snapshot));
        }
    }

    #[test]
    fn any_damage_is_survived(
        words in prop::collection::vec((0..2000_u64, any::<u64>()), 0..6),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 0..8_u32), 0..12),
        keep in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let mut region = small();
        region.records(0x1000_0000, &[(3, Record::new(1, 100, Birth(1)).0)]);
        let file = region.build();
        let bytes = file.metadata().expect("size").len();
        // The places that hold something: the header, the directory, the beginnings of chunks.
        let layout = Layout::read(&Region::open(file.try_clone().expect("clone")).expect("region")).expect("layout");
        let mut places: Vec<u64> = (16..512).chain(4096..4096 + 32768).collect();
        for table in Table::ALL {
            for chunk in layout.chunks(table) {
                places.extend(chunk.offset..chunk.offset + 600);
            }
        }
        for (at, word) in words {
            let at = places[at as usize * places.len() / 2000] / 8 * 8;
            file.write_all_at(&word.to_ne_bytes(), at.max(16)).expect("written");
        }
        for (at, bit) in flips {
            let at = places[at.index(places.len())];
            let mut byte = [0];
            file.read_at(&mut byte, at).expect("read");
            file.write_all_at(&[byte[0] ^ 1 << bit], at).expect("written");
        }
        if let Some(keep) = keep {
            file.set_len(keep.index(bytes as usize) as u64).expect("cut");
        }
        if let Ok(region) = Region::open(file) {
            if let Ok(Reading { profile, .. }) = region.read(End::Unknown) {
                for site in &profile.sites {
                    prop_assert!(profile.stack_frames(site.stack).count() < 100);
                }
            }
            let _ = region.totals();
            let _ = region.site_totals(&mut SiteTotals::default());
            if let Ok(blocks) = region.blocks() {
                prop_assert!(blocks.take(100_000).count() < 100_000);
            }
        }
    }
}

/// Whatever stands in it: an error or a profile that keeps its promises, in memory in proportion.
#[test]
fn mutated_regions_are_survived() {
    let mut synthetic = small();
    synthetic.records(1 << 32, &[(3, 0x0100_0000_0000_0101), (70_000, 0x0200_0000_0000_0202)]);
    let file = synthetic.build();
    // What is not a hole.
    let mut parts = Vec::new();
    let mut at = 0;
    while let Ok(start) = rustix::fs::seek(&file, rustix::fs::SeekFrom::Data(at)) {
        let end = rustix::fs::seek(&file, rustix::fs::SeekFrom::Hole(start)).expect("an end");
        let mut bytes = vec![0; (end - start) as usize];
        file.read_exact_at(&mut bytes, start).expect("read");
        // Most of a page is empty; what is not is what counts.
        let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 64);
        bytes.truncate(used);
        parts.push((start, bytes));
        at = end;
    }
    let mut numbers = Numbers::new(2);
    let mut totals = SiteTotals::default();
    for _ in 0..executions(1000) {
        let (start, good) = &parts[numbers.below(parts.len())];
        let mut changed = good.clone();
        overwrite(&mut changed, &mut numbers);
        file.write_all_at(&changed, *start).expect("written");
        if let Ok(region) = Region::open(file.try_clone().expect("a descriptor")) {
            if let Ok(reading) = region.read(End::Unknown) {
                assert_eq!(crate::check::check(&reading.profile), Ok(()));
            }
            let _ = region.site_totals(&mut totals);
            let blocks = region.blocks().map(|blocks| blocks.take(100_000).count());
            assert!(blocks.unwrap_or(0) < 100_000);
        }
        file.write_all_at(good, *start).expect("written");
    }
}
