//! Errands that wait: tasks on several threads, boxed futures, messages.

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use labels::{at, inside, keep, word};
use std::collections::HashMap;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, RwLock, oneshot};

#[derive(Debug, Default)]
struct Parcel {
    content: [u64; 12],
}

struct Office {
    parcels: RwLock<HashMap<u32, Parcel>>,
    bell: Notify,
}

impl Office {
    async fn serve(self: Arc<Self>, ready: oneshot::Sender<()>, number: u32) {
        let counter = [number; 40];
        inside(&counter, "task: async fn serve");
        let bench: Vec<Parcel> = (0..=number).map(|_| Parcel::default()).collect();
        at(&bench[0], "Vec<Parcel>");
        ready.send(()).expect("somebody waits");
        self.bell.notified().await;
        keep((counter, bench));
    }
}

fn fetch(number: u32) -> BoxFuture<'static, [u32; 16]> {
    async move {
        let held = [number; 16];
        tokio::task::yield_now().await;
        held
    }
    .boxed()
}

#[inline(never)]
pub(crate) fn run(seed: u32) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build();
    let runtime = runtime.expect("a runtime can be had");
    runtime.block_on(day(seed));
    keep(runtime);
}

async fn day(seed: u32) {
    let parcels = RwLock::new(HashMap::new());
    let office = Arc::new(Office { parcels, bell: Notify::new() });
    for number in 0..8 * seed {
        let (ready, is_ready) = oneshot::channel();
        keep(tokio::spawn(office.clone().serve(ready, number)));
        is_ready.await.expect("it gets ready");
        office.parcels.write().await.insert(number, Parcel::default());
    }
    let parcels = office.parcels.read().await;
    inside(parcels.keys().next().expect("there are parcels"), "HashMap<u32, Parcel> table");
    drop(parcels);
    let waiting: Vec<BoxFuture<'static, [u32; 16]>> = (0..5 * seed).map(fetch).collect();
    at(
        &waiting[0],
        "Vec<Pin<Box<dyn Future<Output=[u32; 16]> + Send>>> || Vec<Pin<Box<(dyn Future<Output=[u32; 16]> + Send)>>>",
    );
    for one in &waiting {
        word(one, 0, "Box<async block in fetch>");
    }
    keep(waiting);
    let fetched = join_all((0..6 * seed).map(fetch)).await;
    at(&fetched[0], "Vec<[u32; 16]>");
    let (said, heard) = oneshot::channel();
    keep(tokio::spawn(async move {
        let letters = [seed; 30];
        inside(&letters, "task: async block in day");
        said.send(()).expect("somebody listens");
        pending::<()>().await;
        keep(letters);
    }));
    heard.await.expect("it speaks");
    keep(tokio::time::timeout(Duration::from_millis(1), pending::<()>()).await);
    keep((office, fetched));
}
