//! What kind of program a file is, as far as it decides whether its memory can be recorded from outside.
//!
//! ```
//! use memscope_profile::symbolize::program::{self, Program};
//!
//! let own = std::env::current_exe()?;
//! match program::inspect(&own)? {
//!     Program::Elf(elf) => assert!(elf.class_bits == 64 || elf.class_bits == 32),
//!     Program::Script { interpreter, .. } => println!("runs by {}", interpreter.display()),
//!     Program::Other => println!("not a program"),
//! }
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! Invariants: pure functions on a path; the file is read, never run; what it claims is checked against its length.
//! Deliberately absent: whether the file may be executed, which libraries it needs, what those contain.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use object::elf::{self, FileHeader32, FileHeader64};
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader, Sym};
use object::read::{ReadCache, ReadRef};
use object::{Endianness, FileKind};

use super::object_file::{invalid, open_regular};

/// The kernel reads so much of a script's first line.
const MAX_SCRIPT_LINE_BYTES: usize = 255;

/// Functions by which an allocator that is linked into a program is known. A program that brings `malloc` itself is
/// asked before any library that is loaded into it.
const ALLOCATOR_FUNCTIONS: [(&str, &str); 13] = [
    ("jemalloc", "_rjem_malloc"),
    ("jemalloc", "_rjem_mallocx"),
    ("jemalloc", "je_malloc"),
    ("jemalloc", "je_mallocx"),
    ("mimalloc", "mi_malloc"),
    ("mimalloc", "mi_malloc_aligned"),
    ("mimalloc", "_mi_malloc_generic"),
    ("tcmalloc", "tc_malloc"),
    ("tcmalloc", "TCMallocInternalMalloc"),
    ("snmalloc", "sn_malloc"),
    ("snmalloc", "sn_rust_alloc"),
    ("rpmalloc", "rpmalloc"),
    ("an allocator", "malloc"),
];

/// Texts by which an allocator is known in a program without a symbol table: the heads of its messages.
const ALLOCATOR_TEXTS: [(&str, &[u8]); 2] =
    [("jemalloc", b"<jemalloc>: "), ("mimalloc", b"mimalloc: warning: ")];

/// A file that one might want to run.
///
/// ```
/// use memscope_profile::symbolize::program::{Program, inspect};
///
/// let kind = match inspect(&std::env::current_exe()?)? {
///     Program::Elf(elf) => elf.machine_name(),
///     Program::Script { .. } => "a script",
///     Program::Other => "something else",
/// };
/// assert_eq!(kind, "x86-64");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// Machine code.
    Elf(Elf),
    /// A text that another program runs (`#!`).
    Script {
        /// The program that runs it.
        interpreter: PathBuf,
        /// What stands after it on the first line, if anything does.
        argument: Option<String>,
    },
    /// Neither.
    Other,
}

/// A program in machine code.
///
/// ```
/// use memscope_profile::symbolize::program::{Program, inspect};
///
/// if let Program::Elf(elf) = inspect(&std::env::current_exe()?)? {
///     assert_eq!((elf.class_bits, elf.machine, elf.is_static()), (64, 62, false));
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elf {
    /// Width of its addresses: 32 or 64 bits.
    pub class_bits: u32,
    /// The machine it is for, as ELF numbers them (62 is x86-64, 183 is AArch64).
    pub machine: u16,
    /// The dynamic linker that it names.
    pub interpreter: Option<PathBuf>,
    /// The allocator that it carries in itself, if one is known in it.
    pub own_allocator: Option<OwnAllocator>,
}

/// An allocator that is part of a program.
///
/// ```
/// use memscope_profile::symbolize::program::{Program, inspect};
///
/// if let Program::Elf(elf) = inspect(&std::env::current_exe()?)? {
///     assert_eq!(elf.own_allocator, None); // it uses the C library's
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnAllocator {
    /// Its name; "an allocator" if only its functions are known.
    pub name: &'static str,
    /// The function or the text in the program that tells it.
    pub evidence: &'static str,
}

impl Elf {
    /// Whether no dynamic linker takes part when it starts, so that no library can be loaded into it beforehand. A
    /// comparison.
    ///
    /// ```
    /// use memscope_profile::symbolize::program::Elf;
    ///
    /// let elf = Elf {
    ///     class_bits: 64,
    ///     machine: 183,
    ///     interpreter: Some("/lib/ld-musl-aarch64.so.1".into()),
    ///     own_allocator: None,
    /// };
    /// assert!(!elf.is_static());
    /// ```
    pub fn is_static(&self) -> bool {
        self.interpreter.is_none()
    }

    /// Whether it uses musl as its C library: its dynamic linker's name says so. A look at the name.
    ///
    /// ```
    /// use memscope_profile::symbolize::program::Elf;
    ///
    /// let elf = Elf {
    ///     class_bits: 64,
    ///     machine: 183,
    ///     interpreter: Some("/lib/ld-musl-aarch64.so.1".into()),
    ///     own_allocator: None,
    /// };
    /// assert!(elf.is_musl());
    /// ```
    pub fn is_musl(&self) -> bool {
        let name = self.interpreter.as_deref().and_then(Path::file_name);
        name.is_some_and(|name| name.as_bytes().windows(4).any(|part| part == b"musl"))
    }

    /// The machine's name, for people. A comparison or two.
    ///
    /// ```
    /// use memscope_profile::symbolize::program::Elf;
    ///
    /// let elf = Elf {
    ///     class_bits: 64,
    ///     machine: 183,
    ///     interpreter: Some("/lib/ld-musl-aarch64.so.1".into()),
    ///     own_allocator: None,
    /// };
    /// assert_eq!(elf.machine_name(), "AArch64");
    /// ```
    pub fn machine_name(&self) -> &'static str {
        match elf::Machine(self.machine) {
            elf::EM_X86_64 => "x86-64",
            elf::EM_386 => "x86",
            elf::EM_AARCH64 => "AArch64",
            elf::EM_ARM => "ARM",
            elf::EM_RISCV => "RISC-V",
            elf::EM_PPC64 => "PowerPC 64",
            elf::EM_S390 => "s390",
            elf::EM_LOONGARCH => "LoongArch",
            _ => "an unknown machine",
        }
    }
}

/// Looks at the file at `path`.
///
/// Costs a few reads, and for a program that is not stripped the reading of its symbol table: about half a millisecond for a small
/// one.
///
/// # Errors
/// If it cannot be read or is a damaged ELF file.
///
/// ```
/// use memscope_profile::symbolize::program::{Program, inspect};
///
/// assert!(matches!(inspect(&std::env::current_exe()?)?, Program::Elf(_)));
/// assert!(inspect("/no/such/program".as_ref()).is_err());
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn inspect(path: &Path) -> io::Result<Program> {
    let (file, metadata) = open_regular(path)?;
    let mut head = [0; 2 + MAX_SCRIPT_LINE_BYTES];
    let size = usize::try_from(metadata.len()).unwrap_or(usize::MAX).min(head.len());
    file.read_exact_at(&mut head[..size], 0)?;
    let head = &head[..size];
    if let Some(line) = head.strip_prefix(b"#!") {
        return Ok(script(line));
    }
    match FileKind::parse(head) {
        Ok(FileKind::Elf32) => inspect_elf::<FileHeader32<Endianness>>(&file, 32).map(Program::Elf),
        Ok(FileKind::Elf64) => inspect_elf::<FileHeader64<Endianness>>(&file, 64).map(Program::Elf),
        _ if head.starts_with(&elf::ELFMAG) => Err(invalid("its ELF headers are damaged")),
        _ => Ok(Program::Other),
    }
}

/// Reads the first line of a script as the kernel does: the interpreter, then one argument that may have spaces in it.
fn script(line: &[u8]) -> Program {
    let line =
        line.split(|&byte| byte == b'\n' || byte == 0).next().unwrap_or_default().trim_ascii();
    let end = line.iter().position(|byte| matches!(byte, b' ' | b'\t')).unwrap_or(line.len());
    let (interpreter, argument) = line.split_at(end);
    if interpreter.is_empty() {
        return Program::Other;
    }
    let argument = String::from_utf8_lossy(argument.trim_ascii()).into_owned();
    Program::Script {
        interpreter: PathBuf::from(OsStr::from_bytes(interpreter)),
        argument: (!argument.is_empty()).then_some(argument),
    }
}

fn inspect_elf<Header>(file: &File, class_bits: u32) -> io::Result<Elf>
where
    Header: FileHeader<Endian = Endianness>,
{
    let cache = ReadCache::new(file);
    let data = &cache;
    let damaged =
        |error: object::read::Error| invalid(format!("its ELF headers are damaged: {error}"));
    let header = Header::parse(data).map_err(damaged)?;
    let endian = header.endian().map_err(damaged)?;
    let mut interpreter = None;
    for segment in header.program_headers(endian, data).map_err(damaged)? {
        if let Some(path) = segment.interpreter(endian, data).map_err(damaged)? {
            interpreter = Some(PathBuf::from(OsStr::from_bytes(path)));
        }
    }
    // Without section headers there are no symbols to be had, which is no damage.
    let own_allocator = find_allocator(header, endian, data).ok().flatten();
    Ok(Elf { class_bits, machine: header.e_machine(endian).0, interpreter, own_allocator })
}

fn find_allocator<'data, Header, Data>(
    header: &Header,
    endian: Endianness,
    data: Data,
) -> object::read::Result<Option<OwnAllocator>>
where
    Header: FileHeader<Endian = Endianness>,
    Data: ReadRef<'data>,
{
    let sections = header.sections(endian, data)?;
    let mut has_symbols = false;
    let mut best: Option<usize> = None;
    for section in sections
        .iter()
        .filter(|section| matches!(section.sh_type(endian), elf::SHT_SYMTAB | elf::SHT_DYNSYM))
    {
        let Some(symbols) = section.data_as_array::<Header::Sym, _>(endian, data).ok() else {
            continue;
        };
        let Some(strings) = sections
            .section(section.link(endian))
            .and_then(|strings| strings.data(endian, data))
            .ok()
        else {
            continue;
        };
        has_symbols |= section.sh_type(endian) == elf::SHT_SYMTAB && !symbols.is_empty();
        let is_function = |symbol: &&Header::Sym| {
            symbol.st_type() == elf::STT_FUNC && !symbol.is_undefined(endian)
        };
        for symbol in symbols.iter().filter(is_function) {
            let Some(name) = strings.get(symbol.st_name(endian) as usize..) else { continue };
            let is_name = |known: &str| {
                let rest = name.strip_prefix(known.as_bytes());
                rest.is_some_and(|rest| matches!(rest.first(), None | Some(0 | b'@')))
            };
            // A private function that is called `malloc` takes nothing from the C library's.
            let is_its_own = |function: &str| function != "malloc" || !symbol.is_local();
            let known = ALLOCATOR_FUNCTIONS
                .iter()
                .position(|(_, function)| is_name(function) && is_its_own(function));
            best = [best, known].into_iter().flatten().min();
        }
    }
    if let Some((name, evidence)) = best.map(|place| ALLOCATOR_FUNCTIONS[place]) {
        return Ok(Some(OwnAllocator { name, evidence }));
    }
    if has_symbols {
        return Ok(None);
    }
    let Some((_, texts)) = sections.section_by_name(endian, b".rodata") else { return Ok(None) };
    let texts = texts.data(endian, data)?;
    let known =
        ALLOCATOR_TEXTS.iter().find(|(_, text)| memchr::memmem::find(texts, text).is_some());
    Ok(known.map(|&(name, text)| OwnAllocator {
        name,
        evidence: std::str::from_utf8(text).unwrap_or(name),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_of_a_script_is_read_as_the_kernel_does() {
        let read = |line: &str| match script(line.as_bytes()) {
            Program::Script { interpreter, argument } => {
                Some((interpreter.to_str().unwrap().to_owned(), argument))
            }
            _ => None,
        };
        assert_eq!(read("/bin/sh\necho"), Some(("/bin/sh".into(), None)));
        assert_eq!(
            read(" /usr/bin/env  python3 -u \nx"),
            Some(("/usr/bin/env".into(), Some("python3 -u".into())))
        );
        assert_eq!(read("\n"), None);
    }
}
