//! A union has no blocks that anybody could know.

#[derive(memscope_rs::Trackable)]
union Either {
    number: u64,
    text: std::mem::ManuallyDrop<String>,
}

fn main() {}
