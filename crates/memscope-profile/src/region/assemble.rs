//! A region's rows become a profile: totals, completeness, threads, and what to say about damage.

use super::counters::{Counters, Peak, deviation, sum_by_site, variance, whole};
use super::layout::Layout;
use super::rows::{Buffer, each_row};
use super::stacks::{Build, Damage, Rows};
use super::{Reading, Region, whose};
use crate::error::Result;
use crate::estimate::Deviations;
use crate::model::{
    Completeness, End, Era, Growth, Inherited, Mode, Profile, Run, Thread, Totals, Warning,
};
use memscope_region::header::KEPT_ERAS;
use memscope_region::record::Birth;
use memscope_region::row::{BY_MODE_COUNTED, BY_MODE_FLUSHED, BY_MODE_HIGH, BY_MODE_PEAK};
use memscope_region::{HeaderRow, MissCause, Table, ThreadRow, header};
use rustix::time::{ClockId, clock_gettime};

/// A thread adds its live bytes to the process's in steps of this size.
const FLUSH_BYTES: u64 = 64 << 10;
/// The state of a thread's row whose tables no other thread has taken over.
const OPEN: u32 = 1;
/// How the names of a reader's threads begin.
const READER: &[u8] = b"memscope-";
/// How often the counters are read anew because the peak moved meanwhile.
const ATTEMPTS: usize = 4;

/// In [`HeaderRow::modes`].
const COUNTING_BIT: u32 = 1 << header::MODE_COUNTING;

/// Reads the whole region.
pub(super) fn read(region: &Region, end: End) -> Result<Reading> {
    let mut buffer = Buffer::default();
    let (layout, counters) = read_counters(region, &mut buffer)?;
    let Counters { sums, allocated_by } = counters;
    let rows = Rows::read(region, &mut buffer)?;
    let threads = Threads::read(region, &layout)?;
    let header = &layout.header;

    let mut profile = Profile {
        completeness: threads.completeness(header),
        totals: threads.totals(header),
        threads: threads.rows.iter().map(|row| thread(row, header.mode)).collect(),
        strings: vec![String::new()],
        ..Profile::default()
    };
    let mut damage = Damage::default();
    let live_by_site = sums.values().fold(0_i64, |sum, site| sum.wrapping_add(site.live_bytes()));
    let peak = threads.peak(header);
    // Counters and texts are where this layout says; rows of the other tables were read with later ones.
    let last = region.layout()?;
    let mut build = Build { region, layout: &last, profile: &mut profile, damage: &mut damage };
    let command = build.text(header.command_row, header.command_bytes)?;
    let exe = build.text(header.exe_row, header.exe_bytes)?;
    build.damage.texts += [&command, &exe].iter().filter(|text| text.is_none()).count();
    build.profile.run = run(header, end, &command.unwrap_or_default(), &exe.unwrap_or_default());
    let sites = build.build(&rows, sums, peak)?;
    inherit(header, &mut profile);
    whose::assign(&mut profile, &sites, allocated_by, &threads.pointers());

    profile.totals.peak_blocks =
        profile.sites.iter().fold(0, |sum: u64, site| sum.saturating_add(site.counts.peak_blocks));
    // A process that changed its mind knows a part of it.
    let is_exact = header.mode == header::MODE_EXACT && header.eras < 2;
    profile.totals.growth = is_exact.then(|| {
        let mut growth = Growth::default();
        profile.sites.iter().for_each(|site| growth.add(&site.counts.growth));
        growth
    });
    if header.mode == header::MODE_SAMPLED {
        let deviations = &mut profile.totals.deviations;
        profile.sites.iter().for_each(|site| deviations.add(&site.counts.deviations));
    }
    // What was only counted is at no site.
    let has_sites = header.mode != header::MODE_COUNTING && header.modes & COUNTING_BIT == 0;
    if threads.open() > 1 && has_sites {
        // Threads hold back what they add to the process's sum, so its maximum lags behind; the rows of the sites were
        // set aside at the very moment, and what they add up to was alive then.
        let peak_bytes = profile.sites.iter().map(|site| site.counts.peak_bytes);
        profile.totals.peak_bytes = peak_bytes.fold(0, u64::saturating_add);
    }
    if matches!(peak, Peak::Now) {
        profile.totals.peak_ms = profile.run.duration_ns / 1_000_000;
    }
    profile.warnings = warnings(&layout, &damage);
    // Where others of its threads may still run, the two are not of one moment.
    let is_at_rest = !matches!(end, End::Running | End::Ending);
    if is_at_rest && has_sites && live_by_site != threads.live_bytes(header) {
        profile.warnings.push(Warning {
            message: format!(
                "The live bytes by site add up to {live_by_site}, and the threads counted {}.",
                threads.live_bytes(header)
            ),
            hint: "A process that is killed in the middle of an event leaves such a difference, at most one block for each thread.".into(),
        });
    }
    Ok(Reading { profile, sites })
}

/// Reads the counters with the layout that they hold for: the values at the peak are those of one epoch.
fn read_counters(region: &Region, buffer: &mut Buffer) -> Result<(Layout, Counters)> {
    let mut layout = region.layout()?;
    let mut attempts = ATTEMPTS;
    loop {
        let counters = sum_by_site(region, &layout, buffer)?;
        let after = region.layout()?;
        attempts -= 1;
        if attempts == 0 || after.header.peak_epoch == layout.header.peak_epoch {
            return Ok((layout, counters));
        }
        layout = after;
    }
}

fn run(header: &HeaderRow, end: End, command: &[u8], exe: &[u8]) -> Run {
    let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let command = command.strip_suffix(&[0]).unwrap_or(command);
    let now = clock_gettime(ClockId::Monotonic);
    let now_ns = (now.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(now.tv_nsec as u64);
    Run {
        command: if command.is_empty() {
            Vec::new()
        } else {
            command.split(|byte| *byte == 0).map(lossy).collect()
        },
        exe: lossy(exe.strip_suffix(&[0]).unwrap_or(exe)),
        pid: header.pid,
        start_ns: header.start_realtime_ns,
        duration_ns: match end {
            End::Running | End::Ending => now_ns.saturating_sub(header.start_monotonic_ns),
            _ => ms(header.tick) * 1_000_000,
        },
        end,
        mode: match header.mode {
            header::MODE_SAMPLED => Mode::Sampled,
            header::MODE_COUNTING => Mode::Counting,
            _ if has_only_counted(header) => Mode::Counting,
            _ => Mode::Exact,
        },
        interval_bytes: header.interval_bytes,
        memscope_version: env!("CARGO_PKG_VERSION").into(),
        unfollowed_children: header.children,
        replaced: header.replacements != 0,
        inherited: None,
    }
}

/// Whether a process that chooses its mode has never done more than count.
fn has_only_counted(header: &HeaderRow) -> bool {
    header.modes & COUNTING_BIT != 0 && header.modes & !(COUNTING_BIT | 1 << header::MODE_OFF) == 0
}

/// What the process chose to record, if it changed its mind.
fn eras(header: &HeaderRow) -> Vec<Era> {
    if header.eras < 2 {
        return Vec::new();
    }
    let first = header.eras.saturating_sub(KEPT_ERAS as u32);
    let era = |number: u32| {
        let word = header.era.get(number as usize % KEPT_ERAS).copied().unwrap_or_default();
        let mode = match word as u32 {
            header::MODE_EXACT => Some(Mode::Exact),
            header::MODE_SAMPLED => Some(Mode::Sampled),
            header::MODE_COUNTING => Some(Mode::Counting),
            _ => None,
        };
        Era { from_ms: ms((word >> 32) as u32), mode }
    };
    (first..header.eras).map(era).collect()
}

/// In a child of fork the blocks that it has no record of are those that it inherited.
fn inherit(header: &HeaderRow, profile: &mut Profile) {
    if header.forked_from != 0 {
        profile.run.inherited = Some(Inherited {
            from: header.forked_from,
            is_known: header.inherited_doubt != u64::MAX,
            blocks: match header.mode {
                header::MODE_SAMPLED => whole(header.inherited_blocks),
                _ => header.inherited_blocks,
            },
            bytes: header.inherited_bytes,
            doubt: header.inherited_doubt,
            frees: std::mem::take(&mut profile.completeness.unknown_frees),
        });
    }
}

/// The milliseconds of a tick. Below 2^42, so they can be written in nanoseconds.
fn ms(tick: u32) -> u64 {
    Birth(tick as u16).ms()
}

/// The rows of the threads, and what they add up to. All sums wrap, as the counters do.
pub(super) struct Threads {
    rows: Vec<ThreadRow>,
}

impl Threads {
    pub(super) fn read(region: &Region, layout: &Layout) -> Result<Self> {
        let mut rows = Vec::new();
        each_row(region, layout, Table::Threads, &mut Buffer::default(), |_, bytes| {
            let row = ThreadRow::decode(bytes).filter(|row| row.state != 0);
            rows.extend(row.filter(|row| !is_readers(row)));
        })?;
        Ok(Self { rows })
    }

    /// The threads by their thread pointers, each with its place among the threads.
    fn pointers(&self) -> Vec<(u64, u32)> {
        (0..).zip(&self.rows).map(|(place, row)| (row.thread_pointer, place)).collect()
    }

    fn sum(&self, of: impl Fn(&ThreadRow) -> u64) -> u64 {
        self.rows.iter().fold(0, |sum, row| sum.wrapping_add(of(row)))
    }

    fn live_bytes(&self, header: &HeaderRow) -> i64 {
        header.live_bytes.wrapping_add(self.sum(|row| row.unflushed_bytes)) as i64
    }

    /// The peak is raised only when live bytes are about to fall; above it, the peak is now.
    fn peak(&self, header: &HeaderRow) -> Peak {
        let live_bytes = self.live_bytes(header).max(0) as u64;
        let is_now = match self.own_peak(header) {
            Some(peak_bytes) => live_bytes >= peak_bytes && live_bytes > 0,
            None => live_bytes > header.peak_bytes,
        };
        if is_now { Peak::Now } else { Peak::Past }
    }

    /// The peak in mode counting, if there was one thread: it knows its own to the byte.
    fn own_peak(&self, header: &HeaderRow) -> Option<u64> {
        match self.rows.as_slice() {
            [only] if header.mode == header::MODE_COUNTING => Some(counted_live(only).1),
            _ => None,
        }
    }

    pub(super) fn totals(&self, header: &HeaderRow) -> Totals {
        let live_bytes = self.live_bytes(header).max(0) as u64;
        let blocks = |count| if header.mode == header::MODE_SAMPLED { whole(count) } else { count };
        let [counted, counted_bytes, counted_frees, counted_freed_bytes] =
            std::array::from_fn(|at| self.sum(|row| counted(row, header.mode, at)));
        let [sampled, sampled_bytes, sampled_frees, sampled_freed_bytes] = header.sample;
        let allocations = self.sum(|row| row.allocations).wrapping_add(counted);
        let frees = self.sum(|row| row.frees).wrapping_add(counted_frees);
        let live_blocks = blocks((allocations.wrapping_sub(frees) as i64).max(0) as u64);
        let live_in_sample = whole((sampled.wrapping_sub(sampled_frees) as i64).max(0) as u64);
        let allocations = blocks(allocations).saturating_add(whole(sampled));
        let live_blocks = live_blocks.saturating_add(live_in_sample);
        let frees = frees.wrapping_add(whole(sampled).saturating_sub(live_in_sample));
        Totals {
            allocations,
            allocated_bytes: self
                .sum(|row| row.allocated_bytes)
                .wrapping_add(counted_bytes)
                .wrapping_add(sampled_bytes),
            // As at a site: the difference is rounded, not its parts.
            frees: match header.mode {
                header::MODE_SAMPLED => allocations.saturating_sub(live_blocks),
                _ => frees,
            },
            freed_bytes: self
                .sum(|row| row.freed_bytes)
                .wrapping_add(counted_freed_bytes)
                .wrapping_add(sampled_freed_bytes),
            reallocs: blocks(self.sum(|row| row.reallocs)),
            temporary: blocks(self.sum(|row| row.temporary)),
            failed: self.sum(|row| row.failed),
            peak_bytes: self.own_peak(header).unwrap_or_else(|| header.peak_bytes.max(live_bytes)),
            peak_blocks: 0,
            peak_ms: match self.peak(header) {
                Peak::Past => ms(header.peak_tick),
                Peak::Now => ms(header.tick),
            },
            peak_is_end: matches!(self.peak(header), Peak::Now),
            live_bytes,
            live_blocks,
            growth: None,
            deviations: Deviations::default(),
        }
    }

    /// How many threads may hold something back: closed rows were added up when they were closed.
    fn open(&self) -> u64 {
        self.rows.iter().filter(|row| row.state == OPEN).count() as u64
    }

    pub(super) fn completeness(&self, header: &HeaderRow) -> Completeness {
        let threads = self.open();
        let is_counting = header.mode == header::MODE_COUNTING;
        // Counting counts nothing twice: its allocations and frees are its events.
        let events = |row: &ThreadRow| {
            if is_counting {
                row.allocations.wrapping_add(row.frees).wrapping_add(row.failed)
            } else {
                counted_events(row, header.mode)
            }
        };
        let successes = self.sum(|row| row.successes).wrapping_add(self.sum(events));
        let attempts = self.sum(attempts).wrapping_add(self.sum(events));
        Completeness {
            attempts: attempts.wrapping_add(header.unthreaded_attempts),
            successes,
            misses: std::array::from_fn(|cause| {
                self.sum(|row| row.misses[cause]).wrapping_add(header.unthreaded_misses[cause])
            }),
            unknown_frees: self.sum(|row| row.unknown_frees),
            truncated_stacks: self.sum(|row| row.truncated_stacks),
            foreign_stacks: self.sum(|row| row.foreign_stacks),
            eras: eras(header),
            // A sample enters at once.
            peak_uncertainty_bytes: match header.mode {
                header::MODE_SAMPLED => 0,
                _ if threads > 1 => threads * FLUSH_BYTES,
                _ => 0,
            },
        }
    }
}

/// A thread's attempts. An event in a signal handler that interrupted another is counted as a miss alone, because the
/// counter of attempts may have been half-way through its own update.
fn attempts(row: &ThreadRow) -> u64 {
    row.attempts.wrapping_add(row.misses[MissCause::Reentered as usize])
}

/// What a thread only counted although the region is of mode exact: see [`BY_MODE_COUNTED`].
fn counted(row: &ThreadRow, mode: u32, at: usize) -> u64 {
    match mode {
        header::MODE_EXACT => row.by_mode.get(BY_MODE_COUNTED + at).copied().unwrap_or_default(),
        _ => 0,
    }
}

/// Whether the thread was started by a reader in the process itself, so that it is none of the program's: reading would
/// change what is read. What such a thread does is not recorded.
fn is_readers(row: &ThreadRow) -> bool {
    name(row).starts_with(READER)
        && row.misses.iter().all(|misses| *misses == 0)
        && [row.attempts, row.successes, row.allocations, row.frees, row.failed] == [0; 5]
        && row.by_mode.iter().all(|cell| *cell == 0)
}

/// A thread's name, as the kernel had it.
fn name(row: &ThreadRow) -> Vec<u8> {
    let mut name: Vec<u8> = row.name.iter().flat_map(|word| word.to_ne_bytes()).collect();
    name.truncate(name.iter().position(|byte| *byte == 0).unwrap_or(name.len()));
    name
}

/// How many events these were.
fn counted_events(row: &ThreadRow, mode: u32) -> u64 {
    counted(row, mode, 0).wrapping_add(counted(row, mode, 2))
}

/// What a thread in mode counting has added to the process's live bytes, and the most that this was.
fn counted_live(row: &ThreadRow) -> (i64, u64) {
    let [flushed, peak, high] = [BY_MODE_FLUSHED, BY_MODE_PEAK, BY_MODE_HIGH]
        .map(|place| row.by_mode.get(place).map_or(0, |cell| *cell as i64));
    let live = flushed.wrapping_add(row.unflushed_bytes as i64);
    (live, peak.max(flushed.wrapping_add(high)).max(0) as u64)
}

fn thread(row: &ThreadRow, mode: u32) -> Thread {
    let thread = Thread {
        tid: row.tid,
        name: String::from_utf8_lossy(&name(row)).into_owned(),
        first_ms: ms(row.birth),
        attempts: attempts(row),
        successes: row.successes,
        allocations: row.allocations,
        allocated_bytes: row.allocated_bytes,
        frees: row.frees,
        freed_bytes: row.freed_bytes,
        temporary: row.temporary,
        ..Thread::default()
    };
    match mode {
        header::MODE_SAMPLED => {
            let [allocations, allocated_bytes, frees, freed_bytes] =
                row.by_mode.map(|bits| deviation(variance(bits)));
            Thread {
                allocations: whole(row.allocations),
                frees: whole(row.frees),
                temporary: whole(row.temporary),
                deviations: Deviations {
                    allocations,
                    allocated_bytes,
                    frees,
                    freed_bytes,
                    ..Deviations::default()
                },
                ..thread
            }
        }
        header::MODE_COUNTING => {
            let events = row.allocations.wrapping_add(row.frees).wrapping_add(row.failed);
            let (live_bytes, peak_bytes) = counted_live(row);
            Thread {
                attempts: thread.attempts.wrapping_add(events),
                successes: thread.successes.wrapping_add(events),
                live_bytes,
                peak_bytes,
                ..thread
            }
        }
        _ => {
            let events = counted_events(row, mode);
            Thread {
                attempts: thread.attempts.wrapping_add(events),
                successes: thread.successes.wrapping_add(events),
                allocations: thread.allocations.wrapping_add(counted(row, mode, 0)),
                allocated_bytes: thread.allocated_bytes.wrapping_add(counted(row, mode, 1)),
                frees: thread.frees.wrapping_add(counted(row, mode, 2)),
                freed_bytes: thread.freed_bytes.wrapping_add(counted(row, mode, 3)),
                ..thread
            }
        }
    }
}

fn warnings(layout: &Layout, damage: &Damage) -> Vec<Warning> {
    [
        (
            layout.bad_chunks,
            "parts of the region lie over others or outside of it, and were left out",
        ),
        (damage.parents, "stack frames have no proper caller, and their stacks end there"),
        (damage.references, "rows name others that are not there, and stacks lack frames"),
        (damage.texts, "paths or command lines could not be read"),
        (damage.kinds, "sites have an unknown kind of call, and count as malloc"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, what)| Warning {
        message: format!("The region is damaged: {count} {what}."),
        hint: "Something other than memscope wrote into it, perhaps the program itself.".into(),
    })
    .collect()
}
