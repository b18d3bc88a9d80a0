//! One page for a browser: where the memory is, in the first look; then everything to look around in.
//!
//! ```text
//! head (title, sentence, completeness: plain HTML) | style | data (JSON -> gzip -> base64) | script
//! ```
//!
//! The page is one file without a network: its own rules forbid it to load anything. What stands in its head can be read
//! without a script. The data is the profile in columns (`payload`), which the script inflates; the script and the
//! style are built from `web/` and kept in `asset/`.
//!
//! Invariants: foreign text (names, paths, arguments) never becomes markup; the page says what the report for a terminal
//! says, in its words; memory beside the output is in proportion to the number of frames, sites and changes.
//! Deliberately absent: reading source files, which the caller does (see [`Sources::text`]).

mod columns;
mod interner;
mod payload;
mod sentence;
mod snippets;
mod spans;

pub use sentence::sentence;

use crate::text::head;
use base64::engine::general_purpose::STANDARD;
use base64::write::EncoderWriter;
use flate2::Compression;
use flate2::write::GzEncoder;
use memscope_profile::Profile;
use memscope_profile::analyze::Analysis;
use payload::Payload;
use std::fmt;
use std::io::{self, Write};

/// The page's script and style, as they were built from `web/`.
const SCRIPT: &str = include_str!("../asset/page.js");
pub(crate) const STYLE: &str = include_str!("../asset/page.css");

/// Where the page's sources are.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    /// The folder that source paths are shown relative to, beside that of the project that built the program.
    /// Empty: none.
    pub base: &'a str,
    /// Gives the text of a source file by its path, for the lines around the frames that hold the most. It is asked
    /// for a few hundred files at most, each once.
    pub text: &'a dyn Fn(&str) -> Option<String>,
}

impl Default for Sources<'_> {
    fn default() -> Self {
        Self { base: "", text: &|_| None }
    }
}

impl fmt::Debug for Sources<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").field("base", &self.base).finish_non_exhaustive()
    }
}

/// Writes the page.
///
/// A profile of 100,000 stacks takes about a second of processor time, and 5 MB at most if its stacks share their outer
/// frames as stacks do. Fails only if `out` does.
pub fn write(profile: &Profile, sources: &Sources<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut out = io::BufWriter::with_capacity(64 << 10, out);
    let analysis = Analysis::new(profile);
    let command = head::command(&profile.run);
    let verdict = head::verdict(&profile.completeness, profile.run.mode);
    let verdict: String = verdict.iter().map(|span| span.text()).collect();
    write_head(&command, &mut out)?;
    write!(
        out,
        r#"<header>
<p class="command"><b>memscope</b> <code>{title}</code> <span>{ending}</span></p>
<h1>{sentence}</h1>
<p class="verdict">{verdict}</p>
</header>
<noscript><p>The views of this page need JavaScript; what stands above does not.</p></noscript>
<main id="page" aria-busy="true"><p class="waiting">Unpacking the profile…</p></main>
<script id="data" type="application/octet-stream">"#,
        title = Escaped(&command),
        ending = Escaped(&head::ending(&profile.run)),
        sentence = Escaped(&sentence(&analysis, sources.base)),
        verdict = Escaped(&verdict),
    )?;
    let base64 = EncoderWriter::new(&mut out, &STANDARD);
    let mut gzip = GzEncoder::new(io::BufWriter::new(base64), Compression::best());
    serde_json::to_writer(&mut gzip, &Payload::new(&analysis, sources))?;
    let mut base64 = gzip.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    base64.finish()?;
    drop(base64);
    write!(out, "</script>\n<script>{SCRIPT}</script>\n</body>\n</html>\n")?;
    out.flush()
}

/// Writes a page that only says why there is nothing to look at: `text`, whose first line is its heading. Fails only if
/// `out` does.
pub fn write_notice(text: &str, out: &mut dyn Write) -> io::Result<()> {
    let (heading, rest) = text.split_once('\n').unwrap_or((text, ""));
    write_head(heading, out)?;
    let (heading, rest) = (Escaped(heading), Escaped(rest.trim_end()));
    write!(
        out,
        "<header>\n<p class=\"command\"><b>memscope</b></p>\n<h1>{heading}</h1>\n</header>\n\
         <main><pre>{rest}</pre></main>\n</body>\n</html>\n"
    )
}

/// Writes what every page begins with, up to its body.
fn write_head(title: &str, out: &mut dyn Write) -> io::Result<()> {
    write!(
        out,
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:">
<link rel="icon" href="data:,">
<title>memscope: {title}</title>
<style>{STYLE}</style>
</head>
<body>
"#,
        title = Escaped(title)
    )
}

/// A text in which nothing is markup.
pub(crate) struct Escaped<'t>(pub(crate) &'t str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(['&', '<', '>', '"', '\'']) {
            f.write_str(&rest[..at])?;
            f.write_str(match rest.as_bytes()[at] {
                b'&' => "&amp;",
                b'<' => "&lt;",
                b'>' => "&gt;",
                b'"' => "&quot;",
                _ => "&#39;",
            })?;
            rest = &rest[at + 1..];
        }
        f.write_str(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_foreign_is_markup() {
        let text = Escaped("a<b>&'c'\"</script>").to_string();
        assert_eq!(text, "a&lt;b&gt;&amp;&#39;c&#39;&quot;&lt;/script&gt;");
    }
}
