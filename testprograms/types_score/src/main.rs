//! Says of its own blocks which types they are of (see `labels`): the program that type names are scored on. No rule is
//! made from what it shows; its style and its crates are other than those of `types_dev`.
//!
//! A small world is built, walked through and written down. What it owns is leaked, so that a test finds it at the end.
#![allow(
    dead_code,
    clippy::vec_box,
    clippy::type_complexity,
    reason = "what is held is held for its own sake"
)]

mod errands;
mod journal;
mod pieces;
mod world;

fn main() {
    let seed = std::env::args().count() as u32;
    let world = world::World::builder(seed).rooms(40).creatures(60).build();
    world.label();
    labels::keep(world);
    world::habits(seed);
    journal::write(seed);
    pieces::gather(seed);
    errands::run(seed);
    std::process::exit(0);
}
