//! pprof: gzipped protocol buffers, for `go tool pprof` and the services that speak it.
//!
//! ```text
//! sample types: alloc_objects alloc_space inuse_objects inuse_space (the conventional four), peak_objects peak_space
//! one location for an address, one line of it for each function inlined there; one mapping for a module
//! ```
//!
//! `inuse` is what was alive at the end. The peak is shown by default, because of a program that has ended there is often
//! little else. How complete the profile is stands in the comments (`go tool pprof -comments`).
//!
//! What the blocks are is a label of each sample, `type`. How large they are is two labels with numbers, as
//! `go tool pprof -tagfocus` takes them: `bytes`, the mean, which Go's own heap profiles have too, and `largest_block` (in a
//! sampled run, of those in the sample).
//!
//! Invariants: every id that is referred to is written; the mangled name stands beside the demangled one, since `pprof`
//! shortens names that are the same in both; the main program's mapping is the first.
//! Deliberately absent: a library for protocol buffers. Of the format five messages of numbers, texts and packed lists
//! are needed, and they are written as they are made.

mod message;

use crate::text::head;
use flate2::Compression;
use flate2::write::GzEncoder;
use memscope_profile::Profile;
use memscope_profile::analyze::FrameView;
use memscope_profile::model::Symbols;
use message::Message;
use std::collections::HashMap;
use std::io::{self, Write};

/// Sample types: name and unit.
const TYPES: [(&str, &str); 6] = [
    ("alloc_objects", "count"),
    ("alloc_space", "bytes"),
    ("inuse_objects", "count"),
    ("inuse_space", "bytes"),
    ("peak_objects", "count"),
    ("peak_space", "bytes"),
];

/// The label that says what the blocks of a sample are: `go tool pprof -tags`, `-tagfocus type=Vec<Order>`.
const LABEL: &str = "type";

/// The label with the mean bytes of a block.
const MEAN_LABEL: &str = "bytes";

/// The label with the bytes of the largest block.
const LARGEST_LABEL: &str = "largest_block";

/// Writes the profile, compressed. Memory is in proportion to functions and texts. Fails only if `out` does.
pub fn write(profile: &Profile, out: &mut dyn Write) -> io::Result<()> {
    let mut out = GzEncoder::new(io::BufWriter::new(out), Compression::default());
    let mut tables = Tables::default();
    for (name, unit) in TYPES {
        let (name, unit) = (tables.text(name), tables.text(unit));
        message::embedded(&mut out, 1, Message::new().number(1, name).number(2, unit))?;
    }
    for site in &profile.sites {
        let counts = &site.counts;
        let values = [
            counts.allocations,
            counts.allocated_bytes,
            counts.live_blocks(),
            counts.live_bytes(),
            counts.peak_blocks,
            counts.peak_bytes,
        ];
        if values != [0; 6] {
            let locations = locations(profile, site.stack);
            let mut sample = Message::new().packed(1, &locations).packed(2, &values);
            // Where only the function is known, the stack has it, and it is not called a type.
            let heap_type = profile.heap_type(site).filter(|it| it.evidence.is_typed());
            if let Some(heap_type) = heap_type {
                let label = Message::new().number(1, tables.text(LABEL));
                sample = sample.message(3, &label.number(2, tables.text(&heap_type.name)));
            }
            let sizes = [
                (MEAN_LABEL, counts.mean_block_bytes().unwrap_or(0)),
                (LARGEST_LABEL, counts.largest_block_bytes),
            ];
            for (name, bytes) in sizes.into_iter().filter(|(_, bytes)| *bytes > 0) {
                let label = Message::new().number(1, tables.text(name)).number(3, bytes);
                sample = sample.message(3, &label.number(4, tables.text("bytes")));
            }
            message::embedded(&mut out, 2, sample)?;
        }
    }
    mappings(profile, &mut tables, &mut out)?;
    for number in 0..profile.addresses.len() as u32 {
        location(profile, number, &mut tables, &mut out)?;
    }
    for (id, [name, symbol, file]) in tables.functions.iter().enumerate() {
        let function = Message::new().number(1, id as u64 + 1).number(2, *name);
        message::embedded(&mut out, 5, function.number(3, *symbol).number(4, *file))?;
    }
    let mut last = Message::new();
    last = last.number(9, profile.run.start_ns).number(10, profile.run.duration_ns);
    let space = Message::new().number(1, tables.text("space")).number(2, tables.text("bytes"));
    message::embedded(&mut out, 11, space)?;
    last = last.number(12, profile.run.interval_bytes.max(1));
    for comment in comments(profile) {
        last = last.always(13, tables.text(&comment));
    }
    last = last.number(14, tables.text("peak_space"));
    out.write_all(last.bytes())?;
    for text in &tables.texts {
        message::text(&mut out, 6, text)?;
    }
    out.finish()?.flush()
}

/// The addresses of a stack, innermost first, as ids of locations.
fn locations(profile: &Profile, stack: u32) -> Vec<u64> {
    let mut locations = Vec::new();
    let mut stack = stack;
    while let Some(node) = (stack as usize).checked_sub(1).and_then(|at| profile.stacks.get(at)) {
        if (node.address as usize) < profile.addresses.len() {
            locations.push(u64::from(node.address) + 1);
        }
        // A parent that is not smaller would be a cycle.
        stack = if node.parent < stack { node.parent } else { 0 };
    }
    locations
}

/// The main program first: clients take the first for it.
fn mappings(profile: &Profile, tables: &mut Tables, out: &mut dyn Write) -> io::Result<()> {
    let mut modules: Vec<_> = profile.modules.iter().enumerate().collect();
    modules.sort_by_key(|(_, module)| module.path != profile.run.exe);
    for (number, module) in modules {
        let build_id: String = module.build_id.iter().map(|byte| format!("{byte:02x}")).collect();
        // Told that names are there, a client does not look for them itself.
        let has_names = matches!(module.symbols, Symbols::DebugInfo | Symbols::SymbolTable);
        let has_lines = module.symbols == Symbols::DebugInfo;
        let mapping = Message::new()
            .number(1, number as u64 + 1)
            .number(2, module.start)
            .number(3, module.end)
            .number(4, module.start.wrapping_sub(module.bias))
            .number(5, tables.text(&module.path))
            .number(6, tables.text(&build_id))
            .number(7, has_names.into())
            .number(8, has_lines.into())
            .number(9, has_lines.into())
            .number(10, has_lines.into());
        message::embedded(out, 3, mapping)?;
    }
    Ok(())
}

fn location(
    profile: &Profile,
    number: u32,
    tables: &mut Tables,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut location = Message::new().number(1, u64::from(number) + 1);
    let mut has_mapping = false;
    for view in profile.address_frames(number) {
        if !has_mapping {
            has_mapping = true;
            let module = view.module().map_or(0, |_| view.address().module);
            location = location.number(2, module.into()).number(3, view.address().address);
        }
        if !view.function().is_empty() {
            let function = tables.function(profile, &view);
            let column = view.frame().map_or(0, |frame| frame.column);
            let line = Message::new().number(1, function).number(2, view.line().into());
            location = location.message(4, &line.number(3, column.into()));
        }
    }
    message::embedded(out, 4, location)
}

/// How complete the profile is, in the words of the report.
fn comments(profile: &Profile) -> Vec<String> {
    let verdict = head::verdict(&profile.completeness, profile.run.mode);
    let mut comments = vec![format!("memscope: {}", head::command(&profile.run))];
    comments.push(verdict.iter().map(|span| span.text()).collect());
    comments.extend(head::facts(profile));
    comments
        .extend(profile.warnings.iter().map(|it| format!("Warning: {}. {}", it.message, it.hint)));
    comments
}

/// Texts and functions by their numbers.
struct Tables {
    texts: Vec<String>,
    text_numbers: HashMap<String, u64>,
    /// Texts of name, mangled name and file; ids begin at 1.
    functions: Vec<[u64; 3]>,
    function_ids: HashMap<[u64; 3], u64>,
}

impl Default for Tables {
    /// With the empty text, which is number 0.
    fn default() -> Self {
        Self {
            texts: vec![String::new()],
            text_numbers: HashMap::from([(String::new(), 0)]),
            functions: Vec::new(),
            function_ids: HashMap::new(),
        }
    }
}

impl Tables {
    fn text(&mut self, text: &str) -> u64 {
        if let Some(&number) = self.text_numbers.get(text) {
            return number;
        }
        let number = self.texts.len() as u64;
        self.texts.push(text.to_owned());
        self.text_numbers.insert(text.to_owned(), number);
        number
    }

    fn function(&mut self, profile: &Profile, view: &FrameView<'_>) -> u64 {
        let symbol = view.frame().map_or("", |frame| profile.string(frame.symbol));
        let function = [self.text(view.function()), self.text(symbol), self.text(view.file())];
        let next = self.functions.len() as u64 + 1;
        *self.function_ids.entry(function).or_insert_with(|| {
            self.functions.push(function);
            next
        })
    }
}
