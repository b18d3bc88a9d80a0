//! What kind of program a file is.

use std::fs;
use std::path::{Path, PathBuf};

use memscope_profile::symbolize::program::{Elf, OwnAllocator, Program, inspect};

use crate::support::{build_c, build_rust, folder, run};

fn elf(path: &Path) -> Elf {
    match inspect(path) {
        Ok(Program::Elf(elf)) => elf,
        other => panic!("{}: {other:?}", path.display()),
    }
}

#[test]
fn an_ordinary_program_can_be_recorded() {
    let program = elf(&build_rust(&folder("ordinary"), &["-g"]));
    assert_eq!((program.class_bits, program.own_allocator.clone()), (64, None));
    assert!(!program.is_static() && !program.is_musl(), "{program:?}");
    assert_eq!(program, elf(&build_rust(&folder("ordinary"), &["-Cstrip=symbols"])));
    #[cfg(target_arch = "x86_64")]
    assert_eq!(program.machine_name(), "x86-64");
}

#[test]
fn a_static_program_has_no_interpreter() {
    for flag in ["-static", "-static-pie"] {
        assert!(elf(&build_c(&folder("static"), &[flag])).is_static(), "{flag}");
    }
    assert!(!elf(&build_c(&folder("static"), &[])).is_static());
}

#[test]
fn musl_is_told_by_the_interpreter() {
    let program =
        elf(&build_c(&folder("musl"), &["-Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1"]));
    assert_eq!(program.interpreter, Some(PathBuf::from("/lib/ld-musl-x86_64.so.1")));
    assert!(program.is_musl() && !program.is_static());
}

#[test]
fn an_allocator_within_is_found_by_its_functions_or_its_texts() {
    let folder = folder("allocator");
    let own = |source: &str, stripped: bool| {
        fs::write(folder.join("own.c"), source).unwrap();
        run(&folder, "cc", &["own.c", "-o", "own", "-O0", if stripped { "-s" } else { "-g" }]);
        elf(&folder.join("own")).own_allocator
    };
    let jemalloc = "void *_rjem_malloc(unsigned long n) { return 0; }\n\
        const char *volatile text = \"<jemalloc>: Error in atexit()\";\n\
        int main(void) { return _rjem_malloc(1) == text; }";
    assert_eq!(
        own(jemalloc, false),
        Some(OwnAllocator { name: "jemalloc", evidence: "_rjem_malloc" })
    );
    assert_eq!(
        own(jemalloc, true),
        Some(OwnAllocator { name: "jemalloc", evidence: "<jemalloc>: " })
    );
    let plain = "#include <stdlib.h>\nint main(void) { free(malloc(1)); return 0; }";
    assert_eq!(own(plain, false), None, "a function that is only called is not its own");
    assert_eq!(own(plain, true), None);
    let replaced =
        "void *malloc(unsigned long n) { return 0; }\nint main(void) { return malloc(1) != 0; }";
    assert_eq!(
        own(replaced, false),
        Some(OwnAllocator { name: "an allocator", evidence: "malloc" })
    );
    let private = "static void *malloc(unsigned long n) { return 0; }\nint main(void) { return malloc(1) != 0; }";
    assert_eq!(own(private, false), None);
}

#[test]
fn programs_of_32_bits_are_told() {
    // The head of a 32-bit program is enough; a compiler for them is not always there.
    let folder = folder("bits");
    let mut bytes = vec![0; 52];
    bytes[..7].copy_from_slice(b"\x7fELF\x01\x01\x01");
    bytes[16..20].copy_from_slice(&[2, 0, 3, 0]);
    bytes[20] = 1;
    fs::write(folder.join("old"), &bytes).unwrap();
    let old = elf(&folder.join("old"));
    assert_eq!((old.class_bits, old.machine_name(), old.is_static()), (32, "x86", true));
    fs::write(folder.join("short"), &bytes[..20]).unwrap();
    assert!(inspect(&folder.join("short")).is_err());
}

#[test]
fn scripts_and_other_files() {
    let folder = folder("scripts");
    fs::write(folder.join("script"), "#!/usr/bin/env python3\nprint()\n").unwrap();
    let script =
        Program::Script { interpreter: "/usr/bin/env".into(), argument: Some("python3".into()) };
    assert_eq!(inspect(&folder.join("script")).unwrap(), script);
    for (name, text) in [("empty", ""), ("text", "hello"), ("mark", "#!"), ("line", "#!\n/bin/sh")]
    {
        fs::write(folder.join(name), text).unwrap();
        assert_eq!(inspect(&folder.join(name)).unwrap(), Program::Other, "{name}");
    }
    assert!(inspect(&folder).is_err());
    assert!(inspect(&folder.join("absent")).is_err());
}
