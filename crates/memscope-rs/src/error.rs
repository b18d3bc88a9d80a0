//! What can go wrong that a user can do something about.

use std::fmt;

/// An error of this crate: what went wrong and where, in one sentence, and a hint where there is one.
///
/// ```
/// // No allocator is installed here.
/// let error = memscope_rs::switch_to(memscope_rs::RecordingMode::Counting).unwrap_err();
/// assert!(error.to_string().contains("is not installed"));
/// assert!(error.hint().contains("#[global_allocator]"));
/// ```
#[derive(Debug)]
pub struct Error {
    message: String,
    hint: &'static str,
}

impl Error {
    pub(crate) fn new(message: String, hint: &'static str) -> Self {
        Self { message, hint }
    }

    /// What to do about it, in a sentence or a line of code; empty if there is nothing to say. A field.
    ///
    /// ```
    /// let error = memscope_rs::switch_to(memscope_rs::RecordingMode::Exact).unwrap_err();
    /// eprintln!("{error}\n{}", error.hint());
    /// assert!(error.hint().ends_with("memscope_rs::Memscope::system();")); // the line that is missing
    /// ```
    pub fn hint(&self) -> &str {
        self.hint
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
