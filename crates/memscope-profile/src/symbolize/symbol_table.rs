//! Function names from a symbol table, for addresses that debug information does not cover.
//!
//! A symbol names an address if it is a function (or a label in code, which assembly leaves) whose bytes contain it;
//! a symbol without a size reaches to the next one, within its section. Of several at one place the most public wins.
//!
//! Invariant: memory in proportion to the symbol table; the table of texts, which is larger, is read only where a name
//! is wanted. Deliberately absent: names for addresses in no function (a procedure linkage table, padding).

use std::io;

use object::elf::{self, Sym64};
use object::read::elf::Sym;
use object::{Endianness, pod};

use super::demangle::MAX_NAME_BYTES;
use super::object_file::{ObjectFile, Section};

/// How many symbols that start before an address are looked at for one that contains it.
const MAX_STEPS_BACK: usize = 64;

/// One of the functions of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Symbol {
    address: u64,
    /// How public it is; the greater the better.
    rank: u8,
    size: u64,
    section: u16,
    name_offset: u32,
}

/// The functions of one symbol table, sorted by address.
#[derive(Debug)]
pub(super) struct SymbolTable<'a> {
    object: &'a ObjectFile,
    strings: &'a Section,
    symbols: Vec<Symbol>,
}

impl<'a> SymbolTable<'a> {
    /// Reads the file's symbol table of that kind; `None` if it has none, or one without functions.
    pub(super) fn read(object: &'a ObjectFile, kind: elf::SectionType) -> io::Result<Option<Self>> {
        let Some(table) = object.sections.iter().find(|section| section.kind == kind) else {
            return Ok(None);
        };
        let Some(strings) = object.sections.get(table.link) else { return Ok(None) };
        let bytes = object.read_section(table)?;
        let count = bytes.len() / size_of::<Sym64<Endianness>>();
        let (entries, _) =
            pod::slice_from_bytes::<Sym64<Endianness>>(&bytes, count).unwrap_or_default();
        let mut symbols: Vec<Symbol> =
            entries.iter().filter_map(|entry| function(object, entry)).collect();
        symbols.sort_unstable();
        Ok((!symbols.is_empty()).then_some(Self { object, strings, symbols }))
    }

    /// The name of the function that contains an address (in the file's own terms), as the linker knows it.
    pub(super) fn name(&self, address: u64) -> Option<String> {
        let symbol = self.containing(address)?;
        let name =
            self.object.read_text(self.strings, u64::from(symbol.name_offset), MAX_NAME_BYTES)?;
        // `function@@VERSION` is how a table says which version of a function this is.
        let plain = name.split('@').next().unwrap_or_default();
        (!plain.is_empty()).then(|| plain.to_owned())
    }

    fn containing(&self, address: u64) -> Option<&Symbol> {
        let after = self.symbols.partition_point(|symbol| symbol.address <= address);
        let before = &self.symbols[..after];
        let nearest = before.last()?.address;
        before.iter().rev().take(MAX_STEPS_BACK).find(|symbol| {
            let offset = address - symbol.address;
            if symbol.size > 0 {
                return offset < symbol.size;
            }
            let section = self.object.sections.get(usize::from(symbol.section));
            symbol.address == nearest && section.is_some_and(|section| section.contains(address))
        })
    }
}

fn function(object: &ObjectFile, entry: &Sym64<Endianness>) -> Option<Symbol> {
    let endian = Endianness::Little;
    let section = entry.st_shndx(endian);
    let rank = match entry.st_type() {
        elf::STT_FUNC | elf::STT_GNU_IFUNC => match entry.st_bind() {
            elf::STB_GLOBAL => 3,
            elf::STB_WEAK => 2,
            _ => 1,
        },
        elf::STT_NOTYPE => 0,
        _ => return None,
    };
    // Section numbers that mean "undefined", "absolute" and the like have no section behind them.
    let defined = section != elf::SHN_UNDEF && usize::from(section.0) < object.sections.len();
    let is_code = || object.sections[usize::from(section.0)].is_code();
    let name_offset = entry.st_name(endian);
    (defined && name_offset != 0 && is_code()).then(|| Symbol {
        address: entry.st_value(endian),
        rank: if entry.st_size(endian) > 0 { rank + 4 } else { rank },
        size: entry.st_size(endian),
        section: section.0,
        name_offset,
    })
}
