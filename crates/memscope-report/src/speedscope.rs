//! speedscope's own format: one file with a profile for each metric.
//!
//! Invariants: samples lead from the root to the leaf; a profile's weights add up to its end; metrics without any value
//! are left out, since viewers show nothing for them.
//! Deliberately absent: a place for how complete the profile is; the name says what was run and how complete it is.

use crate::folded;
use crate::sequence::Sequence;
use crate::text::head;
use memscope_profile::Profile;
use memscope_profile::analyze::{FrameView, Metric};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::collections::HashMap;
use std::io::{self, Write};

/// Writes the profile. Memory is in proportion to frames. Fails only if `out` does.
pub fn write(profile: &Profile, out: &mut dyn Write) -> io::Result<()> {
    let mut frames = Frames::default();
    // Each address has the same frames wherever it stands.
    let addresses: Vec<Vec<u32>> = (0..profile.addresses.len() as u32)
        .map(|address| profile.address_frames(address).map(|view| frames.of(&view)).collect())
        .collect();
    let mut out = io::BufWriter::with_capacity(64 << 10, out);
    serde_json::to_writer(&mut out, &Document { profile, frames: frames.list, addresses })?;
    out.flush()
}

struct Document<'p> {
    profile: &'p Profile,
    frames: Vec<Frame<'p>>,
    addresses: Vec<Vec<u32>>,
}

#[derive(Clone, PartialEq, Eq, Hash, serde::Serialize)]
struct Frame<'p> {
    name: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    file: &'p str,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
}

#[derive(Default)]
struct Frames<'p> {
    list: Vec<Frame<'p>>,
    numbers: HashMap<Frame<'p>, u32>,
}

impl<'p> Frames<'p> {
    fn of(&mut self, view: &FrameView<'p>) -> u32 {
        let line = Some(view.line()).filter(|line| *line > 0);
        let frame = Frame { name: folded::whole_name(view), file: view.file(), line };
        let next = self.list.len() as u32;
        *self.numbers.entry(frame).or_insert_with_key(|frame| {
            self.list.push(frame.clone());
            next
        })
    }
}

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let run = &self.profile.run;
        let verdict: String = head::verdict(&self.profile.completeness, run.mode)
            .iter()
            .map(|span| span.text())
            .collect();
        let shared = HashMap::from([("frames", &self.frames)]);
        let profiles: Vec<_> = Metric::ALL
            .into_iter()
            .map(|metric| Weights { document: self, metric })
            .filter(|it| it.total() > 0)
            .collect();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("$schema", "https://www.speedscope.app/file-format-schema.json")?;
        map.serialize_entry("name", &format!("{} ({verdict})", head::command(run)))?;
        map.serialize_entry("exporter", concat!("memscope ", env!("CARGO_PKG_VERSION")))?;
        map.serialize_entry("activeProfileIndex", &0)?;
        map.serialize_entry("shared", &shared)?;
        map.serialize_entry("profiles", &profiles)?;
        map.end()
    }
}

/// The profile of one metric.
struct Weights<'d> {
    document: &'d Document<'d>,
    metric: Metric,
}

impl Weights<'_> {
    fn sites(&self) -> impl Iterator<Item = (u32, u64)> {
        let sites = self.document.profile.sites.iter();
        let values = sites.map(|site| (site.stack, self.metric.value(&site.counts)));
        values.filter(|(_, value)| *value > 0)
    }

    fn total(&self) -> u64 {
        self.sites().fold(0, |sum, (_, value)| sum.saturating_add(value))
    }

    /// A stack's frames, root first.
    fn sample(&self, stack: u32) -> Vec<u32> {
        let Document { profile, addresses, .. } = self.document;
        let mut sample = Vec::new();
        let mut stack = stack;
        while let Some(node) = (stack as usize).checked_sub(1).and_then(|at| profile.stacks.get(at))
        {
            sample.extend(addresses.get(node.address as usize).into_iter().flatten());
            // A parent that is not smaller would be a cycle.
            stack = if node.parent < stack { node.parent } else { 0 };
        }
        sample.reverse();
        sample
    }
}

impl Serialize for Weights<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let name = match self.metric {
            Metric::Peak => "Peak",
            Metric::LiveAtEnd => "Live at end",
            Metric::Allocations => "Allocations",
            Metric::AllocatedBytes => "Allocated bytes",
            Metric::Temporary => "Temporary allocations",
        };
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", "sampled")?;
        map.serialize_entry("name", name)?;
        map.serialize_entry("unit", if self.metric.is_bytes() { "bytes" } else { "none" })?;
        map.serialize_entry("startValue", &0)?;
        map.serialize_entry("endValue", &self.total())?;
        map.serialize_entry(
            "samples",
            &Sequence(|| self.sites().map(|(stack, _)| self.sample(stack))),
        )?;
        map.serialize_entry("weights", &Sequence(|| self.sites().map(|(_, value)| value)))?;
        map.end()
    }
}
