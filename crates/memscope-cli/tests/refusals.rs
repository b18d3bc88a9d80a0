//! What cannot be profiled is refused before it runs, with one sentence, a hint and an exit code of its own.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use support::{BARE, Outcome, compile, memscope, memscope_run};

fn run(program: &Path) -> Outcome {
    Outcome::of(memscope().args(["run", "--"]).arg(program))
}

#[test]
fn a_program_that_is_not_there_is_127() {
    Outcome::of(&mut memscope_run(["no-such-program"])).assert_refused(127, "no-such-program");
    Outcome::of(&mut memscope_run(["/no/such/program"])).assert_refused(127, "/no/such/program");
}

#[test]
fn a_program_that_cannot_be_executed_is_126() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("data");
    fs::write(&file, "text").unwrap();
    run(&file).assert_refused(126, "permission denied");
    run(folder.path()).assert_refused(126, "is a folder");
    let noise = folder.path().join("noise");
    fs::write(&noise, b"\x7fELF, or not").unwrap();
    fs::set_permissions(&noise, fs::Permissions::from_mode(0o755)).unwrap();
    let outcome = run(&noise);
    assert!([125, 126].contains(&outcome.code()), "{outcome:?}");
}

#[test]
fn a_wrong_command_line_is_125_under_run_and_2_elsewhere() {
    for (code, arguments) in
        [(125, ["run", "--no-such-option"]), (125, ["run", "--quiet"]), (2, ["report", "--top"])]
    {
        let outcome = Outcome::of(memscope().args(arguments));
        assert_eq!(outcome.code(), code, "{outcome:?}");
        assert!(outcome.stdout.is_empty() && !outcome.stderr.is_empty(), "{outcome:?}");
    }
}

#[test]
fn help_is_on_stdout_and_shows_examples() {
    for arguments in [["run", "--help"], ["report", "--help"]] {
        let outcome = Outcome::of(memscope().args(arguments));
        assert_eq!(outcome.code(), 0);
        assert!(outcome.stdout.contains("Examples:") && outcome.stderr.is_empty(), "{outcome:?}");
    }
}

#[test]
fn static_foreign_and_other_libc_s_programs_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let build = |name: &str, options: &[&str]| compile(folder.path(), name, BARE, options);
    run(&build("static", &["-nostdlib", "-static"])).assert_refused(125, "statically linked");
    run(&build("short", &["-nostdlib", "-static", "-m32", "-Wl,--build-id=none"]))
        .assert_refused(125, "32-bit");
    let linker = "-Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1";
    run(&build("musl", &["-nostdlib", "-pie", "-fPIE", linker])).assert_refused(125, "musl");
}

#[test]
fn a_script_is_judged_by_its_interpreter() {
    let folder = tempfile::tempdir().unwrap();
    let interpreter = compile(folder.path(), "static", BARE, &["-nostdlib", "-static"]);
    let script = folder.path().join("script");
    fs::write(&script, format!("#! {} -x\n", interpreter.display())).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    run(&script).assert_refused(125, "statically linked");
}

#[test]
fn a_program_that_runs_as_somebody_else_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("true");
    fs::copy("/bin/true", &copy).unwrap();
    // Only root can give a file away; anybody else finds programs of root's on every system.
    let program = if std::os::unix::fs::chown(&copy, Some(65_534), None).is_ok() {
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o4755)).unwrap();
        copy
    } else {
        "/usr/bin/passwd".into()
    };
    run(&program).assert_refused(125, "set-user-id");
}

#[test]
fn an_output_that_cannot_be_written_is_found_before_the_program_runs() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace");
    let bad = folder.path().join("missing/out");
    for option in ["--output", "--json", "--folded"] {
        let mut command = memscope();
        command.arg("run").arg(option).arg(&bad).args(["--", "touch"]).arg(&trace);
        Outcome::of(&mut command).assert_refused(125, "missing/out");
        assert!(!trace.exists(), "{option}: the program ran");
    }
}

#[test]
fn two_outputs_to_one_place_are_refused_before_anything_is_done() {
    let folder = tempfile::tempdir().unwrap();
    for (one, two) in [(["--json", "-"], ["--folded", "-"]), (["-o", "x"], ["--json", "./x"])] {
        let mut command = memscope();
        command.current_dir(folder.path()).arg("run").args(one).args(two);
        Outcome::of(command.args(["--", "touch", "trace"])).assert_refused(125, "both write to");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    let mut command = memscope();
    command.args(["report", "no-such-profile", "--json", "--folded"]);
    Outcome::of(&mut command).assert_refused(2, "--json and --folded both write to stdout");
}

/// A report would replace the profile that it is made of.
#[test]
fn an_output_in_the_place_of_an_input_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a"), "kept").unwrap();
    fs::write(folder.path().join("b"), "kept").unwrap();
    std::os::unix::fs::symlink("a", folder.path().join("link")).unwrap();
    for arguments in [
        &["report", "a", "--json", "./a"][..],
        &["report", "link", "--html", "a"],
        &["diff", "a", "b", "--json", "b"],
        &["diff", "b", "b", "--more-after", "a", "--folded", "link"],
    ] {
        let mut command = memscope();
        Outcome::of(command.current_dir(folder.path()).args(arguments))
            .assert_refused(2, "would replace");
    }
    assert_eq!(fs::read_to_string(folder.path().join("a")).unwrap(), "kept");
}

#[test]
fn a_limit_on_file_size_is_refused_before_the_program_runs() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace");
    let script = format!(
        "ulimit -f 100; exec '{}' run -- touch '{}'",
        env!("CARGO_BIN_EXE_memscope"),
        trace.display()
    );
    let mut command = std::process::Command::new("sh");
    Outcome::of(command.args(["-c", &script])).assert_refused(125, "limit on file size");
    assert!(!trace.exists());
}
