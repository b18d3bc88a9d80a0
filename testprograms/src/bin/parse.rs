//! Parses Rust sources and what it made of them as JSON: a workload of others' code, with deep stacks, inlined frames
//! and growing containers.
//!
//! `parse ROUNDS THREADS FILE…`: parses every file ROUNDS times on the main thread and on each of THREADS more, with
//! syn, and makes a JSON value of what it found and a text of it and a value again. Every fifth parse on a thread ends in
//! a panic that is caught, deep in a recursion that holds blocks, and whose unwinding runs destructors that allocate.
//! Prints what was done.

use serde_json::{Map, Value};
use std::hint::black_box;
use std::panic::{catch_unwind, resume_unwind};
use std::process::ExitCode;

/// What one round over the files found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Done {
    items: usize,
    bytes_of_json: usize,
    caught: usize,
}

/// Allocates when it is dropped, so also while a panic unwinds.
struct Farewell(usize);

impl Drop for Farewell {
    fn drop(&mut self) {
        black_box(format!("farewell from depth {}", self.0));
    }
}

/// Owns a block at each depth, and panics at the last without a message.
fn descend(depth: usize) -> usize {
    let held = black_box(vec![depth; depth + 1]);
    let _farewell = Farewell(depth);
    if depth == 0 {
        resume_unwind(Box::new(held));
    }
    descend(depth - 1) + held[0]
}

/// What an item is, in JSON: its name, and those of the items in it.
fn outline(item: &syn::Item) -> Value {
    let (kind, name) = match item {
        syn::Item::Fn(function) => ("fn", function.sig.ident.to_string()),
        syn::Item::Struct(structure) => ("struct", structure.ident.to_string()),
        syn::Item::Enum(choice) => ("enum", choice.ident.to_string()),
        syn::Item::Trait(behaviour) => ("trait", behaviour.ident.to_string()),
        syn::Item::Mod(module) => {
            let items = module.content.iter().flat_map(|(_, items)| items);
            let inside = items.map(outline).collect();
            return Value::Object(Map::from_iter([(module.ident.to_string(), inside)]));
        }
        _ => ("other", String::new()),
    };
    Value::Object(Map::from_iter([(kind.to_owned(), Value::String(name))]))
}

fn parse(sources: &[String], rounds: usize) -> Done {
    let mut done = Done::default();
    for number in 0..rounds * sources.len() {
        let file = match syn::parse_file(&sources[number % sources.len()]) {
            Ok(file) => file,
            Err(error) => panic!("the sources are Rust: {error}"),
        };
        let outlines = Value::Array(file.items.iter().map(outline).collect());
        let text = outlines.to_string();
        let again: Value = text.parse().expect("it was made from a value");
        assert!(again == outlines);
        done.items += file.items.len();
        done.bytes_of_json += text.len();
        if number % 5 == 0 {
            done.caught += usize::from(catch_unwind(|| descend(number % 40)).is_err());
        }
    }
    done
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let mut number = || arguments.next().and_then(|text| text.parse::<usize>().ok());
    let (Some(rounds), Some(threads)) = (number(), number()) else {
        eprintln!("Usage: parse ROUNDS THREADS FILE...");
        return ExitCode::from(2);
    };
    let sources: Result<Vec<String>, _> = arguments.map(std::fs::read_to_string).collect();
    let sources = match sources {
        Ok(sources) => sources,
        Err(error) => {
            eprintln!("parse: a file could not be read: {error}");
            return ExitCode::from(2);
        }
    };
    let done = std::thread::scope(|scope| {
        let workers: Vec<_> =
            (0..threads).map(|_| scope.spawn(|| parse(&sources, rounds))).collect();
        let done = parse(&sources, rounds);
        for worker in workers {
            assert_eq!(worker.join().expect("panics are caught"), done);
        }
        done
    });
    let Done { items, bytes_of_json, caught } = done;
    println!("{} threads: {items} items, {bytes_of_json} bytes, {caught} caught", threads + 1);
    ExitCode::SUCCESS
}
