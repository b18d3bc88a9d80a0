//! Futures: boxed, spawned, waiting for ever, holding what is labelled.

use crate::model::{Key, Order};
use labels::{at, counted, inside, keep, word};
use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;
use std::sync::Arc;
use tokio::runtime::Builder;
use tokio::sync::{Mutex, Notify, mpsc};
use tokio::task::{LocalSet, spawn_local, yield_now};

pub(crate) fn run() {
    boxed();
    let runtime =
        Builder::new_current_thread().enable_time().build().expect("a runtime can be had");
    runtime.block_on(spawned());
    let set = LocalSet::new();
    set.block_on(&runtime, local());
    keep((runtime, set));
}

/// Waits for ever, with a buffer of its own.
async fn worker(wake: Arc<Notify>, number: u8) {
    let buffer = black_box([number; 100]);
    inside(&buffer, "task: async fn worker");
    let mut orders = Vec::new();
    for number in 0..black_box(12) {
        orders.push(Order { number, ..Order::default() });
    }
    at(&orders[0], "Vec<Order>");
    wake.notified().await;
    black_box((&buffer, orders));
}

async fn answer(number: u64) -> u64 {
    let held = black_box([number; 9]);
    yield_now().await;
    held[3]
}

#[inline(never)]
fn boxed() {
    let future: Pin<Box<dyn Future<Output = u64>>> = Box::pin(answer(black_box(4)));
    word(&future, 0, "Box<async fn answer>");
    let mut many: Vec<Pin<Box<dyn Future<Output = u64> + Send>>> = Vec::new();
    for number in 0..black_box(5) {
        many.push(Box::pin(async move { number + answer(number).await }));
    }
    for one in &many {
        word(one, 0, "Box<async block in boxed>");
    }
    keep((future, many));
}

async fn spawned() {
    let wake = Arc::new(Notify::new());
    counted(&*wake, "Arc<Notify>");
    for number in 0..black_box(6) {
        keep(tokio::spawn(worker(wake.clone(), number)));
    }
    for number in 0..black_box(4_u32) {
        let wake = wake.clone();
        keep(tokio::spawn(async move {
            let keys = black_box([Key { region: 3, number }; 10]);
            inside(&keys, "task: async block in spawned");
            wake.notified().await;
            black_box(keys);
        }));
    }
    let state = Arc::new(Mutex::new(Key::default()));
    counted(&*state, "Arc<Mutex<Key>>");
    let (sender, mut receiver) = mpsc::unbounded_channel();
    for number in 0..black_box(3) {
        sender.send(Box::new(Order { number, ..Order::default() })).expect("somebody listens");
        let order = receiver.recv().await.expect("it was sent");
        at(&*order, "Box<Order>");
        keep(order);
    }
    yield_now().await;
    keep((wake, state, sender, receiver));
}

async fn local() {
    let wake = Arc::new(Notify::new());
    for number in 0..black_box(3) {
        keep(spawn_local(worker(wake.clone(), number)));
    }
    yield_now().await;
    yield_now().await;
    keep(wake);
}
