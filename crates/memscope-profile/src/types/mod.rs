//! What the blocks of a site are, by Rust type: `Vec<Order>`, `HashMap<u64, Session> table`, `task: async fn worker`.
//!
//! ```text
//! frames of a site -> call (module, function, generic arguments) -> rules -> walk (family, type of the values)
//!                                                                                |
//!                sizes of types (debug information) + sums of the site -> fit ---+-> HeapType, with its evidence
//! ```
//!
//! The names of functions carry their generic arguments in debug information of every level, line tables included, so no
//! annotation is asked for. How a type is known is part of it, see [`TypeEvidence`].
//!
//! Invariants: no type is guessed from sizes; what is only known to come from a function is never called typed; every
//! site has a type or is unknown, so the shares add up. Deliberately absent: what the values hold, and their number (a
//! capacity is not a length).

mod call;
mod cpp;
mod fit;
mod histogram;
mod rules;
#[cfg(test)]
mod tests;
mod text;
mod walk;

use crate::analyze::FrameView;
use crate::model::{
    Address, Counts, Frame, HeapType, Mode, Profile, Site, TypeEvidence, TypeLayout,
};
use call::Call;
use fit::Fit;
pub use histogram::{EvidenceShares, TypeHistogram, TypeLine};
use rules::Family;
use std::collections::HashMap;
use walk::Step;

/// Frames of a stack that are looked at.
const MAX_FRAMES: usize = 128;

/// What debug information says of types.
#[derive(Debug, Default)]
pub(crate) struct TypeSizes {
    /// Sizes by module and text.
    sizes: HashMap<(u32, String), Option<u64>>,
    /// What calls allocate, by module and the address within the call, in the file's own terms: the type and its size.
    calls: HashMap<(u32, u64), (String, u64)>,
}

/// Begins a text that says which type a call allocates. No name of a type begins so.
const CALL_MARK: char = '\0';

/// A text by which the size of a type is noted that a call allocates.
pub(crate) fn call_text(address: u64, name: &str) -> String {
    format!("{CALL_MARK}{address:x} {name}")
}

impl TypeSizes {
    /// Notes a size, `None` if it is contested. Of two types with one text neither size is known.
    pub(crate) fn insert(&mut self, module: u32, text: &str, bytes: Option<u64>) {
        if let Some((address, name)) =
            text.strip_prefix(CALL_MARK).and_then(|rest| rest.split_once(' '))
        {
            if let (Ok(address), Some(bytes)) = (u64::from_str_radix(address, 16), bytes) {
                self.calls.insert((module, address), (name.to_owned(), bytes));
            }
            return;
        }
        let known = self.sizes.entry((module, text.to_owned())).or_insert(bytes);
        if *known != bytes {
            *known = None;
        }
    }

    /// The size of a Rust type.
    fn get(&self, module: u32, text: &str) -> Option<u64> {
        text::known_bytes(text).or_else(|| self.of_debug_info(module, text))
    }

    /// The size that debug information has for a type of whatever language.
    fn of_debug_info(&self, module: u32, text: &str) -> Option<u64> {
        self.sizes.get(&(module, text.to_owned())).copied().flatten()
    }
}

/// The generic arguments of a function that a rule knows, allocators left out; `None` for any other function.
pub(crate) fn value_arguments<'n>(name: &'n str, symbol: &str, file: &str) -> Option<Vec<&'n str>> {
    if let Some(made) = cpp::made(name) {
        return Some(vec![made]);
    }
    let call = Call::of(name, symbol.starts_with("_R"), file);
    rules::find(&call.module, call.function).next()?;
    let arguments: Vec<_> =
        call.arguments.into_iter().filter(|text| !rules::is_allocator(text)).collect();
    (!arguments.is_empty()).then_some(arguments)
}

/// The type that a C++ allocator is for, of whose class this function is; `None` for any other function.
pub(crate) fn allocated_argument(name: &str) -> Option<&str> {
    cpp::allocated(name)
}

/// The type that a function of the program's own belongs to, as it is written in the function's name with the concrete
/// arguments; `None` for any other function.
pub(crate) fn own_type(name: &str, symbol: &str, file: &str) -> Option<String> {
    let call = Call::of(name, symbol.starts_with("_R"), file);
    if rules::is_library(call.home()) { None } else { call.own_type() }
}

/// Whether a function only asks for memory: what calls it is to be looked at.
pub(crate) fn is_allocating(name: &str, symbol: &str, file: &str) -> bool {
    let call = Call::of(name, symbol.starts_with("_R"), file);
    rules::is_entry(&call.module, call.function)
}

/// A path without the generic arguments at its end; `None` if there are none.
pub(crate) fn without_arguments(path: &str) -> Option<&str> {
    text::split_arguments(path).map(|(path, _)| path)
}

/// Whether debug information calls an allocator so.
pub(crate) fn is_allocator_name(name: &str) -> bool {
    matches!(name, "Global" | "&Global" | "&alloc::alloc::Global" | "System")
}

pub(crate) use text::array_element;

/// Gives each site of a symbolized profile its type, replacing those that it had.
///
/// Costs about a microsecond for each frame of the profile, and some nanoseconds for each of the innermost hundred of
/// each site.
pub(crate) fn assign(profile: &mut Profile, sizes: &TypeSizes) {
    let mut places: HashMap<HeapType, u32> = HashMap::new();
    let mut of_sites = Vec::with_capacity(profile.sites.len());
    let steps = Steps::new(profile);
    for site in &profile.sites {
        let heap_type = name(profile, &steps, site, sizes);
        let next = places.len() as u32 + 1;
        of_sites.push(heap_type.map_or(0, |heap_type| *places.entry(heap_type).or_insert(next)));
    }
    for (site, heap_type) in profile.sites.iter_mut().zip(of_sites) {
        site.heap_type = heap_type;
    }
    let mut types: Vec<_> = places.into_iter().collect();
    types.sort_unstable_by_key(|(_, place)| *place);
    profile.types = types.into_iter().map(|(heap_type, _)| heap_type).collect();
}

/// What each frame of a profile says; many stacks share it.
struct Steps<'p> {
    /// In the order of [`Profile::frames`].
    known: Vec<Step<'p>>,
    /// What an address without frames says.
    unknown: Step<'p>,
}

impl<'p> Steps<'p> {
    fn new(profile: &'p Profile) -> Self {
        let step = |frame: &Frame| {
            let function = profile.string(frame.function);
            let is_v0 = profile.string(frame.symbol).starts_with("_R");
            Step {
                call: Call::of(function, is_v0, profile.string(frame.file)),
                name: function,
                is_named: !function.is_empty(),
                is_inlined: frame.inlined,
            }
        };
        let known = profile.frames.iter().map(step).collect();
        Self { known, unknown: step(&Frame::default()) }
    }

    fn of(&self, view: &FrameView<'_>) -> &Step<'p> {
        let known = view.frame_index.and_then(|place| self.known.get(place as usize));
        known.unwrap_or(&self.unknown)
    }
}

/// The type of a site's blocks; `None` if nothing is known.
fn name(profile: &Profile, all: &Steps<'_>, site: &Site, sizes: &TypeSizes) -> Option<HeapType> {
    let mut module = 0;
    let mut addresses = Vec::new();
    let steps: Vec<_> = profile
        .stack_frames(site.stack)
        .take(MAX_FRAMES)
        .map(|view| {
            if module == 0 {
                module = view.address().module;
            }
            addresses.push(view.address());
            all.of(&view)
        })
        .collect();
    let entry = walk::entry(&steps);
    let (inside, steps) = steps.split_at(entry);
    if inside.last().is_some_and(|step| cpp::is_operator_new(step.name)) {
        // `operator new` is the library's own, and its caller the program's.
        let caller = addresses.get(entry).copied().unwrap_or_default();
        let Some(said) = cpp::read(steps) else {
            return call(profile, site, sizes, &caller).or_else(|| raw(steps));
        };
        let module = caller.module;
        let (family, value_bytes) = (said.family, sizes.of_debug_info(module, &said.value));
        return settle(profile, site, family, value_bytes, said.name).or_else(|| raw(steps));
    }
    let Some(said) = walk::read(steps, |text| sizes.get(module, text)) else {
        let is_exact = profile.run.mode == Mode::Exact;
        return own(steps, |text| sizes.get(module, text).filter(|_| is_exact), &site.counts)
            .or_else(|| raw(steps));
    };
    // A value without a size of its own is many.
    let is_bytes = rules::BYTES.contains(&said.value.as_str());
    let (family, value) = match (said.family, text::slice_element(&said.value)) {
        (Family::Value, Some(element)) => (Family::Array, element),
        (Family::Value, None) if is_bytes => (Family::Array, "u8"),
        (Family::Shared, Some(element)) => (Family::Shared, element),
        (Family::Shared, None) if is_bytes => (Family::Shared, "u8"),
        (family, _) => (family, said.value.as_str()),
    };
    let value_bytes = sizes.get(module, value);
    settle(profile, site, family, value_bytes, said.name()).or_else(|| raw(steps))
}

/// What debug information says that a call of `operator new` allocates.
fn call(profile: &Profile, site: &Site, sizes: &TypeSizes, caller: &Address) -> Option<HeapType> {
    let module = profile.modules.get((caller.module as usize).checked_sub(1)?)?;
    let back = u64::from(!caller.is_instruction);
    let address = caller.address.wrapping_sub(module.bias).wrapping_sub(back);
    let (name, value_bytes) = sizes.calls.get(&(caller.module, address))?;
    let (family, name) = match name.strip_suffix("[]") {
        Some(element) => (Family::Array, format!("{}[]", cpp::short(element))),
        None => (Family::Value, cpp::short(name)),
    };
    settle(profile, site, family, Some(*value_bytes), name)
}

/// A type that functions say, if what is known of sizes does not contradict it.
fn settle(
    profile: &Profile,
    site: &Site,
    family: Family,
    value_bytes: Option<u64>,
    name: String,
) -> Option<HeapType> {
    let fit = match value_bytes {
        Some(value_bytes) if profile.run.mode == Mode::Exact => {
            fit::compare(family, value_bytes, &site.counts)
        }
        _ => Fit::Unchecked,
    };
    let evidence = match fit {
        Fit::Checked => TypeEvidence::SizeChecked,
        Fit::Unchecked => TypeEvidence::Named,
        Fit::Contradicted => return None,
    };
    let layout = match family {
        Family::Array => TypeLayout::Array,
        Family::Value => TypeLayout::Value,
        Family::Table => TypeLayout::Table,
        Family::Shared => TypeLayout::SharedArray,
    };
    Some(HeapType { name, evidence, layout, value_bytes: value_bytes.unwrap_or(0) })
}

/// A value of the type whose method asked for the block itself, if its size is the block's.
fn own(
    steps: &[&Step<'_>],
    bytes_of: impl Fn(&str) -> Option<u64>,
    counts: &Counts,
) -> Option<HeapType> {
    let asked = steps.first().filter(|step| !rules::is_library(step.call.home()))?;
    let text = asked.call.own_type()?;
    let value_bytes = bytes_of(&text)?;
    (fit::compare(Family::Value, value_bytes, counts) == Fit::Checked).then(|| HeapType {
        name: text::short(&text),
        evidence: TypeEvidence::SizeChecked,
        layout: TypeLayout::Value,
        value_bytes,
    })
}

/// Where only the function is known.
fn raw(steps: &[&Step<'_>]) -> Option<HeapType> {
    let step = walk::user(steps)
        .filter(|step| step.is_named)
        .or_else(|| steps.iter().copied().find(|step| step.is_named))?;
    Some(HeapType {
        name: format!("in {}", step.call.plain_name()),
        evidence: TypeEvidence::Raw,
        layout: TypeLayout::Unknown,
        value_bytes: 0,
    })
}

impl HeapType {
    /// How many values there is room for in `blocks` blocks of together `bytes`; `None` if the size of a value is not
    /// known. It is a capacity: how many there are is not recorded. A division or two.
    ///
    /// ```
    /// use memscope_profile::model::{HeapType, TypeLayout};
    ///
    /// let orders = HeapType { layout: TypeLayout::Array, value_bytes: 24, ..HeapType::default() };
    /// assert_eq!(orders.capacity(2, 480), Some(20));
    /// assert_eq!(HeapType::default().capacity(2, 480), None);
    /// ```
    pub fn capacity(&self, blocks: u64, bytes: u64) -> Option<u64> {
        let family = match self.layout {
            TypeLayout::Unknown => return None,
            TypeLayout::Value => return Some(blocks),
            TypeLayout::Array => Family::Array,
            TypeLayout::Table => Family::Table,
            TypeLayout::SharedArray => Family::Shared,
        };
        (self.value_bytes > 0).then(|| fit::capacity(family, self.value_bytes, blocks, bytes))
    }
}
