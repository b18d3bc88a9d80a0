//! Labels and tasks: what the program called its blocks, and what it did when it made them.
//!
//! Rows that are not complete, or that name others which do not come before them, count as none; texts that cannot be
//! had are empty and are counted as damage.

use super::rows::{Buffer, each_row};
use super::stacks::Build;
use crate::error::Result;
use crate::model::{Label, Task};
use memscope_region::{LabelRow, Table, TaskRow};
use std::collections::HashMap;

/// From ids in the region to places plus one in the profile.
#[derive(Debug, Default)]
pub(super) struct Names {
    labels: HashMap<u32, u32>,
    tasks: HashMap<u32, u32>,
}

impl Names {
    /// Reads both tables into the profile.
    pub(super) fn read(build: &mut Build<'_>) -> Result<Self> {
        let mut names = Self::default();
        names.read_labels(build)?;
        names.read_tasks(build)?;
        Ok(names)
    }

    /// The place plus one of a label's id; 0 if there is none.
    pub(super) fn label(&self, id: u32) -> u32 {
        place(&self.labels, id)
    }

    /// The place plus one of a task's id; 0 if there is none.
    pub(super) fn task(&self, id: u32) -> u32 {
        place(&self.tasks, id)
    }

    fn read_labels(&mut self, build: &mut Build<'_>) -> Result<()> {
        let mut rows = Vec::new();
        let mut buffer = Buffer::default();
        each_row(
            build.region,
            &build.region.layout()?,
            Table::Labels,
            &mut buffer,
            |row, bytes| {
                let label = LabelRow::decode(bytes).filter(|label| label.state != 0);
                rows.extend(label.map(|label| (row, label)));
            },
        )?;
        for (row, label) in rows {
            let text = text(build, label.text_row, label.text_bytes)?;
            let mut parts = text.split('\0').map(str::to_owned);
            let mut next = || parts.next().unwrap_or_default();
            let (name, type_name, file) = (next(), next(), next());
            build.profile.labels.push(Label {
                tracker: 0,
                name,
                type_name,
                file,
                line: label.line,
                live_blocks: positive(label.live_blocks),
                live_bytes: positive(label.live_bytes),
                peak_bytes: positive(label.peak_bytes),
                blocks: label.blocks,
                bytes: label.bytes,
                moves: label.moves,
                strong: label.strong,
                weak: label.weak,
            });
            let own = build.profile.labels.len() as u32;
            self.labels.insert(row, own);
            // A tracker is there before it gives names, and is its own tracker.
            let tracker = if label.tracker == row + 1 { own } else { self.label(label.tracker) };
            if let Some(label) = build.profile.labels.last_mut() {
                label.tracker = tracker;
            }
        }
        Ok(())
    }

    fn read_tasks(&mut self, build: &mut Build<'_>) -> Result<()> {
        let mut rows = Vec::new();
        let mut buffer = Buffer::default();
        each_row(
            build.region,
            &build.region.layout()?,
            Table::Tasks,
            &mut buffer,
            |row, bytes| {
                let task = TaskRow::decode(bytes).filter(|task| task.kind != 0);
                rows.extend(task.map(|task| (row, task)));
            },
        )?;
        for (row, task) in rows {
            let name = text(build, task.name_row, task.name_bytes)?;
            let parent = self.task(task.parent);
            build.profile.tasks.push(Task {
                parent,
                name,
                kind: task.kind,
                open: (task.open as i32).max(0) as u32,
                entries: task.entries,
                peak_bytes: positive(task.peak_bytes).max(positive(task.live_bytes)),
            });
            self.tasks.insert(row, build.profile.tasks.len() as u32);
        }
        Ok(())
    }
}

/// A sum that may be read while it is written.
fn positive(sum: u64) -> u64 {
    (sum as i64).max(0) as u64
}

/// By row: a damaged region may have few rows that lie far apart.
fn place(places: &HashMap<u32, u32>, id: u32) -> u32 {
    let row = id.checked_sub(1);
    row.and_then(|row| places.get(&row)).copied().unwrap_or_default()
}

fn text(build: &mut Build<'_>, row: u32, bytes: u32) -> Result<String> {
    let text = build.text(row, bytes)?;
    build.damage.texts += usize::from(text.is_none());
    Ok(String::from_utf8_lossy(&text.unwrap_or_default()).into_owned())
}
