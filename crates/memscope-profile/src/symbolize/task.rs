//! One thread's share of the work: frames for some addresses of one module.
//!
//! Debug information comes first; what it does not cover gets a function name from the symbol table. Addresses are
//! taken in order, so that neighbours find what was parsed for the one before.

use std::sync::{Arc, OnceLock};

use super::dwarf::Lookup;
use super::guard::Limits;
use super::learned::Learned;
use super::module::{ModuleFiles, Trouble};
use super::names::Names;
use super::split::DwoFiles;
use crate::model::{Frame, Module};

/// After so many addresses progress is told.
const PROGRESS_STEP: usize = 256;

/// A module whose addresses are asked for. Its files are opened by the first task that needs them and closed with
/// the last one.
#[derive(Debug)]
pub(super) struct Job {
    /// The module's place in the profile.
    pub(super) place: usize,
    pub(super) module: Module,
    files: OnceLock<Result<ModuleFiles, Trouble>>,
}

impl Job {
    pub(super) fn new(place: usize, module: Module) -> Self {
        Self { place, module, files: OnceLock::new() }
    }
}

/// An address to look up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wanted {
    /// In the file's own terms, within the instruction.
    pub(super) address: u64,
    /// Its place in the profile.
    pub(super) place: u32,
    /// Whether the allocator is so few calls away.
    pub(super) is_near_allocator: bool,
    /// If so, an address in what it calls, if that is in the same module.
    pub(super) inner: Option<u64>,
}

impl Wanted {
    /// An address of which it is not known what it calls.
    pub(super) fn new(address: u64, place: u32) -> Self {
        Self { address, place, is_near_allocator: false, inner: None }
    }
}

/// Some addresses of one module, sorted.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) job: Arc<Job>,
    pub(super) wanted: Vec<Wanted>,
}

/// What a task found.
#[derive(Debug)]
pub(super) struct Found {
    /// The module's place in the profile.
    pub(super) module: usize,
    /// Why the module has no symbols at all.
    pub(super) trouble: Option<Trouble>,
    /// The separate debug file that was used.
    pub(super) debug_path: String,
    /// Whether the module has debug information that can be read, of whatever part.
    pub(super) has_debug_info: bool,
    /// What is wrong with the debug information, and for how many addresses it could not be used.
    pub(super) damage: Option<(String, usize)>,
    /// The frames of each address: its place in the profile, the first frame, how many.
    pub(super) runs: Vec<(u32, usize, usize)>,
    /// Numbers in them are those of `names`.
    pub(super) frames: Vec<Frame>,
    pub(super) names: Names,
    /// For each run, whether debug information covers the address.
    pub(super) covered: Vec<bool>,
    /// For each run, the sizes of types that its functions say.
    pub(super) learned: Learned,
    /// Whether there is nothing more to be had: all debug information was there, whole, and read.
    pub(super) is_complete: bool,
    /// Addresses asked for.
    pub(super) asked: usize,
    /// Addresses for which debug information gave a function.
    pub(super) by_debug_info: usize,
}

impl Found {
    /// Nothing yet, and room for `max_bytes` of names.
    pub(super) fn new(module: usize, max_bytes: usize) -> Self {
        Self {
            module,
            trouble: None,
            debug_path: String::new(),
            has_debug_info: false,
            damage: None,
            runs: Vec::new(),
            frames: Vec::new(),
            names: Names::new(max_bytes),
            covered: Vec::new(),
            learned: Learned::default(),
            is_complete: false,
            asked: 0,
            by_debug_info: 0,
        }
    }
}

impl Task {
    /// Looks up all addresses. `advance` is told how many more are done. `open` opens the module's files.
    pub(super) fn run(
        self,
        open: impl FnOnce(&Module) -> Result<ModuleFiles, Trouble>,
        advance: impl Fn(usize),
    ) -> Found {
        let job = &self.job;
        let files = job.files.get_or_init(|| open(&job.module));
        let debug_bytes = match files {
            Ok(files) => files.debug_info.as_ref().map_or(0, |info| info.size_bytes()),
            Err(_) => 0,
        };
        // Distinct names cannot be longer than what they are read from, but demangled and joined with folders.
        let max_bytes = usize::try_from(debug_bytes).unwrap_or(usize::MAX).saturating_mul(2);
        let mut found = Found::new(job.place, max_bytes.saturating_add(64 << 20));
        found.asked = self.wanted.len();
        match files {
            Ok(files) => {
                if let Some(path) = &files.debug_path {
                    found.debug_path = path.to_string_lossy().into_owned();
                }
                found.has_debug_info = files.debug_info.is_some();
                found.damage = files.damage.clone().map(|damage| (damage, self.wanted.len()));
                let has_all = self.use_debug_info(files, &mut found, &advance);
                self.use_symbol_table(files, &mut found);
                found.is_complete = has_all
                    && files.debug_info.as_ref().is_some_and(|info| !info.lacks_supplementary)
                    && found.damage.is_none()
                    && !found.names.is_full();
            }
            Err(trouble) => {
                found.trouble = Some(trouble.clone());
                advance(self.wanted.len());
            }
        }
        found
    }

    /// Fills in one run for each address, empty where debug information does not cover it. Whether all parts of the debug
    /// information were there.
    fn use_debug_info(
        &self,
        files: &ModuleFiles,
        found: &mut Found,
        advance: &impl Fn(usize),
    ) -> bool {
        let limits = Limits::new(files.debug_info.as_ref().map_or(0, |info| info.size_bytes()));
        let dwo_files = DwoFiles::new(self.job.module.path.as_ref());
        let mut damaged = 0;
        let mut damage = None;
        let mut lookup = None;
        match files.debug_info.as_ref().map(|info| Lookup::new(info, &limits, &dwo_files)) {
            Some(Ok(made)) => lookup = Some(made),
            Some(Err(error)) => (damaged, damage) = (self.wanted.len(), Some(error)),
            None => {}
        }
        for (number, wanted) in self.wanted.iter().enumerate() {
            let start = found.frames.len();
            let looked_up = lookup.as_mut().map(|lookup| {
                lookup.frames(wanted, &mut found.names, &mut found.frames, &mut found.learned)
            });
            found.learned.end_run();
            if let Some(Err(error)) = looked_up {
                damaged += 1;
                damage = Some(error);
            }
            let frames = &found.frames[start..];
            // Line tables alone know the file and line of a function that they do not name.
            let is_known = |frame: &Frame| frame.function != 0 || frame.file != 0;
            let is_covered = frames.iter().any(is_known);
            found.by_debug_info += usize::from(is_covered);
            found.covered.push(is_covered);
            found.runs.push((wanted.place, start, frames.len()));
            if (number + 1) % PROGRESS_STEP == 0 {
                advance(PROGRESS_STEP);
            }
        }
        advance(self.wanted.len() % PROGRESS_STEP);
        if let Some(error) = damage {
            let reason = if limits.are_reached() {
                "it goes in circles".to_owned()
            } else {
                error.to_string()
            };
            found.damage = Some((reason, damaged));
        }
        !dwo_files.are_missing()
    }

    /// Names the outermost function, the one that the linker knows, where debug information does not say how the
    /// linker calls it: it has no name there, or only the bare one that line tables keep (`push<u8>`).
    fn use_symbol_table(&self, files: &ModuleFiles, found: &mut Found) {
        let outermost = |found: &Found, run: (u32, usize, usize)| {
            found.frames[run.1..run.1 + run.2].last().copied()
        };
        let lacks = |frame: Option<Frame>| frame.is_none_or(|frame| frame.symbol == 0);
        if !found.runs.iter().any(|&run| lacks(outermost(found, run))) {
            return;
        }
        let Some(table) = files.symbol_table() else { return };
        for number in 0..found.runs.len() {
            let (place, start, len) = found.runs[number];
            let known = outermost(found, found.runs[number]);
            let raw = if lacks(known) { table.name(self.wanted[number].address) } else { None };
            let Some(raw) = raw else { continue };
            let bare = known.and_then(|frame| found.names.get(frame.function).map(str::to_owned));
            let function = found.names.function(&raw, || bare);
            match known {
                None => {
                    found.runs[number] = (place, found.frames.len(), 1);
                    found.frames.push(Frame {
                        function: function.name,
                        symbol: function.symbol,
                        ..Frame::default()
                    });
                }
                // A name that is not mangled says no more than the debug information, and may be a clone's (`f.cold`).
                Some(frame) if frame.function == 0 || function.symbol != 0 => {
                    found.frames[start + len - 1] =
                        Frame { function: function.name, symbol: function.symbol, ..frame };
                }
                Some(_) => {}
            }
        }
    }
}
