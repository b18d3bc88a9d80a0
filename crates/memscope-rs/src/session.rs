//! A guard that keeps what was recorded when the program is over: at the return of `main`, in a panic, at `process::exit`,
//! and when it is killed.
//!
//! Invariants: a report is written once, to a temporary name that is then renamed; a failure to write is said on stderr and
//! changes nothing else.
//! Deliberately absent: signal handlers. What becomes of a process that is killed or aborts is a matter of
//! `memscope_capture::keeper`, unless its region has a file already (see [`crate::Memscope::in_file`]) or `memscope run`
//! holds it.

use crate::allocator;
use crate::error::Error;
use crate::recording::{self, Aside};
use crate::report::Report;
use crate::tracker::{Tracker, global_tracker};
use std::ffi::CString;
use std::fs;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::panic;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once, PoisonError};

/// The session that is under way: where its profile goes.
static UNDER_WAY: Mutex<Option<PathBuf>> = Mutex::new(None);

/// Keeps what was recorded when it is dropped, or at the exit of the process if that comes first. Made by [`start`].
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
/// # std::env::set_current_dir(std::env::temp_dir()).unwrap();
/// let memscope = memscope_rs::start();
/// // …
/// drop(memscope); // writes memscope.PID.memscope, and the leaks to stderr
/// # std::fs::remove_file(format!("memscope.{}.memscope", std::process::id())).unwrap();
/// ```
#[derive(Debug)]
#[must_use = "the report is written when this is dropped"]
pub struct Session {
    tracker: Option<Tracker>,
}

/// Sees to it that when the guard is dropped (at return and in a panic), or the process exits, the profile is written to
/// `memscope.PID.memscope` in the working directory, and the leaks to stderr. `memscope report` shows the profile.
///
/// With `panic = "abort"` it is written when a panic begins, in whatever thread. When the process is killed, by any signal, aborts
/// or ends by `_exit`, the recording is put into the same file moments later, and `memscope report` reads it as well. A child
/// process, `memscope-keeper`, waits for that: `wait` does not tell of it, and it holds neither files nor memory of the
/// program's (0.4 MB). Its start costs what a fork does, 0.2 ms for a small program and 15 ms per GB. There is none
/// under Linux before 5.3, and where a filter of system calls might forbid a fork, which is said on stderr; and it ends with the
/// program where a container or a control group is killed as a whole.
/// [`Memscope::in_file`](crate::Memscope::in_file) puts the recording into a file from the start, without such a child.
///
/// Costs some microseconds now, as [`Tracker::analyze`] at the end, and nothing in between. It cannot fail now; at the end, a
/// profile that cannot be written is told of on stderr, and changes nothing else.
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
/// # struct Away;
/// # impl Drop for Away {
/// #     fn drop(&mut self) {
/// #         std::fs::remove_file(format!("memscope.{}.memscope", std::process::id())).unwrap();
/// #     }
/// # }
/// fn main() {
/// #   std::env::set_current_dir(std::env::temp_dir()).unwrap();
/// #   let _away = Away;
///     let _memscope = memscope_rs::start();
///     // …
/// }
/// ```
pub fn start() -> Session {
    Session::start(format!("memscope.{}.memscope", std::process::id()).into())
}

impl Session {
    /// As [`start`](crate::start), with another path for the profile. A relative path is taken from the working directory of
    /// this moment.
    ///
    /// ```
    /// # #[global_allocator]
    /// # static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
    /// use memscope_rs::{Session, memscope_profile::file};
    ///
    /// let path = std::env::temp_dir().join(format!("server-{}.memscope", std::process::id()));
    /// let memscope = Session::start(path.clone());
    /// let kept = vec![0_u8; 1000];
    /// drop(memscope);
    /// assert!(file::load(&path)?.totals.live_bytes >= 1000);
    /// # std::fs::remove_file(path)?;
    /// # drop(kept);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn start(path: PathBuf) -> Self {
        let _aside = Aside::new();
        let path = std::path::absolute(&path).unwrap_or(path);
        *under_way() = Some(path);
        allocator::at_exit(finish_at_exit);
        let session = Self { tracker: global_tracker().ok() };
        keep_when_killed();
        if cfg!(panic = "abort") { session.keep_at_panic() } else { session }
    }

    /// Writes the report already when a panic begins, in whatever thread, and also if it will be caught. [`Session::start`]
    /// does so by itself where this crate was built with `panic = "abort"`, as cargo does it for a whole program. It is part of
    /// the panic hook, after what was there; costs nothing until a panic, and then as [`Tracker::analyze`].
    ///
    /// ```
    /// # #[global_allocator]
    /// # static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
    /// use memscope_rs::Session;
    ///
    /// let path = std::env::temp_dir().join(format!("caught-{}.memscope", std::process::id()));
    /// let memscope = Session::start(path.clone()).keep_at_panic();
    /// let _ = std::panic::catch_unwind(|| panic!("caught"));
    /// assert!(path.exists()); // already
    /// # drop(memscope);
    /// # std::fs::remove_file(path).unwrap();
    /// ```
    pub fn keep_at_panic(self) -> Self {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let before = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                before(info);
                finish(Tracker::analyze_in_panic);
            }));
        });
        self
    }

    /// The tracker of the process, [`global_tracker`](crate::global_tracker). At present there always is one. A field.
    ///
    /// ```
    /// # #[global_allocator]
    /// # static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
    /// # std::env::set_current_dir(std::env::temp_dir()).unwrap();
    /// let memscope = memscope_rs::start();
    /// let kept = vec![0_u8; 1000];
    /// assert!(memscope.tracker().unwrap().heap().live_bytes >= 1000);
    /// # drop((memscope, kept));
    /// # std::fs::remove_file(format!("memscope.{}.memscope", std::process::id())).unwrap();
    /// ```
    pub fn tracker(&self) -> Option<&Tracker> {
        self.tracker.as_ref()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        finish(Tracker::analyze_at_end);
    }
}

fn under_way() -> std::sync::MutexGuard<'static, Option<PathBuf>> {
    UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sees to it that the recording of the session under way stays, if there is both.
pub(crate) fn keep_when_killed() {
    let session = under_way();
    let Some(path) = session.as_ref() else { return };
    let kept = CString::new(path.as_os_str().as_bytes()).map_err(io::Error::from);
    if let Err(error) = kept.and_then(|path| recording::keep_in(&path, may_fork)) {
        let path = path.display();
        let hint = "Memscope::in_file puts the recording into a file from the start.";
        let text = format!(
            "memscope: if this process is killed, nothing will be kept in {path}: {error}\n{hint}\n"
        );
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }
}

/// Whether no filter of system calls can forbid a fork, which may be fatal: there is none, or it is that of the parent, which
/// has forked under it.
fn may_fork() -> bool {
    let filters = |process: &str| {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        let lines = status.lines().filter(|line| line.starts_with("Seccomp"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let own = filters("self");
    own.iter().any(|line| line == "Seccomp:\t0")
        // Linux 5.9 tells their number.
        || own.len() > 1 && own == filters(&std::os::unix::process::parent_id().to_string())
}

extern "C" fn finish_at_exit() {
    finish(Tracker::analyze_at_end);
}

/// Writes the report of the session under way, if none has yet.
fn finish(analyze: impl Fn(&Tracker) -> Report) {
    let _aside = Aside::new();
    let Some(path) = under_way().take() else { return };
    let Ok(tracker) = global_tracker() else { return };
    let report = analyze(&tracker);
    let mut text = String::new();
    let _ = report.write_summary(&mut text);
    if report.heap.is_recorded {
        match keep(&report, &path) {
            Ok(()) => {
                recording::renounce();
                text.push_str(&format!("Kept in {}\n", path.display()));
                if let Some(region) = allocator::region_path() {
                    let _ = fs::remove_file(region);
                }
            }
            Err(error) => text.push_str(&format!("{error}\n{}\n", error.hint())),
        }
    }
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Writes the profile, which only its owner may read then.
fn keep(report: &Report, path: &Path) -> Result<(), Error> {
    memscope_profile::file::save(report.profile(), path).map_err(|error| {
        Error::new(format!("the profile {error}"), "Session::start takes another path.")
    })
}
