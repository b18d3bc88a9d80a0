//! A pair of allocation and free without the library: what the figures of `library` are to be compared with.

mod pair;

fn main() {
    println!("{} calls a sample", pair::CALLS);
    pair::print("pair, bare", pair::least_ns(pair::pair));
    pair::print("allocation alone, bare", pair::least_allocation_ns());
}
