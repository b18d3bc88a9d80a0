//! `track!` says what to do.

struct Foreign;

fn main() {
    let t = memscope_rs::tracker!();
    let foreign = Foreign;
    memscope_rs::track!(t, foreign);
}
