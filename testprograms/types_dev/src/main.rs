//! Says of its own blocks which types they are of (see `labels`).

fn main() {}
