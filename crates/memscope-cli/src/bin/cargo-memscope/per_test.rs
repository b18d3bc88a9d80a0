//! What each test of a test program did with memory.
//!
//! A test is found by its function in the stack, because the names of threads are cut to 15 bytes: it is the first function
//! of the program's own within the test harness's `__rust_begin_short_backtrace`. What the harness itself allocates belongs
//! to no test.

use memscope_profile::Profile;
use memscope_profile::analyze::{Analysis, Class};
use memscope_profile::model::Counts;
use std::collections::BTreeMap;

/// A table of all tests, the one with the most bytes first; empty if there are none.
pub(crate) fn table(profile: &Profile) -> String {
    let tests = tests(profile);
    let mut tests: Vec<_> = tests.iter().collect();
    tests.sort_by_key(|(_, counts)| std::cmp::Reverse(counts.allocated_bytes));
    if tests.is_empty() {
        return String::new();
    }
    let mut table = format!(
        "{:>12} {:>14} {:>14} {:>14}  test\n",
        "allocations", "bytes", "at the peak", "never freed"
    );
    for (name, counts) in tests {
        table += &format!(
            "{:>12} {:>14} {:>14} {:>14}  {name}\n",
            counts.allocations,
            counts.allocated_bytes,
            counts.peak_bytes,
            counts.live_bytes()
        );
    }
    table
}

fn tests(profile: &Profile) -> BTreeMap<String, Counts> {
    let analysis = Analysis::new(profile);
    let mut tests: BTreeMap<String, Counts> = BTreeMap::new();
    for site in &profile.sites {
        // From the innermost function outwards, the last of the program's own before the harness's is the test.
        let mut own = None;
        for view in profile.stack_frames(site.stack) {
            let function = view.function();
            if function.starts_with("test::") {
                if function.contains("__rust_begin_short_backtrace")
                    && let Some(test) = own
                {
                    tests.entry(name(test)).or_default().add(&site.counts);
                }
                break;
            }
            if analysis.class(&view) == Class::User && !function.is_empty() {
                own = Some(function);
            }
        }
    }
    tests
}

/// The test's name: the harness calls a closure around it.
fn name(function: &str) -> String {
    let function = function.strip_suffix("::{closure#0}").unwrap_or(function);
    function.strip_suffix("::{{closure}}").unwrap_or(function).to_owned()
}
