//! With snmalloc inside.
#![cfg(not(feature = "off"))]

mod inner;

use memscope_rs::Memscope;
use snmalloc_rs::SnMalloc;

#[global_allocator]
static ALLOC: Memscope<SnMalloc> = Memscope::new(SnMalloc);

#[test]
fn it_is_recorded_exactly_and_stays_as_cheap() {
    // Whether it writes zeroes itself depends on how its C sources were built.
    inner::check(false);
}
