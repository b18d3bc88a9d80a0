//! Rounds in which every contender runs once, and what they amount to.
//!
//! A ratio is taken within a round, where the machine was the same for both; what is reported is the median over the
//! rounds, with the least and the greatest. Every second round goes backwards, so that nobody always follows the same.

use crate::contender::Contender;
use crate::programs::Programs;
use crate::supervise::{Cost, Recorded, Supervisor, recorded};
use crate::{Case, Result};
use serde::Serialize;

/// A figure: the median of the rounds, the least and the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Spread {
    /// The middle, or the mean of the two in the middle.
    pub(crate) median: f64,
    /// The least.
    pub(crate) min: f64,
    /// The greatest.
    pub(crate) max: f64,
}

impl Spread {
    /// Of at least one value.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (low, high) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
        Self { median: (low + high) / 2.0, min: values[0], max: values[values.len() - 1] }
    }
}

/// What one contender's runs of a case amount to.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Standing {
    /// Who.
    pub(crate) contender: Contender,
    /// Who it is compared with.
    pub(crate) base: Contender,
    /// Every run, in the order of the rounds, from the first on.
    pub(crate) costs: Vec<Cost>,
    /// CPU time in seconds.
    pub(crate) cpu_s: Spread,
    /// CPU time over the base's.
    pub(crate) cpu_ratio: Spread,
    /// CPU time above the base's, for each allocation that memscope counted.
    pub(crate) added_ns: Spread,
    /// Largest resident set, median.
    pub(crate) rss_bytes: u64,
    /// That above the base's, for each block alive at the peak.
    pub(crate) added_rss_bytes: f64,
}

/// A case that was measured.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Measured {
    /// What ran.
    pub(crate) case: Case,
    /// What memscope counted there.
    pub(crate) recorded: Recorded,
    /// How each did.
    pub(crate) standings: Vec<Standing>,
}

impl Measured {
    /// How one of them did, if it took part.
    pub(crate) fn standing(&self, contender: Contender) -> Option<&Standing> {
        self.standings.iter().find(|standing| standing.contender == contender)
    }
}

/// Runs every contender `rounds` times, by turns.
///
/// # Errors
/// If a run fails.
pub(crate) fn measure(
    case: &Case,
    contenders: &[Contender],
    programs: &Programs,
    rounds: u32,
) -> Result<Measured> {
    let supervisor = Supervisor::new()?;
    // Once for the count, and so that the round's first finds the files in memory as the others do.
    let (_, region) = supervisor.run(Contender::Memscope, case, programs)?;
    let recorded = recorded(region.ok_or("memscope recorded nothing")?)?;

    let mut costs: Vec<Vec<Cost>> = vec![Vec::new(); contenders.len()];
    for round in 0..rounds {
        eprintln!("{}: round {} of {rounds}", case.name, round + 1);
        for turn in 0..contenders.len() {
            let one = if round % 2 == 0 { turn } else { contenders.len() - 1 - turn };
            if round >= contenders[one].most_rounds() {
                continue;
            }
            costs[one].push(supervisor.run(contenders[one], case, programs)?.0);
        }
    }

    let standings = contenders.iter().zip(&costs).map(|(contender, mine)| {
        let base = contender.base();
        let place = contenders.iter().position(|one| *one == base);
        let base_costs = &costs[place.expect("what is compared with takes part")];
        standing(*contender, mine, base_costs, &recorded)
    });
    Ok(Measured { case: case.clone(), recorded, standings: standings.collect() })
}

fn standing(contender: Contender, mine: &[Cost], base: &[Cost], recorded: &Recorded) -> Standing {
    let pairs =
        || mine.iter().zip(base).map(|(mine, base)| (mine.cpu_ns as f64, base.cpu_ns as f64));
    let rss = |costs: &[Cost]| Spread::of(costs.iter().map(|cost| cost.rss_bytes as f64)).median;
    let allocations = recorded.allocations.max(1) as f64;
    Standing {
        contender,
        base: contender.base(),
        costs: mine.into(),
        cpu_s: Spread::of(mine.iter().map(|cost| cost.cpu_ns as f64 / 1e9)),
        cpu_ratio: Spread::of(pairs().map(|(mine, base)| mine / base.max(1.0))),
        added_ns: Spread::of(pairs().map(|(mine, base)| (mine - base) / allocations)),
        rss_bytes: rss(mine) as u64,
        added_rss_bytes: (rss(mine) - rss(base)) / recorded.peak_blocks.max(1) as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn costs(cpu_ns: &[u64]) -> Vec<Cost> {
        cpu_ns.iter().map(|cpu_ns| Cost { cpu_ns: *cpu_ns, rss_bytes: *cpu_ns * 2 }).collect()
    }

    #[test]
    fn a_median_is_the_middle_or_between_the_two_in_the_middle() {
        assert_eq!(Spread::of([3.0, 1.0, 9.0]), Spread { median: 3.0, min: 1.0, max: 9.0 });
        assert_eq!(Spread::of([4.0, 1.0, 2.0, 9.0]).median, 3.0);
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        let recorded =
            Recorded { allocations: 10, sites: 1, peak_blocks: 100, attempts: 0, successes: 0 };
        // The machine was ten times slower in the second round.
        let standing = standing(
            Contender::Memscope,
            &costs(&[200, 2000, 300]),
            &costs(&[100, 1000, 100]),
            &recorded,
        );
        assert_eq!(standing.cpu_ratio, Spread { median: 2.0, min: 2.0, max: 3.0 });
        assert_eq!(standing.added_ns, Spread { median: 20.0, min: 10.0, max: 100.0 });
        assert_eq!((standing.rss_bytes, standing.added_rss_bytes), (600, 4.0));
    }
}
