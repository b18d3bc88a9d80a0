//! What reallocs made larger or smaller, as the JSON has it.

use memscope_profile::model::{Counts, Growth};

/// See the schema.
#[derive(Debug, serde::Serialize)]
pub(super) struct GrowthForm {
    growths: u64,
    copied_bytes: u64,
    remapped_bytes: u64,
    shrinks: u64,
    given_back_bytes: u64,
    outgrown_blocks: u64,
    outgrown_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_bytes_mean: Option<u64>,
}

impl GrowthForm {
    /// Of the whole process.
    pub(super) fn of(growth: &Growth) -> Self {
        Self {
            growths: growth.growths,
            copied_bytes: growth.copied_bytes,
            remapped_bytes: growth.remapped_bytes,
            shrinks: growth.shrinks,
            given_back_bytes: growth.given_back_bytes,
            outgrown_blocks: growth.outgrown_blocks,
            outgrown_bytes: growth.outgrown_bytes,
            last_bytes_mean: None,
        }
    }

    /// Of a site, if there was any.
    pub(super) fn of_site(counts: &Counts) -> Option<Self> {
        let last_bytes_mean = counts.last_bytes_mean();
        (counts.growth != Growth::default())
            .then(|| Self { last_bytes_mean, ..Self::of(&counts.growth) })
    }
}
