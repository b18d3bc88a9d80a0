//! What is known of one build's addresses: their frames, and the sizes of types that these functions say. It is what the
//! cache keeps.
//!
//! Nothing in it is a number into something else that could be out of range unnoticed: runs of frames have lengths, one
//! after the other, and what has numbers is checked once, when it is read.
//!
//! Invariants: [`Known::decode`] gives only what is whole and consistent, from any bytes, in memory in proportion to them;
//! addresses ascend. Deliberately absent: files and folders, see [`super::cache`].

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::task::{Found, Wanted};
use crate::model::{Frame, StringId};

/// So many frames no address has, see [`super::dwarf`].
const MAX_FRAMES: u32 = 1 << 11;

/// What is known of one build.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Known {
    /// The version of this library that found it out: another may name functions otherwise.
    version: String,
    /// The build.
    build_id: Vec<u8>,
    /// The separate debug file that it came from, if it was one.
    pub(super) debug_path: String,
    /// Names and files, one after the other; the first is empty.
    texts: String,
    text_bytes: Vec<u32>,
    addresses: Vec<KnownAddress>,
    /// Function, symbol, file (numbers of texts), line, column, whether it is inlined.
    frames: Vec<(u32, u32, u32, u32, u32, bool)>,
    /// Texts of types (numbers of texts) and the sizes that debug information has for them.
    sizes: Vec<(u32, u64)>,
    /// Numbers of `sizes`, a run for each address.
    learned: Vec<u32>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct KnownAddress {
    /// In the file's own terms.
    address: u64,
    /// How many of `frames`.
    frames: u32,
    /// How many of `learned`.
    learned: u32,
    /// Whether debug information covers it.
    is_covered: bool,
}

impl Known {
    /// The addresses, in their order.
    pub(super) fn addresses(&self) -> impl Iterator<Item = u64> {
        self.addresses.iter().map(|known| known.address)
    }

    /// How many they are.
    pub(super) fn len(&self) -> usize {
        self.addresses.len()
    }

    /// As it is written.
    pub(super) fn encode(&self) -> Option<Vec<u8>> {
        rmp_serde::to_vec(self).ok()
    }

    /// Reads what [`encode`](Self::encode) wrote for that build. None if it is anything else.
    pub(super) fn decode(bytes: &[u8], build_id: &[u8]) -> Option<Self> {
        let known: Self = rmp_serde::from_slice(bytes).ok()?;
        let is_ours = known.version == env!("CARGO_PKG_VERSION") && known.build_id == build_id;
        (is_ours && known.is_consistent()).then_some(known)
    }

    fn is_consistent(&self) -> bool {
        let mut end = 0_usize;
        let texts_are_whole = self.text_bytes.iter().all(|bytes| {
            end = end.saturating_add(*bytes as usize);
            self.texts.is_char_boundary(end)
        });
        let sum = |of: fn(&KnownAddress) -> u32| {
            self.addresses.iter().map(|it| u64::from(of(it))).sum::<u64>()
        };
        let is_text = |id: u32| (id as usize) < self.text_bytes.len();
        texts_are_whole
            && end == self.texts.len()
            && self.text_bytes.first() == Some(&0)
            && self.addresses.is_sorted_by(|one, next| one.address < next.address)
            && self.addresses.iter().all(|known| known.frames <= MAX_FRAMES)
            && sum(|known| known.frames) == self.frames.len() as u64
            && sum(|known| known.learned) == self.learned.len() as u64
            && self.frames.iter().all(|frame| [frame.0, frame.1, frame.2].into_iter().all(is_text))
            && self.sizes.iter().all(|size| is_text(size.0))
            && self.learned.iter().all(|size| (*size as usize) < self.sizes.len())
    }

    /// The texts by number.
    fn texts(&self) -> Vec<&str> {
        let mut rest = self.texts.as_str();
        let mut texts = Vec::with_capacity(self.text_bytes.len());
        for bytes in &self.text_bytes {
            let (text, after) = rest.split_at_checked(*bytes as usize).unwrap_or_default();
            texts.push(text);
            rest = after;
        }
        texts
    }

    /// Enters what is known of the wanted addresses as if it had been looked up, and gives back the others. Both are in
    /// the order of addresses.
    pub(super) fn answer(&self, wanted: &[Wanted], found: &mut Found) -> Vec<Wanted> {
        let texts = self.texts();
        let mut ids: Vec<Option<StringId>> = vec![None; texts.len()];
        let mut unknown = Vec::new();
        let (mut frames, mut learned) = (self.frames.as_slice(), self.learned.as_slice());
        let mut wanted = wanted.iter().peekable();
        for known in &self.addresses {
            let (own_frames, later_frames) = frames.split_at(known.frames as usize);
            let (own_learned, later_learned) = learned.split_at(known.learned as usize);
            (frames, learned) = (later_frames, later_learned);
            while let Some(one) = wanted.next_if(|one| one.address < known.address) {
                unknown.push(*one);
            }
            while let Some(one) = wanted.next_if(|one| one.address == known.address) {
                let mut id = |text: u32| {
                    *ids[text as usize]
                        .get_or_insert_with(|| found.names.text(texts[text as usize]))
                };
                found.runs.push((one.place, found.frames.len(), own_frames.len()));
                found.frames.extend(own_frames.iter().map(
                    |&(function, symbol, file, line, column, inlined)| Frame {
                        function: id(function),
                        symbol: id(symbol),
                        file: id(file),
                        line,
                        column,
                        inlined,
                    },
                ));
                let sizes = own_learned.iter().map(|&size| {
                    let (text, bytes) = self.sizes[size as usize];
                    (texts[text as usize], bytes)
                });
                found.learned.push_run(sizes);
                found.asked += 1;
                found.by_debug_info += usize::from(known.is_covered);
                found.covered.push(known.is_covered);
            }
        }
        unknown.extend(wanted);
        unknown
    }
}

/// Puts together what is known from several sources, each address once.
#[derive(Debug, Default)]
pub(super) struct KnownBuilder {
    known: Known,
    text_ids: HashMap<String, u32>,
    size_ids: HashMap<(u32, u64), u32>,
    addresses: Vec<Entry>,
}

/// An address with what is known of it, in the builder's numbers.
#[derive(Debug)]
struct Entry {
    address: u64,
    is_covered: bool,
    frames: Vec<(u32, u32, u32, u32, u32, bool)>,
    learned: Vec<u32>,
}

impl KnownBuilder {
    pub(super) fn new(build_id: &[u8], debug_path: &str) -> Self {
        let mut builder = Self::default();
        builder.known.version = env!("CARGO_PKG_VERSION").to_owned();
        builder.known.build_id = build_id.to_owned();
        builder.known.debug_path = debug_path.to_owned();
        builder.text("");
        builder
    }

    /// Adds what was found for addresses; `wanted` are those, in the order of the runs.
    pub(super) fn add(&mut self, wanted: &[Wanted], found: &Found) {
        let texts: Vec<&str> = found.names.texts().collect();
        let all = wanted.iter().zip(&found.runs).zip(&found.covered).enumerate();
        for (number, ((wanted, &(_, start, len)), &is_covered)) in all {
            let mut text = |id: StringId| self.text(texts.get(id as usize).unwrap_or(&""));
            let frames = found.frames[start..start + len].iter().map(|frame| {
                let (function, symbol, file) =
                    (text(frame.function), text(frame.symbol), text(frame.file));
                (function, symbol, file, frame.line, frame.column, frame.inlined)
            });
            let frames = frames.collect();
            let learned = found.learned.run(number).map(|(text, bytes)| self.size(text, bytes));
            let learned = learned.collect();
            self.addresses.push(Entry { address: wanted.address, is_covered, frames, learned });
        }
    }

    /// Adds of what was known all that is not there yet.
    pub(super) fn add_known(&mut self, known: &Known) {
        let wanted: Vec<_> = known.addresses().map(|address| Wanted::new(address, 0)).collect();
        let mut found = Found::new(0, usize::MAX);
        known.answer(&wanted, &mut found);
        self.add(&wanted, &found);
    }

    /// Where an address was added more than once, the first is kept.
    pub(super) fn build(mut self) -> Known {
        self.addresses.sort_by_key(|entry| entry.address);
        self.addresses.dedup_by_key(|entry| entry.address);
        for entry in self.addresses {
            self.known.addresses.push(KnownAddress {
                address: entry.address,
                frames: entry.frames.len() as u32,
                learned: entry.learned.len() as u32,
                is_covered: entry.is_covered,
            });
            self.known.frames.extend(entry.frames);
            self.known.learned.extend(entry.learned);
        }
        self.known
    }

    fn text(&mut self, text: &str) -> u32 {
        if let Some(id) = self.text_ids.get(text) {
            return *id;
        }
        let id = self.known.text_bytes.len() as u32;
        self.known.text_bytes.push(text.len() as u32);
        self.known.texts.push_str(text);
        self.text_ids.insert(text.to_owned(), id);
        id
    }

    fn size(&mut self, text: &str, bytes: u64) -> u32 {
        let text = self.text(text);
        let next = self.known.sizes.len() as u32;
        let id = *self.size_ids.entry((text, bytes)).or_insert(next);
        if id == next {
            self.known.sizes.push((text, bytes));
        }
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUILD: [u8; 8] = [7; 8];

    /// Two addresses, of which the first has an inlined frame and a size.
    fn known() -> Known {
        let mut found = Found::new(0, 1 << 10);
        let [push, fill, file] =
            ["push<Maß>", "fill", "main.rs"].map(|text| found.names.text(text));
        let frame =
            |function, inlined| Frame { function, file, line: 7, inlined, ..Frame::default() };
        found.frames = vec![frame(push, true), frame(fill, false), frame(fill, false)];
        found.runs = vec![(0, 0, 2), (1, 2, 1)];
        found.covered = vec![true, false];
        found.learned.push_run([("Maß", 48)].into_iter());
        found.learned.push_run([].into_iter());
        let mut builder = KnownBuilder::new(&BUILD, "");
        let wanted = [16, 32].map(|address| Wanted::new(address, 0));
        builder.add(&wanted, &found);
        builder.build()
    }

    fn decode(known: &Known) -> Option<Known> {
        Known::decode(&known.encode().unwrap(), &BUILD)
    }

    #[test]
    fn what_is_known_answers_and_leaves_the_rest() {
        let known = decode(&known()).expect("it is as it was written");
        let wanted = [8, 16, 24, 32, 32, 40];
        let wanted: Vec<_> =
            (0..).zip(wanted).map(|(place, address)| Wanted::new(address, place)).collect();
        let mut found = Found::new(0, 1 << 10);
        let unknown = known.answer(&wanted, &mut found);
        let places: Vec<_> = unknown.iter().map(|wanted| wanted.place).collect();
        assert_eq!(places, [0, 2, 5]);
        assert_eq!(found.runs, [(1, 0, 2), (3, 2, 1), (4, 3, 1)]);
        assert_eq!(
            (found.asked, found.by_debug_info, &found.covered[..]),
            (3, 1, &[true, false, false][..])
        );
        assert_eq!(found.names.get(found.frames[0].function), Some("push<Maß>"));
        assert!(found.frames[0].inlined && !found.frames[1].inlined);
        assert_eq!(found.learned.run(0).collect::<Vec<_>>(), [("Maß", 48)]);
        assert_eq!(found.learned.run(1).count() + found.learned.run(2).count(), 0);
    }

    #[test]
    fn what_contradicts_itself_is_not_known() {
        let damages: [fn(&mut Known); 14] = [
            |it| it.version.push('x'),
            |it| it.build_id[0] = 0,
            |it| it.texts.push('x'),
            // In the middle of a letter.
            |it| {
                (it.text_bytes[1], it.text_bytes[2]) = (it.text_bytes[1] - 2, it.text_bytes[2] + 2);
            },
            |it| it.text_bytes[0] = 1,
            |it| it.text_bytes[1] = u32::MAX,
            |it| it.addresses[1].address = 16,
            |it| it.addresses[0].frames = 3,
            |it| it.addresses[0].frames = u32::MAX,
            |it| it.addresses[1].learned = 1,
            |it| it.frames[0].0 = 99,
            |it| it.frames[2].2 = 99,
            |it| it.sizes[0].0 = 99,
            |it| it.learned[0] = 1,
        ];
        for (number, damage) in damages.into_iter().enumerate() {
            let mut damaged = known();
            damage(&mut damaged);
            assert_eq!(decode(&damaged), None, "{number}");
        }
        assert_eq!(Known::decode(&[0xdd, 0xff, 0xff, 0xff, 0xff], &BUILD), None);
        assert_eq!(Known::decode(b"", &BUILD), None);
    }
}
