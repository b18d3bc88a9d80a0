//! Whether a profile keeps the promises that [`crate::model`] makes: every number in range, every parent before its
//! children, every range within its vector.
//!
//! A profile that passes can be walked without a look at each number, in time in proportion to its size.

use crate::model::{Kind, ProcessSummary, Profile};

/// More frames than this at each address, on average, are not believed: a small file must not stand for much work.
const MAX_MEAN_FRAMES: u64 = 256;

/// Checks all promises; the error says which one is broken, and where.
pub(crate) fn check(profile: &Profile) -> Result<(), String> {
    check_frames(profile)?;
    check_stacks(profile)?;
    check_timeline(profile)?;
    check_processes(profile)
}

fn check_processes(profile: &Profile) -> Result<(), String> {
    // As with stacks: a process comes after the one that made it.
    let wrong = |(index, process): (usize, &ProcessSummary)| process.parent as usize > index;
    match profile.processes.iter().enumerate().position(wrong) {
        Some(index) => Err(format!("the maker of process {index} does not come before it")),
        None => Ok(()),
    }
}

fn check_frames(profile: &Profile) -> Result<(), String> {
    let Profile { strings, frames, addresses, modules, .. } = profile;
    if strings.first().is_some_and(|first| !first.is_empty()) {
        return Err("the first text is not empty".into());
    }
    for (index, frame) in frames.iter().enumerate() {
        let ids = [frame.function, frame.symbol, frame.file];
        if ids.iter().any(|id| *id as usize >= strings.len()) {
            return Err(format!("frame {index} names a text that is not there"));
        }
    }
    let mut named = 0;
    for (index, address) in addresses.iter().enumerate() {
        if address.module as usize > modules.len() {
            return Err(format!("address {index} names a module that is not there"));
        }
        if address.frames_len > 0 && address.frames().end > frames.len() {
            return Err(format!("address {index} names frames that are not there"));
        }
        named += u64::from(address.frames_len);
    }
    if named > frames.len() as u64 + MAX_MEAN_FRAMES * addresses.len() as u64 {
        return Err(format!("its addresses name {named} frames"));
    }
    Ok(())
}

fn check_stacks(profile: &Profile) -> Result<(), String> {
    for (index, node) in profile.stacks.iter().enumerate() {
        // Ids are places plus one, so a parent before the node has an id of at most the node's place.
        if node.parent as usize > index {
            return Err(format!("the caller of stack {} does not come before it", index + 1));
        }
        if node.address as usize >= profile.addresses.len() {
            return Err(format!("stack {} names an address that is not there", index + 1));
        }
    }
    for (index, task) in profile.tasks.iter().enumerate() {
        if task.parent as usize > index {
            return Err(format!("the parent of task {} does not come before it", index + 1));
        }
    }
    let threads = profile.threads.len();
    if profile.thread_sets.iter().flatten().any(|thread| *thread as usize >= threads) {
        return Err("a set of threads names one that is not there".into());
    }
    if profile.labels.iter().any(|label| label.tracker as usize > profile.labels.len()) {
        return Err("a label names a tracker that is not there".into());
    }
    for (index, site) in profile.sites.iter().enumerate() {
        if site.task as usize > profile.tasks.len() {
            return Err(format!("site {index} names a task that is not there"));
        }
        if site.label as usize > profile.labels.len() {
            return Err(format!("site {index} names a label that is not there"));
        }
        if site.threads as usize > profile.thread_sets.len() {
            return Err(format!("site {index} names a set of threads that is not there"));
        }
        if site.heap_type as usize > profile.types.len() {
            return Err(format!("site {index} names a type that is not there"));
        }
        if site.stack as usize > profile.stacks.len() {
            return Err(format!("site {index} names a stack that is not there"));
        }
        if Kind::from_u8(site.kind).is_none() {
            return Err(format!("site {index} has an unknown kind of call"));
        }
    }
    Ok(())
}

fn check_timeline(profile: &Profile) -> Result<(), String> {
    let samples = &profile.timeline.samples;
    if !samples.is_sorted_by_key(|sample| sample.ms) {
        return Err("the samples of its timeline are not in order".into());
    }
    for (index, sample) in samples.iter().enumerate() {
        if !sample.changes.is_sorted_by(|a, b| a.site < b.site) {
            return Err(format!("the sites of sample {index} are not in order"));
        }
        if sample.changes.last().is_some_and(|it| it.site as usize >= profile.sites.len()) {
            return Err(format!("sample {index} names a site that is not there"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Address, Frame, Sample, Site, SiteChange, StackNode};

    fn good() -> Profile {
        let site = Site { stack: 1, kind: 1, ..Site::default() };
        Profile {
            strings: vec![String::new(), "f".into()],
            frames: vec![Frame { function: 1, ..Frame::default() }],
            addresses: vec![Address { frames_len: 1, ..Address::default() }],
            stacks: vec![StackNode { parent: 0, address: 0 }, StackNode { parent: 1, address: 0 }],
            sites: vec![site, site],
            timeline: crate::model::Timeline {
                interval_ms: 1,
                samples: vec![Sample {
                    changes: vec![SiteChange { site: 1, ..SiteChange::default() }],
                    ..Sample::default()
                }],
            },
            ..Profile::default()
        }
    }

    #[test]
    fn each_promise_is_checked() {
        assert_eq!(check(&good()), Ok(()));
        assert_eq!(check(&Profile::default()), Ok(()));
        type Break = (&'static str, fn(&mut Profile));
        let breaks: [Break; 15] = [
            ("a set of threads that", |it| it.sites[0].threads = 1),
            ("a set of threads names", |it| it.thread_sets = vec![vec![0]]),
            ("names a type", |it| it.sites[0].heap_type = 1),
            ("first text", |it| it.strings[0].push('x')),
            ("a text", |it| it.frames[0].file = 2),
            ("a module", |it| it.addresses[0].module = 1),
            ("names frames", |it| it.addresses[0].frames_start = u32::MAX),
            ("its addresses name", |it| {
                it.frames = vec![Frame::default(); 1000];
                it.addresses = vec![Address { frames_len: 1000, ..Address::default() }; 3];
            }),
            ("caller", |it| it.stacks[1].parent = 2),
            ("an address", |it| it.stacks[1].address = 1),
            ("a stack", |it| it.sites[0].stack = 3),
            ("kind", |it| it.sites[1].kind = 0),
            ("samples", |it| {
                it.timeline.samples.insert(0, Sample { ms: 9, ..Sample::default() });
            }),
            ("not in order", |it| {
                it.timeline.samples[0].changes.push(SiteChange::default());
            }),
            ("a site", |it| it.timeline.samples[0].changes[0].site = 2),
        ];
        for (words, make_bad) in breaks {
            let mut profile = good();
            make_bad(&mut profile);
            let error = check(&profile).expect_err(words);
            assert!(error.contains(words), "{error}, not {words}");
        }
    }
}
