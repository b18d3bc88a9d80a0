//! What is no multiple of CPU time: how long one allocation takes at worst, memory over a hundred million events, how
//! long a program takes to begin, and a report to appear.
//!
//! Each figure stands beside the program's own in the same run of the bench, and is the median of the rounds.

use crate::contender::Contender;
use crate::programs::Programs;
use crate::series::Spread;
use crate::supervise::Supervisor;
use crate::{Case, Result};
use serde::Serialize;
use std::process::{Command, Stdio};
use std::time::Instant;

/// A figure, bare and under memscope.
#[derive(Debug, Serialize)]
pub(crate) struct Figure {
    /// What it is, with its unit.
    pub(crate) name: String,
    /// Bare, where there is such a thing.
    pub(crate) bare: Option<Spread>,
    /// Under memscope.
    pub(crate) memscope: Spread,
}

/// Measures all of them.
///
/// # Errors
/// If a run fails.
pub(crate) fn measure(programs: &Programs, rounds: u32) -> Result<Vec<Figure>> {
    let supervisor = Supervisor::new()?;
    let mut figures = Vec::new();
    let warm = Case::of_workload("latency", "", &["latency", "2000000"]);
    latencies("a warm allocation", &warm, &supervisor, programs, rounds, &mut figures)?;
    let first = Case::of_workload("first", "", &["first", "50000"]);
    latencies("the first of a stack", &first, &supervisor, programs, rounds, &mut figures)?;
    for blocks in ["1000000", "100000000"] {
        eprintln!("{blocks} events");
        let case = Case::of_workload("boxes", "", &["boxes", blocks, "20"]);
        let rss = |contender| -> Result<Spread> {
            let (cost, _) = supervisor.run(contender, &case, programs)?;
            Ok(Spread::of([cost.rss_bytes as f64 / f64::from(1 << 20)]))
        };
        figures.push(Figure {
            name: format!("MiB resident at most, {blocks} blocks made and dropped"),
            bare: Some(rss(Contender::Bare)?),
            memscope: rss(Contender::Memscope)?,
        });
    }
    figures.push(start(&supervisor, programs, rounds)?);
    figures.push(whole_run(programs, rounds)?);
    figures.push(report(programs, rounds)?);
    Ok(figures)
}

/// The spread of single allocations, as the program tells it.
fn latencies(
    what: &str,
    case: &Case,
    supervisor: &Supervisor,
    programs: &Programs,
    rounds: u32,
    figures: &mut Vec<Figure>,
) -> Result<()> {
    let mut told: [Vec<Vec<f64>>; 2] = [Vec::new(), Vec::new()];
    for round in 0..rounds {
        eprintln!("{what}: round {} of {rounds}", round + 1);
        for (mine, contender) in told.iter_mut().zip([Contender::Bare, Contender::Memscope]) {
            let said = supervisor.run_saying(contender, case, programs)?.2;
            mine.push(numbers(&said).ok_or("the workload tells no latencies")?);
        }
    }
    for (place, share) in ["median", "99 %", "99.99 %", "the longest"].into_iter().enumerate() {
        let of = |told: &[Vec<f64>]| Spread::of(told.iter().map(|numbers| numbers[place]));
        figures.push(Figure {
            name: format!("ns of {what}: {share}"),
            bare: Some(of(&told[0])),
            memscope: of(&told[1]),
        });
    }
    Ok(())
}

/// The four numbers of the line `latency: …`.
fn numbers(said: &str) -> Option<Vec<f64>> {
    let line = said.lines().find_map(|line| line.strip_prefix("latency:"))?;
    let numbers: Vec<f64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    (numbers.len() == 4).then_some(numbers)
}

/// Runs often enough for a median of milliseconds.
const STARTS_PER_ROUND: u32 = 20;

/// From the start of a program that does nothing to its end.
fn start(supervisor: &Supervisor, programs: &Programs, rounds: u32) -> Result<Figure> {
    let case = Case::of_workload("nothing", "", &["nothing"]);
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..rounds * STARTS_PER_ROUND {
        for (mine, contender) in times.iter_mut().zip([Contender::Bare, Contender::Memscope]) {
            let begun = Instant::now();
            supervisor.run(contender, &case, programs)?;
            mine.push(begun.elapsed().as_secs_f64() * 1e3);
        }
    }
    let [bare, memscope] = times;
    let name = "ms from start to end of a program that does nothing".to_owned();
    Ok(Figure { name, bare: Some(Spread::of(bare)), memscope: Spread::of(memscope) })
}

/// The command's time from start to end.
fn wall(command: &mut Command) -> Result<f64> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let begun = Instant::now();
    let status = command.status().map_err(|error| format!("memscope cannot run: {error}"))?;
    if !status.success() {
        return Err(format!("memscope failed: {status}"));
    }
    Ok(begun.elapsed().as_secs_f64() * 1e3)
}

/// `memscope run -- true`, its report included.
fn whole_run(programs: &Programs, rounds: u32) -> Result<Figure> {
    let times = (0..rounds * STARTS_PER_ROUND)
        .map(|_| wall(Command::new(&programs.memscope).args(["run", "--", "true"])))
        .collect::<Result<Vec<_>>>()?;
    let name = "ms of `memscope run -- true`, all of it".to_owned();
    Ok(Figure { name, bare: None, memscope: Spread::of(times) })
}

/// The report of a profile with 100,000 distinct stacks.
fn report(programs: &Programs, rounds: u32) -> Result<Figure> {
    let folder = std::env::temp_dir().join(format!("memscope-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(|error| format!("no folder for a file: {error}"))?;
    let file = folder.join("stacks.memscope");
    let program = programs.workloads(Contender::Bare);
    let mut run = Command::new(&programs.memscope);
    run.args(["run", "--quiet", "-o"]).arg(&file).arg("--").arg(program);
    wall(run.args(["stacks", "2000000", "100000"]))?;
    let times = (0..rounds)
        .map(|_| wall(Command::new(&programs.memscope).arg("report").arg(&file)))
        .collect::<Result<Vec<_>>>();
    // What is left of it is in a folder for such things.
    let _ = std::fs::remove_dir_all(&folder);
    let name = "ms of `memscope report` of 100,000 distinct stacks".to_owned();
    Ok(Figure { name, bare: None, memscope: Spread::of(times?) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_latencies_is_read_and_no_other() {
        assert_eq!(numbers("a\nlatency: 30 50 900 12000\n"), Some(vec![30.0, 50.0, 900.0, 12e3]));
        assert_eq!(numbers("latency: 30 50\n"), None);
        assert_eq!(numbers("VmHWM: 12 kB\n"), None);
    }
}
