//! Where the memory is, in one sentence.
//!
//! Invariant: it claims no more than the profile does: estimates are marked, and a time that is not known is not said.

use crate::text::figures::Figures;
use crate::text::stack::{head, rows};
use crate::text::totals::held_to_the_end;
use crate::text::units::since_start;
use crate::text::{names, paths};
use memscope_profile::analyze::{Analysis, Metric};

/// A name of a type or an operation that is longer is shown without its type arguments.
const MAX_NAME_COLUMNS: usize = 50;

/// The sentence that a profile begins with: how high the peak was, when, and who held most of it: the type of the blocks if
/// it is known, the function, its place.
///
/// `base` is the folder that source paths are shown relative to, or empty.
pub fn sentence(analysis: &Analysis<'_>, base: &str) -> String {
    let profile = analysis.profile();
    let totals = &profile.totals;
    let figures = Figures::of(&profile.run);
    if totals.peak_bytes == 0 {
        return "Nothing was held at any time.".to_owned();
    }
    let when = match held_to_the_end(profile) {
        Some(held) => format!(", {held}"),
        None => format!(" {}", since_start(totals.peak_ms)),
    };
    let peak = format!("Peak {}{when}", figures.bytes(totals.peak_bytes));
    let ranking = analysis.rank(Metric::Peak, 1);
    let Some(line) = ranking.lines.first() else { return format!("{peak}.") };
    let Some(site) = profile.sites.get(line.sites[0] as usize) else { return format!("{peak}.") };
    let share = figures.share(line.value, totals.peak_bytes.max(ranking.total));
    let rows =
        rows(analysis, site, 1, &paths::roots(base, &profile.run.exe, analysis.own_package()));
    let Some((function, via)) = head(&rows) else {
        return format!("{peak}; {share} of it from one site without a stack.");
    };
    let what = match (profile.heap_type(site), via) {
        (Some(heap_type), _) if heap_type.evidence.is_typed() => {
            format!("{} in ", shortened(&heap_type.name))
        }
        // What it was made of stands in the operation's type arguments.
        (_, Some(operation)) => {
            format!("{} in ", shortened(operation))
        }
        _ => String::new(),
    };
    let place = match function.place.as_str() {
        "" => String::new(),
        place => format!(" ({place})"),
    };
    format!("{peak}; {share} of it from one site: {what}{}{place}.", names::brief(&function.name))
}

/// A name without its type arguments if it is long.
fn shortened(name: &str) -> String {
    match name.chars().count() {
        ..=MAX_NAME_COLUMNS => name.to_owned(),
        _ => names::bare(name),
    }
}
