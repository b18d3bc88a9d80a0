//! Lines and rankings against obvious code: whole stacks as lists of words, groups by comparing them.

use super::*;
use crate::model::{Address, Counts, Frame, Module, Profile, Site, StackNode};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Functions of every class; texts 0..9 of the profile.
const FUNCTIONS: [&str; 9] = [
    "",
    "shop::main",
    "shop::Order::new",
    "<shop::Order as core::clone::Clone>::clone",
    "alloc::vec::Vec<T,A>::push",
    "core::iter::Iterator::collect",
    "alloc::raw_vec::RawVec<T,A>::grow_one",
    "std::rt::lang_start",
    "main",
];

fn profiles() -> impl Strategy<Value = Profile> {
    let frame = (0..9_u32, 0..3_u32);
    let address = (0..3_u32, 0..40_u32, 0..4_u32);
    let node = (any::<prop::sample::Index>(), 0..12_u32);
    let counts = prop_oneof![
        9 => prop::array::uniform5(0..50_u64),
        1 => prop::array::uniform5(any::<u64>()),
    ];
    let site = (any::<prop::sample::Index>(), counts);
    (
        prop::collection::vec(frame, 44),
        prop::collection::vec(address, 12),
        prop::collection::vec(node, 0..40),
        prop::collection::vec(site, 0..30),
    )
        .prop_map(|(frames, addresses, nodes, sites)| Profile {
            strings: FUNCTIONS.map(String::from).to_vec(),
            modules: ["/bin/shop", "/lib/libc.so.6"]
                .map(|path| Module { path: path.into(), ..Module::default() })
                .to_vec(),
            frames: frames
                .into_iter()
                .map(|(function, line)| Frame { function, line, ..Frame::default() })
                .collect(),
            addresses: addresses
                .into_iter()
                .map(|(module, frames_start, frames_len)| Address {
                    module,
                    frames_start,
                    frames_len,
                    ..Address::default()
                })
                .collect(),
            stacks: nodes
                .iter()
                .enumerate()
                .map(|(index, (parent, address))| StackNode {
                    parent: parent.index(index + 1) as u32,
                    address: *address,
                })
                .collect(),
            sites: sites
                .into_iter()
                .map(
                    |(
                        stack,
                        [allocations, allocated_bytes, temporary, freed_bytes, peak_bytes],
                    )| Site {
                        stack: stack.index(nodes.len() + 1) as u32,
                        kind: 1,
                        counts: Counts {
                            allocations,
                            allocated_bytes,
                            temporary,
                            freed_bytes,
                            peak_bytes,
                            ..Counts::default()
                        },
                        ..Site::default()
                    },
                )
                .collect(),
            ..Profile::default()
        })
}

/// A site's stack as a person sees it, outermost first.
fn visible(profile: &Profile, site: &Site) -> Vec<String> {
    let classifier = Classifier::new(profile);
    let mut frames: Vec<(Class, String, String)> = profile
        .stack_frames(site.stack)
        .map(|view| {
            let module = view.module().map_or("", |it| it.path.as_str());
            let class = classifier.class(view.function(), view.file(), module);
            let face = match view.frame() {
                Some(_) => format!("{} line {}", view.function(), view.line()),
                None => format!("address {}", view.address_index),
            };
            // Where no function is known, the address says nothing of an operation.
            let operation = match view.frame() {
                Some(_) => format!("via {}", view.function()),
                None => "via somewhere".into(),
            };
            (class, face, operation)
        })
        .filter(|(class, ..)| *class != Class::Allocator)
        .collect();
    frames.reverse();
    let Some(last_user) = frames.iter().rposition(|(class, ..)| *class == Class::User) else {
        return frames.into_iter().map(|(_, face, _)| face).collect();
    };
    let users = frames.iter().filter(|(class, ..)| *class == Class::User);
    let mut seen: Vec<String> = users.map(|(_, face, _)| format!("own {face}")).collect();
    let inner = frames[last_user..].iter();
    seen.extend(inner.filter(|it| it.0 == Class::Std).map(|it| it.2.clone()).take(1));
    seen
}

proptest! {
    #[test]
    fn rankings_equal_the_obvious(profile in profiles(), top in 0..12_usize) {
        let analysis = Analysis::new(&profile);
        let mut groups: BTreeMap<Vec<String>, (Vec<u32>, Counts)> = BTreeMap::new();
        for (index, site) in profile.sites.iter().enumerate() {
            let group = groups.entry(visible(&profile, site)).or_default();
            group.0.push(index as u32);
            group.1.add(&site.counts);
        }
        prop_assert_eq!(analysis.lines(), groups.len());
        for metric in Metric::ALL {
            let ranking = analysis.rank(metric, top);
            let mut expected: Vec<(u64, &[u32])> = groups
                .values()
                .map(|(sites, counts)| (metric.value(counts), sites.as_slice()))
                .filter(|(value, _)| *value > 0)
                .collect();
            expected.sort_by_key(|(value, sites)| (u64::MAX - value, sites[0]));
            let total = expected.iter().fold(0_u64, |sum, it| sum.saturating_add(it.0));
            prop_assert_eq!(ranking.total, total);
            prop_assert_eq!(ranking.lines.len() + ranking.omitted_lines, expected.len());
            let omitted = expected.iter().skip(top).fold(0_u64, |sum, it| sum.saturating_add(it.0));
            prop_assert_eq!(ranking.omitted_value, omitted);
            for (line, (value, sites)) in ranking.lines.iter().zip(&expected) {
                let mut of_line = line.sites.clone();
                let most = metric.value(&profile.sites[of_line[0] as usize].counts);
                prop_assert!(of_line.iter().all(|it| metric.value(&profile.sites[*it as usize].counts) <= most));
                of_line.sort_unstable();
                prop_assert_eq!((line.value, &of_line[..]), (*value, *sites));
                prop_assert_eq!(line.share, *value as f64 / total as f64);
            }
        }
    }

    #[test]
    fn raw_rankings_have_a_line_for_each_site(profile in profiles()) {
        let ranking = profile.rank_sites(Metric::Allocations, usize::MAX);
        let mut expected: Vec<u32> = (0..profile.sites.len() as u32).collect();
        expected.retain(|it| profile.sites[*it as usize].counts.allocations > 0);
        expected.sort_by_key(|it| u64::MAX - profile.sites[*it as usize].counts.allocations);
        let lines: Vec<u32> = ranking.lines.iter().map(|line| line.sites[0]).collect();
        prop_assert_eq!(lines, expected);
    }
}
