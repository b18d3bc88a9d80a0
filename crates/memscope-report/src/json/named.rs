//! The JSON's form of what the program named: values and tasks.

use memscope_profile::analyze::TaskLine;
use memscope_profile::model::Label;

#[derive(serde::Serialize)]
pub(super) struct TaskForm<'p> {
    name: &'p str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<u32>,
    #[serde(skip_serializing_if = "str::is_empty")]
    kind: &'static str,
    entries: u64,
    allocations: u64,
    allocated_bytes: u64,
    live_blocks: u64,
    live_bytes: u64,
    peak_bytes: u64,
}

impl<'p> TaskForm<'p> {
    pub(super) fn of(line: &TaskLine<'p>) -> Self {
        let (task, counts) = (line.task, &line.counts);
        Self {
            name: &task.name,
            parent: task.parent.checked_sub(1),
            kind: task.kind_name(),
            entries: task.entries,
            allocations: counts.allocations,
            allocated_bytes: counts.allocated_bytes,
            live_blocks: counts.live_blocks(),
            live_bytes: counts.live_bytes(),
            peak_bytes: task.peak_bytes,
        }
    }
}

#[derive(serde::Serialize)]
pub(super) struct VariableForm<'p> {
    name: &'p str,
    #[serde(rename = "type")]
    type_name: &'p str,
    file: &'p str,
    line: u32,
    live_blocks: u64,
    live_bytes: u64,
    peak_bytes: u64,
    blocks: u64,
    bytes: u64,
    moves: u64,
}

impl<'p> VariableForm<'p> {
    pub(super) fn of(label: &'p Label) -> Self {
        Self {
            name: &label.name,
            type_name: &label.type_name,
            file: &label.file,
            line: label.line,
            live_blocks: label.live_blocks,
            live_bytes: label.live_bytes,
            peak_bytes: label.peak_bytes,
            blocks: label.blocks,
            bytes: label.bytes,
            moves: label.moves,
        }
    }
}
