//! Profiles made by hand for the tests: an order service, and a builder for others.
#![allow(dead_code, reason = "each test program uses some of it")]

use memscope_profile::Profile;
use memscope_profile::estimate::Deviations;
use memscope_profile::model::{
    Address, Counts, End, Frame, HeapType, Kind, Label, Mode, Module, Run, Sample, Site,
    SiteChange, StackNode, Symbols, Task, Thread, TypeEvidence, TypeLayout, Warning,
};
use std::collections::HashMap;

const STD: &str = "/rustc/59807616e1fa2540724bfbac14d7976d7e4a3860/library";

/// Builds a profile from stacks written out in full.
#[derive(Default)]
pub(crate) struct Builder {
    pub(crate) profile: Profile,
    strings: HashMap<String, u32>,
    addresses: HashMap<Code, u32>,
    nodes: HashMap<(u32, u32), u32>,
}

/// The functions at one address, innermost first, as `name @ file:line`; only the last is not inlined. A text that
/// begins with `+` is an address without symbols.
pub(crate) type Code = &'static [&'static str];

impl Builder {
    pub(crate) fn new(module: &str) -> Self {
        let mut builder = Self::default();
        builder.string("");
        builder.profile.modules.push(Module {
            path: module.to_owned(),
            build_id: vec![0xab; 20],
            start: 0x5555_5555_0000,
            end: 0x5555_5575_0000,
            bias: 0x5555_5555_0000,
            symbols: Symbols::DebugInfo,
            debug_path: String::new(),
        });
        builder
    }

    fn string(&mut self, text: &str) -> u32 {
        if let Some(id) = self.strings.get(text) {
            return *id;
        }
        let id = self.profile.strings.len() as u32;
        self.profile.strings.push(text.to_owned());
        self.strings.insert(text.to_owned(), id);
        id
    }

    fn address(&mut self, code: Code) -> u32 {
        if let Some(id) = self.addresses.get(code) {
            return *id;
        }
        let id = self.profile.addresses.len() as u32;
        let mut address = Address {
            address: 0x5555_5555_1000 + u64::from(id) * 0x20,
            module: 1,
            frames_start: self.profile.frames.len() as u32,
            ..Address::default()
        };
        for (n, text) in code.iter().enumerate().filter(|(_, text)| !text.starts_with('+')) {
            let (function, place) = text.split_once(" @ ").unwrap_or((text, ""));
            let (file, line) = place.rsplit_once(':').unwrap_or((place, "0"));
            let file = match file.strip_prefix("std/") {
                Some(rest) => format!("{STD}/{rest}"),
                None => file.to_owned(),
            };
            let frame = Frame {
                function: self.string(function),
                symbol: self.string(&format!("_R{}", function.len())),
                file: self.string(&file),
                line: line.parse().expect("a line"),
                column: 9,
                inlined: n + 1 < code.len(),
            };
            self.profile.frames.push(frame);
            address.frames_len += 1;
        }
        self.profile.addresses.push(address);
        self.addresses.insert(code, id);
        id
    }

    /// A stack, innermost first.
    pub(crate) fn stack(&mut self, codes: &[Code]) -> u32 {
        let mut stack = 0;
        for code in codes.iter().rev() {
            let address = self.address(code);
            let new = self.profile.stacks.len() as u32 + 1;
            let parent = stack;
            stack = *self.nodes.entry((parent, address)).or_insert(new);
            if stack == new {
                self.profile.stacks.push(StackNode { parent, address });
            }
        }
        stack
    }

    pub(crate) fn site(&mut self, codes: &[&[Code]], kind: Kind, counts: Counts) -> &mut Site {
        let stack = self.stack(&codes.concat());
        self.profile.sites.push(Site { stack, kind: kind as u8, counts, ..Site::default() });
        self.profile.sites.last_mut().expect("it was pushed")
    }

    /// The totals that the sites add up to.
    pub(crate) fn add_up(&mut self) {
        let profile = &mut self.profile;
        for Site { counts, kind, .. } in &profile.sites {
            let totals = &mut profile.totals;
            totals.allocations += counts.allocations;
            totals.allocated_bytes += counts.allocated_bytes;
            totals.frees += counts.frees;
            totals.freed_bytes += counts.freed_bytes;
            totals.temporary += counts.temporary;
            totals.peak_blocks += counts.peak_blocks;
            totals.peak_bytes += counts.peak_bytes;
            totals.live_blocks += counts.live_blocks();
            totals.live_bytes += counts.live_bytes();
            if *kind == Kind::Realloc as u8 {
                totals.reallocs += counts.allocations;
            }
        }
    }
}

const MALLOC: &[Code] = &[&[
    "alloc::alloc::alloc @ std/alloc/src/alloc.rs:95",
    "<alloc::alloc::Global>::alloc_impl @ std/alloc/src/alloc.rs:186",
]];
const GROW: &[Code] = &[
    &["alloc::raw_vec::finish_grow @ std/alloc/src/raw_vec/mod.rs:770"],
    &["<alloc::raw_vec::RawVecInner>::grow_amortized @ std/alloc/src/raw_vec/mod.rs:668"],
    &[
        "<alloc::raw_vec::RawVec<order_service::order::Order>>::grow_one @ std/alloc/src/raw_vec/mod.rs:340",
    ],
];
const MAIN: &[Code] = &[
    &[
        "order_service::serve::<order_service::net::LocalListener, order_service::codec::LineCodec> @ /home/ada/order-service/src/serve.rs:57",
        "order_service::main @ /home/ada/order-service/src/main.rs:31",
    ],
    &["<fn() as core::ops::function::FnOnce<()>>::call_once @ std/core/src/ops/function.rs:250"],
    &[
        "std::sys::backtrace::__rust_begin_short_backtrace::<fn(), ()> @ std/std/src/sys/backtrace.rs:158",
    ],
    &["std::rt::lang_start::<()>::{closure#0} @ std/std/src/rt.rs:206"],
    &["std::rt::lang_start_internal @ std/std/src/rt.rs:175"],
    &["main"],
    &["__libc_start_call_main"],
    &["__libc_start_main_impl"],
    &["_start"],
];
const WORKER: &[Code] = &[
    &["order_service::worker::run::{closure#0} @ /home/ada/order-service/src/worker.rs:18"],
    &[
        "std::sys::backtrace::__rust_begin_short_backtrace::<order_service::worker::run::{closure#0}, ()> @ std/std/src/sys/backtrace.rs:158",
    ],
    &[
        "<std::thread::Builder>::spawn_unchecked_::<order_service::worker::run::{closure#0}, ()>::{closure#1} @ std/std/src/thread/mod.rs:589",
    ],
    &[
        "<alloc::boxed::Box<dyn core::ops::function::FnOnce<(), Output = ()> + core::marker::Send> as core::ops::function::FnOnce<()>>::call_once @ std/alloc/src/boxed.rs:1985",
    ],
    &["<std::sys::thread::unix::Thread>::new::thread_start @ std/std/src/sys/thread/unix.rs:126"],
    &["start_thread"],
    &["clone3"],
];
const INSERT: &[Code] = &[
    &[
        "<alloc::vec::Vec<order_service::order::Order>>::push @ std/alloc/src/vec/mod.rs:2605",
        "<order_service::store::Store<order_service::order::Order>>::insert @ /home/ada/order-service/src/store.rs:42",
    ],
    &["order_service::handle::place_order @ /home/ada/order-service/src/handle.rs:88"],
];
const REHASH: &[Code] = &[
    &[
        "<hashbrown::raw::RawTable<(u64, alloc::vec::Vec<order_service::order::Order>)>>::reserve_rehash::<hashbrown::map::make_hasher<u64, alloc::vec::Vec<order_service::order::Order>, std::hash::random::RandomState>::{closure#0}> @ /rust/deps/hashbrown-0.15.5/src/raw/mod.rs:2958",
    ],
    &[
        "<std::collections::hash::map::HashMap<u64, alloc::vec::Vec<order_service::order::Order>>>::entry @ std/std/src/collections/hash/map.rs:870",
        "<order_service::store::Store<order_service::order::Order>>::insert @ /home/ada/order-service/src/store.rs:41",
    ],
    &["order_service::handle::place_order @ /home/ada/order-service/src/handle.rs:88"],
];
const FORMAT: &[Code] = &[
    &[
        "<alloc::string::String>::with_capacity @ std/alloc/src/string.rs:535",
        "alloc::fmt::format::format_inner @ std/alloc/src/fmt.rs:645",
    ],
    &[
        "alloc::fmt::format @ std/alloc/src/fmt.rs:655",
        "order_service::audit::line::<[u8; 32]> @ /home/ada/order-service/src/audit.rs:12",
        "order_service::audit::log @ /home/ada/order-service/src/audit.rs:29",
    ],
    &[
        "<order_service::handle::Handler as tower::Service<order_service::net::Request<alloc::string::String>>>::call::{closure#0} @ /home/ada/order-service/src/handle.rs:61",
    ],
    &[
        "<core::iter::adapters::map::Map<I, F> as core::iter::traits::iterator::Iterator>::fold @ std/core/src/iter/adapters/map.rs:128",
        "core::iter::traits::iterator::Iterator::for_each @ std/core/src/iter/traits/iterator.rs:827",
    ],
];
const PARSE: &[Code] = &[
    &[
        "<alloc::string::String as serde::de::Deserialize>::deserialize @ /home/ada/.cargo/registry/src/registry.example-1949cf8c6b5b557f/serde-1.0.229/src/de/impls.rs:700",
    ],
    &[
        "<order_service::order::_::<impl serde::de::Deserialize for order_service::order::Order>::deserialize::__Visitor as serde::de::Visitor>::visit_map::<serde_json::de::MapAccess<serde_json::read::SliceRead>> @ /home/ada/order-service/src/order.rs:7",
    ],
    &[
        "serde_json::de::from_slice::<order_service::order::Order> @ /home/ada/.cargo/registry/src/registry.example-1949cf8c6b5b557f/serde_json-1.0.154/src/de.rs:2702",
    ],
    &["order_service::handle::parse @ /home/ada/order-service/src/handle.rs:40"],
];
const INDEX_NODE: Code =
    &["order_service::index::Node::insert @ /home/ada/order-service/src/index.rs:77"];

fn counts(allocated: (u64, u64), freed: (u64, u64), temporary: u64, peak: (u64, u64)) -> Counts {
    Counts {
        allocations: allocated.0,
        allocated_bytes: allocated.1,
        frees: freed.0,
        freed_bytes: freed.1,
        temporary,
        peak_blocks: peak.0,
        peak_bytes: peak.1,
        // Of several blocks one is twice as large as the mean.
        largest_block_bytes: (2 * allocated.1 / allocated.0.max(1))
            .min(allocated.1)
            .max(peak.1 / peak.0.max(1)),
        ..Counts::default()
    }
}

/// A small order service, recorded exactly but for one event, with one truncated stack.
pub(crate) fn order_service() -> Profile {
    let mut builder = Builder::new("/home/ada/order-service/target/release/order-service");
    let libssl = Module {
        path: "/usr/lib/x86_64-linux-gnu/libssl.so.3".to_owned(),
        start: 0x7fff_0000_0000,
        end: 0x7fff_0010_0000,
        bias: 0x7fff_0000_0000,
        symbols: Symbols::Missing,
        ..Module::default()
    };
    builder.profile.modules.push(libssl);
    let push = counts((20_000, 9_961_472), (19_000, 9_463_398), 0, (12_000, 6_501_171));
    builder.site(&[GROW, INSERT, WORKER], Kind::Realloc, push);
    let push = counts((3_000, 196_608), (2_000, 131_072), 0, (3_000, 196_608));
    builder.site(&[MALLOC, GROW, INSERT, WORKER], Kind::Malloc, push);
    let rehash = counts((12, 4_194_304), (11, 2_097_152), 0, (1, 2_097_152));
    builder.site(&[MALLOC, REHASH, WORKER], Kind::Malloc, rehash);
    let format = counts((880_500, 57_232_500), (880_500, 57_232_500), 880_499, (1, 65));
    builder.site(&[MALLOC, FORMAT, MAIN], Kind::Malloc, format);
    let parse = counts((60_000, 1_380_000), (59_990, 1_379_770), 9_000, (35_000, 805_000));
    builder.site(&[MALLOC, PARSE, WORKER], Kind::Malloc, parse);
    let mut deep = vec![INDEX_NODE; 40];
    deep.push(&["order_service::index::Index::rebuild @ /home/ada/order-service/src/index.rs:30"]);
    for code in [
        &["order_service::maintenance::compact @ /home/ada/order-service/src/maintenance.rs:9"]
            as Code,
        &["order_service::maintenance::tick @ /home/ada/order-service/src/maintenance.rs:14"],
        &["order_service::maintenance::schedule @ /home/ada/order-service/src/maintenance.rs:21"],
        &["order_service::tasks::poll @ /home/ada/order-service/src/tasks.rs:101"],
        &["order_service::tasks::turn @ /home/ada/order-service/src/tasks.rs:90"],
        &["order_service::tasks::Queue::drain @ /home/ada/order-service/src/tasks.rs:64"],
        &["order_service::tasks::Queue::step @ /home/ada/order-service/src/tasks.rs:52"],
        &["order_service::tasks::block_on @ /home/ada/order-service/src/tasks.rs:33"],
    ] {
        deep.push(code);
    }
    let nodes = counts((500, 65_536), (0, 0), 0, (480, 62_914));
    builder.site(&[MALLOC, &deep, MAIN], Kind::Malloc, nodes);
    let start = counts((7, 1_032), (3, 400), 1, (7, 1_032));
    builder.site(
        &[MALLOC, &[&["<std::thread::Thread>::new @ std/std/src/thread/mod.rs:1340"]], &MAIN[4..]],
        Kind::Malloc,
        start,
    );
    let ssl = counts((40, 327_680), (0, 0), 0, (40, 327_680));
    builder.site(&[&[&["+ssl"]], PARSE], Kind::Calloc, ssl).truncated = true;
    // The only address without symbols lies in the other module.
    for address in builder.profile.addresses.iter_mut().filter(|address| address.frames_len == 0) {
        *address = Address { address: 0x7fff_0002_a1b0, module: 2, ..*address };
    }
    builder.add_up();
    finish(&mut builder.profile);
    builder.profile
}

/// The same service, with types: one of each evidence.
pub(crate) fn typed() -> Profile {
    let mut profile = order_service();
    let heap_type = |name: &str, evidence, layout, value_bytes| HeapType {
        name: name.to_owned(),
        evidence,
        layout,
        value_bytes,
    };
    profile.types = vec![
        heap_type("Vec<Order>", TypeEvidence::SizeChecked, TypeLayout::Array, 128),
        heap_type("HashMap<u64, Order> table", TypeEvidence::Named, TypeLayout::Table, 0),
        heap_type("String", TypeEvidence::Named, TypeLayout::Array, 1),
        heap_type(
            "in order_service::index::Index::grow",
            TypeEvidence::Raw,
            TypeLayout::Unknown,
            0,
        ),
    ];
    for (site, heap_type) in profile.sites.iter_mut().zip([1, 1, 2, 3, 3, 4]) {
        site.heap_type = heap_type;
    }
    profile
}

fn finish(profile: &mut Profile) {
    profile.run = Run {
        command: ["./order-service", "--orders", "20000", "--motd", "Ada's shop"]
            .map(String::from)
            .to_vec(),
        exe: "/home/ada/order-service/target/release/order-service".to_owned(),
        pid: 4711,
        start_ns: 1_763_800_000_123_456_789,
        duration_ns: 1_843_211_900,
        end: End::Exited(0),
        memscope_version: "0.1.0".to_owned(),
        unfollowed_children: 1,
        ..Run::default()
    };
    profile.totals.peak_ms = 1_204;
    let events = profile.totals.allocations + profile.totals.frees;
    profile.completeness.attempts = events + 1;
    profile.completeness.successes = events;
    profile.completeness.misses[0] = 1;
    profile.completeness.unknown_frees = 23;
    profile.completeness.truncated_stacks = 40;
    profile.completeness.peak_uncertainty_bytes = 4 * 65_536;
    profile.warnings.push(Warning {
        message: "no symbols for /usr/lib/x86_64-linux-gnu/libssl.so.3: its functions are shown as addresses".to_owned(),
        hint: "install its debug package (libssl3-dbgsym), or set debug = \"line-tables-only\" where you build it".to_owned(),
    });
    let thread = |tid, name: &str, allocations, allocated_bytes, temporary| Thread {
        tid,
        name: name.to_owned(),
        first_ms: u64::from(tid - 4711),
        attempts: allocations + 5,
        successes: allocations + 5,
        allocations,
        allocated_bytes,
        frees: 5,
        freed_bytes: 640,
        temporary,
        ..Thread::default()
    };
    profile.threads = vec![
        thread(4711, "order-service", 881_007, 57_299_068, 880_500),
        thread(4712, "worker-0", 41_540, 8_007_064, 4_500),
        thread(4713, "worker-1", 41_472, 8_053_000, 4_500),
        thread(4714, "", 40, 0, 0),
    ];
    profile.threads[1].attempts += 1;
    profile.timeline.interval_ms = 100;
    profile.timeline.samples = vec![
        Sample { ms: 100, live_bytes: 4096, live_blocks: 2, allocations: 40, changes: vec![] },
        Sample {
            ms: 200,
            live_bytes: 8192,
            live_blocks: 1,
            allocations: 90,
            changes: vec![SiteChange {
                site: 1,
                live_blocks: -1,
                live_bytes: 4096,
                allocations: 50,
                allocated_bytes: 5000,
            }],
        },
    ];
}

/// The same, as a sample would have estimated it.
pub(crate) fn sampled() -> Profile {
    let mut profile = order_service();
    profile.run.mode = Mode::Sampled;
    profile.run.interval_bytes = 64 << 10;
    profile.completeness.attempts = profile.completeness.successes;
    profile.completeness.misses[0] = 0;
    profile.completeness.truncated_stacks = 0;
    profile.completeness.peak_uncertainty_bytes = 0;
    profile.warnings.clear();
    let interval = profile.run.interval_bytes as f64;
    for site in &mut profile.sites {
        let counts = site.counts;
        // As if all blocks of a site were of one size.
        let size = counts.allocated_bytes as f64 / counts.allocations.max(1) as f64;
        let variance = 1.0 / f64::exp_m1((size + 1.0) / interval);
        let deviation = |blocks: u64, unit: f64| ((blocks as f64 * variance).sqrt() * unit) as u64;
        site.counts.deviations = Deviations {
            allocations: deviation(counts.allocations, 1.0),
            allocated_bytes: deviation(counts.allocations, size),
            frees: deviation(counts.frees, 1.0),
            freed_bytes: deviation(counts.frees, size),
            temporary: deviation(counts.temporary, 1.0),
            peak_blocks: deviation(counts.peak_blocks, 1.0),
            peak_bytes: deviation(counts.peak_blocks, size),
            live_blocks: deviation(counts.live_blocks(), 1.0),
            live_bytes: deviation(counts.live_blocks(), size),
        };
        profile.totals.deviations.add(&site.counts.deviations);
    }
    profile.threads[1].deviations.allocated_bytes = 100_000;
    profile
}

/// A run that recorded all there was: nothing that was ever freed, one thread.
pub(crate) fn tidy() -> Profile {
    let mut builder = Builder::new("/usr/bin/tidy");
    let counts = counts((2, 2048), (2, 2048), 0, (1, 1024));
    builder.site(&[&[&["load"], &["main"]]], Kind::Malloc, counts);
    builder.add_up();
    let profile = &mut builder.profile;
    profile.run.command = vec!["tidy".to_owned()];
    profile.run.end = End::Signaled(9);
    profile.run.duration_ns = 3_500_000;
    profile.completeness.attempts = 4;
    profile.completeness.successes = 4;
    let counts = profile.sites[0].counts;
    profile.threads.push(Thread {
        tid: 9,
        name: "tidy".to_owned(),
        attempts: 4,
        successes: 4,
        allocations: counts.allocations,
        allocated_bytes: counts.allocated_bytes,
        frees: counts.frees,
        freed_bytes: counts.freed_bytes,
        ..Thread::default()
    });
    builder.profile
}

/// A program that names two tasks, one in the other, and a value.
pub(crate) fn named() -> Profile {
    let mut profile = tidy();
    let task = |name: &str, parent, kind| Task {
        parent,
        name: name.to_owned(),
        kind,
        open: 0,
        entries: 3,
        peak_bytes: 4096,
    };
    profile.tasks = vec![task("import", 0, 2), task("parse", 1, 1)];
    profile.sites[0].task = 2;
    profile.labels.push(Label {
        name: "orders".to_owned(),
        type_name: "alloc::vec::Vec<u8>".to_owned(),
        file: "/home/ada/order-service/src/tasks.rs".to_owned(),
        line: 12,
        live_blocks: 1,
        live_bytes: 1000,
        peak_bytes: 2000,
        blocks: 3,
        bytes: 2500,
        moves: 2,
        ..Label::default()
    });
    profile
}

/// `n` stacks of some thirty frames each that share their outer parts, and one that is 50,000 frames deep.
pub(crate) fn many_stacks(n: u32) -> Profile {
    let mut profile = Profile::default();
    let functions = 2_000u32;
    profile.strings = (0..functions).map(|n| format!("shop::module{}::f{n}", n / 10)).collect();
    profile.strings[0] = String::new();
    profile.frames = (0..functions)
        .map(|function| Frame {
            function,
            file: 1 + function % 90,
            line: function,
            ..Frame::default()
        })
        .collect();
    profile.addresses = (0..functions)
        .map(|n| Address {
            address: 0x1000 + u64::from(n),
            frames_start: n.max(1),
            frames_len: 1,
            ..Address::default()
        })
        .collect();
    let counts = Counts {
        allocations: 1,
        allocated_bytes: 100,
        peak_blocks: 1,
        peak_bytes: 100,
        ..Counts::default()
    };
    let site = |stack| Site { stack, kind: Kind::Malloc as u8, counts, ..Site::default() };
    // A stack begins in the middle of an earlier one: they share their outer frames.
    for stack in 0..n {
        let mut parent = stack / 64 * 16;
        for depth in 0..16 {
            let address = (stack.wrapping_mul(2_654_435_761) >> 8).wrapping_add(depth * 37);
            profile.stacks.push(StackNode { parent, address: address % functions });
            parent = profile.stacks.len() as u32;
        }
        profile.sites.push(site(parent));
    }
    let mut parent = 0;
    for _ in 0..50_000 {
        profile.stacks.push(StackNode { parent, address: 7 });
        parent = profile.stacks.len() as u32;
    }
    profile.sites.push(Site {
        counts: Counts { peak_bytes: 1 << 30, peak_blocks: 1, ..counts },
        ..site(parent)
    });
    profile.completeness.attempts = u64::from(n) + 1;
    profile.completeness.successes = u64::from(n) + 1;
    profile
}
