//! Spans of crate tracing as tasks: a layer that makes a span the current task wherever and whenever it is entered.
//!
//! A span's task is a name under that of the span (or task) that it lies in, so spans of one name under one parent are
//! one task, as with [`task_scope`](crate::task_scope).
//!
//! Invariants: leaving a span makes current what was so without it, also if spans are left in another order than they were
//! entered; what the layer itself allocates is none of the program's.
//! Deliberately absent: fields of spans, which would make a task of each value, and events.

use crate::recording::{self, Aside};
use crate::task::ScopeKind;
use std::cell::RefCell;
use tracing_core::Subscriber;
use tracing_core::span::{Attributes, Id};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// A layer for `tracing-subscriber` that makes every span a task: what is allocated in a span is counted under its name, on
/// whatever thread, and taken off it wherever it is freed. See [`Report::tasks`](crate::Report::tasks).
///
/// What the subscriber and its other layers allocate when a span is made counts for the span around it.
///
/// Costs about 50 ns each time that a span is entered and left, and some 250 ns for each span that is made. A span that gets no
/// task (nothing is recorded, or there is no room for another) is passed over.
///
/// ```
/// use tracing_subscriber::layer::SubscriberExt;
///
/// # #[global_allocator]
/// # static ALLOC: memscope_rs::Memscope = memscope_rs::Memscope::system();
/// let subscriber = tracing_subscriber::registry().with(memscope_rs::SpanLayer);
/// let rows = tracing::subscriber::with_default(subscriber, || {
///     let _import = tracing::info_span!("import").entered();
///     vec![0_u8; 1000]
/// });
/// let report = memscope_rs::tracker!().analyze();
/// let task = report.tasks.iter().find(|task| task.name == "import").unwrap();
/// assert_eq!((task.allocations, task.live_bytes), (1, 1000));
/// # drop(rows);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct SpanLayer;

/// The task of a span, among what the registry keeps of the span.
struct SpanTask(u32);

/// A span that this thread is in, and the task that was current before it.
struct Entered {
    span: u64,
    before: u32,
}

thread_local! {
    /// The spans that this thread is in, the innermost last.
    static ENTERED: RefCell<Vec<Entered>> = const { RefCell::new(Vec::new()) };
}

/// The task of a span, 0 if it has none.
fn task_of<S: Subscriber + for<'a> LookupSpan<'a>>(id: &Id, context: &Context<'_, S>) -> u32 {
    let span = context.span(id);
    span.and_then(|span| span.extensions().get::<SpanTask>().map(|task| task.0)).unwrap_or(0)
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for SpanLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let parent = if attributes.is_contextual() {
            recording::current_task()
        } else {
            attributes.parent().map_or(0, |parent| task_of(parent, &context))
        };
        let name = attributes.metadata().name();
        let task = recording::task(parent, ScopeKind::Span as u32, name);
        if task == 0 {
            return;
        }
        recording::count_open(task, 1);
        let _aside = Aside::new();
        if let Some(span) = context.span(id) {
            span.extensions_mut().replace(SpanTask(task));
        }
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        let task = task_of(id, &context);
        if task == 0 {
            return;
        }
        // A thread that is about to end may have no list any more.
        let _ = ENTERED.try_with(|entered| {
            let mut entered = entered.borrow_mut();
            if entered.len() == entered.capacity() {
                let _aside = Aside::new();
                entered.reserve(8);
            }
            if let Some(before) = recording::switch(task) {
                entered.push(Entered { span: id.into_u64(), before });
            }
        });
    }

    fn on_exit(&self, id: &Id, _: Context<'_, S>) {
        let _ = ENTERED.try_with(|entered| {
            let mut entered = entered.borrow_mut();
            let span = id.into_u64();
            let Some(place) = entered.iter().rposition(|entered| entered.span == span) else {
                return;
            };
            let left = entered.remove(place);
            match entered.get_mut(place) {
                // One that was entered later goes on; below it is now what was below the one that is left.
                Some(inner) => inner.before = left.before,
                None => {
                    recording::switch(left.before);
                }
            }
        });
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        recording::count_open(task_of(&id, &context), -1);
    }
}
