//! Damaged files: cut short, with bytes changed, with debug information that leads in circles. Names may be lost; a
//! panic, a hang or memory out of proportion would end the test.

use std::fs;
use std::path::{Path, PathBuf};

use memscope_profile::symbolize::program::inspect;
use memscope_profile::symbolize::{SymbolSearch, build_id, symbolize};

use crate::support::{
    build_c, build_rust, bytes_of, check, folder, named, profile_of, run, search,
};

/// Numbers that look random and are the same in every run with the same MEMSCOPE_SEED.
struct Numbers(u64);

impl Numbers {
    fn new(seed: u64) -> Self {
        let asked: Option<u64> =
            std::env::var("MEMSCOPE_SEED").ok().and_then(|text| text.parse().ok());
        Self(seed ^ asked.unwrap_or(0) << 8)
    }

    fn next(&mut self, below: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % below
    }
}

/// Where a section's bytes lie in the file.
fn section(program: &Path, name: &str) -> std::ops::Range<usize> {
    let listed = run(Path::new("/"), "readelf", &["-SW", program.to_str().unwrap()]);
    let line =
        listed.lines().find(|line| line.contains(&format!(" {name} "))).expect("the section");
    let fields: Vec<_> = line.split(']').next_back().unwrap().split_whitespace().collect();
    let number = |text| usize::from_str_radix(text, 16).unwrap();
    let (offset, size) = (number(fields[3]), number(fields[4]));
    offset..offset + size
}

/// Symbolizes a file with these bytes. The module has no build id, so that a damaged one does not end it at once.
fn read_damaged(path: &Path, bytes: &[u8], places: &[u64]) -> usize {
    fs::write(path, bytes).unwrap();
    let mut profile = profile_of(path, Vec::new(), places);
    symbolize(&mut profile, &SymbolSearch { threads: 1, ..search() }, &|_| {});
    check(&profile);
    assert!(profile.warnings.len() <= 1, "{:?}", profile.warnings);
    let _ = build_id(path);
    let _ = inspect(path);
    named(&profile).iter().filter(|frames| !frames.is_empty()).count()
}

struct Sample {
    bytes: Vec<u8>,
    places: Vec<u64>,
    program: PathBuf,
    damaged: PathBuf,
}

fn sample(name: &str, build: impl FnOnce(&Path) -> PathBuf) -> Sample {
    let folder = folder(name);
    let program = build(&folder);
    let bytes = fs::read(&program).unwrap();
    let mut places = bytes_of(&program, "outer");
    places.extend(bytes_of(&program, "main"));
    Sample { bytes, places, damaged: folder.join("damaged"), program }
}

#[test]
fn files_cut_short() {
    let sample = sample("cut", |folder| build_c(folder, &["-g"]));
    let all = read_damaged(&sample.damaged, &sample.bytes, &sample.places);
    assert_eq!(all, sample.places.len());
    for part in 0..200 {
        let size = sample.bytes.len() * part / 200;
        read_damaged(&sample.damaged, &sample.bytes[..size], &sample.places);
    }
}

#[test]
fn bytes_changed_anywhere() {
    let sample = sample("flip", |folder| build_c(folder, &["-g"]));
    let mut numbers = Numbers::new(1);
    let asked = std::env::var("MEMSCOPE_MUTATIONS").ok().and_then(|text| text.parse().ok());
    for _ in 0..asked.unwrap_or(300) {
        let mut bytes = sample.bytes.clone();
        for _ in 0..=numbers.next(4) {
            let place = numbers.next(bytes.len());
            bytes[place] =
                [0, 0xff, 0x80, bytes[place] ^ 1, bytes[place].wrapping_add(1)][numbers.next(5)];
        }
        read_damaged(&sample.damaged, &bytes, &sample.places);
    }
}

#[test]
fn bytes_changed_in_headers_and_debug_information() {
    for (name, flags) in [("flip-5", &["-g", "-gdwarf-5"][..]), ("flip-4", &["-g", "-gdwarf-4"])] {
        let sample = sample(name, |folder| build_c(folder, flags));
        let mut parts = vec![0..64, sample.bytes.len() - 2048..sample.bytes.len()];
        for section_name in [
            ".debug_info",
            ".debug_abbrev",
            ".debug_line",
            ".debug_aranges",
            ".symtab",
            ".note.gnu.build-id",
        ] {
            parts.push(section(&sample.program, section_name));
        }
        let mut numbers = Numbers::new(7);
        for part in parts {
            for _ in 0..120 {
                let mut bytes = sample.bytes.clone();
                for _ in 0..=numbers.next(3) {
                    let place = part.start + numbers.next(part.len());
                    bytes[place] =
                        [0, 0xff, 0x7f, bytes[place] ^ 0x10, bytes[place].wrapping_sub(1)]
                            [numbers.next(5)];
                }
                read_damaged(&sample.damaged, &bytes, &sample.places);
            }
        }
    }
}

#[test]
fn bytes_changed_in_a_program_of_rust() {
    let sample = sample("flip-rust", |folder| build_rust(folder, &["-g", "-Cstrip=none"]));
    let places: Vec<u64> = sample.places.iter().copied().step_by(16).collect();
    let mut numbers = Numbers::new(3);
    for name in [".debug_info", ".debug_abbrev", ".debug_line", ".debug_ranges"] {
        let part = section(&sample.program, name);
        for _ in 0..12 {
            let mut bytes = sample.bytes.clone();
            for _ in 0..20 {
                let place = part.start + numbers.next(part.len());
                bytes[place] ^= 1 << numbers.next(8);
            }
            read_damaged(&sample.damaged, &bytes, &places);
        }
    }
}

/// Debug information made by hand: one unit, whose function holds `depth` inlined functions, each in the one before,
/// and each with a list of `ranges` ranges that all share.
fn assemble(folder: &Path, depth: usize, functions: usize, ranges: usize) -> PathBuf {
    let mut text = String::from(
        ".text\n.globl main\n.type main,@function\nmain: xor %eax,%eax\n ret\n.Lend: .size main, .Lend-main\n\
         .section .debug_abbrev,\"\",@progbits\n\
         .uleb128 1,17\n.byte 1\n.uleb128 17,1,18,6\n.byte 0,0\n\
         .uleb128 2,46\n.byte 1\n.uleb128 85,23,3,8\n.byte 0,0\n\
         .uleb128 3,29\n.byte 1\n.uleb128 85,23\n.byte 0,0\n\
         .uleb128 4,46\n.byte 0\n.uleb128 85,23,3,8\n.byte 0,0\n.byte 0\n\
         .section .debug_ranges,\"\",@progbits\n.Lranges:\n",
    );
    for _ in 0..ranges {
        text.push_str(" .quad 0,3\n");
    }
    text.push_str(
        " .quad 0,0\n.section .debug_info,\"\",@progbits\n .long .Lstop-.Lstart\n.Lstart:\n",
    );
    text.push_str(" .value 4\n .long .debug_abbrev\n .byte 8\n");
    text.push_str(" .uleb128 1\n .quad main\n .long .Lend-main\n");
    text.push_str(" .uleb128 2\n .long .Lranges\n .asciz \"deep\"\n");
    text.push_str(&format!(
        " .rept {depth}\n .uleb128 3\n .long .Lranges\n .endr\n .zero {}\n",
        depth + 1
    ));
    text.push_str(&format!(
        " .rept {functions}\n .uleb128 4\n .long .Lranges\n .asciz \"f\"\n .endr\n"
    ));
    text.push_str(" .byte 0\n.Lstop:\n.section .note.GNU-stack,\"\",@progbits\n");
    fs::write(folder.join("made.s"), text).unwrap();
    run(folder, "cc", &["-no-pie", "made.s", "-o", "made"]);
    folder.join("made")
}

#[test]
fn debug_information_made_to_exhaust_the_stack_the_memory_or_patience() {
    let folder = folder("made");
    let look = |program: &Path| {
        let mut profile = profile_of(program, Vec::new(), &bytes_of(program, "main"));
        symbolize(&mut profile, &search(), &|_| {});
        check(&profile);
        let last: Vec<_> =
            named(&profile).iter().filter_map(|frames| frames.last().cloned()).collect();
        (last, profile.warnings)
    };
    // What is made by hand is sound as long as it stays small.
    let (frames, warnings) = look(&assemble(&folder, 3, 0, 1));
    assert!(frames.iter().all(|frame| frame.function == "deep"), "{frames:?} {warnings:?}");
    for (depth, functions, ranges) in [(1_000_000, 0, 1), (10, 200_000, 20_000)] {
        let (frames, warnings) = look(&assemble(&folder, depth, functions, ranges));
        assert!(
            frames.iter().all(|frame| frame.function == "main"),
            "the symbol table still helps"
        );
        assert!(!frames.is_empty());
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].message.contains("damaged"), "{warnings:?}");
    }
}
