//! The JSON's form of the processes of a run, and of what a process had of its parent.

use super::form::EndForm;
use memscope_profile::model::{Inherited, Mark, ProcessSummary};

#[derive(serde::Serialize)]
pub(super) struct InheritedForm {
    from: u32,
    blocks: Option<u64>,
    bytes: Option<u64>,
    doubtful_events: Option<u64>,
    frees: u64,
}

impl InheritedForm {
    pub(super) fn of(inherited: &Inherited) -> Self {
        let known = |number: u64| inherited.is_known.then_some(number);
        Self {
            from: inherited.from,
            blocks: known(inherited.blocks),
            bytes: known(inherited.bytes),
            doubtful_events: known(inherited.doubt),
            frees: inherited.frees,
        }
    }
}

#[derive(serde::Serialize)]
pub(super) struct ProcessForm<'p> {
    pid: u32,
    /// Its place in the list.
    parent: Option<u32>,
    command: &'p [String],
    exe: &'p str,
    #[serde(skip_serializing_if = "str::is_empty")]
    unfollowed: &'p str,
    duration_ns: u64,
    end: EndForm,
    peak_bytes: u64,
    live_bytes: u64,
    allocations: u64,
    attempts: u64,
    successes: u64,
    unfollowed_children: u64,
    #[serde(skip_serializing_if = "str::is_empty")]
    replaced_by: &'p str,
    #[serde(skip_serializing_if = "str::is_empty")]
    file: &'p str,
}

impl<'p> ProcessForm<'p> {
    pub(super) fn of(process: &'p ProcessSummary) -> Self {
        Self {
            pid: process.pid,
            parent: process.parent.checked_sub(1),
            command: &process.command,
            exe: &process.exe,
            unfollowed: &process.unfollowed,
            duration_ns: process.duration_ns,
            end: EndForm::of(process.end),
            peak_bytes: process.peak_bytes,
            live_bytes: process.live_bytes,
            allocations: process.allocations,
            attempts: process.attempts,
            successes: process.successes,
            unfollowed_children: process.unfollowed_children,
            replaced_by: &process.replaced_by,
            file: &process.file,
        }
    }
}

#[derive(serde::Serialize)]
pub(super) struct MarkForm<'p> {
    ms: u64,
    text: &'p str,
    live_bytes: u64,
    allocations: u64,
}

impl<'p> MarkForm<'p> {
    pub(super) fn of(mark: &'p Mark) -> Self {
        let Mark { ms, text, live_bytes, allocations } = mark;
        Self { ms: *ms, text, live_bytes: *live_bytes, allocations: *allocations }
    }
}
