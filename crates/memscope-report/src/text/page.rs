//! The page: lines of a width, in ink of a colour.
//!
//! Invariants: nothing foreign reaches the terminal as a control character; no line is wider than the page, unless
//! a single character is; no line ends in spaces; without colour not one escape code is written.

use anstyle::{AnsiColor, Style};
use std::io::{self, Write};
use unicode_width::UnicodeWidthChar;

/// How a piece of text is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ink {
    /// As the terminal draws text.
    Plain,
    /// What the eye should find first.
    Strong,
    /// What is there for those who look for it.
    Faint,
    /// A function of the user's.
    Code,
    /// A place in the source.
    Place,
    /// All is well.
    Good,
    /// All is not well.
    Warn,
}

impl Ink {
    fn style(self) -> Style {
        match self {
            Ink::Plain => Style::new(),
            Ink::Strong => Style::new().bold(),
            Ink::Faint => Style::new().dimmed(),
            Ink::Code => AnsiColor::Cyan.on_default(),
            Ink::Place => AnsiColor::Blue.on_default(),
            Ink::Good => AnsiColor::Green.on_default().bold(),
            Ink::Warn => AnsiColor::Yellow.on_default().bold(),
        }
    }
}

/// A text and its ink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    ink: Ink,
    text: String,
}

impl Span {
    #[cfg(feature = "html")]
    /// The text without its ink.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

/// A text in an ink. Control characters become visible escapes.
pub(crate) fn span(ink: Ink, text: impl AsRef<str>) -> Span {
    Span { ink, text: clean(text.as_ref()) }
}

/// Where a text may be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Breaks {
    /// At spaces, but not between a number and its unit.
    Words,
    /// As code: also after `::`, commas, slashes and before brackets.
    Code,
}

/// Writes lines that fit a width.
pub(crate) struct Page<'a> {
    out: &'a mut dyn Write,
    width: usize,
    colour: bool,
}

impl<'a> Page<'a> {
    /// A page that is `width` columns wide; less than 20 cannot be laid out and is taken as 20.
    pub(crate) fn new(out: &'a mut dyn Write, width: usize, colour: bool) -> Self {
        Page { out, width: width.max(20), colour }
    }

    /// Columns of a line.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// An empty line.
    pub(crate) fn blank(&mut self) -> io::Result<()> {
        self.out.write_all(b"\n")
    }

    /// Spans as one paragraph: its first line begins at column `first`, the others at `hanging`.
    pub(crate) fn paragraph(
        &mut self,
        first: usize,
        hanging: usize,
        breaks: Breaks,
        spans: &[Span],
    ) -> io::Result<()> {
        let hanging = hanging.min(self.width / 2);
        let mut line = Line { indent: first.min(self.width / 2), used: 0, pieces: Vec::new() };
        line.used = line.indent;
        for span in spans {
            for piece in pieces(&span.text, breaks) {
                self.place(&mut line, hanging, span.ink, piece)?;
            }
        }
        self.end_line(&mut line, hanging)
    }

    /// Puts a piece on the line, or on the next, or breaks it where no line is wide enough.
    fn place<'t>(
        &mut self,
        line: &mut Line<'t>,
        hanging: usize,
        ink: Ink,
        piece: &'t str,
    ) -> io::Result<()> {
        if line.used + columns(piece.trim_end()) > self.width && !line.pieces.is_empty() {
            self.end_line(line, hanging)?;
        }
        let mut rest = piece;
        while line.used + columns(rest.trim_end()) > self.width {
            let fits = prefix(rest, self.width - line.used).max(first_char(rest));
            line.pieces.push((ink, &rest[..fits]));
            rest = &rest[fits..];
            self.end_line(line, hanging)?;
        }
        line.used += columns(rest);
        line.pieces.push((ink, rest));
        Ok(())
    }

    /// Writes the line and begins the next.
    fn end_line(&mut self, line: &mut Line<'_>, hanging: usize) -> io::Result<()> {
        while let Some((_, last)) = line.pieces.last_mut() {
            *last = last.trim_end();
            if !last.is_empty() {
                break;
            }
            line.pieces.pop();
        }
        if !line.pieces.is_empty() {
            write!(self.out, "{:1$}", "", line.indent)?;
        }
        let mut pieces = line.pieces.drain(..).peekable();
        while let Some((ink, text)) = pieces.next() {
            let plain = !self.colour || ink == Ink::Plain;
            if !plain {
                write!(self.out, "{}", ink.style())?;
            }
            self.out.write_all(text.as_bytes())?;
            while let Some((_, text)) = pieces.next_if(|next| next.0 == ink) {
                self.out.write_all(text.as_bytes())?;
            }
            if !plain {
                write!(self.out, "{:#}", ink.style())?;
            }
        }
        drop(pieces);
        line.indent = hanging;
        line.used = hanging;
        self.out.write_all(b"\n")
    }
}

/// A line being filled.
struct Line<'t> {
    indent: usize,
    used: usize,
    pieces: Vec<(Ink, &'t str)>,
}

/// Columns that a text takes on a terminal.
pub(crate) fn columns(text: &str) -> usize {
    text.chars().map(columns_of).sum()
}

fn columns_of(c: char) -> usize {
    c.width().unwrap_or(0)
}

/// Bytes of `text` that fit into `width` columns.
fn prefix(text: &str, width: usize) -> usize {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += columns_of(c);
        if used > width {
            return at;
        }
    }
    text.len()
}

fn first_char(text: &str) -> usize {
    text.chars().next().map_or(0, char::len_utf8)
}

/// Cuts out the middle of a text that is wider than `width` columns; both ends stay, more of the beginning.
pub(crate) fn elide_middle(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let head = prefix(text, width.saturating_sub(1) * 3 / 5);
    let mut left = width.saturating_sub(1) - columns(&text[..head]);
    let mut tail = text.len();
    for (at, c) in text[head..].char_indices().rev() {
        let Some(less) = left.checked_sub(columns_of(c)) else { break };
        left = less;
        tail = head + at;
    }
    format!("{}…{}", &text[..head], &text[tail..])
}

/// The text with control characters made visible.
fn clean(text: &str) -> String {
    if !text.contains(char::is_control) {
        return text.to_owned();
    }
    let mut clean = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if c.is_control() { clean.extend(c.escape_default()) } else { clean.push(c) }
    }
    clean
}

/// Cuts a text where it may be broken. Spaces stay at the end of the piece that they follow.
fn pieces(text: &str, breaks: Breaks) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (piece, after) = rest.split_at(first_break(rest, breaks));
        rest = after;
        Some(piece)
    })
}

/// Bytes up to the first place where the text may be broken.
fn first_break(text: &str, breaks: Breaks) -> usize {
    let mut word = 0;
    let mut before = ' ';
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map(|&(_, next)| next);
        let end = at + c.len_utf8();
        let Some(next) = next else { break };
        let may_break = match (breaks, c) {
            (_, ' ') => next != ' ' && !(breaks == Breaks::Words && is_number(&text[word..at])),
            (Breaks::Code, ',') => next != ' ',
            (Breaks::Code, ':') => before == ':',
            (Breaks::Code, '/') => true,
            (Breaks::Code, _) => next == '<' && c != '<' && c != ':',
            (Breaks::Words, _) => false,
        };
        if may_break {
            return end;
        }
        if c == ' ' {
            word = end;
        }
        before = c;
    }
    text.len()
}

/// A number that a unit follows.
fn is_number(word: &str) -> bool {
    word.trim_start_matches(['≈', '±', '<', '>', '(']).starts_with(|c: char| c.is_ascii_digit())
        && word.ends_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(width: usize, first: usize, hanging: usize, breaks: Breaks, text: &str) -> String {
        let mut out = Vec::new();
        let mut page = Page::new(&mut out, width, false);
        page.paragraph(first, hanging, breaks, &[span(Ink::Plain, text)]).expect("a Vec takes all");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn words_wrap_with_a_hanging_indent_and_numbers_keep_their_units() {
        assert_eq!(
            lines(24, 0, 2, Breaks::Words, "peak of the heap: 12.3 MiB in 40,123 blocks here"),
            "peak of the heap:\n  12.3 MiB in\n  40,123 blocks here\n"
        );
    }

    #[test]
    fn code_breaks_at_its_joints() {
        assert_eq!(
            lines(20, 2, 4, Breaks::Code, "shop::store::Store<alpha::Beta, gamma::Delta>::insert"),
            "  shop::store::Store\n    <alpha::Beta, \n".replace(" \n", "\n")
                + "    gamma::Delta>::\n    insert\n"
        );
    }

    #[test]
    fn what_has_no_joints_is_broken_anyway() {
        assert_eq!(
            lines(20, 0, 2, Breaks::Code, &"x".repeat(40)),
            format!("{}\n  {}\n  {}\n", "x".repeat(20), "x".repeat(18), "xx")
        );
        // Each of these takes two columns.
        assert_eq!(
            lines(20, 0, 0, Breaks::Words, &"日".repeat(11)),
            format!("{}\n日\n", "日".repeat(10))
        );
    }

    #[test]
    fn no_control_character_gets_through() {
        assert_eq!(
            lines(40, 0, 0, Breaks::Words, "a\x1b[31mb\nc\u{9b}"),
            "a\\u{1b}[31mb\\nc\\u{9b}\n"
        );
    }

    #[test]
    fn colour_is_written_only_if_asked_for() {
        for (colour, text) in [(false, "ab c\n"), (true, "\x1b[1mab\x1b[0m c\n")] {
            let mut out = Vec::new();
            let mut page = Page::new(&mut out, 40, colour);
            let spans = [span(Ink::Strong, "a"), span(Ink::Strong, "b"), span(Ink::Plain, " c  ")];
            page.paragraph(0, 0, Breaks::Words, &spans).expect("a Vec takes all");
            assert_eq!(String::from_utf8(out).expect("text"), text);
        }
    }

    #[test]
    fn the_middle_is_cut_out() {
        assert_eq!(elide_middle("abcdefghij", 10), "abcdefghij");
        assert_eq!(elide_middle("abcdefghijk", 10), "abcde…hijk");
        assert_eq!(elide_middle("日日日日日日", 7), "日…日日");
        assert_eq!(elide_middle("abc", 0), "…");
        for width in 1..30 {
            assert!(columns(&elide_middle("größe日日日abcdefghijklmn", width)) <= width);
        }
    }
}
