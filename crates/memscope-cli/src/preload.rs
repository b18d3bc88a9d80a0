//! The preload library that the command carries, and how a program is made to load it.
//!
//! The library's bytes are part of the command (see `build.rs`). They are put into a memfd, which the dynamic linker
//! opens through `/proc/<our pid>/fd/<n>`: nothing is installed, nothing is left behind, and the path holds neither
//! a space nor a colon, which LD_PRELOAD could not express.
//!
//! Deliberately absent: the memfd in the program itself. It is closed on exec, so that no descriptor of ours turns
//! up there.

use crate::error::{Error, reason};
use crate::mode::Selected;
use memscope_region::hello::{
    OPTION_NO_ARGUMENTS, OPTION_NO_CHILDREN, OPTION_WAIT, OPTIONS_VARIABLE, ORDER_VARIABLE,
    SOCKET_VARIABLE, USER_PRELOAD_VARIABLE, VARIABLES,
};
use rustix::fs::{MemfdFlags, memfd_create};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::process::Command;

/// The dynamic linker's variable.
const PRELOAD_VARIABLE: &str = "LD_PRELOAD";

/// The system takes no longer text as one entry of an environment than 128 KiB.
const MAX_ORDER_BYTES: usize = 100_000;

static LIBRARY: &[u8] = include_bytes!(env!("PRELOAD_LIBRARY"));

/// What a program is told to do otherwise than usual.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Orders {
    /// Children are left alone.
    pub(crate) no_children: bool,
    /// Command lines are left out.
    pub(crate) no_arguments: bool,
    /// Recording begins at the first mark.
    pub(crate) waits: bool,
    /// What is recorded.
    pub(crate) mode: Selected,
}

impl Orders {
    fn letters(self) -> String {
        let letters = [
            (self.no_children, OPTION_NO_CHILDREN),
            (self.no_arguments, OPTION_NO_ARGUMENTS),
            (self.waits, OPTION_WAIT),
        ];
        letters.into_iter().filter(|(given, _)| *given).map(|(_, letter)| letter as char).collect()
    }
}

/// The library where a dynamic linker can open it, for as long as this value lives.
#[derive(Debug)]
pub(crate) struct Preload {
    file: File,
}

impl Preload {
    /// Puts the library into memory.
    pub(crate) fn new() -> Result<Self, Error> {
        let make = || -> io::Result<File> {
            let mut file = File::from(memfd_create("memscope-preload", MemfdFlags::CLOEXEC)?);
            file.write_all(LIBRARY)?;
            Ok(file)
        };
        let file = make().map_err(|error| {
            Error::new(format!("cannot hold the preload library in memory: {}", reason(&error)))
        })?;
        let preload = Self { file };
        match File::open(preload.path()) {
            Ok(_) => Ok(preload),
            Err(error) => {
                Err(Error::new(format!("cannot open {}: {}", preload.path(), reason(&error)))
                    .hint("The dynamic linker loads the library from there; mount /proc."))
            }
        }
    }

    fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.file.as_raw_fd())
    }

    /// Makes the program load the library and hand its region to the socket of this name. What the user preloads
    /// stays, behind ours.
    pub(crate) fn apply(&self, command: &mut Command, socket_name: &str, orders: Orders) {
        let mut ours = OsString::from(self.path());
        match std::env::var_os(PRELOAD_VARIABLE) {
            Some(theirs) => {
                if !theirs.is_empty() {
                    ours.push(":");
                    ours.push(&theirs);
                }
                command.env(USER_PRELOAD_VARIABLE, theirs);
            }
            None => {
                command.env_remove(USER_PRELOAD_VARIABLE);
            }
        }
        command.env(PRELOAD_VARIABLE, ours).env(SOCKET_VARIABLE, socket_name);
        command.env(OPTIONS_VARIABLE, orders.letters());
        if let Some(order) = order(std::env::vars_os().map(|(name, _)| name)) {
            command.env(ORDER_VARIABLE, order);
        }
        orders.mode.apply(command);
    }
}

/// Starting a program with variables added sorts all by name. This says how to undo that (see [`ORDER_VARIABLE`]); `None`
/// if they are sorted anyway.
fn order(names: impl Iterator<Item = OsString>) -> Option<String> {
    let mut theirs: Vec<OsString> = Vec::new();
    let mut places = HashMap::new();
    for name in names.filter(|name| VARIABLES.iter().all(|ours| name != ours)) {
        // Of a name that is there twice one entry is left.
        if let Entry::Vacant(place) = places.entry(name.clone()) {
            place.insert(0);
            theirs.push(name);
        }
    }
    let mut sorted = theirs.clone();
    sorted.sort_unstable();
    if sorted == theirs {
        return None;
    }
    for (place, name) in sorted.iter().enumerate() {
        places.insert(name.clone(), place);
    }
    let mut order = Vec::with_capacity(theirs.len());
    for (place, name) in theirs.iter().enumerate() {
        let other = places[name];
        order.push(other.to_string());
        sorted.swap(place, other);
        places.insert(sorted[other].clone(), other);
    }
    Some(order.join(",")).filter(|text| text.len() < MAX_ORDER_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exchanges_lead_from_sorted_names_to_theirs() {
        for text in ["D B A C E", "B A", "C A B MEMSCOPE_SOCKET", "B A B", "Z Y X W V U T A B"] {
            let names = || text.split(' ').map(OsString::from);
            let mut expected: Vec<OsString> = Vec::new();
            for name in names().filter(|name| name != "MEMSCOPE_SOCKET") {
                if !expected.contains(&name) {
                    expected.push(name);
                }
            }
            let mut entries = expected.clone();
            entries.sort();
            let order = order(names()).unwrap();
            for (place, other) in order.split(',').enumerate() {
                entries.swap(place, other.parse().unwrap());
            }
            assert_eq!(entries, expected, "{order}");
        }
        assert_eq!(order(["A", "B"].into_iter().map(OsString::from)), None);
        assert_eq!(order(std::iter::empty()), None);
    }
}
