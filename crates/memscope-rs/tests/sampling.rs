//! Sampling is unbiased, and its 95 % intervals hold what they say: a simulation with known seeds, of a program that does
//! what programs do (blocks of all sizes at one site, half of them freed) against what it really did.
//!
//! The gaps, the weights and the intervals are those of a recording; only the memory is left out. The truth comes from
//! plain sums.

use memscope_capture::sampled::gap::{Random, spent_on};
use memscope_capture::sampled::weight::{COUNTS_PER_BLOCK, Weight};
use memscope_profile::estimate::Intervals;

const INTERVAL_BYTES: f64 = 524_288.0;
const RUNS: u64 = 400;

/// What is estimated of a site.
#[derive(Clone, Copy, Debug, Default)]
struct Figures {
    allocations: f64,
    allocated_bytes: f64,
    live_blocks: f64,
    live_bytes: f64,
}

impl Figures {
    const NAMES: [&str; 4] = ["allocations", "allocated bytes", "live blocks", "live bytes"];

    fn add(&mut self, count: f64, bytes: f64, lives: bool) {
        self.allocations += count;
        self.allocated_bytes += bytes;
        self.live_blocks += if lives { count } else { 0.0 };
        self.live_bytes += if lives { bytes } else { 0.0 };
    }

    fn all(&self) -> [f64; 4] {
        [self.allocations, self.allocated_bytes, self.live_blocks, self.live_bytes]
    }
}

/// A site: how many blocks it makes, and how large the smallest and the largest are. Sizes spread evenly over the
/// powers of two in between.
const SITES: [(&str, usize, f64, f64); 6] = [
    ("boxes", 100_000, 48.0, 48.0),
    ("strings", 100_000, 1.0, 500.0),
    ("buffers", 2_000, 512.0, 131_072.0),
    ("images", 60, 65_536.0, 8_388_608.0),
    ("everything", 20_000, 1.0, 1_048_576.0),
    ("few", 3_000, 100.0, 200.0),
];

/// One run: for each site the truth, the estimates, and their variances.
fn run(seed: u64) -> [[Figures; 3]; SITES.len()] {
    let mut sampler = Random::new(seed);
    let mut sizes = Random::new(seed ^ 0x5bd1_e995);
    let mut countdown = sampler.gap(INTERVAL_BYTES);
    SITES.map(|(_, blocks, least, most)| {
        let [mut truth, mut estimates, mut variances] = [Figures::default(); 3];
        for _ in 0..blocks {
            let bits = sizes.bits();
            let uniform = (bits >> 11) as f64 / (1u64 << 53) as f64;
            let size = (least * (most / least).powf(uniform)) as u64;
            let lives = bits & 1 == 0;
            truth.add(1.0, size as f64, lives);
            let spent = spent_on(size as usize) as u64;
            if countdown < spent {
                countdown = sampler.gap(INTERVAL_BYTES);
                let weight = Weight::new(size, INTERVAL_BYTES);
                let count = weight.count as f64 / COUNTS_PER_BLOCK as f64;
                estimates.add(count, weight.bytes as f64, lives);
                variances.add(weight.count_variance, weight.bytes_variance, lives);
            } else {
                countdown -= spent;
            }
        }
        [truth, estimates, variances]
    })
}

#[test]
fn estimates_are_right_on_average_and_within_their_intervals_in_95_of_100_runs() {
    let mut covered = [[0; 4]; SITES.len()];
    let mut errors = [[0.0; 4]; SITES.len()];
    let mut squares = [[0.0; 4]; SITES.len()];
    let intervals = Intervals::new(INTERVAL_BYTES as u64);
    for seed in 0..RUNS {
        for (site, [truth, estimates, variances]) in run(seed * 7919).iter().enumerate() {
            let figures = truth.all().into_iter().zip(estimates.all()).zip(variances.all());
            for (figure, ((truth, estimate), variance)) in figures.enumerate() {
                let (estimated, deviation) =
                    (estimate.round() as u64, variance.sqrt().round() as u64);
                let range = match figure {
                    0 | 2 => intervals.count(estimated, deviation),
                    _ => intervals.bytes(estimated, deviation),
                };
                covered[site][figure] += u64::from(range.contains(&(truth as u64)));
                errors[site][figure] += (estimate - truth) / truth;
                squares[site][figure] += ((estimate - truth) / truth).powi(2);
            }
        }
    }
    let mut bad = Vec::new();
    let mut all_covered = 0;
    for (site, (name, ..)) in SITES.iter().enumerate() {
        for (figure, what) in Figures::NAMES.iter().enumerate() {
            let runs = RUNS as f64;
            let bias = errors[site][figure] / runs;
            // The standard error of the mean of so many runs.
            let noise = (squares[site][figure] / runs / runs).sqrt();
            all_covered += covered[site][figure];
            // Of so many runs a share that is 95 % in truth is seen as less than 94 once in ten.
            if covered[site][figure] * 100 < RUNS * 94 {
                bad.push(format!("{name}, {what}: {} of {RUNS}", covered[site][figure]));
            }
            if bias.abs() > 4.0 * noise {
                bad.push(format!("{name}, {what}: off by {:.3} % on average", bias * 100.0));
            }
        }
    }
    assert!(bad.is_empty(), "{bad:#?}");
    let statements = RUNS * (SITES.len() * Figures::NAMES.len()) as u64;
    assert!(all_covered * 100 >= statements * 95, "{all_covered} of {statements}");
}
