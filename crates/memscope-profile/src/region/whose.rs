//! Which threads allocated at a site.
//!
//! A thread that ended leaves its rows of counters to a later one whose control block lies at the same address, and the
//! rows do not say which of the two it was: the site is both's then. Sites that only freed what another thread had
//! allocated are not meant.
//!
//! Invariants: memory is bounded however many threads there were: no set has more than [`MAX_THREADS_OF_SITE`], equal
//! sets are one, and sites beyond [`MAX_PLACES`] have none.

use super::SitePlaces;
use crate::model::Profile;
use std::collections::HashMap;

/// Of so many threads a site knows that they allocated there; of more, the first.
///
/// ```
/// use memscope_profile::{model::Profile, region::MAX_THREADS_OF_SITE};
///
/// let profile = Profile::default();
/// let are_all_known = |set: u32| profile.thread_sets[set as usize - 1].len() < MAX_THREADS_OF_SITE;
/// # let _ = are_all_known;
/// assert!(profile.thread_sets.iter().all(|set| set.len() <= MAX_THREADS_OF_SITE));
/// ```
pub const MAX_THREADS_OF_SITE: usize = 64;

/// Threads in all sets together.
const MAX_PLACES: usize = 1 << 20;

/// Gives each site its set of threads. `allocated_by` are site ids with thread pointers, `threads` thread pointers with
/// places in [`Profile::threads`].
pub(super) fn assign(
    profile: &mut Profile,
    sites: &SitePlaces,
    allocated_by: Vec<(u32, u64)>,
    threads: &[(u64, u32)],
) {
    let mut by_pointer: HashMap<u64, Vec<u32>> = HashMap::new();
    for (pointer, thread) in threads {
        let allocated = profile.threads.get(*thread as usize).is_some_and(|it| it.allocations > 0);
        let known = by_pointer.entry(*pointer).or_default();
        if allocated && known.len() < MAX_THREADS_OF_SITE {
            known.push(*thread);
        }
    }
    let places =
        allocated_by.into_iter().filter_map(|(id, pointer)| Some((sites.get(id)?, pointer)));
    let mut places: Vec<(u32, u64)> = places.collect();
    places.sort_unstable();
    places.dedup();
    let mut known: HashMap<Vec<u32>, u32> = HashMap::new();
    let mut left = MAX_PLACES;
    for of_site in places.chunk_by(|a, b| a.0 == b.0) {
        let mut set: Vec<u32> = Vec::new();
        for (_, pointer) in of_site {
            set.extend(by_pointer.get(pointer).into_iter().flatten());
        }
        set.sort_unstable();
        set.truncate(MAX_THREADS_OF_SITE);
        let number = match known.get(&set) {
            Some(number) => *number,
            None if set.is_empty() || set.len() > left => continue,
            None => {
                left -= set.len();
                profile.thread_sets.push(set.clone());
                let number = profile.thread_sets.len() as u32;
                known.insert(set, number);
                number
            }
        };
        if let Some(site) = profile.sites.get_mut(of_site[0].0 as usize) {
            site.threads = number;
        }
    }
}
