//! Split debug information: units whose larger part lies in `.dwo` files of their own, or together in a `.dwp`.
//!
//! Invariant: a part is taken only if it carries the id that the program's own part names. A part that is missing
//! costs the names of functions in that unit (the symbol table has them), never an error.

use std::cell::{Cell, OnceCell};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use addr2line::SplitDwarfLoad;
use gimli::{Dwarf, DwarfPackage, DwarfPackageSections};

use super::dwarf::DebugSections;
use super::guard::{Bounded, Limits};
use super::object_file::ObjectFile;

/// So many `.dwo` files are read for one module and thread, at most.
const MAX_DWO_FILES: usize = 4096;

/// A `.dwp` file's sections.
#[derive(Debug)]
pub(super) struct PackageSections {
    sections: DwarfPackageSections<Vec<u8>>,
    pub(super) size_bytes: u64,
}

impl PackageSections {
    /// Reads the `.dwp` file that belongs to the program or debug file at `path`, if there is one: all sections,
    /// because its index refers to all of them.
    pub(super) fn read(path: &Path) -> Option<Self> {
        let mut name = path.file_name()?.to_owned();
        name.push(".dwp");
        let object = ObjectFile::open(&path.with_file_name(name)).ok()?;
        let mut size_bytes = 0;
        let sections = DwarfPackageSections::load(|id| -> gimli::Result<Vec<u8>> {
            let section = id.dwo_name().and_then(|name| object.section(name.as_bytes()));
            let bytes = section
                .map_or(Ok(Vec::new()), |section| object.read_section(section))
                .map_err(|_| gimli::Error::Io)?;
            size_bytes += bytes.len() as u64;
            Ok(bytes)
        });
        Some(Self { sections: sections.ok()?, size_bytes })
    }

    /// The package as a reader within `limits`.
    pub(super) fn borrow<'a>(&'a self, limits: &'a Limits) -> Option<DwarfPackage<Bounded<'a>>> {
        self.sections.borrow(|bytes| Bounded::new(bytes, limits), Bounded::new(&[], limits)).ok()
    }
}

/// The `.dwo` files that one thread has read. They stay, because what was parsed of them refers to their bytes.
#[derive(Debug)]
pub(super) struct DwoFiles {
    /// Relative names are taken from here if the folder in which the compiler ran is not known.
    folder: PathBuf,
    files: Vec<OnceCell<Box<DebugSections>>>,
    used: Cell<usize>,
    are_missing: Cell<bool>,
}

impl DwoFiles {
    /// None yet. `module` is the program's path.
    pub(super) fn new(module: &Path) -> Self {
        let folder = module.parent().unwrap_or(Path::new("/")).to_owned();
        Self {
            folder,
            files: (0..MAX_DWO_FILES).map(|_| OnceCell::new()).collect(),
            used: Cell::new(0),
            are_missing: Cell::new(false),
        }
    }

    /// Whether a part was asked for that is not there.
    pub(super) fn are_missing(&self) -> bool {
        self.are_missing.get()
    }

    /// The part that `load` asks for.
    pub(super) fn load<'a>(
        &'a self,
        load: &SplitDwarfLoad<Bounded<'a>>,
        package: Option<&DwarfPackage<Bounded<'a>>>,
        limits: &'a Limits,
    ) -> Option<Arc<Dwarf<Bounded<'a>>>> {
        let part = self.find(load, package, limits);
        self.are_missing.set(self.are_missing.get() || part.is_none());
        part
    }

    #[expect(
        clippy::arc_with_non_send_sync,
        reason = "addr2line asks for an Arc; it stays on this thread"
    )]
    fn find<'a>(
        &'a self,
        load: &SplitDwarfLoad<Bounded<'a>>,
        package: Option<&DwarfPackage<Bounded<'a>>>,
        limits: &'a Limits,
    ) -> Option<Arc<Dwarf<Bounded<'a>>>> {
        if let Some(Ok(Some(dwarf))) =
            package.map(|package| package.find_cu(load.dwo_id, &load.parent))
        {
            return Some(Arc::new(dwarf));
        }
        let as_path = |text: &Bounded<'a>| PathBuf::from(OsStr::from_bytes(text.bytes()));
        let mut path = self.folder.clone();
        path.extend(load.comp_dir.as_ref().map(as_path));
        path.push(as_path(load.path.as_ref()?));

        let place = self.files.get(self.used.get())?;
        self.used.set(self.used.get() + 1);
        let object = ObjectFile::open(&path).ok()?;
        let file = DebugSections::read(&object, gimli::SectionId::dwo_name).ok()?;
        limits.allow(file.size_bytes);
        let file = place.get_or_init(|| Box::new(file));
        let mut dwarf = file.sections.borrow(|bytes| Bounded::new(bytes, limits));
        dwarf.make_dwo(&load.parent);
        let header = dwarf.units().next().ok()??;
        let id = dwarf.unit(header).ok()?.dwo_id;
        (id == Some(load.dwo_id)).then(|| Arc::new(dwarf))
    }
}
