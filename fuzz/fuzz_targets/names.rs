//! A file of the cache of names: damaged as it lies on disk, and with a body of any kind in a frame that fits.
//!
//! A damaged file counts as absent. A body that fits may say what it likes; what it says must be survived, kept within
//! bounds of memory, and be the same when it is asked again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use memscope_fuzz::{Memory, bounded, framed};
use memscope_profile::model::{Address, Counts, Module, Profile, Site, StackNode};
use memscope_profile::symbolize::{NameCache, SymbolSearch, build_id, symbolize};
use std::path::PathBuf;

/// The program whose names are remembered. Its build id is that of the seeds.
const PROGRAM: &[u8] = include_bytes!("../seeds/elf/rust");

/// No body is as short: it has a version and a build id.
const BODY_BYTES: usize = 32;

/// Magic and version, as the file has them.
const HEAD_BYTES: usize = 12;

struct Known {
    program: Memory,
    search: SymbolSearch,
    /// The file of the cache, and what is in it if nobody damaged it.
    file: PathBuf,
    whole: Vec<u8>,
    names: Vec<Vec<Name>>,
}

/// A frame's function, symbol, file, line, column, and whether it is inlined.
type Name = (String, String, String, u32, u32, bool);

thread_local! {
    static KNOWN: Known = known();
}

fn known() -> Known {
    let program = Memory::new();
    program.fill(PROGRAM);
    let folder = std::env::temp_dir().join(format!("memscope-fuzz-names-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    let search = SymbolSearch {
        debug_directories: Vec::new(),
        elsewhere: None,
        cache: Some(NameCache::new(folder.clone())),
        threads: 1,
    };
    let names = look(&program, &search);
    assert!(names.iter().any(|frames| !frames.is_empty()), "the program has names");
    let mut files = std::fs::read_dir(&folder).expect("the cache made its folder");
    let file = files.next().expect("a file of names").expect("an entry").path();
    let whole = std::fs::read(&file).expect("read");
    Known { program, search, file, whole, names }
}

/// The names at every address, in the order of addresses.
fn look(program: &Memory, search: &SymbolSearch) -> Vec<Vec<Name>> {
    let path = program.path();
    let build_id = build_id(&path).expect("the program has a build id");
    let addresses = (0x1340..0x1440).step_by(16);
    let addresses: Vec<_> =
        addresses.map(|address| Address { address, module: 1, ..Address::default() }).collect();
    // One stack of all of them, so that the sizes of types are asked for.
    let stacks = (0..addresses.len() as u32).map(|at| StackNode { parent: at, address: at });
    let counts = Counts { allocations: 3, allocated_bytes: 144, ..Counts::default() };
    let stack = addresses.len() as u32;
    let mut profile = Profile {
        strings: vec![String::new()],
        modules: vec![Module {
            path: path.to_string_lossy().into_owned(),
            build_id,
            ..Module::default()
        }],
        stacks: stacks.collect(),
        sites: vec![Site { stack, kind: 1, counts, ..Site::default() }],
        addresses,
        ..Profile::default()
    };
    symbolize(&mut profile, search, &|_| {});
    let mut kept = Vec::new();
    memscope_profile::file::write(&profile, &mut kept).expect("a sound profile");
    let name = |at: usize| {
        let frame = &profile.frames[at];
        let text = |id: u32| profile.strings[id as usize].clone();
        let texts = (text(frame.function), text(frame.symbol), text(frame.file));
        (texts.0, texts.1, texts.2, frame.line, frame.column, frame.inlined)
    };
    profile.addresses.iter().map(|address| address.frames().map(name).collect()).collect()
}

/// The file with some of its bytes changed, and cut.
fn damaged(whole: &[u8], edits: &[u8]) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    for edit in edits.chunks_exact(3) {
        let at = usize::from(edit[0]) << 8 | usize::from(edit[1]);
        match edit[2] {
            0 => bytes.truncate(at % (whole.len() + 1)),
            by if !bytes.is_empty() => {
                let at = at % bytes.len();
                bytes[at] ^= by;
            }
            _ => {}
        }
    }
    bytes
}

fuzz_target!(|bytes: &[u8]| {
    KNOWN.with(|known| {
        let is_body = bytes.len() >= BODY_BYTES;
        let file = if is_body {
            framed(&known.whole[..HEAD_BYTES], bytes)
        } else {
            damaged(&known.whole, bytes)
        };
        std::fs::write(&known.file, &file).expect("written");
        let limit_bytes = (16 << 20) + 400 * file.len();
        let names = bounded(limit_bytes, || look(&known.program, &known.search));
        if is_body {
            assert_eq!(bounded(limit_bytes, || look(&known.program, &known.search)), names);
        } else {
            assert_eq!(names, known.names);
        }
    });
});
