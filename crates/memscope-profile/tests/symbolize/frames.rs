//! Names, files, lines and inlined functions.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use memscope_profile::model::{Address, Module, Profile, Symbols};
use memscope_profile::symbolize::{
    KnownSymbols, Progress, SymbolSearch, build_id, symbolize, symbolize_again,
};

use crate::support::{
    BIAS, C, Named, RUST, build_c, build_rust, bytes_of, check, folder, line_of, named, profile_of,
    run, rustc, search, symbolized,
};

#[inline(never)]
fn a_function_of_this_test(number: u64) -> u64 {
    std::hint::black_box(number) + 1
}
const ITS_LINE: u32 = line!() - 3;

#[test]
fn the_test_finds_itself() {
    let path = std::env::current_exe().unwrap();
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let own = maps.lines().find(|line| line.ends_with(path.to_str().unwrap())).unwrap();
    let bias = u64::from_str_radix(own.split('-').next().unwrap(), 16).unwrap();
    assert_eq!(a_function_of_this_test(1), 2);

    let address = a_function_of_this_test as fn(u64) -> u64 as usize as u64;
    let mut profile = Profile {
        modules: vec![Module {
            path: path.to_str().unwrap().to_owned(),
            build_id: build_id(&path).unwrap_or_default(),
            bias,
            ..Module::default()
        }],
        addresses: vec![Address { address, module: 1, is_instruction: true, ..Address::default() }],
        ..Profile::default()
    };
    symbolize(&mut profile, &SymbolSearch::default(), &|_| {});
    let frames = named(&profile).remove(0);
    let frame = frames.last().unwrap();
    assert!(frame.function.ends_with("::frames::a_function_of_this_test"), "{frame:?}");
    assert!(frame.file.ends_with(file!()), "{} ends in {}", frame.file, file!());
    // Without optimization the first instruction belongs to the line of `fn`, with it to the body.
    assert!((ITS_LINE..ITS_LINE + 2).contains(&frame.line), "{} is {ITS_LINE}", frame.line);
    assert_eq!(profile.modules[0].symbols, Symbols::DebugInfo);
    assert_eq!(profile.warnings, []);
}

/// The chain `outer` <- `middle` <- `inner` with the lines that the source marks.
fn assert_inlined_chain(all: &[Vec<Named>], names: &[&str], source: &str) {
    let expected: Vec<_> = names
        .iter()
        .map(|name| {
            let mark = name.rsplit("::").next().unwrap();
            (name.to_string(), line_of(source, &format!("// mark: {mark}")))
        })
        .collect();
    let is_chain = |frames: &Vec<Named>| {
        // What the standard library has inlined into the innermost does not matter here.
        let Some(start) = frames.iter().position(|frame| frame.function == expected[0].0) else {
            return false;
        };
        let chain: Vec<_> =
            frames[start..].iter().map(|frame| (frame.function.clone(), frame.line)).collect();
        chain == expected
    };
    assert!(
        all.iter().any(is_chain),
        "no place has the frames {expected:?}, but there are {all:#?}"
    );
}

#[test]
fn inlined_functions_stand_before_those_they_are_inlined_into() {
    // What the hint in the warning about missing debug information asks for is enough.
    let program = build_rust(&folder("inlined"), &["-Cdebuginfo=limited"]);
    let profile = symbolized(&program, &bytes_of(&program, "4demo5outer"), &search());
    let all = named(&profile);
    assert_inlined_chain(&all, &["demo::inner", "demo::middle", "demo::outer"], RUST);
    for frames in &all {
        let outermost = frames.last().unwrap();
        assert_eq!((&*outermost.function, outermost.inlined), ("demo::outer", false));
        assert!(outermost.symbol.starts_with("_ZN4demo5outer17h"), "{}", outermost.symbol);
        assert!(outermost.file.ends_with("/inlined/demo.rs"), "{}", outermost.file);
    }
    assert_eq!(
        (profile.modules[0].symbols, &*profile.modules[0].debug_path),
        (Symbols::DebugInfo, "")
    );
}

#[test]
fn line_tables_alone_give_the_same_chain() {
    // They keep no paths of functions; the symbol table gives that of the outermost.
    let program = build_rust(&folder("line-tables"), &["-Cdebuginfo=line-tables-only"]);
    let profile = symbolized(&program, &bytes_of(&program, "4demo5outer"), &search());
    assert_inlined_chain(&named(&profile), &["inner", "middle", "demo::outer"], RUST);
    let generic = symbolized(&program, &bytes_of(&program, "with_parts"), &search());
    assert_eq!(outermost_functions(&generic), WITH_PARTS_LEGACY);
}

/// The distinct outermost functions.
fn outermost_functions(profile: &Profile) -> Vec<String> {
    let all = named(profile);
    let mut functions: Vec<_> =
        all.iter().filter_map(|frames| Some(frames.last()?.function.clone())).collect();
    functions.sort();
    functions.dedup();
    functions
}

const WITH_PARTS_LEGACY: [&str; 2] =
    ["demo::Order<T>::with_parts::<alloc::string::String>", "demo::Order<T>::with_parts::<u16>"];
const WITH_PARTS_V0: [&str; 2] =
    ["<demo::Order<alloc::string::String>>::with_parts", "<demo::Order<u16>>::with_parts"];

#[test]
fn generics_are_whole_in_both_manglings() {
    // The compiler's default is the legacy mangling.
    for (flag, expected) in
        [("-g", WITH_PARTS_LEGACY), ("-Csymbol-mangling-version=v0", WITH_PARTS_V0)]
    {
        let program = build_rust(&folder("generics"), &["-g", flag]);
        let profile = symbolized(&program, &bytes_of(&program, "with_parts"), &search());
        assert_eq!(outermost_functions(&profile), expected);
    }
}

#[test]
fn closures_keep_the_names_that_the_compiler_gave_them() {
    let program = build_rust(&folder("closure"), &["-g"]);
    let profile = symbolized(&program, &bytes_of(&program, "closure"), &search());
    let line = line_of(RUST, "// mark: closure");
    let all = named(&profile);
    let found = all.iter().flatten().find(|frame| frame.line == line).unwrap();
    assert_eq!(found.function, "demo::main::{closure#0}");
}

#[test]
fn link_time_optimization_loses_no_names() {
    // Then an inlined function is described in the unit of its own crate, and its callers' units refer to it there.
    let folder = folder("lto");
    let library = "use std::hint::black_box;\n\
        pub fn work(n: usize) -> usize { let f = |x: usize| black_box(vec![x; n]).len(); f(black_box(n)) }\n";
    fs::write(folder.join("library.rs"), library).unwrap();
    let flags = ["--edition=2021", "-Copt-level=2", "-g"];
    rustc(&folder, &[&flags[..], &["--crate-type=rlib", "library.rs"]].concat());
    let program = "fn main() { println!(\"{}\", library::work(std::env::args().count())); }";
    fs::write(folder.join("demo.rs"), program).unwrap();
    rustc(
        &folder,
        &[&flags[..], &["-Clto=fat", "--extern=library=liblibrary.rlib", "demo.rs"]].concat(),
    );
    let program = folder.join("demo");
    let all = named(&symbolized(&program, &bytes_of(&program, "4demo4main"), &search()));
    let inlined: Vec<_> = all.iter().flatten().filter(|frame| frame.inlined).collect();
    for name in ["library::work", "library::work::{closure#0}"] {
        assert!(inlined.iter().any(|frame| frame.function == name), "{name} in {inlined:#?}");
    }
}

#[test]
fn functions_of_c_have_their_own_names() {
    let program = build_c(&folder("c"), &["-g"]);
    let profile = symbolized(&program, &bytes_of(&program, "outer"), &search());
    let all = named(&profile);
    assert_inlined_chain(&all, &["inner", "outer"], C);
    assert!(all.iter().flatten().all(|frame| frame.symbol.is_empty()), "C names are not mangled");
}

#[test]
fn templates_of_cpp_are_whole() {
    let folder = folder("cpp");
    let source = "#include <vector>\n#include <map>\n#include <string>\n\
        namespace shop { template <class K, class V> struct Store {\n\
        __attribute__((noinline)) void put(K key, V value) { all[key].push_back(value); }\n\
        std::map<K, std::vector<V>> all; }; }\n\
        int main(int n, char **) { shop::Store<int, double> s; s.put(n, 1.0); return s.all.size(); }\n";
    fs::write(folder.join("demo.cc"), source).unwrap();
    run(&folder, "c++", &["demo.cc", "-o", "demo", "-g", "-O1"]);
    let program = folder.join("demo");
    let all = named(&symbolized(&program, &bytes_of(&program, "_ZN4shop"), &search()));
    for frames in &all {
        let outermost = frames.last().unwrap();
        assert_eq!(outermost.function, "shop::Store<int, double>::put(int, double)");
        assert!(outermost.file.ends_with("/cpp/demo.cc"));
    }
    let inlined: Vec<_> = all.iter().flatten().filter(|frame| frame.inlined).collect();
    assert!(
        inlined
            .iter()
            .any(|frame| frame.function.contains("std::vector<double, std::allocator<double>"))
    );
}

#[test]
fn a_return_address_is_looked_up_in_the_call_before_it() {
    let program = build_c(&folder("return"), &["-g"]);
    let places = bytes_of(&program, "outer");
    let (first, end) = (places[0], places[places.len() - 1] + 1);
    let address = |address, is_instruction| Address {
        address: BIAS + address,
        module: 1,
        is_instruction,
        ..Address::default()
    };
    // One past the last instruction belongs to `outer` as a return address; its first instruction does so as itself.
    let mut profile = Profile {
        modules: vec![Module {
            path: program.to_str().unwrap().to_owned(),
            bias: BIAS,
            ..Module::default()
        }],
        addresses: vec![
            address(end, false),
            address(first, true),
            address(end, true),
            address(first, false),
        ],
        ..Profile::default()
    };
    symbolize(&mut profile, &search(), &|_| {});
    let names: Vec<_> = named(&profile)
        .iter()
        .map(|frames| frames.last().map(|frame| frame.function.clone()))
        .collect();
    assert_eq!(names[..2], [Some("outer".to_owned()), Some("outer".to_owned())]);
    assert!(names[2..].iter().all(|name| name.as_deref() != Some("outer")), "{names:?}");
}

#[test]
fn the_number_of_threads_does_not_show_in_the_result() {
    let program = build_rust(&folder("threads"), &["-g"]);
    let places: Vec<u64> = bytes_of(&program, "").into_iter().step_by(16).collect();
    assert!(places.len() > 8_000, "enough to be split");
    let seen = std::sync::Mutex::new(Vec::new());
    let profiles = [1, 4].map(|threads| {
        let mut profile = profile_of(&program, build_id(&program).unwrap_or_default(), &places);
        let note = |progress: Progress| seen.lock().unwrap().push(progress);
        symbolize(&mut profile, &SymbolSearch { threads, ..search() }, &note);
        check(&profile);
        profile
    });
    assert_eq!(named(&profiles[0]), named(&profiles[1]));
    let seen = seen.into_inner().unwrap();
    assert!(
        seen.iter()
            .all(|progress| progress.total == places.len() && progress.done <= progress.total)
    );
    assert_eq!(seen.iter().filter(|progress| progress.done == progress.total).count(), 2);
}

#[test]
fn what_has_frames_already_is_left_alone() {
    let program = build_c(&folder("again"), &["-g"]);
    let mut profile = symbolized(&program, &bytes_of(&program, "outer"), &search());
    let before = profile.clone();
    fs::remove_file(&program).unwrap();
    symbolize(&mut profile, &search(), &|_| panic!("there is nothing to do"));
    assert_eq!(profile, before);
}

#[test]
fn modules_without_a_file_are_no_news() {
    for path in
        ["linux-vdso.so.1", "[vdso]", "", "/memfd:code (deleted)", "/no/such/file (deleted)"]
    {
        let mut profile = profile_of(Path::new(path), Vec::new(), &[1, 2]);
        symbolize(&mut profile, &search(), &|_| {});
        assert_eq!(
            (profile.modules[0].symbols, profile.warnings),
            (Symbols::Missing, vec![]),
            "{path}"
        );
    }
}

#[test]
fn a_relative_path_is_followed_if_the_build_id_proves_it_and_else_told() {
    let program = build_c(&folder("relative"), &["-g"]);
    let places = bytes_of(&program, "outer");
    // As many steps up as there are folders lead to the root, from wherever the test runs.
    let depth = std::env::current_dir().unwrap().components().count() - 1;
    let relative = "../".repeat(depth) + program.strip_prefix("/").unwrap().to_str().unwrap();
    let own_id = build_id(&program).unwrap();
    for (path, build_id, symbols) in [
        (relative.as_str(), own_id, Symbols::DebugInfo),
        (relative.as_str(), vec![1, 2, 3], Symbols::Unreadable),
        (relative.as_str(), Vec::new(), Symbols::Unreadable),
        ("./no-such-library.so", Vec::new(), Symbols::Unreadable),
    ] {
        let mut profile = profile_of(Path::new(path), build_id, &places);
        symbolize(&mut profile, &search(), &|_| {});
        assert_eq!(profile.modules[0].symbols, symbols, "{path}");
        let told = profile.warnings.iter().any(|warning| {
            warning.message.starts_with(&format!("{path} was not found"))
                && !warning.hint.is_empty()
        });
        assert_eq!(told, symbols == Symbols::Unreadable, "{:?}", profile.warnings);
    }
}

#[test]
fn numbers_out_of_range_are_no_harm() {
    let program = build_c(&folder("range"), &["-g"]);
    let mut profile = profile_of(&program, Vec::new(), &[0, u64::MAX - BIAS - 1, 1 << 62]);
    profile.addresses.push(Address { address: 0, module: 1, ..Address::default() });
    profile.addresses.push(Address { address: 1, module: 77, ..Address::default() });
    profile.addresses.push(Address { address: 1, module: 0, ..Address::default() });
    symbolize(&mut profile, &search(), &|_| {});
    assert!(named(&profile).iter().all(Vec::is_empty));
}

#[test]
fn a_later_look_asks_for_what_is_new_only() {
    let program = build_rust(&folder("again"), &["-g"]);
    let places: Vec<u64> =
        ["outer", "with_parts", "main"].iter().flat_map(|name| bytes_of(&program, name)).collect();
    let id = build_id(&program).unwrap_or_default();
    let whole = symbolized(&program, &places, &search());
    let mut known = KnownSymbols::default();
    let mut look = |id: &[u8], n: usize| {
        let mut profile = profile_of(&program, id.to_vec(), &places[..n]);
        let asked = AtomicUsize::new(0);
        let note = |progress: Progress| asked.store(progress.total, Ordering::Relaxed);
        symbolize_again(&mut profile, &mut known, &search(), &note);
        check(&profile);
        (profile, asked.into_inner())
    };
    let half = places.len() / 2;
    assert_eq!(look(&id, half).1, half);
    let (again, asked) = look(&id, places.len());
    assert_eq!(asked, places.len() - half);
    assert_eq!(named(&again), named(&whole));
    assert_eq!((&again.modules, &again.warnings), (&whole.modules, &whole.warnings));
    let (same, asked) = look(&id, places.len());
    assert_eq!((named(&same), asked, same.modules), (named(&whole), 0, whole.modules));
    // Another object, and a process that has less: nothing is taken over.
    let (other, asked) = look(&[7; 20], places.len());
    assert_eq!((other.modules[0].symbols, asked), (Symbols::Replaced, places.len()));
    assert_eq!(look(&[7; 20], 3).1, 3);
}
