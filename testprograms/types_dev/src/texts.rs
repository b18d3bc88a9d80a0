//! Strings of all kinds: copied, formatted, grown, joined, changed, boxed and shared.

use labels::{at, counted, keep};
use std::borrow::Cow;
use std::ffi::{CString, OsString};
use std::fmt::Write;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

pub(crate) fn run() {
    strings();
    changed();
    shared();
    of_the_system();
}

fn string(text: String) {
    at(&text.as_bytes()[0], "String");
    keep(text);
}

#[inline(never)]
fn strings() {
    let name = black_box("a customer's name");
    string(String::from(name));
    string(name.to_owned());
    string(name.to_string());
    string(name.into());
    string(format!("{name} of order {}", black_box(17)));
    string(black_box(12_345_678_u64).to_string());
    string(black_box(1.25_f64).to_string());
    let mut grown = String::new();
    for _ in 0..black_box(100) {
        grown.push('x');
    }
    string(grown);
    let mut written = String::with_capacity(black_box(5));
    for number in 0..black_box(40) {
        write!(written, "{number},").expect("a string takes all");
    }
    string(written);
    let mut appended = String::new();
    appended.push_str(name);
    appended += " and more";
    string(appended);
    string(black_box(&String::from(name)).clone());
    let names: Vec<String> = name.split(' ').map(str::to_owned).collect();
    at(&names[0], "Vec<String>");
    for name in &names {
        at(&name.as_bytes()[0], "String");
    }
    keep(names);
}

#[inline(never)]
fn changed() {
    let name = black_box("Another Customer");
    string(name.to_uppercase());
    string(name.to_lowercase());
    string(name.replace('u', "oo"));
    string(name.repeat(black_box(4)));
    string(name.chars().rev().collect());
    string(["one", name, "three"].concat());
    string([name, "two"].join(", "));
    string([name.to_owned(), name.to_owned()].join("/"));
    string(name.to_ascii_lowercase());
    string(String::from_utf8_lossy(black_box(b"broken \xff text")).into_owned());
    let cow: Cow<'_, str> = Cow::Borrowed(name);
    string(cow.into_owned());
    let bytes = name.as_bytes().to_vec();
    at(&bytes[0], "Vec<u8>");
    keep(bytes);
}

#[inline(never)]
fn shared() {
    let name = black_box("a name that many have");
    let boxed: Box<str> = name.into();
    at(&boxed.as_bytes()[0], "Box<str>");
    let single: Rc<str> = name.into();
    counted(&single.as_bytes()[0], "Rc<str>");
    let atomic: Arc<str> = Arc::from(name);
    counted(&atomic.as_bytes()[0], "Arc<str>");
    let again: Arc<str> = String::from(name).into();
    counted(&again.as_bytes()[0], "Arc<str>");
    let in_arc = Arc::new(String::from(name));
    counted(&*in_arc, "Arc<String>");
    at(&in_arc.as_bytes()[0], "String");
    keep((boxed, single, atomic, again, in_arc));
}

#[inline(never)]
fn of_the_system() {
    let path = Path::new(black_box("/usr/share")).join("doc").join("README");
    at(&path.as_os_str().as_encoded_bytes()[0], "PathBuf");
    let mut pushed = PathBuf::new();
    for part in ["usr", "local", "share", "a folder with a long name"] {
        pushed.push(black_box(part));
    }
    at(&pushed.as_os_str().as_encoded_bytes()[0], "PathBuf");
    let system = OsString::from(black_box("an argument"));
    at(&system.as_encoded_bytes()[0], "OsString || String");
    let c = CString::new(black_box("for the C library")).expect("no zero is in it");
    at(&c.as_bytes()[0], "CString || Vec<u8> || Box<[u8]>");
    keep((path, pushed, system, c));
}
