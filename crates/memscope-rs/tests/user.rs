//! A program of a user of another edition, without unsafe code, in which a panic aborts.
#![cfg(not(feature = "off"))]

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The library that cargo built last in a folder.
fn library(folder: &Path) -> PathBuf {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_library = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with("libmemscope_rs-") && name.ends_with(".rlib")
    };
    files
        .filter(is_library)
        .max_by_key(|path| path.metadata().unwrap().modified().unwrap())
        .unwrap()
}

#[test]
fn a_program_of_edition_2021_that_aborts_in_a_panic_runs() {
    let exe = std::env::current_exe().unwrap();
    let folder = exe.parent().unwrap();
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("user");
    let output = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .args(["--edition=2021", "--crate-name=user", "-Cpanic=abort", "-o"])
        .arg(&program)
        .arg(format!("--extern=memscope_rs={}", library(folder).display()))
        .arg(format!("-Ldependency={}", folder.display()))
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/user/program.rs"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    for (arguments, signal) in [(&[][..], None), (&["panic"], Some(libc::SIGABRT))] {
        let profile = Path::new(env!("CARGO_TARGET_TMPDIR")).join("user.memscope");
        let _ = std::fs::remove_file(&profile);
        let output = Command::new(&program).arg(&profile).args(arguments).output().unwrap();
        // Kept by the guard, or in the panic, which nobody survives.
        assert!(profile.exists(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.signal(), signal, "{text}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "1000 1 1\n", "{text}");
    }
}
