//! A flame graph as a picture: SVG, for documents and for whatever shows pictures.
//!
//! Root at the bottom, callees above, the widest on the left; each box says its function and its share when hovered.
//!
//! Invariants: a box is as wide as its part of the whole; boxes too narrow to be seen are not drawn; foreign text never
//! becomes markup; the picture has no script and loads nothing.
//! Deliberately absent: zooming and searching, which the page has (see [`crate::html`]).

use crate::text::figures::Figures;
use crate::text::{head, names};
use memscope_profile::Profile;
use memscope_profile::analyze::{Analysis, Class, Metric};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, Write};

const WIDTH: f64 = 1200.0;
const ROW: f64 = 17.0;
const HEAD: f64 = 44.0;
/// Boxes narrower than this are not drawn.
const MIN_WIDTH: f64 = 0.3;
/// Pixels that a letter of the font takes, about.
const LETTER: f64 = 6.7;
/// More rows than this are not drawn.
const MAX_ROWS: usize = 400;

/// A function called by its parent; 0 is the root.
struct Node {
    name: String,
    class: Class,
    value: u64,
    /// Places of its callees.
    callees: Vec<usize>,
}

/// Writes the picture. The program's own frames are shown, and the library's operation that they called; `all` shows every
/// frame. Memory is in proportion to the frames of all stacks. Fails only if `out` does.
pub fn write(profile: &Profile, metric: Metric, all: bool, out: &mut dyn Write) -> io::Result<()> {
    let analysis = Analysis::new(profile);
    let nodes = tree(&analysis, metric, all);
    let scale = if nodes[0].value == 0 { 0.0 } else { WIDTH / nodes[0].value as f64 };
    let mut boxes = Vec::new();
    let mut open = vec![(0usize, 0.0f64, 0usize)];
    let mut rows = 1;
    while let Some((node, x, row)) = open.pop() {
        boxes.push((node, x, row));
        rows = rows.max(row + 1);
        let mut callees = nodes[node].callees.clone();
        callees.sort_by_key(|&callee| std::cmp::Reverse(nodes[callee].value));
        let mut x = x;
        for callee in callees {
            let width = nodes[callee].value as f64 * scale;
            if width >= MIN_WIDTH && row + 1 < MAX_ROWS {
                open.push((callee, x, row + 1));
            }
            x += width;
        }
    }
    let mut out = io::BufWriter::with_capacity(64 << 10, out);
    let height = HEAD + rows as f64 * ROW + 10.0;
    let figures = Figures::of(&profile.run);
    let amount =
        |value| if metric.is_bytes() { figures.bytes(value) } else { figures.count(value) };
    let what = match metric {
        Metric::Peak => "bytes alive at the peak",
        Metric::LiveAtEnd => "bytes alive at the end",
        Metric::Allocations => "allocations",
        Metric::AllocatedBytes => "bytes allocated",
        Metric::Temporary => "temporary allocations",
    };
    let title =
        escaped(&format!("{}: {what}, {}", head::command(&profile.run), amount(nodes[0].value)));
    let verdict: String = head::verdict(&profile.completeness, profile.run.mode)
        .iter()
        .map(|span| span.text())
        .collect();
    writeln!(
        out,
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" font-family="Verdana, DejaVu Sans, sans-serif" font-size="11">
<rect width="100%" height="100%" fill="#fff"/>
<text x="4" y="18" font-size="14">{title}</text>
<text x="4" y="34" fill="#555">{}</text>"##,
        escaped(&verdict)
    )?;
    for (node, x, row) in boxes {
        let Node { name, class, value, .. } = &nodes[node];
        let width = *value as f64 * scale;
        let y = height - 8.0 - (row + 1) as f64 * ROW;
        let share = figures.share(*value, nodes[0].value);
        let label = escaped(&fitted(name, ((width - 6.0) / LETTER) as usize));
        writeln!(
            out,
            r#"<g><title>{}: {} ({share})</title><rect x="{x:.1}" y="{y}" width="{:.1}" height="{}" fill="{}"/><text x="{:.1}" y="{}">{label}</text></g>"#,
            escaped(name),
            amount(*value),
            (width - 0.4).max(0.2),
            ROW - 1.0,
            colour(*class, name),
            x + 3.0,
            y + 12.0,
        )?;
    }
    out.write_all(b"</svg>\n")?;
    out.flush()
}

fn tree(analysis: &Analysis<'_>, metric: Metric, all: bool) -> Vec<Node> {
    let profile = analysis.profile();
    let mut nodes =
        vec![Node { name: "all".into(), class: Class::Runtime, value: 0, callees: Vec::new() }];
    let mut known = HashMap::new();
    for site in &profile.sites {
        let value = metric.value(&site.counts);
        if value == 0 {
            continue;
        }
        let frames: Vec<_> = profile.stack_frames(site.stack).collect();
        let class = |at: usize| analysis.class(&frames[at]);
        let own = (0..frames.len()).find(|&at| class(at) == Class::User);
        let is_shown = |at: usize| match own {
            _ if all => true,
            None => class(at) != Class::Allocator,
            // The operation of the library that the innermost own function called is the last of the others.
            Some(own) => class(at) == Class::User || at + 1 == own && class(at) == Class::Std,
        };
        let mut at = 0;
        nodes[0].value = nodes[0].value.saturating_add(value);
        for place in (0..frames.len()).rev().filter(|&place| is_shown(place)) {
            let view = &frames[place];
            let name = match view.function() {
                "" => crate::folded::whole_name(view),
                name if class(place) == Class::User => names::readable(name),
                name => names::brief(name),
            };
            let next = nodes.len();
            let node = *known.entry((at, name)).or_insert(next);
            if node == next {
                // Its name is in the table, from where it is taken in the end.
                let name = String::new();
                nodes.push(Node { name, class: class(place), value: 0, callees: Vec::new() });
                nodes[at].callees.push(node);
            }
            nodes[node].value = nodes[node].value.saturating_add(value);
            at = node;
        }
    }
    for ((_, name), node) in known {
        nodes[node].name = name;
    }
    nodes
}

/// Warm for the program's own, green for the library's, grey for the rest; shades tell neighbours apart.
fn colour(class: Class, name: &str) -> String {
    let shade =
        name.bytes().fold(7u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
    let shade = shade % 14;
    match class {
        Class::User => format!("hsl(38,90%,{}%)", 56 + shade),
        Class::Std => format!("hsl(164,45%,{}%)", 56 + shade),
        Class::Runtime | Class::Allocator => format!("hsl(220,8%,{}%)", 70 + shade),
    }
}

fn fitted(name: &str, columns: usize) -> String {
    if name.chars().count() <= columns {
        return name.to_owned();
    }
    if columns < 3 {
        return String::new();
    }
    name.chars().take(columns - 1).chain(['…']).collect()
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // XML has no place for control characters, not even escaped.
            c if c.is_control() || c == '\u{fffe}' || c == '\u{ffff}' => {
                let _ = write!(escaped, "\\u{{{:x}}}", u32::from(c));
            }
            c => escaped.push(c),
        }
    }
    escaped
}
