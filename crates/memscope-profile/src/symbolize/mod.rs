//! From addresses to functions, files and lines.
//!
//! ```text
//! module -> file (same build id?) -> debug file -> DWARF --- frames --+-> Profile
//!                  |                                 | not covered     |
//!                  +-> symbol table ------------- function name -------+
//!                  +-> cache of an earlier look at the same build -----+
//! ```
//!
//! Invariants: symbols come only from the file that ran; damaged files cost names, never a panic, a hang or memory
//! out of proportion; the result does not depend on the number of threads, nor on what is remembered. Deliberately absent: names of types and
//! variables, and the network: who wants files from elsewhere brings a [`DebugFiles`].

mod cache;
mod demangle;
mod dwarf;
mod earlier;
mod guard;
mod known;
mod learned;
mod locate;
mod module;
mod names;
mod object_file;
mod owner;
pub mod program;
mod split;
mod symbol_table;
mod task;
mod units;
mod warning;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::model::{Address, Frame, Module, Profile, StringId, Symbols};
use crate::types;
pub use cache::NameCache;
pub use earlier::KnownSymbols;
use known::{Known, KnownBuilder};
use module::ModuleFiles;
pub use object_file::build_id;
use task::{Found, Job, Task, Wanted};
use warning::Outcome;

/// A module's addresses are split between threads only if each gets so many: every thread reads all unit headers.
const MIN_SPLIT_ADDRESSES: usize = 1024;

/// What is known of one build is kept up to so many addresses; then it is begun anew.
const MAX_REMEMBERED: usize = 250_000;

/// Without optimization so many calls lie between a function that asks the allocator and the allocator.
const CALLS_TO_ALLOCATOR: usize = 4;

/// Where debug files come from that are not on this machine yet.
///
/// ```
/// use memscope_profile::symbolize::{DebugFiles, SymbolSearch};
/// use std::{path::PathBuf, sync::Arc};
///
/// #[derive(Debug)]
/// struct Folder(PathBuf);
///
/// impl DebugFiles for Folder {
///     fn find(&self, build_id: &[u8]) -> Option<PathBuf> {
///         let name: String = build_id.iter().map(|byte| format!("{byte:02x}")).collect();
///         Some(self.0.join(name)).filter(|path| path.exists())
///     }
/// }
///
/// let elsewhere: Arc<dyn DebugFiles> = Arc::new(Folder("/srv/debug".into()));
/// assert_eq!(elsewhere.find(&[0xab, 0xcd]), None); // there is no such file
/// let search = SymbolSearch { elsewhere: Some(elsewhere), ..SymbolSearch::default() };
/// # let _ = search;
/// ```
pub trait DebugFiles: fmt::Debug + Send + Sync {
    /// A file with the debug information of the build with this id, if it can be had. It may take its time; it is asked
    /// by several threads, and once for each file that lacks debug information. What it gives is used only if it has the
    /// same build id.
    ///
    /// ```
    /// # use memscope_profile::symbolize::DebugFiles;
    /// # use std::path::PathBuf;
    /// #[derive(Debug)]
    /// struct Nowhere;
    ///
    /// impl DebugFiles for Nowhere {
    ///     fn find(&self, _build_id: &[u8]) -> Option<PathBuf> {
    ///         None
    ///     }
    /// }
    ///
    /// assert_eq!(Nowhere.find(&[1, 2, 3]), None);
    /// ```
    fn find(&self, build_id: &[u8]) -> Option<PathBuf>;
}

/// Where to look for symbols, and how hard.
///
/// ```
/// use memscope_profile::symbolize::SymbolSearch;
///
/// let search = SymbolSearch { threads: 1, ..SymbolSearch::default() };
/// assert_eq!(search.debug_directories, [std::path::PathBuf::from("/usr/lib/debug")]);
/// ```
#[derive(Clone, Debug)]
pub struct SymbolSearch {
    /// Folders with separate debug files. By default `/usr/lib/debug`.
    pub debug_directories: Vec<PathBuf>,
    /// Asked for what is in none of the folders. By default nobody is.
    pub elsewhere: Option<Arc<dyn DebugFiles>>,
    /// Remembers what was found, so that a build is looked at once. By default nothing is remembered.
    pub cache: Option<NameCache>,
    /// How many threads may work at once; at least one does. By default as many as there are processors, at most 8.
    pub threads: usize,
}

impl Default for SymbolSearch {
    fn default() -> Self {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        Self {
            debug_directories: vec![PathBuf::from("/usr/lib/debug")],
            elsewhere: None,
            cache: None,
            threads: processors.min(8),
        }
    }
}

/// How far symbolization has come.
///
/// ```
/// use memscope_profile::symbolize::Progress;
///
/// let percent = |progress: Progress| 100 * progress.done / progress.total.max(1);
/// assert_eq!(percent(Progress { done: 50, total: 200 }), 25);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// How many addresses were looked up.
    pub done: usize,
    /// How many addresses are to be looked up.
    pub total: usize,
}

/// Names the functions at the profile's addresses.
///
/// Fills in the frames of every address that has none yet, with their strings, and for each module with such an
/// address what could be had of its symbols; adds at most one warning for a module. A profile symbolized before is
/// left as it is. `progress` is told now and then, from several threads, and once at the end.
///
/// Takes about half a second for 10,000 addresses in 90 MB of debug information, and memory in proportion to the
/// debug information of the modules that are being read at once (one for each thread). It never fails: what has no name has
/// a warning.
///
/// ```
/// use memscope_profile::Region;
/// use memscope_profile::model::End;
/// use memscope_profile::symbolize::{SymbolSearch, symbolize};
/// use memscope_rs::Memscope;
///
/// #[global_allocator]
/// static ALLOC: Memscope = Memscope::system().in_file(c"/tmp/shop.region");
///
/// let kept = vec![0_u8; 1000];
/// let path = format!("/tmp/shop.region.{}", std::process::id());
/// let region = Region::open_path(path.as_ref())?;
/// let mut profile = region.read(End::Running)?.profile;
/// symbolize(&mut profile, &SymbolSearch::default(), &|_| ());
/// assert!(profile.strings.iter().any(|text| text.contains("main")));
/// # std::fs::remove_file(path).ok();
/// # drop(kept);
/// # Ok::<(), memscope_profile::FileError>(())
/// ```
pub fn symbolize(
    profile: &mut Profile,
    search: &SymbolSearch,
    progress: &(dyn Fn(Progress) + Sync),
) {
    let by_module = wanted(profile, 0);
    if by_module.iter().all(Vec::is_empty) {
        return;
    }
    let mut known = KnownSymbols::default();
    look_up(profile, by_module, search, progress, &mut known);
    types::assign(profile, &known.sizes);
}

/// As [`symbolize`], for a process that is looked at again and again: what earlier looks found is taken from `known`,
/// and only addresses that are new are looked up. The result is the same. The profile must have no symbols yet. The first
/// look costs as [`symbolize`], a later one as far as there are new addresses.
///
/// ```
/// use memscope_profile::Region;
/// use memscope_profile::model::End;
/// use memscope_profile::symbolize::{KnownSymbols, SymbolSearch, symbolize_again};
/// use memscope_rs::Memscope;
///
/// #[global_allocator]
/// static ALLOC: Memscope = Memscope::system().in_file(c"/tmp/shop.region");
///
/// let kept = vec![0_u8; 1000];
/// let path = format!("/tmp/shop.region.{}", std::process::id());
/// let region = Region::open_path(path.as_ref())?;
/// let mut known = KnownSymbols::default();
/// let mut look = || {
///     let mut profile = region.read(End::Running)?.profile;
///     symbolize_again(&mut profile, &mut known, &SymbolSearch::default(), &|_| ());
///     Ok::<_, memscope_profile::FileError>(profile.frames.len())
/// };
/// assert!(look()? > 0 && look()? > 0);
/// # std::fs::remove_file(path).ok();
/// # drop(kept);
/// # Ok::<(), memscope_profile::FileError>(())
/// ```
pub fn symbolize_again(
    profile: &mut Profile,
    known: &mut KnownSymbols,
    search: &SymbolSearch,
    progress: &(dyn Fn(Progress) + Sync),
) {
    let first_new = known.recall(profile);
    let by_module = wanted(profile, first_new);
    look_up(profile, by_module, search, progress, known);
    known.keep(profile);
    types::assign(profile, &known.sizes);
}

/// Looks up the addresses, and enters into the profile what was found now and before.
fn look_up(
    profile: &mut Profile,
    mut by_module: Vec<Vec<Wanted>>,
    search: &SymbolSearch,
    progress: &(dyn Fn(Progress) + Sync),
    earlier: &mut KnownSymbols,
) {
    let run_start_ns = profile.run.start_ns;
    let total = by_module.iter().map(Vec::len).sum();
    let done = AtomicUsize::new(0);
    let advance = |addresses| {
        if addresses > 0 {
            let done = done.fetch_add(addresses, Ordering::Relaxed) + addresses;
            progress(Progress { done, total });
        }
    };
    let mut found = Vec::new();
    let mut remembered = HashMap::new();
    if let Some(cache) = &search.cache {
        for (place, wanted) in by_module.iter_mut().enumerate().filter(|(_, all)| !all.is_empty()) {
            let module = &profile.modules[place];
            let Some(known) = remember(cache, module, run_start_ns) else { continue };
            let mut answered = Found::new(place, usize::MAX);
            *wanted = known.answer(wanted, &mut answered);
            if answered.asked > 0 {
                answered.has_debug_info = true;
                answered.debug_path.clone_from(&known.debug_path);
                advance(answered.asked);
                found.push(answered);
            }
            remembered.insert(place, known);
        }
    }
    let tasks = plan(profile, by_module, search.threads.max(1));
    let asked: Vec<_> = tasks.iter().map(|task| task.wanted.clone()).collect();
    let run =
        |task: Task| task.run(|module| ModuleFiles::open(module, run_start_ns, search), advance);
    let looked_up = run_all(tasks, search.threads.max(1), &run);
    if let Some(cache) = &search.cache {
        keep(cache, profile, &asked, &looked_up, &remembered);
    }
    found.extend(looked_up);
    for found in &found {
        for (text, bytes) in found.learned.sizes() {
            earlier.sizes.insert(found.module as u32 + 1, text, Some(bytes));
        }
    }
    merge(profile, found, &mut earlier.outcomes);
}

/// What a cache knows of a module whose file is still there. (Who looks at a file that was replaced is told so, whatever
/// is remembered.)
fn remember(cache: &NameCache, module: &Module, run_start_ns: u64) -> Option<Known> {
    let known = cache.load(&module.build_id)?;
    module::open_module(module, run_start_ns).ok().map(|_| known)
}

/// Keeps what was looked up, with what was known before. `asked` has the addresses of each of `found`.
fn keep(
    cache: &NameCache,
    profile: &Profile,
    asked: &[Vec<Wanted>],
    found: &[Found],
    remembered: &HashMap<usize, Known>,
) {
    let mut builders: HashMap<usize, KnownBuilder> = HashMap::new();
    for (wanted, found) in asked.iter().zip(found).filter(|(_, found)| found.is_complete) {
        let build_id = &profile.modules[found.module].build_id;
        let builder = builders.entry(found.module);
        builder
            .or_insert_with(|| KnownBuilder::new(build_id, &found.debug_path))
            .add(wanted, found);
    }
    for (place, mut builder) in builders {
        if let Some(known) = remembered.get(&place).filter(|it| it.len() < MAX_REMEMBERED) {
            builder.add_known(known);
        }
        cache.store(&profile.modules[place].build_id, &builder.build());
    }
}

/// For each address, from a place on, so few calls from the allocator, one in what it calls.
///
/// Whoever calls a function that only asks for memory is among them wherever it is met, so that what is kept of an address
/// does not depend on the stacks that it was in.
fn inner_addresses(profile: &Profile, from: usize) -> HashMap<u32, u32> {
    let node = |stack: u32| profile.stacks.get((stack as usize).checked_sub(1)?);
    let mut inner = HashMap::new();
    for site in &profile.sites {
        let mut called = node(site.stack);
        for _ in 0..CALLS_TO_ALLOCATOR {
            let Some(callee) = called else { break };
            called = node(callee.parent);
            if let Some(caller) = called.filter(|caller| caller.address as usize >= from) {
                inner.entry(caller.address).or_insert(callee.address);
            }
        }
    }
    inner
}

/// The addresses, from a place on, that have no frames, by module.
fn wanted(profile: &Profile, from: usize) -> Vec<Vec<Wanted>> {
    let mut by_module: Vec<Vec<Wanted>> = vec![Vec::new(); profile.modules.len()];
    let inner_addresses = inner_addresses(profile, from);
    for (place, address) in (0_u32..).zip(&profile.addresses).skip(from) {
        let Some(number) = address.module.checked_sub(1).filter(|_| address.frames_len == 0) else {
            continue;
        };
        let Some(wanted) = by_module.get_mut(number as usize) else { continue };
        let bias = profile.modules[number as usize].bias;
        // A return address is one past the call, which may be the last instruction of its function.
        let in_file = |it: &Address| {
            it.address.wrapping_sub(bias).wrapping_sub(u64::from(!it.is_instruction))
        };
        let inner = inner_addresses.get(&place);
        let is_near_allocator = inner.is_some();
        let inner = inner.and_then(|inner| profile.addresses.get(*inner as usize));
        let inner = inner.filter(|inner| inner.module == address.module).map(in_file);
        wanted.push(Wanted { address: in_file(address), place, is_near_allocator, inner });
    }
    by_module.iter_mut().for_each(|wanted| wanted.sort_unstable());
    by_module
}

/// Shares out the addresses, the largest share of work first.
fn plan(profile: &Profile, by_module: Vec<Vec<Wanted>>, threads: usize) -> Vec<Task> {
    let mut tasks = Vec::new();
    for (place, wanted) in by_module.into_iter().enumerate().filter(|(_, all)| !all.is_empty()) {
        let job = Arc::new(Job::new(place, profile.modules[place].clone()));
        let parts = (wanted.len() / MIN_SPLIT_ADDRESSES).clamp(1, threads);
        let share = wanted.len().div_ceil(parts);
        tasks.extend(
            wanted.chunks(share).map(|part| Task { job: job.clone(), wanted: part.to_vec() }),
        );
    }
    tasks.sort_by_key(|task| std::cmp::Reverse(task.wanted.len()));
    tasks
}

/// Runs the tasks on several threads; what they found comes back in the order of the tasks.
fn run_all(tasks: Vec<Task>, threads: usize, run: &(impl Fn(Task) -> Found + Sync)) -> Vec<Found> {
    let threads = threads.min(tasks.len());
    let queue: Mutex<VecDeque<(usize, Task)>> = Mutex::new(tasks.into_iter().enumerate().collect());
    let all = Mutex::new(Vec::new());
    let work = || {
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some((number, task)) = next else { return };
            let found = run(task);
            all.lock().unwrap_or_else(PoisonError::into_inner).push((number, found));
        }
    };
    thread::scope(|scope| {
        let spawn = |_| {
            let thread = thread::Builder::new()
                // By its beginning a process that records itself knows that the thread is a reader's.
                .name("memscope-symbol".to_owned())
                .stack_size(2 * guard::MAX_STACK_BYTES);
            thread.spawn_scoped(scope, work).is_ok()
        };
        // Where no thread can be had, this one does the work.
        if (0..threads).map(spawn).filter(|&started| started).count() == 0 {
            work();
        }
    });
    let mut all = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    all.sort_unstable_by_key(|(number, _)| *number);
    all.into_iter().map(|(_, found)| found).collect()
}

/// Enters what was found into the profile.
fn merge(profile: &mut Profile, all: Vec<Found>, outcomes: &mut Vec<Outcome>) {
    if profile.strings.is_empty() {
        profile.strings.push(String::new());
    }
    let mut strings: HashMap<String, StringId> = HashMap::new();
    for (id, text) in (0..).zip(&profile.strings) {
        strings.entry(text.clone()).or_insert(id);
    }
    for found in all {
        let mut ids: Vec<StringId> = Vec::new();
        for text in found.names.texts() {
            ids.push(strings.get(text).copied().unwrap_or_else(|| {
                let id = StringId::try_from(profile.strings.len()).unwrap_or(0);
                profile.strings.push(text.to_owned());
                strings.insert(text.to_owned(), id);
                id
            }));
        }
        let id = |local: StringId| ids[local as usize];
        for &(place, start, len) in found.runs.iter().filter(|(_, _, len)| *len > 0) {
            let Ok(frames_start) = u32::try_from(profile.frames.len()) else { break };
            let address = &mut profile.addresses[place as usize];
            (address.frames_start, address.frames_len) = (frames_start, len as u32);
            profile.frames.extend(found.frames[start..start + len].iter().map(|frame| Frame {
                function: id(frame.function),
                symbol: id(frame.symbol),
                file: id(frame.file),
                ..*frame
            }));
        }
        match outcomes.iter_mut().find(|outcome| outcome.module == found.module) {
            Some(outcome) => outcome.add(&found),
            None => outcomes.push(Outcome::new(&found)),
        }
    }
    outcomes.sort_unstable_by_key(|outcome| outcome.module);
    for outcome in outcomes {
        let module = &mut profile.modules[outcome.module];
        module.symbols = outcome.symbols();
        module.debug_path = match module.symbols {
            Symbols::DebugInfo | Symbols::SymbolTable => outcome.debug_path.clone(),
            _ => String::new(),
        };
        profile.warnings.extend(outcome.warning(&module.path));
    }
}
