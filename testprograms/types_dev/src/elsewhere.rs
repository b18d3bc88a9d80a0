//! Containers of other crates.

use crate::model::{Circle, Key, Order};
use bytes::{BufMut, Bytes, BytesMut};
use compact_str::{CompactString, ToCompactString};
use dashmap::DashMap;
use hashbrown::{HashMap, HashSet, HashTable};
use indexmap::{IndexMap, IndexSet};
use labels::{at, inside, keep, word_inside};
use slab::Slab;
use smallvec::{SmallVec, smallvec};
use std::hint::black_box;
use tinyvec::TinyVec;

pub(crate) fn run() {
    small();
    tables();
    ordered();
    texts();
}

fn key(number: u32) -> Key {
    Key { region: 4, number }
}

#[inline(never)]
fn small() {
    for count in [3_u32, 9, 40] {
        let mut keys: SmallVec<[Key; 2]> = SmallVec::new();
        for number in 0..black_box(count) {
            keys.push(key(number));
        }
        at(&keys[0], "SmallVec<[Key; 2]>");
        keep(keys);
    }
    let spilled: SmallVec<[u64; 4]> = smallvec![1; black_box(20)];
    at(&spilled[0], "SmallVec<[u64; 4]> || Vec<u64>");
    let collected: SmallVec<[Circle; 1]> = (0..black_box(7)).map(|_| Circle::default()).collect();
    at(&collected[0], "SmallVec<[Circle; 1]>");
    let mut tiny: TinyVec<[u32; 3]> = TinyVec::new();
    for number in 0..black_box(15) {
        tiny.push(number);
    }
    at(&tiny[0], "TinyVec<[u32; 3]> || Vec<u32>");
    let mut slab = Slab::new();
    for number in 0..black_box(10) {
        slab.insert(Order { number, ..Order::default() });
    }
    inside(&slab[0], "Slab<Order> || Vec<Entry<Order>>");
    let mut reserved: Slab<u16> = Slab::with_capacity(black_box(30));
    reserved.insert(1);
    inside(&reserved[0], "Slab<u16> || Vec<Entry<u16>>");
    keep((spilled, collected, tiny, slab, reserved));
}

#[inline(never)]
fn tables() {
    let mut map: HashMap<u32, Circle> = HashMap::new();
    for number in 0..black_box(33) {
        map.insert(number, Circle::default());
    }
    let first = map.keys().next().expect("it is full");
    inside(first, "HashMap<u32, Circle> table || HashMap<u32, Circle, DefaultHashBuilder> table");
    let set: HashSet<u64> = (0..black_box(20)).collect();
    let first = set.iter().next().expect("it is full");
    inside(first, "HashSet<u64> table || HashSet<u64, DefaultHashBuilder> table");
    let mut table: HashTable<Key> = HashTable::new();
    for number in 0..black_box(12) {
        table.insert_unique(number.into(), key(number), |key| key.number.into());
    }
    let first = table.iter().next().expect("it is full");
    inside(first, "HashTable<Key> table");
    let sharded: DashMap<u32, Order> = DashMap::with_shard_amount(4);
    for number in 0..black_box(50) {
        sharded.insert(number, Order::default());
    }
    for entry in &sharded {
        inside(
            entry.key(),
            "HashMap<u32, Order> table || HashMap<u32, SharedValue<Order>> table || DashMap<u32, Order> table",
        );
    }
    keep((map, set, table, sharded));
}

#[inline(never)]
fn ordered() {
    let mut map = IndexMap::new();
    for number in 0..black_box(28) {
        map.insert(key(number), Order::default());
    }
    inside(&map[0], "IndexMap<Key, Order> entries || Vec<Bucket<Key, Order>>");
    word_inside(&map, 3, "IndexMap<Key, Order> indices || HashTable<usize> table");
    let set: IndexSet<u16> = (0..black_box(19)).collect();
    inside(&set[0], "IndexSet<u16> entries || Vec<Bucket<u16, ()>>");
    keep((map, set));
}

#[inline(never)]
fn texts() {
    let name = black_box("a name that is longer than what fits into the string itself");
    let compact = CompactString::new(name);
    at(&compact.as_bytes()[0], "CompactString");
    let formatted = black_box(name).to_compact_string();
    at(&formatted.as_bytes()[0], "CompactString");
    let mut grown = CompactString::default();
    for _ in 0..black_box(50) {
        grown.push('y');
    }
    at(&grown.as_bytes()[0], "CompactString");
    let mut buffer = BytesMut::with_capacity(black_box(64));
    buffer.put_slice(name.as_bytes());
    at(&buffer[0], "BytesMut || Vec<u8>");
    let mut small = BytesMut::new();
    for number in 0..black_box(90_u8) {
        small.put_u8(number);
    }
    at(&small[0], "BytesMut || Vec<u8>");
    let copied = Bytes::copy_from_slice(name.as_bytes());
    at(&copied[0], "Bytes || Vec<u8> || Box<[u8]>");
    keep((compact, formatted, grown, buffer, small, copied));
}
