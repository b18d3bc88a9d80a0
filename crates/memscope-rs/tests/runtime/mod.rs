//! What tests of futures need of a runtime. Deliberately absent: a runtime.

/// Lets the runtime run another future. (The runtime's own way allocates, now and then, in whatever task is current.)
pub(crate) async fn give_way() {
    let mut was_polled = false;
    std::future::poll_fn(|context| {
        context.waker().wake_by_ref();
        if std::mem::replace(&mut was_polled, true) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
}
