//! Rooms, creatures and things, owned in the ways of a game: indices, shared handles, behaviours behind traits.

use labels::{at, counted, inside, keep, nodes, word};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, VecDeque};
use std::fmt::Debug;
use std::rc::{Rc, Weak};
use std::sync::{Arc, Mutex, OnceLock};

/// 24 bytes, as are [`Exit`] and [`Tile`].
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
struct Point {
    x: f64,
    y: f64,
    z: f64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Exit {
    to: u64,
    locked: u64,
    key: u64,
}

#[derive(Clone, Debug, Default)]
struct Tile {
    kind: u8,
    light: u64,
    height: i64,
}

#[derive(Debug, Default)]
struct Room {
    name: String,
    exits: Vec<Exit>,
    corners: Vec<Point>,
    things: Vec<Rc<RefCell<Thing>>>,
}

#[derive(Debug)]
struct Thing {
    weight: u32,
    holder: Weak<RefCell<Thing>>,
    inside: Vec<Rc<RefCell<Thing>>>,
    description: Option<Box<str>>,
}

#[derive(Clone, Debug)]
enum Order {
    Wait(u16),
    Walk { along: Vec<Point> },
    Then(Box<Order>, Box<Order>),
}

trait Mood: Debug {
    fn next(&mut self, seed: u32) -> Option<Box<dyn Mood>>;
}

#[derive(Debug)]
struct Calm([u64; 3]);

#[derive(Debug)]
struct Angry {
    at: Vec<u32>,
    since: [u32; 9],
}

impl Mood for Calm {
    fn next(&mut self, seed: u32) -> Option<Box<dyn Mood>> {
        self.0[0] += 1;
        (seed > 0)
            .then(|| -> Box<dyn Mood> { Box::new(Angry { at: vec![seed; 3], since: [seed; 9] }) })
    }
}

impl Mood for Angry {
    fn next(&mut self, seed: u32) -> Option<Box<dyn Mood>> {
        self.at.push(seed);
        Some(Box::new(Calm([seed.into(); 3])))
    }
}

#[derive(Debug)]
struct Creature {
    name: Arc<str>,
    mood: Box<dyn Mood>,
    order: Order,
    path: VecDeque<Point>,
    seen: HashSet<u32>,
}

pub(crate) struct World {
    rooms: Vec<Room>,
    creatures: BTreeMap<u32, Creature>,
    names: HashMap<String, u32>,
    clock: Arc<Mutex<Clock>>,
    tiles: Box<[Tile]>,
}

#[derive(Debug, Default)]
struct Clock {
    ticks: BinaryHeap<(u64, u32)>,
    last: u64,
}

pub(crate) struct Builder {
    seed: u32,
    rooms: u32,
    creatures: u32,
}

impl World {
    pub(crate) fn builder(seed: u32) -> Builder {
        Builder { seed, rooms: 0, creatures: 0 }
    }

    pub(crate) fn label(&self) {
        at(&self.rooms[0], "Vec<Room>");
        for room in &self.rooms {
            at(&room.name.as_bytes()[0], "String");
            at(&room.exits[0], "Vec<Exit>");
            at(&room.corners[0], "Vec<Point>");
            at(&room.things[0], "Vec<Rc<RefCell<Thing>>>");
            for thing in &room.things {
                counted(&**thing, "Rc<RefCell<Thing>>");
                if let Some(text) = &thing.borrow().description {
                    at(&text.as_bytes()[0], "Box<str> || String");
                }
                if let Some(first) = thing.borrow().inside.first() {
                    counted(&**first, "Rc<RefCell<Thing>>");
                    at(first, "Vec<Rc<RefCell<Thing>>>");
                }
            }
        }
        nodes(self.creatures.keys(), "BTreeMap<u32, Creature> node");
        for creature in self.creatures.values() {
            counted(&creature.name.as_bytes()[0], "Arc<str>");
            let is_calm = format!("{:?}", creature.mood).starts_with("Calm");
            word(&creature.mood, 0, if is_calm { "Box<Calm>" } else { "Box<Angry>" });
            at(&creature.path[0], "VecDeque<Point>");
            inside(creature.seen.iter().next().expect("it has seen"), "HashSet<u32> table");
            if let Order::Then(first, second) = &creature.order {
                at(&**first, "Box<Order>");
                at(&**second, "Box<Order>");
                if let Order::Walk { along } = &**second {
                    at(&along[0], "Vec<Point>");
                }
            }
        }
        inside(self.names.keys().next().expect("there are names"), "HashMap<String, u32> table");
        for name in self.names.keys() {
            at(&name.as_bytes()[0], "String");
        }
        counted(&*self.clock, "Arc<Mutex<Clock>>");
        let clock = self.clock.lock().expect("nobody panics");
        at(clock.ticks.peek().expect("it ticks"), "BinaryHeap<(u64, u32)>");
        at(&self.tiles[0], "Box<[Tile]> || Vec<Tile>");
    }
}

impl Builder {
    pub(crate) fn rooms(mut self, rooms: u32) -> Self {
        self.rooms = rooms * self.seed;
        self
    }

    pub(crate) fn creatures(mut self, creatures: u32) -> Self {
        self.creatures = creatures * self.seed;
        self
    }

    pub(crate) fn build(self) -> World {
        let rooms: Vec<Room> = (0..self.rooms).map(|number| self.room(number)).collect();
        let creatures: BTreeMap<u32, Creature> =
            (0..self.creatures).map(|number| (number * 7 % 61, self.creature(number))).collect();
        let names =
            rooms.iter().zip(0..).map(|(room, number)| (room.name.clone(), number)).collect();
        let clock: Arc<Mutex<Clock>> = Arc::default();
        if let Ok(mut clock) = clock.lock() {
            clock.ticks.extend((0..30).map(|tick| (u64::from(tick * self.seed), tick)));
        }
        let tiles =
            (0..64 * self.seed).map(|light| Tile { light: light.into(), ..Tile::default() });
        World {
            rooms,
            creatures,
            names,
            clock,
            tiles: tiles.collect::<Vec<_>>().into_boxed_slice(),
        }
    }

    fn room(&self, number: u32) -> Room {
        let mut room = Room { name: format!("room {number} of {}", self.rooms), ..Room::default() };
        for to in 0..=u64::from(number % 5) {
            room.exits.push(Exit { to, ..Exit::default() });
            room.corners.push(Point { x: to as f64, ..Point::default() });
        }
        room.corners.reserve(3);
        room.things.extend((0..2 + number % 3).map(|weight| self.thing(weight)));
        room
    }

    fn thing(&self, weight: u32) -> Rc<RefCell<Thing>> {
        let description =
            (weight > 1).then(|| "it is rather heavy".repeat(self.seed as usize).into());
        let thing = Thing { weight, holder: Weak::new(), inside: Vec::new(), description };
        let thing = Rc::new(RefCell::new(thing));
        if weight == 3 {
            let holder = Rc::downgrade(&thing);
            let small = Thing { weight: self.seed, holder, inside: vec![], description: None };
            thing.borrow_mut().inside.push(Rc::new(RefCell::new(small)));
        }
        thing
    }

    fn creature(&self, number: u32) -> Creature {
        let mut mood: Box<dyn Mood> = Box::new(Calm([number.into(); 3]));
        for _ in 0..number % 3 {
            mood = mood.next(self.seed).unwrap_or(mood);
        }
        let along: Vec<Point> =
            (0..=number % 9).map(|x| Point { x: x.into(), y: 1.0, z: 0.5 }).collect();
        let path = along.iter().map(|point| Point { z: 1.0, ..*point }).collect::<VecDeque<_>>();
        let path = path.into_iter().fold(VecDeque::with_capacity(4), |mut path, point| {
            path.push_back(point);
            path
        });
        let order = match number % 2 {
            0 => Order::Wait(number as u16),
            _ => Order::Then(Box::new(Order::Wait(3)), Box::new(Order::Walk { along })),
        };
        Creature {
            name: format!("creature {number}").into(),
            mood,
            order,
            path,
            seen: (0..=number).map(|room| room * self.seed).collect(),
        }
    }
}

/// A cache with a type of its own, generic in key and value.
struct Cache<K, V> {
    order: VecDeque<K>,
    values: HashMap<K, V>,
    limit: usize,
}

impl<K: Clone + Eq + std::hash::Hash, V> Cache<K, V> {
    fn with_limit(limit: usize) -> Self {
        Self { order: VecDeque::new(), values: HashMap::new(), limit }
    }

    fn put(&mut self, key: K, value: V) {
        if self.values.len() == self.limit
            && let Some(oldest) = self.order.pop_front()
        {
            self.values.remove(&oldest);
        }
        self.order.push_back(key.clone());
        self.values.insert(key, value);
    }
}

fn matrix<const N: usize>(scale: u32) -> Vec<[u32; N]> {
    std::iter::successors(Some([scale; N]), |row| (row[0] < 40).then(|| row.map(|cell| cell + 1)))
        .collect()
}

/// What programs do all day: adapters, caches, statics, sorting, sets.
#[inline(never)]
pub(crate) fn habits(seed: u32) {
    static NAMES: OnceLock<Vec<&'static str>> = OnceLock::new();
    at(&NAMES.get_or_init(|| "north east south west".split(' ').collect())[0], "Vec<&str>");
    let mut cache = Cache::with_limit(20);
    for key in 0..50 * u64::from(seed) {
        cache.put(key, Point::default());
    }
    inside(cache.values.values().next().expect("it is full"), "HashMap<u64, Point> table");
    at(cache.order.as_slices().1.first().unwrap_or(&cache.order[0]), "VecDeque<u64>");
    let mut exits: Vec<Exit> =
        (0..33 * u64::from(seed)).map(|to| Exit { to: 99 - to, ..Exit::default() }).collect();
    exits.sort();
    at(&exits[0], "Vec<Exit>");
    let distinct: BTreeSet<Exit> = exits.iter().copied().filter(|exit| exit.to % 2 == 0).collect();
    nodes(&distinct, "BTreeSet<Exit> node");
    let squares = matrix::<4>(seed);
    at(&squares[0], "Vec<[u32; 4]>");
    let wide = matrix::<7>(seed);
    at(&wide[0], "Vec<[u32; 7]>");
    let windows: Vec<(Exit, Point)> = exits.iter().map(|exit| (*exit, Point::default())).collect();
    at(&windows[0], "Vec<(Exit, Point)>");
    let (near, far): (Vec<Exit>, Vec<Exit>) = exits.iter().partition(|exit| exit.to < 80);
    at(&near[0], "Vec<Exit>");
    at(&far[0], "Vec<Exit>");
    let grouped = exits.iter().fold(BTreeMap::<u64, Vec<&Exit>>::new(), |mut groups, exit| {
        groups.entry(exit.to % 4).or_default().push(exit);
        groups
    });
    nodes(grouped.keys(), "BTreeMap<u64, Vec<&Exit>> node");
    for group in grouped.values() {
        at(&group[0], "Vec<&Exit>");
    }
    let shared: Arc<[Point]> = Arc::from(vec![Point::default(); seed as usize * 5]);
    counted(&shared[0], "Arc<[Point]>");
    let rules: Vec<Box<dyn Fn(&Exit) -> bool>> = (0..4_u64)
        .map(|limit| Box::new(move |exit: &Exit| exit.to > limit) as Box<dyn Fn(&Exit) -> bool>)
        .collect();
    for rule in &rules {
        word(rule, 0, "Box<closure in habits>");
    }
    keep((cache, distinct, squares, wide, windows, near, far, shared, rules));
    keep(grouped);
    keep(exits);
}
