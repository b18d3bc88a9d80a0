//! The program's own package, where cargo fetched it: `cargo install` builds a program's own sources in the folder that
//! its dependencies' are in.
//!
//! It is told by the program's `main`: the function of this name in the crate that is called as the executable is.

use crate::model::Profile;

impl Profile {
    /// The folder of the program's own package, if it is one that cargo fetched from a registry or a repository; empty
    /// if it is not, or cannot be told. A look at each frame, a few nanoseconds.
    ///
    /// ```
    /// use memscope_profile::model::{Frame, Profile, Run};
    ///
    /// let file = "/home/ada/.cargo/registry/src/index-1949cf/shop-1.0.0/src/main.rs";
    /// let profile = Profile {
    ///     run: Run { exe: "/home/ada/.cargo/bin/shop".into(), ..Run::default() },
    ///     strings: vec!["".into(), "shop::main".into(), file.into()],
    ///     frames: vec![Frame { function: 1, file: 2, ..Frame::default() }],
    ///     ..Profile::default()
    /// };
    /// assert_eq!(profile.own_package(), "/home/ada/.cargo/registry/src/index-1949cf/shop-1.0.0");
    /// ```
    pub fn own_package(&self) -> &str {
        let exe = self.run.exe.rsplit('/').next().unwrap_or_default();
        let main = format!("{}::main", exe.replace('-', "_"));
        let is_main = |id: u32| self.string(id) == main;
        let mut frames = self.frames.iter().filter(|frame| is_main(frame.function));
        frames.find_map(|frame| package(self.string(frame.file))).unwrap_or_default()
    }
}

/// The folder of the package of a source file that cargo fetched.
fn package(path: &str) -> Option<&str> {
    // .../registry/src/<registry>/<package>-<version>/ and .../git/checkouts/<repository>-<hash>/<revision>/
    let start = ["/registry/src/", "/git/checkouts/"]
        .iter()
        .find_map(|part| Some(path.find(part)? + part.len()))?;
    let (folder, _) = path[start..].match_indices('/').nth(1)?;
    Some(&path[..start + folder])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Frame, Run};

    fn profile(exe: &str, functions: &[(&str, &str)]) -> Profile {
        let mut profile =
            Profile { run: Run { exe: exe.into(), ..Run::default() }, ..Profile::default() };
        profile.strings.push(String::new());
        for (function, file) in functions {
            let at = profile.strings.len() as u32;
            profile.strings.extend([(*function).to_owned(), (*file).to_owned()]);
            profile.frames.push(Frame { function: at, file: at + 1, ..Frame::default() });
        }
        profile
    }

    #[test]
    fn a_program_s_main_tells_its_package() {
        let registry = "/home/ada/.cargo/registry/src/registry.example-1949cf8c6b5b557f";
        let main = format!("{registry}/ripgrep-15.2.0/crates/core/main.rs");
        let other = format!("{registry}/clap-4.0.0/src/main.rs");
        let functions = [("clap::main", &*other), ("rg::main", &main), ("rg::run", "")];
        let own = format!("{registry}/ripgrep-15.2.0");
        assert_eq!(profile("/home/ada/.cargo/bin/rg", &functions).own_package(), own);
        assert_eq!(profile("/home/ada/.cargo/bin/rga", &functions).own_package(), "");
        let git = "/home/ada/.cargo/git/checkouts/my-tool-5a3f2c/0ab1c2d/src/main.rs";
        let functions = [("my_tool::main", git)];
        let own = "/home/ada/.cargo/git/checkouts/my-tool-5a3f2c/0ab1c2d";
        assert_eq!(profile("/opt/my-tool", &functions).own_package(), own);
        // What is not fetched is no dependency anyway.
        assert_eq!(profile("shop", &[("shop::main", "/home/ada/shop/main.rs")]).own_package(), "");
        assert_eq!(profile("", &[("::main", "/registry/src/a")]).own_package(), "");
    }
}
