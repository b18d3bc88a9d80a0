//! DHAT's file, version 2: for valgrind's dh_view and for the Firefox Profiler.
//!
//! Stacks become program points with what was allocated in all, what was alive at the peak (`gb`) and at the end (`eb`).
//! What the format wants and was not recorded: lifetimes (`tl` is 0) and each point's own maximum (`mb` is the larger of
//! `gb` and `eb`, which it cannot be below). The command line, which viewers show, says so.
//!
//! Invariants: no two points have the same frames; frames lead from the leaf to the root.
//! Deliberately absent: accesses (`bkacc` is false), which a heap profiler does not see.

use crate::text::head;
use memscope_profile::Profile;
use memscope_profile::analyze::FrameView;
use memscope_profile::model::Counts;
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::collections::HashMap;
use std::io::{self, Write};

/// Writes the profile. Memory is in proportion to stacks and frames. Fails only if `out` does.
pub fn write(profile: &Profile, out: &mut dyn Write) -> io::Result<()> {
    let mut frames = Frames { texts: vec!["[root]".to_owned()], numbers: HashMap::new() };
    let mut points: HashMap<Vec<u32>, Counts> = HashMap::new();
    for site in &profile.sites {
        let mut stack: Vec<u32> =
            profile.stack_frames(site.stack).map(|view| frames.of(&view)).collect();
        if stack.is_empty() || site.truncated {
            stack.push(frames.text("[the outer frames are not known]".to_owned()));
        }
        points.entry(stack).or_default().add(&site.counts);
    }
    let mut points: Vec<_> = points.into_iter().collect();
    points.sort_by(|a, b| b.1.allocated_bytes.cmp(&a.1.allocated_bytes).then(a.0.cmp(&b.0)));
    let mut out = io::BufWriter::with_capacity(64 << 10, out);
    serde_json::to_writer(&mut out, &Document { profile, points, frames: frames.texts })?;
    out.flush()
}

struct Document<'p> {
    profile: &'p Profile,
    points: Vec<(Vec<u32>, Counts)>,
    frames: Vec<String>,
}

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let run = &self.profile.run;
        let verdict: String = head::verdict(&self.profile.completeness, run.mode)
            .iter()
            .map(|span| span.text())
            .collect();
        let command = format!(
            "{} (memscope: {verdict} Lifetimes were not recorded; a point's maximum is at least what is shown.)",
            head::command(run)
        );
        let end_us = run.duration_ns / 1000;
        let peak_us = self.profile.totals.peak_ms.saturating_mul(1000).min(end_us);
        let points: Vec<_> = self.points.iter().map(Point::of).collect();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("dhatFileVersion", &2)?;
        map.serialize_entry("mode", "rust-heap")?;
        map.serialize_entry("verb", "Allocated")?;
        map.serialize_entry("bklt", &true)?;
        map.serialize_entry("bkacc", &false)?;
        map.serialize_entry("tu", "µs")?;
        map.serialize_entry("Mtu", "s")?;
        map.serialize_entry("tuth", &10)?;
        map.serialize_entry("cmd", &command)?;
        map.serialize_entry("pid", &run.pid)?;
        map.serialize_entry("tg", &peak_us)?;
        map.serialize_entry("te", &end_us)?;
        map.serialize_entry("pps", &points)?;
        map.serialize_entry("ftbl", &self.frames)?;
        map.end()
    }
}

#[derive(serde::Serialize)]
struct Point<'p> {
    tb: u64,
    tbk: u64,
    tl: u64,
    mb: u64,
    mbk: u64,
    gb: u64,
    gbk: u64,
    eb: u64,
    ebk: u64,
    fs: &'p [u32],
}

impl<'p> Point<'p> {
    fn of((frames, counts): &'p (Vec<u32>, Counts)) -> Self {
        let at_end = (counts.live_bytes(), counts.live_blocks());
        let at_most = at_end.max((counts.peak_bytes, counts.peak_blocks));
        Self {
            tb: counts.allocated_bytes,
            tbk: counts.allocations,
            tl: 0,
            mb: at_most.0,
            mbk: at_most.1,
            gb: counts.peak_bytes,
            gbk: counts.peak_blocks,
            eb: at_end.0,
            ebk: at_end.1,
            fs: frames,
        }
    }
}

/// The table of frames.
struct Frames {
    texts: Vec<String>,
    numbers: HashMap<String, u32>,
}

impl Frames {
    fn text(&mut self, text: String) -> u32 {
        let next = self.texts.len() as u32;
        *self.numbers.entry(text).or_insert_with_key(|text| {
            self.texts.push(text.clone());
            next
        })
    }

    /// As DHAT writes frames: `0xADDRESS: function (file:line)`.
    fn of(&mut self, view: &FrameView<'_>) -> u32 {
        let address = view.address().address;
        let function = if view.function().is_empty() { "???" } else { view.function() };
        self.text(match (view.file(), view.module()) {
            ("", None) => format!("{address:#x}: {function}"),
            ("", Some(module)) => format!("{address:#x}: {function} (in {})", module.path),
            (file, _) => format!("{address:#x}: {function} ({file}:{})", view.line()),
        })
    }
}
