//! Boxes, shared pointers, trait objects, closures, blocks of one's own, and threads.

use crate::model::{Arena, Circle, Counter, Handler, Key, Node, Order, Router, Shape, Tree};
use labels::{at, counted, inside, keep, word};
use std::cell::{Cell, RefCell};
use std::hint::black_box;
use std::rc::{Rc, Weak};
use std::sync::{Arc, Mutex, RwLock};
use std::thread;

pub(crate) fn run() {
    boxes();
    trait_objects();
    closures();
    shared();
    atomic();
    own();
    threads();
}

#[inline(never)]
fn boxes() {
    let order = Box::new(Order { number: black_box(1), ..Order::default() });
    at(&*order, "Box<Order>");
    let cloned = black_box(&order).clone();
    at(&*cloned, "Box<Order>");
    let default: Box<Circle> = Box::default();
    at(&*default, "Box<Circle>");
    let maybe = black_box(true).then(|| Box::new(Key::default()));
    at(&**maybe.as_ref().expect("it is one"), "Box<Key>");
    let mut list: Option<Box<Node>> = None;
    for number in 0..black_box(6) {
        list = Some(Box::new(Node { value: [number; 5], next: list }));
    }
    let mut next = &list;
    while let Some(node) = next {
        at(&**node, "Box<Node>");
        next = &node.next;
    }
    let shape = Shape::Both(
        Box::new(Shape::Round(Circle { radius: black_box(1.0), ..Circle::default() })),
        Box::new(Shape::Both(Box::new(Shape::Dot), Box::new(Shape::Dot))),
    );
    if let Shape::Both(left, right) = &shape {
        at(&**left, "Box<Shape>");
        at(&**right, "Box<Shape>");
    }
    let tuple = Box::new((black_box(1_u8), 2_u64, "three"));
    at(&*tuple, "Box<(u8, u64, &str)>");
    let vector = Box::new(vec![black_box(1_u32)]);
    at(&*vector, "Box<Vec<u32>>");
    keep((order, cloned, default, maybe, shape, tuple, vector));
    keep(list);
}

#[inline(never)]
fn trait_objects() {
    let mut handlers: Vec<Box<dyn Handler>> = Vec::new();
    for number in 0..black_box(8) {
        if number % 2 == 0 {
            handlers.push(Box::new(Counter { step: number }));
        } else {
            handlers.push(Box::new(Router { ports: [number as u16; 20] }));
        }
    }
    at(&handlers[0], "Vec<Box<dyn Handler>>");
    let sum: u64 = handlers.iter().map(|handler| handler.handle(&Order::default())).sum();
    black_box(sum);
    for (number, handler) in handlers.iter().enumerate() {
        let expected = if number % 2 == 0 { "Box<Counter>" } else { "Box<Router>" };
        at(&**handler, expected);
    }
    let shared: Arc<dyn Handler> = Arc::new(Router { ports: [black_box(1); 20] });
    counted(&*shared, "Arc<Router>");
    let error: Box<dyn std::error::Error> =
        black_box("x").parse::<u8>().expect_err("no number").into();
    at(&*error, "Box<ParseIntError>");
    keep((handlers, shared, error));
}

#[inline(never)]
fn closures() {
    let factor = black_box([3_u64; 5]);
    let times: Box<dyn Fn(u64) -> u64> = Box::new(move |number| number * factor[1]);
    word(&times, 0, "Box<closure in closures>");
    black_box(times(2));
    let mut listeners: Vec<Box<dyn FnMut(&Order) -> bool>> = Vec::new();
    for limit in 1..black_box(5_u64) {
        let mut seen = 0;
        listeners.push(Box::new(move |order| {
            seen += order.number;
            seen > limit
        }));
    }
    for listener in &mut listeners {
        word(listener, 0, "Box<closure in closures>");
        black_box(listener(&Order::default()));
    }
    keep((times, listeners));
}

#[inline(never)]
fn shared() {
    let order = Rc::new(Order { number: black_box(1), ..Order::default() });
    counted(&*order, "Rc<Order>");
    let root = Rc::new(RefCell::new(Tree { value: black_box(1), ..Tree::default() }));
    counted(&*root, "Rc<RefCell<Tree>>");
    for value in 0..black_box(5) {
        let parent = RefCell::new(Rc::downgrade(&root));
        let child = Rc::new(RefCell::new(Tree { value, parent, children: Vec::new() }));
        counted(&*child, "Rc<RefCell<Tree>>");
        root.borrow_mut().children.push(child);
    }
    let sum: u64 = root.borrow().children.iter().map(|child| child.borrow().value).sum();
    black_box(sum);
    at(&root.borrow().children[0], "Vec<Rc<RefCell<Tree>>>");
    black_box(root.borrow().children[0].borrow().parent.borrow().upgrade().is_some());
    let cell = Rc::new(Cell::new(black_box(5_u16)));
    counted(&*cell, "Rc<Cell<u16>>");
    let slice: Rc<[u32]> = Rc::from(vec![black_box(1_u32); 9]);
    counted(&slice[0], "Rc<[u32]>");
    let cyclic = Rc::new_cyclic(|own: &Weak<RefCell<Tree>>| {
        RefCell::new(Tree { parent: RefCell::new(own.clone()), ..Tree::default() })
    });
    counted(&*cyclic, "Rc<RefCell<Tree>>");
    keep((order, root, cell, slice, cyclic));
}

#[inline(never)]
fn atomic() {
    let order = Arc::new(Order { number: black_box(2), ..Order::default() });
    counted(&*order, "Arc<Order>");
    let mutex = Arc::new(Mutex::new(vec![black_box(1_u64)]));
    counted(&*mutex, "Arc<Mutex<Vec<u64>>>");
    let lock: Arc<RwLock<Circle>> = Arc::default();
    counted(&*lock, "Arc<RwLock<Circle>>");
    let slice: Arc<[Key]> = vec![Key::default(); black_box(7)].into();
    counted(&slice[0], "Arc<[Key]>");
    let collected: Arc<[u64]> = (0..black_box(13)).collect();
    counted(&collected[0], "Arc<[u64]>");
    let boxed: Arc<Order> = Box::new(Order { number: black_box(2), ..Order::default() }).into();
    counted(&*boxed, "Arc<Order>");
    let mut changed = Arc::clone(&order);
    Arc::make_mut(&mut changed).number += 1;
    counted(&*changed, "Arc<Order>");
    keep((order, mutex, lock, slice, collected, boxed, changed));
}

/// Blocks that the program asks the allocator for.
#[inline(never)]
fn own() {
    let mut orders = Arena::new();
    for number in 0..black_box(70) {
        inside(orders.put(Order { number, ..Order::default() }), "Block<Order>");
    }
    let mut keys = Arena::new();
    for number in 0..black_box(40) {
        let place = keys.put(Key { region: 1, number });
        if number % 30 < 9 {
            inside(place, "Block<Key>");
        }
    }
    keep((orders, keys));
}

#[inline(never)]
fn threads() {
    let mut workers: Vec<_> = (0..black_box(3_u64))
        .map(|number| {
            thread::spawn(move || {
                let mut orders = Vec::new();
                for _ in 0..black_box(30) {
                    orders.push(Order { number, ..Order::default() });
                }
                at(&orders[0], "Vec<Order>");
                let boxed = Box::new(Circle { radius: number as f64, ..Circle::default() });
                at(&*boxed, "Box<Circle>");
                (orders, boxed)
            })
        })
        .collect();
    at(&workers[0], "Vec<JoinHandle<(Vec<Order>, Box<Circle>)>>");
    while let Some(worker) = workers.pop() {
        keep(worker.join().expect("a worker does not panic"));
    }
    keep(workers);
    let (sender, receiver) = std::sync::mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(move || {
            for number in 0..black_box(4) {
                sender.send(Box::new(Key { region: 7, number })).expect("somebody listens");
            }
        });
        for key in receiver {
            at(&*key, "Box<Key>");
            keep(key);
        }
    });
}
