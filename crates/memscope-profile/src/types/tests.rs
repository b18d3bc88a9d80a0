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
