//! What the program is about: orders, and shapes of the same size as orders.

use labels::at;
use std::alloc::{Layout, alloc, handle_alloc_error};
use std::cell::RefCell;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::rc::{Rc, Weak};

/// 48 bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Order {
    pub(crate) number: u64,
    pub(crate) customer: u32,
    pub(crate) express: bool,
    pub(crate) prices: [f64; 4],
}

/// 48 bytes as well, so that code for it may be shared with that for [`Order`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Circle {
    pub(crate) center: [f64; 2],
    pub(crate) radius: f64,
    pub(crate) color: [u64; 3],
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) region: u16,
    pub(crate) number: u32,
}

#[derive(Clone, Debug)]
pub(crate) enum Shape {
    Dot,
    Round(Circle),
    Both(Box<Shape>, Box<Shape>),
}

#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) value: u64,
    pub(crate) parent: RefCell<Weak<RefCell<Tree>>>,
    pub(crate) children: Vec<Rc<RefCell<Tree>>>,
}

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) value: [u32; 5],
    pub(crate) next: Option<Box<Node>>,
}

/// Handles orders.
pub(crate) trait Handler {
    fn handle(&self, order: &Order) -> u64;
}

#[derive(Debug)]
pub(crate) struct Counter {
    pub(crate) step: u64,
}

#[derive(Debug)]
pub(crate) struct Router {
    pub(crate) ports: [u16; 20],
}

impl Handler for Counter {
    fn handle(&self, order: &Order) -> u64 {
        order.number + self.step
    }
}

impl Handler for Router {
    fn handle(&self, order: &Order) -> u64 {
        self.ports[order.customer as usize % 20].into()
    }
}

/// A generic container of the program's own on a vector.
#[derive(Debug)]
pub(crate) struct Stack<T> {
    items: Vec<T>,
}

impl<T> Stack<T> {
    pub(crate) fn new() -> Self {
        Self { items: Vec::new() }
    }

    pub(crate) fn push(&mut self, item: T) {
        self.items.push(item);
    }

    pub(crate) fn label(&self, expected: &str) {
        at(&self.items[0], expected);
    }
}

/// A block that the program asks the allocator for itself: no container of std is on the stack.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Block<T> {
    used: usize,
    next: Option<NonNull<Self>>,
    items: [Option<T>; 30],
}

/// Hands out places in blocks.
#[derive(Debug)]
pub(crate) struct Arena<T> {
    head: NonNull<Block<T>>,
    owns: PhantomData<T>,
}

impl<T> Block<T> {
    #[inline(never)]
    fn allocate() -> NonNull<Self> {
        let layout = Layout::new::<Self>();
        // SAFETY: the layout has a size.
        let place = NonNull::new(unsafe { alloc(layout) }.cast::<Self>());
        let place = place.unwrap_or_else(|| handle_alloc_error(layout));
        // SAFETY: the block is large enough and aligned.
        unsafe { place.write(Self { used: 0, next: None, items: [const { None }; 30] }) };
        place
    }
}

impl<T> Arena<T> {
    pub(crate) fn new() -> Self {
        Self { head: Block::allocate(), owns: PhantomData }
    }

    /// The place where the item is now.
    pub(crate) fn put(&mut self, item: T) -> &T {
        // SAFETY: the head is a block of ours, initialized, and nobody else has a reference to it.
        let mut block = unsafe { self.head.as_mut() };
        if block.used == block.items.len() {
            let mut new = Block::allocate();
            // SAFETY: as above.
            block = unsafe { new.as_mut() };
            block.next = Some(self.head);
            self.head = new;
        }
        let place = &mut block.items[block.used];
        block.used += 1;
        place.insert(item)
    }
}
