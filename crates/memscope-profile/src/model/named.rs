//! What the program named: values, and what it was doing.

use serde::{Deserialize, Serialize};

/// A name that the program gave to blocks.
///
/// ```
/// use memscope_profile::model::{Label, Profile};
///
/// let label = |name: &str, tracker, live_bytes| Label { name: name.into(), tracker, live_bytes, ..Label::default() };
/// let labels = vec![label("tracker", 1, 0), label("orders", 1, 800)]; // the first is its own tracker
/// let profile = Profile { labels, ..Profile::default() };
/// let orders = profile.variables().next().unwrap();
/// assert_eq!((orders.name.as_str(), orders.live_bytes), ("orders", 800));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Label {
    /// Place of the tracker that gave it, plus one. If that is its own place, it is the tracker.
    pub tracker: u32,
    /// The name, as it stood in the source.
    pub name: String,
    /// The type of the value.
    pub type_name: String,
    /// Source file in which the name was given.
    pub file: String,
    /// Line of it, from 1 on.
    pub line: u32,
    /// How many live blocks bear it.
    pub live_blocks: u64,
    /// Their bytes.
    pub live_bytes: u64,
    /// The most that the bytes ever were.
    pub peak_bytes: u64,
    /// How many blocks ever bore it; one that is moved by realloc stays one.
    pub blocks: u64,
    /// Bytes that they had when they were named.
    pub bytes: u64,
    /// How often one of them was moved by a realloc.
    pub moves: u64,
    /// How many strong handles the block that was named last had then, if it is shared; else 0.
    pub strong: u32,
    /// How many weak handles it had.
    pub weak: u32,
}

/// A task, a scope or a span: a name under a parent. What it allocated and holds is the sum over the sites that name it.
///
/// ```
/// use memscope_profile::model::Task;
///
/// let request = Task { name: "request".into(), kind: 2, entries: 900, open: 3, peak_bytes: 64 << 10, ..Task::default() };
/// assert_eq!((request.kind_name(), request.entries - u64::from(request.open)), ("scope", 897)); // are over
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Task {
    /// The parent's place in [`Profile::tasks`](super::Profile::tasks) plus one, 0 if none.
    pub parent: u32,
    /// Its name.
    pub name: String,
    /// The number of what it is: 1 a task, 2 a scope, 3 a span. See [`Task::kind_name`].
    pub kind: u32,
    /// How many are under way (scopes and spans).
    pub open: u32,
    /// How many times it was entered.
    pub entries: u64,
    /// The most bytes that it held at once, what its children held not included. Exact while one thread at a time is
    /// in it.
    pub peak_bytes: u64,
}
