//! Building test programs, and asking for the frames of a function.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use memscope_profile::model::{Address, Frame, Module, Profile};
use memscope_profile::symbolize::{SymbolSearch, build_id, symbolize};

/// As if the dynamic linker had put the program there.
pub(crate) const BIAS: u64 = 0x5555_5555_4000;

/// An empty folder of that name.
pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("symbolize").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder for test programs");
    folder
}

/// Runs a tool in a folder; it must succeed.
pub(crate) fn run(folder: &Path, tool: &str, arguments: &[&str]) -> String {
    let output = Command::new(tool).args(arguments).current_dir(folder).output();
    let output = output.unwrap_or_else(|error| panic!("{tool} is needed for the tests: {error}"));
    assert!(
        output.status.success(),
        "{tool} {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("text")
}

/// Runs the Rust compiler in a folder.
pub(crate) fn rustc(folder: &Path, arguments: &[&str]) {
    run(folder, &std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned()), arguments);
}

/// Builds the Rust program of the tests as `demo` in a folder.
pub(crate) fn build_rust(folder: &Path, flags: &[&str]) -> PathBuf {
    fs::write(folder.join("demo.rs"), RUST).expect("a source file");
    rustc(folder, &[&["--edition=2021", "demo.rs", "-o", "demo", "-Copt-level=2"], flags].concat());
    folder.join("demo")
}

/// Builds the C program of the tests as `demo` in a folder.
pub(crate) fn build_c(folder: &Path, flags: &[&str]) -> PathBuf {
    fs::write(folder.join("demo.c"), C).expect("a source file");
    run(folder, "cc", &[&["demo.c", "-o", "demo", "-O2", "-Wl,--build-id"], flags].concat());
    folder.join("demo")
}

/// The line of a source that carries a mark.
pub(crate) fn line_of(source: &str, mark: &str) -> u32 {
    let found: Vec<_> =
        (1..).zip(source.lines()).filter(|(_, line)| line.ends_with(mark)).collect();
    assert_eq!(found.len(), 1, "one line ends in {mark}");
    found[0].0
}

pub(crate) const RUST: &str = r#"
use std::hint::black_box;
struct Order<T> { parts: Vec<T> }
impl<T: Clone> Order<T> {
    #[inline(never)]
    fn with_parts(part: &T, count: usize) -> Order<T> {
        Order { parts: black_box(vec![part.clone(); count]) }
    }
}
#[inline(always)]
fn inner(count: usize) -> Vec<u8> {
    black_box(Vec::with_capacity(count)) // mark: inner
}
#[inline(always)]
fn middle(count: usize) -> Vec<u8> {
    inner(count * 3) // mark: middle
}
#[inline(never)]
fn outer(count: usize) -> usize {
    middle(black_box(count)).capacity() // mark: outer
}
#[inline(never)]
fn call(work: &dyn Fn(usize) -> usize) -> usize {
    work(4)
}
fn main() {
    let count = std::env::args().count();
    let add = black_box(count);
    let work = move |n: usize| Vec::<u64>::with_capacity(black_box(n + add)).capacity(); // mark: closure
    println!("{}", outer(count) + call(black_box(&work)));
    println!("{}", Order::with_parts(&1u16, count).parts.len() + Order::with_parts(&String::new(), count).parts.len());
}
"#;

pub(crate) const C: &str = r#"
#include <stdlib.h>
void *volatile kept;
static inline __attribute__((always_inline)) void inner(int n) {
    kept = malloc(n); // mark: inner
}
__attribute__((noinline)) void outer(int n) {
    inner(n * 3); // mark: outer
    kept = NULL;
}
int main(int argc, char **argv) {
    outer(argc);
    return 0;
}
"#;

/// A frame with its texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) function: String,
    pub(crate) symbol: String,
    pub(crate) file: String,
    pub(crate) line: u32,
    pub(crate) inlined: bool,
}

/// The frames of each address.
pub(crate) fn named(profile: &Profile) -> Vec<Vec<Named>> {
    let text = |id: u32| profile.strings[id as usize].clone();
    let name = |frame: &Frame| Named {
        function: text(frame.function),
        symbol: text(frame.symbol),
        file: text(frame.file),
        line: frame.line,
        inlined: frame.inlined,
    };
    let all = profile.addresses.iter();
    all.map(|address| profile.frames[address.frames()].iter().map(name).collect()).collect()
}

/// Every byte of the functions whose symbol contains a text, by `nm`: in the file's own terms.
pub(crate) fn bytes_of(program: &Path, symbol: &str) -> Vec<u64> {
    let listed =
        run(Path::new("/"), "nm", &["-S", "--defined-only", program.to_str().expect("a path")]);
    let mut bytes = Vec::new();
    for line in listed.lines() {
        let fields: Vec<_> = line.split(' ').collect();
        if let [address, size, kind, name] = fields[..]
            && name.contains(symbol)
            && "tTwW".contains(kind)
        {
            let number = |text| u64::from_str_radix(text, 16).expect("a hexadecimal number");
            bytes.extend(number(address)..number(address) + number(size));
        }
    }
    assert!(!bytes.is_empty(), "{} has a function {symbol}", program.display());
    bytes
}

/// A profile in which calls ended at all these places.
pub(crate) fn profile_of(module: &Path, build_id: Vec<u8>, places: &[u64]) -> Profile {
    let path = module.to_str().expect("a path").to_owned();
    let address =
        |place: &u64| Address { address: BIAS + place + 1, module: 1, ..Address::default() };
    Profile {
        modules: vec![Module { path, build_id, bias: BIAS, ..Module::default() }],
        addresses: places.iter().map(address).collect(),
        ..Profile::default()
    }
}

/// Symbolizes places in a program whose file has not changed.
pub(crate) fn symbolized(module: &Path, places: &[u64], search: &SymbolSearch) -> Profile {
    let mut profile = profile_of(module, build_id(module).unwrap_or_default(), places);
    symbolize(&mut profile, search, &|_| {});
    check(&profile);
    profile
}

/// No debug files but those that a test makes.
pub(crate) fn search() -> SymbolSearch {
    SymbolSearch { debug_directories: Vec::new(), elsewhere: None, cache: None, threads: 2 }
}

/// What a profile promises: every number is in range.
pub(crate) fn check(profile: &Profile) {
    assert_eq!(profile.strings.first().map(String::as_str), Some(""));
    for address in &profile.addresses {
        let frames = profile.frames.get(address.frames()).expect("frames lie within the profile");
        let (last, inner) = match frames.split_last() {
            Some(split) => split,
            None => continue,
        };
        assert!(!last.inlined && inner.iter().all(|frame| frame.inlined));
    }
    for frame in &profile.frames {
        for id in [frame.function, frame.symbol, frame.file] {
            assert!((id as usize) < profile.strings.len());
        }
    }
}
