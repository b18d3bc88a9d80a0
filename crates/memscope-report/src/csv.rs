//! The sites as a table: one row each, comma-separated (RFC 4180), for spreadsheets and data frames.
//!
//! Invariants: every row has the columns of the first; a text with a comma, a quote or a line break is quoted.
//! Deliberately absent: separators and number formats by country. Figures are whole numbers in bytes, blocks, milliseconds.

use crate::text::by_type::known_by;
use memscope_profile::Profile;
use memscope_profile::analyze::{Analysis, Class, FrameView};
use memscope_profile::model::{Kind, TypeEvidence};
use std::io::{self, Write};

const COLUMNS: &str = "peak_bytes,peak_blocks,live_bytes,live_blocks,allocated_bytes,allocations,frees,temporary,\
mean_block_bytes,largest_block_bytes,first_ms,kind,type,type_known_by,function,file,line,stack";

/// Writes the table. `function`, `file` and `line` are those of the program's own function nearest to the allocation;
/// `type` is what the blocks are, `type_known_by` how that is known: size, name, function (then it is none) or `-`;
/// `stack` is all of it, innermost first, with ` < ` between. `largest_block_bytes` is 0 if it is not known, and in a sampled
/// run that of the blocks in the sample. Fails only if `out` does.
pub fn write(profile: &Profile, out: &mut dyn Write) -> io::Result<()> {
    let analysis = Analysis::new(profile);
    let mut out = io::BufWriter::with_capacity(64 << 10, out);
    write!(out, "{COLUMNS}\r\n")?;
    for site in &profile.sites {
        let counts = &site.counts;
        for number in [
            counts.peak_bytes,
            counts.peak_blocks,
            counts.live_bytes(),
            counts.live_blocks(),
            counts.allocated_bytes,
            counts.allocations,
            counts.frees,
            counts.temporary,
            counts.mean_block_bytes().unwrap_or(0),
            counts.largest_block_bytes,
            site.first_ms,
        ] {
            write!(out, "{number},")?;
        }
        let kind = match Kind::from_u8(site.kind) {
            Some(Kind::Malloc) => "malloc",
            Some(Kind::Calloc) => "calloc",
            Some(Kind::Realloc) => "realloc",
            Some(Kind::Aligned) => "aligned",
            None => "",
        };
        let frames: Vec<_> = profile.stack_frames(site.stack).collect();
        let own = frames.iter().find(|view| analysis.class(view) == Class::User).or(frames.first());
        let line = own.map_or(0, FrameView::line);
        let heap_type = profile.heap_type(site);
        let name = heap_type.map_or("", |it| &it.name);
        let known_by = known_by(heap_type.map_or(TypeEvidence::Unknown, |it| it.evidence));
        write!(out, "{kind},{},{known_by},", quoted(name))?;
        write!(out, "{},", quoted(own.map_or("", |view| view.function())))?;
        write!(out, "{},{line},", quoted(own.map_or("", |view| view.file())))?;
        let stack: Vec<_> = frames.iter().map(crate::folded::whole_name).collect();
        write!(out, "{}\r\n", quoted(&stack.join(" < ")))?;
    }
    out.flush()
}

fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}
