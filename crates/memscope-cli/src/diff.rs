//! `memscope diff`: runs before and after, side by side, and limits that a change may not pass.
//!
//! Deliberately absent: matching and layout (`memscope-profile`, `memscope-report`).

use crate::arguments::Diff;
use crate::error::Error;
use crate::format::base;
use crate::limit::Limit;
use crate::output::{Output, check_distinct, check_not_read};
use crate::report::{FAILURE, MISUSE, load};
use crate::suppress;
use crate::terminal::Voice;
use memscope_profile::Profile;
use memscope_profile::analyze::{Analysis, compare};
use memscope_report::diff::{Runs, amount, folded, html, json, markdown, text};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The exit code when a limit is passed.
const PASSED: u8 = 3;

type Writer = fn(&Runs<'_>, &mut dyn Write) -> io::Result<()>;

/// Shows the difference. The value is the exit code.
pub(crate) fn diff(options: &Diff, voice: Voice) -> Result<u8, Error> {
    let targets: [(&str, Option<&Path>, Writer); 4] = [
        ("--html", options.html.as_deref(), html),
        ("--json", options.json.as_deref(), json),
        ("--folded", options.folded.as_deref(), folded),
        ("--markdown", options.markdown.as_deref(), markdown),
    ];
    let read = [&options.before, &options.after];
    let mut read = read.into_iter().chain(&options.more_before).chain(&options.more_after);
    let named = targets.map(|(name, path, _)| (name, path));
    check_distinct(&named)
        .and_then(|()| read.try_for_each(|path| check_not_read(Some(path), &named)))
        .map_err(|error| error.exit_code(MISUSE))?;
    let show = || -> Result<u8, Error> {
        let suppressions = suppress::read(&options.suppressions)?;
        let read_one = |path: &Path| -> Result<Profile, Error> {
            let mut profile = load(path, voice)?;
            suppress::apply(&suppressions, &mut profile);
            Ok(profile)
        };
        let read = |first: &Path, more: &[PathBuf]| -> Result<Vec<Profile>, Error> {
            let paths = std::iter::once(first).chain(more.iter().map(PathBuf::as_path));
            paths.map(read_one).collect()
        };
        let before = read(&options.before, &options.more_before)?;
        let after = read(&options.after, &options.more_after)?;
        let before: Vec<_> = before.iter().map(Analysis::new).collect();
        let after: Vec<_> = after.iter().map(Analysis::new).collect();
        let before: Vec<_> = before.iter().collect();
        let after: Vec<_> = after.iter().collect();
        let base = base();
        let runs = Runs {
            before: &before,
            after: &after,
            metric: options.metric,
            top: options.top,
            base: &base,
        };
        let mut is_written = false;
        for (_, path, write) in targets {
            if let Some(path) = path {
                is_written = true;
                Output::open(path, 0o600)?.finish(|out| write(&runs, out))?;
            }
        }
        if !is_written {
            Output::open(Path::new("-"), 0)?.finish(|out| text(&runs, out))?;
        }
        let mut exit_code = 0;
        for limit in &options.fail_if {
            if let Some(words) = passed(limit, &before, &after) {
                voice.error(&Error::new(words));
                exit_code = PASSED;
            }
        }
        Ok(exit_code)
    };
    show().map_err(|error| error.exit_code(FAILURE))
}

/// What to say of a limit that is passed.
fn passed(limit: &Limit, before: &[&Analysis<'_>], after: &[&Analysis<'_>]) -> Option<String> {
    let comparison = compare(before, after, limit.metric);
    let (before, after) = (comparison.before.mean, comparison.after.mean);
    // Two figures that differ little are the same to three digits.
    let said = |value| match limit.metric.is_bytes() {
        true => format!("{} ({value} bytes)", amount(limit.metric, value)),
        false => amount(limit.metric, value),
    };
    limit
        .is_passed(before, after)
        .then(|| format!("{limit}: it was {} and is {}", said(before), said(after)))
}
