//! Sums the counter rows by site.
//!
//! A site has a row in the table of each thread that allocated or freed there, and a thread that only frees what
//! others allocated has more frees than allocations; so only the sums mean something, and they are taken as
//! wrapping 64-bit numbers. At the peak, a row holds its values in `peak_*` if its epoch is the peak's; with an
//! older epoch it has not changed since, and its values now are its values then.
//!
//! What grew or shrank at a site stands in rows of its own.
//!
//! In a sampled run a site has rows of variances beside those of its estimates; they add up in the same way.

use super::Region;
use super::layout::Layout;
use super::rows::{Buffer, data_bytes, each_row};
use crate::error::Result;
use crate::estimate::Deviations;
use crate::model::{Counts, Growth};
use memscope_region::header::MODE_SAMPLED;
use memscope_region::row::{
    COUNTERS_AT_A_TIME, COUNTS_PER_BLOCK, GROWTH, GrowthRow, ODD, OWNER, VARIANCE,
};
use memscope_region::{CounterRow, SiteRow, Table};
use std::collections::HashMap;

/// A block of so many bytes is known to the last digit of its size; of larger ones a row has eleven after the first.
const MOST_EXACT_BYTES: u64 = 4095;

/// The sums of one site.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sum {
    counts: Counts,
    peak_blocks: i64,
    peak_bytes: i64,
    variances: Variances,
}

/// The sums of the variances of a site's estimates.
#[derive(Clone, Copy, Debug, Default)]
struct Variances {
    allocations: f64,
    allocated_bytes: f64,
    frees: f64,
    freed_bytes: f64,
    temporary: f64,
    peak_blocks: f64,
    peak_bytes: f64,
}

/// A variance as a row has it. What is no number comes from no program of ours.
pub(super) fn variance(bits: u64) -> f64 {
    let value = f64::from_bits(bits);
    if value.is_finite() { value } else { 0.0 }
}

/// The deviation to a variance, which rounding may have left below 0.
pub(super) fn deviation(variance: f64) -> u64 {
    variance.max(0.0).sqrt().round() as u64
}

/// A count of a sampled run in whole blocks.
pub(super) fn whole(count: u64) -> u64 {
    count.saturating_add(COUNTS_PER_BLOCK / 2) / COUNTS_PER_BLOCK
}

impl Variances {
    fn add(&mut self, row: &CounterRow, peak_epoch: u32) {
        let [allocations, allocated_bytes, frees, freed_bytes, temporary] =
            [row.allocations, row.allocated_bytes, row.frees, row.freed_bytes, row.temporary]
                .map(variance);
        self.allocations += allocations;
        self.allocated_bytes += allocated_bytes;
        self.frees += frees;
        self.freed_bytes += freed_bytes;
        self.temporary += temporary;
        let (blocks, bytes) = if row.epoch == peak_epoch {
            (variance(row.peak_blocks_and_largest), variance(row.peak_bytes))
        } else {
            (allocations - frees, allocated_bytes - freed_bytes)
        };
        self.peak_blocks += blocks;
        self.peak_bytes += bytes;
    }

    fn deviations(&self, peak: Peak) -> Deviations {
        let live_blocks = self.allocations - self.frees;
        let live_bytes = self.allocated_bytes - self.freed_bytes;
        let (peak_blocks, peak_bytes) = match peak {
            Peak::Past => (self.peak_blocks, self.peak_bytes),
            Peak::Now => (live_blocks, live_bytes),
        };
        Deviations {
            allocations: deviation(self.allocations),
            allocated_bytes: deviation(self.allocated_bytes),
            frees: deviation(self.frees),
            freed_bytes: deviation(self.freed_bytes),
            temporary: deviation(self.temporary),
            peak_blocks: deviation(peak_blocks),
            peak_bytes: deviation(peak_bytes),
            live_blocks: deviation(live_blocks),
            live_bytes: deviation(live_bytes),
        }
    }
}

/// When the peak was.
#[derive(Clone, Copy, Debug)]
pub(super) enum Peak {
    /// It is past; rows of this epoch hold their values at it.
    Past,
    /// Live bytes are above all that was before.
    Now,
}

impl Sum {
    fn add(&mut self, row: &CounterRow, peak_epoch: u32) {
        let counts = &mut self.counts;
        counts.allocations = counts.allocations.wrapping_add(row.allocations);
        counts.allocated_bytes = counts.allocated_bytes.wrapping_add(row.allocated_bytes);
        counts.frees = counts.frees.wrapping_add(row.frees);
        counts.freed_bytes = counts.freed_bytes.wrapping_add(row.freed_bytes);
        counts.temporary = counts.temporary.wrapping_add(row.temporary);
        counts.largest_block_bytes = counts.largest_block_bytes.max(row.largest_block());
        let (blocks, bytes) = if row.epoch == peak_epoch {
            (row.peak_blocks(), row.peak_bytes)
        } else {
            (
                row.allocations.wrapping_sub(row.frees) as i64,
                row.allocated_bytes.wrapping_sub(row.freed_bytes),
            )
        };
        self.peak_blocks = self.peak_blocks.wrapping_add(blocks);
        self.peak_bytes = self.peak_bytes.wrapping_add(bytes as i64);
    }

    /// Live bytes, negative if more was freed than allocated (a contradiction, or a row read in mid-change).
    pub(super) fn live_bytes(&self) -> i64 {
        self.counts.allocated_bytes.wrapping_sub(self.counts.freed_bytes) as i64
    }

    /// Whether nothing ever happened here. (Blocks that were named since are another site's now; but at the peak they
    /// may have been here.)
    pub(super) fn is_empty(&self) -> bool {
        // The largest that was here stays known.
        let counts = Counts { largest_block_bytes: 0, ..self.counts };
        counts == Counts::default() && (self.peak_blocks, self.peak_bytes) == (0, 0)
    }

    /// The counts as the profile has them.
    pub(super) fn counts(&self, peak: Peak) -> Counts {
        let (blocks, bytes) = match peak {
            Peak::Past => (self.peak_blocks, self.peak_bytes),
            Peak::Now => {
                (self.counts.allocations.wrapping_sub(self.counts.frees) as i64, self.live_bytes())
            }
        };
        let mut counts = Counts {
            peak_blocks: blocks.max(0) as u64,
            peak_bytes: bytes.max(0) as u64,
            ..self.counts
        };
        counts.largest_block_bytes = largest_block(&counts);
        counts
    }

    /// The counts of a site of a sampled run as the profile has them.
    pub(super) fn estimates(&self, peak: Peak) -> Counts {
        let Counts { allocations, frees, temporary, peak_blocks, .. } = self.counts(peak);
        // The difference is rounded, not its parts: what was all freed must not leave a block.
        let live_blocks = whole(allocations.saturating_sub(frees));
        let allocations = whole(allocations);
        Counts {
            allocations,
            frees: allocations.saturating_sub(live_blocks),
            temporary: whole(temporary),
            peak_blocks: whole(peak_blocks),
            // A mean of estimates says nothing of any block.
            largest_block_bytes: self.counts.largest_block_bytes,
            deviations: self.variances.deviations(peak),
            ..self.counts(peak)
        }
    }
}

/// The largest block. The rows have only the first digits of a large one; the rest a mean may show: of blocks that are all
/// alike, and of one alone, it is the size. It never says more than those digits allow, so that a row that was read in mid-change
/// tells no untruth.
fn largest_block(counts: &Counts) -> u64 {
    if counts.allocations == 0 {
        return 0;
    }
    let cut = counts.largest_block_bytes;
    let rest = if cut <= MOST_EXACT_BYTES { 0 } else { cut / 2048 };
    let sums = [
        (counts.allocations, counts.allocated_bytes),
        (counts.frees, counts.freed_bytes),
        (counts.live_blocks(), counts.live_bytes()),
        (counts.peak_blocks, counts.peak_bytes),
    ];
    let sums = sums.into_iter().filter(|(blocks, _)| *blocks > 0);
    let means = sums.map(|(blocks, bytes)| bytes.div_ceil(blocks));
    means.max().unwrap_or(0).clamp(cut, cut.saturating_add(rest))
}

fn growth_of(row: &GrowthRow) -> Growth {
    Growth {
        growths: row.growths,
        copied_bytes: row.copied_bytes,
        remapped_bytes: row.remapped_bytes,
        shrinks: row.shrinks,
        given_back_bytes: row.given_back_bytes,
        outgrown_blocks: row.outgrown_blocks,
        outgrown_bytes: row.outgrown_bytes,
    }
}

/// What the rows of counters say.
#[derive(Debug, Default)]
pub(super) struct Counters {
    /// The sums of all sites by their ids. As many as rows are really there.
    pub(super) sums: HashMap<u32, Sum>,
    /// Who allocated: the id of a site, and the thread pointer of a thread that did there. Not sorted.
    pub(super) allocated_by: Vec<(u32, u64)>,
}

/// Reads all rows of counters.
pub(super) fn sum_by_site(
    region: &Region,
    layout: &Layout,
    buffer: &mut Buffer,
) -> Result<Counters> {
    let mut counters = Counters::default();
    // Whose the rows are, and the first that is another's.
    let mut owner = (0, 0);
    each_row(region, layout, Table::Counters, buffer, |number, bytes| {
        let Counters { sums, allocated_by } = &mut counters;
        let epoch = layout.header.peak_epoch;
        let growth =
            GrowthRow::decode(bytes).filter(|row| row.site & (VARIANCE | GROWTH) == GROWTH);
        if let Some(row) = growth {
            let sum = sums.entry(row.site & !GROWTH).or_default();
            sum.counts.growth.add(&growth_of(&row));
        } else if let Some(row) = CounterRow::decode(bytes).filter(|row| row.site != 0) {
            if row.site == OWNER {
                owner = (row.allocations, number.saturating_add(COUNTERS_AT_A_TIME));
                return;
            }
            if row.site & VARIANCE == 0 && row.allocations != 0 && number < owner.1 {
                allocated_by.push((row.site, owner.0));
            }
            let sum = sums.entry(row.site & !VARIANCE).or_default();
            if row.site & VARIANCE == 0 {
                sum.add(&row, epoch);
            } else {
                sum.variances.add(&row, epoch);
            }
        }
    })?;
    Ok(counters)
}

/// What has happened at each site so far: a sample for a timeline. Made once and filled again and again by
/// [`Region::site_totals`].
///
/// ```
/// use memscope_profile::Region;
/// use memscope_profile::region::SiteTotals;
/// use memscope_rs::Memscope;
///
/// #[global_allocator]
/// static ALLOC: Memscope = Memscope::system().in_file(c"/tmp/shop.region");
///
/// let kept = vec![0_u8; 1000];
/// let path = format!("/tmp/shop.region.{}", std::process::id());
/// let region = Region::open_path(path.as_ref())?;
/// let mut totals = SiteTotals::default();
/// region.site_totals(&mut totals)?;
/// let before: u64 = totals.iter().map(|(_site, _blocks, bytes, _allocations)| bytes).sum();
/// let more = vec![0_u8; 500];
/// region.site_totals(&mut totals)?; // in the same memory
/// let after: u64 = totals.iter().map(|(_site, _blocks, bytes, _allocations)| bytes).sum();
/// assert!(after >= before + 500);
/// # drop(more);
/// # std::fs::remove_file(path).ok();
/// # drop(kept);
/// # Ok::<(), memscope_profile::FileError>(())
/// ```
#[derive(Debug, Default)]
pub struct SiteTotals {
    /// By site id.
    totals: Vec<SiteTotal>,
    buffer: Buffer,
}

/// What has happened at a site so far. All are wrapping sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SiteTotal {
    pub(crate) allocations: u64,
    pub(crate) allocated_bytes: u64,
    pub(crate) live_blocks: u64,
    pub(crate) live_bytes: u64,
}

impl SiteTotals {
    /// By site id.
    pub(crate) fn totals(&self) -> &[SiteTotal] {
        &self.totals
    }

    /// What has happened at each site that has a total: its id, live blocks, live bytes, allocations. A comparison for
    /// each.
    ///
    /// ```
    /// use memscope_profile::region::SiteTotals;
    ///
    /// assert_eq!(SiteTotals::default().iter().count(), 0); // until Region::site_totals fills it
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = (u32, u64, u64, u64)> + '_ {
        let sites = (0..).zip(&self.totals).filter(|(_, total)| **total != SiteTotal::default());
        sites.map(|(id, total)| (id, total.live_blocks, total.live_bytes, total.allocations))
    }

    #[cfg(test)]
    pub(crate) fn from_totals(totals: Vec<SiteTotal>) -> Self {
        Self { totals, buffer: Buffer::default() }
    }

    pub(super) fn read(&mut self, region: &Region, layout: &Layout) -> Result<()> {
        // Site ids are handed out one after the other, so none is larger than the number of rows really there.
        let sites = data_bytes(region, layout, Table::Sites) / Table::Sites.row_bytes();
        let totals = &mut self.totals;
        totals.clear();
        each_row(region, layout, Table::Counters, &mut self.buffer, |_, bytes| {
            let Some(row) = CounterRow::decode(bytes) else { return };
            // Rows of variances and of growth are beyond.
            if row.site == 0 || u64::from(row.site) > sites {
                return;
            }
            let site = row.site as usize;
            if totals.len() <= site {
                totals.resize(site + 1, SiteTotal::default());
            }
            let total = &mut totals[site];
            total.allocations = total.allocations.wrapping_add(row.allocations);
            total.allocated_bytes = total.allocated_bytes.wrapping_add(row.allocated_bytes);
            let blocks = row.allocations.wrapping_sub(row.frees);
            let bytes = row.allocated_bytes.wrapping_sub(row.freed_bytes);
            total.live_blocks = total.live_blocks.wrapping_add(blocks);
            total.live_bytes = total.live_bytes.wrapping_add(bytes);
        })?;
        let is_sampled = layout.header.mode == MODE_SAMPLED;
        let in_blocks = |total: &mut SiteTotal| {
            total.allocations = whole(total.allocations);
            let blocks = total.live_blocks as i64;
            total.live_blocks = (blocks as f64 / COUNTS_PER_BLOCK as f64).round() as i64 as u64;
        };
        if layout.header.eras < 2 {
            if is_sampled {
                totals.iter_mut().for_each(in_blocks);
            }
            return Ok(());
        }
        each_row(region, layout, Table::Sites, &mut self.buffer, |row, bytes| {
            let is_odd = SiteRow::decode(bytes).is_some_and(|site| site.kind & ODD != 0);
            if let Some(total) = totals.get_mut(row as usize + 1)
                && (is_sampled || is_odd)
            {
                in_blocks(total);
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_add_to_what_a_row_knows_of_the_largest_and_never_more_than_it_leaves_open() {
        let of = |largest_block_bytes, allocations, allocated_bytes| {
            let known =
                Counts { largest_block_bytes, allocations, allocated_bytes, ..Counts::default() };
            largest_block(&known)
        };
        // One block, three alike, and ten of which one is the largest.
        let cut = 999_936;
        assert_eq!(
            memscope_region::record::from_short(memscope_region::record::short(1_000_001)),
            cut
        );
        assert_eq!((of(cut, 1, 1_000_001), of(cut, 3, 3_000_003)), (1_000_001, 1_000_001));
        assert_eq!((of(cut, 10, 1_000_100), of(4095, 2, 5000)), (cut, 4095));
        // A row in mid-change, one that says nothing, and one that was named away.
        assert_eq!((of(cut, 1, 9_000_001), of(0, 2, 80), of(cut, 0, 0)), (cut + cut / 2048, 0, 0));
        assert_eq!(of(u64::MAX, 1, u64::MAX), u64::MAX);
    }
}
