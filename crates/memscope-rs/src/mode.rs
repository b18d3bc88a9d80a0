//! What is recorded, and changing it while the program runs.
//!
//! Invariants: whatever the mode is, the free of a block that was recorded is seen; what was not recorded, and since when, is
//! told by [`CaptureStats`](crate::CaptureStats) and by every report.
//! Deliberately absent: choosing at the start, which is [`Memscope`](crate::Memscope)'s.

use crate::error::Error;
use crate::recording::{self, Aside};
use crate::session;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// What the process records of itself.
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
/// use memscope_rs::{RecordingMode, switch_to};
///
/// # fn main() -> Result<(), memscope_rs::Error> {
/// switch_to(RecordingMode::Off)?; // a part that is not of interest
/// let unseen = vec![0_u8; 1000];
/// switch_to(RecordingMode::Exact)?;
/// assert!(memscope_rs::tracker!().analyze().sites.iter().all(|site| site.counts.live_bytes() < 1000));
/// # drop(unseen);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum RecordingMode {
    /// Every allocation with its full stack: about 20 ns for an allocation and its free.
    Exact,
    /// One allocation in so many bytes with its full stack, and estimates of the others: about a nanosecond for an allocation
    /// and its free. See [`Memscope::sampled`](crate::Memscope::sampled).
    Sampled,
    /// Sums by thread and for the process, and the peak: about a nanosecond for each event. No stacks.
    Counting,
    /// Nothing new. Frees of what was recorded are still seen.
    Off,
}

impl fmt::Display for RecordingMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exact => "exact",
            Self::Sampled => "sampled",
            Self::Counting => "counting",
            Self::Off => "off",
        })
    }
}

/// Changes what is recorded from now on, in all threads. A few microseconds.
///
/// What was recorded stays, and so does the way to it: a block that was recorded is found when it is freed, in whatever
/// mode that is. What is allocated while nothing is recorded is unknown for good; when it is freed later, that is one of
/// the [`unknown_frees`](crate::CaptureStats::unknown_frees) (or lowers the live bytes, if it is freed while counting).
/// [`CaptureStats::eras`](crate::CaptureStats::eras) says which mode was when.
///
/// After the first change an event costs some nanoseconds more than in a process that began in its mode. Whatever mode that was,
/// in mode exact all is as in a process that is always exact: values can be named ([`track!`](crate::track!)), and code is
/// measured ([`measure`](crate::measure)). A value keeps its name in the other modes, and can be given one, if its block was
/// allocated in mode exact; that the block is freed is always seen. Where a realloc moves it while another mode is on, it is
/// freed, and what it becomes goes by that mode.
///
/// # Errors
/// If no [`Memscope`](crate::Memscope) is installed, or no region can be made; and under `memscope run`, which chooses the
/// mode itself.
///
/// ```
/// use memscope_rs::{Memscope, RecordingMode, recording_mode, switch_to, tracker};
///
/// #[global_allocator]
/// static ALLOC: Memscope = Memscope::system().counting();
///
/// # fn main() -> Result<(), memscope_rs::Error> {
/// switch_to(RecordingMode::Exact)?; // something is odd: let us see where it comes from
/// let suspect = vec![0_u8; 1000];
/// switch_to(RecordingMode::Counting)?;
/// drop(suspect); // seen all the same
/// assert_eq!(recording_mode(), RecordingMode::Counting);
/// println!("{}", tracker!().tracking_stats());
/// # Ok(())
/// # }
/// ```
pub fn switch_to(mode: RecordingMode) -> Result<(), Error> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _aside = Aside::new();
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    recording::switch_mode(mode).map_err(|(message, hint)| {
        Error::new(format!("The mode cannot be changed to {mode}: {message}."), hint)
    })?;
    // If the recording begins only now.
    session::keep_when_killed();
    Ok(())
}

/// What is recorded now; [`RecordingMode::Off`] also where no allocator is installed. (Under `memscope run` the command
/// chooses, and this knows nothing of it.) A load.
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
/// use memscope_rs::{RecordingMode, recording_mode};
///
/// drop(std::hint::black_box(vec![1_u8])); // recording begins with the first allocation
/// assert_eq!(recording_mode(), RecordingMode::Exact);
/// ```
pub fn recording_mode() -> RecordingMode {
    recording::mode()
}
