//! Sums the counter rows by site.
//!
//! A site has a row in the table of each thread that allocated or freed there, and a thread that only frees what
//! others allocated has more frees than allocations; so only the sums mean something, and they are taken as
//! wrapping 64-bit numbers. At the peak, a row holds its values in `peak_*` if its epoch is the peak's; with an
//! older epoch it has not changed since, and its values now are its values then.

use super::Region;
use super::layout::Layout;
use super::rows::{Buffer, data_bytes, each_row};
use crate::error::Result;
use crate::model::Counts;
use memscope_region::{CounterRow, Table};
use std::collections::HashMap;

/// The sums of one site.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sum {
    counts: Counts,
    peak_blocks: i64,
    peak_bytes: i64,
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
        let (blocks, bytes) = if row.epoch == peak_epoch {
            (row.peak_blocks, row.peak_bytes)
        } else {
            (
                row.allocations.wrapping_sub(row.frees),
                row.allocated_bytes.wrapping_sub(row.freed_bytes),
            )
        };
        self.peak_blocks = self.peak_blocks.wrapping_add(blocks as i64);
        self.peak_bytes = self.peak_bytes.wrapping_add(bytes as i64);
    }

    /// Live bytes, negative if more was freed than allocated (a contradiction, or a row read in mid-change).
    pub(super) fn live_bytes(&self) -> i64 {
        self.counts.allocated_bytes.wrapping_sub(self.counts.freed_bytes) as i64
    }

    /// Whether nothing ever happened here.
    pub(super) fn is_empty(&self) -> bool {
        self.counts == Counts::default()
    }

    /// The counts as the profile has them.
    pub(super) fn counts(&self, peak: Peak) -> Counts {
        let (blocks, bytes) = match peak {
            Peak::Past => (self.peak_blocks, self.peak_bytes),
            Peak::Now => {
                (self.counts.allocations.wrapping_sub(self.counts.frees) as i64, self.live_bytes())
            }
        };
        Counts { peak_blocks: blocks.max(0) as u64, peak_bytes: bytes.max(0) as u64, ..self.counts }
    }
}

/// The sums of all sites by their ids. As many as rows are really there.
pub(super) fn sum_by_site(
    region: &Region,
    layout: &Layout,
    buffer: &mut Buffer,
) -> Result<HashMap<u32, Sum>> {
    let mut sums: HashMap<u32, Sum> = HashMap::new();
    each_row(region, layout, Table::Counters, buffer, |_, bytes| {
        if let Some(row) = CounterRow::decode(bytes).filter(|row| row.site != 0) {
            sums.entry(row.site).or_default().add(&row, layout.header.peak_epoch);
        }
    })?;
    Ok(sums)
}

/// What has happened at each site so far: a sample for a timeline. Made once and filled again and again by
/// [`Region::site_totals`].
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

    /// What has happened at each site that has a total: its id, live blocks, live bytes, allocations.
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
        })
    }
}
