//! What goes wrong for a user: one sentence, a hint, an exit code.
//!
//! Deliberately absent: causes as a chain and backtraces. A user's mistake is said in words that name the place.

use std::fmt;

/// The exit code when memscope itself fails, as `env` and `timeout` use it.
pub(crate) const OWN_FAILURE: u8 = 125;
/// The exit code when the program cannot be executed.
pub(crate) const NOT_EXECUTABLE: u8 = 126;
/// The exit code when the program is not found.
pub(crate) const NOT_FOUND: u8 = 127;

/// A failure that ends the command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Error {
    /// One sentence: what, and where.
    pub(crate) message: String,
    /// What to do about it; may be empty.
    pub(crate) hint: String,
    /// What the command exits with.
    pub(crate) exit_code: u8,
}

impl Error {
    /// A failure of memscope's own, with exit code 125.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: String::new(), exit_code: OWN_FAILURE }
    }

    /// The same with a hint.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// The same with another exit code.
    pub(crate) fn exit_code(mut self, exit_code: u8) -> Self {
        self.exit_code = exit_code;
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// What the system says of an error, as the end of a sentence: "permission denied".
pub(crate) fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_lowercase().chain(characters).collect(),
        None => "unknown error".to_owned(),
    }
}
