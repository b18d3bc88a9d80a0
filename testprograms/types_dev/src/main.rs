//! Says of its own blocks which types they are of (see `labels`): the program that the rules of type names are developed
//! on. Scores on it are scores on what was seen; `types_score` is the one that counts.
//!
//! Each module allocates in the ways that its name says, labels the blocks and keeps them. Sizes come through
//! `black_box`, so that no optimization knows them.
#![allow(
    dead_code,
    clippy::vec_box,
    clippy::box_collection,
    clippy::redundant_allocation,
    clippy::linkedlist,
    clippy::reserve_after_initialization,
    clippy::type_complexity,
    reason = "programs do what they should not, and their heap is to be explained as well"
)]

mod elsewhere;
mod maps;
mod model;
mod pointers;
mod sequences;
mod tasks;
mod texts;

fn main() {
    sequences::run();
    texts::run();
    maps::run();
    pointers::run();
    elsewhere::run();
    tasks::run();
    // Nothing is dropped: what was labelled is alive when the test looks.
    std::process::exit(0);
}
