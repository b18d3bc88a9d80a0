//! An ELF file with its DWARF: addresses looked up in it, and what a command asks before it starts a program.
#![no_main]

use libfuzzer_sys::fuzz_target;
use memscope_fuzz::{Memory, bounded};
use memscope_profile::model::{Address, Module, Profile};
use memscope_profile::symbolize::{SymbolSearch, build_id, program, symbolize};

thread_local! {
    static MEMORY: Memory = Memory::new();
}

fn profile(path: String) -> Profile {
    // There lies the code of the seeds.
    let addresses = (0x200..0x500).chain(0x1340..0x1440).step_by(16);
    Profile {
        strings: vec![String::new()],
        modules: vec![Module { path, ..Module::default() }],
        addresses: addresses
            .map(|address| Address { address, module: 1, ..Address::default() })
            .collect(),
        ..Profile::default()
    }
}

fuzz_target!(|bytes: &[u8]| {
    MEMORY.with(|memory| {
        memory.fill(bytes);
        let path = memory.path();
        let mut profile = profile(path.to_string_lossy().into_owned());
        let search = SymbolSearch {
            debug_directories: Vec::new(),
            elsewhere: None,
            cache: None,
            threads: 1,
        };
        bounded((16 << 20) + 4096 * bytes.len(), || {
            symbolize(&mut profile, &search, &|_| {});
            let _ = build_id(&path);
            let _ = program::inspect(&path);
        });
        assert!(profile.warnings.len() <= 1, "{:?}", profile.warnings);
        let mut kept = Vec::new();
        memscope_profile::file::write(&profile, &mut kept).expect("a sound profile");
    });
});
