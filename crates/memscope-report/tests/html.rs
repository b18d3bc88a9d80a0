//! The page: its head can be read without a script, its data can be unpacked, and it stays small.

mod profiles;

use memscope_profile::Profile;
use memscope_profile::analyze::Analysis;
use memscope_profile::model::{
    Address, Counts, Frame, Growth, HeapType, Kind, Label, Sample, Site, SiteChange, StackNode,
    Task, Thread, TypeEvidence,
};
use memscope_report::html::{Sources, write};
use std::io::Read;

fn page(profile: &Profile) -> String {
    let mut out = Vec::new();
    let source = |path: &str| {
        path.ends_with("src/store.rs").then(|| (1..60).map(|n| format!("line {n}\n")).collect())
    };
    let sources = Sources { base: "/home/ada/order-service", text: &source };
    write(profile, &sources, &mut out).expect("a Vec takes everything");
    String::from_utf8(out).expect("text")
}

/// Unpacks the data as a browser does.
fn data(page: &str) -> serde_json::Value {
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    let (_, rest) = page.split_once(r#"type="application/octet-stream">"#).expect("data");
    let (base64, _) = rest.split_once("</script>").expect("its end");
    let gzip = BASE64_STANDARD.decode(base64).expect("base64");
    let mut text = String::new();
    flate2::read::GzDecoder::new(&gzip[..]).read_to_string(&mut text).expect("gzip");
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn the_head_says_where_the_memory_is_without_a_script() {
    let page = page(&profiles::order_service());
    let (head, _) = page.split_once("</header>").expect("a head");
    let (_, head) = head.split_once("<header>").expect("a head");
    insta::assert_snapshot!(head);
}

#[test]
fn a_stack_of_the_library_alone_has_a_name() {
    let mut builder = profiles::Builder::new("/lib/x86_64-linux-gnu/libc.so.6");
    let stack: &[profiles::Code] =
        &[&["malloc"], &["doallocate"], &["doallocbuf"], &["underflow"], &["getdelim"], &["attr"]];
    let counts = Counts { allocations: 1, peak_blocks: 1, peak_bytes: 1024, ..Counts::default() };
    builder.site(&[stack], Kind::Malloc, counts);
    builder.add_up();
    // What it does inside is folded; what was asked of it is named.
    let analysis = Analysis::new(&builder.profile);
    let sentence = memscope_report::html::sentence(&analysis, "");
    assert!(sentence.ends_with("100 % of it from one site: underflow."), "{sentence}");
    assert_eq!(memscope_report::text::site_name(&analysis, 0, ""), "underflow");
}

#[test]
fn the_page_names_a_stack_as_its_first_sentence_does() {
    let cases: [(&[profiles::Code], &str); 5] = [
        (&[&["malloc"], &["std::a"], &["std::b"], &["_start"]], "std::a"),
        (&[&["malloc"], &["std::a"], &["std::b"], &["std::c"], &["std::d"], &["std::e"]], "std::c"),
        // Recursion is one function, and what the runtime calls further out is another stretch.
        (
            &[
                &["malloc"],
                &["std::a"],
                &["std::a"],
                &["std::b"],
                &["std::c"],
                &["std::d"],
                &["std::rt::init"],
                &["std::e"],
            ],
            "std::a",
        ),
        (&[&["malloc"], &["std::rt::init"], &["_start"]], "std::rt::init"),
        (&[&["malloc"]], "malloc"),
    ];
    for (case, (stack, name)) in cases.into_iter().enumerate() {
        let mut builder = profiles::Builder::new("/usr/bin/shop");
        let counts =
            Counts { allocations: 1, peak_blocks: 1, peak_bytes: 1024, ..Counts::default() };
        builder.site(&[stack], Kind::Malloc, counts);
        builder.add_up();
        let page = page(&builder.profile);
        let seen = drive(&page, &format!("library_{case}"), "heads.mjs");
        let sentence = seen["sentence"].as_str().expect("a sentence");
        assert!(sentence.ends_with(&format!("from one site: {name}.")), "{sentence}");
        assert_eq!(seen["heads"][0], *name, "{sentence}");
    }
}

#[test]
fn the_data_is_the_profile() {
    let profile = profiles::order_service();
    let data = data(&page(&profile));
    let sum = |column: &str| -> u64 {
        let column = data["sites"][column].as_array().expect("a column");
        column.iter().map(|it| it.as_u64().expect("a number")).sum()
    };
    assert_eq!(sum("peak_bytes"), profile.totals.peak_bytes);
    assert_eq!(sum("allocations"), profile.totals.allocations);
    assert_eq!(data["stacks"]["up"].as_array().map(Vec::len), Some(profile.stacks.len()));
    // The outermost frame of the first stack, found as the page finds it.
    let address = data["stacks"]["address"][0].as_u64().expect("an address") as usize;
    let frames = data["addresses"]["frames"].as_array().expect("counts");
    let first: u64 = frames[..address].iter().map(|it| it.as_u64().expect("a count")).sum();
    let frame = data["addresses"]["frame"][first as usize].as_u64().expect("a frame") as usize;
    let function = data["frames"]["function"][frame].as_u64().expect("a function") as usize;
    assert_eq!(data["functions"]["name"][function], "clone3");
    assert_eq!(data["snippets"][0]["first_line"], 38);
    assert_eq!(data["snippets"][0]["text"][0], "line 38");
}

#[test]
fn foreign_text_does_not_become_markup() {
    let mut profile = profiles::tidy();
    let bad = "</script><script>alert(1)</script><!--";
    profile.run.command = vec![bad.to_owned()];
    profile.strings[1] = bad.to_owned();
    let page = page(&profile);
    assert_eq!(page.matches("<script").count(), 2);
    assert!(!page.contains("alert(1)</script>"));
    assert!(data(&page)["functions"]["name"].to_string().contains("alert(1)"));
}

#[test]
fn an_empty_profile_has_a_page() {
    let page = page(&Profile::default());
    assert!(page.contains("Nothing was held at any time."));
    assert_eq!(data(&page)["sites"]["line"].as_array().map(Vec::len), Some(0));
}

/// The page in Chromium, driven by `web/test/page.mjs` as a person would. Gives what was seen.
fn browse(page: &str, name: &str) -> serde_json::Value {
    drive(page, name, "page.mjs")
}

/// The page in Chromium, driven by a script. Gives what it printed.
fn drive(page: &str, name: &str, script: &str) -> serde_json::Value {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = folder.join(format!("{name}.html"));
    std::fs::write(&file, page).expect("the folder can be written to");
    let web = concat!(env!("CARGO_MANIFEST_DIR"), "/../../web");
    let output = std::process::Command::new("timeout")
        .args(["180", "node", &format!("test/{script}")])
        .arg(&file)
        .current_dir(web)
        .output()
        .expect("timeout is there");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{words}\nHint: .ci/install gets node, its packages and Chromium"
    );
    let seen = serde_json::from_slice(&output.stdout).expect("JSON");
    println!("{name}: {seen}");
    seen
}

#[test]
fn a_browser_shows_it_searches_zooms_and_brushes() {
    let mut profile = profiles::order_service();
    // A sample each 100 ms, in which the first site grows and the third shrinks again.
    let sample = |n: u64| {
        let change = |site, live_bytes| SiteChange {
            site,
            live_bytes,
            allocations: 1,
            allocated_bytes: 4096,
            ..SiteChange::default()
        };
        let sign = if n < 9 { 1 } else { -1 };
        Sample {
            ms: n * 100,
            live_bytes: n * 400_000,
            live_blocks: n,
            allocations: n,
            changes: vec![change(0, 4096), change(2, sign * 4096)],
        }
    };
    profile.timeline.samples = (1..19).map(sample).collect();
    profile.tasks = vec![
        Task { name: "import".into(), kind: 1, peak_bytes: 4096, ..Task::default() },
        Task { name: "parse".into(), parent: 1, kind: 2, ..Task::default() },
    ];
    profile.sites[0].task = 2;
    let name = |name: &str| Label { tracker: 1, name: name.into(), line: 7, ..Label::default() };
    profile.labels =
        vec![name("tracker"), Label { type_name: "Vec<Order>".into(), ..name("orders") }];
    // The first site's blocks are of a type that no function is called after, and grew.
    profile.types = vec![HeapType {
        name: "Ledger<Order>".into(),
        evidence: TypeEvidence::Named,
        ..HeapType::default()
    }];
    profile.sites[0].heap_type = 1;
    // Two sites are another thread's than all others: of that which stands second in the list of threads.
    let mut threads: Vec<u32> = (0..profile.threads.len() as u32).collect();
    threads.sort_by_key(|at| std::cmp::Reverse(profile.threads[*at as usize].allocated_bytes));
    profile.thread_sets = vec![vec![threads[0]], vec![threads[1]]];
    profile.sites.iter_mut().for_each(|site| site.threads = 1);
    profile.sites[1].threads = 2;
    profile.sites[3].threads = 2;
    let growth = Growth { growths: 7, copied_bytes: 70_000, ..Growth::default() };
    profile.sites[0].counts.growth = growth;
    profile.totals.growth = Some(growth);
    let page = page(&profile);
    assert!(page.contains("from one site: Ledger&lt;Order&gt; in "), "{}", &page[..8000]);
    let data = data(&page);
    assert_eq!(data["sites"]["heap_type"][0], 1);
    assert_eq!(data["growth"]["rows"][0]["copied_bytes"], 70_000);
    assert_eq!(data["tasks"][1]["name"], "import › parse");
    assert_eq!(data["tasks"][1]["allocated_bytes"], profile.sites[0].counts.allocated_bytes);
    assert_eq!(data["variables"].as_array().map(Vec::len), Some(1));
    let seen = browse(&page, "order_service");
    assert_eq!(seen["typed"], 1, "sites of a type are not found by its name");
    let thread = &profile.threads[threads[1] as usize];
    assert_eq!(seen["thread"], format!("{} {}", thread.name, thread.tid));
    assert_eq!(seen["of_thread"], 2, "sites are not found by their thread");
    assert_eq!(seen["top"][0], "6.39 MiB 67.0 %");
    assert_eq!(seen["largest"].as_str().map(|it| it.starts_with("9.16 MiB")), Some(true));
}

/// A profile of `n` stacks as a large program has them: some thirty frames deep, four of them its own on average, with
/// generics in their names, every number another.
fn large_program(n: u32) -> Profile {
    let mut state = 1u64;
    let mut random = move |below: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut profile = Profile { strings: vec![String::new()], ..Profile::default() };
    for file in 0..500 {
        profile
            .strings
            .push(format!("/home/ada/shop/crates/part{}/src/module{file}.rs", file % 20));
    }
    for function in 0..12_000u64 {
        let (a, b) = (random(900), random(900));
        let module = function % 700;
        profile.strings.push(format!("<shop::module{module}::Handler<shop::order::Order{a}, alloc::vec::Vec<u{b}>> as shop::service::Service>::call_{function}"));
    }
    for place in 0..300 {
        let name = format!("Vec<Order{place}>");
        profile.types.push(HeapType { name, evidence: TypeEvidence::Named, ..HeapType::default() });
    }
    // Sites of one worker each, of a few, of all.
    for tid in 0..24 {
        let name = format!("worker-{}", tid % 8);
        profile.threads.push(Thread { tid: 4000 + tid, name, allocations: 1, ..Thread::default() });
        profile.thread_sets.push(vec![tid]);
    }
    profile.thread_sets.extend([(0..8).collect(), (0..24).collect::<Vec<u32>>()]);
    for _ in 0..20_000 {
        let frames_start = profile.frames.len() as u32;
        let frames_len = 1 + random(3) as u32;
        for n in 0..frames_len {
            profile.frames.push(Frame {
                function: 501 + random(12_000) as u32,
                file: 1 + random(500) as u32,
                line: 1 + random(3_000) as u32,
                inlined: n + 1 < frames_len,
                ..Frame::default()
            });
        }
        let address = 0x5555_5555_0000 + random(1 << 24);
        profile.addresses.push(Address { address, frames_start, frames_len, ..Address::default() });
    }
    let mut leaves = vec![0u32];
    for _ in 0..n {
        // From somewhere on the way to an earlier stack.
        let mut stack = leaves[random(leaves.len() as u64) as usize];
        for _ in 0..random(6) {
            stack = if stack == 0 { 0 } else { profile.stacks[stack as usize - 1].parent };
        }
        for _ in 0..if stack == 0 { 25 } else { 1 + random(7) } {
            profile.stacks.push(StackNode { parent: stack, address: random(20_000) as u32 });
            stack = profile.stacks.len() as u32;
        }
        leaves.push(stack);
        let (many, large) = (1 << (1 + random(16)), 1 << (1 + random(12)));
        let allocations = 1 + random(many);
        let size = 1 + random(large);
        // Most sites have freed all that they allocated.
        let held = if random(3) == 0 { random(allocations + 1) } else { 0 };
        let frees = allocations - held;
        let peak_blocks = held + if random(3) == 0 { random(frees + 1) } else { 0 };
        let counts = Counts {
            allocations,
            allocated_bytes: allocations * size,
            frees,
            freed_bytes: frees * size,
            temporary: random(frees + 1),
            peak_blocks,
            peak_bytes: peak_blocks * size,
            ..Counts::default()
        };
        let first_ms = profile.sites.len() as u64 * 60_000 / u64::from(n);
        profile.sites.push(Site {
            stack,
            kind: 1 + random(3) as u8,
            heap_type: 1 + stack % 300,
            threads: if random(4) == 0 { 1 + random(26) as u32 } else { 26 },
            first_ms,
            counts,
            ..Site::default()
        });
        profile.totals.peak_bytes += counts.peak_bytes;
        profile.totals.live_bytes += counts.live_bytes();
        profile.totals.allocations += allocations;
        profile.totals.allocated_bytes += counts.allocated_bytes;
    }
    profile.totals.peak_ms = 31_000;
    profile.run.duration_ns = 60_000_000_000;
    for ms in 1..500 {
        let mut changes: Vec<_> = (0..800)
            .map(|_| SiteChange {
                site: random(n.into()) as u32,
                live_bytes: random(90_000) as i64 - 40_000,
                allocations: random(90),
                allocated_bytes: random(90_000),
                ..SiteChange::default()
            })
            .collect();
        changes.sort_by_key(|change| change.site);
        profile.timeline.samples.push(Sample {
            ms: ms * 120,
            live_bytes: ms * 1_000_000,
            changes,
            ..Sample::default()
        });
    }
    profile
}

#[test]
fn a_browser_takes_a_hundred_thousand_stacks() {
    let profile = large_program(100_000);
    assert!(profile.stacks.len() > 300_000, "{} nodes", profile.stacks.len());
    let page = page(&profile);
    println!("{} bytes", page.len());
    assert!(page.len() <= 5_000_000, "{} bytes", page.len());
    let seen = browse(&page, "large_program");
    assert_eq!(seen["top"].as_array().map(Vec::len), Some(5));
}
