//! The terminal report as a whole: what a person sees, at the widths they have.

mod profiles;

use memscope_profile::Profile;
use memscope_profile::analyze::{Analysis, Metric};
use memscope_profile::model::{End, HeapType, Mode, Totals, TypeEvidence};
use memscope_report::text::{Options, write};
use unicode_width::UnicodeWidthStr;

fn report(profile: &Profile, options: &Options) -> String {
    let mut out = Vec::new();
    write(profile, options, &mut out).expect("a Vec takes everything");
    String::from_utf8(out).expect("the report is text")
}

fn at_width(profile: &Profile, width: usize) -> String {
    report(profile, &Options { width, ..Options::default() })
}

#[test]
fn order_service_at_60_columns() {
    insta::assert_snapshot!(at_width(&profiles::order_service(), 60));
}

#[test]
fn order_service_at_100_columns() {
    insta::assert_snapshot!(at_width(&profiles::order_service(), 100));
}

#[test]
fn order_service_at_160_columns() {
    insta::assert_snapshot!(at_width(&profiles::order_service(), 160));
}

#[test]
fn the_heap_by_type() {
    insta::assert_snapshot!(at_width(&profiles::typed(), 160));
}

#[test]
fn order_service_sampled() {
    insta::assert_snapshot!(at_width(&profiles::sampled(), 100));
}

#[test]
fn nothing_recorded() {
    insta::assert_snapshot!(at_width(&Profile::default(), 100));
}

#[test]
fn one_thread_that_freed_everything_and_was_killed() {
    insta::assert_snapshot!(at_width(&profiles::tidy(), 100));
}

#[test]
fn a_program_that_names_values_and_tasks() {
    insta::assert_snapshot!(at_width(&profiles::named(), 100));
}

#[test]
fn a_lesser_part_s_type_is_not_the_line_s() {
    let mut profile = profiles::order_service();
    let lines = Analysis::new(&profile).rank(Metric::Peak, 10).lines;
    let line = lines.iter().find(|line| line.sites.len() > 1).expect("a line of several sites");
    let name = "Ledger<Order>".to_owned();
    profile.types = vec![HeapType { name, evidence: TypeEvidence::Named, ..HeapType::default() }];
    profile.sites[line.sites[1] as usize].heap_type = 1;
    let is_led = |text: &str| text.lines().any(|it| it.contains("block") && it.contains("Ledger"));
    assert!(!is_led(&at_width(&profile, 160)));
    profile.sites[line.sites[0] as usize].heap_type = 1;
    assert!(is_led(&at_width(&profile, 160)));
}

#[test]
fn only_totals_were_counted() {
    let mut profile = profiles::tidy();
    profile.run.mode = Mode::Counting;
    profile.sites.clear();
    // From outside, the bytes of what is freed are not known.
    profile.totals.freed_bytes = 0;
    insta::assert_snapshot!(at_width(&profile, 100));
}

/// Every width that a terminal may have: no line is wider, and nothing is lost by wrapping.
#[test]
fn every_width_from_20_to_200_is_kept_to() {
    let dense = |text: &str| text.split_whitespace().collect::<String>();
    for profile in
        [profiles::order_service(), profiles::sampled(), profiles::named(), Profile::default()]
    {
        for width in 20..=200 {
            let report = at_width(&profile, width);
            for line in report.lines() {
                assert!(line.width() <= width, "{width} columns: {line:?}");
                assert_eq!(line, line.trim_end(), "{width} columns");
            }
            assert!(
                dense(&report).contains(&dense("order_service::audit::line::<[u8; 32]>"))
                    || profile.sites.len() < 2
            );
        }
    }
}

#[test]
fn colour_changes_nothing_but_the_colour() {
    let profile = profiles::order_service();
    let plain = report(&profile, &Options::default());
    let coloured = report(&profile, &Options { colour: true, ..Options::default() });
    let mut stripped = String::new();
    for (n, part) in coloured.split("\x1b[").enumerate() {
        stripped.push_str(if n == 0 { part } else { part.split_once('m').expect("a colour").1 });
    }
    assert_ne!(plain, coloured);
    assert_eq!(plain, stripped);
    // A line that is copied out of the report must not drag its colour along.
    for line in coloured.lines().filter(|line| line.contains('\x1b')) {
        assert!(line.rfind("\x1b[0m") >= line.rfind("\x1b["), "{line:?}");
    }
}

#[test]
fn foreign_text_cannot_control_the_terminal() {
    let mut profile = profiles::order_service();
    for string in &mut profile.strings {
        string.push_str("\x1b[2J\u{9b}2J\r\n");
    }
    profile.run.command.push("\x1b]0;title\x07".to_owned());
    profile.threads[0].name = "\x1b[1m".to_owned();
    profile.modules[1].path.push('\x08');
    profile.warnings[0].message.push('\n');
    profile.warnings[0].hint.push('\t');
    let report = at_width(&profile, 100);
    assert!(!report.contains(|c: char| c.is_control() && c != '\n'));
    assert!(report.contains(r"\u{1b}]0;title\u{7}"));
}

#[test]
fn as_many_sites_and_functions_as_asked_for() {
    let profile = profiles::order_service();
    let none = report(&profile, &Options { top: 0, ..Options::default() });
    assert!(!none.contains("Top sites"));
    let one = report(&profile, &Options { top: 1, max_functions: 1, ..Options::default() });
    assert!(one.contains(" …  6 more sites"), "{one}");
    assert!(one.contains("… 2 more frames, out to order_service::worker::run"), "{one}");
}

#[test]
fn a_peak_that_is_still_held_has_no_time() {
    let mut profile = profiles::order_service();
    profile.totals.peak_is_end = true;
    for (end, held) in [
        (End::Exited(0), "still held at the end"),
        (End::Ending, "still held at the end"),
        (End::Running, "still held now"),
    ] {
        profile.run.end = end;
        let report = at_width(&profile, 160);
        assert!(report.contains(&format!("Top sites at the peak, 9.53 MiB, {held}\n")), "{report}");
        assert!(report.contains(&format!("blocks, {held}\n")) && !report.contains("after 1.20 s"));
    }
}

#[test]
fn threads_of_one_name_are_told_apart_by_their_ids() {
    let mut profile = profiles::order_service();
    let heading = |profile: &Profile| {
        let report = at_width(profile, 100);
        let table = report.split("\nThreads").nth(1).expect("a table").to_owned();
        (table.lines().nth(1).expect("its heading").to_owned(), table)
    };
    assert!(!heading(&profile).0.contains("tid"));
    for thread in &mut profile.threads {
        thread.name = "worker".to_owned();
    }
    let (first, table) = heading(&profile);
    assert!(first.contains("tid"), "{table}");
    for thread in &profile.threads {
        assert!(table.contains(&format!(" {} ", thread.tid)), "{table}");
    }
}

#[test]
fn misses_by_signal_handlers_are_not_blamed_on_one_kind_of_return() {
    // A handler may also leave by a jump, and then events after it are missed, too.
    let report = at_width(&profiles::order_service(), 160);
    assert!(
        report.contains("in or after a signal handler that interrupted the recording"),
        "{report}"
    );
}

/// The functions at an address may be out of range, a parent may be its own child, counts may be absurd.
#[test]
fn a_profile_that_keeps_no_promise_is_reported_without_panic() {
    let mut profile = profiles::order_service();
    profile.strings.truncate(3);
    profile.frames.truncate(2);
    profile.modules.clear();
    profile.stacks[0].parent = 7;
    profile.stacks[1].address = u32::MAX;
    for site in &mut profile.sites {
        site.stack = site.stack.wrapping_mul(3);
        site.kind = 200;
        site.counts.allocations = u64::MAX;
        site.counts.allocated_bytes = u64::MAX;
        site.counts.peak_bytes = u64::MAX;
        site.counts.temporary = u64::MAX;
    }
    profile.totals = Totals { peak_ms: u64::MAX, live_bytes: u64::MAX, ..Totals::default() };
    profile.completeness.misses = [u64::MAX; 8];
    profile.run.duration_ns = u64::MAX;
    for thread in &mut profile.threads {
        thread.allocated_bytes = u64::MAX;
        thread.attempts = u64::MAX;
    }
    let report = at_width(&profile, 100);
    assert!(report.contains("Incomplete"), "{report}");
}

#[test]
fn many_and_deep_stacks() {
    let profile = profiles::many_stacks(20_000);
    let report = at_width(&profile, 100);
    assert!(report.contains(" …  19,996 more sites"), "{report}");
    assert!(report.contains("recursive"), "{report}");
}
