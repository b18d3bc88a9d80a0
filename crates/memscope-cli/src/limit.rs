//! Limits of `--fail-if`: `peak > +5%`, `live-at-end > 10MiB`, `allocations > +1000`.
//!
//! ```text
//! metric (> | >=) [+] number [% | B | KiB | MiB | GiB | KB | MB | GB]      + and %: more than before
//! ```

use crate::arguments::{METRICS, metric_name};
use memscope_profile::analyze::Metric;
use std::fmt;

/// A limit on a metric's figure after, or on its growth.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Limit {
    pub(crate) metric: Metric,
    /// Whether the bound itself is too much already.
    reaches: bool,
    bound: Bound,
}

#[derive(Clone, Debug, PartialEq)]
enum Bound {
    /// The figure after.
    Figure(f64),
    /// How much more than before.
    Growth(f64),
    /// How much more than before, in percent of that.
    Percent(f64),
}

const UNITS: [(&str, f64); 8] = [
    ("KiB", 1024.0),
    ("MiB", 1_048_576.0),
    ("GiB", 1_073_741_824.0),
    ("KB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
    ("B", 1.0),
    ("", 1.0),
];

impl Limit {
    /// Reads a limit. The error is one sentence.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (name, rest) = text.split_once('>').ok_or("a limit has a `>`, as in `peak > +5%`")?;
        let metric = METRICS
            .iter()
            .find(|(known, ..)| *known == name.trim())
            .ok_or_else(|| {
                let names: Vec<_> = METRICS.iter().map(|(name, ..)| *name).collect();
                format!("there is no metric `{}`; there are {}", name.trim(), names.join(", "))
            })?
            .1;
        let (reaches, rest) = match rest.strip_prefix('=') {
            Some(rest) => (true, rest.trim()),
            None => (false, rest.trim()),
        };
        let (is_growth, rest) = match rest.strip_prefix('+') {
            Some(rest) => (true, rest.trim()),
            None => (false, rest),
        };
        let number = |text: &str| -> Result<f64, String> {
            let number = text.trim().replace('_', "").parse::<f64>().ok();
            number.filter(|it| it.is_finite() && *it >= 0.0).ok_or_else(|| {
                format!("`{}` is not a number of bytes, a count or a percentage", text.trim())
            })
        };
        let bound = if let Some(percent) = rest.strip_suffix('%') {
            if !is_growth {
                return Err("a percentage is of growth: write `+5%`".to_owned());
            }
            Bound::Percent(number(percent)?)
        } else {
            let unit = UNITS.iter().find_map(|(unit, size)| Some((rest.strip_suffix(unit)?, size)));
            let (digits, size) = unit.unwrap_or((rest, &1.0));
            let figure = number(digits)? * size;
            if is_growth { Bound::Growth(figure) } else { Bound::Figure(figure) }
        };
        Ok(Self { metric, reaches, bound })
    }

    /// Whether the figures of before and after pass it.
    pub(crate) fn is_passed(&self, before: u64, after: u64) -> bool {
        let (before, after) = (before as f64, after as f64);
        let bound = match self.bound {
            Bound::Figure(figure) => figure,
            Bound::Growth(growth) => before + growth,
            Bound::Percent(percent) => before * (1.0 + percent / 100.0),
        };
        after > bound || self.reaches && after >= bound
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.reaches { ">=" } else { ">" };
        write!(f, "{} {sign} ", metric_name(self.metric))?;
        match self.bound {
            Bound::Figure(figure) => write!(f, "{figure}"),
            Bound::Growth(growth) => write!(f, "+{growth}"),
            Bound::Percent(percent) => write!(f, "+{percent}%"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(limit: &str, before: u64, after: u64) -> bool {
        Limit::parse(limit)
            .unwrap_or_else(|error| panic!("{limit}: {error}"))
            .is_passed(before, after)
    }

    #[test]
    fn limits_are_on_figures_and_on_growth() {
        assert!(passed("peak > +5%", 1000, 1051) && !passed("peak > +5%", 1000, 1050));
        assert!(passed("peak >= +5%", 1000, 1050));
        assert!(passed("live-at-end>1KiB", 0, 1025) && !passed("live-at-end > 1KiB", 0, 1024));
        assert!(passed("allocations > +0", 7, 8) && !passed("allocations > +0", 7, 7));
        assert!(passed("peak > +1.5 MB", 0, 1_500_001) && !passed("temporary > 9", 0, 9));
    }

    #[test]
    fn what_is_no_limit_is_said() {
        for text in [
            "",
            "peak",
            "peak < 3",
            "size > 3",
            "peak > 5%",
            "peak > x",
            "peak > -3",
            "peak > +nan%",
        ] {
            assert!(!Limit::parse(text).unwrap_err().is_empty(), "{text}");
        }
    }
}
