//! Tasks and scopes: names for what a thread is doing, under which its allocations are counted.
//!
//! What is current on a thread is a path of names, the innermost last; each allocation belongs to the path that was
//! current when it was made, and is taken off it by whoever frees it. Tasks of one name under one parent are one, so there
//! are as many as the program has names for them, however often they run.
//!
//! Invariants: leaving restores what was current before, also in unwinding, also out of order; what allocates in a task
//! costs no more than outside.
//! Deliberately absent: asynchronous tasks' own bookkeeping. [`InTask`] sets the task at every poll, and that is all.

use crate::recording;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

/// What a name stands for. The numbers are those of the recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScopeKind {
    Task = 1,
    Scope = 2,
    /// A span of crate tracing.
    #[cfg(feature = "tracing")]
    Span = 3,
    /// Made by the assertions on allocations.
    Assertion = 4,
}

/// A task or scope that is current on this thread until it is dropped. Made by [`task_scope`] and
/// [`Tracker::scope`](crate::Tracker::scope), which say what it costs. It stays on the thread where it was made.
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
/// let outer = memscope_rs::task_scope("outer");
/// let inner = memscope_rs::task_scope("inner"); // outer/inner is current
/// let in_inner = vec![0_u8; 100];
/// drop(inner); // outer is
/// let in_outer = vec![0_u8; 10];
/// drop(outer);
/// let tasks = memscope_rs::tracker!().analyze().tasks;
/// let of = |path| tasks.iter().find(|task| task.path == path).map(|task| task.live_bytes);
/// assert_eq!((of("outer"), of("outer/inner")), (Some(10), Some(100)));
/// # drop((in_inner, in_outer));
/// ```
#[derive(Debug)]
#[must_use = "it is over when this is dropped"]
pub struct Scope {
    task: u32,
    before: Option<u32>,
    _thread: PhantomData<*const ()>,
}

impl Scope {
    pub(crate) fn id(&self) -> u32 {
        self.task
    }

    pub(crate) fn enter(kind: ScopeKind, name: &str) -> Self {
        let task = recording::task(recording::current_task(), kind as u32, name);
        recording::count_open(task, 1);
        let before = if task == 0 { None } else { recording::switch(task) };
        Self { task, before, _thread: PhantomData }
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        recording::count_open(self.task, -1);
        if let Some(before) = self.before {
            recording::switch(before);
        }
    }
}

/// Names what this thread does until the guard is dropped. Nests: inside, the name is one under that of the task that
/// was current, and dropping makes that one current again.
///
/// Entering and leaving cost 60 to 160 ns together, and an allocation inside no more than one outside. Each name under a parent
/// takes a row of the recording for good, so names should be few: `request`, not `request 17`. It cannot fail: where nothing is
/// recorded, or there is no room for another name, what is allocated inside counts for the task around it.
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
/// let outer = memscope_rs::task_scope("import");
/// let rows = vec![0_u8; 1000];
/// {
///     let _inner = memscope_rs::task_scope("parse");
///     drop(std::hint::black_box(vec![0_u8; 500]));
/// }
/// drop(outer);
/// let report = memscope_rs::tracker!().analyze();
/// let task = report.tasks.iter().find(|task| task.name == "import").unwrap();
/// assert_eq!((task.allocations, task.live_bytes, task.children.len()), (1, 1000, 1));
/// # drop(rows);
/// ```
pub fn task_scope(name: &str) -> Scope {
    Scope::enter(ScopeKind::Task, name)
}

/// Names what a future does, wherever it is polled. Every future has it.
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
/// use memscope_rs::FutureExt;
///
/// async fn download() -> Vec<u8> {
///     vec![0; 64 << 10]
/// }
///
/// let runtime = tokio::runtime::Builder::new_multi_thread().build()?;
/// let image = runtime.block_on(async { tokio::spawn(download().in_task("image")).await })?;
/// let tasks = memscope_rs::tracker!().analyze().tasks;
/// assert_eq!((tasks[0].name.as_str(), tasks[0].live_bytes), ("image", 64 << 10));
/// # drop(image);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait FutureExt: Future + Sized {
    /// The same future, with this task current whenever it is polled: a name under the task that is current now. What it
    /// allocates is credited to the task on whatever thread, and taken off wherever it is freed.
    ///
    /// Costs 30 to 130 ns here and a few nanoseconds at each poll; the future becomes larger by a number of 4 bytes. It fails as
    /// little as [`task_scope`].
    ///
    /// ```
    /// # #[global_allocator]
    /// # static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
    /// use memscope_rs::FutureExt;
    /// use std::task::{Context, Poll, Waker};
    ///
    /// let mut named = Box::pin(async { vec![0_u8; 1000] }.in_task("image")); // or awaited, or spawned
    /// let rows = match named.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
    ///     Poll::Ready(rows) => rows,
    ///     Poll::Pending => unreachable!("it waits for nothing"),
    /// };
    /// assert_eq!(memscope_rs::tracker!().analyze().tasks[0].live_bytes, 1000);
    /// # drop(rows);
    /// ```
    fn in_task(self, name: &str) -> InTask<Self> {
        let task = recording::task(recording::current_task(), ScopeKind::Task as u32, name);
        InTask { task, future: self }
    }
}

impl<F: Future> FutureExt for F {}

pin_project_lite::pin_project! {
    /// A future in a task. Made by [`FutureExt::in_task`], which says what it costs. Its output is the future's.
    ///
    /// ```
    /// use memscope_rs::{FutureExt, InTask};
    /// use std::future::{Ready, ready};
    ///
    /// struct Job {
    ///     body: InTask<Ready<u8>>, // a type that can be named
    /// }
    ///
    /// let job = Job { body: ready(7).in_task("ready") };
    /// let runtime = tokio::runtime::Builder::new_multi_thread().build()?;
    /// assert_eq!(runtime.block_on(job.body), 7);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are polled"]
    pub struct InTask<F> {
        task: u32,
        #[pin]
        future: F,
    }
}

/// What was current before a poll, made current again when it is over, however it ends.
struct Restore(Option<u32>);

impl Drop for Restore {
    fn drop(&mut self) {
        if let Some(before) = self.0 {
            recording::switch(before);
        }
    }
}

impl<F: Future> Future for InTask<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let me = self.project();
        let task = *me.task;
        let _restore = Restore(if task == 0 { None } else { recording::switch(task) });
        me.future.poll(context)
    }
}
