//!  the frames of a stack to what its blocks are.
//!
//! The stack is read from the allocator outwards, through the functions of libraries, up to the program's own. The first
//! function that a rule knows says what the block holds ([`Family`]). Those around it may say it better: the name of the
//! container (`Vec` in `VecDeque`), and the type of the values, because LLVM merges functions that are the same for two
//! types of one size, and then the innermost name is that of any of them.
//!
//! Invariants: a type is said only if a function says it; what contradicts it ends the reading. Deliberately absent:
//! sizes of blocks, which [`super::fit`] compares afterwards.

use super::call::Call;
use super::cpp;
use super::rules::{self, Family, Row, Trust, Values};
use super::text;

/// An allocator of the program's own lies within so many frames.
const MAX_ENTRY_FRAMES: usize = 24;

/// Frames that are looked at beyond the allocator. (The 95th percentile of what lies in libraries is 23.)
const MAX_FRAMES: usize = 96;

/// A frame, as far as it matters here.
#[derive(Clone, Debug)]
pub(super) struct Step<'a> {
    /// What its name says.
    pub(super) call: Call<'a>,
    /// Its name as it stands.
    pub(super) name: &'a str,
    /// Whether it has a name at all.
    pub(super) is_named: bool,
    /// Whether it was inlined into the next.
    pub(super) is_inlined: bool,
}

/// What functions say about the blocks of a stack.
#[derive(Clone, Debug)]
pub(super) struct Said<'a> {
    /// What a block holds.
    pub(super) family: Family,
    /// The type of the values, as its text stands.
    pub(super) value: String,
    /// The rule that gave the name, with the arguments of its function.
    row: &'static Row,
    arguments: Vec<&'a str>,
}

impl Said<'_> {
    /// How the whole is called.
    pub(super) fn name(&self) -> String {
        rules::name(self.row, &self.value, &self.arguments)
    }
}

/// Where a stack leaves the allocator: frames before are not the program's business.
pub(super) fn entry(steps: &[&Step<'_>]) -> usize {
    let looked_at = &steps[..steps.len().min(MAX_ENTRY_FRAMES)];
    let is_entry = |step: &&Step<'_>| {
        cpp::is_operator_new(step.name) || rules::is_entry(&step.call.module, step.call.function)
    };
    looked_at.iter().rposition(is_entry).map_or(0, |at| at + 1)
}

/// The first frame, from the allocator on, that is not a library's.
pub(super) fn user<'s, 'a>(steps: &[&'s Step<'a>]) -> Option<&'s Step<'a>> {
    steps.iter().copied().take(MAX_FRAMES).find(|step| !rules::is_library(step.call.home()))
}

/// Reads the frames after [`entry`]. `bytes_of` gives the size of a type, if it is known.
pub(super) fn read<'a>(
    steps: &[&Step<'a>],
    bytes_of: impl Fn(&str) -> Option<u64>,
) -> Option<Said<'a>> {
    let mut said: Option<Said<'a>> = None;
    let mut last_trust = Trust::Public;
    // Whether a function has been left for its caller since the type was last said. Only such functions can be merged.
    let mut has_left = false;
    // Whether the frame before is of a vector without the type of its values, and nothing is known yet.
    let mut is_erased = false;
    for step in steps.iter().take(MAX_FRAMES) {
        if !rules::is_library(step.call.home()) {
            break;
        }
        let learned = learn(step, said.as_ref(), is_erased);
        is_erased = learned.is_none() && said.is_none() && step.call.module == "alloc::raw_vec";
        if let Some((row, value)) = learned {
            match &mut said {
                None => {
                    let arguments = step.call.arguments.clone();
                    said = Some(Said { family: row.family, value, row, arguments });
                    last_trust = row.trust;
                    has_left = false;
                }
                Some(said) if said.family == row.family => {
                    if said.value != value {
                        let sizes = (bytes_of(&said.value), bytes_of(&value));
                        let may_be_merged = match sizes {
                            (Some(inner), Some(outer)) => inner == outer,
                            _ => true,
                        };
                        let is_its_own =
                            last_trust == Trust::Private || !Row::runs_values(step.call.function);
                        if !(has_left && may_be_merged && is_its_own) {
                            break;
                        }
                        said.value = value;
                    }
                    if is_better(row, said.row) || said.row.from == row.from {
                        (said.row, said.arguments) = (row, step.call.arguments.clone());
                    }
                    last_trust = row.trust;
                    has_left = false;
                }
                // Another kind of block: the one at hand is part of making it.
                Some(_) => break,
            }
        }
        has_left |= !step.is_inlined;
    }
    said
}

/// Whether a container's name says more than one that it is made of.
fn is_better(outer: &Row, inner: &Row) -> bool {
    let is_plain = |row: &Row| {
        matches!(row.module, "alloc::raw_vec" | "hashbrown::raw") || row.name == "Vec<{T}>"
    };
    is_plain(inner) || !is_plain(outer)
}

/// What the first rule that has something to say makes of a frame: itself and the type of the values.
fn learn(
    step: &Step<'_>,
    said: Option<&Said<'_>>,
    is_erased: bool,
) -> Option<(&'static Row, String)> {
    let call = &step.call;
    rules::find(&call.module, call.function).find_map(|row| {
        let argument = |place: usize| {
            // What is behind a trait object only who made it knows.
            let is_hidden = |text: &str| said.is_some() && text.starts_with("dyn ");
            let is_type =
                |text: &&str| !rules::is_allocator(text) && !is_open(text) && !is_hidden(text);
            call.arguments.get(place).copied().filter(is_type)
        };
        let value = match row.from {
            Values::Argument(place) => {
                let text = argument(place)?;
                match row.family {
                    // The methods of a boxed slice have the slice itself as theirs.
                    Family::Array => text::slice_element(text).unwrap_or(text).to_owned(),
                    _ => text.to_owned(),
                }
            }
            Values::ElementOf(place) => text::array_element(argument(place)?)?.to_owned(),
            Values::Pair => format!("({}, {})", argument(0)?, argument(1)?),
            Values::Lone => format!("({}, ())", argument(0)?),
            Values::Always(value) => value.to_owned(),
            Values::SliceOf(place) => {
                let text = argument(place)?;
                // As v0 mangling has it, the method's own type is the slice.
                if text::slice_element(text).is_some() {
                    text.to_owned()
                } else {
                    format!("[{text}]")
                }
            }
            Values::GivenBare(value) => {
                // As v0 mangling has it, the text's own type is one.
                let is_bare = call.arguments.iter().all(|text| *text == "str");
                said.filter(|said| is_bare && said.value == value).map(|_| value.to_owned())?
            }
            Values::Given(value) => {
                // A text's own vector has bytes.
                let is_known = said.map_or(is_erased && value == "u8", |said| said.value == value);
                is_known.then(|| value.to_owned())?
            }
        };
        Some((row, value))
    })
}

/// Whether an argument is a parameter, which the legacy mangling leaves in place of a type.
fn is_open(text: &str) -> bool {
    matches!(text, "T" | "A" | "K" | "V" | "S" | "_")
}
