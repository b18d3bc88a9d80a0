//! The timeline by line of the report, as fine as the page can carry.
//!
//! A long run of many sites has more changes than a page can carry. Then samples are joined, but not to fewer than
//! [`MIN_SPANS`]; if that is not enough, the smallest changes of each span are added up without naming their lines.
//!
//! Invariant: the changes of all spans up to one, and what they leave out, add up to what was held at its end.

use super::columns::Differences;
use memscope_profile::model::{Sample, Timeline};
use std::cmp::Reverse;

/// The most changes that are written.
const MAX_CHANGES: usize = 80_000;
/// Samples are not joined to fewer spans than half of this.
const MIN_SPANS: usize = 100;

/// Changes by line between moments, in columns.
#[derive(Debug, Default, serde::Serialize)]
pub(super) struct Spans {
    /// For each span, the number of samples up to its end.
    samples: Vec<u32>,
    /// For each span, how many changes it has.
    changes: Vec<u32>,
    /// For each span, what was requested in changes that are left out.
    rest_allocated_bytes: Vec<u64>,
    /// For each change, its line.
    line: Differences,
    /// For each change, by how much the live bytes grew.
    live_bytes: Vec<i64>,
    /// For each change, how much was requested.
    allocated_bytes: Vec<u64>,
    /// For each change, in how many allocations.
    allocations: Vec<u64>,
}

/// A change of a line.
#[derive(Clone, Copy)]
struct Change {
    line: u32,
    live_bytes: i64,
    allocated_bytes: u64,
    allocations: u64,
}

impl Change {
    fn add(&mut self, other: &Self) {
        self.live_bytes = self.live_bytes.wrapping_add(other.live_bytes);
        self.allocated_bytes = self.allocated_bytes.wrapping_add(other.allocated_bytes);
        self.allocations = self.allocations.wrapping_add(other.allocations);
    }

    fn weight(&self) -> u64 {
        self.live_bytes.unsigned_abs().max(self.allocated_bytes)
    }
}

/// The changes of `timeline`, whose sites are named by the lines in `lines`.
pub(super) fn spans(timeline: &Timeline, lines: &[u32]) -> Spans {
    let mut joined = 1;
    loop {
        let groups: Vec<Vec<Change>> =
            timeline.samples.chunks(joined).map(|samples| changes(samples, lines)).collect();
        let all: usize = groups.iter().map(Vec::len).sum();
        if all <= MAX_CHANGES || groups.len() <= MIN_SPANS {
            let most = MAX_CHANGES / groups.len().max(1);
            return columns(groups, joined, timeline.samples.len(), most);
        }
        joined *= 2;
    }
}

/// The changes of several samples together, by line.
fn changes(samples: &[Sample], lines: &[u32]) -> Vec<Change> {
    let mut changes: Vec<Change> = samples
        .iter()
        .flat_map(|sample| &sample.changes)
        .filter_map(|it| {
            Some(Change {
                line: *lines.get(it.site as usize)?,
                live_bytes: it.live_bytes,
                allocated_bytes: it.allocated_bytes,
                allocations: it.allocations,
            })
        })
        .collect();
    changes.sort_by_key(|change| change.line);
    changes.dedup_by(|next, sum| {
        let is_same = next.line == sum.line;
        if is_same {
            sum.add(next);
        }
        is_same
    });
    changes
}

fn columns(groups: Vec<Vec<Change>>, joined: usize, samples: usize, most: usize) -> Spans {
    let is_cut = groups.iter().map(Vec::len).sum::<usize>() > MAX_CHANGES;
    let mut spans = Spans::default();
    for (number, mut changes) in groups.into_iter().enumerate() {
        let mut rest = 0u64;
        if is_cut && changes.len() > most {
            changes.sort_by_key(|change| Reverse(change.weight()));
            rest = changes.drain(most..).map(|it| it.allocated_bytes).fold(0, u64::saturating_add);
            changes.sort_by_key(|change| change.line);
        }
        spans.samples.push(((number + 1) * joined).min(samples) as u32);
        spans.changes.push(changes.len() as u32);
        spans.rest_allocated_bytes.push(rest);
        for change in changes {
            spans.line.0.push(change.line.into());
            spans.live_bytes.push(change.live_bytes);
            spans.allocated_bytes.push(change.allocated_bytes);
            spans.allocations.push(change.allocations);
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;
    use memscope_profile::model::SiteChange;

    fn timeline(samples: usize, sites: u32) -> Timeline {
        let change = |site| SiteChange {
            site,
            live_bytes: 3,
            allocated_bytes: 4 + u64::from(site) / 1000,
            allocations: 1,
            ..SiteChange::default()
        };
        let sample = || Sample { changes: (0..sites).map(change).collect(), ..Sample::default() };
        Timeline { interval_ms: 1, samples: (0..samples).map(|_| sample()).collect() }
    }

    #[test]
    fn samples_are_joined_until_the_page_can_carry_them() {
        let lines: Vec<u32> = (0..800).map(|site| site / 2).collect();
        let spans = spans(&timeline(400, 800), &lines);
        assert_eq!(spans.samples[..3], [2, 4, 6]);
        assert_eq!(spans.changes, [400; 200]);
        assert_eq!(spans.live_bytes.iter().sum::<i64>(), 400 * 800 * 3);
        assert_eq!(spans.rest_allocated_bytes, [0; 200]);
    }

    #[test]
    fn of_very_many_changes_the_largest_are_named() {
        let lines: Vec<u32> = (0..4_000).collect();
        let spans = spans(&timeline(64, 4_000), &lines);
        assert_eq!(spans.changes, [1250; 64]);
        assert_eq!(spans.allocated_bytes.iter().filter(|it| **it < 6).count(), 0);
        let named: u64 = spans.allocated_bytes.iter().sum();
        let rest: u64 = spans.rest_allocated_bytes.iter().sum();
        assert_eq!(named + rest, 64 * 1000 * (4 + 5 + 6 + 7));
    }
}
