//! Vectors, queues, heaps and lists: grown, made at once, collected, cloned, shrunk, nested.

use crate::model::{Circle, Key, Node, Order, Shape, Stack};
use labels::{at, inside, keep};
use std::collections::{BinaryHeap, LinkedList, VecDeque};
use std::hint::black_box;

pub(crate) fn run() {
    grown();
    of_equal_size();
    made_at_once();
    collected();
    nested();
    boxed_slices();
    queues();
    generic();
}

fn order(number: u64) -> Order {
    Order { number, customer: number as u32 / 3, ..Order::default() }
}

#[inline(never)]
fn grown() {
    for count in [3_u64, 10, 100] {
        let mut orders = Vec::new();
        for number in 0..black_box(count) {
            orders.push(order(number));
        }
        at(&orders[0], "Vec<Order>");
        keep(orders);
    }
    let mut bytes = Vec::new();
    for number in 0..black_box(77_u8) {
        bytes.push(number);
    }
    at(&bytes[0], "Vec<u8>");
    let mut pairs: Vec<(u32, String)> = Vec::new();
    for number in 0..black_box(9) {
        pairs.push((number, String::new()));
    }
    at(&pairs[0], "Vec<(u32, String)>");
    let mut points: Vec<[f32; 3]> = Vec::new();
    points.extend((0..black_box(40_u16)).map(|number| [f32::from(number); 3]));
    at(&points[0], "Vec<[f32; 3]>");
    let mut options: Vec<Option<Box<Node>>> = Vec::new();
    options.resize_with(black_box(12), || None);
    at(&options[0], "Vec<Option<Box<Node>>>");
    let mut inserted = vec![Key::default(); black_box(4)];
    for number in 0..black_box(60) {
        inserted.insert(1, Key { region: 1, number });
    }
    at(&inserted[0], "Vec<Key>");
    let mut reserved: Vec<Shape> = Vec::new();
    reserved.reserve(black_box(10));
    reserved.push(Shape::Dot);
    at(&reserved[0], "Vec<Shape>");
    let mut exactly: Vec<i16> = Vec::new();
    exactly.reserve_exact(black_box(31));
    exactly.push(1);
    at(&exactly[0], "Vec<i16>");
    let mut appended: Vec<u128> = vec![1; black_box(2)];
    appended.append(&mut vec![2; black_box(50)]);
    at(&appended[0], "Vec<u128>");
    let mut copied: Vec<char> = Vec::new();
    copied.extend_from_slice(black_box(&['a'; 33]));
    at(&copied[0], "Vec<char>");
    keep((bytes, pairs, points, options, inserted, reserved, exactly, appended, copied));
}

/// Growing a vector of one of these compiles to the code of another.
#[inline(never)]
fn of_equal_size() {
    for round in 0..black_box(8) {
        let (mut orders, mut circles) = (Vec::new(), Vec::new());
        let (mut keys, mut numbers, mut signed) = (Vec::new(), Vec::new(), Vec::new());
        let mut options: Vec<Option<Order>> = Vec::new();
        for number in 0..=black_box(round) {
            orders.push(order(number));
            circles.push(Circle { radius: number as f64, ..Circle::default() });
            options.push((number > 1).then(|| order(number)));
            keys.push(Key { region: 2, number: number as u32 });
            numbers.push(number);
            signed.push(-(number as i64));
        }
        at(&orders[0], "Vec<Order>");
        at(&circles[0], "Vec<Circle>");
        at(&options[0], "Vec<Option<Order>>");
        at(&keys[0], "Vec<Key>");
        at(&numbers[0], "Vec<u64>");
        at(&signed[0], "Vec<i64>");
        keep((orders, circles, options, keys, numbers, signed));
    }
}

#[inline(never)]
fn made_at_once() {
    let mut with_capacity = Vec::with_capacity(black_box(10));
    with_capacity.push(Circle::default());
    at(&with_capacity[0], "Vec<Circle>");
    let zeros = vec![0_u32; black_box(1000)];
    at(&zeros[0], "Vec<u32>");
    let ones = vec![1_u16; black_box(500)];
    at(&ones[0], "Vec<u16>");
    let cloned = vec![order(1); black_box(6)];
    at(&cloned[0], "Vec<Order>");
    let again = black_box(&cloned).clone();
    at(&again[0], "Vec<Order>");
    let part = black_box(&ones)[3..200].to_vec();
    at(&part[0], "Vec<u16>");
    let listed = vec![Key { region: black_box(3), number: 1 }, Key::default()];
    at(&listed[0], "Vec<Key>");
    let joined = [&zeros[..], &zeros[..7]].concat();
    at(&joined[0], "Vec<u32>");
    let repeated = [Key::default(), Key::default()].repeat(black_box(5));
    at(&repeated[0], "Vec<Key>");
    let mut long = vec![9_i64; black_box(100)];
    let tail = long.split_off(black_box(40));
    at(&tail[0], "Vec<i64>");
    let mut shrunk = Vec::with_capacity(black_box(500));
    shrunk.extend([1.5_f64; 20]);
    shrunk.shrink_to_fit();
    at(&shrunk[0], "Vec<f64>");
    keep((
        with_capacity,
        zeros,
        ones,
        cloned,
        again,
        part,
        listed,
        joined,
        repeated,
        long,
        tail,
        shrunk,
    ));
}

#[inline(never)]
fn collected() {
    let squares: Vec<u64> = (0..black_box(50_u64)).map(|number| number * number).collect();
    at(&squares[0], "Vec<u64>");
    let filtered: Vec<u64> = squares.iter().copied().filter(|number| number % 3 == 1).collect();
    at(&filtered[0], "Vec<u64>");
    let orders: Vec<Order> = squares.iter().map(|number| order(*number)).collect();
    at(&orders[0], "Vec<Order>");
    let references: Vec<&Order> = orders.iter().rev().collect();
    at(&references[0], "Vec<&Order>");
    let chunks: Vec<Vec<u64>> = squares.chunks(black_box(9)).map(<[u64]>::to_vec).collect();
    at(&chunks[0], "Vec<Vec<u64>>");
    for chunk in &chunks {
        at(&chunk[0], "Vec<u64>");
    }
    let (even, odd): (Vec<u32>, Vec<u32>) = (0..black_box(90)).partition(|number| number % 2 == 0);
    at(&even[0], "Vec<u32>");
    at(&odd[0], "Vec<u32>");
    let parsed: Result<Vec<i32>, _> =
        black_box("1 2 3 4 5 6 7").split(' ').map(str::parse::<i32>).collect();
    let parsed = parsed.expect("all are numbers");
    at(&parsed[0], "Vec<i32>");
    let some: Option<Vec<Key>> =
        (0..black_box(11)).map(|number| Some(Key { region: 1, number })).collect();
    let some = some.expect("there are some");
    at(&some[0], "Vec<Key>");
    let flat: Vec<Circle> =
        (0..black_box(4)).flat_map(|_| vec![Circle::default(); black_box(3)]).collect();
    at(&flat[0], "Vec<Circle>");
    keep((squares, filtered, parsed, some, flat, chunks, even, odd));
    keep(references);
    keep(orders);
}

#[inline(never)]
fn nested() {
    let mut rows: Vec<Vec<u16>> = Vec::new();
    for width in 1..black_box(15_u16) {
        let mut row = Vec::new();
        for column in 0..width {
            row.push(column);
        }
        rows.push(row);
    }
    at(&rows[0], "Vec<Vec<u16>>");
    for row in &rows {
        at(&row[0], "Vec<u16>");
    }
    let grid = vec![vec![0_u8; black_box(24)]; black_box(10)];
    at(&grid[0], "Vec<Vec<u8>>");
    for row in &grid {
        at(&row[0], "Vec<u8>");
    }
    let functions: Vec<fn(u64) -> Order> = vec![order; black_box(5)];
    at(&functions[0], "Vec<fn(u64) -> Order>");
    let boxes: Vec<Box<Key>> =
        (0..black_box(7)).map(|number| Box::new(Key { region: 9, number })).collect();
    at(&boxes[0], "Vec<Box<Key>>");
    for one in &boxes {
        at(&**one, "Box<Key>");
    }
    keep((rows, grid, functions, boxes));
}

#[inline(never)]
fn boxed_slices() {
    let slice: Box<[u32]> = (0..black_box(19)).collect();
    at(&slice[0], "Box<[u32]> || Vec<u32>");
    let exact = vec![order(3); black_box(5)].into_boxed_slice();
    at(&exact[0], "Box<[Order]> || Vec<Order>");
    let copied: Box<[u16]> = Box::from(black_box(&[1_u16, 2, 3, 4][..]));
    at(&copied[0], "Box<[u16]>");
    let cloned = black_box(&exact).clone();
    at(&cloned[0], "Box<[Order]> || Vec<Order>");
    let array = Box::new([black_box(7_u8); 4096]);
    at(&array[0], "Box<[u8; 4096]>");
    keep((slice, exact, copied, cloned, array));
}

#[inline(never)]
fn queues() {
    let mut queue = VecDeque::new();
    for number in 0..black_box(21) {
        queue.push_back(order(number));
    }
    at(&queue[0], "VecDeque<Order>");
    let mut front: VecDeque<u32> = VecDeque::with_capacity(black_box(12));
    front.push_front(1);
    front.push_back(2);
    at(&front[1], "VecDeque<u32>");
    let copied: VecDeque<u8> = (0..black_box(30_u8)).collect();
    at(&copied[0], "VecDeque<u8> || Vec<u8>");
    let mut heap = BinaryHeap::new();
    for number in 0..black_box(25) {
        heap.push(Key { region: 0, number: number * 7 % 25 });
    }
    at(heap.peek().expect("it is full"), "BinaryHeap<Key>");
    let mut list = LinkedList::new();
    for number in 0..black_box(5_u64) {
        list.push_back([number; 3]);
    }
    for item in &list {
        inside(item, "LinkedList<[u64; 3]> node");
    }
    keep((queue, front, copied, heap, list));
}

#[inline(never)]
fn generic() {
    let (mut orders, mut keys, mut names) = (Stack::new(), Stack::new(), Stack::new());
    for number in 0..black_box(17) {
        orders.push(order(number));
        keys.push(Key { region: 5, number: number as u32 });
        names.push(Some("name"));
    }
    orders.label("Vec<Order>");
    keys.label("Vec<Key>");
    names.label("Vec<Option<&str>>");
    keep((orders, keys, names));
}
