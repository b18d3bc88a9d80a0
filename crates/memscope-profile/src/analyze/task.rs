//! What each task of the program did, and the values that it named.
//!
//! What a task allocated and holds is the sum over the sites that name it; its children's is theirs. Deliberately absent: a
//! task's peak, which is recorded and not a sum.

use crate::model::{Counts, Label, Profile, Site, Task, Thread};

/// A task and what it did.
///
/// ```
/// use memscope_profile::model::{Counts, Profile, Site, Task};
///
/// let site = Site { task: 2, counts: Counts { allocations: 1, ..Counts::default() }, ..Site::default() };
/// let task = |name: &str, parent| Task { name: name.into(), parent, ..Task::default() };
/// let profile = Profile { tasks: vec![task("import", 0), task("parse", 1)], sites: vec![site], ..Profile::default() };
/// let lines = profile.task_lines();
/// assert_eq!((lines[1].path.as_str(), lines[1].counts.allocations), ("import › parse", 1));
/// ```
#[derive(Clone, Debug)]
pub struct TaskLine<'p> {
    /// The task as it was recorded, with its peak.
    pub task: &'p Task,
    /// Its name after those of the tasks around it, from the outermost in: `import › parse`.
    pub path: String,
    /// Sums over the sites that name it, its children's not included. The peaks in it are the sites' shares in the
    /// peak of the whole process.
    pub counts: Counts,
}

impl Task {
    /// What it is, in a word: `task`, `scope` or `span`; empty if that is not known. A comparison or two.
    ///
    /// ```
    /// use memscope_profile::model::Task;
    ///
    /// assert_eq!(Task { kind: 2, ..Task::default() }.kind_name(), "scope");
    /// ```
    pub fn kind_name(&self) -> &'static str {
        match self.kind {
            1 => "task",
            2 => "scope",
            3 => "span",
            _ => "",
        }
    }
}

impl Profile {
    /// The threads that allocated at a site, as far as that is known; see [`Site::threads`]. A load for each.
    ///
    /// ```
    /// use memscope_profile::model::{Profile, Site, Thread};
    ///
    /// let thread = |name: &str| Thread { name: name.into(), ..Thread::default() };
    /// let threads = vec![thread("main"), thread("worker")];
    /// let profile = Profile { threads, thread_sets: vec![vec![1]], ..Profile::default() };
    /// let site = Site { threads: 1, ..Site::default() };
    /// assert!(profile.threads_of(&site).map(|it| it.name.as_str()).eq(["worker"]));
    /// ```
    pub fn threads_of(&self, site: &Site) -> impl Iterator<Item = &Thread> {
        let set = (site.threads as usize).checked_sub(1).and_then(|at| self.thread_sets.get(at));
        set.into_iter().flatten().filter_map(|thread| self.threads.get(*thread as usize))
    }

    /// The tasks in the order of [`Profile::tasks`], with what each did. One pass over the sites. It allocates a line and a
    /// path for each task.
    ///
    /// ```
    /// use memscope_profile::model::{Counts, Profile, Site, Task};
    ///
    /// let site = Site { task: 2, counts: Counts { allocations: 1, ..Counts::default() }, ..Site::default() };
    /// let task = |name: &str, parent| Task { name: name.into(), parent, ..Task::default() };
    /// let profile = Profile { tasks: vec![task("import", 0), task("parse", 1)], sites: vec![site], ..Profile::default() };
    /// let sums: Vec<_> = profile.task_lines().iter().map(|it| it.counts.allocations).collect();
    /// assert_eq!(sums, [0, 1]); // a child's are its own
    /// ```
    pub fn task_lines(&self) -> Vec<TaskLine<'_>> {
        let mut lines: Vec<TaskLine<'_>> = Vec::with_capacity(self.tasks.len());
        for task in &self.tasks {
            // A parent comes before its children.
            let parent = (task.parent as usize).checked_sub(1).and_then(|place| lines.get(place));
            let path = match parent {
                Some(parent) => format!("{} › {}", parent.path, task.name),
                None => task.name.clone(),
            };
            lines.push(TaskLine { task, path, counts: Counts::default() });
        }
        for site in &self.sites {
            let place = (site.task as usize).checked_sub(1);
            if let Some(line) = place.and_then(|place| lines.get_mut(place)) {
                line.counts.add(&site.counts);
            }
        }
        lines
    }

    /// The values that the program named; trackers, which are only groups of them, are left out. A comparison for each.
    ///
    /// ```
    /// use memscope_profile::model::{Label, Profile};
    ///
    /// let label = |name: &str, tracker| Label { name: name.into(), tracker, ..Label::default() };
    /// let profile = Profile { labels: vec![label("tracker", 1), label("orders", 1)], ..Profile::default() };
    /// assert!(profile.variables().map(|it| it.name.as_str()).eq(["orders"]));
    /// ```
    pub fn variables(&self) -> impl Iterator<Item = &Label> {
        let labels = self.labels.iter().enumerate();
        labels.filter(|(place, label)| label.tracker as usize != place + 1).map(|(_, label)| label)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Site;

    #[test]
    fn sites_add_up_by_task_and_a_name_tells_who_is_around() {
        let task = |name: &str, parent| Task { name: name.into(), parent, ..Task::default() };
        let site = |task, allocated_bytes, freed_bytes| Site {
            task,
            counts: Counts { allocations: 1, allocated_bytes, freed_bytes, ..Counts::default() },
            ..Site::default()
        };
        let profile = Profile {
            tasks: vec![task("import", 0), task("parse", 1), task("serve", 0)],
            // The last names a task that is not there: a profile that breaks the model's promises.
            sites: vec![
                site(2, 100, 40),
                site(2, 10, 0),
                site(1, 7, 7),
                site(0, 1, 0),
                site(9, 1, 0),
            ],
            ..Profile::default()
        };
        let lines = profile.task_lines();
        let found: Vec<_> = lines
            .iter()
            .map(|it| (&*it.path, it.counts.allocations, it.counts.live_bytes()))
            .collect();
        assert_eq!(found, [("import", 1, 0), ("import › parse", 2, 70), ("serve", 0, 0)]);
    }

    #[test]
    fn a_tracker_is_no_variable() {
        let label = |name: &str, tracker| Label { name: name.into(), tracker, ..Label::default() };
        let labels = vec![label("tracker", 1), label("orders", 1), label("free", 0)];
        let profile = Profile { labels, ..Profile::default() };
        assert_eq!(profile.variables().map(|it| &*it.name).collect::<Vec<_>>(), ["orders", "free"]);
    }
}
