//! Checks of what no compiler sees: the rooms and the arrows between them, the opening words of every file, why each
//! `unsafe` and each memory ordering is right, one name for one thing.
//!
//! Every check is a function from sources (or from cargo's metadata) to problems, and is tested on small inputs. The
//! checks read tokens, not syntax trees: they look into macros too, and are never fooled by a string or a comment.

mod documents;
mod leftovers;
mod names;
mod orderings;
mod rooms;
mod roots;
mod shape;
mod source;
mod unsafety;

use source::Source;
use std::fmt;
use std::path::Path;

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Problem {
    /// The file, from the repository's root on.
    path: String,
    /// The line, from 1 on; 0 if the whole file is meant.
    line: usize,
    message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.message),
            line => write!(f, "{}:{line}: {}", self.path, self.message),
        }
    }
}

/// Runs every check on the repository at `root`, prints the problems, and fails if there are any.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    let (sources, mut problems) = source::load(root)?;
    for source in &sources {
        problems.extend(shape::check(source));
        problems.extend(roots::check(source));
        problems.extend(unsafety::check(source));
        problems.extend(orderings::check(source));
        problems.extend(leftovers::check(source));
    }
    problems.extend(names::check(&sources));
    problems.extend(documents::check(root)?);
    problems.extend(rooms::check(&rooms::metadata(root)?));

    problems.sort();
    for problem in &problems {
        eprintln!("{problem}");
    }
    match problems.len() {
        0 => Ok(()),
        count => Err(format!("tidy found {count} problem(s)")),
    }
}
