//! What a program says of its blocks against what memscope says: the join by address, and the sums.
//!
//! Invariants: each labelled block counts once, whatever number of labels it has; a label that lies in no block that is
//! alive, or that contradicts another of the same block, is the program's fault and fails the test.

use super::listener::{Listener, Message};
use super::support::Outcome;
use labels::PrintedLabel;
use memscope_profile::Region;
use memscope_profile::model::{End, Profile};
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
