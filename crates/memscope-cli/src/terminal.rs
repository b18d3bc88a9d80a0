//! Where memscope's own words go, how wide they may be, and whether they are coloured.
//!
//! Invariants: the words of `memscope run` go to stderr, because stdout is the program's; nothing fails because
//! stderr is closed. Deliberately absent: the words themselves.

use crate::error::Error;
use std::ffi::OsStr;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// The width where there is no terminal to ask.
const DEFAULT_COLUMNS: usize = 100;

/// How text for one stream is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Style {
    /// Columns that a line may take.
    pub(crate) columns: usize,
    /// Whether to use colour.
    pub(crate) colour: bool,
}

impl Style {
    /// The style for a stream: COLUMNS, else the terminal's width, else 100; colour on a terminal, unless NO_COLOR
    /// or CLICOLOR_FORCE say otherwise.
    pub(crate) fn of(stream: &(impl AsFd + IsTerminal)) -> Self {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let terminal = stream.is_terminal();
        let wanted = variable("COLUMNS").and_then(|value| value.to_str()?.parse().ok());
        let actual = || {
            let size = rustix::termios::tcgetwinsize(stream).ok()?;
            Some(usize::from(size.ws_col))
        };
        Self {
            columns: wanted
                .filter(|&columns| columns > 0)
                .or_else(|| actual().filter(|&columns| columns > 0))
                .unwrap_or(DEFAULT_COLUMNS),
            colour: is_coloured(
                terminal,
                variable("NO_COLOR").as_deref(),
                variable("CLICOLOR_FORCE").as_deref(),
                variable("TERM").as_deref(),
            ),
        }
    }
}

/// NO_COLOR wins over CLICOLOR_FORCE, and both over what the stream is.
fn is_coloured(
    terminal: bool,
    no_color: Option<&OsStr>,
    force: Option<&OsStr>,
    term: Option<&OsStr>,
) -> bool {
    if no_color.is_some() {
        return false;
    }
    if force.is_some_and(|value| value != "0") {
        return true;
    }
    terminal && term.is_none_or(|value| value != "dumb")
}

/// Speaks to the user on stderr.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Voice {
    /// Whether only errors are said.
    quiet: bool,
}

impl Voice {
    /// A voice; a quiet one says errors only.
    pub(crate) fn new(quiet: bool) -> Self {
        Self { quiet }
    }

    /// Whether only errors are said.
    pub(crate) fn is_quiet(self) -> bool {
        self.quiet
    }

    /// Says what failed, even when quiet.
    pub(crate) fn error(self, error: &Error) {
        // A stderr that is closed or full is no reason to fail.
        let _ = writeln!(io::stderr(), "memscope: {}", error.message);
        if !error.hint.is_empty() {
            let _ = writeln!(io::stderr(), "memscope:   hint: {}", error.hint);
        }
    }

    /// A line that shows how far long work is, if stderr is a terminal.
    pub(crate) fn progress(self, work: &'static str) -> Progress {
        let shown = !self.quiet && io::stderr().is_terminal();
        Progress { work, shown, begun: Instant::now(), drawn: None }
    }
}

/// A line on the terminal that is redrawn in place and removed at the end. Work that is quickly done shows nothing.
#[derive(Debug)]
pub(crate) struct Progress {
    work: &'static str,
    shown: bool,
    begun: Instant,
    drawn: Option<Instant>,
}

impl Progress {
    /// Time before the line first shows.
    const PATIENCE: Duration = Duration::from_millis(200);
    /// Time between two drawings.
    const INTERVAL: Duration = Duration::from_millis(50);

    /// Shows that `done` of `all` is done.
    pub(crate) fn show(&mut self, done: usize, all: usize) {
        let due = match self.drawn {
            None => self.begun.elapsed() >= Self::PATIENCE,
            Some(drawn) => drawn.elapsed() >= Self::INTERVAL,
        };
        if self.shown && due {
            let percent = done.saturating_mul(100) / all.max(1);
            let work = self.work;
            let line = format!("\r\x1b[Kmemscope: {work} {done} of {all} ({percent} %)");
            // One write: stderr has no buffer, and a line that comes in parts flickers.
            let _ = io::stderr().write_all(line.as_bytes());
            self.drawn = Some(Instant::now());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.drawn.is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_follows_the_conventions() {
        let coloured =
            |terminal, no_color: Option<&str>, force: Option<&str>, term: Option<&str>| {
                is_coloured(
                    terminal,
                    no_color.map(OsStr::new),
                    force.map(OsStr::new),
                    term.map(OsStr::new),
                )
            };
        assert!(coloured(true, None, None, Some("xterm")));
        assert!(coloured(true, None, None, None));
        assert!(!coloured(true, None, None, Some("dumb")));
        assert!(!coloured(false, None, None, Some("xterm")));
        assert!(coloured(false, None, Some("1"), None));
        assert!(!coloured(false, None, Some("0"), None));
        assert!(!coloured(true, Some("1"), Some("1"), None));
    }
}
