//! `memscope`: the command.
#![forbid(unsafe_code)]

mod preload;

fn main() {
    println!("{} bytes of preload library", preload::LIBRARY.len());
}
