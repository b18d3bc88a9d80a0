//! A JSON text of 20,000 objects, 2 MB, becomes a `serde_json::Value` and is dropped.

use serde_json::Value;
use std::fmt::Write;
use std::hint::black_box;

const OBJECTS: u32 = 20_000;

/// Parses the text `rounds` times.
pub(crate) fn run(rounds: u64) {
    let text = text();
    for _ in 0..rounds {
        let value: Result<Value, _> = serde_json::from_str(&text);
        assert!(black_box(value).is_ok(), "the text is JSON");
    }
}

fn text() -> String {
    let mut text = String::from("[");
    for id in 0..OBJECTS {
        let comma = if id == 0 { "" } else { "," };
        let (tag, x) = (id % 7, id * 3);
        let _ = write!(
            text,
            r#"{comma}{{"id":{id},"name":"user {id}","tags":["a","bb","c{tag}"],"nested":{{"x":{x},"y":[1,2,3.5,null,true]}}}}"#
        );
    }
    text.push(']');
    text
}
