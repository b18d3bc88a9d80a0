//! The body of a profile file: named parts, one after the other.
//!
//! ```text
//! part: 1 byte: length of the name; the name; 8 bytes: length of the contents; the contents
//! "profile"             what is small, in MessagePack with named fields
//! "stacks.parent" ...   a column (see `columns`) of a large vector
//! "deviations.frees" .. the same, one row for each site; only if the run was sampled
//! "sites.heap_type"     a number for each site; older files have none, and types are named anew
//! "sites.threads"       a number for each site; older files have none
//! "sites.largest"       bytes of each site's largest block; older files have none
//! "growth.growths" ...  the same; only if there was any
//! "strings.length", "strings.text"   lengths of the texts, and all of them in one piece
//! ```
//!
//! Invariant: all columns of a vector have the same length, and it is known before memory is asked for. A vector's first
//! column is always there; where another is not, because an older memscope did not write it, its values are the defaults
//! and a warning says so.

use super::columns::{self, Cell};
use crate::estimate::Deviations;
use crate::model::{
    Address, Frame, Growth, Profile, Sample, Site, SiteChange, StackNode, Timeline, Warning,
};
use std::cell::RefCell;
use std::collections::HashMap;
use std::io;

/// The part with the type of each site.
const HEAP_TYPES: &str = "sites.heap_type";

/// The part with the set of threads of each site.
const THREADS: &str = "sites.threads";

/// The part with the largest block of each site.
const LARGEST: &str = "sites.largest";

/// Encodes the profile.
pub(super) fn encode(profile: &Profile) -> io::Result<Vec<u8>> {
    // Field by field: whoever adds a field to the profile decides here where it goes.
    let Profile {
        run,
        completeness,
        totals,
        modules,
        addresses,
        frames,
        stacks,
        sites,
        types,
        threads,
        thread_sets,
        labels,
        tasks,
        timeline,
        processes,
        marks,
        strings,
        warnings,
        suppressed,
    } = profile;
    let small = Profile {
        run: run.clone(),
        completeness: completeness.clone(),
        totals: *totals,
        modules: modules.clone(),
        types: types.clone(),
        threads: threads.clone(),
        thread_sets: thread_sets.clone(),
        labels: labels.clone(),
        tasks: tasks.clone(),
        processes: processes.clone(),
        marks: marks.clone(),
        timeline: Timeline { interval_ms: timeline.interval_ms, samples: Vec::new() },
        warnings: warnings.clone(),
        suppressed: *suppressed,
        ..Profile::default()
    };
    let mut body = Vec::new();
    put(&mut body, "profile", &rmp_serde::to_vec_named(&small).map_err(io::Error::other)?);
    Address::put_columns(addresses, &mut body);
    Frame::put_columns(frames, &mut body);
    StackNode::put_columns(stacks, &mut body);
    Site::put_columns(sites, &mut body);
    let heap_types = sites.iter().map(|site| u64::from(site.heap_type));
    put(&mut body, HEAP_TYPES, &columns::encode(heap_types));
    let threads = sites.iter().map(|site| u64::from(site.threads));
    put(&mut body, THREADS, &columns::encode(threads));
    let largest = sites.iter().map(|site| site.counts.largest_block_bytes);
    put(&mut body, LARGEST, &columns::encode(largest));
    let deviations: Vec<_> = sites.iter().map(|site| site.counts.deviations).collect();
    if deviations.iter().any(|it| *it != Deviations::default()) {
        Deviations::put_columns(&deviations, &mut body);
    }
    let growths: Vec<_> = sites.iter().map(|site| site.counts.growth).collect();
    if growths.iter().any(|it| *it != Growth::default()) {
        Growth::put_columns(&growths, &mut body);
    }
    Sample::put_columns(&timeline.samples, &mut body);
    let changes = timeline.samples.iter().map(|sample| sample.changes.len() as u64);
    put(&mut body, "samples.changes", &columns::encode(changes));
    let changes: Vec<_> = timeline.samples.iter().flat_map(|it| &it.changes).copied().collect();
    SiteChange::put_columns(&changes, &mut body);
    let lengths = strings.iter().map(|text| text.len() as u64);
    put(&mut body, "strings.length", &columns::encode(lengths));
    put(&mut body, "strings.text", strings.concat().as_bytes());
    Ok(body)
}

/// Decodes a profile; the error says what is wrong. Numbers in it are not checked against each other.
pub(super) fn decode(body: &[u8]) -> Result<Profile, String> {
    let parts = Parts::new(body)?;
    let mut profile: Profile = rmp_serde::from_slice(parts.get("profile")?)
        .map_err(|error| format!("its part 'profile' cannot be decoded ({error})"))?;
    profile.addresses = Address::columns(&parts)?;
    profile.frames = Frame::columns(&parts)?;
    profile.stacks = StackNode::columns(&parts)?;
    profile.sites = Site::columns(&parts)?;
    /// Sets a field; `false` if it cannot have the value.
    type Field = fn(&mut Site, u64) -> bool;
    let of_sites: [(&str, Field); 3] = [
        (HEAP_TYPES, |site, it| it.try_into().map(|it| site.heap_type = it).is_ok()),
        (THREADS, |site, it| it.try_into().map(|it| site.threads = it).is_ok()),
        (LARGEST, |site, it| {
            site.counts.largest_block_bytes = it;
            true
        }),
    ];
    for (part, field) in of_sites.into_iter().filter(|(part, _)| parts.has(part)) {
        let mut sites = profile.sites.iter_mut();
        parts.decode(part, |it| sites.next().is_some_and(|site| field(site, it)))?;
    }
    if parts.has("deviations.allocations") {
        let deviations = Deviations::columns(&parts)?;
        if deviations.len() != profile.sites.len() {
            return Err("its sites and their deviations differ in number".to_owned());
        }
        for (site, deviations) in profile.sites.iter_mut().zip(deviations) {
            site.counts.deviations = deviations;
        }
    }
    // Files of before have none, and say in the totals that it is not known.
    if parts.has("growth.growths") {
        let growths = Growth::columns(&parts)?;
        if growths.len() != profile.sites.len() {
            return Err("its sites and their growth differ in number".to_owned());
        }
        for (site, growth) in profile.sites.iter_mut().zip(growths) {
            site.counts.growth = growth;
        }
    }
    profile.strings = strings(&parts)?;
    profile.timeline.samples = samples(&parts)?;
    profile.warnings.extend(parts.warning());
    Ok(profile)
}

/// Whether the body says of each site which type its blocks are of.
pub(super) fn has_types(body: &[u8]) -> bool {
    Parts::new(body).is_ok_and(|parts| parts.has(HEAP_TYPES))
}

fn strings(parts: &Parts<'_>) -> Result<Vec<String>, String> {
    let text = std::str::from_utf8(parts.get("strings.text")?)
        .map_err(|_| "its texts are not UTF-8".to_owned())?;
    let mut strings = Vec::new();
    let mut rest = text;
    parts.decode("strings.length", |length| {
        let Some((first, others)) = rest.split_at_checked(length as usize) else { return false };
        strings.push(first.to_owned());
        rest = others;
        true
    })?;
    Ok(strings)
}

fn samples(parts: &Parts<'_>) -> Result<Vec<Sample>, String> {
    let mut samples = Sample::columns(parts)?;
    let mut changes = SiteChange::columns(parts)?.into_iter();
    let mut rest = samples.iter_mut();
    parts.decode("samples.changes", |count| match rest.next() {
        Some(sample) if count <= changes.len() as u64 => {
            sample.changes = changes.by_ref().take(count as usize).collect();
            true
        }
        _ => false,
    })?;
    Ok(samples)
}

fn put(body: &mut Vec<u8>, name: &str, contents: &[u8]) {
    body.push(name.len() as u8);
    body.extend(name.as_bytes());
    body.extend((contents.len() as u64).to_le_bytes());
    body.extend(contents);
}

/// The parts of a body by name.
struct Parts<'a> {
    by_name: HashMap<&'a [u8], &'a [u8]>,
    /// Columns that were asked for and are not there.
    missing: RefCell<Vec<&'static str>>,
}

impl<'a> Parts<'a> {
    fn new(mut body: &'a [u8]) -> Result<Self, String> {
        let mut by_name = HashMap::new();
        while !body.is_empty() {
            let Some((name, contents, rest)) = first_part(body) else {
                return Err("its parts do not fit its length".into());
            };
            by_name.insert(name, contents);
            body = rest;
        }
        Ok(Self { by_name, missing: RefCell::default() })
    }

    fn has(&self, name: &str) -> bool {
        self.by_name.contains_key(name.as_bytes())
    }

    /// Whether a column is there; that it is not is noted.
    fn has_column(&self, name: &'static str) -> bool {
        let has = self.has(name);
        if !has {
            self.missing.borrow_mut().push(name);
        }
        has
    }

    /// What a reader ought to know of columns that are missing.
    fn warning(&self) -> Option<Warning> {
        let missing = self.missing.borrow();
        (!missing.is_empty()).then(|| Warning {
            message: format!(
                "The profile was written by an older memscope, which did not keep all that is shown now; these are 0 or \
                 empty: {}.",
                missing.join(", ")
            ),
            hint: "Record the program again.".to_owned(),
        })
    }

    fn get(&self, name: &str) -> Result<&'a [u8], String> {
        self.by_name.get(name.as_bytes()).copied().ok_or_else(|| format!("it has no part '{name}'"))
    }

    fn decode(&self, name: &str, visit: impl FnMut(u64) -> bool) -> Result<(), String> {
        let whole = columns::decode(self.get(name)?, visit);
        whole.then_some(()).ok_or_else(|| format!("its part '{name}' cannot be decoded"))
    }
}

/// Name, contents and what follows.
fn first_part(body: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (length, body) = body.split_first()?;
    let (name, body) = body.split_at_checked(usize::from(*length))?;
    let (length, body) = body.split_first_chunk()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    let (contents, body) = body.split_at_checked(length)?;
    Some((name, contents, body))
}

/// A row of a vector that is kept by columns.
trait Row: Sized {
    fn put_columns(rows: &[Self], body: &mut Vec<u8>);
    fn columns(parts: &Parts<'_>) -> Result<Vec<Self>, String>;
}

/// Names a vector's columns and the fields that they hold.
macro_rules! row {
    ($row:ident, $prefix:literal, { $($name:literal: $($field:ident).+,)* }) => {
        impl Row for $row {
            fn put_columns(rows: &[Self], body: &mut Vec<u8>) {
                $({
                    let column = columns::encode(rows.iter().map(|row| row.$($field).+.to_number()));
                    put(body, concat!($prefix, ".", $name), &column);
                })*
            }

            fn columns(parts: &Parts<'_>) -> Result<Vec<Self>, String> {
                let names = [$(concat!($prefix, ".", $name)),*];
                let count = columns::count(parts.get(names[0])?);
                for name in &names[1..] {
                    if parts.has_column(name) && columns::count(parts.get(name)?) != count {
                        return Err(format!("its part '{name}' has another length than '{}'", names[0]));
                    }
                }
                let mut rows = vec![$row::default(); count];
                $(if parts.has(concat!($prefix, ".", $name)) {
                    let mut rest = rows.iter_mut();
                    parts.decode(concat!($prefix, ".", $name), |number| {
                        match (rest.next(), Cell::from_number(number)) {
                            (Some(row), Some(value)) => {
                                row.$($field).+ = value;
                                true
                            }
                            _ => false,
                        }
                    })?;
                })*
                Ok(rows)
            }
        }
    };
}

row!(Address, "addresses", {
    "address": address,
    "module": module,
    "is_instruction": is_instruction,
    "frames_start": frames_start,
    "frames_len": frames_len,
});

row!(Frame, "frames", {
    "function": function,
    "symbol": symbol,
    "file": file,
    "line": line,
    "column": column,
    "inlined": inlined,
});

row!(StackNode, "stacks", {
    "parent": parent,
    "address": address,
});

row!(Site, "sites", {
    "stack": stack,
    "kind": kind,
    "truncated": truncated,
    "task": task,
    "label": label,
    "first_ms": first_ms,
    "allocations": counts.allocations,
    "allocated_bytes": counts.allocated_bytes,
    "frees": counts.frees,
    "freed_bytes": counts.freed_bytes,
    "temporary": counts.temporary,
    "peak_blocks": counts.peak_blocks,
    "peak_bytes": counts.peak_bytes,
});

row!(Deviations, "deviations", {
    "allocations": allocations,
    "allocated_bytes": allocated_bytes,
    "frees": frees,
    "freed_bytes": freed_bytes,
    "temporary": temporary,
    "peak_blocks": peak_blocks,
    "peak_bytes": peak_bytes,
    "live_blocks": live_blocks,
    "live_bytes": live_bytes,
});

row!(Growth, "growth", {
    "growths": growths,
    "copied_bytes": copied_bytes,
    "remapped_bytes": remapped_bytes,
    "shrinks": shrinks,
    "given_back_bytes": given_back_bytes,
    "outgrown_blocks": outgrown_blocks,
    "outgrown_bytes": outgrown_bytes,
});

row!(Sample, "samples", {
    "ms": ms,
    "live_bytes": live_bytes,
    "live_blocks": live_blocks,
    "allocations": allocations,
});

row!(SiteChange, "changes", {
    "site": site,
    "live_blocks": live_blocks,
    "live_bytes": live_bytes,
    "allocations": allocations,
    "allocated_bytes": allocated_bytes,
});
