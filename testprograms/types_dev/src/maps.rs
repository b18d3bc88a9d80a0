//! Hash tables and trees: by insertion, with a capacity, collected, with hashers of one's own, nested.

use crate::model::{Key, Order};
use labels::{at, inside, keep, nodes};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::hint::black_box;

pub(crate) fn run() {
    tables();
    sets();
    with_a_hasher();
    trees();
    nested();
}

/// Adds bytes up.
#[derive(Default)]
struct Adding(u64);

impl Hasher for Adding {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.wrapping_mul(0x0100_0000_01b3) ^ u64::from(*byte);
        }
    }
}

fn key(number: u32) -> Key {
    Key { region: number as u16 % 3, number }
}

fn any<T>(mut items: impl Iterator<Item = T>) -> T {
    items.next().expect("it is not empty")
}

#[inline(never)]
fn tables() {
    for count in [1_u32, 20, 300] {
        let mut orders = HashMap::new();
        for number in 0..black_box(count) {
            orders.insert(key(number), Order { number: number.into(), ..Order::default() });
        }
        inside(any(orders.keys()), "HashMap<Key, Order> table");
        keep(orders);
    }
    let mut reserved: HashMap<u64, u8> = HashMap::with_capacity(black_box(90));
    reserved.insert(1, 2);
    inside(any(reserved.keys()), "HashMap<u64, u8> table");
    let collected: HashMap<String, u32> =
        (0..black_box(8)).map(|number| (format!("name {number}"), number)).collect();
    inside(any(collected.keys()), "HashMap<String, u32> table");
    let mut counted: HashMap<&str, usize> = HashMap::new();
    for word in black_box("one two two three three three").split(' ') {
        *counted.entry(word).or_default() += 1;
    }
    inside(any(counted.keys()), "HashMap<&str, usize> table");
    let cloned = black_box(&counted).clone();
    inside(any(cloned.keys()), "HashMap<&str, usize> table");
    let mut shrunk: HashMap<u32, u32> = (0..black_box(200)).map(|number| (number, 1)).collect();
    shrunk.retain(|number, _| number % 50 == 0);
    shrunk.shrink_to_fit();
    inside(any(shrunk.keys()), "HashMap<u32, u32> table");
    keep((reserved, collected, cloned, shrunk));
    keep(counted);
}

#[inline(never)]
fn sets() {
    let mut numbers = HashSet::new();
    for number in 0..black_box(70_u16) {
        numbers.insert(number * 3);
    }
    inside(any(numbers.iter()), "HashSet<u16> table");
    let keys: HashSet<Key> = (0..black_box(30)).map(key).collect();
    inside(any(keys.iter()), "HashSet<Key> table");
    let united: HashSet<Key> = keys.union(&keys).copied().collect();
    inside(any(united.iter()), "HashSet<Key> table");
    keep((numbers, keys, united));
}

#[inline(never)]
fn with_a_hasher() {
    let mut map: HashMap<u32, f32, BuildHasherDefault<Adding>> = HashMap::default();
    for number in 0..black_box(40) {
        map.insert(number, 0.5);
    }
    inside(
        any(map.keys()),
        "HashMap<u32, f32> table || HashMap<u32, f32, BuildHasherDefault<Adding>> table",
    );
    keep(map);
}

#[inline(never)]
fn trees() {
    let mut map = BTreeMap::new();
    for number in 0..black_box(6_u32) {
        map.insert(number, key(number));
    }
    nodes(map.keys(), "BTreeMap<u32, Key> node");
    let mut large = BTreeMap::new();
    for number in 0..black_box(400_u64) {
        large.insert(number * 37 % 400, Order::default());
    }
    // Leaves and what stands above them.
    nodes(large.keys(), "BTreeMap<u64, Order> node");
    let collected: BTreeMap<String, Vec<u8>> =
        (0..black_box(30_u8)).map(|number| (number.to_string(), vec![number; 3])).collect();
    nodes(collected.keys(), "BTreeMap<String, Vec<u8>> node");
    for bytes in collected.values() {
        at(&bytes[0], "Vec<u8>");
    }
    let mut set = BTreeSet::new();
    for number in 0..black_box(50_i32) {
        set.insert(-number);
    }
    nodes(&set, "BTreeSet<i32> node");
    let ordered: BTreeSet<Key> = (0..black_box(9)).map(key).collect();
    nodes(&ordered, "BTreeSet<Key> node");
    let cloned = black_box(&map).clone();
    nodes(cloned.keys(), "BTreeMap<u32, Key> node");
    keep((map, large, collected, set, ordered, cloned));
}

#[inline(never)]
fn nested() {
    let mut groups: HashMap<u16, Vec<Key>> = HashMap::new();
    for number in 0..black_box(64) {
        groups.entry(key(number).region).or_default().push(key(number));
    }
    inside(any(groups.keys()), "HashMap<u16, Vec<Key>> table");
    for group in groups.values() {
        at(&group[0], "Vec<Key>");
    }
    let mut index: BTreeMap<u8, HashMap<u32, Box<Order>>> = BTreeMap::new();
    for number in 0..black_box(24_u32) {
        index.entry(number as u8 % 2).or_default().insert(number, Box::default());
    }
    nodes(index.keys(), "BTreeMap<u8, HashMap<u32, Box<Order>>> node");
    for inner in index.values() {
        inside(any(inner.keys()), "HashMap<u32, Box<Order>> table");
        for order in inner.values() {
            at(&**order, "Box<Order>");
        }
    }
    keep((groups, index));
}
