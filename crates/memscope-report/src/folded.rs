//! Collapsed stacks, for flame graphs: one line per stack, `root;...;leaf value`.
//!
//! Invariants: the values add up to the metric's sum over all sites; no frame is empty; a frame never contains the
//! separator. (Rust names do, as in `[u8; 32]`: it becomes a colon.) Values are what the profile holds, estimates
//! if it was sampled; the format has no place to say so.
//! Deliberately absent: merging stacks that read the same. Every reader of this format adds them up.

use memscope_profile::Profile;
use memscope_profile::analyze::{FrameView, Metric};
use std::borrow::Cow;
use std::io::{self, Write};

/// Writes one line for each stack that has some of `metric`, in the order of the profile's stacks.
///
/// The unit is bytes or a count, see [`Metric::is_bytes`]. Fails only if `out` does. Needs eight bytes of memory
/// per stack.
pub fn write(profile: &Profile, metric: Metric, out: &mut dyn Write) -> io::Result<()> {
    let mut out = io::BufWriter::with_capacity(64 << 10, out);
    for (stack, value, truncated) in values(profile, metric) {
        let frames: Vec<_> = profile.stack_frames(stack).collect();
        let outermost = match (truncated, frames.is_empty()) {
            (true, _) => Some("[truncated]"),
            (false, true) => Some("[no stack]"),
            (false, false) => None,
        };
        let names = outermost
            .map(Cow::Borrowed)
            .into_iter()
            .chain(frames.iter().rev().map(|view| name(view)));
        for (n, name) in names.enumerate() {
            if n > 0 {
                out.write_all(b";")?;
            }
            out.write_all(name.as_bytes())?;
        }
        writeln!(out, " {value}")?;
    }
    out.flush()
}

/// Stacks with their value: the sum over the kinds of call. Whole ones apart from truncated ones.
fn values(profile: &Profile, metric: Metric) -> impl Iterator<Item = (u32, u64, bool)> {
    let mut sites: Vec<(u32, bool, u64)> = profile
        .sites
        .iter()
        .map(|site| (site.stack, site.truncated, metric.value(&site.counts)))
        .filter(|(_, _, value)| *value > 0)
        .collect();
    sites.sort_unstable_by_key(|(stack, truncated, _)| (*stack, *truncated));
    let mut sites = sites.into_iter().peekable();
    std::iter::from_fn(move || {
        let (stack, truncated, mut value) = sites.next()?;
        while let Some(same) = sites.next_if(|next| (next.0, next.1) == (stack, truncated)) {
            value = value.saturating_add(same.2);
        }
        Some((stack, value, truncated))
    })
}

/// What to call a frame, without what would end it.
fn name<'p>(view: &FrameView<'p>) -> Cow<'p, str> {
    match view.function().trim() {
        "" => Cow::Owned(plain(&whole_name(view)).into_owned()),
        function => plain(function),
    }
}

/// What to call a frame: its function, or where its code lies.
pub(crate) fn whole_name(view: &FrameView<'_>) -> String {
    match (view.function().trim(), view.module()) {
        ("", None) => format!("{:#x}", view.address().address),
        ("", Some(module)) => {
            let file = module.path.rsplit('/').next().unwrap_or_default();
            format!("{file}+{:#x}", view.file_address())
        }
        (function, _) => function.to_owned(),
    }
}

/// The text without what would end a frame or a line.
fn plain(text: &str) -> Cow<'_, str> {
    let special = |c: char| c == ';' || c.is_control();
    if !text.contains(special) {
        return Cow::Borrowed(text);
    }
    let replaced = |c| match c {
        ';' => ':',
        c if special(c) => ' ',
        c => c,
    };
    Cow::Owned(text.chars().map(replaced).collect())
}
