//! Collapsed stacks: one line each, and the lines add up.

mod profiles;

use memscope_profile::Profile;
use memscope_profile::analyze::Metric;
use memscope_report::folded::write;

fn folded(profile: &Profile, metric: Metric) -> String {
    let mut out = Vec::new();
    write(profile, metric, &mut out).expect("a Vec takes everything");
    String::from_utf8(out).expect("text")
}

/// Reads the format as its readers do: frames up to the last space, parted by semicolons.
fn parse(text: &str) -> Vec<(Vec<&str>, u64)> {
    text.lines()
        .map(|line| {
            let (stack, value) = line.rsplit_once(' ').expect("a value");
            (stack.split(';').collect(), value.parse().expect("a number"))
        })
        .collect()
}

#[test]
fn order_service_by_bytes_at_the_peak() {
    insta::assert_snapshot!(folded(&profiles::order_service(), Metric::Peak));
}

#[test]
fn the_lines_add_up_to_the_totals() {
    let profile = profiles::order_service();
    let totals = &profile.totals;
    for (metric, total) in [
        (Metric::Peak, totals.peak_bytes),
        (Metric::LiveAtEnd, totals.live_bytes),
        (Metric::Allocations, totals.allocations),
        (Metric::AllocatedBytes, totals.allocated_bytes),
        (Metric::Temporary, totals.temporary),
    ] {
        let text = folded(&profile, metric);
        assert_eq!(parse(&text).iter().map(|line| line.1).sum::<u64>(), total, "{metric:?}");
        assert!(parse(&text).iter().all(|line| line.1 > 0), "{metric:?}");
    }
}

#[test]
fn every_frame_is_there_and_none_is_empty_or_split() {
    let mut profile = profiles::order_service();
    for string in &mut profile.strings {
        string.push_str("; with\na \r\tbreak; ");
    }
    profile.strings[0].clear();
    let depth = |stack| profile.stack_frames(stack).count();
    let mut depths: Vec<_> =
        profile.sites.iter().map(|site| depth(site.stack) + usize::from(site.truncated)).collect();
    let text = folded(&profile, Metric::Allocations);
    let mut parsed: Vec<_> = parse(&text).iter().map(|line| line.0.len()).collect();
    depths.sort_unstable();
    parsed.sort_unstable();
    assert_eq!(parsed, depths);
    assert!(
        parse(&text).iter().all(|(frames, _)| frames.iter().all(|frame| !frame.trim().is_empty()))
    );
    assert_eq!(text.lines().count(), profile.sites.len());
}

#[test]
fn kinds_of_call_are_added_up_and_missing_stacks_said() {
    let mut profile = profiles::tidy();
    let site = profile.sites[0];
    profile.sites.push(site);
    profile.sites.push(memscope_profile::model::Site { truncated: true, ..site });
    profile.sites.push(memscope_profile::model::Site { stack: 0, ..site });
    assert_eq!(
        folded(&profile, Metric::Allocations),
        "[no stack] 2\nmain;load 4\n[truncated];main;load 2\n"
    );
    assert_eq!(folded(&Profile::default(), Metric::Peak), "");
}
