//! Memory per task in tokio: bytes are credited to the task that allocated them, on whatever thread.

use memscope_rs::{FutureExt, Memscope, tracker};

#[global_allocator]
static ALLOC: Memscope = Memscope::system();

async fn download(parts: usize) -> Vec<Vec<u8>> {
    let mut whole = Vec::new();
    for _ in 0..parts {
        whole.push(vec![0_u8; 64 << 10]);
        tokio::task::yield_now().await;
    }
    whole
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build();
    runtime.expect("a runtime").block_on(async {
        let image = tokio::spawn(download(16).in_task("image"));
        let video = tokio::spawn(download(160).in_task("video"));
        let image = image.await.expect("an image");
        drop(video.await.expect("a video"));

        for task in &tracker!().analyze().tasks {
            println!(
                "{:6} {:9} bytes alive, {:9} at most, {} allocations",
                task.name, task.live_bytes, task.peak_bytes, task.allocations
            );
        }
        drop(image);
    });
}
