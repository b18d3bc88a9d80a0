//! Samples the region's totals while the program runs, for the timeline.
//!
//! Invariants: at most a hundredth of one processor's time goes into it, so a large region is sampled less often; the
//! last sample is taken after the program's end; a region that cannot be read leaves a timeline without those
//! samples, never an error. Deliberately absent: precision in time. What counts is what was alive, not the exact
//! moment.

use crate::tick::elapsed_ns;
use memscope_profile::region::{Region, SiteTotals};
use memscope_profile::timeline::Recorder;
use std::fs::File;
use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Time between two samples of a small region, in milliseconds.
const INTERVAL_MS: u64 = 100;

/// A sample is followed by a pause of so many times its own duration.
const PAUSES_PER_SAMPLE: u32 = 99;

/// Takes samples in a thread of its own until it is finished or dropped.
#[derive(Debug)]
pub(crate) struct Sampler {
    /// Dropped to end the thread; meanwhile it can be asked for what it has.
    running: Sender<Sender<Recorder>>,
    thread: JoinHandle<Recorder>,
}

impl Sampler {
    /// Begins to sample a region that began at `start_ns` of the monotonic clock.
    pub(crate) fn start(region: File, start_ns: u64) -> io::Result<Self> {
        let (running, ended) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("sampler".to_owned())
            .spawn(move || sample(region, start_ns, &ended))?;
        Ok(Self { running, thread })
    }

    /// A way to ask for the samples so far. Keep it for a short time only: the thread goes on until it is dropped.
    pub(crate) fn asker(&self) -> Asker {
        Asker(self.running.clone())
    }

    /// Takes the last sample, and gives them all.
    pub(crate) fn finish(self) -> Recorder {
        drop(self.running);
        self.thread.join().unwrap_or_else(|_| Recorder::new(INTERVAL_MS))
    }
}

/// A way to ask a sampler for what it has.
#[derive(Debug)]
pub(crate) struct Asker(Sender<Sender<Recorder>>);

impl Asker {
    /// The samples so far; `None` if there is nobody to ask any more.
    pub(crate) fn samples(self) -> Option<Recorder> {
        let (give, take) = mpsc::channel();
        self.0.send(give).ok()?;
        take.recv().ok()
    }
}

fn sample(region: File, start_ns: u64, ended: &Receiver<Sender<Recorder>>) -> Recorder {
    let mut recorder = Recorder::new(INTERVAL_MS);
    let Ok(region) = Region::open(region) else { return recorder };
    let mut totals = SiteTotals::default();
    let mut is_last = false;
    loop {
        let begun = Instant::now();
        if region.site_totals(&mut totals).is_ok() {
            recorder.record(elapsed_ns(start_ns) / 1_000_000, &totals);
        }
        if is_last {
            return recorder;
        }
        let interval = Duration::from_millis(recorder.interval_ms());
        let pause = interval.max(begun.elapsed() * PAUSES_PER_SAMPLE);
        match ended.recv_timeout(pause) {
            Ok(asker) => {
                // Whoever asked may have gone.
                let _ = asker.send(recorder.clone());
            }
            Err(error) => is_last = error == RecvTimeoutError::Disconnected,
        }
    }
}
