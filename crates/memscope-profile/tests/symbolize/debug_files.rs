//! Where symbols come from: separate, split and compressed debug information, symbol tables, files that were replaced.

use std::fs;
use std::path::Path;

use memscope_profile::model::{Profile, Symbols};
use memscope_profile::symbolize::{SymbolSearch, build_id, symbolize};

use crate::support::{
    C, RUST, build_c, build_rust, bytes_of, folder, line_of, named, profile_of, run, search,
    symbolized,
};

/// Whether some place in `outer` has the function that was inlined there, with its line.
fn has_inlined_line(profile: &Profile) -> bool {
    let line = line_of(C, "// mark: inner");
    named(profile).iter().flatten().any(|frame| frame.function == "inner" && frame.line == line)
}

/// Takes the debug information of `demo` away into `demo.debug`, with a link to it.
fn separate(folder: &Path) {
    run(folder, "objcopy", &["--only-keep-debug", "demo", "demo.debug"]);
    run(folder, "strip", &["demo"]);
    run(folder, "objcopy", &["--add-gnu-debuglink=demo.debug", "demo"]);
}

#[test]
fn a_debug_file_is_found_by_its_link() {
    for place in ["", ".debug"] {
        let folder = folder("link");
        let program = build_c(&folder, &["-g"]);
        let places = bytes_of(&program, "outer");
        separate(&folder);
        fs::create_dir_all(folder.join(place)).unwrap();
        let debug = folder.join(place).join("demo.debug");
        fs::rename(folder.join("demo.debug"), &debug).unwrap();
        let profile = symbolized(&program, &places, &search());
        assert!(has_inlined_line(&profile), "in {place:?}");
        assert_eq!(profile.modules[0].symbols, Symbols::DebugInfo);
        assert_eq!(Path::new(&profile.modules[0].debug_path), debug);
        assert_eq!(profile.warnings, []);
    }
}

#[test]
fn a_debug_file_is_found_in_a_debug_directory() {
    let folder = folder("directory");
    let program = build_c(&folder, &["-g"]);
    let places = bytes_of(&program, "outer");
    separate(&folder);
    let directory = folder.join("debug");
    let below = directory.join(folder.strip_prefix("/").unwrap());
    fs::create_dir_all(&below).unwrap();
    fs::rename(folder.join("demo.debug"), below.join("demo.debug")).unwrap();
    assert!(!has_inlined_line(&symbolized(&program, &places, &search())));
    let search = SymbolSearch { debug_directories: vec![directory], ..search() };
    assert!(has_inlined_line(&symbolized(&program, &places, &search)));
}

#[test]
fn a_debug_file_with_another_checksum_is_not_taken() {
    let folder = folder("checksum");
    let program = build_c(&folder, &["-g"]);
    let places = bytes_of(&program, "outer");
    separate(&folder);
    let mut bytes = fs::read(folder.join("demo.debug")).unwrap();
    bytes.push(0);
    fs::write(folder.join("demo.debug"), bytes).unwrap();
    let profile = symbolized(&program, &places, &search());
    assert!(!has_inlined_line(&profile));
    assert_eq!(
        (profile.modules[0].symbols, &*profile.modules[0].debug_path),
        (Symbols::Missing, "")
    );
}

#[test]
fn a_debug_file_is_found_by_build_id() {
    let folder = folder("build-id");
    let program = build_c(&folder, &["-g"]);
    let places = bytes_of(&program, "outer");
    separate(&folder);
    let hex: String =
        build_id(&program).unwrap().iter().map(|byte| format!("{byte:02x}")).collect();
    let directory = folder.join("debug");
    let below = directory.join(".build-id").join(&hex[..2]);
    fs::create_dir_all(&below).unwrap();
    let debug = below.join(format!("{}.debug", &hex[2..]));
    fs::rename(folder.join("demo.debug"), &debug).unwrap();
    let search = SymbolSearch { debug_directories: vec!["/nowhere".into(), directory], ..search() };
    let profile = symbolized(&program, &places, &search);
    assert!(has_inlined_line(&profile));
    assert_eq!(Path::new(&profile.modules[0].debug_path), debug);

    // Under the right name, but of another build.
    let other = build_c(&crate::support::folder("build-id-other"), &["-g", "-DOTHER", "-O0"]);
    fs::copy(other, &debug).unwrap();
    let profile = symbolized(&program, &places, &search);
    assert_eq!(
        (profile.modules[0].symbols, &*profile.modules[0].debug_path),
        (Symbols::Missing, "")
    );
}

#[test]
fn compressed_sections_are_inflated() {
    for kind in ["zlib", "zstd"] {
        let folder = folder(&format!("compressed-{kind}"));
        let flag = format!("-Clink-arg=-Wl,--compress-debug-sections={kind}");
        let program = build_rust(&folder, &["-g", &flag]);
        let sections = run(&folder, "readelf", &["-SW", "demo"]);
        let info = sections.lines().find(|line| line.contains(" .debug_info ")).unwrap();
        assert!(
            info.split_whitespace().any(|field| field == "C"),
            "the linker has compressed: {info}"
        );
        let profile = symbolized(&program, &bytes_of(&program, "4demo5outer"), &search());
        let line = line_of(RUST, "// mark: inner");
        let found = named(&profile);
        assert!(
            found
                .iter()
                .flatten()
                .any(|frame| frame.function == "demo::inner" && frame.line == line),
            "{kind}"
        );
    }
}

#[test]
fn split_debug_information_is_joined() {
    // The compiler's own way, packed and not, and that of GCC.
    for split in ["unpacked", "packed"] {
        let folder = folder(&format!("split-{split}"));
        let flag = format!("-Csplit-debuginfo={split}");
        let program = build_rust(&folder, &["-g", &flag]);
        let profile = symbolized(&program, &bytes_of(&program, "4demo5outer"), &search());
        let line = line_of(RUST, "// mark: inner");
        let found = named(&profile);
        let is_inner =
            |frame: &&crate::support::Named| frame.function == "demo::inner" && frame.line == line;
        assert!(found.iter().flatten().any(|frame| is_inner(&frame)), "{split}: {found:#?}");
        let places = bytes_of(&program, "with_parts");
        let found = named(&symbolized(&program, &places, &search()));
        assert!(
            found.iter().flatten().any(|frame| frame.function.ends_with("with_parts::<u16>")),
            "{split}"
        );
    }
    let folder = folder("split-gcc");
    let program = build_c(&folder, &["-g", "-gsplit-dwarf"]);
    let places = bytes_of(&program, "outer");
    assert!(has_inlined_line(&symbolized(&program, &places, &search())));
    // Without the split part the linker's names are left, and lines, which are not split.
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "dwo") {
            fs::remove_file(path).unwrap();
        }
    }
    let profile = symbolized(&program, &places, &search());
    assert!(!has_inlined_line(&profile));
    assert!(named(&profile).iter().all(|frames| frames.last().unwrap().function == "outer"));
}

#[test]
fn what_debug_files_share_is_found_by_its_link() {
    let folder = folder("shared");
    let head = ".text\n.globl main\n.type main,@function\nmain: xor %eax,%eax\n ret\n.Lend: .size main, .Lend-main\n\
                .section .note.GNU-stack,\"\",@progbits\n";
    let shared = ".section .debug_str,\"MS\",@progbits,1\n .asciz \"a_shared_name\"\n";
    fs::write(folder.join("shared.s"), format!("{head}{shared}")).unwrap();
    run(&folder, "cc", &["shared.s", "-o", "shared.debug", "-Wl,--build-id"]);

    // One unit with one function, whose name (form 0x1f21) is at offset 0 of the shared texts.
    let id: Vec<String> =
        build_id(&folder.join("shared.debug")).unwrap().iter().map(u8::to_string).collect();
    let own = format!(
        ".section .gnu_debugaltlink,\"\",@progbits\n .asciz \"shared.debug\"\n .byte {}\n\
         .section .debug_abbrev,\"\",@progbits\n\
         .uleb128 1,17\n.byte 1\n.uleb128 17,1,18,6\n.byte 0,0\n\
         .uleb128 2,46\n.byte 0\n.uleb128 3,0x1f21,17,1,18,6\n.byte 0,0\n.byte 0\n\
         .section .debug_info,\"\",@progbits\n .long .Lstop-.Lstart\n\
         .Lstart: .value 4\n .long .debug_abbrev\n .byte 8\n\
         .uleb128 1\n .quad main\n .long .Lend-main\n\
         .uleb128 2\n .long 0\n .quad main\n .long .Lend-main\n .byte 0\n.Lstop:\n",
        id.join(",")
    );
    fs::write(folder.join("demo.s"), format!("{head}{own}")).unwrap();
    run(&folder, "cc", &["-no-pie", "demo.s", "-o", "demo", "-Wl,--build-id"]);
    let program = folder.join("demo");
    let places = bytes_of(&program, "main");
    let functions = || {
        let all = named(&symbolized(&program, &places, &search()));
        all.iter().map(|frames| frames.last().unwrap().function.clone()).collect::<Vec<_>>()
    };
    assert_eq!(functions(), vec!["a_shared_name"; places.len()]);
    fs::remove_file(folder.join("shared.debug")).unwrap();
    assert_eq!(functions(), vec!["main"; places.len()]);
}

#[test]
fn without_debug_information_functions_come_from_the_symbol_table() {
    let program = build_c(&folder("table"), &["-g0"]);
    let profile = symbolized(&program, &bytes_of(&program, "outer"), &search());
    for frames in named(&profile) {
        assert_eq!(frames.len(), 1);
        assert_eq!((&*frames[0].function, &*frames[0].file, frames[0].line), ("outer", "", 0));
    }
    assert_eq!(profile.modules[0].symbols, Symbols::SymbolTable);
    assert_eq!(profile.warnings.len(), 1);
    assert!(
        profile.warnings[0].message.contains("has no debug information"),
        "{}",
        profile.warnings[0].message
    );
    assert!(!profile.warnings[0].hint.is_empty());
}

#[test]
fn a_stripped_library_has_the_names_that_it_exports() {
    let folder = folder("dynamic");
    let library = build_c(&folder, &["-g0", "-shared", "-fPIC"]);
    let places = bytes_of(&library, "outer");
    run(&folder, "strip", &["demo"]);
    let profile = symbolized(&library, &places, &search());
    assert!(named(&profile).iter().all(|frames| frames[0].function == "outer"));
    assert_eq!(profile.modules[0].symbols, Symbols::SymbolTable);

    let stripped = build_c(&folder, &["-g0"]);
    let places = bytes_of(&stripped, "outer");
    run(&folder, "strip", &["demo"]);
    let profile = symbolized(&stripped, &places, &search());
    assert!(named(&profile).iter().all(Vec::is_empty));
    assert_eq!(profile.modules[0].symbols, Symbols::Missing);
    assert!(
        profile.warnings[0].message.contains("has no symbols"),
        "{}",
        profile.warnings[0].message
    );
}

#[test]
fn a_program_with_debug_information_is_not_blamed_for_what_its_startup_code_lacks() {
    let folder = folder("startup");
    for (option, warnings) in [("-g", 0), ("-g0", 1)] {
        let program = build_c(&folder, &[option]);
        let start = bytes_of(&program, "_start")[0];
        let profile = symbolized(&program, &[start], &search());
        assert_eq!(profile.warnings.len(), warnings, "{:?}", profile.warnings);
    }
}

#[test]
fn a_rebuilt_program_gives_no_names_rather_than_wrong_ones() {
    let folder = folder("rebuilt");
    let program = build_c(&folder, &["-g"]);
    let places = bytes_of(&program, "outer");
    let recorded = build_id(&program).unwrap();
    build_c(&folder, &["-g", "-O0"]);
    assert_ne!(build_id(&program).unwrap(), recorded);
    let mut profile = profile_of(&program, recorded, &places);
    symbolize(&mut profile, &search(), &|_| {});
    assert!(named(&profile).iter().all(Vec::is_empty));
    assert_eq!(profile.modules[0].symbols, Symbols::Replaced);
    assert_eq!(profile.warnings.len(), 1);
    assert!(
        profile.warnings[0].message.contains("not the file that ran"),
        "{}",
        profile.warnings[0].message
    );
}

#[test]
fn without_a_build_id_the_time_of_writing_decides() {
    let folder = folder("no-build-id");
    let program = build_c(&folder, &["-g", "-Wl,--build-id=none"]);
    assert_eq!(build_id(&program), None);
    let places = bytes_of(&program, "outer");
    let written = fs::metadata(&program).unwrap().modified().unwrap();
    let written_ns = written.duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64;
    for (start_ns, symbols) in [
        (written_ns + 1, Symbols::DebugInfo),
        (written_ns - 1, Symbols::Replaced),
        (0, Symbols::DebugInfo),
    ] {
        let mut profile = profile_of(&program, Vec::new(), &places);
        profile.run.start_ns = start_ns;
        symbolize(&mut profile, &search(), &|_| {});
        assert_eq!(profile.modules[0].symbols, symbols);
    }
}

#[test]
fn a_file_that_cannot_be_read_is_told() {
    let folder = folder("unreadable");
    fs::write(folder.join("text"), "not a program").unwrap();
    for path in [folder.join("absent"), folder.join("text"), folder.clone()] {
        let mut profile = profile_of(&path, Vec::new(), &[1, 2, 3]);
        symbolize(&mut profile, &search(), &|_| {});
        assert_eq!(profile.modules[0].symbols, Symbols::Unreadable);
        assert_eq!(profile.warnings.len(), 1);
        let message = &profile.warnings[0].message;
        assert!(message.contains("cannot be read") && message.contains("3 addresses"), "{message}");
    }
}
