//! What a program says of its blocks against what memscope says: the join by address, and the sums.
//!
//! Invariants: each labelled block counts once, whatever number of labels it has; a label that lies in no block that is
//! alive, or that contradicts another of the same block, is the program's fault and fails the test.

use super::listener::{Listener, Message};
use super::support::Outcome;
use labels::PrintedLabel;
use memscope_profile::Region;
use memscope_profile::model::{End, Profile, TypeEvidence};
use memscope_profile::region::Block;
use memscope_profile::symbolize::{SymbolSearch, symbolize};
use memscope_region::hello::SOCKET_VARIABLE;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// A block that the program labelled.
#[derive(Debug)]
pub(crate) struct Labelled {
    /// Texts of which each is right.
    pub(crate) expected: Vec<String>,
    /// The line of the program that labelled it (the first such).
    pub(crate) line: u32,
    pub(crate) size_bytes: u64,
    /// Its site's place in the profile.
    pub(crate) site: usize,
}

/// Runs a program that labels its blocks to its end; gives the profile, symbolized, and the labelled blocks.
pub(crate) fn record(program: &Path) -> (Profile, Vec<Labelled>) {
    let mut listener = Listener::open().unwrap();
    let mut command = Command::new(program);
    command.env("LD_PRELOAD", env!("PRELOAD_LIBRARY")).env(SOCKET_VARIABLE, listener.name());
    let outcome = Outcome::of(&mut command);
    assert_eq!(outcome.code(), 0, "{outcome:?}");
    let Some(Message::Hello { region, .. }) = listener.receive().pop() else {
        panic!("the program has not sent its region");
    };
    let region = Region::open(region).unwrap();
    let mut reading = region.read(End::Exited(0)).unwrap();
    assert_eq!(reading.profile.completeness.successes, reading.profile.completeness.attempts);
    let blocks: Vec<Block> = region.blocks().unwrap().map(Result::unwrap).collect();

    let mut labelled: BTreeMap<u64, Labelled> = BTreeMap::new();
    let mut faults = Vec::new();
    for label in labels::parse(&outcome.stdout) {
        let block =
            if label.is_inside { around(&blocks, &label) } else { beginning(&blocks, &label) };
        let Some(block) = block else {
            faults.push(format!("no block is at {label:?}"));
            continue;
        };
        let site = reading.sites.get(block.site).expect("a live block's site is in the profile");
        let first = labelled.entry(block.address).or_insert_with(|| Labelled {
            expected: label.expected.clone(),
            line: label.line,
            size_bytes: block.size_bytes,
            site: site as usize,
        });
        if first.expected != label.expected {
            faults.push(format!("{label:?} is in the block of line {}", first.line));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    symbolize(&mut reading.profile, &SymbolSearch::default(), &|_| {});
    (reading.profile, labelled.into_values().collect())
}

/// The addresses of blocks are known to this.
const GRANULE_BYTES: u64 = 32;

/// The block that begins at the label's address.
fn beginning(blocks: &[Block], label: &PrintedLabel) -> Option<Block> {
    let granule = label.address / GRANULE_BYTES * GRANULE_BYTES;
    let place = blocks.binary_search_by_key(&granule, |block| block.address).ok()?;
    Some(blocks[place])
}

/// The block that the label's address is in. So much of it comes after that the next begins in another granule.
fn around(blocks: &[Block], label: &PrintedLabel) -> Option<Block> {
    let after = blocks.partition_point(|block| block.address <= label.address);
    let block = blocks[after.checked_sub(1)?];
    (label.address < block.address + GRANULE_BYTES / 2 + block.size_bytes).then_some(block)
}

/// Allocations and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) blocks: u64,
    pub(crate) bytes: u64,
}

/// How the answers compare with the labels.
#[derive(Clone, Debug, Default)]
pub(crate) struct Score {
    pub(crate) all: Sum,
    pub(crate) right: Sum,
    pub(crate) wrong: Sum,
    pub(crate) raw: Sum,
    pub(crate) unknown: Sum,
    /// Those of the right ones whose size was checked, and of the wrong ones.
    pub(crate) right_checked: Sum,
    pub(crate) wrong_checked: Sum,
    /// What was expected, what was said, and where: one line for each kind of miss.
    pub(crate) misses: BTreeMap<String, Sum>,
}

impl Sum {
    fn add(&mut self, bytes: u64) {
        self.blocks += 1;
        self.bytes += bytes;
    }

    /// The shares of blocks and bytes, in percent.
    pub(crate) fn shares(self, all: Self) -> [f64; 2] {
        [(self.blocks, all.blocks), (self.bytes, all.bytes)]
            .map(|(part, all)| part as f64 * 100.0 / all.max(1) as f64)
    }
}

impl Score {
    /// Compares; `answer` says for a site what its blocks are, and how that is known.
    pub(crate) fn of<'p>(
        labelled: &[Labelled],
        answer: impl Fn(usize) -> (&'p str, TypeEvidence),
    ) -> Self {
        let mut score = Self::default();
        for block in labelled {
            let (text, evidence) = answer(block.site);
            score.all.add(block.size_bytes);
            let is_right = block.expected.iter().any(|expected| is_same(expected, text));
            let is_checked = evidence == TypeEvidence::SizeChecked;
            let sum = match evidence {
                TypeEvidence::Unknown => &mut score.unknown,
                TypeEvidence::Raw => &mut score.raw,
                _ if is_right => &mut score.right,
                _ => &mut score.wrong,
            };
            sum.add(block.size_bytes);
            if is_checked && is_right {
                score.right_checked.add(block.size_bytes);
            }
            if is_checked && !is_right {
                score.wrong_checked.add(block.size_bytes);
            }
            if !evidence.is_typed() || !is_right {
                let expected = block.expected.join(" || ");
                let miss = format!(
                    "line {}: {expected} is said to be '{text}' ({evidence:?})",
                    block.line
                );
                score.misses.entry(miss).or_default().add(block.size_bytes);
            }
        }
        score
    }

    /// Of a profile's own types.
    pub(crate) fn of_profile(profile: &Profile, labelled: &[Labelled]) -> Self {
        Self::of(labelled, |site| match profile.heap_type(&profile.sites[site]) {
            Some(heap_type) => (heap_type.name.as_str(), heap_type.evidence),
            None => ("", TypeEvidence::Unknown),
        })
    }
}

/// Whether two texts name the same type. A box's is that of what is in it.
fn is_same(expected: &str, text: &str) -> bool {
    let bare = |text: &str| -> String {
        let inner = text.strip_prefix("Box<").and_then(|rest| rest.strip_suffix('>'));
        inner.unwrap_or(text).chars().filter(|character| *character != ' ').collect()
    };
    bare(expected) == bare(text)
}

#[test]
fn each_block_counts_once_by_what_was_said_of_it() {
    let block = |expected: &[&str], size_bytes, site| Labelled {
        expected: expected.iter().map(|text| (*text).to_owned()).collect(),
        line: 7,
        size_bytes,
        site,
    };
    let blocks = [
        block(&["Vec<Order>"], 96, 0),
        block(&["Arc<str>", "Arc<[u8]>"], 32, 1),
        block(&["Box<Key>"], 8, 2),
        block(&["Vec<u8>"], 10, 3),
        block(&["String"], 5, 4),
        block(&["Vec<(u8, u16)>"], 12, 5),
    ];
    let answers = [
        ("Vec<Circle>", TypeEvidence::SizeChecked),
        ("Arc<[u8]>", TypeEvidence::Named),
        ("Key", TypeEvidence::SizeChecked),
        ("Vec<u8>", TypeEvidence::Raw),
        ("", TypeEvidence::Unknown),
        ("Vec<(u8,u16)>", TypeEvidence::Named),
    ];
    let score = Score::of(&blocks, |site| answers[site]);
    let sum = |blocks, bytes| Sum { blocks, bytes };
    assert_eq!((score.all, score.right, score.wrong), (sum(6, 163), sum(3, 52), sum(1, 96)));
    assert_eq!((score.raw, score.unknown), (sum(1, 10), sum(1, 5)));
    assert_eq!((score.right_checked, score.wrong_checked), (sum(1, 8), sum(1, 96)));
    let misses: Vec<&str> = score.misses.keys().map(String::as_str).collect();
    assert_eq!(misses.len(), 3);
    assert!(misses.contains(&"line 7: Vec<u8> is said to be 'Vec<u8>' (Raw)"), "{misses:?}");
}
