//! Find a leak: a cache that nobody empties, told from memory that is merely alive.

use memscope_rs::{Evidence, Memscope, track, tracker};
use std::collections::HashMap;

#[global_allocator]
static ALLOC: Memscope = Memscope::system();

#[derive(Default)]
struct Cache {
    answers: HashMap<u64, String>,
}

impl Cache {
    fn answer(&mut self, question: u64) -> &str {
        self.answers.entry(question).or_insert_with(|| format!("the answer to {question} is 42"))
    }
}

fn main() {
    let t = tracker!();
    let settings = vec!["alive all the time, and no leak"; 100];
    track!(t, settings);

    let mut cache = Cache::default();
    for hour in 0..4 {
        for request in 0..1000 {
            // Every hour brings new questions, and none is ever forgotten.
            cache.answer(hour * 1000 + request);
        }
        t.mark(&format!("hour {hour}"));
    }

    let report = t.analyze();
    for leak in &report.leaks {
        println!("{} bytes at {}\n  {}", leak.live_bytes, leak.site.place, leak.evidence);
    }
    assert!(report.leaks.iter().any(|leak| matches!(leak.evidence, Evidence::Growing { .. })));
    println!("{} bytes of settings are alive", t.stats().live_bytes);
}
