//! Runs side by side, in each form.

mod profiles;

use memscope_profile::Profile;
use memscope_profile::analyze::{Analysis, Metric};
use memscope_profile::model::Symbols;
use memscope_report::diff::{Runs, folded, html, json, markdown, text};
use std::io;

/// The order service after its largest site was halved and its temporary allocations were avoided.
fn improved() -> Profile {
    let mut profile = profiles::order_service();
    let largest = &mut profile.sites[0].counts;
    profile.totals.peak_bytes -= largest.peak_bytes / 2;
    largest.peak_bytes -= largest.peak_bytes / 2;
    profile.totals.allocations -= profile.sites[3].counts.allocations;
    profile.totals.temporary -= profile.sites[3].counts.temporary;
    profile.sites[3].counts = Default::default();
    // Loaded elsewhere.
    profile.addresses.iter_mut().for_each(|address| address.address += 0x1000);
    profile
}

fn written(write: fn(&Runs<'_>, &mut dyn io::Write) -> io::Result<()>) -> String {
    let (before, after) = (profiles::order_service(), improved());
    let (before, after) = (Analysis::new(&before), Analysis::new(&after));
    let runs =
        Runs { before: &[&before], after: &[&after], metric: Metric::Peak, top: 5, base: "" };
    let mut out = Vec::new();
    write(&runs, &mut out).expect("a Vec takes everything");
    String::from_utf8(out).expect("text")
}

#[test]
fn for_a_terminal() {
    insta::assert_snapshot!(written(text));
}

#[test]
fn as_markdown() {
    insta::assert_snapshot!(written(markdown));
}

#[test]
fn types_have_the_sizes_of_their_blocks_before_and_after() {
    let before = profiles::typed();
    let mut after = before.clone();
    let site = after.sites.iter_mut().find(|site| site.heap_type == 1).expect("a site with a type");
    site.counts.largest_block_bytes = 1 << 30;
    site.counts.peak_bytes += 1 << 20;
    let name = &before.types[0].name;
    let (first, second) = (Analysis::new(&before), Analysis::new(&after));
    let runs =
        Runs { before: &[&first], after: &[&second], metric: Metric::Peak, top: 5, base: "" };
    for write in [text, markdown, html] {
        let mut out = Vec::new();
        write(&runs, &mut out).expect("a Vec takes everything");
        let words = String::from_utf8(out).expect("text");
        let line = words.lines().find(|line| line.contains(" → 1.00 GiB"));
        let line = line.unwrap_or_else(|| panic!("{words}"));
        assert!(words.contains("Mean block") && words.contains("Largest"), "{words}");
        assert!(
            line.contains(&*name.replace('<', "&lt;").replace('>', "&gt;"))
                || line.contains(&**name),
            "{line}"
        );
    }
}

#[test]
fn a_build_without_debug_information_is_told_from_one_with() {
    let (before, mut after) = (profiles::order_service(), improved());
    let exe = after.run.exe.clone();
    let own = after.modules.iter_mut().find(|module| module.path == exe).expect("the program");
    own.symbols = Symbols::SymbolTable;
    for (other, is_said) in [(&before, false), (&after, true)] {
        let (before, after) = (Analysis::new(&before), Analysis::new(other));
        let runs =
            Runs { before: &[&before], after: &[&after], metric: Metric::Peak, top: 5, base: "" };
        for write in [text, markdown, html] {
            let mut out = Vec::new();
            write(&runs, &mut out).expect("a Vec takes everything");
            let words = String::from_utf8(out).expect("text");
            assert_eq!(words.contains("debug information before and names of"), is_said, "{words}");
        }
    }
}

#[test]
fn as_a_page_json_and_stacks() {
    let page = written(html);
    assert!(
        page.contains("<td class=\"number\" data-number=\"-3250585\">−3.10 MiB</td>"),
        "{page}"
    );
    let json: serde_json::Value = serde_json::from_str(&written(json)).expect("JSON");
    assert_eq!(json["totals"]["temporary"]["after"]["mean"], 13_501 - 4_500);
    assert_eq!(json["sites"][0]["change"], -3_250_585);
    let folded = written(folded);
    let sum = |from_the_end: usize| -> u64 {
        folded
            .lines()
            .map(|line| {
                line.rsplit(' ')
                    .nth(from_the_end)
                    .and_then(|it| it.parse::<u64>().ok())
                    .expect("a number")
            })
            .sum()
    };
    assert_eq!(sum(1), profiles::order_service().totals.peak_bytes);
    assert_eq!(sum(1) - sum(0), 3_250_586 + 65 - 1);
}

#[test]
fn a_browser_sorts_the_page() {
    let (before, after) = (profiles::order_service(), improved());
    let mut other = improved();
    // Runs that differ, so that means and spreads are shown.
    other.sites[1].counts.peak_bytes += 5_000_000;
    other.sites[2].counts.peak_bytes /= 2;
    let (before, after, other) =
        (Analysis::new(&before), Analysis::new(&after), Analysis::new(&other));
    let after = [&after, &other];
    let runs = Runs { before: &[&before], after: &after, metric: Metric::Peak, top: 5, base: "" };
    let mut out = Vec::new();
    html(&runs, &mut out).expect("a Vec takes everything");
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("diff.html");
    std::fs::write(&file, out).expect("the folder can be written to");
    let output = std::process::Command::new("timeout")
        .args(["120", "node", "test/diff.mjs"])
        .arg(&file)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../web"))
        .output()
        .expect("timeout is there");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}\nHint: .ci/install");
    let seen: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    println!("{seen}");
    let cells = |column: &str, click: usize| -> Vec<String> {
        let cells = seen[column][click]["cells"].as_array().expect("cells");
        cells.iter().map(|it| it.as_str().expect("text").to_owned()).collect()
    };
    assert_eq!(cells("Before", 0), ["6.39 MiB", "2.00 MiB", "65 B"]);
    assert_eq!(seen["Before"][0]["order"], "descending");
    let reversed = |mut cells: Vec<String>| {
        cells.reverse();
        cells
    };
    assert_eq!(cells("Before", 1), reversed(cells("Before", 0)));
    assert!(cells("Site", 0).is_sorted() && cells("Site", 1) == reversed(cells("Site", 0)));
}
