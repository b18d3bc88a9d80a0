//! Where debug information lies when it is not in the program itself.
//!
//! In this order: under a debug directory by build id (`.build-id/ab/cdef….debug`), then by the name in the program's
//! `.gnu_debuglink`: beside the program, in `.debug` beside it, under a debug directory in the program's own folder; then
//! from elsewhere (see [`super::DebugFiles`]), by build id.
//!
//! Invariant: a file is taken only if it proves that it belongs: by the same build id, and where it was found by
//! name, by the CRC that the link names. Deliberately absent: the network.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::SymbolSearch;
use super::object_file::ObjectFile;

/// A link is a file name and a few bytes; a longer section is not one.
const MAX_LINK_BYTES: u64 = 1 << 13;

/// The separate debug file of an object, if one is there that belongs to it.
pub(super) fn separate_debug_file(
    object: &ObjectFile,
    search: &SymbolSearch,
) -> Option<ObjectFile> {
    by_build_id(&object.build_id, &search.debug_directories)
        .or_else(|| by_link(object, &search.debug_directories))
        .or_else(|| from_elsewhere(&object.build_id, search))
}

/// The file that holds what several debug files have in common (`.gnu_debugaltlink`), if `debug` names one.
pub(super) fn supplementary_file(debug: &ObjectFile, search: &SymbolSearch) -> Option<ObjectFile> {
    let (name, build_id) = split_name(link_section(debug, b".gnu_debugaltlink")?)?;
    let named = debug.path.parent()?.join(name);
    let named = ObjectFile::open(&named).ok().filter(|file| file.build_id == build_id);
    named
        .or_else(|| by_build_id(&build_id, &search.debug_directories))
        .or_else(|| from_elsewhere(&build_id, search))
}

fn from_elsewhere(build_id: &[u8], search: &SymbolSearch) -> Option<ObjectFile> {
    let elsewhere = search.elsewhere.as_deref().filter(|_| !build_id.is_empty())?;
    let file = ObjectFile::open(&elsewhere.find(build_id)?).ok()?;
    (file.build_id == build_id).then_some(file)
}

fn by_build_id(build_id: &[u8], debug_directories: &[PathBuf]) -> Option<ObjectFile> {
    let (first, rest) = build_id.split_first().filter(|(_, rest)| !rest.is_empty())?;
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let name = format!(".build-id/{first:02x}/{}.debug", hex(rest));
    debug_directories
        .iter()
        .filter_map(|directory| ObjectFile::open(&directory.join(&name)).ok())
        .find(|file| file.build_id == build_id)
}

fn by_link(object: &ObjectFile, debug_directories: &[PathBuf]) -> Option<ObjectFile> {
    let (name, rest) = split_name(link_section(object, b".gnu_debuglink")?)?;
    if name.components().count() != 1 || name.file_name() != Some(name.as_os_str()) {
        return None;
    }
    // The checksum stands at the next multiple of four.
    let padding = (4 - (name.as_os_str().len() + 1) % 4) % 4;
    let crc = u32::from_le_bytes(rest.get(padding..padding + 4)?.try_into().ok()?);

    // The program may have been started through a symbolic link, or lie in a folder that is one.
    let folder = object.path.parent()?.to_owned();
    let real = object.path.canonicalize().ok();
    let real_folder = real.as_deref().and_then(Path::parent).map(Path::to_owned);
    let mut folders = vec![folder];
    folders.extend(real_folder.filter(|real| *real != folders[0]));

    let mut candidates = Vec::new();
    for folder in &folders {
        candidates.push(folder.join(&name));
        candidates.push(folder.join(".debug").join(&name));
        for directory in debug_directories {
            candidates.push(directory.join(folder.strip_prefix("/").unwrap_or(folder)).join(&name));
        }
    }
    candidates.into_iter().filter_map(|path| ObjectFile::open(&path).ok()).find(|file| {
        let same_build = object.build_id.is_empty()
            || file.build_id.is_empty()
            || object.build_id == file.build_id;
        same_build && file.crc32().is_ok_and(|own| own == crc)
    })
}

fn link_section(object: &ObjectFile, name: &[u8]) -> Option<Vec<u8>> {
    let section = object.section(name).filter(|section| section.size <= MAX_LINK_BYTES)?;
    object.read_section(section).ok()
}

/// A file name up to a zero byte, and what follows it.
fn split_name(link: Vec<u8>) -> Option<(PathBuf, Vec<u8>)> {
    let end = link.iter().position(|&byte| byte == 0).filter(|&end| end > 0)?;
    Some((PathBuf::from(OsStr::from_bytes(&link[..end])), link[end + 1..].to_vec()))
}
