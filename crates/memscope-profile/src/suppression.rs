//! Sites that somebody knows and does not want to see: patterns, in the syntax of LeakSanitizer's suppressions.
//!
//! ```text
//! # what stands behind a number sign is no pattern
//! leak:parse_config        a function, a source file or an object of the stack that contains this
//! leak:^main$              that is this: ^ at the beginning and $ at the end
//! leak:libfoo*.so          * stands for anything
//! ```
//!
//! A site is suppressed if any frame of its stack is. Of several patterns, that of the innermost frame counts, and of
//! those the first.
//!
//! Invariants: what is suppressed leaves the list of sites and the timeline's changes, and stays in the totals; its sum is
//! in [`Profile::suppressed`], so that the sites and it add up to what the sites alone did before.
//! Deliberately absent: reading files, and the kinds of other sanitizers (races, mutexes), which have no meaning here.

use crate::model::{Counts, Profile, Site};
use std::fmt;
use std::str::FromStr;

/// Patterns that suppress sites.
///
/// ```
/// use memscope_profile::suppression::Suppressions;
///
/// let known: Suppressions = "# what we know\nleak:parse_config\nleak:^main$".parse()?;
/// let mistake = "race:anything".parse::<Suppressions>().unwrap_err();
/// assert_eq!(mistake.to_string(), "line 1: there is no kind \"race\", only `leak`");
/// # let _ = known;
/// # Ok::<(), memscope_profile::suppression::Mistake>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Suppressions(Vec<Pattern>);

/// What a pattern suppressed.
///
/// ```
/// use memscope_profile::model::{Address, Frame, Profile, Site, StackNode};
/// use memscope_profile::suppression::Suppressions;
///
/// let profile = || Profile {
///     strings: vec!["".into(), "shop::parse_config".into()],
///     frames: vec![Frame { function: 1, ..Frame::default() }],
///     addresses: vec![Address { frames_len: 1, ..Address::default() }],
///     stacks: vec![StackNode::default()],
///     sites: vec![Site { stack: 1, ..Site::default() }, Site::default()],
///     ..Profile::default()
/// };
/// let mut profile = profile();
/// let taken = "leak:parse_config".parse::<Suppressions>()?.apply(&mut profile);
/// assert_eq!((taken[0].pattern.as_str(), taken[0].sites), ("parse_config", 1));
/// # Ok::<(), memscope_profile::suppression::Mistake>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Suppressed {
    /// The pattern as it was written, without `leak:`.
    pub pattern: String,
    /// How many sites it took out.
    pub sites: u64,
    /// What happened there.
    pub counts: Counts,
}

/// A line that is no suppression.
///
/// ```
/// use memscope_profile::suppression::Suppressions;
///
/// let mistake = "leak:main\nparse_config".parse::<Suppressions>().unwrap_err();
/// assert_eq!(mistake.line, 2);
/// assert!(mistake.to_string().ends_with("\"parse_config\" does not begin with `leak:`"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Its number, from 1 on.
    pub line: usize,
    what: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for Mistake {}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    text: String,
    from_start: bool,
    to_end: bool,
    /// What stands between asterisks, in this order. Never empty.
    pieces: Vec<String>,
}

impl Pattern {
    fn new(text: &str) -> Self {
        let anchored = text.strip_prefix('^');
        let rest = anchored.unwrap_or(text);
        // What follows the end is not looked at.
        let (rest, to_end) = rest.split_once('$').map_or((rest, false), |(rest, _)| (rest, true));
        let pieces = rest.split('*').map(str::to_owned).collect();
        Self { text: text.to_owned(), from_start: anchored.is_some(), to_end, pieces }
    }

    fn matches(&self, name: &str) -> bool {
        let mut rest = name;
        let last = self.pieces.len() - 1;
        for (place, piece) in self.pieces.iter().enumerate() {
            let found = match (place == 0 && self.from_start, place == last && self.to_end) {
                (true, true) => return rest == piece,
                (false, true) => return rest.ends_with(piece.as_str()),
                (true, false) => rest.strip_prefix(piece.as_str()),
                (false, false) => rest.split_once(piece.as_str()).map(|(_, after)| after),
            };
            let Some(after) = found else { return false };
            rest = after;
        }
        !name.is_empty()
    }
}

impl FromStr for Suppressions {
    type Err = Mistake;

    /// Reads the text of a file.
    fn from_str(text: &str) -> Result<Self, Mistake> {
        let mut patterns = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let mistake = |what| Mistake { line: index + 1, what };
            let (kind, pattern) = line
                .split_once(':')
                .ok_or_else(|| mistake(format!("{line:?} does not begin with `leak:`")))?;
            if kind != "leak" {
                return Err(mistake(format!("there is no kind {kind:?}, only `leak`")));
            }
            if pattern.is_empty() {
                return Err(mistake("a pattern is missing behind `leak:`".to_owned()));
            }
            patterns.push(Pattern::new(pattern));
        }
        Ok(Self(patterns))
    }
}

impl Suppressions {
    /// Adds those of another file. They come after those that are there. A copy of the list.
    ///
    /// ```
    /// use memscope_profile::suppression::Suppressions;
    ///
    /// let mut known: Suppressions = "leak:one".parse()?;
    /// known.add("leak:two".parse()?);
    /// assert_eq!(known, "leak:one\nleak:two".parse()?);
    /// # Ok::<(), memscope_profile::suppression::Mistake>(())
    /// ```
    pub fn add(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Takes the sites that match out of a profile. Says which pattern took what, in the patterns' order; those that took
    /// nothing are left out. Each name in the profile is compared once with each pattern.
    ///
    /// ```
    /// use memscope_profile::model::{Address, Frame, Profile, Site, StackNode};
    /// use memscope_profile::suppression::Suppressions;
    ///
    /// let profile = || Profile {
    ///     strings: vec!["".into(), "shop::parse_config".into()],
    ///     frames: vec![Frame { function: 1, ..Frame::default() }],
    ///     addresses: vec![Address { frames_len: 1, ..Address::default() }],
    ///     stacks: vec![StackNode::default()],
    ///     sites: vec![Site { stack: 1, ..Site::default() }, Site::default()],
    ///     ..Profile::default()
    /// };
    /// let mut profile = profile();
    /// "leak:parse_config".parse::<Suppressions>()?.apply(&mut profile);
    /// assert_eq!(profile.sites.len(), 1);
    /// # Ok::<(), memscope_profile::suppression::Mistake>(())
    /// ```
    pub fn apply(&self, profile: &mut Profile) -> Vec<Suppressed> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let stacks = self.stacks(profile);
        let mut taken: Vec<_> = self.0.iter().map(Suppressed::nothing).collect();
        retain_sites(profile, |site| {
            let by = stacks.get(site.stack as usize).copied().flatten();
            let Some(by) = by else { return true };
            taken[by].sites += 1;
            taken[by].counts.add(&site.counts);
            false
        });
        taken.retain(|it| it.sites > 0);
        taken
    }

    /// For each stack, the root first, the pattern that takes it.
    fn stacks(&self, profile: &Profile) -> Vec<Option<usize>> {
        let by_name = |name: &str| self.0.iter().position(|pattern| pattern.matches(name));
        let strings: Vec<_> = profile.strings.iter().map(|text| by_name(text)).collect();
        let modules: Vec<_> = profile.modules.iter().map(|module| by_name(&module.path)).collect();
        let string = |id: u32| strings.get(id as usize).copied().flatten();
        let addresses = (0..profile.addresses.len() as u32).map(|address| {
            profile.address_frames(address).find_map(|view| {
                let frame = view.frame().copied().unwrap_or_default();
                let module = (view.address().module as usize).checked_sub(1);
                let module = module.and_then(|module| modules.get(module).copied().flatten());
                [string(frame.function), string(frame.file), module].into_iter().flatten().min()
            })
        });
        let addresses: Vec<_> = addresses.collect();
        let mut stacks = vec![None];
        for node in &profile.stacks {
            let own = addresses.get(node.address as usize).copied().flatten();
            // A caller comes before those that it called.
            stacks.push(own.or_else(|| stacks.get(node.parent as usize).copied().flatten()));
        }
        stacks
    }
}

/// Takes out the sites for which `keep` says no.
fn retain_sites(profile: &mut Profile, mut keep: impl FnMut(&Site) -> bool) {
    let mut places = Vec::with_capacity(profile.sites.len());
    let mut kept = 0;
    let suppressed = &mut profile.suppressed;
    profile.sites.retain(|site| {
        let is_kept = keep(site);
        places.push(is_kept.then_some(kept));
        match is_kept {
            true => kept += 1,
            false => suppressed.add(&site.counts),
        }
        is_kept
    });
    for sample in &mut profile.timeline.samples {
        sample.changes.retain_mut(|change| {
            let place = places.get(change.site as usize).copied().flatten();
            change.site = place.unwrap_or_default();
            place.is_some()
        });
    }
}

/// Takes out all sites but those whose blocks are of a type with `text` in its name; gives how many are left. Their sums
/// are in [`Profile::suppressed`], as those of suppressed sites are. Each name of a type is looked at once.
///
/// ```
/// use memscope_profile::model::{HeapType, Profile, Site};
/// use memscope_profile::suppression::keep_types;
///
/// let mut profile = Profile {
///     types: vec![HeapType { name: "Vec<Order>".into(), ..HeapType::default() }],
///     sites: vec![Site { heap_type: 1, ..Site::default() }, Site::default()],
///     ..Profile::default()
/// };
/// assert_eq!(keep_types(&mut profile, "Order"), 1);
/// ```
pub fn keep_types(profile: &mut Profile, text: &str) -> usize {
    let wanted: Vec<_> = profile.types.iter().map(|it| it.name.contains(text)).collect();
    retain_sites(profile, |site| {
        let place = (site.heap_type as usize).checked_sub(1);
        place.and_then(|place| wanted.get(place).copied()).unwrap_or(false)
    });
    profile.sites.len()
}

impl Suppressed {
    fn nothing(pattern: &Pattern) -> Self {
        Self { pattern: pattern.text.clone(), sites: 0, counts: Counts::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::check;
    use crate::model::{Address, Frame, HeapType, Module, Sample, SiteChange, StackNode, Timeline};

    #[test]
    fn patterns_match_as_they_do_for_leak_sanitizer() {
        for (pattern, yes, no) in [
            ("parse", &["parse", "shop::parse::next"][..], &["", "pars", "Parse"][..]),
            ("^parse", &["parse_all"], &["shop::parse"]),
            ("parse$", &["shop::parse", "parse::parse"], &["parse_all"]),
            ("^parse$", &["parse"], &["parse_all", "a parse"]),
            ("a*b*c", &["xa--b--cx", "abc"], &["acb", "ab"]),
            ("^a*c$", &["ac", "abc"], &["abcd", "babc"]),
            ("^a*a$", &["aa"], &["a"]),
            ("*", &["anything"], &[""]),
            ("^*foo", &["a foo b"], &["fo"]),
            ("/libfoo*.so", &["/usr/lib/libfoo-2.so.1"], &["/usr/lib/libfo.so"]),
        ] {
            let pattern = Pattern::new(pattern);
            for name in yes {
                assert!(pattern.matches(name), "{pattern:?} {name}");
            }
            for name in no {
                assert!(!pattern.matches(name), "{pattern:?} {name}");
            }
        }
    }

    #[test]
    fn lines_are_read_and_mistakes_have_a_number() {
        let text = "# known\n\n  leak:one \r\nleak:a:b\n\t# more";
        let texts: Vec<_> =
            text.parse::<Suppressions>().unwrap().0.into_iter().map(|it| it.text).collect();
        assert_eq!(texts, ["one", "a:b"]);
        for (text, words) in [
            ("leak:x\nfoo", "line 2: \"foo\" does not begin with `leak:`"),
            ("race:x", "line 1: there is no kind \"race\", only `leak`"),
            ("\n\nleak: ", "line 3: a pattern is missing behind `leak:`"),
        ] {
            assert_eq!(text.parse::<Suppressions>().unwrap_err().to_string(), words);
        }
    }

    /// main calls `one` and `two`, each in a file of its own; `two` lies in another object and calls `three`.
    fn profile() -> Profile {
        let frame = |function, file| Frame { function, file, ..Frame::default() };
        let address = |module, frames_start| Address {
            module,
            frames_start,
            frames_len: 1,
            ..Address::default()
        };
        let site = |stack, bytes| {
            let counts = Counts { allocations: 1, allocated_bytes: bytes, ..Counts::default() };
            Site { stack, kind: 1, counts, ..Site::default() }
        };
        let change = |site| SiteChange { site, ..SiteChange::default() };
        Profile {
            strings: ["", "main", "one", "two", "three", "one.rs", "two.rs"]
                .map(str::to_owned)
                .to_vec(),
            frames: vec![frame(1, 0), frame(2, 5), frame(3, 6), frame(4, 0)],
            modules: ["/bin/shop", "/lib/libtwo.so"]
                .map(|path| Module { path: path.to_owned(), ..Module::default() })
                .to_vec(),
            addresses: vec![address(1, 0), address(1, 1), address(2, 2), address(1, 3)],
            stacks: [(0, 0), (1, 1), (1, 2), (3, 3)]
                .map(|(parent, address)| StackNode { parent, address })
                .to_vec(),
            sites: vec![site(2, 1), site(3, 10), site(4, 100), site(1, 1000)],
            timeline: Timeline {
                interval_ms: 1,
                samples: vec![Sample {
                    changes: [0, 1, 2, 3].map(change).to_vec(),
                    ..Sample::default()
                }],
            },
            ..Profile::default()
        }
    }

    #[test]
    fn sites_leave_and_their_sums_stay() {
        for (patterns, left, taken) in [
            ("leak:one.rs", 1110, &[("one.rs", 1, 1)][..]),
            ("leak:two", 1001, &[("two", 2, 110)]),
            ("leak:libtwo\nleak:^three$", 1001, &[("libtwo", 1, 10), ("^three$", 1, 100)]),
            ("leak:nothing", 1111, &[]),
            ("leak:main", 0, &[("main", 4, 1111)]),
        ] {
            let mut profile = profile();
            assert_eq!(check(&profile), Ok(()));
            let found = patterns.parse::<Suppressions>().unwrap().apply(&mut profile);
            let found: Vec<_> = found
                .iter()
                .map(|it| (it.pattern.as_str(), it.sites, it.counts.allocated_bytes))
                .collect();
            assert_eq!(found, taken, "{patterns}");
            let sum: u64 = profile.sites.iter().map(|site| site.counts.allocated_bytes).sum();
            assert_eq!((sum, profile.suppressed.allocated_bytes), (left, 1111 - left));
            assert_eq!(check(&profile), Ok(()));
            let changes: Vec<_> =
                profile.timeline.samples[0].changes.iter().map(|it| it.site).collect();
            assert_eq!(changes, (0..profile.sites.len() as u32).collect::<Vec<_>>());
        }
    }

    #[test]
    fn sites_of_a_type_are_kept_and_the_sums_stay() {
        let counts = |peak_bytes| Counts { peak_bytes, ..Counts::default() };
        let site = |heap_type, bytes| Site { heap_type, counts: counts(bytes), ..Site::default() };
        let heap_type = |name: &str| HeapType { name: name.into(), ..HeapType::default() };
        let mut profile = Profile {
            types: vec![heap_type("Vec<Order>"), heap_type("String")],
            sites: vec![site(2, 1), site(1, 2), site(0, 4), site(1, 8)],
            ..Profile::default()
        };
        assert_eq!(keep_types(&mut profile, "Order"), 2);
        assert_eq!(profile.sites.iter().map(|it| it.counts.peak_bytes).sum::<u64>(), 10);
        assert_eq!(profile.suppressed.peak_bytes, 5);
    }
}
