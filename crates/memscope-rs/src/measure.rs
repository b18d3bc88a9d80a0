//! Counting in tests: what a piece of code allocates on its thread, and assertions on it that say where.
//!
//! Invariants: only the calling thread is measured, so tests may run in parallel; where nothing is recorded, or the mode is
//! not exact throughout, an assertion fails rather than passing for nothing (but for feature `off`, which is asked for).
//! Deliberately absent: what other threads do for the code that is measured.

use crate::mode::{RecordingMode, recording_mode};
use crate::recording::{self, Aside};
use crate::report::{self, Lines};
use crate::task::{Scope, ScopeKind};
use memscope_profile::model::End;
use memscope_report::text::counted;
use std::fmt::Write;

/// How many sites a failed assertion lists, and how many lines of the stack of each.
const MAX_SITES: usize = 5;
const MAX_ROWS: usize = 16;

/// The functions of this file, which ran the code.
const MEASURING: &str = "memscope_rs::measure::";

/// What a piece of code did on the thread that ran it. Made by [`measure()`] and [`measure_value`]. Bytes are those that were
/// asked for.
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
/// let measured = memscope_rs::measure(|| std::hint::black_box(String::from("seven b")));
/// assert_eq!((measured.allocations, measured.allocated_bytes, measured.frees), (1, 7, 0));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Measurement {
    /// Whether it was measured at all: a [`Memscope`](crate::Memscope) is installed, and its mode was exact from the beginning
    /// to the end. Else all numbers are 0.
    pub is_recorded: bool,
    /// Allocations; a realloc is one.
    pub allocations: u64,
    /// Bytes requested by them.
    pub allocated_bytes: u64,
    /// Frees; the old half of a realloc is one. In a process that changed its mode too every free is one, with the size that was
    /// asked for, also that of a block that was allocated while it was only sampled, counted or not recorded at all.
    pub frees: u64,
    /// Bytes that they gave back.
    pub freed_bytes: u64,
    /// Reallocs among the allocations.
    pub reallocations: u64,
    /// The most bytes by which what this thread allocated and did not free rose above where it stood at the beginning.
    pub peak_bytes: u64,
}

/// Runs `code` and says what it allocated on this thread. Its value is dropped, unmeasured.
///
/// Costs some 50 ns, and an event of the code a few nanoseconds more than else. Measurings nest. Optimized code may leave out
/// an allocation of which nothing is used, and it is not counted then; `black_box` keeps it.
///
/// Where it cannot be measured [`Measurement::is_recorded`] is false and all numbers are 0. If the mode is changed meanwhile,
/// by whatever thread, it is not known what the code did, and it is the same; so it is in a child of fork that was made
/// meanwhile. A panic of the code goes on to the caller, and ends the measuring.
///
/// ```
/// use std::hint::black_box;
///
/// # #[global_allocator]
/// # static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
/// let measured = memscope_rs::measure(|| {
///     drop(black_box(vec![0_u8; 1000]));
///     black_box(vec![0_u8; 10])
/// });
/// assert_eq!((measured.allocations, measured.frees), (2, 1));
/// assert_eq!((measured.allocated_bytes, measured.peak_bytes), (1010, 1000));
/// ```
pub fn measure<T>(code: impl FnOnce() -> T) -> Measurement {
    measure_value(code).1
}

/// As [`measure`], at the same cost, with the value of the code.
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
/// let (text, measured) = memscope_rs::measure_value(|| String::from("seven b"));
/// assert_eq!((text.len(), measured.allocated_bytes), (7, 7));
/// ```
pub fn measure_value<T>(code: impl FnOnce() -> T) -> (T, Measurement) {
    /// Ends the measuring also if the code panics.
    struct Ending(Option<recording::Measuring>);

    impl Drop for Ending {
        fn drop(&mut self) {
            if let Some(measuring) = self.0.take() {
                measuring.end();
            }
        }
    }

    let mut ending = Ending(recording::measure());
    let value = code();
    let known = ending.0.take().and_then(recording::Measuring::end);
    let measurement = known.map(|(counts, peak_bytes)| Measurement {
        is_recorded: true,
        allocations: counts.allocations,
        allocated_bytes: counts.allocated_bytes,
        frees: counts.frees,
        freed_bytes: counts.freed_bytes,
        reallocations: counts.reallocs,
        peak_bytes,
    });
    (value, measurement.unwrap_or_default())
}

/// What an assertion looks at. Made by [`assert_allocations!`](crate::assert_allocations!) and
/// [`assert_no_leaks!`](crate::assert_no_leaks!).
#[doc(hidden)]
#[derive(Debug)]
pub struct Budget {
    task: u32,
    /// What the code did.
    pub measurement: Measurement,
    /// By how much what it allocated and did not free has grown, in bytes, wherever it was freed.
    pub kept_bytes: i64,
}

impl Budget {
    /// Runs the code under the name of its place. A value that it has is dropped before it is looked at what was kept.
    pub fn of<T>(place: &str, code: impl FnOnce() -> T) -> Self {
        let scope = Scope::enter(ScopeKind::Assertion, place);
        let task = scope.id();
        let before = recording::task_live_bytes(task);
        let (value, measurement) = measure_value(code);
        drop(value);
        drop(scope);
        Self { task, measurement, kept_bytes: recording::task_live_bytes(task) - before }
    }

    /// Whether it can be judged: something is recorded, or the program was built so that nothing is.
    pub fn is_known(&self) -> bool {
        self.measurement.is_recorded || cfg!(feature = "off")
    }

    /// Why it cannot be judged, and what to do.
    pub fn unknown(&self) -> &'static str {
        match recording_mode() {
            _ if recording::is_supervised() => {
                "memscope run records this process, and not in mode exact, in which code is measured"
            }
            RecordingMode::Off => {
                "nothing is recorded: install memscope_rs::Memscope as the global allocator (or it is off)"
            }
            RecordingMode::Exact => {
                "the mode was changed while the code ran, and it is measured in mode exact only"
            }
            _ => "code is measured in mode exact only",
        }
    }

    /// That the code made another number of allocations than it should, and where.
    pub fn broken(&self, expected: &str) -> String {
        let allocations = counted(self.measurement.allocations, "allocation");
        // The compiler sets a range's tokens apart.
        let expected = expected.replace(" .. ", "..").replace(" ..= ", "..=");
        format!("{allocations}, expected {expected}{}", self.sites(false))
    }

    /// That the code kept what it should have freed, and where that was allocated.
    pub fn leaked(&self) -> String {
        let bytes = counted(self.kept_bytes.unsigned_abs(), "byte");
        let were = if self.kept_bytes == 1 { "was" } else { "were" };
        format!("{bytes} {were} not freed{}", self.sites(true))
    }

    /// Where the code allocated (`kept`: what is alive of it), in words.
    fn sites(&self, kept: bool) -> String {
        let _aside = Aside::new();
        let Some((profile, places)) = report::read_profile(End::Running) else {
            return String::new();
        };
        let lines = Lines::new(&profile, &places);
        let mut found = Vec::new();
        for line in 0..lines.len() {
            let sites = lines.sites(line).iter().map(|site| &profile.sites[*site as usize]);
            let of_task = sites.filter(|site| site.task == self.task);
            let (mut count, mut bytes) = (0, 0);
            for site in of_task {
                let counts = &site.counts;
                count += if kept { counts.live_blocks() } else { counts.allocations };
                bytes += if kept { counts.live_bytes() } else { counts.allocated_bytes };
            }
            if count > 0 {
                found.push((count, bytes, line));
            }
        }
        found.sort_by_key(|(count, ..)| std::cmp::Reverse(*count));
        let base = std::env::current_dir().unwrap_or_default();
        let base = base.to_string_lossy();
        let mut text = String::new();
        for (count, bytes, line) in found.iter().take(MAX_SITES) {
            let what = counted(*count, if kept { "block" } else { "allocation" });
            let _ = write!(text, "\n  {what}, {}", counted(*bytes, "byte"));
            let of_task = |site: &&u32| {
                profile.sites.get(**site as usize).is_some_and(|it| it.task == self.task)
            };
            let Some(&site) = lines.sites(*line).iter().find(of_task) else { continue };
            // From the program's own code outwards, to the code that was measured.
            let rows = lines.stack_lines(site, &base);
            let rows: Vec<_> = rows.iter().take_while(|row| !row.starts_with(MEASURING)).collect();
            for row in rows.iter().take(MAX_ROWS) {
                let _ = write!(text, "\n    {row}");
            }
            if rows.len() > MAX_ROWS {
                let _ = write!(text, "\n    … {} more", rows.len() - MAX_ROWS);
            }
        }
        if found.len() > MAX_SITES {
            let more = counted((found.len() - MAX_SITES) as u64, "more site");
            let _ = write!(text, "\n  … {more}");
        }
        text
    }
}

/// Asserts how many allocations a piece of code makes on its thread: a number or a range, as in a pattern.
///
/// Costs a few hundred nanoseconds beside the code; a failure reads the recording, which costs as
/// [`Tracker::analyze`](crate::Tracker::analyze).
///
/// # Panics
/// If the number is another; the message says where the allocations were made, with their stacks. And where the code could not
/// be measured (see [`Measurement::is_recorded`](crate::Measurement)), for then nothing is shown. With feature `off` it runs the
/// code and never fails.
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
/// use memscope_rs::assert_allocations;
///
/// assert_allocations!(0, { 1 + 1 });
/// assert_allocations!(..=2, { vec![0_u8; 100] });
/// assert_allocations!(1 | 2, { vec![0_u8; 100] });
///
/// let broken = std::panic::catch_unwind(|| assert_allocations!(0, { vec![0_u8; 100] }));
/// let message = broken.unwrap_err().downcast::<String>().unwrap();
/// assert!(message.starts_with("1 allocation, expected 0\n  1 allocation, 100 bytes\n"), "{message}");
/// ```
#[macro_export]
macro_rules! assert_allocations {
    (..= $most:literal, $code:expr $(,)?) => {
        $crate::assert_allocations!(0..=$most, $code)
    };
    ($expected:pat, $code:expr $(,)?) => {{
        let place = ::core::concat!(::core::file!(), ":", ::core::line!());
        let budget = $crate::Budget::of(place, || $code);
        if !budget.is_known() {
            ::core::panic!("{}", budget.unknown());
        }
        if $crate::Budget::is_recorded(&budget)
            && !::core::matches!(budget.measurement.allocations, $expected)
        {
            ::core::panic!("{}", budget.broken(::core::stringify!($expected)));
        }
    }};
}

/// Asserts that all that a piece of code allocates on its thread is freed, on whatever thread, when it is over and its
/// value is dropped.
///
/// Costs as [`assert_allocations!`](crate::assert_allocations!).
///
/// # Panics
/// If some of it is alive; the message says where that was allocated, with the stacks. And where the code could not be measured,
/// as [`assert_allocations!`](crate::assert_allocations!).
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
/// use memscope_rs::assert_no_leaks;
///
/// assert_no_leaks!({
///     let words: Vec<String> = "a b c".split(' ').map(str::to_owned).collect();
///     words.len()
/// });
///
/// let broken = std::panic::catch_unwind(|| assert_no_leaks!(std::mem::forget(vec![0_u8; 100])));
/// let message = broken.unwrap_err().downcast::<String>().unwrap();
/// assert!(message.starts_with("100 bytes were not freed\n  1 block, 100 bytes\n"), "{message}");
/// ```
#[macro_export]
macro_rules! assert_no_leaks {
    ($code:expr $(,)?) => {{
        let place = ::core::concat!(::core::file!(), ":", ::core::line!());
        let budget = $crate::Budget::of(place, || $code);
        if !budget.is_known() {
            ::core::panic!("{}", budget.unknown());
        }
        if budget.kept_bytes > 0 {
            ::core::panic!("{}", budget.leaked());
        }
    }};
}

impl Budget {
    /// Whether the code was measured.
    pub fn is_recorded(&self) -> bool {
        self.measurement.is_recorded
    }
}
