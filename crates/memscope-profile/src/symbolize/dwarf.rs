//! From an address to its frames by debug information: function, inlined functions, file, line, column.
//!
//! [`DebugSections`] is the part of a file's debug information that this needs, in memory and shared by threads;
//! [`Lookup`] is one thread's view of it, which keeps what it has parsed.
//!
//! Invariants: all reading is bounded (see [`super::guard`]); an error at one address says nothing about the next
//! one. Deliberately absent: types and variables.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use addr2line::{Context, LookupContinuation, LookupResult};
use gimli::{
    AttributeValue, DebugInfoOffset, Dwarf, DwarfFileType, DwarfPackage, DwarfSections, SectionId,
    Unit, UnitOffset, UnitRef,
};

use super::demangle::MAX_NAME_BYTES;
use super::guard::{Bounded, Limits};
use super::names::Names;
use super::object_file::ObjectFile;
use super::split::{DwoFiles, PackageSections};
use crate::model::Frame;

/// More functions than this are not inlined into one place by any compiler.
const MAX_FRAMES: usize = 1024;

/// How often a function's entry may refer to another for its name.
const MAX_REFERENCES: usize = 8;

/// The sections of one file that are needed to find functions and lines.
#[derive(Debug)]
pub(super) struct DebugSections {
    pub(super) sections: DwarfSections<Vec<u8>>,
    pub(super) size_bytes: u64,
}

impl DebugSections {
    /// Reads the sections of a file, or of a split one (`.dwo`) if `name_of` says so.
    pub(super) fn read(
        object: &ObjectFile,
        name_of: impl Fn(SectionId) -> Option<&'static str>,
    ) -> io::Result<Self> {
        let mut size_bytes = 0;
        let sections = DwarfSections::load(|id| -> io::Result<Vec<u8>> {
            let section = name_of(id)
                .filter(|_| is_needed(id))
                .and_then(|name| object.section(name.as_bytes()));
            let bytes = section.map_or(Ok(Vec::new()), |section| object.read_section(section))?;
            size_bytes += bytes.len() as u64;
            Ok(bytes)
        })?;
        Ok(Self { sections, size_bytes })
    }
}

/// Whether functions, inlined functions and lines are found with the section. (Locations of variables, types in
/// units of their own and macros are large and not needed.)
fn is_needed(id: SectionId) -> bool {
    !matches!(
        id,
        SectionId::DebugLoc
            | SectionId::DebugLocLists
            | SectionId::DebugTypes
            | SectionId::DebugMacro
            | SectionId::DebugMacinfo
            | SectionId::DebugNames
            | SectionId::DebugPubNames
            | SectionId::DebugPubTypes
            | SectionId::DebugFrame
            | SectionId::EhFrame
            | SectionId::EhFrameHdr
    )
}

/// All debug information of a module.
#[derive(Debug)]
pub(super) struct DebugInfo {
    /// Of the program itself or of its separate debug file.
    pub(super) main: DebugSections,
    /// What several debug files share.
    pub(super) supplementary: Option<DebugSections>,
    /// A `.dwp` file: the split parts of all units.
    pub(super) package: Option<PackageSections>,
}

impl DebugInfo {
    /// Bytes in memory.
    pub(super) fn size_bytes(&self) -> u64 {
        let package = self.package.as_ref().map_or(0, |package| package.size_bytes);
        self.main.size_bytes
            + self.supplementary.as_ref().map_or(0, |file| file.size_bytes)
            + package
    }
}

/// One thread's view of a module's debug information.
pub(super) struct Lookup<'a> {
    context: Context<Bounded<'a>>,
    limits: &'a Limits,
    package: Option<DwarfPackage<Bounded<'a>>>,
    dwo_files: &'a DwoFiles,
    units: Units<'a>,
}

impl<'a> Lookup<'a> {
    /// Reads the headers of all units: some hundredths of a second for 100 MB.
    pub(super) fn new(
        info: &'a DebugInfo,
        limits: &'a Limits,
        dwo_files: &'a DwoFiles,
    ) -> gimli::Result<Self> {
        let bounded = |bytes: &'a Vec<u8>| Bounded::new(bytes, limits);
        let mut dwarf = info.main.sections.borrow(bounded);
        if let Some(file) = &info.supplementary {
            dwarf.set_sup(file.sections.borrow(bounded));
        }
        let package = info.package.as_ref().and_then(|package| package.borrow(limits));
        let context = Context::from_dwarf(dwarf)?;
        Ok(Self { context, limits, package, dwo_files, units: Units::default() })
    }

    /// Appends the frames at `address` (in the file's own terms), the innermost first; none if it is not covered.
    /// On an error nothing is appended.
    pub(super) fn frames(
        &mut self,
        address: u64,
        names: &mut Names,
        frames: &mut Vec<Frame>,
    ) -> gimli::Result<()> {
        let start = frames.len();
        let result = self.append_frames(address, names, frames);
        if result.is_err() {
            frames.truncate(start);
        }
        if let Some((outermost, inner)) = frames[start..].split_last_mut() {
            inner.iter_mut().for_each(|frame| frame.inlined = true);
            outermost.inlined = false;
        }
        result
    }

    fn append_frames(
        &mut self,
        address: u64,
        names: &mut Names,
        frames: &mut Vec<Frame>,
    ) -> gimli::Result<()> {
        let start = frames.len();
        let mut lookup = self.context.find_frames(address);
        let mut found = loop {
            match lookup {
                LookupResult::Output(found) => break found?,
                LookupResult::Load { load, continuation } => {
                    let dwo = self.dwo_files.load(&load, self.package.as_ref(), self.limits);
                    lookup = continuation.resume(dwo);
                }
            }
        };
        while let Some(frame) = found.next()? {
            if frames.len() - start == MAX_FRAMES || self.limits.are_reached() {
                return Err(gimli::Error::Io);
            }
            let raw =
                frame.function.as_ref().and_then(|function| function.name.text(MAX_NAME_BYTES));
            let function = raw.map(|raw| {
                let debug_name =
                    || self.units.debug_name(&self.context, address, frame.dw_die_offset?);
                names.function(&raw, debug_name)
            });
            let location = frame.location.as_ref();
            frames.push(Frame {
                function: function.map_or(0, |function| function.name),
                symbol: function.map_or(0, |function| function.symbol),
                file: location
                    .and_then(|location| location.file)
                    .map_or(0, |file| names.text(file)),
                line: location.and_then(|location| location.line).unwrap_or(0),
                column: location.and_then(|location| location.column).unwrap_or(0),
                inlined: false,
            });
        }
        Ok(())
    }
}

/// Units that were parsed only because entries of other units refer to them (as link-time optimization makes them do).
#[derive(Default)]
struct Units<'a> {
    starts: OnceCell<Vec<DebugInfoOffset<usize>>>,
    parsed: HashMap<usize, Option<Arc<Unit<Bounded<'a>>>>>,
}

impl<'a> Units<'a> {
    /// The name (not the linker's) of the function whose entry is at `offset` in the unit that covers `address`.
    fn debug_name(
        &mut self,
        context: &Context<Bounded<'a>>,
        address: u64,
        offset: UnitOffset,
    ) -> Option<String> {
        let covering = context.find_dwarf_and_unit(address).skip_all_loads()?;
        let dwarf = covering.dwarf;
        let mut place = Place::Covering(offset);
        for _ in 0..MAX_REFERENCES {
            let (unit, offset) = match &place {
                Place::Covering(offset) => (covering, *offset),
                Place::Other(unit, offset) => (UnitRef::new(dwarf, unit), *offset),
            };
            let entry = unit.entry(offset).ok()?;
            if let Some(name) = entry.attr_value(gimli::DW_AT_name) {
                return Some(unit.attr_string(name).ok()?.text(MAX_NAME_BYTES)?.into_owned());
            }
            let origin = entry.attr_value(gimli::DW_AT_abstract_origin);
            place = match origin.or_else(|| entry.attr_value(gimli::DW_AT_specification))? {
                AttributeValue::UnitRef(next) => match place {
                    Place::Covering(_) => Place::Covering(next),
                    Place::Other(unit, _) => Place::Other(unit, next),
                },
                AttributeValue::DebugInfoRef(next) if dwarf.file_type == DwarfFileType::Main => {
                    let unit = self.containing(dwarf, next)?;
                    let offset = next.to_unit_offset(&unit.header)?;
                    Place::Other(unit, offset)
                }
                _ => return None,
            };
        }
        None
    }

    fn containing(
        &mut self,
        dwarf: &Dwarf<Bounded<'a>>,
        offset: DebugInfoOffset,
    ) -> Option<Arc<Unit<Bounded<'a>>>> {
        let starts = self.starts.get_or_init(|| {
            let mut headers = dwarf.units();
            let mut starts = Vec::new();
            while let Ok(Some(header)) = headers.next() {
                starts.extend(header.debug_info_offset());
            }
            starts
        });
        let start = starts[..starts.partition_point(|start| start.0 <= offset.0)].last()?;
        let parse = || dwarf.unit(dwarf.unit_header(*start).ok()?).ok().map(Arc::new);
        self.parsed.entry(start.0).or_insert_with(parse).clone()
    }
}

/// An entry: in the unit that covers the address, or in another one.
enum Place<'a> {
    Covering(UnitOffset),
    Other(Arc<Unit<Bounded<'a>>>, UnitOffset),
}
