//! Source paths for people: as short as they can be without losing which file is meant.
//!
//! Nothing is looked up in the file system: the report may be read on a machine that has never seen the sources.

use std::borrow::Cow;

/// Shortens a source path.
///
/// - under one of `roots` (no slash at the end): relative to it;
/// - the standard library, installed or not: `std/alloc/src/vec/mod.rs`;
/// - a crate from a registry or a git checkout: `serde-1.0.2/src/de.rs`.
pub(crate) fn shorten<'a>(path: &'a str, roots: &[String]) -> Cow<'a, str> {
    let path = path.strip_prefix("./").unwrap_or(path);
    for root in roots {
        if let Some(rest) = path.strip_prefix(root.as_str()).and_then(|rest| rest.strip_prefix('/'))
        {
            return Cow::Borrowed(rest);
        }
    }
    if let Some(rest) = after_rustc_library(path) {
        return match rest.starts_with("std/") {
            true => Cow::Borrowed(rest),
            false => Cow::Owned(format!("std/{rest}")),
        };
    }
    // The folder below `src` is named after the registry.
    if let Some((_, rest)) = path.split_once("/registry/src/")
        && let Some((_, rest)) = rest.split_once('/')
    {
        return Cow::Borrowed(rest);
    }
    // <name>-<hash>/<revision>/...
    if let Some((_, rest)) = path.split_once("/git/checkouts/")
        && let Some((name, rest)) = rest.split_once('/')
        && let Some((revision, rest)) = rest.split_once('/')
    {
        let name = name.rsplit_once('-').map_or(name, |(name, _)| name);
        return Cow::Owned(format!("{name}@{revision}/{rest}"));
    }
    // The standard library's own dependencies.
    if let Some(rest) = path.strip_prefix("/rust/deps/") {
        return Cow::Borrowed(rest);
    }
    Cow::Borrowed(path)
}

/// Whether the file is part of a crate that cargo fetched, other than the program's own.
pub(crate) fn is_dependency(path: &str, own_package: &str) -> bool {
    let is_own = || {
        let rest = path.strip_prefix(own_package);
        !own_package.is_empty() && rest.is_some_and(|rest| rest.starts_with('/'))
    };
    (path.contains("/registry/src/") || path.contains("/git/checkouts/")) && !is_own()
}

/// What follows `library/` in a path of the standard library.
fn after_rustc_library(path: &str) -> Option<&str> {
    if let Some(rest) = path.strip_prefix("/rustc/") {
        let (_commit, rest) = rest.split_once('/')?;
        return rest.strip_prefix("library/");
    }
    path.split_once("/lib/rustlib/src/rust/library/").map(|(_, rest)| rest)
}

/// The folders that source paths are shown relative to: `base`, that of the project that built `exe`, and that of the
/// program's own package, which is empty if cargo did not fetch it.
pub(crate) fn roots(base: &str, exe: &str, own_package: &str) -> Vec<String> {
    [Some(base.trim_end_matches('/')), project_of(exe), Some(own_package)]
        .into_iter()
        .flatten()
        .filter(|root| !root.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The folder of the project that built `exe`, by cargo's habit of building into `target` beside the sources.
fn project_of(exe: &str) -> Option<&str> {
    exe.rsplit_once("/target/").map(|(project, _)| project).filter(|project| !project.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_path_is_shortened() {
        let roots = ["/home/ada/shop".to_owned()];
        let table = [
            ("/home/ada/shop/src/store.rs", "src/store.rs"),
            ("/home/ada/shopping/src/store.rs", "/home/ada/shopping/src/store.rs"),
            ("./src/main.rs", "src/main.rs"),
            ("/rustc/59807616e1/library/alloc/src/vec/mod.rs", "std/alloc/src/vec/mod.rs"),
            (
                "/home/ada/.rustup/toolchains/stable/lib/rustlib/src/rust/library/core/src/lib.rs",
                "std/core/src/lib.rs",
            ),
            (
                "/home/ada/.cargo/registry/src/registry.example-1949cf8c6b5b557f/serde-1.0.2/src/de.rs",
                "serde-1.0.2/src/de.rs",
            ),
            (
                "/home/ada/.cargo/git/checkouts/tokio-5a3f2c/0ab1c2d/tokio/src/lib.rs",
                "tokio@0ab1c2d/tokio/src/lib.rs",
            ),
            ("/rust/deps/hashbrown-0.15.2/src/raw.rs", "hashbrown-0.15.2/src/raw.rs"),
            ("/rustc/59807616e1/library/std/src/rt.rs", "std/src/rt.rs"),
            ("/rustc/", "/rustc/"),
            ("", ""),
        ];
        for (long, short) in table {
            assert_eq!(shorten(long, &roots), short);
        }
    }

    #[test]
    fn a_fetched_program_is_no_dependency_of_itself() {
        let own = "/c/registry/src/x/rg-15.2.0";
        let paths =
            ["/c/registry/src/x/rg-15.2.0/main.rs", "/c/registry/src/x/rg-15.2.0-a/main.rs"];
        assert_eq!(paths.map(|path| is_dependency(path, own)), [false, true]);
        assert_eq!(paths.map(|path| is_dependency(path, "")), [true, true]);
        assert!(!is_dependency("/home/ada/shop/src/main.rs", ""));
        assert_eq!(shorten(paths[0], &roots("", "", own)), "main.rs");
    }

    #[test]
    fn the_project_is_where_target_lies() {
        assert_eq!(project_of("/home/ada/shop/target/release/shop"), Some("/home/ada/shop"));
        assert_eq!(project_of("/usr/bin/true"), None);
        assert_eq!(project_of("/target/x"), None);
    }
}
