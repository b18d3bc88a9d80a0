//! The sizes of types that the functions at addresses say, a run for each address.
//!
//! They are kept by address, and not for the module as a whole, so that what is known of one address does not depend on
//! which others were asked for.
//!
//! Invariant: a size is kept once, however many addresses have it.

use std::collections::HashMap;

/// Sizes by address.
#[derive(Debug, Default)]
pub(super) struct Learned {
    sizes: Vec<(String, u64)>,
    ids: HashMap<String, Vec<u32>>,
    all: Vec<u32>,
    /// Where each run ends in `all`.
    ends: Vec<usize>,
}

impl Learned {
    /// The number of a size.
    pub(super) fn id(&mut self, text: &str, bytes: u64) -> u32 {
        let of_text = self.ids.entry(text.to_owned()).or_default();
        // Types with one text and several sizes are rare.
        if let Some(id) = of_text.iter().find(|id| self.sizes[**id as usize].1 == bytes) {
            return *id;
        }
        let id = self.sizes.len() as u32;
        of_text.push(id);
        self.sizes.push((text.to_owned(), bytes));
        id
    }

    /// Adds to the run of the address at hand.
    pub(super) fn push(&mut self, ids: &[u32]) {
        self.all.extend_from_slice(ids);
    }

    /// Goes on to the next address.
    pub(super) fn end_run(&mut self) {
        self.ends.push(self.all.len());
    }

    /// Adds a whole run.
    pub(super) fn push_run<'t>(&mut self, sizes: impl Iterator<Item = (&'t str, u64)>) {
        for (text, bytes) in sizes {
            let id = self.id(text, bytes);
            self.all.push(id);
        }
        self.end_run();
    }

    /// The sizes of the address with that number.
    pub(super) fn run(&self, number: usize) -> impl Iterator<Item = (&str, u64)> {
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.all[start..self.ends[number]].iter().map(|id| {
            let (text, bytes) = &self.sizes[*id as usize];
            (text.as_str(), *bytes)
        })
    }

    /// All sizes.
    pub(super) fn sizes(&self) -> impl Iterator<Item = (&str, u64)> {
        self.sizes.iter().map(|(text, bytes)| (text.as_str(), *bytes))
    }
}
