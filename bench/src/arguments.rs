//! The command line.

use crate::{Case, Contender, Result, case};
use clap::{Parser, ValueEnum};
use std::ffi::OsString;
use std::path::Path;

/// Compares the CPU time of programs, bare, under memscope and under its peers.
#[derive(Debug, Parser)]
#[command(version = None)]
pub(crate) struct Arguments {
    /// Which of boxes, json, syn, maps, two, tasks, pairs, work; all if none is named.
    workloads: Vec<String>,
    /// How often each contender runs.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
    /// What to compare with.
    #[arg(long, value_delimiter = ',', default_value = "heaptrack,dhat,jemalloc,memscope-rs")]
    peers: Vec<Peer>,
    /// Also the cost against depth, distinct stacks and threads. Takes long.
    #[arg(long)]
    pub(crate) sweeps: bool,
    /// Also latencies, memory over a hundred million events, start-up, and the time of a report.
    #[arg(long)]
    pub(crate) figures: bool,
    /// Keep the record in bench/record/ and draw docs/*.svg.
    #[arg(long)]
    pub(crate) record: bool,
    /// Measure this program instead of the workloads.
    #[arg(last = true)]
    program: Vec<OsString>,
}

/// A profiler to compare with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Peer {
    None,
    Heaptrack,
    Dhat,
    Jemalloc,
    /// memscope-rs 0.2.3
    #[value(name = "memscope-rs")]
    Before,
}

impl Arguments {
    /// Who runs, in the order of a round: what is compared with comes before what is compared.
    pub(crate) fn contenders(&self) -> Vec<Contender> {
        let mut contenders = vec![
            Contender::Bare,
            Contender::Memscope,
            Contender::Sampled,
            Contender::Counting,
            Contender::Command,
        ];
        for peer in &self.peers {
            contenders.extend_from_slice(match peer {
                Peer::None => &[],
                Peer::Heaptrack => &[Contender::Heaptrack],
                Peer::Dhat => &[Contender::Dhat],
                Peer::Before => &[Contender::Before],
                Peer::Jemalloc => {
                    &[Contender::Jemalloc, Contender::JemallocEvery, Contender::JemallocSampled]
                }
            });
        }
        contenders
    }

    /// What is measured.
    ///
    /// # Errors
    /// If a workload is not known, or the sources that one of them parses cannot be found.
    pub(crate) fn cases(&self, root: &Path) -> Result<Vec<Case>> {
        if let Some((program, arguments)) = self.program.split_first() {
            return Ok(vec![Case::of_program(program, arguments)]);
        }
        let mut cases = case::workloads(root)?;
        if let Some(unknown) =
            self.workloads.iter().find(|name| cases.iter().all(|case| case.name != **name))
        {
            return Err(format!("there is no workload {unknown}; see --help"));
        }
        if !self.workloads.is_empty() {
            cases.retain(|case| self.workloads.contains(&case.name));
        }
        Ok(cases)
    }
}
