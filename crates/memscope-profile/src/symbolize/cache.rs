//! A folder that remembers what debug information said of addresses, by build: a build that is looked at again need not
//! have its debug information read again.
//!
//! One file for each build, `<build id>.<version>.names`. It saves time, and changes nothing else: only the addresses that
//! a module's own file still stands for are answered from it, and only what was whole is kept.
//!
//! Invariants: a file is whole or absent, since it is written under another name and renamed, so that runs at the same
//! time do not meet; what cannot be read, is damaged, of another version or of another build counts as absent and is
//! written anew; the folder is kept within its bound by removing what was used least recently; nothing that goes wrong with
//! it is anybody's error. Deliberately absent: modules without a build id, which nothing tells apart, and modules without
//! debug information, which cost little.

use std::fs::{self, OpenOptions};
use std::io::{self, BufReader, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use super::known::Known;
use super::object_file::open_regular;
use crate::sealed::Seal;

/// Raised when what is kept, or how functions are named, changes.
const VERSION: u32 = 2;

/// What is known of one build is no larger. (Ten thousand addresses take about a twentieth of it.)
const MAX_BODY_BYTES: u64 = 64 << 20;

/// How large the folder may become, unless somebody says otherwise.
const MAX_FOLDER_BYTES: u64 = 256 << 20;

/// Shorter build ids are not made from the contents of a file.
const BUILD_ID_BYTES: std::ops::RangeInclusive<usize> = 8..=64;

/// What a writer that was ended left behind is removed after this.
const ABANDONED: Duration = Duration::from_secs(3600);

const ENDING: &str = ".names";

const SEAL: Seal = Seal {
    magic: *b"\x89msnames",
    version: VERSION,
    kind: "a file of names",
    max_body_bytes: MAX_BODY_BYTES,
};

/// A folder that remembers names. See [`super::SymbolSearch::cache`].
///
/// ```
/// use memscope_profile::symbolize::{NameCache, SymbolSearch};
///
/// let cache = NameCache { max_bytes: 64 << 20, ..NameCache::new("/var/cache/shop".into()) };
/// let search = SymbolSearch { cache: Some(cache), ..SymbolSearch::default() };
/// assert_eq!(search.cache.unwrap().max_bytes, 64 << 20);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameCache {
    /// The folder; it is made when it is first needed.
    pub folder: PathBuf,
    /// How many bytes its files may have together.
    pub max_bytes: u64,
}

impl NameCache {
    /// A cache in that folder, of the usual size. 256 MiB, that is. Touches nothing on the disk.
    ///
    /// ```
    /// use memscope_profile::symbolize::NameCache;
    ///
    /// assert_eq!(NameCache::new("/var/cache/shop".into()).max_bytes, 256 << 20);
    /// ```
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, max_bytes: MAX_FOLDER_BYTES }
    }

    fn path(&self, build_id: &[u8]) -> Option<PathBuf> {
        let hex: String = build_id.iter().map(|byte| format!("{byte:02x}")).collect();
        let is_build = BUILD_ID_BYTES.contains(&build_id.len());
        is_build.then(|| {
            self.folder.join(format!("{hex}.{}.{VERSION}{ENDING}", env!("CARGO_PKG_VERSION")))
        })
    }

    /// What is known of a build; `None` if nothing is, or nothing that can be used.
    pub(super) fn load(&self, build_id: &[u8]) -> Option<Known> {
        let path = self.path(build_id)?;
        let (file, metadata) = open_regular(&path).ok()?;
        if metadata.len() > MAX_BODY_BYTES {
            return None;
        }
        // Its age says when it was last of use. Whether that can be noted is not important.
        let _ = file.set_modified(SystemTime::now());
        let body = SEAL.read(BufReader::new(file), "").ok()?;
        Known::decode(&body, build_id)
    }

    /// Keeps what is known of a build, if that is not too much. Whether it could be kept changes nothing.
    pub(super) fn store(&self, build_id: &[u8], known: &Known) {
        if let Some(path) = self.path(build_id)
            && let Some(body) = known.encode().filter(|body| body.len() as u64 <= MAX_BODY_BYTES)
            && self.write(&path, &body).is_ok()
        {
            self.make_room(&path);
        }
    }

    fn write(&self, path: &Path, body: &[u8]) -> io::Result<()> {
        /// Tells threads of one process apart.
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let temporary = self.folder.join(format!(".{}-{number}{ENDING}", std::process::id()));
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)
            .and_then(|mut file| {
                let mut stored = Vec::new();
                SEAL.write(body, &mut stored)?;
                if stored.len() as u64 > self.max_bytes {
                    return Err(io::ErrorKind::FileTooLarge.into());
                }
                file.write_all(&stored)
            })
            .and_then(|()| fs::rename(&temporary, path));
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        written
    }

    /// Removes what was used least recently until the rest is within the bound. The newest is `kept`.
    fn make_room(&self, kept: &Path) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        let mut files = Vec::new();
        for entry in entries.flatten() {
            let Ok(metadata) = entry.metadata() else { continue };
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if !metadata.is_file() || !name.ends_with(ENDING) {
                continue;
            }
            let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            let is_abandoned = used.elapsed().is_ok_and(|age| age > ABANDONED);
            if !name.starts_with('.') {
                files.push((used, metadata.len(), entry.path()));
            } else if is_abandoned {
                let _ = fs::remove_file(entry.path());
            }
        }
        files.sort();
        let mut sum = files.iter().fold(0, |sum: u64, file| sum.saturating_add(file.1));
        for (_, bytes, path) in files.iter().filter(|file| file.2 != kept) {
            if sum <= self.max_bytes {
                break;
            }
            if fs::remove_file(path).is_ok() {
                sum -= bytes;
            }
        }
    }
}
