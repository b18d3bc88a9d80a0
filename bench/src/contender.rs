//! Who takes part: the program bare, under memscope, and under each peer; and how each is run.

use crate::Case;
use crate::programs::Programs;
use memscope_region::hello::{MODE_VARIABLE, SOCKET_VARIABLE};
use serde::Serialize;
use std::process::{Command, Stdio};

/// The library that heaptrack preloads.
pub(crate) const HEAPTRACK_LIBRARY: &str = "/usr/lib/heaptrack/libheaptrack_preload.so";

/// The variable that heaptrack's library takes its output from.
const HEAPTRACK_VARIABLE: &str = "DUMP_HEAPTRACK_OUTPUT";

/// The variable that the linked jemalloc takes its options from.
const JEMALLOC_VARIABLE: &str = "_RJEM_MALLOC_CONF";

/// A way to run a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Contender {
    /// The program alone, on the C library's allocator.
    Bare,
    /// With memscope's library preloaded, and this process as supervisor: the program's own time.
    Memscope,
    /// The same in mode sampled, at 512 KiB.
    Sampled,
    /// The same in mode counting.
    Counting,
    /// As `memscope run --quiet`, the command's time included.
    Command,
    /// With heaptrack's library preloaded, its raw output to nowhere. Its interpreter does not run.
    Heaptrack,
    /// Linked with dhat, whole stacks, without its work at the end.
    Dhat,
    /// Linked with memscope-rs 0.2.3, which takes no stacks.
    Before,
    /// Linked with jemalloc, its profiler off.
    Jemalloc,
    /// Linked with jemalloc, its profiler sampling every byte.
    JemallocEvery,
    /// Linked with jemalloc, its profiler sampling at 512 KiB.
    JemallocSampled,
}

impl Contender {
    /// What it is called in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Memscope => "memscope",
            Self::Sampled => "memscope, every 512 KiB",
            Self::Counting => "memscope, counting",
            Self::Command => "memscope run, all of it",
            Self::Heaptrack => "heaptrack",
            Self::Dhat => "dhat-rs",
            Self::Before => "memscope-rs 0.2.3, no stacks",
            Self::Jemalloc => "jemalloc, no profile",
            Self::JemallocEvery => "jemalloc, every allocation",
            Self::JemallocSampled => "jemalloc, every 512 KiB",
        }
    }

    /// What it is compared with.
    pub(crate) fn base(self) -> Self {
        match self {
            Self::JemallocEvery | Self::JemallocSampled => Self::Jemalloc,
            _ => Self::Bare,
        }
    }

    /// In how many rounds it takes part: who takes fifty times as long, in a few.
    pub(crate) fn most_rounds(self) -> u32 {
        match self {
            Self::Dhat | Self::Before | Self::JemallocEvery => 2,
            _ => u32::MAX,
        }
    }

    /// Whether the program must be linked for it.
    pub(crate) fn is_linked(self) -> bool {
        self.program_name() != "bare"
    }

    /// The program of the package `workloads` that it runs.
    pub(crate) fn program_name(self) -> &'static str {
        match self {
            Self::Dhat => "with_dhat",
            Self::Before => "with_memscope_old",
            Self::Jemalloc | Self::JemallocEvery | Self::JemallocSampled => "with_jemalloc",
            _ => "bare",
        }
    }

    /// The command that runs the case. `socket` is the name of this process's socket, for memscope's library.
    pub(crate) fn command(self, case: &Case, programs: &Programs, socket: &str) -> Command {
        let program = match &case.program {
            Some(program) => program.as_os_str(),
            None => programs.workloads(self).as_os_str(),
        };
        let mut command = if self == Self::Command {
            let mut command = Command::new(&programs.memscope);
            command.args(["run", "--quiet", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.args(&case.arguments);
        for variable in ["LD_PRELOAD", HEAPTRACK_VARIABLE, JEMALLOC_VARIABLE] {
            command.env_remove(variable);
        }
        match self {
            Self::Memscope | Self::Sampled | Self::Counting => {
                command.env("LD_PRELOAD", &programs.preload).env(SOCKET_VARIABLE, socket);
                match self {
                    Self::Sampled => command.env(MODE_VARIABLE, "sampled"),
                    Self::Counting => command.env(MODE_VARIABLE, "counting"),
                    _ => command.env_remove(MODE_VARIABLE),
                };
            }
            Self::Heaptrack => {
                command.env("LD_PRELOAD", HEAPTRACK_LIBRARY).env(HEAPTRACK_VARIABLE, "/dev/null");
            }
            Self::JemallocEvery => {
                command.env(JEMALLOC_VARIABLE, "prof:true,lg_prof_sample:0");
            }
            Self::JemallocSampled => {
                command.env(JEMALLOC_VARIABLE, "prof:true,lg_prof_sample:19");
            }
            Self::Bare | Self::Command | Self::Dhat | Self::Before | Self::Jemalloc => {}
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }
}
