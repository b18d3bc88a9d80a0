//! Maps that only grow: for each key a box of 48 bytes in a hash map, for every second key a string in a B-tree. They
//! are dropped when the last key is in.

use crate::Random;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::hint::black_box;

/// Puts `keys` keys in: one and a half blocks each, and the nodes of the tree.
pub(crate) fn run(keys: u64) {
    // Hashed without random keys, so that every run does the same.
    let mut boxes: HashMap<u64, Box<[u8; 48]>, BuildHasherDefault<DefaultHasher>> =
        HashMap::default();
    let mut names: BTreeMap<u64, String> = BTreeMap::new();
    let mut random = Random::new();
    for number in 0..keys {
        let key = random.next();
        boxes.insert(key, Box::new([number as u8; 48]));
        if number % 2 == 0 {
            names.insert(key, format!("value number {number} of the map"));
        }
    }
    black_box((&boxes, &names));
}
