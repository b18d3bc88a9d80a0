//! Each format is read by the program that it is for, and the numbers that come out are the profile's.

mod profiles;

use memscope_profile::Profile;
use memscope_profile::analyze::Metric;
use memscope_profile::model::{Counts, Sample, SiteChange};
use memscope_report::{csv, dhat, firefox, flamegraph, pprof, speedscope};
use std::collections::HashMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

const STORE: &str = "<order_service::store::Store<order_service::order::Order>>::insert";

/// A file for a client to read.
fn file(name: &str, write: impl Fn(&mut dyn Write) -> io::Result<()>) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let mut bytes = Vec::new();
    write(&mut bytes).expect("a Vec takes everything");
    std::fs::write(&path, bytes).expect("the folder can be written to");
    path
}

fn output(command: &mut Command) -> String {
    let program = command.get_program().to_owned();
    let output =
        command.output().unwrap_or_else(|error| panic!("{program:?}: {error}. Hint: .ci/install"));
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program:?}: {words}\nHint: .ci/install");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn go_tool_pprof(arguments: &[&str], file: &Path) -> String {
    let mut command = Command::new("timeout");
    command.args(["120", "go", "tool", "pprof", "-symbolize=none"]).args(arguments).arg(file);
    output(&mut command)
}

/// Runs a script of web/test.
fn node(script: &str, files: &[&Path]) -> serde_json::Value {
    let web = concat!(env!("CARGO_MANIFEST_DIR"), "/../../web");
    let mut command = Command::new("timeout");
    command.args(["180", "node", script]).args(files).current_dir(web);
    serde_json::from_str(&output(&mut command)).expect("JSON")
}

#[test]
fn go_tool_pprof_agrees() {
    let profile = profiles::order_service();
    let totals = &profile.totals;
    let path = file("order_service.pb.gz", |out| pprof::write(&profile, out));
    for (sample_type, unit, total) in [
        ("alloc_objects", "B", totals.allocations),
        ("alloc_space", "B", totals.allocated_bytes),
        ("inuse_objects", "B", totals.live_blocks),
        ("inuse_space", "B", totals.live_bytes),
        ("peak_objects", "B", totals.peak_blocks),
        ("peak_space", "B", totals.peak_bytes),
    ] {
        let top = go_tool_pprof(
            &[
                "-top",
                "-unit=B",
                "-nodefraction=0",
                "-nodecount=1000",
                &format!("-sample_index={sample_type}"),
            ],
            &path,
        );
        assert!(top.contains(&format!(" of {total}{unit} total")), "{sample_type} {total}: {top}");
    }
    // By default the peak, with names whole, generics and all.
    let top = go_tool_pprof(&["-top", "-cum", "-unit=B"], &path);
    assert!(top.contains("Type: peak_space"), "{top}");
    let line = top.lines().find(|line| line.contains(STORE)).unwrap_or_else(|| panic!("{top}"));
    // Of three sites: two of the Vec and one of the map.
    let sum = 6_501_171 + 196_608 + 2_097_152;
    assert!(line.contains(&format!(" {sum}B ")), "{line}");
    let peek = go_tool_pprof(&["-peek", "store::Store", "-unit=B"], &path);
    assert!(
        peek.contains("place_order") && peek.contains("Vec<order_service::order::Order>>::push")
    );
    let comments = go_tool_pprof(&["-comments"], &path);
    assert!(comments.contains("Incomplete: 1,925,563 of 1,925,564 events"), "{comments}");
    let raw = go_tool_pprof(&["-raw"], &path);
    assert!(raw.contains("/release/order-service") && raw.contains("[FN][FL][LN][IN]"), "{raw}");
}

#[test]
fn go_tool_pprof_reads_types() {
    let profile = profiles::typed();
    let path = file("typed.pb.gz", |out| pprof::write(&profile, out));
    // What the blocks are is a label. Its values are those that are called types, each with its bytes.
    let tags = go_tool_pprof(&["-tags", "-unit=B", "-sample_index=alloc_space"], &path);
    let mut by_type: HashMap<&str, u64> = HashMap::new();
    for site in &profile.sites {
        if let Some(heap_type) = profile.heap_type(site).filter(|it| it.evidence.is_typed()) {
            *by_type.entry(&heap_type.name).or_default() += site.counts.allocated_bytes;
        }
    }
    assert!(by_type.len() > 2 && by_type.values().any(|bytes| *bytes > 0), "{by_type:?}");
    let (_, values) = tags.split_once("type: Total").unwrap_or_else(|| panic!("{tags}"));
    let read: HashMap<&str, u64> = values
        .lines()
        .filter_map(|line| {
            let (figures, name) = line.split_once("): ")?;
            Some((name.trim(), figures.trim().split(['B', '.']).next()?.parse().ok()?))
        })
        .collect();
    by_type.retain(|_, bytes| *bytes > 0);
    assert_eq!(read, by_type, "{tags}");
    let focused = go_tool_pprof(
        &["-top", "-unit=B", "-sample_index=alloc_space", "-tagfocus=type=Vec<Order>"],
        &path,
    );
    assert!(focused.contains(&format!("{}B,", by_type["Vec<Order>"])), "{focused}");
    // Nothing is labelled where no types are known.
    let untyped = file("untyped.pb.gz", |out| pprof::write(&profiles::order_service(), out));
    let top = go_tool_pprof(&["-top", "-unit=B", "-sample_index=alloc_space"], &untyped);
    assert!(top.contains(&format!(" of {}B total", profile.totals.allocated_bytes)), "{top}");
    assert!(!go_tool_pprof(&["-tags"], &untyped).contains("type:"));
}

#[test]
fn go_tool_pprof_finds_blocks_by_their_size() {
    let profile = profiles::order_service();
    let path = file("sizes.pb.gz", |out| pprof::write(&profile, out));
    let least = 100 << 10;
    for (label, size) in [
        ("bytes", (|counts| counts.mean_block_bytes().unwrap_or(0)) as fn(&Counts) -> u64),
        ("largest_block", |counts| counts.largest_block_bytes),
    ] {
        let large = profile.sites.iter().filter(|site| size(&site.counts) >= least);
        let bytes: u64 = large.map(|site| site.counts.allocated_bytes).sum();
        assert!(bytes > 0 && bytes < profile.totals.allocated_bytes, "{label}: {bytes}");
        let focus = format!("-tagfocus={label}=100kb:");
        let top = go_tool_pprof(&["-top", "-unit=B", "-sample_index=alloc_space", &focus], &path);
        assert!(top.contains(&format!(" for {bytes}B, ")), "{label} {bytes}: {top}");
    }
}

#[test]
fn viewers_in_a_browser_agree() {
    let profile = profiles::order_service();
    let dhat = file("order_service.dhat.json", |out| dhat::write(&profile, out));
    let scope = file("order_service.speedscope.json", |out| speedscope::write(&profile, out));
    let svg =
        file("order_service.svg", |out| flamegraph::write(&profile, Metric::Peak, false, out));
    let seen = node("test/clients.mjs", &[&dhat, &scope, &svg]);

    // dh_view: the totals in all, at the peak and at the end.
    let view = seen["dhat"].as_str().expect("text");
    let totals = &profile.totals;
    let with_commas = |n: u64| {
        let digits: Vec<char> = n.to_string().chars().rev().collect();
        let groups: Vec<String> = digits.chunks(3).map(|group| group.iter().collect()).collect();
        groups.join(",").chars().rev().collect::<String>()
    };
    let (_, view) = view.split_once("▼ PP 1/1").expect("the root");
    for (label, bytes, blocks) in [
        ("Total:", totals.allocated_bytes, totals.allocations),
        ("At t-gmax:", totals.peak_bytes, totals.peak_blocks),
        ("At t-end:", totals.live_bytes, totals.live_blocks),
    ] {
        let line = view.lines().find(|line| line.trim_start().starts_with(label));
        let line = line.unwrap_or_else(|| panic!("no {label} in {view}"));
        for figure in [bytes, blocks] {
            assert!(line.contains(&with_commas(figure)), "{label} {figure} is not in {line}");
        }
    }
    assert!(view.contains("Vec<order_service::order::Order>>::push (/rustc/"), "{view}");

    // speedscope: a profile for each metric; the sandwich view adds up.
    let scope = seen["speedscope"].as_str().expect("text");
    assert!(scope.contains("Peak") && scope.contains("1/5"), "{scope}");
    assert!(scope.contains(STORE), "{scope}");

    // The picture is well-formed and as wide as the whole.
    assert_eq!(seen["svg"]["error"], "");
    assert!(seen["svg"]["boxes"].as_u64() > Some(8));
    assert_eq!(seen["svg"]["widest"], "1199.6");
    assert!(seen["svg"]["texts"].as_str().expect("text").contains("place_order"));
}

#[test]
fn the_firefox_profiler_reads_dhat() {
    let profile = profiles::order_service();
    let path = file("firefox.dhat.json", |out| dhat::write(&profile, out));
    let seen = node("test/firefox.mjs", &[&path]);
    let text = seen["text"].as_str().expect("text");
    for name in ["Total Bytes", "Bytes at Global Max", "Bytes at End"] {
        assert!(text.contains(name), "{name}: {text}");
    }
    let samples = |thread: &str| seen["samples"][thread].as_str().expect("text");
    assert!(samples("t-0").contains(STORE), "{}", samples("t-0"));
    for (thread, sum) in
        [("t-0", profile.totals.allocated_bytes), ("t-2", profile.totals.peak_bytes)]
    {
        let text = samples(thread);
        assert!(text.contains(&format!("({sum} running samples)")), "{sum}: {text}");
    }
}

#[test]
fn the_firefox_profiler_agrees() {
    let profile = profiles::order_service();
    let path = file("firefox.json", |out| firefox::write(&profile, out));
    let threads = ["t-0", "t-1", "t-2", "t-3", "t-4"];
    let words = threads.map(Path::new);
    let seen = node("test/firefox.mjs", &[&[&*path], &words[..]].concat());
    let text = seen["text"].as_str().expect("text");
    let totals = &profile.totals;
    // The track of live bytes reaches the peak, which is between two samples.
    assert!(text.contains("Memory - memory range in graph: 9.99MB"), "{text}");
    for (thread, name, sum) in [
        ("t-0", "Peak", totals.peak_bytes),
        ("t-1", "Live at end", totals.live_bytes),
        ("t-2", "Allocations", totals.allocations),
        ("t-3", "Allocated bytes", totals.allocated_bytes),
        ("t-4", "Temporary allocations", totals.temporary),
    ] {
        assert!(text.contains(&format!("{thread}: {name}")), "{text}");
        let text = seen["samples"][thread].as_str().expect("text");
        assert!(text.contains(&format!("({sum} running samples)")), "{name} {sum}: {text}");
        assert_eq!(text.contains("Data source: native-allocations"), !name.contains("llocations"));
        assert!(text.contains(STORE) || thread == "t-4", "{name}: {text}");
    }
    // What the standard library allocates is for its caller.
    let peak = seen["samples"]["t-0"].as_str().expect("text");
    for line in ["Program", "Dependency", "libssl.so.3!libssl.so.3+0x2a1b0"] {
        assert!(peak.contains(line), "{line}: {peak}");
    }
    assert!(!peak.contains("Allocator "), "{peak}");
}

#[test]
fn the_firefox_profiler_has_what_was_allocated_when_it_was() {
    let mut profile = profiles::order_service();
    let counts = profile.sites[0].counts;
    let change = |allocated_bytes, live_bytes| SiteChange {
        site: 0,
        allocated_bytes,
        live_bytes,
        allocations: 1,
        ..SiteChange::default()
    };
    let sample = |ms, change| Sample { ms, changes: vec![change], ..Sample::default() };
    // 3000 came, 1000 of it went; then 2000 more went.
    profile.timeline.samples = vec![sample(100, change(3000, 2000)), sample(200, change(0, -2000))];
    let mut json = Vec::new();
    firefox::write(&profile, &mut json).expect("a Vec takes everything");
    let json: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
    let mut threads = json["threads"].as_array().expect("threads").iter();
    let thread = threads.find(|it| it["name"] == "Allocated bytes").expect("a thread");
    let table = &thread["nativeAllocations"];
    let column = |name: &str| table[name].as_array().expect("a column").iter();
    let (times, weights) = (column("time"), column("weight"));
    let rows: Vec<(u64, i64)> = times
        .zip(weights)
        .map(|(ms, weight)| (ms.as_u64().expect("a time"), weight.as_i64().expect("a weight")))
        .collect();
    assert_eq!(rows[..3], [(100, 3000), (100, -1000), (200, -2000)]);
    let end = profile.run.duration_ns / 1_000_000;
    assert_eq!(rows[3], (end, counts.allocated_bytes as i64 - 3000));
    assert!(rows.is_sorted_by_key(|row| row.0));
    let sum = |sign: i64| rows.iter().map(|row| (row.1 * sign).max(0)).sum::<i64>() as u64;
    assert_eq!(sum(1), profile.totals.allocated_bytes);
    assert_eq!(sum(-1), profile.totals.freed_bytes);
    assert_eq!(column("stack").count(), rows.len());
}

#[test]
fn speedscope_s_schema_holds() {
    let schema = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../web/node_modules/speedscope/dist/release/file-format-schema.json"
    );
    let schema = std::fs::read_to_string(schema).expect("the npm package. Hint: .ci/install");
    let schema = serde_json::from_str(&schema).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    for profile in [profiles::order_service(), profiles::sampled(), Profile::default()] {
        let mut json = Vec::new();
        speedscope::write(&profile, &mut json).expect("a Vec takes everything");
        let json = serde_json::from_slice(&json).expect("JSON");
        let errors: Vec<_> = validator.iter_errors(&json).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}");
    }
}

#[test]
fn a_reader_of_tables_agrees() {
    let mut profile = profiles::typed();
    profile.strings[1] += ", \"quoted\"\nand broken";
    let mut text = Vec::new();
    csv::write(&profile, &mut text).expect("a Vec takes everything");
    let mut reader = ::csv::Reader::from_reader(&text[..]);
    let names: Vec<String> = reader.headers().expect("a head").iter().map(String::from).collect();
    let rows: Vec<_> = reader.records().map(|row| row.expect("a row")).collect();
    assert_eq!(rows.len(), profile.sites.len());
    let column = |name: &str| names.iter().position(|it| it == name).expect("a column");
    let sum = |name: &str| -> u64 {
        rows.iter().map(|row| row[column(name)].parse::<u64>().expect("a number")).sum()
    };
    assert_eq!(sum("peak_bytes"), profile.totals.peak_bytes);
    assert_eq!(sum("allocations"), profile.totals.allocations);
    assert_eq!(sum("live_bytes"), profile.totals.live_bytes);
    assert_eq!(&rows[0][column("function")], STORE);
    assert_eq!(&rows[0][column("line")], "42");
    let typed = |row: &::csv::StringRecord| {
        (row[column("type")].to_owned(), row[column("type_known_by")].to_owned())
    };
    for (row, site) in rows.iter().zip(&profile.sites) {
        let name = profile.heap_type(site).map_or("", |it| &it.name);
        assert_eq!(typed(row).0, name);
        assert_eq!(typed(row).1 == "-", name.is_empty());
    }
    assert_eq!(typed(&rows[0]), ("Vec<Order>".to_owned(), "size".to_owned()));
    assert!(rows.iter().any(|row| row[column("stack")].contains("\"quoted\"\nand broken")));
}

#[test]
fn no_format_panics_on_odd_profiles() {
    let mut cyclic = profiles::order_service();
    for node in &mut cyclic.stacks {
        node.parent = 7;
        node.address = node.address.wrapping_mul(97);
    }
    for profile in [Profile::default(), profiles::sampled(), profiles::tidy(), cyclic] {
        let mut out = Vec::new();
        pprof::write(&profile, &mut out).expect("a Vec takes everything");
        dhat::write(&profile, &mut out).expect("a Vec takes everything");
        speedscope::write(&profile, &mut out).expect("a Vec takes everything");
        firefox::write(&profile, &mut out).expect("a Vec takes everything");
        csv::write(&profile, &mut out).expect("a Vec takes everything");
        for metric in Metric::ALL {
            flamegraph::write(&profile, metric, true, &mut out).expect("a Vec takes everything");
        }
    }
}
