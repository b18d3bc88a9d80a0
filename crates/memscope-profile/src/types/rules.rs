//! What the functions of std and of popular crates say about the blocks that they ask for. A new container is a row.
//!
//! [`ROWS`] are looked through in order; the first whose module and function fit decides. A module fits with all that
//! lie in it. [`WRAPPERS`] are types that stand for another: nobody writes `ArcInner<T>`.

use super::text;

/// What the block holds, as far as sizes and naming go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// Values side by side.
    Array,
    /// One value.
    Value,
    /// A hash table of hashbrown's: values, then a byte of control for each place and 16 more.
    Table,
    /// Two counts, then values side by side (or one that has no size of its own).
    Shared,
}

/// Where the type of the values is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Values {
    /// The generic argument of that number.
    Argument(usize),
    /// The element of that argument, which is an array: `SmallVec<[T; n]>`.
    ElementOf(usize),
    /// The first argument and the second, as a pair: the values of a map.
    Pair,
    /// The first argument and nothing, as a pair: the values of a set.
    Lone,
    /// Always this.
    Always(&'static str),
    /// A slice of the argument of that number.
    SliceOf(usize),
    /// It says no more than what was known before; only the name changes, if the values are of this type.
    Given(&'static str),
    /// As the one before, if the function has no generic arguments.
    GivenBare(&'static str),
}

/// How far a function may be trusted to ask for memory for nothing but its own container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// Only the container's own functions call it, so what calls it has the same types. (They are told from there: the
    /// linker may have merged functions that do the same for types of one size.)
    Private,
    /// Anybody may call it.
    Public,
}

/// A rule.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    /// The module that the function stands in, or one that lies around it.
    pub(super) module: &'static str,
    /// The functions; all, if none is named.
    functions: &'static [&'static str],
    /// What the block holds.
    pub(super) family: Family,
    /// Where the type of the values is found.
    pub(super) from: Values,
    /// How the whole is called: `{T}` is the type of the values, `{0}` and `{1}` are generic arguments.
    pub(super) name: &'static str,
    /// Who calls the functions.
    pub(super) trust: Trust,
}

use Family::{Array, Shared, Table, Value};
use Trust::{Private, Public};
use Values::{Always, Argument, ElementOf, Given, GivenBare, Lone, Pair, SliceOf};

const fn row(
    module: &'static str,
    functions: &'static [&'static str],
    family: Family,
    from: Values,
    name: &'static str,
    trust: Trust,
) -> Row {
    Row { module, functions, family, from, name, trust }
}

const ANY: &[&str] = &[];
const SHARED: &[&str] = &["allocate_for_layout", "try_allocate_for_layout"];
const SHARED_SLICES: &[&str] = &["allocate_for_slice", "allocate_for_slice_in"];
const BOXED_SLICES: &[&str] =
    &["new_uninit_slice", "new_zeroed_slice", "into_boxed_slice", "from_iter", "clone"];
const READS: &[&str] =
    &["read_to_string", "default_read_to_string", "append_to_string", "read_line"];

/// The rules. (What keeps its values in itself, as arrayvec does, asks for no memory and needs none.)
#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    // Sequences.
    row("alloc::raw_vec",                  ANY, Array, Argument(0), "Vec<{T}>", Private),
    row("alloc::vec::spec_from_iter",      ANY, Array, Argument(0), "Vec<{T}>", Private),
    row("alloc::vec::spec_from_iter_nested", ANY, Array, Argument(0), "Vec<{T}>", Private),
    row("alloc::vec::spec_from_elem",      ANY, Array, Argument(0), "Vec<{T}>", Private),
    row("alloc::vec::spec_extend",         ANY, Array, Argument(0), "Vec<{T}>", Private),
    row("alloc::vec",                      &["into_boxed_slice"], Array, Argument(0), "Box<[{T}]>", Public),
    row("alloc::vec",                      ANY, Array, Argument(0), "Vec<{T}>", Public),
    row("alloc::collections::vec_deque",   &["grow"], Array, Argument(0), "VecDeque<{T}>", Private),
    row("alloc::collections::vec_deque",   ANY, Array, Argument(0), "VecDeque<{T}>", Public),
    row("alloc::collections::binary_heap", ANY, Array, Argument(0), "BinaryHeap<{T}>", Public),
    row("alloc::boxed::iter",              ANY, Array, Argument(0), "Box<[{T}]>", Public),
    // The macro `vec!` of listed values makes a box of an array and takes that over.
    row("alloc::boxed",                    &["new_uninit"], Array, ElementOf(0), "Vec<{T}>", Public),
    row("alloc::boxed",                    BOXED_SLICES, Array, Argument(0), "Box<[{T}]>", Public),
    // Texts: bytes until a function says that they are one.
    row("alloc::string",                   &["into_boxed_str"], Array, Given("u8"), "Box<str>", Public),
    row("alloc::string",                   ANY, Array, Given("u8"), "String", Public),
    row("alloc::str",                      ANY, Array, Given("u8"), "String", Public),
    row("alloc::fmt",                      ANY, Array, Given("u8"), "String", Public),
    row("alloc::ffi::c_str",               ANY, Array, Given("u8"), "CString", Public),
    row("std::ffi::os_str",                ANY, Array, Given("u8"), "OsString", Public),
    row("std::sys::os_str",                ANY, Array, Given("u8"), "OsString", Public),
    row("std::path",                       ANY, Array, Given("u8"), "PathBuf", Public),
    row("std::io",                         READS, Array, Given("u8"), "String", Public),
    row("std::fs",                         READS, Array, Given("u8"), "String", Public),
    // Single values, and what is counted.
    row("alloc::sync",                     SHARED, Shared, Argument(0), "Arc<{T}>", Public),
    row("alloc::sync",                     SHARED_SLICES, Shared, SliceOf(0), "Arc<{T}>", Public),
    row("alloc::sync",                     &["from"], Shared, GivenBare("[u8]"), "Arc<str>", Public),
    row("alloc::rc",                       SHARED, Shared, Argument(0), "Rc<{T}>", Public),
    row("alloc::rc",                       SHARED_SLICES, Shared, SliceOf(0), "Rc<{T}>", Public),
    row("alloc::rc",                       &["from"], Shared, GivenBare("[u8]"), "Rc<str>", Public),
    row("alloc::boxed",                    ANY, Value, Argument(0), "Box<{T}>", Private),
    // Hash tables.
    row("hashbrown::raw",                  ANY, Table, Argument(0), "HashTable<{T}> table", Private),
    row("hashbrown::table",                ANY, Table, Argument(0), "HashTable<{T}> table", Public),
    row("hashbrown::map",                  ANY, Table, Pair, "HashMap<{0}, {1}> table", Public),
    row("hashbrown::rustc_entry",          ANY, Table, Pair, "HashMap<{0}, {1}> table", Public),
    row("hashbrown::set",                  ANY, Table, Lone, "HashSet<{0}> table", Public),
    row("std::collections::hash::map",     ANY, Table, Pair, "HashMap<{0}, {1}> table", Public),
    row("std::collections::hash::set",     ANY, Table, Lone, "HashSet<{0}> table", Public),
    // Other crates.
    row("indexmap::inner",                 ANY, Table, Given("usize"), "IndexMap<{0}, {1}> indices", Public),
    row("indexmap::map::core",             ANY, Table, Given("usize"), "IndexMap<{0}, {1}> indices", Public),
    row("smallvec",                        ANY, Array, ElementOf(0), "SmallVec<{0}>", Public),
    row("tinyvec",                         ANY, Array, ElementOf(0), "TinyVec<{0}>", Public),
    row("bytes::bytes_mut",                ANY, Array, Given("u8"), "BytesMut", Public),
    row("bytes::bytes",                    ANY, Array, Given("u8"), "Bytes", Public),
    row("compact_str",                     ANY, Array, Always("u8"), "CompactString", Public),
    row("thin_vec",                        ANY, Shared, Argument(0), "ThinVec<{T}>", Public),
];

/// Types that stand for another: the path, and what is written instead of a value of it (in a box), or of many.
#[rustfmt::skip]
pub(super) const WRAPPERS: &[(&str, Family, &str)] = &[
    ("alloc::sync::ArcInner",                      Value, "Arc<{0}>"),
    ("alloc::rc::RcInner",                         Value, "Rc<{0}>"),
    ("alloc::rc::RcBox",                           Value, "Rc<{0}>"),
    ("triomphe::arc::ArcInner",                    Value, "Arc<{0}>"),
    ("alloc::collections::btree::node::LeafNode",     Value, "BTreeMap<{0}, {1}> node"),
    ("alloc::collections::btree::node::InternalNode", Value, "BTreeMap<{0}, {1}> node"),
    ("alloc::collections::linked_list::Node",      Value, "LinkedList<{0}> node"),
    ("tokio::runtime::task::core::Cell",           Value, "task: {0}"),
    ("slab::Entry",                                Array, "Slab<{0}>"),
    ("indexmap::Bucket",                           Array, "IndexMap<{0}, {1}> entries"),
    ("()",                                         Table, "HashMap<{0}, {1}> table"),
];

/// Types of values without a size of their own, which are bytes.
pub(super) const BYTES: &[&str] =
    &["str", "std::ffi::os_str::OsStr", "std::path::Path", "core::ffi::c_str::CStr"];

/// What is around the value of a map, and what such a map is called.
const SHARDED: &[(&str, &str, &str)] = &[("dashmap::util::SharedValue<", "HashMap<", "DashMap<")];

/// Names of maps whose second argument says that they are sets.
const SETS: &[(&str, &str, &str)] = &[
    ("BTreeMap<", ", SetValZST> node", "BTreeSet<"),
    ("HashMap<", ", ()> table", "HashSet<"),
    ("IndexMap<", ", ()> entries", "IndexSet<"),
    ("IndexMap<", ", ()> indices", "IndexSet<"),
];

/// Functions that run code of the values: what that asks for is not the container's.
const RUN_VALUES: &[&str] = &[
    "clone",
    "clone_from",
    "to_vec",
    "to_vec_in",
    "extend_with",
    "extend_trusted",
    "extend_desugared",
    "from_iter",
    "from_elem",
    "extend",
    "spec_extend",
    "resize",
    "resize_with",
    "collect",
    "concat",
    "join",
    "retain",
    "default",
    "from_fn",
    "or_insert_with",
];

/// Crates whose functions stand between a program and the allocator. What comes before others is not looked at.
const LIBRARIES: &[&str] = &[
    "core",
    "alloc",
    "std",
    "hashbrown",
    "allocator_api2",
    "__rustc",
    "__gnu_cxx",
    "memscope_capture",
    "memscope_rs",
    "indexmap",
    "smallvec",
    "tinyvec",
    "bytes",
    "compact_str",
    "slab",
    "dashmap",
    "thin_vec",
];

/// Functions by which a program enters the allocator. What lies inwards of them may be an allocator of its own.
const ENTRIES: &[&str] = &[
    "__rust_alloc",
    "__rust_alloc_zeroed",
    "__rust_realloc",
    "__rdl_alloc",
    "__rdl_alloc_zeroed",
    "__rdl_realloc",
    "__rg_alloc",
    "__rg_alloc_zeroed",
    "__rg_realloc",
    "malloc",
    "calloc",
    "realloc",
    "reallocarray",
    "posix_memalign",
    "aligned_alloc",
    "memalign",
    "valloc",
    "pvalloc",
];

impl Row {
    /// Whether the function runs code of the values.
    pub(super) fn runs_values(function: &str) -> bool {
        RUN_VALUES.contains(&function)
    }
}

/// The rules for a function, the most particular first.
pub(super) fn find(module: &str, function: &str) -> impl Iterator<Item = &'static Row> {
    // A closure is called by whatever it was given to.
    let rows = if function.starts_with('{') { &[] } else { ROWS };
    rows.iter().filter(move |row| {
        let rest = module.strip_prefix(row.module);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
            && (row.functions.is_empty() || row.functions.contains(&function))
    })
}

/// Whether functions of the crate stand between a program and the allocator.
pub(super) fn is_library(home: &str) -> bool {
    LIBRARIES.contains(&home)
}

/// Whether a call enters the allocator.
pub(super) fn is_entry(module: &str, function: &str) -> bool {
    module == "alloc::alloc" || ENTRIES.contains(&function)
}

/// Whether a generic argument is an allocator and not the type of a value.
pub(super) fn is_allocator(argument: &str) -> bool {
    let path = argument.trim_start_matches('&');
    path == "alloc::alloc::Global" || path.ends_with("::Global") || path.ends_with("::System")
}

/// How a block of values of type `value` is called by the rule that named it, given the rule's generic arguments.
pub(super) fn name(row: &Row, value: &str, arguments: &[&str]) -> String {
    let (base, inner) = text::parts(value);
    let wrapper = WRAPPERS.iter().find(|(path, family, _)| {
        *path == base && *family == row.family && (base != "()" || inner.len() == 2)
    });
    let (template, arguments) = match (wrapper, row.from) {
        // A rule that knows more than that it is a table (or a box) says it itself.
        (Some((.., template)), Argument(0)) => (*template, &inner[..]),
        _ => (row.name, arguments),
    };
    let argument = |place: usize| {
        let text = arguments.get(place).map_or_else(|| "_".to_owned(), |text| text::short(text));
        // What is not yet there, and what is around the value of a map in a sharded one.
        let around = ["SharedValue<", "MaybeUninit<"];
        let inner = around.iter().find_map(|it| text.strip_prefix(it)?.strip_suffix('>'));
        inner.unwrap_or(&text).to_owned()
    };
    let value = text::short(value);
    let inner = value.strip_prefix("MaybeUninit<").and_then(|rest| rest.strip_suffix('>'));
    let text = template.replace("{T}", inner.unwrap_or(&value));
    let text = if text.contains("{0}") { text.replace("{0}", &argument(0)) } else { text };
    let text = if text.contains("{1}") { text.replace("{1}", &argument(1)) } else { text };
    for (around, start, sharded) in SHARDED {
        let held = arguments.get(1).is_some_and(|value| value.starts_with(around));
        if let Some(rest) = text.strip_prefix(start).filter(|_| held) {
            return format!("{sharded}{rest}");
        }
    }
    for (start, end, set) in SETS {
        if let Some(inner) = text.strip_prefix(start).and_then(|rest| rest.strip_suffix(end)) {
            let kind = end.rsplit(' ').next().unwrap_or_default();
            return format!("{set}{inner}> {kind}");
        }
    }
    text
}
