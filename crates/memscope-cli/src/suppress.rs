//! Leaves out of a profile what the user's files of suppressions name, and says so in it.
//!
//! Invariants: only what is shown and judged is changed; a profile that is kept is whole. Files are read before anything
//! else is done. Deliberately absent: the patterns themselves (`memscope-profile`).

use crate::error::{Error, reason};
use memscope_profile::Profile;
use memscope_profile::model::{Counts, Warning};
use memscope_profile::suppression::{self, Suppressed, Suppressions};
use memscope_report::text;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Reads the files.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Suppressions, Error> {
    let mut all = Suppressions::default();
    for path in paths {
        all.add(read_one(path)?);
    }
    Ok(all)
}

fn read_one(path: &Path) -> Result<Suppressions, Error> {
    let text = fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
    text.parse().map_err(|mistake| {
        Error::new(format!("{}, {mistake}", path.display())).hint(
            "A line is `leak:PATTERN`, as LeakSanitizer has it; one that begins with # is a comment.",
        )
    })
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    let shown = path.display();
    if error.kind() == ErrorKind::InvalidData {
        return Error::new(format!("{shown} is not text in UTF-8"))
            .hint("Give a file with lines such as `leak:parse_config`.");
    }
    Error::new(format!("cannot read {shown}: {}", reason(error)))
        .hint("Give the path of a file with suppressions, in LeakSanitizer's syntax.")
}

/// Leaves out what is to be left out. Its sums stand in the profile's warnings, one for each pattern that took something.
pub(crate) fn apply(suppressions: &Suppressions, profile: &mut Profile) {
    let warnings =
        suppressions.apply(profile).iter().map(|it| warning(it, profile)).collect::<Vec<_>>();
    profile.warnings.extend(warnings);
}

fn warning(suppressed: &Suppressed, profile: &Profile) -> Warning {
    let sites = match suppressed.sites {
        1 => "one site is".to_owned(),
        n => format!("{n} sites are"),
    };
    let sums = text::sums(&suppressed.counts, &profile.run);
    Warning {
        message: format!(
            "leak:{}: {sites} left out of the lists, with {sums}.",
            suppressed.pattern
        ),
        hint: String::new(),
    }
}

/// Leaves out all sites but those of types with `text` in their names, and says so in the profile's warnings.
pub(crate) fn keep_types(profile: &mut Profile, text: &str) -> Result<(), Error> {
    if suppression::keep_types(profile, text) == 0 {
        return Err(Error::new(format!("no block is of a type with {text:?} in its name"))
            .hint("Types are shown by `--types 1000`; case matters."));
    }
    let mut shown = Counts::default();
    profile.sites.iter().for_each(|site| shown.add(&site.counts));
    profile.warnings.push(Warning {
        message: format!(
            "Only sites of types with {text:?} in their names are shown, with {}; the totals are of all.",
            text::sums(&shown, &profile.run)
        ),
        hint: String::new(),
    });
    Ok(())
}
