//! One module on disk: whether its file is still the one that ran, and what symbols it and its debug file have.
//!
//! Invariant: nothing is taken from a file with another build id than the module's. A module without a build id
//! cannot be told apart in this way; then a file written after the start of the run counts as another one.

use std::io;
use std::path::{Path, PathBuf};

use object::elf;

use super::dwarf::{DebugInfo, DebugSections};
use super::object_file::ObjectFile;
use super::split::PackageSections;
use super::symbol_table::SymbolTable;
use super::{SymbolSearch, locate};
use crate::model;

/// Why a module's own file gives no symbols.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// There is no file behind it: the kernel's own module, anonymous memory, a file that was deleted.
    NoFile,
    /// The module is known by a relative path, and the file that ran is not there from here.
    NotFound,
    /// The file cannot be opened or is no ELF file.
    Unreadable(String),
    /// The file is another one now.
    Replaced(String),
}

/// What a module's files have to say.
#[derive(Debug, Default)]
pub(super) struct ModuleFiles {
    /// Debug information, if there is any that can be read.
    pub(super) debug_info: Option<DebugInfo>,
    /// Why debug information that is there cannot be read.
    pub(super) damage: Option<String>,
    /// The separate debug file, if one was found.
    pub(super) debug_path: Option<PathBuf>,
    /// Files with symbol tables, the program itself first.
    objects: Vec<ObjectFile>,
}

impl ModuleFiles {
    /// Opens a module's files and reads the debug information. `run_start_ns` is 0 if it is not known.
    pub(super) fn open(
        module: &model::Module,
        run_start_ns: u64,
        search: &SymbolSearch,
    ) -> Result<Self, Trouble> {
        let object = open_module(module, run_start_ns)?;
        let mut files = Self::default();
        let has_debug_info = |object: &ObjectFile| {
            object.section(b".debug_info").is_some_and(|found| found.size > 0)
        };
        if !has_debug_info(&object)
            && let Some(debug) = locate::separate_debug_file(&object, search)
        {
            files.debug_path = Some(debug.path.clone());
            files.objects.push(debug);
        }
        files.objects.insert(0, object);
        if let Some(source) = files.objects.iter().find(|object| has_debug_info(object)) {
            match read_debug_info(source, &files.objects[0].path, search) {
                Ok(info) => files.debug_info = Some(info),
                Err(error) => files.damage = Some(error.to_string()),
            }
        }
        Ok(files)
    }

    /// The best symbol table there is: the full one of the program, that of its debug file, the dynamic one.
    pub(super) fn symbol_table(&self) -> Option<SymbolTable<'_>> {
        let read = |kind| {
            self.objects
                .iter()
                .find_map(move |object| SymbolTable::read(object, kind).ok().flatten())
        };
        read(elf::SHT_SYMTAB).or_else(|| read(elf::SHT_DYNSYM))
    }
}

fn read_debug_info(
    source: &ObjectFile,
    module: &Path,
    search: &SymbolSearch,
) -> io::Result<DebugInfo> {
    let main = DebugSections::read(source, |id| Some(id.name()))?;
    let supplementary = locate::supplementary_file(source, search);
    let lacks_supplementary =
        supplementary.is_none() && source.section(b".gnu_debugaltlink").is_some();
    let supplementary =
        supplementary.map(|file| DebugSections::read(&file, |id| Some(id.name()))).transpose()?;
    let package = PackageSections::read(module).or_else(|| PackageSections::read(&source.path));
    Ok(DebugInfo { main, supplementary, lacks_supplementary, package })
}

/// Opens a module's own file, if it is the one that ran.
pub(super) fn open_module(
    module: &model::Module,
    run_start_ns: u64,
) -> Result<ObjectFile, Trouble> {
    let (path, was_deleted) = match module.path.strip_suffix(" (deleted)") {
        Some(path) => (path, true),
        None => (module.path.as_str(), false),
    };
    // The kernel's module has no folder ("linux-vdso.so.1", "[vdso]"), anonymous memory has a made-up one.
    let made_up = ["[", "linux-vdso.so", "linux-gate.so", "/memfd:", "/dev/zero"];
    if path.is_empty() || made_up.iter().any(|start| path.starts_with(start)) {
        return Err(Trouble::NoFile);
    }
    if !path.starts_with('/') {
        return open_relative(path, &module.build_id, was_deleted);
    }
    let object = match ObjectFile::open(Path::new(path)) {
        Ok(object) => object,
        Err(_) if was_deleted => return Err(Trouble::NoFile),
        Err(error) => return Err(Trouble::Unreadable(error.to_string())),
    };
    if module.build_id.is_empty() {
        if run_start_ns != 0 && object.modified_ns > run_start_ns {
            return Err(Trouble::Replaced("it was written after the start of the run".to_owned()));
        }
    } else if object.build_id != module.build_id {
        return Err(Trouble::Replaced("its build id is another one".to_owned()));
    }
    Ok(object)
}

/// Opens a file by the path that the program used from a folder of its own, which may be another one than ours. So
/// only the build id can prove that it is the file that ran.
fn open_relative(path: &str, build_id: &[u8], was_deleted: bool) -> Result<ObjectFile, Trouble> {
    let object = ObjectFile::open(Path::new(path)).ok();
    let same = object.filter(|object| !build_id.is_empty() && object.build_id == build_id);
    same.ok_or(if was_deleted { Trouble::NoFile } else { Trouble::NotFound })
}
