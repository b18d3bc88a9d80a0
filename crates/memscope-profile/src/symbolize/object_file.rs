//! An ELF file as symbolization needs it: its sections and build id, and bytes of it on demand.
//!
//! Invariants: only what is asked for is read, by positioned reads (the file is never mapped, so one that shrinks
//! while it is read gives an error and not a signal); nothing the file says about sizes is believed beyond the
//! file's own length, and a compressed section may grow only as far as its format can. Deliberately absent: what
//! a command wants to know before it starts a program (see [`crate::symbolize::program`]), DWARF, and files that
//! are not 64-bit little-endian ELF.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use object::elf::{self, FileHeader64};
use object::read::elf::{
    CompressionHeader, FileHeader, NoteIterator, ProgramHeader, SectionHeader,
};
use object::read::{CompressedData, CompressionFormat, ReadCache};
use object::{Endianness, pod};

/// More sections than this no linker makes; a file that claims them is not worth the memory.
const MAX_SECTIONS: usize = 1 << 16;

/// Notes are small; a larger note section or segment is not looked at.
const MAX_NOTE_BYTES: u64 = 1 << 20;

/// How far a compressed section may grow, per compressed byte. Deflate cannot exceed 1032.
const MAX_INFLATION: u64 = 1032;

/// A section's place in its file.
#[derive(Debug, Clone)]
pub(super) struct Section {
    pub(super) name: Vec<u8>,
    pub(super) kind: elf::SectionType,
    pub(super) flags: elf::SectionFlags,
    pub(super) address: u64,
    pub(super) offset: u64,
    pub(super) size: u64,
    /// The number of the section it refers to (a symbol table's strings).
    pub(super) link: usize,
}

impl Section {
    /// Whether the section holds instructions.
    pub(super) fn is_code(&self) -> bool {
        self.flags.contains(elf::SHF_EXECINSTR)
    }

    /// Whether `address`, in the file's own terms, lies in the section.
    pub(super) fn contains(&self, address: u64) -> bool {
        address.checked_sub(self.address).is_some_and(|offset| offset < self.size)
    }
}

/// An open ELF file.
#[derive(Debug)]
pub(super) struct ObjectFile {
    pub(super) path: PathBuf,
    pub(super) sections: Vec<Section>,
    /// Empty if it has none.
    pub(super) build_id: Vec<u8>,
    /// When its contents were last written, in nanoseconds since the Unix epoch; 0 if not known.
    pub(super) modified_ns: u64,
    file: File,
    size_bytes: u64,
}

/// Opens a file for reading if it is an ordinary one. (Opening a pipe would wait for its writer.)
pub(super) fn open_regular(path: &Path) -> io::Result<(File, fs::Metadata)> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    Ok((file, metadata))
}

/// What is wrong with a file, as an error.
pub(super) fn invalid(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}

impl ObjectFile {
    /// Reads the headers of the file at `path`: a few dozen small reads.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let (file, metadata) = open_regular(path)?;
        let (sections, build_id) = read_headers(&file)?;
        let modified_ns = metadata
            .modified()
            .ok()
            .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok())
            .and_then(|since| u64::try_from(since.as_nanos()).ok())
            .unwrap_or(0);
        Ok(Self {
            path: path.to_owned(),
            sections,
            build_id,
            modified_ns,
            file,
            size_bytes: metadata.len(),
        })
    }

    /// The section of that name, if it has bytes in the file.
    pub(super) fn section(&self, name: &[u8]) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name && section.kind != elf::SHT_NOBITS)
    }

    /// The bytes of a section, inflated if they are compressed.
    pub(super) fn read_section(&self, section: &Section) -> io::Result<Vec<u8>> {
        let bytes = self.read(section.offset, section.size)?;
        if !section.flags.contains(elf::SHF_COMPRESSED) {
            return Ok(bytes);
        }
        inflate(&bytes)
    }

    /// Bytes of the file. The length is checked against the file's before any memory is taken.
    pub(super) fn read(&self, offset: u64, size_bytes: u64) -> io::Result<Vec<u8>> {
        let end = offset.checked_add(size_bytes).filter(|&end| end <= self.size_bytes);
        if end.is_none() {
            return Err(invalid("a section reaches beyond the end of the file"));
        }
        let size = usize::try_from(size_bytes).map_err(|_| invalid("a section is too large"))?;
        let mut bytes = vec![0; size];
        self.file.read_exact_at(&mut bytes, offset)?;
        Ok(bytes)
    }

    /// A text that ends in a zero byte, found in the section `strings` at `offset`, if it has at most `max_bytes`.
    pub(super) fn read_text(
        &self,
        strings: &Section,
        offset: u64,
        max_bytes: usize,
    ) -> Option<String> {
        let mut text = Vec::new();
        let mut at = strings.offset.checked_add(offset)?;
        let end = strings.offset.checked_add(strings.size)?.min(self.size_bytes);
        while at < end && text.len() <= max_bytes {
            let mut chunk = [0; 256];
            let size = chunk.len().min(usize::try_from(end - at).ok()?);
            let read = self.file.read_at(&mut chunk[..size], at).ok().filter(|&read| read > 0)?;
            match chunk[..read].iter().position(|&byte| byte == 0) {
                Some(place) => {
                    text.extend_from_slice(&chunk[..place]);
                    return Some(String::from_utf8_lossy(&text).into_owned());
                }
                None => text.extend_from_slice(&chunk[..read]),
            }
            at += read as u64;
        }
        None
    }

    /// The CRC-32 of the whole file.
    pub(super) fn crc32(&self) -> io::Result<u32> {
        let mut hasher = crc32fast::Hasher::new();
        let mut chunk = vec![0; 1 << 18];
        let mut at = 0;
        loop {
            let read = self.file.read_at(&mut chunk, at)?;
            if read == 0 {
                return Ok(hasher.finalize());
            }
            hasher.update(&chunk[..read]);
            at += read as u64;
        }
    }
}

fn read_headers(file: &File) -> io::Result<(Vec<Section>, Vec<u8>)> {
    let cache = ReadCache::new(file);
    let data = &cache;
    let header = FileHeader64::<Endianness>::parse(data)
        .map_err(|_| invalid("it is not a 64-bit ELF file"))?;
    let endian = header.endian().ok().filter(|&endian| endian == Endianness::Little);
    let endian = endian.ok_or_else(|| invalid("it is not a little-endian ELF file"))?;
    let damaged =
        |error: object::read::Error| invalid(format!("its ELF headers are damaged: {error}"));

    let table = header.sections(endian, data).map_err(damaged)?;
    if table.len() > MAX_SECTIONS {
        return Err(invalid("its ELF headers are damaged: it claims too many sections"));
    }
    let mut sections = Vec::with_capacity(table.len());
    let mut build_id = Vec::new();
    for header in table.iter() {
        sections.push(Section {
            name: table.section_name(endian, header).unwrap_or_default().to_vec(),
            kind: header.sh_type(endian),
            flags: header.sh_flags(endian),
            address: header.sh_addr(endian),
            offset: header.sh_offset(endian),
            size: header.sh_size(endian),
            link: header.sh_link(endian) as usize,
        });
        // A debug file keeps its notes as sections while its segments point nowhere, so sections come first.
        if build_id.is_empty()
            && header.sh_size(endian) <= MAX_NOTE_BYTES
            && let Ok(Some(notes)) = header.notes(endian, data)
        {
            build_id = find_build_id(endian, notes);
        }
    }
    for segment in header.program_headers(endian, data).unwrap_or_default() {
        if build_id.is_empty()
            && segment.p_filesz(endian) <= MAX_NOTE_BYTES
            && let Ok(Some(notes)) = segment.notes(endian, data)
        {
            build_id = find_build_id(endian, notes);
        }
    }
    Ok((sections, build_id))
}

fn find_build_id(endian: Endianness, notes: NoteIterator<'_, FileHeader64<Endianness>>) -> Vec<u8> {
    notes
        .map_while(Result::ok)
        .find(|note| {
            note.name() == elf::ELF_NOTE_GNU && note.n_type(endian) == elf::NT_GNU_BUILD_ID
        })
        .map(|note| note.desc().to_vec())
        .unwrap_or_default()
}

fn inflate(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let (header, data) = pod::from_bytes::<elf::CompressionHeader64<Endianness>>(bytes)
        .map_err(|()| invalid("a compressed section is too short"))?;
    let format = match header.ch_type(Endianness::Little) {
        elf::ELFCOMPRESS_ZLIB => CompressionFormat::Zlib,
        elf::ELFCOMPRESS_ZSTD => CompressionFormat::Zstandard,
        _ => return Err(invalid("a section is compressed in an unknown way")),
    };
    let uncompressed_size = header.ch_size(Endianness::Little);
    if uncompressed_size > (data.len() as u64).saturating_mul(MAX_INFLATION) {
        return Err(invalid("a compressed section claims an impossible size"));
    }
    let inflated = CompressedData { format, data, uncompressed_size }.decompress();
    Ok(inflated
        .map_err(|error| invalid(format!("a compressed section is damaged: {error}")))?
        .into_owned())
}

/// The build id of the ELF file at `path`: the bytes that its linker made from its contents.
///
/// `None` if the file cannot be read, is no 64-bit ELF file or has no build id. Costs a few dozen small reads,
/// however large the file is.
///
/// ```
/// let own = std::env::current_exe()?;
/// if let Some(id) = memscope_profile::symbolize::build_id(&own) {
///     assert!(!id.is_empty());
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn build_id(path: &Path) -> Option<Vec<u8>> {
    ObjectFile::open(path).ok().map(|object| object.build_id).filter(|id| !id.is_empty())
}
