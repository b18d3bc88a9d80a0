//! The heap by type, as JSON: sums over the sites of each.

use super::growth::GrowthForm;
use memscope_profile::analyze::Metric;
use memscope_profile::model::{Profile, TypeEvidence};
use memscope_profile::types::{TypeHistogram, TypeLine};

/// What the blocks of some sites are.
#[derive(serde::Serialize)]
pub(super) struct TypeForm {
    name: String,
    evidence: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_bytes: Option<u64>,
    allocations: u64,
    allocated_bytes: u64,
    peak_blocks: u64,
    peak_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    peak_capacity: Option<u64>,
    live_blocks: u64,
    live_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    live_capacity: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mean_block_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    largest_block_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    growth: Option<GrowthForm>,
    sites: Vec<u32>,
}

impl TypeForm {
    fn of(line: TypeLine<'_>) -> Self {
        let counts = line.counts;
        Self {
            name: line.name.to_owned(),
            evidence: match line.evidence {
                TypeEvidence::SizeChecked => "size_checked",
                TypeEvidence::Named => "named",
                TypeEvidence::Raw => "raw",
                TypeEvidence::Unknown => "unknown",
            },
            value_bytes: line.value_bytes,
            allocations: counts.allocations,
            allocated_bytes: counts.allocated_bytes,
            peak_blocks: counts.peak_blocks,
            peak_bytes: counts.peak_bytes,
            peak_capacity: line.peak_capacity,
            live_blocks: counts.live_blocks(),
            live_bytes: counts.live_bytes(),
            live_capacity: line.live_capacity,
            mean_block_bytes: counts.mean_block_bytes(),
            largest_block_bytes: counts.largest_block(),
            growth: GrowthForm::of_site(&counts),
            sites: line.sites,
        }
    }
}

/// All types, that with the most bytes at the peak first, and the place of each site's among them.
pub(super) fn types(profile: &Profile) -> (Vec<TypeForm>, Vec<u32>) {
    let histogram = TypeHistogram::new(profile, Metric::Peak);
    let mut of_sites = vec![0; profile.sites.len()];
    for (place, line) in (0..).zip(&histogram.lines) {
        line.sites.iter().for_each(|site| of_sites[*site as usize] = place);
    }
    (histogram.lines.into_iter().map(TypeForm::of).collect(), of_sites)
}
