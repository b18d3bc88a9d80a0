//! With jemalloc inside.
#![cfg(not(feature = "off"))]

mod inner;

use memscope_rs::Memscope;
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOC: Memscope<Jemalloc> = Memscope::new(Jemalloc);

#[test]
fn it_is_recorded_exactly_and_stays_as_cheap() {
    inner::check(true);
}
