//! What a run of the bench found, as Markdown for people and as JSON for machines, and where it is kept.

use crate::contender::Contender;
use crate::figures::Figure;
use crate::machine::Machine;
use crate::series::{Spread, Standing};
use crate::sweep::Swept;
use crate::{Measured, Result, chart};
use serde::Serialize;
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// Everything that was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Record {
    machine: Machine,
    /// Load average of the last minute at the end.
    pub(crate) load_at_end: f64,
    rounds: u32,
    /// The comparison.
    pub(crate) cases: Vec<Measured>,
    /// The sweeps.
    pub(crate) sweeps: Vec<Swept>,
    /// What is no multiple.
    pub(crate) figures: Vec<Figure>,
}

impl Record {
    /// Nothing measured yet.
    pub(crate) fn new(rounds: u32, machine: Machine) -> Self {
        let load_at_end = machine.load;
        Self {
            machine,
            load_at_end,
            rounds,
            cases: Vec::new(),
            sweeps: Vec::new(),
            figures: Vec::new(),
        }
    }

    /// The record for people.
    pub(crate) fn markdown(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        let Machine {
            date,
            commit,
            processor,
            processors,
            memory_bytes,
            kernel,
            libc,
            rustc,
            peers,
            load,
        } = &self.machine;
        writeln!(text, "# What recording costs, {date}\n")?;
        writeln!(text, "memscope {commit}; {}; {rustc}.", peers.join(", "))?;
        let memory_gib = memory_bytes >> 30;
        writeln!(
            text,
            "{processors} × {processor}, {memory_gib} GiB; Linux {kernel}, {libc}; load average {load} at the start, {} at the end.\n",
            self.load_at_end
        )?;
        text.push_str(METHOD);
        writeln!(
            text,
            "{} rounds, of which dhat-rs, memscope-rs 0.2.3 and jemalloc for every allocation took part in 2 at most. Every figure: median \
             (least–greatest).\n",
            self.rounds
        )?;
        if !self.cases.is_empty() {
            self.write_overview(text)?;
        }
        for measured in &self.cases {
            write_case(text, measured)?;
        }
        for swept in &self.sweeps {
            write_sweep(text, swept)?;
        }
        if !self.figures.is_empty() {
            write_figures(text, &self.figures)?;
        }
        Ok(())
    }

    /// Ratios of everything, in one table.
    fn write_overview(&self, text: &mut String) -> std::fmt::Result {
        let mut contenders: Vec<Contender> = Vec::new();
        for standing in self.cases.iter().flat_map(|measured| &measured.standings) {
            if standing.base != standing.contender && !contenders.contains(&standing.contender) {
                contenders.push(standing.contender);
            }
        }
        let names: Vec<_> = contenders.iter().map(|contender| contender.name()).collect();
        writeln!(text, "## CPU time as a multiple\n\n| workload | {} |", names.join(" | "))?;
        writeln!(text, "|---|{}", "---:|".repeat(names.len()))?;
        for measured in &self.cases {
            write!(text, "| {} |", measured.case.name)?;
            for contender in &contenders {
                match measured.standing(*contender) {
                    Some(standing) => write!(text, " {:.2} |", standing.cpu_ratio.median)?,
                    None => text.push_str(" |"),
                }
            }
            text.push('\n');
        }
        text.push('\n');
        Ok(())
    }

    /// Keeps the record in `bench/record/` and draws `docs/*.svg`.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub(crate) fn keep(&self, root: &Path) -> Result<()> {
        let stem = root.join(format!("bench/record/{}-capture", self.machine.date));
        keep(&stem.with_extension("md"), &self.markdown())?;
        let json = serde_json::to_string_pretty(self).map_err(|error| error.to_string())?;
        keep(&stem.with_extension("json"), &(json + "\n"))?;
        if !self.cases.is_empty() {
            let subtitle = format!(
                "every allocation with its full stack; {} rounds, {}",
                self.rounds, self.machine.date
            );
            keep(&root.join("docs/overhead.svg"), &chart::overhead(&self.cases, &subtitle))?;
        }
        for swept in &self.sweeps {
            let path = root.join(format!("docs/cost-{}.svg", swept.name));
            keep(&path, &chart::cost(swept))?;
        }
        Ok(())
    }
}

/// How it was done.
const METHOD: &str = "\
Time is CPU time, user and system, of the whole program from its start to its end, as wait4 reports it. Contenders
run by turns, every second round backwards. A ratio is taken within a round, to the program bare, or for jemalloc's
profiler to jemalloc without it. An event is an allocation (or a realloc) with its free, as memscope counts them.

- memscope: its library preloaded, the region held by the bench: the program's own time. `memscope run, all of it`
  adds the command: supervising, and reading the region at the end.
- memscope, every 512 KiB; memscope, counting: the same in modes sampled and counting.
- memscope-rs 0.2.3: linked, with its feature tracking-allocator. It takes no stacks.
- heaptrack: its library preloaded, its raw output to /dev/null; its interpreter, which finds stacks' names and
  would run beside the program, does not run. It keeps 64 frames of a stack at most.
- dhat-rs: linked, whole stacks (trim_backtraces off), without its work when the profiler is dropped.
- jemalloc: linked through tikv-jemallocator with `profiling`; lg_prof_sample 0 (every allocation) and 19 (512 KiB).

";

fn write_case(text: &mut String, measured: &Measured) -> std::fmt::Result {
    let recorded = &measured.recorded;
    writeln!(text, "## {}: {}\n", measured.case.name, measured.case.about)?;
    writeln!(
        text,
        "{} allocations from {} sites, at most {} blocks alive; {} of {} events recorded.\n",
        thousands(recorded.allocations),
        thousands(recorded.sites),
        thousands(recorded.peak_blocks),
        thousands(recorded.successes),
        thousands(recorded.attempts)
    )?;
    text.push_str(
        "| | CPU s | multiple | ns added per event | MiB at most | bytes added per live block |\n",
    );
    text.push_str("|---|---:|---:|---:|---:|---:|\n");
    for standing in &measured.standings {
        let cpu = spread(standing.cpu_s, 3);
        let rss = standing.rss_bytes as f64 / f64::from(1 << 20);
        write!(text, "| {} | {cpu} | ", standing.contender.name())?;
        if standing.base == standing.contender {
            writeln!(text, "| | {rss:.1} | |")?;
            continue;
        }
        let ratio = spread(standing.cpu_ratio, 2);
        let added = spread(standing.added_ns, 1);
        writeln!(text, "{ratio} | {added} | {rss:.1} | {} |", per_block(standing, measured))?;
    }
    text.push('\n');
    Ok(())
}

/// Bytes for each live block, where there are so many that nothing else counts.
fn per_block(standing: &Standing, measured: &Measured) -> String {
    if measured.recorded.peak_blocks < 1_000_000 {
        return String::new();
    }
    format!("{:.1}", standing.added_rss_bytes)
}

fn write_figures(text: &mut String, figures: &[Figure]) -> std::fmt::Result {
    text.push_str(
        "## Latency, memory, start and report\n\n| | bare | memscope |\n|---|---:|---:|\n",
    );
    for figure in figures {
        let bare = figure.bare.map_or(String::new(), |bare| spread(bare, 1));
        writeln!(text, "| {} | {bare} | {} |", figure.name, spread(figure.memscope, 1))?;
    }
    text.push('\n');
    Ok(())
}

fn write_sweep(text: &mut String, swept: &Swept) -> std::fmt::Result {
    writeln!(text, "## {}\n", swept.title)?;
    writeln!(
        text,
        "| {} | sites | contender | ns added per event | multiple | MiB at most |",
        swept.axis
    )?;
    text.push_str("|---:|---:|---|---:|---:|---:|\n");
    for (number, measured) in &swept.points {
        for standing in &measured.standings {
            if standing.base == standing.contender {
                continue;
            }
            writeln!(
                text,
                "| {} | {} | {} | {} | {} | {:.1} |",
                thousands(*number),
                thousands(measured.recorded.sites),
                standing.contender.name(),
                spread(standing.added_ns, 1),
                spread(standing.cpu_ratio, 2),
                standing.rss_bytes as f64 / f64::from(1 << 20)
            )?;
        }
    }
    text.push('\n');
    Ok(())
}

fn spread(figure: Spread, digits: usize) -> String {
    let Spread { median, min, max } = figure;
    format!("{median:.digits$} ({min:.digits$}–{max:.digits$})")
}

/// The number with commas.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}

/// Writes a file whole or not at all.
fn keep(path: &Path, text: &str) -> Result<()> {
    let temporary = path.with_extension("new");
    fs::write(&temporary, text)
        .and_then(|()| fs::rename(&temporary, path))
        .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    eprintln!("wrote {}", path.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_easy_to_read() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(spread(Spread { median: 1.25, min: 1.0, max: 2.0 }, 1), "1.2 (1.0–2.0)");
    }
}
