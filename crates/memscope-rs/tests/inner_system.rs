//! With the C library's allocator inside.
#![cfg(not(feature = "off"))]

mod inner;

use memscope_rs::Memscope;
use std::alloc::System;

#[global_allocator]
static ALLOC: Memscope<System> = Memscope::new(System);

#[test]
fn it_is_recorded_exactly_and_stays_as_cheap() {
    inner::check(true);
}
