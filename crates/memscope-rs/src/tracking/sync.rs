//! What the counters stand on: the real primitives, or loom's under `cfg(memscope_loom)`.
//!
//! Invariant: only what is loom's here takes part in the model, so every word that orders anything between threads
//! comes from this file. Deliberately absent: locks.

#[cfg(memscope_loom)]
pub(super) use loom::sync::atomic::AtomicU64;
#[cfg(memscope_loom)]
pub(super) use model::{OnceBox, OnceRef};
/// For what orders nothing between threads: not part of the model, and can be static there too.
pub(super) use std::sync::atomic::AtomicU64 as UnorderedU64;

#[cfg(not(memscope_loom))]
pub(super) use once_cell::race::{OnceBox, OnceRef};
#[cfg(not(memscope_loom))]
pub(super) use std::sync::atomic::AtomicU64;

/// A function that is const, except under loom, whose atomics have no const constructor.
macro_rules! const_fn {
    ($(#[$attribute:meta])* $visibility:vis fn $name:ident() -> $type:ty $body:block) => {
        #[cfg(not(memscope_loom))]
        $(#[$attribute])*
        $visibility const fn $name() -> $type $body
        #[cfg(memscope_loom)]
        $(#[$attribute])*
        $visibility fn $name() -> $type $body
    };
}
pub(super) use const_fn;

/// Thread-locals, initialized in a constant, except under loom.
macro_rules! thread_locals {
    ($(static $name:ident: $type:ty = $value:expr;)*) => {
        #[cfg(not(memscope_loom))]
        std::thread_local! { $(static $name: $type = const { $value };)* }
        #[cfg(memscope_loom)]
        loom::thread_local! { $(static $name: $type = $value;)* }
    };
}
pub(super) use thread_locals;

#[cfg(memscope_loom)]
mod model {
    //! The two cells of `once_cell::race` that are used, as loom sees them: a pointer that is set once by a
    //! compare-and-swap. The pointer is an index into what the racing threads brought along.

    use std::sync::OnceLock;

    use loom::sync::atomic::AtomicUsize;
    use loom::sync::atomic::Ordering::{AcqRel, Acquire};

    /// More threads than a model has.
    const RACERS: usize = 4;

    struct Cell<V> {
        chosen: AtomicUsize,
        brought: [OnceLock<V>; RACERS],
    }

    impl<V> Cell<V> {
        fn new() -> Self {
            Self { chosen: AtomicUsize::new(0), brought: [const { OnceLock::new() }; RACERS] }
        }

        fn get(&self) -> Option<&V> {
            let chosen = self.chosen.load(Acquire);
            if chosen == 0 { None } else { self.brought[chosen - 1].get() }
        }

        fn set(&self, value: V) -> bool {
            let mut value = Some(value);
            for (at, place) in self.brought.iter().enumerate() {
                if let Some(taken) = value.take()
                    && let Err(back) = place.set(taken)
                {
                    value = Some(back);
                    continue;
                }
                return self.chosen.compare_exchange(0, at + 1, AcqRel, Acquire).is_ok();
            }
            unreachable!("a model with more than {RACERS} racing threads")
        }
    }

    pub(in super::super) struct OnceRef<'a, T>(Cell<&'a T>);

    impl<'a, T> OnceRef<'a, T> {
        pub(in super::super) fn new() -> Self {
            Self(Cell::new())
        }

        pub(in super::super) fn get(&self) -> Option<&'a T> {
            self.0.get().copied()
        }

        pub(in super::super) fn set(&self, value: &'a T) -> Result<(), ()> {
            if self.0.set(value) { Ok(()) } else { Err(()) }
        }
    }

    pub(in super::super) struct OnceBox<T>(Cell<Box<T>>);

    impl<T> OnceBox<T> {
        pub(in super::super) fn new() -> Self {
            Self(Cell::new())
        }

        pub(in super::super) fn get(&self) -> Option<&T> {
            self.0.get().map(|value| &**value)
        }

        pub(in super::super) fn get_or_init(&self, make: impl FnOnce() -> Box<T>) -> &T {
            if self.get().is_none() {
                self.0.set(make());
            }
            self.get().expect("somebody has set it")
        }
    }
}
