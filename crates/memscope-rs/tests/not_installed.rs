//! Without an installed allocator everything runs, and says first that nothing is known and what to do.

use memscope_rs::{FutureExt, Measurement, global_tracker, init_global_tracking, measure};
use memscope_rs::{task_scope, track, tracker};

#[test]
fn everything_runs_and_says_what_to_do() {
    let t = tracker!();
    let data = vec![0_u8; 1000];
    track!(t, data);
    track!(t, data);
    let stats = t.stats();
    assert!(!stats.is_recorded);
    assert_eq!((stats.tracked_values, stats.live_bytes), (2, 0));
    assert_eq!((stats.total_allocations, stats.unknown_allocations), (2, 2));
    assert!(!t.heap().is_recorded);
    let stats = t.tracking_stats();
    assert!(!stats.is_recorded && stats.to_string().starts_with("nothing is recorded"), "{stats}");
    assert_eq!(stats.detailed.attempts, 0);

    {
        let _task = task_scope("task");
        let _scope = t.scope("scope");
        t.mark("mark");
        drop(async {}.in_task("future"));
    }
    // A program that asks for the difference runs on, and only a mark that was never made is none.
    let since = t.since("mark").unwrap();
    assert!(!since.is_recorded && since.to_string().contains("nothing is recorded"), "{since}");
    assert!(t.between("mark", "mark").is_some() && t.since("never made").is_none());
    assert_eq!(measure(|| vec![1_u8]), Measurement::default());

    let report = t.analyze();
    assert!(!report.completeness.is_recorded);
    assert!(report.leaks.is_empty() && report.sites.is_empty() && report.variables.is_empty());
    let text = report.to_string();
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].contains("sizes and lifetimes are unknown"), "{text}");
    assert!(lines[2].contains("#[global_allocator]") && lines[3].contains("Memscope::system()"));
    #[cfg(feature = "html")]
    {
        let page = report.to_html();
        assert!(page.contains(&format!("<h1>{}</h1>", lines[0].replace('\'', "&#39;"))), "{page}");
        assert!(page.contains(lines[2]) && !page.contains("Complete"), "{page}");
    }

    assert_eq!(global_tracker().unwrap().stats().tracked_values, 0);
    assert_eq!(init_global_tracking().unwrap().stats().tracked_values, 0);
}

#[test]
#[cfg(not(feature = "off"))]
fn an_assertion_that_cannot_be_judged_fails() {
    let judged = std::panic::catch_unwind(|| memscope_rs::assert_allocations!(0, ()));
    assert!(judged.is_err());
    assert!(std::panic::catch_unwind(|| memscope_rs::assert_no_leaks!(())).is_err());
}
