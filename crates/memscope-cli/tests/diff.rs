//! `memscope diff`: two runs of one program, forms, limits and exit codes.

mod support;

use std::fs;
use support::{Outcome, memscope};
use testprograms::rust_program;

#[test]
fn runs_are_compared_and_limits_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    for (name, orders) in [("before", "500"), ("after", "900"), ("again", "510")] {
        let mut command = memscope();
        command
            .args(["run", "-q", "-o", &path(name), "--"])
            .arg(rust_program("order_service"))
            .arg(orders);
        assert_eq!(Outcome::of(&mut command).code(), 0);
    }
    let diff = |more: &[&str]| {
        Outcome::of(memscope().args(["diff", &path("before"), &path("after")]).args(more))
    };
    let plain = diff(&[]);
    assert_eq!(plain.code(), 0, "{plain:?}");
    assert!(plain.stdout.contains("1 run before, 1 run after"), "{plain:?}");
    assert!(
        plain.stdout.contains("grown") && plain.stdout.contains("order_service::"),
        "{plain:?}"
    );

    let several = diff(&["--more-before", &path("again"), "--metric", "allocations"]);
    assert!(
        several.stdout.contains("2 runs before") && several.stdout.contains(" to "),
        "{several:?}"
    );

    let summary = path("summary.md");
    let failed = diff(&["--markdown", &summary, "--fail-if", "allocations > +5%"]);
    assert_eq!(failed.code(), 3, "{failed:?}");
    assert!(failed.stderr.contains("allocations > +5%: it was "), "{failed:?}");
    assert!(fs::read_to_string(summary).unwrap().starts_with("### Memory: "));
    assert_eq!(diff(&["--fail-if", "peak > 1GB"]).code(), 0);
    assert_eq!(diff(&["--fail-if", "peak > much"]).code(), 2);
    assert_eq!(diff(&["--more-after", "/no/such/file"]).code(), 1);

    let page = diff(&["--html"]);
    assert!(page.stdout.starts_with("<!doctype html>"), "{page:?}");
    assert!(serde_json::from_str::<serde_json::Value>(&diff(&["--json"]).stdout).is_ok());
}
