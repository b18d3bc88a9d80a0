//! From an address to its frames by debug information: function, inlined functions, file, line, column.
//!
//! [`DebugSections`] is the part of a file's debug information that this needs, in memory and shared by threads;
//! [`Lookup`] is one thread's view of it, which keeps what it has parsed.
//!
//! Invariants: all reading is bounded (see [`super::guard`]); an error at one address says nothing about the next
//! one. Deliberately absent: variables, and types but for
//! the sizes of those that functions have as generic arguments.

use std::collections::HashMap;
use std::io;

use addr2line::{Context, LookupContinuation, LookupResult};
use gimli::{DwarfPackage, DwarfSections, SectionId, UnitOffset};

use super::demangle::MAX_NAME_BYTES;
use super::guard::{Bounded, Limits};
use super::learned::Learned;
use super::names::Names;
use super::object_file::ObjectFile;
use super::split::{DwoFiles, PackageSections};
use super::task::Wanted;
use super::units::Units;
use crate::model::Frame;
use crate::types;

/// More functions than this are not inlined into one place by any compiler.
const MAX_FRAMES: usize = 1024;

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
    /// Whether such a file is named and is not there.
    pub(super) lacks_supplementary: bool,
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
    /// The sizes that functions say of their generic arguments, by name and file.
    seen: HashMap<(u32, u32), Vec<u32>>,
    /// The sizes of functions' own types, as above.
    owners_seen: HashMap<(u32, u32), Vec<u32>>,
    /// Whether the function around an address only asks for memory.
    asking_seen: HashMap<u64, bool>,
}

/// Whether a frame is that of a function which only asks for memory.
fn is_allocating(frame: Frame, names: &Names) -> bool {
    let text = |id| names.get(id).unwrap_or_default();
    types::is_allocating(text(frame.function), text(frame.symbol), text(frame.file))
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
        Ok(Self {
            context,
            limits,
            package,
            dwo_files,
            units: Units::default(),
            seen: HashMap::new(),
            owners_seen: HashMap::new(),
            asking_seen: HashMap::new(),
        })
    }

    /// Appends the frames at an address, the innermost first; none if it is not covered.
    /// On an error nothing is appended. The sizes of types that their functions say go to `learned`.
    pub(super) fn frames(
        &mut self,
        wanted: &Wanted,
        names: &mut Names,
        frames: &mut Vec<Frame>,
        learned: &mut Learned,
    ) -> gimli::Result<()> {
        let start = frames.len();
        let address = wanted.address;
        let result = self.append_frames(address, names, frames);
        match &result {
            Ok(entries) => {
                for (place, offset) in entries {
                    self.learn_sizes(frames[*place], address, *offset, names, learned);
                    // What it calls was inlined here, or else lies at an address of its own.
                    let asks = match place.checked_sub(1).filter(|inner| *inner >= start) {
                        Some(inner) => is_allocating(frames[inner], names),
                        None => wanted.inner.is_some_and(|inner| self.is_asking(inner, names)),
                    };
                    if asks {
                        self.learn_owner(frames[*place], address, *offset, names, learned);
                    }
                }
                if wanted.is_near_allocator
                    && let Some((_, offset)) = entries.last()
                {
                    self.learn_call(address, *offset, learned);
                }
            }
            Err(_) => frames.truncate(start),
        }
        if let Some((outermost, inner)) = frames[start..].split_last_mut() {
            inner.iter_mut().for_each(|frame| frame.inlined = true);
            outermost.inlined = false;
        }
        result.map(|_| ())
    }

    /// Whether the function around `address` only asks for memory.
    fn is_asking(&mut self, address: u64, names: &mut Names) -> bool {
        if let Some(known) = self.asking_seen.get(&address) {
            return *known;
        }
        let mut frames = Vec::new();
        let found = self.append_frames(address, names, &mut frames).is_ok();
        let is_asking = found && frames.last().is_some_and(|frame| is_allocating(*frame, names));
        self.asking_seen.insert(address, is_asking);
        is_asking
    }

    /// Gives the places of the frames whose functions have entries, and these.
    fn append_frames(
        &mut self,
        address: u64,
        names: &mut Names,
        frames: &mut Vec<Frame>,
    ) -> gimli::Result<Vec<(usize, UnitOffset)>> {
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
        let mut offsets = Vec::new();
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
            let offset = frame.dw_die_offset;
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
            offsets.extend(offset.map(|offset| (frames.len() - 1, offset)));
        }
        Ok(offsets)
    }

    /// Looks at the generic arguments of a function that may ask for memory of their type.
    fn learn_sizes(
        &mut self,
        frame: Frame,
        address: u64,
        offset: UnitOffset,
        names: &Names,
        learned: &mut Learned,
    ) {
        let Self { context, units, seen, .. } = self;
        let ids = seen.entry((frame.function, frame.file)).or_insert_with(|| {
            let text = |id| names.get(id).unwrap_or_default();
            let (name, symbol, file) = (text(frame.function), text(frame.symbol), text(frame.file));
            // In C++ the class has the argument.
            if let Some(text) = types::allocated_argument(name) {
                let bytes = units.owner_argument_bytes(context, address, offset);
                return bytes.map(|bytes| learned.id(text, bytes)).into_iter().collect();
            }
            let Some(texts) = types::value_arguments(name, symbol, file) else { return Vec::new() };
            let parameters = units.type_parameters(context, address, offset).unwrap_or_default();
            // Where a name leaves allocators out, the entry has them.
            let parameters =
                parameters.into_iter().filter(|it| !types::is_allocator_name(&it.name));
            let mut ids = Vec::new();
            for (text, parameter) in texts.iter().zip(parameters) {
                let element = types::array_element(text).zip(parameter.element_bytes);
                let whole = parameter.bytes.map(|bytes| (*text, bytes));
                let all = whole.into_iter().chain(element);
                ids.extend(all.map(|(text, bytes)| learned.id(text, bytes)));
            }
            ids
        });
        learned.push(ids);
    }

    /// Looks at what debug information says of the call before an address: it may say which type is allocated by it.
    fn learn_call(&mut self, address: u64, offset: UnitOffset, learned: &mut Learned) {
        let Self { context, units, .. } = self;
        let allocated = units.allocated_by_call(context, address, offset, address + 1);
        if let Some((name, bytes)) = allocated {
            let id = learned.id(&types::call_text(address, &name), bytes);
            learned.push(&[id]);
        }
    }

    /// Looks at the type that a function belongs to which asks for memory itself.
    fn learn_owner(
        &mut self,
        frame: Frame,
        address: u64,
        offset: UnitOffset,
        names: &Names,
        learned: &mut Learned,
    ) {
        let Self { context, units, owners_seen, .. } = self;
        let ids = owners_seen.entry((frame.function, frame.file)).or_insert_with(|| {
            let text = |id| names.get(id).unwrap_or_default();
            let (name, symbol, file) = (text(frame.function), text(frame.symbol), text(frame.file));
            let owner = types::own_type(name, symbol, file);
            let owned =
                owner.and_then(|it| Some((it, units.owner_bytes(context, address, offset)?)));
            owned.map(|(text, bytes)| learned.id(&text, bytes)).into_iter().collect()
        });
        learned.push(ids);
    }
}
