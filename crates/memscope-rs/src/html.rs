//! The report as a page for a browser.
//!
//! Invariant: the page is the one that `memscope report --html` makes of the same recording.
//! Deliberately absent: the page itself, which is memscope-report's.

use crate::recording::Aside;
use crate::report::{NOT_INSTALLED, Report};
use memscope_report::html::{Sources, write, write_notice};
use std::fs;

/// Larger files are not source that a person wrote.
const MAX_SOURCE_BYTES: u64 = 4 << 20;

impl Report {
    /// The report as one page for a browser, which needs no other file and no network: where the memory is in a sentence,
    /// flame graphs, every site with its stack and source, tasks, variables, threads, and how complete it all is.
    ///
    /// If nothing is recorded, the page says that, and how to install the allocator, and nothing else.
    ///
    /// Source files are read where they lie on this machine; one that is not there is left out. Takes milliseconds beside the
    /// analysis, and makes a page of some ten kilobytes at least, more by what the profile holds. None of it is recorded.
    ///
    /// ```
    /// # #[global_allocator]
    /// # static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
    /// let page = memscope_rs::tracker!().analyze().to_html(); // for std::fs::write
    /// assert!(page.starts_with("<!doctype html>"));
    /// ```
    pub fn to_html(&self) -> String {
        let _aside = Aside::new();
        let folder = std::env::current_dir().unwrap_or_default();
        let sources = Sources { base: &folder.to_string_lossy(), text: &source };
        let mut page = Vec::new();
        // A Vec takes everything.
        let _ = match self.heap.is_recorded {
            true => write(self.profile(), &sources, &mut page),
            false => write_notice(NOT_INSTALLED, &mut page),
        };
        String::from_utf8(page)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }
}

/// The text of a source file, if it is one.
fn source(path: &str) -> Option<String> {
    let metadata = fs::metadata(path).ok()?;
    let is_source = metadata.is_file() && metadata.len() <= MAX_SOURCE_BYTES;
    is_source.then(|| fs::read_to_string(path).ok()).flatten()
}
