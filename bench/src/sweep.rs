//! How the cost of an event changes with the depth of stacks, with their number, and with the number of threads.

use crate::contender::Contender;
use crate::programs::Programs;
use crate::{Case, Measured, Result, measure};
use serde::Serialize;

/// Who takes part: the others would take hours.
const CONTENDERS: [Contender; 3] = [Contender::Bare, Contender::Memscope, Contender::Heaptrack];

/// A row of cases that differ in one number.
#[derive(Debug)]
pub(crate) struct Sweep {
    name: &'static str,
    title: &'static str,
    axis: &'static str,
    points: Vec<(u64, Case)>,
}

/// A sweep that was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Swept {
    /// Its name; the chart is `docs/cost-<name>.svg`.
    pub(crate) name: &'static str,
    /// What is shown.
    pub(crate) title: &'static str,
    /// What the number is.
    pub(crate) axis: &'static str,
    /// The number, and what was measured there.
    pub(crate) points: Vec<(u64, Measured)>,
}

/// Every sweep.
pub(crate) fn all() -> Vec<Sweep> {
    let points = |numbers: &[u64], about: &str, arguments: &dyn Fn(&str) -> Vec<String>| {
        let point = |number: &u64| {
            let text = number.to_string();
            let arguments = arguments(&text);
            let words: Vec<_> = arguments.iter().map(String::as_str).collect();
            let name = format!("{} {text}", words[0]);
            (*number, Case::of_workload(&name, &format!("{text} {about}"), &words))
        };
        numbers.iter().map(point).collect()
    };
    let words = |words: [&str; 3]| words.map(String::from).to_vec();
    vec![
        Sweep {
            name: "depth",
            title: "Cost of an allocation and its free against the depth of its stack",
            axis: "frames of the program",
            points: points(&[5, 10, 20, 50, 100, 200, 500], "frames", &|depth| {
                words(["boxes", "2000000", depth])
            }),
        },
        Sweep {
            name: "stacks",
            title: "Cost of an allocation and its free against the number of distinct stacks",
            axis: "distinct stacks of twenty frames, met at random, five million blocks",
            points: points(&[10, 100, 1_000, 10_000, 100_000, 1_000_000], "stacks", &|stacks| {
                words(["stacks", "5000000", stacks])
            }),
        },
        Sweep {
            name: "threads",
            title: "Cost of an allocation and its free against the number of threads",
            axis: "threads, two million blocks between them",
            points: points(&[1, 2, 4, 8, 16, 32, 64], "threads", &|threads| {
                words(["threads", "2000000", threads])
            }),
        },
    ]
}

impl Sweep {
    /// Measures every point.
    ///
    /// # Errors
    /// If a run fails.
    pub(crate) fn run(
        self,
        contenders: &[Contender],
        programs: &Programs,
        rounds: u32,
    ) -> Result<Swept> {
        let who: Vec<_> =
            CONTENDERS.into_iter().filter(|contender| contenders.contains(contender)).collect();
        let points = self
            .points
            .into_iter()
            .map(|(number, case)| Ok((number, measure(&case, &who, programs, rounds)?)))
            .collect::<Result<_>>()?;
        Ok(Swept { name: self.name, title: self.title, axis: self.axis, points })
    }
}
