//! Marks: what was alive at every site at a moment that the program named, and the differences between them.
//!
//! Invariant: a mark costs memory in proportion to the sites, and only the latest are kept.
//! Deliberately absent: stacks. They are looked up when a difference is asked for.

use crate::recording::{self, Aside};
use crate::report::{self, Lines, Place};
use memscope_profile::model::End;
use memscope_profile::region::SiteTotals;
use memscope_report::text::counted;
use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

/// The marks that are kept.
const MAX_MARKS: usize = 64;

/// The analyses whose live blocks are kept.
const MAX_LOOKS: usize = 16;

/// What was alive at a site.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Alive {
    pub(crate) blocks: i64,
    pub(crate) bytes: i64,
    pub(crate) allocations: i64,
}

impl Alive {
    fn minus(self, other: Self) -> Self {
        Self {
            blocks: self.blocks - other.blocks,
            bytes: self.bytes - other.bytes,
            allocations: self.allocations - other.allocations,
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.blocks += other.blocks;
        self.bytes += other.bytes;
        self.allocations += other.allocations;
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Mark {
    pub(crate) name: String,
    /// By site id, ascending. `None`: nothing is recorded.
    pub(crate) sites: Option<Vec<(u32, Alive)>>,
}

impl Mark {
    /// What is alive now.
    fn now(name: &str) -> Self {
        Self { name: name.to_owned(), sites: Self::sites_now() }
    }

    fn sites_now() -> Option<Vec<(u32, Alive)>> {
        let region = recording::region()?;
        let mut totals = SiteTotals::default();
        region.site_totals(&mut totals).ok()?;
        let sites = totals.iter().map(|(id, blocks, bytes, allocations)| {
            let alive = Alive {
                blocks: blocks as i64,
                bytes: bytes as i64,
                allocations: allocations as i64,
            };
            (id, alive)
        });
        Some(sites.collect())
    }
}

/// The marks of a tracker, oldest first, and what was alive at each of its analyses.
#[derive(Clone, Debug, Default)]
pub(crate) struct Marks {
    named: VecDeque<Mark>,
    looks: VecDeque<Mark>,
}

impl Marks {
    pub(crate) fn set(&mut self, name: &str) {
        if self.named.len() == MAX_MARKS {
            self.named.pop_front();
        }
        self.named.push_back(Mark::now(name));
    }

    /// Remembers what is alive at an analysis. Of many, every other of those before is forgotten: the first stays.
    pub(crate) fn look(&mut self, age: Duration) {
        if self.looks.len() == MAX_LOOKS {
            let mut number = 0;
            self.looks.retain(|_| {
                number += 1;
                number % 2 == 1
            });
        }
        self.looks.push_back(Mark::now(&format!("{:.1} s", age.as_secs_f64())));
    }

    /// The marks that the program made.
    pub(crate) fn named(&self) -> impl Iterator<Item = &Mark> {
        self.named.iter()
    }

    /// The analyses.
    pub(crate) fn looks(&self) -> impl Iterator<Item = &Mark> {
        self.looks.iter()
    }

    fn find(&self, name: &str) -> Option<&Mark> {
        self.named.iter().rev().find(|mark| mark.name == name)
    }

    /// From one mark to another, or to now.
    pub(crate) fn difference(&self, earlier: &str, later: Option<&str>) -> Option<MarkDifference> {
        let from = self.find(earlier)?;
        let now;
        let to = match later {
            Some(name) => self.find(name)?,
            None => {
                now = Mark::now("now");
                &now
            }
        };
        let mut difference = MarkDifference {
            is_recorded: false,
            from: from.name.clone(),
            to: to.name.clone(),
            live_blocks: 0,
            live_bytes: 0,
            allocations: 0,
            sites: Vec::new(),
        };
        let (Some(from), Some(to)) = (&from.sites, &to.sites) else { return Some(difference) };
        let Some((profile, places)) = report::read_profile(End::Running) else {
            return Some(difference);
        };
        let lines = Lines::new(&profile, &places);
        let mut by_line = vec![Alive::default(); lines.len()];
        let mut total = Alive::default();
        for (id, change) in changes(from, to) {
            total.add(change);
            if let Some(line) = lines.of(id) {
                by_line[line].add(change);
            }
        }
        let mut sites: Vec<_> = by_line
            .into_iter()
            .enumerate()
            .filter(|(_, change)| *change != Alive::default())
            .map(|(line, change)| SiteDifference {
                place: lines.site(line).place,
                live_blocks: change.blocks,
                live_bytes: change.bytes,
                allocations: change.allocations.max(0) as u64,
            })
            .collect();
        sites.sort_by_key(|site| std::cmp::Reverse(site.live_bytes));
        difference.is_recorded = true;
        difference.live_blocks = total.blocks;
        difference.live_bytes = total.bytes;
        difference.allocations = total.allocations.max(0) as u64;
        difference.sites = sites;
        Some(difference)
    }
}

/// What changed at each site that has changed.
fn changes(from: &[(u32, Alive)], to: &[(u32, Alive)]) -> Vec<(u32, Alive)> {
    let at = |sites: &[(u32, Alive)], id: u32| {
        let place = sites.binary_search_by_key(&id, |(id, _)| *id).ok();
        place.map_or_else(Alive::default, |place| sites[place].1)
    };
    let mut ids: Vec<u32> = from.iter().chain(to).map(|(id, _)| *id).collect();
    ids.sort_unstable();
    ids.dedup();
    let changes = ids.into_iter().map(|id| (id, at(to, id).minus(at(from, id))));
    changes.filter(|(_, change)| *change != Alive::default()).collect()
}

/// What changed between two moments, by site. `Display` prints it for people. Made by
/// [`Tracker::since`](crate::Tracker::since) and [`Tracker::between`](crate::Tracker::between). Bytes are those that were
/// asked for; a change is negative where less is alive than was.
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
/// let t = memscope_rs::tracker!();
/// t.mark("after warm-up");
/// let words: Vec<String> = "to be or not".split(' ').map(str::to_owned).collect();
/// let difference = t.since("after warm-up").unwrap();
/// assert_eq!((difference.live_blocks, difference.live_bytes), (5, 4 * 24 + 9)); // the vector, and four words
/// # drop(words);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct MarkDifference {
    /// Whether both are known: something was recorded at either. If not, all counts are 0 and say nothing.
    pub is_recorded: bool,
    /// The earlier mark.
    pub from: String,
    /// The later mark, or `now`.
    pub to: String,
    /// Change of live blocks in the whole process.
    pub live_blocks: i64,
    /// Change of live bytes in the whole process.
    pub live_bytes: i64,
    /// Allocations in between, in the whole process.
    pub allocations: u64,
    /// The sites at which something changed, most additional bytes first.
    pub sites: Vec<SiteDifference>,
}

/// What changed at a site.
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
/// let t = memscope_rs::tracker!();
/// t.mark("before");
/// let kept = vec![0_u8; 1000];
/// let difference = t.since("before").unwrap();
/// for site in &difference.sites {
///     println!("{:+} bytes at {}", site.live_bytes, site.place);
/// }
/// assert_eq!((difference.sites[0].live_blocks, difference.sites[0].live_bytes), (1, 1000));
/// # drop(kept);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SiteDifference {
    /// The innermost function that is the program's own.
    pub place: Place,
    /// Change of its live blocks.
    pub live_blocks: i64,
    /// Change of its live bytes.
    pub live_bytes: i64,
    /// Its allocations in between.
    pub allocations: u64,
}

/// More or fewer of something, with a sign.
fn change(by: i64, noun: &str) -> String {
    format!("{}{}", if by < 0 { '-' } else { '+' }, counted(by.unsigned_abs(), noun))
}

impl fmt::Display for MarkDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_recorded {
            return writeln!(f, "From {:?} to {:?}: nothing is recorded", self.from, self.to);
        }
        // The text is none of the program's blocks.
        let aside = Aside::new();
        let mut text = format!(
            "From {:?} to {:?}: {} in {}, {}\n",
            self.from,
            self.to,
            change(self.live_bytes, "byte"),
            change(self.live_blocks, "block"),
            counted(self.allocations, "allocation")
        );
        for site in &self.sites {
            text.push_str(&format!(
                "{:>18} in {}, {}: {}\n",
                change(site.live_bytes, "byte"),
                change(site.live_blocks, "block"),
                counted(site.allocations, "allocation"),
                site.place
            ));
        }
        drop(aside);
        f.write_str(&text)
    }
}
