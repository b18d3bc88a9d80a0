//! With mimalloc inside.
#![cfg(not(feature = "off"))]

mod inner;

use memscope_rs::Memscope;
use mimalloc::MiMalloc;

#[global_allocator]
static ALLOC: Memscope<MiMalloc> = Memscope::new(MiMalloc);

#[test]
fn it_is_recorded_exactly_and_stays_as_cheap() {
    // Whether it writes zeroes itself depends on how its C sources were built.
    inner::check(false);
}
