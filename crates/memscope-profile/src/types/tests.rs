//! Stacks as real programs have them, and what they must be called.

use super::*;
use crate::model::{Address, Counts, Frame, StackNode};

/// A profile with one stack, innermost frame first. A line is a frame: `i` inlined or `-`, the name, ` @` and the file.
fn profile(frames: &str, allocations: u64, allocated_bytes: u64) -> Profile {
    let mut profile = Profile { strings: vec![String::new()], ..Profile::default() };
    let mut text = |text: &str| {
        profile.strings.push(text.to_owned());
        profile.strings.len() as u32 - 1
    };
    for line in frames.lines().filter(|line| !line.trim().is_empty()) {
        let (kind, rest) = line.trim().split_at(2);
        let (name, file) = rest.split_once(" @").unwrap_or((rest, ""));
        let file = match file {
            "" | "main.rs" => file.to_owned(),
            file if file.contains("-") => format!("/registry/{file}"),
            file => format!("/rustc/1/library/{file}"),
        };
        let is_v0 = name.contains("<alloc::") && !name.contains("<T");
        let frame = Frame {
            function: text(name.trim()),
            symbol: if is_v0 { text("_Rx") } else { 0 },
            file: text(&file),
            inlined: kind == "i ",
            ..Frame::default()
        };
        profile.frames.push(frame);
    }
    profile
        .addresses
        .push(Address { frames_len: profile.frames.len() as u32, ..Address::default() });
    profile.stacks.push(StackNode { parent: 0, address: 0 });
    let counts = Counts { allocations, allocated_bytes, ..Counts::default() };
    profile.sites.push(Site { stack: 1, kind: 1, counts, ..Site::default() });
    profile
}

/// The name and the evidence of blocks with these frames. `sizes` are of types.
fn typed(
    frames: &str,
    (allocations, bytes): (u64, u64),
    sizes: &[(&str, u64)],
) -> (String, TypeEvidence) {
    let mut profile = profile(frames, allocations, bytes);
    let mut known = TypeSizes::default();
    for (text, bytes) in sizes {
        known.insert(0, text, Some(*bytes));
    }
    assign(&mut profile, &known);
    let heap_type = profile.heap_type(&profile.sites[0]).cloned().unwrap_or_default();
    (heap_type.name, heap_type.evidence)
}

fn name(frames: &str) -> String {
    typed(frames, (1, 48), &[]).0
}

/// What stands between a vector and the allocator.
const GROW: &str = "i alloc @alloc/src/alloc.rs
    - alloc::raw_vec::RawVecInner<A>::finish_grow::<alloc::alloc::Global> @alloc/src/raw_vec/mod.rs
    i grow_amortized<alloc::alloc::Global> @alloc/src/raw_vec/mod.rs
    i grow_one<alloc::alloc::Global> @alloc/src/raw_vec/mod.rs
";

#[test]
fn functions_that_were_merged_are_told_by_their_callers() {
    let frames = format!(
        "{GROW}
        - alloc::raw_vec::RawVec<T,A>::grow_one::<shop::Circle, alloc::alloc::Global> @alloc/src/raw_vec/mod.rs
        i push_mut<shop::Order, alloc::alloc::Global> @alloc/src/vec/mod.rs
        i push<shop::Order, alloc::alloc::Global> @alloc/src/vec/mod.rs
        - shop::fill @main.rs"
    );
    assert_eq!(name(&frames), "Vec<Order>");
    let sizes = [("shop::Circle", 48), ("shop::Order", 48)];
    assert_eq!(typed(&frames, (1, 192), &sizes), ("Vec<Order>".into(), TypeEvidence::SizeChecked));
}

#[test]
fn what_a_size_contradicts_is_not_typed() {
    let frames = "i alloc @alloc/src/alloc.rs\n i new<shop::Order> @alloc/src/boxed.rs\n - shop::fill @main.rs";
    let sizes = [("shop::Order", 48)];
    assert_eq!(typed(frames, (2, 96), &sizes), ("Box<Order>".into(), TypeEvidence::SizeChecked));
    assert_eq!(typed(frames, (2, 96), &[]), ("Box<Order>".into(), TypeEvidence::Named));
    assert_eq!(typed(frames, (2, 90), &sizes), ("in shop::fill".into(), TypeEvidence::Raw));
}

/// A frame of the program that a library's function was called from, with what stands before it.
fn called(frames: &str) -> String {
    let frames = format!("i alloc @alloc/src/alloc.rs\n{frames}\n- shop::fill @main.rs");
    // Nothing is known of sizes.
    typed(&frames, (0, 0), &[]).0
}

/// Frames, and what their blocks are called: a line or more for each rule.
const CALLED: &[(&str, &str)] = &[
    ("i from_elem<u16, alloc::alloc::Global> @alloc/src/vec/spec_from_elem.rs", "Vec<u16>"),
    ("i with_capacity<shop::Order> @alloc/src/vec/mod.rs", "Vec<Order>"),
    ("i new<shop::Order> @alloc/src/boxed.rs", "Box<Order>"),
    ("i new<shop::fill::{closure_env#0}> @alloc/src/boxed.rs", "Box<closure in fill>"),
    ("i new_uninit<[u32; 3]> @alloc/src/boxed.rs", "Vec<u32>"),
    ("i new<alloc::sync::ArcInner<shop::Order>> @alloc/src/boxed.rs", "Arc<Order>"),
    (
        "i new<alloc::rc::RcInner<core::cell::RefCell<shop::Tree>>> @alloc/src/boxed.rs",
        "Rc<RefCell<Tree>>",
    ),
    (
        "i new_in<alloc::rc::RcInner<core::mem::maybe_uninit::MaybeUninit<shop::Tree>>> @alloc/src/boxed.rs",
        "Rc<Tree>",
    ),
    ("i allocate_for_slice<u64> @alloc/src/sync.rs", "Arc<[u64]>"),
    (
        "i allocate_for_layout<[u8], F> @alloc/src/rc.rs\ni allocate_for_slice<u8> @alloc/src/rc.rs\ni from<u8> @alloc/src/rc.rs\ni from @alloc/src/rc.rs",
        "Rc<str>",
    ),
    (
        "i <alloc::sync::Arc<[u8]>>::allocate_for_layout::<F, G> @alloc/src/sync.rs\ni <alloc::sync::Arc<[u8]>>::allocate_for_slice @alloc/src/sync.rs\ni <alloc::sync::Arc<[u8]> as core::convert::From<&[u8]>>::from @alloc/src/sync.rs\ni <alloc::sync::Arc<str> as core::convert::From<&str>>::from @alloc/src/sync.rs",
        "Arc<str>",
    ),
    (
        "i allocate_for_layout<[u8], F> @alloc/src/sync.rs\ni from<u8> @alloc/src/sync.rs",
        "Arc<[u8]>",
    ),
    (
        "i new_uninit_in<alloc::collections::btree::node::LeafNode<u32, shop::Key>> @alloc/src/boxed.rs",
        "BTreeMap<u32, Key> node",
    ),
    (
        "i new_uninit_in<alloc::collections::btree::node::InternalNode<u32, alloc::collections::btree::set_val::SetValZST>> @alloc/src/boxed.rs",
        "BTreeSet<u32> node",
    ),
    (
        "i new_in<alloc::collections::linked_list::Node<u8>> @alloc/src/boxed.rs",
        "LinkedList<u8> node",
    ),
    (
        "i new<tokio::runtime::task::core::Cell<shop::work::{async_fn_env#0}, S>> @alloc/src/boxed.rs",
        "task: async fn work",
    ),
    (
        "i grow_one<u8, alloc::alloc::Global> @alloc/src/raw_vec/mod.rs\n- grow<u8> @alloc/src/collections/vec_deque/mod.rs",
        "VecDeque<u8>",
    ),
    (
        "i push<u8> @alloc/src/vec/mod.rs\ni push<u8> @alloc/src/collections/binary_heap/mod.rs",
        "BinaryHeap<u8>",
    ),
    ("i reserve<u8> @alloc/src/vec/mod.rs\ni push_str @alloc/src/string.rs", "String"),
    ("i to_vec<u8> @alloc/src/vec/mod.rs\ni to_owned @std/src/path.rs", "PathBuf"),
    (
        "i with_capacity<u8> @alloc/src/vec/mod.rs\ni spec_new_impl @alloc/src/ffi/c_str.rs",
        "CString",
    ),
    (
        "- reserve_rehash<(u32, shop::Key), alloc::alloc::Global> @r/hashbrown-0.16.1/src/raw/mod.rs",
        "HashMap<u32, Key> table",
    ),
    (
        "- reserve_rehash<(u32, dashmap::util::SharedValue<shop::Key>), A> @r/hashbrown-0.14.5/src/raw/mod.rs",
        "DashMap<u32, Key> table",
    ),
    ("i clone_from_ref<std::ffi::os_str::OsStr> @alloc/src/boxed.rs", "Box<OsStr>"),
    ("i insert<u32, ()> @r/hashbrown-0.16.1/src/map.rs", "HashSet<u32> table"),
    ("i reserve<shop::Key> @r/hashbrown-0.15.0/src/table.rs", "HashTable<Key> table"),
    (
        "i reserve<usize> @r/hashbrown-0.15.0/src/raw.rs\ni insert<u8, u16> @r/indexmap-2.1.0/src/inner.rs",
        "IndexMap<u8, u16> indices",
    ),
    ("i push<indexmap::Bucket<u8, ()>> @alloc/src/vec/mod.rs", "IndexSet<u8> entries"),
    ("i push<slab::Entry<shop::Order>> @alloc/src/vec/mod.rs", "Slab<Order>"),
    ("i try_grow<[shop::Key; 4]> @r/smallvec-1.13.2/src/lib.rs", "SmallVec<[Key; 4]>"),
    (
        "i push<u16> @alloc/src/vec/mod.rs\ni push<[u16; 4]> @r/tinyvec-1.8.0/src/tinyvec.rs",
        "TinyVec<[u16; 4]>",
    ),
    ("i reserve<u8> @alloc/src/vec/mod.rs\ni reserve @r/bytes-1.0.0/src/bytes_mut.rs", "BytesMut"),
    ("i do_alloc @r/compact_str-0.9.0/src/repr/heap.rs", "CompactString"),
    ("i from_iter<shop::Order, I> @alloc/src/vec/spec_from_iter.rs", "Vec<Order>"),
    ("i from_iter<shop::Order, I> @alloc/src/vec/spec_from_iter_nested.rs", "Vec<Order>"),
    ("i spec_extend<u16, I> @alloc/src/vec/spec_extend.rs", "Vec<u16>"),
    ("i into_boxed_slice<shop::Order> @alloc/src/vec/mod.rs", "Box<[Order]>"),
    ("i from_iter<u32, I> @alloc/src/boxed/iter.rs", "Box<[u32]>"),
    ("i new_uninit_slice<u64> @alloc/src/boxed.rs", "Box<[u64]>"),
    ("i with_capacity<u16> @alloc/src/collections/vec_deque/mod.rs", "VecDeque<u16>"),
    ("i shrink<u8> @alloc/src/raw_vec/mod.rs\ni into_boxed_str @alloc/src/string.rs", "Box<str>"),
    ("i with_capacity<u8> @alloc/src/vec/mod.rs\ni to_owned @alloc/src/str.rs", "String"),
    ("i with_capacity<u8> @alloc/src/vec/mod.rs\n- format_inner @alloc/src/fmt.rs", "String"),
    ("i reserve<u8> @alloc/src/vec/mod.rs\ni push @std/src/ffi/os_str.rs", "OsString"),
    ("i reserve<u8> @alloc/src/vec/mod.rs\ni push @std/src/sys/os_str/bytes.rs", "OsString"),
    ("i reserve<u8> @alloc/src/vec/mod.rs\n- read_line @std/src/io/mod.rs", "String"),
    ("i reserve<u8> @alloc/src/vec/mod.rs\n- read_to_string @std/src/fs.rs", "String"),
    // Whoever reads bytes has bytes.
    ("i reserve<u8> @alloc/src/vec/mod.rs\n- read_to_end @std/src/io/mod.rs", "Vec<u8>"),
    ("i new<alloc::rc::RcBox<shop::Tree>> @alloc/src/boxed.rs", "Rc<Tree>"),
    ("i insert<u32, u8> @r/hashbrown-0.16.1/src/rustc_entry.rs", "HashMap<u32, u8> table"),
    ("i insert<u32> @r/hashbrown-0.16.1/src/set.rs", "HashSet<u32> table"),
    ("i reserve<u32, u8> @std/src/collections/hash/map.rs", "HashMap<u32, u8> table"),
    ("i reserve<u32> @std/src/collections/hash/set.rs", "HashSet<u32> table"),
    (
        "i reserve<usize> @r/hashbrown-0.15.0/src/raw.rs\ni push<u8, u16> @r/indexmap-2.1.0/src/map/core.rs",
        "IndexMap<u8, u16> indices",
    ),
    ("i push<indexmap::Bucket<u8, u16>> @alloc/src/vec/mod.rs", "IndexMap<u8, u16> entries"),
    (
        "i with_capacity<u8> @alloc/src/vec/mod.rs\ni copy_from_slice @r/bytes-1.0.0/src/bytes.rs",
        "Bytes",
    ),
    ("i header_with_capacity<u64> @r/thin-vec-0.2.13/src/lib.rs", "ThinVec<u64>"),
    ("i new<triomphe::arc::ArcInner<shop::Order>> @alloc/src/boxed.rs", "Arc<Order>"),
];

#[test]
fn each_rule_names_its_container() {
    for (frames, expected) in CALLED {
        assert_eq!(called(frames), *expected, "{frames}");
    }
}

#[test]
fn no_rule_is_without_a_line() {
    let mut met = vec![false; rules::ROWS.len()];
    for line in CALLED.iter().flat_map(|(frames, _)| frames.lines()) {
        let profile = profile(line, 1, 1);
        let Some(row) = Steps::new(&profile)
            .known
            .first()
            .and_then(|step| rules::find(&step.call.module, step.call.function).next())
        else {
            continue;
        };
        let is_met = |it: &rules::Row| {
            (it.module, it.name, it.from, it.trust) == (row.module, row.name, row.from, row.trust)
        };
        rules::ROWS.iter().zip(&mut met).for_each(|(it, met)| *met |= is_met(it));
    }
    let without = |(row, met): (&rules::Row, bool)| (!met).then_some((row.module, row.name));
    let missing: Vec<_> = rules::ROWS.iter().zip(met).filter_map(without).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let wrappers = rules::WRAPPERS.iter().map(|(path, ..)| *path).filter(|path| *path != "()");
    let unused: Vec<_> = wrappers
        .filter(|path| !CALLED.iter().any(|(frames, _)| frames.contains(&format!("<{path}<"))))
        .collect();
    assert!(unused.is_empty(), "{unused:?}");
}

#[test]
fn texts_without_a_size_have_that_of_their_bytes() {
    for text in rules::BYTES {
        let frames = format!(
            "i alloc @alloc/src/alloc.rs\n i clone_from_ref<{text}> @alloc/src/boxed.rs\n - shop::fill @main.rs"
        );
        // Debug information has a size for them, which is that of what comes before the bytes.
        let (name, evidence) = typed(&frames, (57, 645), &[(text, 0)]);
        assert!(name.starts_with("Box<"), "{name}");
        assert_eq!(evidence, TypeEvidence::Named);
    }
}

#[test]
fn erased_types_are_looked_for_further_out() {
    let frames = "i try_allocate_in<alloc::alloc::Global> @alloc/src/raw_vec/mod.rs
        i with_capacity_in<shop::Order, alloc::alloc::Global> @alloc/src/raw_vec/mod.rs";
    assert_eq!(called(frames), "Vec<Order>");
    let frames = "i new_uninitialized<alloc::alloc::Global> @r/hashbrown-0.16.1/src/raw/mod.rs
        - reserve_rehash<(u8, u16), alloc::alloc::Global> @r/hashbrown-0.16.1/src/raw/mod.rs";
    assert_eq!(called(frames), "HashMap<u8, u16> table");
    let frames =
        "- <alloc::raw_vec::RawVecInner<_>>::reserve::do_reserve_and_handle::<alloc::alloc::Global>
        i alloc::string::String::reserve @alloc/src/string.rs";
    assert_eq!(called(frames), "String");
    // Not what asks for a vector of who knows what.
    let frames =
        "- <alloc::raw_vec::RawVecInner<_>>::reserve::do_reserve_and_handle::<alloc::alloc::Global>
        - core::iter::Iterator::fold @core/src/iter/mod.rs
        - alloc::string::String::from_iter @alloc/src/string.rs";
    assert_eq!(called(frames), "in shop::fill");
}

#[test]
fn what_a_value_s_clone_asked_for_is_the_value_s() {
    let frames = "i with_capacity_in<u8, alloc::alloc::Global> @alloc/src/vec/mod.rs
        i to_vec<u8, alloc::alloc::Global> @alloc/src/slice.rs
        - clone @alloc/src/string.rs
        i extend_with<alloc::string::String, alloc::alloc::Global> @alloc/src/vec/mod.rs";
    assert_eq!(called(frames), "String");
}

#[test]
fn a_lost_scope_leaves_the_function_and_no_type() {
    let frames = "i try_allocate_in<alloc::alloc::Global> @alloc/src/raw_vec/mod.rs";
    assert_eq!(called(frames), "in shop::fill");
}

#[test]
fn frames_that_are_named_like_the_allocator_are_not_it() {
    let frames = "i push<shop::Order> @alloc/src/vec/mod.rs
        - std::sys::backtrace::__rust_begin_short_backtrace::<fn(), ()> @std/src/sys/backtrace.rs";
    assert_eq!(called(frames), "Vec<Order>");
}
