//! Texts: lines, words, numbers, JSON, errors.

use labels::{at, counted, inside, keep, nodes};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::rc::Rc;

#[derive(Debug)]
struct Lost {
    place: String,
    days: [u32; 6],
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "lost in {} for {} days", self.place, self.days[0])
    }
}

impl Error for Lost {}

fn find(place: &str, seed: u32) -> Result<u32, Box<dyn Error>> {
    let days: u32 = place.trim().parse().or_else(|_| {
        if seed > 0 { Err(Lost { place: place.to_owned(), days: [seed; 6] }) } else { Ok(0) }
    })?;
    Ok(days)
}

fn text(string: String) {
    at(&string.as_bytes()[0], "String");
    keep(string);
}

pub(crate) fn write(seed: u32) {
    lines(seed);
    values(seed);
}

#[inline(never)]
fn lines(seed: u32) {
    let page = "the door is shut\nthe key is gone\nnobody answers\n".repeat(seed as usize);
    let lines: Vec<&str> = page.lines().collect();
    at(&lines[0], "Vec<&str>");
    let words: Vec<Vec<String>> =
        lines.iter().map(|line| line.split_whitespace().map(String::from).collect()).collect();
    at(&words[0], "Vec<Vec<String>>");
    for line in &words {
        at(&line[0], "Vec<String>");
        for word in line {
            at(&word.as_bytes()[0], "String");
        }
        text(line.join(" "));
        text(line.concat());
    }
    let counts = words.iter().flatten().fold(HashMap::<&str, u8>::new(), |mut counts, word| {
        *counts.entry(word).or_insert(0) += 1;
        counts
    });
    inside(counts.keys().next().expect("there are words"), "HashMap<&str, u8> table");
    text(words.iter().flatten().map(|word| word.to_uppercase()).collect::<String>());
    text(page.chars().filter(|letter| letter.is_alphabetic()).collect());
    text(Cow::from(&*page).into_owned());
    text(page.trim_end().replace("door", "window"));
    text((seed * 12_345).to_string());
    text(
        String::from_utf8(page.as_bytes()[4..8].iter().rev().copied().collect())
            .unwrap_or_default()
            + "!",
    );
    let rc: Rc<str> = Rc::from(&*page);
    counted(&rc.as_bytes()[0], "Rc<str>");
    let raw = page.clone().into_bytes();
    at(&raw[0], "Vec<u8> || String");
    let utf16: Vec<u16> = page.encode_utf16().collect();
    at(&utf16[0], "Vec<u16>");
    let letters: Box<[char]> = page.chars().collect();
    at(&letters[0], "Box<[char]> || Vec<char>");
    for place in ["the woods", "the moor"] {
        let error = find(place, seed).expect_err("there is no way");
        at(&*error, "Box<Lost>");
        if let Some(lost) = error.downcast_ref::<Lost>() {
            at(&lost.place.as_bytes()[0], "String");
        }
        keep(error);
    }
    keep((counts, rc, raw, utf16, letters));
    keep((lines, words));
    keep(page);
}

fn label_value(value: &Value) {
    match value {
        Value::String(string) => at(&string.as_bytes()[0], "String"),
        Value::Array(items) => {
            at(&items[0], "Vec<Value>");
            items.iter().for_each(label_value);
        }
        Value::Object(map) => label_map(map),
        _ => {}
    }
}

fn label_map(map: &Map<String, Value>) {
    nodes(map.keys(), "BTreeMap<String, Value> node");
    for (key, value) in map {
        at(&key.as_bytes()[0], "String");
        label_value(value);
    }
}

#[inline(never)]
fn values(seed: u32) {
    let source = r#"{"rooms": [{"name": "hall", "exits": [1, 2, 3]}, {"name": "cellar", "exits": [0]}],
        "notes": ["dark", "wet", "the \"old\" one"], "depth": 3.5, "owner": {"name": "nobody", "alive": false}}"#;
    let parsed: Value = serde_json::from_str(source).expect("it is JSON");
    label_value(&parsed);
    let mut made = json!({"seed": seed, "list": [1, 2, {"deep": ["a", "b"]}], "name": "made"});
    if let Some(list) = made["list"].as_array_mut() {
        list.extend((0..10).map(|number| json!({ "number": number })));
    }
    label_value(&made);
    let written = serde_json::to_string(&parsed).expect("it can be written");
    at(&written.as_bytes()[0], "String || Vec<u8>");
    let bytes = serde_json::to_vec(&made).expect("it can be written");
    at(&bytes[0], "Vec<u8>");
    keep((parsed, made, written, bytes));
}
