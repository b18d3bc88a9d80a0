//! What recording costs: programs run bare, under memscope and under its peers by turns, and their CPU time compared.
//!
//! ```text
//! cargo run --release --manifest-path bench/Cargo.toml -- [WORKLOAD…] [--rounds N] [--peers …] [-- program args…]
//! ```
//!
//! One command: it builds what it runs. It prints a record in Markdown, and with `--record` keeps it in
//! `bench/record/` and draws `docs/*.svg`.
//!
//! Invariants: CPU time, user and system, of the program alone, as the kernel reports it when the program has
//! ended; contenders take turns, so that what else the machine does falls on all of them. Deliberately absent:
//! judgement. Nothing fails for being slow.
#![forbid(unsafe_code)]

mod arguments;
mod case;
mod chart;
mod contender;
mod figures;
mod machine;
mod programs;
mod record;
mod series;
mod supervise;
mod sweep;

use arguments::Arguments;
use case::Case;
use clap::Parser;
use contender::Contender;
use programs::Programs;
use record::Record;
use series::{Measured, measure};
use std::path::Path;
use std::process::ExitCode;

/// What went wrong, in one sentence for the user.
type Result<T> = std::result::Result<T, String>;

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("bench: {sentence}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("bench lies in the project");
    let contenders = arguments.contenders();
    let programs = Programs::build(root, &contenders)?;
    let begun = machine::Machine::look(root)?;

    let mut record = Record::new(arguments.rounds, begun);
    for case in arguments.cases(root)? {
        let fitting: Vec<_> = contenders.iter().copied().filter(|one| case.fits(*one)).collect();
        record.cases.push(measure(&case, &fitting, &programs, arguments.rounds)?);
    }
    if arguments.sweeps {
        for sweep in sweep::all() {
            record.sweeps.push(sweep.run(&contenders, &programs, arguments.rounds)?);
        }
    }
    if arguments.figures {
        record.figures = figures::measure(&programs, arguments.rounds)?;
    }
    record.load_at_end = machine::load()?;

    print!("{}", record.markdown());
    if arguments.record {
        record.keep(root)?;
    }
    Ok(())
}
