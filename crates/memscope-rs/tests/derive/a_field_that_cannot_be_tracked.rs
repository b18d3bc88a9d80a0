//! The error stands at the field's type.

struct Foreign;

#[derive(memscope_rs::Trackable)]
struct Holder {
    name: String,
    foreign: Foreign,
}

fn main() {}
