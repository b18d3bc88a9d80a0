//! Pieces of other crates: graphs, slot maps, channels, small vectors, ordered maps, other hashers.

use indexmap::IndexMap;
use labels::{at, counted, inside, keep};
use petgraph::graph::{Graph, NodeIndex};
use petgraph::visit::Bfs;
use slotmap::{DefaultKey, SecondaryMap, SlotMap};
use smallvec::SmallVec;
use smol_str::SmolStr;
use std::thread;

#[derive(Clone, Debug, Default)]
struct City {
    people: [u32; 8],
}

#[derive(Clone, Copy, Debug, Default)]
struct Road {
    miles: f32,
    lanes: u8,
}

#[derive(Debug)]
struct Letter {
    to: u32,
    words: Vec<u16>,
}

pub(crate) fn gather(seed: u32) {
    graph(seed);
    slots(seed);
    small(seed);
    post(seed);
}

#[inline(never)]
fn graph(seed: u32) {
    let mut map: Graph<City, Road> = Graph::new();
    let cities: Vec<NodeIndex> =
        (0..20 * seed).map(|people| map.add_node(City { people: [people; 8] })).collect();
    at(&cities[0], "Vec<NodeIndex> || Vec<NodeIndex<u32>>");
    for pair in cities.windows(2) {
        map.add_edge(pair[0], pair[1], Road { miles: 2.0, lanes: 1 });
    }
    inside(&map[cities[0]], "Vec<Node<City>> || Vec<Node<City, u32>>");
    inside(
        map.edge_weights().next().expect("there are roads"),
        "Vec<Edge<Road>> || Vec<Edge<Road, u32>>",
    );
    let mut walk = Bfs::new(&map, cities[0]);
    let mut order = Vec::new();
    while let Some(city) = walk.next(&map) {
        order.push(map[city].people[0]);
    }
    at(&order[0], "Vec<u32>");
    keep((map, cities, order, walk));
}

#[inline(never)]
fn slots(seed: u32) {
    let mut cities: SlotMap<DefaultKey, City> = SlotMap::new();
    let mut roads: SecondaryMap<DefaultKey, Road> = SecondaryMap::new();
    let keys: Vec<DefaultKey> =
        (0..15 * seed).map(|people| cities.insert(City { people: [people; 8] })).collect();
    at(&keys[0], "Vec<DefaultKey>");
    for key in &keys {
        roads.insert(*key, Road::default());
    }
    inside(&cities[keys[1]], "Vec<Slot<City>>");
    inside(&roads[keys[1]], "Vec<Slot<Road>>");
    keep((cities, roads, keys));
}

#[inline(never)]
fn small(seed: u32) {
    let mut lanes: SmallVec<[Road; 3]> = SmallVec::new();
    for lane in 0..9 * seed {
        lanes.push(Road { miles: 1.0, lanes: lane as u8 });
    }
    at(&lanes[0], "SmallVec<[Road; 3]>");
    let mut by_name: IndexMap<SmolStr, City> = IndexMap::new();
    for number in 0..12 * seed {
        let name = format!("a city with a rather long name, number {number}");
        by_name.insert(SmolStr::new(&name), City::default());
    }
    inside(&by_name[1], "IndexMap<SmolStr, City> entries || Vec<Bucket<SmolStr, City>>");
    for name in by_name.keys() {
        counted(&name.as_bytes()[0], "Arc<str> || Arc<[u8]> || SmolStr");
    }
    let hasher = ahash::RandomState::with_seeds(1, 2, 3, 4);
    let mut hashed = std::collections::HashMap::with_hasher(hasher);
    hashed.extend((0..25 * seed as u16).map(|number| (number, City::default())));
    inside(
        hashed.keys().next().expect("it is full"),
        "HashMap<u16, City> table || HashMap<u16, City, RandomState> table",
    );
    keep((lanes, by_name, hashed));
}

#[inline(never)]
fn post(seed: u32) {
    let (sender, receiver) = crossbeam_channel::unbounded();
    let clerk = thread::Builder::new().name("clerk".to_owned()).spawn(move || {
        for to in 0..10 * seed {
            let words = (0..=to as u16).collect();
            sender.send(Box::new(Letter { to, words })).expect("somebody reads");
        }
    });
    clerk.expect("a thread can be had").join().expect("the clerk does not panic");
    let mut letters = Vec::new();
    while let Ok(letter) = receiver.recv() {
        at(&*letter, "Box<Letter>");
        at(&letter.words[0], "Vec<u16>");
        letters.push(letter);
    }
    at(&letters[0], "Vec<Box<Letter>>");
    let sorted = thread::scope(|scope| {
        let sorting = scope.spawn(|| {
            let mut words: Vec<u16> =
                letters.iter().flat_map(|letter| letter.words.clone()).collect();
            words.sort_unstable();
            words
        });
        sorting.join().expect("sorting does not panic")
    });
    at(&sorted[0], "Vec<u16>");
    keep((letters, sorted, receiver));
}
