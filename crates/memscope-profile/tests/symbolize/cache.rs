//! What is remembered of builds changes how long it takes, and nothing else.
//!
//! Whether something was remembered shows when a program is stripped in its place: its build id stays, and its debug
//! information is only in the cache.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use memscope_profile::model::{Profile, Symbols};
use memscope_profile::symbolize::{NameCache, SymbolSearch, build_id, symbolize};

use crate::support::{
    Named, build_c, build_rust, bytes_of, check, folder, named, profile_of, run, search, symbolized,
};

/// A search that remembers in a folder.
fn remembering(folder: &Path) -> SymbolSearch {
    SymbolSearch { cache: Some(NameCache::new(folder.to_owned())), ..search() }
}

/// The frames, and what is said of the module.
fn seen(profile: &Profile) -> (Vec<Vec<Named>>, Symbols, String, usize) {
    let module = &profile.modules[0];
    (named(profile), module.symbols, module.debug_path.clone(), profile.warnings.len())
}

fn strip(program: &Path) {
    run(Path::new("/"), "objcopy", &["--strip-debug", program.to_str().unwrap()]);
}

/// Names of files in a folder; none if it is not there.
fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The one file in a folder.
fn only_file(folder: &Path) -> PathBuf {
    let files = files(folder);
    assert_eq!(files.len(), 1, "{files:?}");
    folder.join(&files[0])
}

#[test]
fn a_second_look_needs_no_debug_information() {
    let folder = folder("cache-second");
    let program = build_rust(&folder, &["-g"]);
    let places: Vec<u64> = bytes_of(&program, "").into_iter().step_by(64).collect();
    let plain = symbolized(&program, &places, &search());
    let cache = remembering(&folder.join("cache"));
    let first = symbolized(&program, &places, &cache);
    assert_eq!(seen(&first), seen(&plain));
    let hex: String =
        build_id(&program).unwrap().iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(files(&folder.join("cache"))[0].starts_with(&hex));

    strip(&program);
    let told = std::sync::Mutex::new(0);
    let mut second = profile_of(&program, build_id(&program).unwrap(), &places);
    symbolize(&mut second, &cache, &|progress| *told.lock().unwrap() = progress.done);
    check(&second);
    assert_eq!(seen(&second), seen(&plain));
    assert_eq!(*told.lock().unwrap(), places.len());
    assert_ne!(seen(&symbolized(&program, &places, &search())), seen(&plain));
}

#[test]
fn a_part_is_remembered_and_the_rest_is_looked_up() {
    let folder = folder("cache-part");
    let program = build_rust(&folder, &["-g"]);
    let places: Vec<u64> = bytes_of(&program, "").into_iter().step_by(64).collect();
    let cache = remembering(&folder.join("cache"));
    let every = |step: usize, first: usize| -> Vec<u64> {
        places.iter().copied().skip(first).step_by(step).collect()
    };
    symbolized(&program, &every(3, 0), &cache);
    symbolized(&program, &every(3, 1), &cache);
    let whole = symbolized(&program, &places, &cache);
    assert_eq!(seen(&whole), seen(&symbolized(&program, &places, &search())));
    // All three are remembered together.
    strip(&program);
    assert_eq!(seen(&symbolized(&program, &places, &cache)), seen(&whole));
}

#[test]
fn what_is_damaged_counts_as_absent_and_is_written_anew() {
    let folder = folder("cache-damage");
    let program = build_c(&folder, &["-g"]);
    let stripped = folder.join("stripped");
    fs::copy(&program, &stripped).unwrap();
    strip(&stripped);
    let places = bytes_of(&program, "outer");
    let plain = seen(&symbolized(&program, &places, &search()));
    let kept = folder.join("cache");
    let cache = remembering(&kept);
    symbolized(&program, &places, &cache);
    let path = only_file(&kept);
    let good = fs::read(&path).unwrap();
    let other = build_c(&crate::support::folder("cache-damage-other"), &["-g", "-O0"]);
    let elsewhere = folder.join("elsewhere");
    symbolized(&other, &bytes_of(&other, "outer"), &remembering(&elsewhere));
    let others = fs::read(only_file(&elsewhere)).unwrap();

    let flipped = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 0x20;
        bytes
    };
    let mut all = vec![Vec::new(), b"names".to_vec(), others, [&good[..], b"x"].concat()];
    all.extend((0..good.len()).step_by(23).map(flipped));
    all.extend((0..good.len()).step_by(41).map(|length| good[..length].to_vec()));
    for bytes in all {
        fs::write(&path, &bytes).unwrap();
        // It is not used, and no hindrance.
        assert_ne!(seen(&symbolized(&stripped, &places, &cache)), plain);
        assert_eq!(seen(&symbolized(&program, &places, &cache)), plain);
        // It is whole again.
        assert_eq!(seen(&symbolized(&stripped, &places, &cache)), plain);
        assert_eq!(fs::read(&path).unwrap(), good);
    }
    // What is no file at all.
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_eq!(seen(&symbolized(&program, &places, &cache)), plain);
}

#[test]
fn a_folder_that_cannot_be_written_changes_nothing() {
    let folder = folder("cache-unwritable");
    let program = build_c(&folder, &["-g"]);
    let places = bytes_of(&program, "outer");
    let plain = seen(&symbolized(&program, &places, &search()));
    fs::write(folder.join("file"), "").unwrap();
    for place in
        [folder.join("file/below"), PathBuf::from("/proc/none"), PathBuf::from("/dev/null")]
    {
        assert_eq!(seen(&symbolized(&program, &places, &remembering(&place))), plain);
        assert_eq!(seen(&symbolized(&program, &places, &remembering(&place))), plain);
    }
}

#[test]
fn only_what_can_be_told_apart_and_is_whole_is_remembered() {
    let folder = folder("cache-not");
    let kept = folder.join("cache");
    let cache = remembering(&kept);
    let look = |program: &Path| symbolized(program, &bytes_of(program, "outer"), &cache);

    look(&build_c(&folder, &["-g", "-Wl,--build-id=none"]));
    assert_eq!(files(&kept), [""; 0]);
    // The bytes of the id are somebody's choice.
    look(&build_c(&folder, &["-g", "-Wl,--build-id=0x1234"]));
    assert_eq!(files(&kept), [""; 0]);
    // Debug information may be installed later.
    look(&build_c(&folder, &["-g0"]));
    assert_eq!(files(&kept), [""; 0]);
    // So may the larger part of it.
    let split = build_c(&folder, &["-gsplit-dwarf"]);
    for entry in fs::read_dir(&folder).unwrap().flatten() {
        if entry.path().extension().is_some_and(|ending| ending == "dwo") {
            fs::remove_file(entry.path()).unwrap();
        }
    }
    look(&split);
    assert_eq!(files(&kept), [""; 0]);
    look(&build_c(&folder, &["-g"]));
    assert_eq!(files(&kept).len(), 1);
}

#[test]
fn a_file_that_was_replaced_is_said_to_be_in_spite_of_what_is_remembered() {
    let folder = folder("cache-replaced");
    let program = build_c(&folder, &["-g"]);
    let (places, id) = (bytes_of(&program, "outer"), build_id(&program).unwrap());
    let cache = remembering(&folder.join("cache"));
    symbolized(&program, &places, &cache);
    build_c(&folder, &["-g", "-O0"]);
    let mut profile = profile_of(&program, id, &places);
    symbolize(&mut profile, &cache, &|_| {});
    assert_eq!((profile.modules[0].symbols, profile.warnings.len()), (Symbols::Replaced, 1));
}

#[test]
fn the_folder_stays_within_its_bound_and_keeps_what_was_used_last() {
    let folder = folder("cache-bound");
    let kept = folder.join("cache");
    let programs: Vec<(PathBuf, Vec<u64>)> = ["-O0", "-O1", "-O2", "-O3"]
        .iter()
        .map(|level| {
            let folder = crate::support::folder(&format!("cache-bound{level}"));
            let program = build_c(&folder, &["-g", level]);
            let places = bytes_of(&program, "outer");
            (program, places)
        })
        .collect();
    let look = |number: usize, max_bytes: u64| {
        let cache = Some(NameCache { folder: kept.clone(), max_bytes });
        let (program, places) = &programs[number];
        symbolized(program, places, &SymbolSearch { cache, ..search() });
    };
    (0..3).for_each(|number| look(number, 1 << 20));
    let names: Vec<String> = programs
        .iter()
        .map(|(program, _)| {
            build_id(program).unwrap().iter().map(|byte| format!("{byte:02x}")).collect()
        })
        .collect();
    let path = |number: usize| {
        let found = files(&kept).into_iter().find(|file| file.starts_with(&names[number]));
        found.map(|name| kept.join(name))
    };
    // As if an hour lay between them, the first used last, after it a fourth.
    for (number, hours) in [(0, 4), (1, 6), (2, 5)] {
        let used = SystemTime::now() - Duration::from_secs(hours * 3600);
        File::open(path(number).unwrap()).unwrap().set_modified(used).unwrap();
    }
    look(0, 1 << 20);
    let left_behind = kept.join(".1-1.names");
    fs::write(&left_behind, "").unwrap();
    let used = SystemTime::now() - Duration::from_secs(2 * 3600);
    File::open(&left_behind).unwrap().set_modified(used).unwrap();
    fs::write(kept.join("note.txt"), [0; 5000]).unwrap();
    let bytes: u64 = (0..3).map(|number| fs::metadata(path(number).unwrap()).unwrap().len()).sum();
    look(3, bytes);
    let there = [0, 1, 2, 3].map(|number| path(number).is_some());
    assert_eq!(there, [true, false, true, true]);
    // What somebody else put there is not ours to remove; what a writer left behind is.
    assert!(kept.join("note.txt").exists() && !left_behind.exists());
    // What is larger than the whole is not kept.
    fs::remove_dir_all(&kept).unwrap();
    look(0, 10);
    assert_eq!(files(&kept), [""; 0]);
}

#[test]
fn runs_at_the_same_time_do_not_meet() {
    let folder = folder("cache-together");
    let program = build_rust(&folder, &["-g"]);
    let all: Vec<u64> = bytes_of(&program, "").into_iter().step_by(64).collect();
    let kept = folder.join("cache");
    let cache = remembering(&kept);
    std::thread::scope(|scope| {
        for number in 0..8 {
            let (all, program, cache) = (&all, &program, &cache);
            scope.spawn(move || {
                let places: Vec<u64> = all.iter().copied().skip(number % 3).step_by(3).collect();
                let expected = named(&symbolized(program, &places, &search()));
                for _ in 0..4 {
                    assert_eq!(named(&symbolized(program, &places, cache)), expected);
                }
            });
        }
    });
    // Whole, and nothing beside it.
    let path = only_file(&kept);
    assert!(path.extension().is_some_and(|ending| ending == "names"));
    let before = fs::read(&path).unwrap();
    symbolized(&program, &all, &cache);
    strip(&program);
    assert_eq!(symbolized(&program, &all, &cache).modules[0].symbols, Symbols::DebugInfo);
    assert!(!before.is_empty());
}
