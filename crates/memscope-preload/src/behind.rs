//! Calling the functions behind ours.
//!
//! Invariants: the type stands beside the call, because the functions are looked up by name. Deliberately absent: the
//! four functions that every event needs, which [`crate::host`] calls in a quicker way.

/// Calls the function that a [`Next`](crate::host::Next) stands for, of the type that is wanted; the last expression is
/// the result if there is no such function.
macro_rules! behind {
    ($next:expr, fn($($type:ty),* $(,)?) -> $result:ty, ($($argument:expr),*), $missing:expr) => {{
        let next: &$crate::host::Next = &$next;
        let function = next.get();
        if function.is_null() {
            $missing
        } else {
            // SAFETY: a function of this name has this type.
            unsafe {
                core::mem::transmute::<*mut core::ffi::c_void, unsafe extern "C" fn($($type),*) -> $result>(function)(
                    $($argument),*
                )
            }
        }
    }};
}
pub(crate) use behind;
