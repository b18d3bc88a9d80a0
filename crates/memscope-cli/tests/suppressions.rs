//! Suppressed sites are left out of lists and limits, are summed up in a sentence, and stay in what is kept.

mod support;

use std::fs;
use std::path::PathBuf;
use support::profile::Profile;
use support::{Outcome, memscope};
use testprograms::rust_program;

/// The profile of a program that allocates 1000 blocks of 100 bytes in `allocate_known` and frees 400 of them, taken
/// while the sites of that function were suppressed.
struct Kept {
    folder: tempfile::TempDir,
    run: Outcome,
}

fn kept() -> Kept {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("known"), "# as it should be\n\nleak:*allocate_known$\n").unwrap();
    let mut command = memscope();
    command.current_dir(&folder);
    command.args([
        "run",
        "-o",
        "x.memscope",
        "--json",
        "run.json",
        "--suppressions",
        "known",
        "--",
    ]);
    let run = Outcome::of(command.arg(rust_program("endings")).arg("return"));
    assert_eq!(run.code(), 0, "{run:?}");
    Kept { folder, run }
}

impl Kept {
    fn of(&self, arguments: &[&str]) -> Outcome {
        Outcome::of(memscope().current_dir(&self.folder).args(arguments))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

const SENTENCE: &str =
    "left out of the lists, with 97.7 KiB at the peak, 58.6 KiB live at end and 1,000 allocations.";

/// A text without its line breaks.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn suppressed_sites_leave_the_lists_and_stay_in_what_is_kept() {
    let kept = kept();
    let said = flat(&kept.run.stderr);
    assert!(said.contains("leak:*allocate_known$: ") && said.contains(SENTENCE), "{said}");
    assert!(!said.contains("endings::allocate_known"), "{said}");
    let profile = Profile::read(&kept.path("run.json"));
    assert!(profile.sites("allocate_known", "endings.rs").is_empty());
    assert!(profile.number("totals", "allocations") >= 1000, "the totals are whole");

    let whole = kept.of(&["report", "x.memscope"]);
    assert!(whole.stdout.contains("endings::allocate_known"), "{whole:?}");
    assert!(!whole.stdout.contains("left out"), "{whole:?}");
    let report = kept.of(&["report", "x.memscope", "--suppressions", "known"]);
    assert_eq!(report.code(), 0, "{report:?}");
    assert_eq!(flat(&report.stdout), said);
    assert!(!said.contains("that no site accounts for"), "{said}");
}

#[test]
fn limits_do_not_count_what_is_suppressed() {
    let kept = kept();
    let diff = |more: &[&str]| {
        let arguments = ["diff", "x.memscope", "x.memscope", "--fail-if", "live-at-end > 50KB"];
        kept.of(&[&arguments[..], more].concat())
    };
    assert_eq!(diff(&[]).code(), 3);
    let outcome = diff(&["--suppressions", "known"]);
    assert_eq!(outcome.code(), 0, "{outcome:?}");
}

#[test]
fn mistakes_in_a_file_are_told_where_they_are() {
    let kept = kept();
    fs::write(kept.path("wrong"), "leak:fine\n\nrace:other\n").unwrap();
    fs::write(kept.path("binary"), b"leak:\xff\n").unwrap();
    for (file, sentence) in [
        ("wrong", "wrong, line 3: there is no kind \"race\", only `leak`"),
        ("binary", "binary is not text in UTF-8"),
        ("missing", "cannot read missing: no such file"),
        (".", "cannot read .: is a directory"),
    ] {
        kept.of(&["report", "x.memscope", "--suppressions", file]).assert_refused(1, sentence);
        // The program is not even started.
        let run = kept.of(&[
            "run",
            "--suppressions",
            "known",
            "--suppressions",
            file,
            "--",
            "touch",
            "begun",
        ]);
        run.assert_refused(125, sentence);
        assert!(!kept.path("begun").exists());
    }
}
