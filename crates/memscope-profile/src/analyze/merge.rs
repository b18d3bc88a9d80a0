//! Sites that a person cannot tell apart become one line.
//!
//! Two sites are the same line when the program's own frames agree (function, file and line of each, inlined ones
//! included) and so does the standard library's operation that the innermost of them called. What lies below that
//! (how `Vec::push` came to grow) and above it (how the thread was started) is not looked at, nor is the kind of
//! call. Where no frame is the program's own, all frames but the allocator's must agree.
//!
//! The prefix tree is walked once, callers before callees, so the cost is in proportion to its nodes, however deep the
//! stacks are.

use super::class::{Class, Classifier};
use super::rank::{Metric, Ranking, rank};
use super::stack::FrameView;
use crate::model::{Counts, Profile};
use std::collections::HashMap;

/// More inlined frames than this at one address are not looked at when lines are compared; no compiler inlines so
/// deeply, and a hostile file must not cost more than it weighs.
const MAX_FRAMES_COMPARED: usize = 1024;

/// A profile with its frames classified and its sites merged into lines.
///
/// ```
/// use memscope_profile::analyze::{Analysis, Metric};
/// use memscope_profile::model::{Counts, Profile, Site};
///
/// let site = |peak_bytes| Site { counts: Counts { peak_bytes, ..Counts::default() }, ..Site::default() };
/// let profile = Profile { sites: vec![site(10), site(30)], ..Profile::default() };
/// let analysis = Analysis::new(&profile);
/// // No frame tells the two apart, so they are one line.
/// assert_eq!((analysis.lines(), analysis.rank(Metric::Peak, 5).lines[0].value), (1, 40));
/// ```
#[derive(Debug)]
pub struct Analysis<'a> {
    profile: &'a Profile,
    /// Of each frame of each address, one address after the other; one for an address without frames.
    classes: Vec<Class>,
    /// Where an address's begin in `classes`.
    first_classes: Vec<usize>,
    groups: Vec<Group>,
    own_package: &'a str,
}

#[derive(Debug, Default)]
struct Group {
    sites: Vec<u32>,
    counts: Counts,
}

impl<'a> Analysis<'a> {
    /// Classifies every frame and merges the sites. A quarter of a second of processor time for 100,000
    /// sites on a tree of 400,000 nodes. It never fails: what breaks the promises of the model gives odd lines.
    ///
    /// ```
    /// use memscope_profile::analyze::Analysis;
    /// use memscope_profile::model::{Counts, Profile, Site};
    ///
    /// let site = |peak_bytes| Site { counts: Counts { peak_bytes, ..Counts::default() }, ..Site::default() };
    /// let profile = Profile { sites: vec![site(10), site(30)], ..Profile::default() };
    /// assert_eq!(Analysis::new(&profile).lines(), 1);
    /// ```
    pub fn new(profile: &'a Profile) -> Self {
        let mut analysis = Self {
            profile,
            classes: Vec::new(),
            first_classes: Vec::new(),
            groups: Vec::new(),
            own_package: profile.own_package(),
        };
        analysis.classify();
        analysis.groups = analysis.merge();
        analysis
    }

    /// The profile that was analyzed. A field.
    ///
    /// ```
    /// use memscope_profile::{Profile, analyze::Analysis};
    ///
    /// let profile = Profile::default();
    /// assert_eq!(Analysis::new(&profile).profile(), &profile);
    /// ```
    pub fn profile(&self) -> &'a Profile {
        self.profile
    }

    /// See [`Profile::own_package`]. It was looked for when the analysis was made. A field.
    ///
    /// ```
    /// use memscope_profile::{Profile, analyze::Analysis};
    ///
    /// assert_eq!(Analysis::new(&Profile::default()).own_package(), ""); // it came from no registry
    /// ```
    pub fn own_package(&self) -> &'a str {
        self.own_package
    }

    /// Whose code a frame is. The frame must come from the same profile. Costs a look-up.
    ///
    /// ```
    /// use memscope_profile::analyze::{Analysis, Class};
    /// use memscope_profile::model::{Address, Frame, Profile, StackNode};
    ///
    /// let profile = Profile {
    ///     strings: ["", "alloc::alloc::alloc", "shop::fill"].map(String::from).to_vec(),
    ///     frames: vec![Frame { function: 1, ..Frame::default() }, Frame { function: 2, line: 7, ..Frame::default() }],
    ///     addresses: vec![Address { address: 0x1010, frames_len: 2, ..Address::default() }],
    ///     stacks: vec![StackNode { parent: 0, address: 0 }],
    ///     ..Profile::default()
    /// };
    /// let analysis = Analysis::new(&profile);
    /// let classes: Vec<_> = profile.stack_frames(1).map(|frame| analysis.class(&frame)).collect();
    /// assert_eq!(classes, [Class::Allocator, Class::User]);
    /// ```
    pub fn class(&self, frame: &FrameView<'_>) -> Class {
        let within =
            frame.frame_index.map_or(0, |it| it.saturating_sub(frame.address().frames_start));
        let first = self.first_classes.get(frame.address_index as usize);
        let class = first.and_then(|first| self.classes.get(first + within as usize));
        class.copied().unwrap_or_default()
    }

    /// How many lines the sites make. A field.
    ///
    /// ```
    /// use memscope_profile::analyze::Analysis;
    /// use memscope_profile::model::{Counts, Profile, Site};
    ///
    /// let site = |peak_bytes| Site { counts: Counts { peak_bytes, ..Counts::default() }, ..Site::default() };
    /// let profile = Profile { sites: vec![site(10), site(30)], ..Profile::default() };
    /// assert!(Analysis::new(&profile).lines() <= profile.sites.len());
    /// ```
    pub fn lines(&self) -> usize {
        self.groups.len()
    }

    /// For each site of the profile, the number of its line, from 0 on. One pass over the sites, and 4 bytes for each.
    ///
    /// ```
    /// use memscope_profile::analyze::Analysis;
    /// use memscope_profile::model::{Counts, Profile, Site};
    ///
    /// let site = |peak_bytes| Site { counts: Counts { peak_bytes, ..Counts::default() }, ..Site::default() };
    /// let profile = Profile { sites: vec![site(10), site(30)], ..Profile::default() };
    /// assert_eq!(Analysis::new(&profile).line_of_each_site(), [0, 0]);
    /// ```
    pub fn line_of_each_site(&self) -> Vec<u32> {
        let mut lines = vec![0; self.profile.sites.len()];
        for (line, group) in self.groups.iter().enumerate() {
            for &site in &group.sites {
                lines[site as usize] = line as u32;
            }
        }
        lines
    }

    /// The `top` lines with the most of `metric`. Looks at every line once, and sorts what it keeps.
    ///
    /// ```
    /// use memscope_profile::analyze::{Analysis, Metric};
    /// use memscope_profile::model::{Counts, Profile, Site};
    ///
    /// let site = |peak_bytes| Site { counts: Counts { peak_bytes, ..Counts::default() }, ..Site::default() };
    /// let profile = Profile { sites: vec![site(10), site(30)], ..Profile::default() };
    /// let ranking = Analysis::new(&profile).rank(Metric::Peak, 1);
    /// assert_eq!((ranking.total, ranking.lines[0].value, ranking.lines[0].share), (40, 40, 1.0));
    /// ```
    pub fn rank(&self, metric: Metric, top: usize) -> Ranking {
        let groups = self.groups.iter().map(|group| (&group.counts, group.sites.as_slice()));
        rank(self.profile, groups, metric, top)
    }

    fn classify(&mut self) {
        let classifier = Classifier::new(self.profile);
        let mut known = HashMap::new();
        for address in 0..self.profile.addresses.len() as u32 {
            self.first_classes.push(self.classes.len());
            for view in self.profile.address_frames(address) {
                let module = view.module().map_or("", |module| module.path.as_str());
                let frame = view.frame().copied().unwrap_or_default();
                let key = (frame.function, frame.file, view.address().module);
                let class = || classifier.class(view.function(), view.file(), module);
                self.classes.push(*known.entry(key).or_insert_with(class));
            }
        }
    }

    fn merge(&self) -> Vec<Group> {
        let steps = self.steps();
        let mut chains = Chains(HashMap::with_capacity(self.profile.stacks.len()));
        let mut states = Vec::with_capacity(self.profile.stacks.len() + 1);
        states.push(State::default());
        for (index, node) in self.profile.stacks.iter().enumerate() {
            let parent = node.parent as usize;
            // A parent that is not smaller than the node would be a cycle; it counts as the root.
            let outer = states[if parent <= index { parent } else { 0 }];
            let inwards = steps.get(node.address as usize).into_iter().flatten();
            states.push(inwards.fold(outer, |state, step| chains.enter(state, step)));
        }
        let mut groups: Vec<Group> = Vec::new();
        let mut places = HashMap::new();
        for (index, site) in self.profile.sites.iter().enumerate() {
            let state = states.get(site.stack as usize).copied().unwrap_or_default();
            let place = *places.entry(state.visible()).or_insert(groups.len());
            if place == groups.len() {
                groups.push(Group::default());
            }
            groups[place].sites.push(index as u32);
            groups[place].counts.add(&site.counts);
        }
        groups
    }

    /// What each address adds to a stack, outermost frame first. Frames that look the same have the same face.
    fn steps(&self) -> Vec<Vec<Step>> {
        let mut faces = HashMap::new();
        let mut step = |view: FrameView<'_>| {
            let (face, operation) = match view.frame() {
                // An operation is a function, on whatever line of the library it goes on.
                Some(frame) => {
                    let face = Face::Symbol(frame.function, frame.file, frame.line);
                    (face, frame.function.saturating_add(1))
                }
                None => (Face::Address(view.address_index), u32::MAX),
            };
            let next = faces.len() as u32 + 1;
            Step { class: self.class(&view), face: *faces.entry(face).or_insert(next), operation }
        };
        let addresses = 0..self.profile.addresses.len() as u32;
        let steps = addresses.map(|address| {
            let frames = self.profile.address_frames(address).take(MAX_FRAMES_COMPARED);
            let mut steps: Vec<Step> = frames.map(&mut step).collect();
            steps.retain(|step| step.class != Class::Allocator);
            steps.reverse();
            steps
        });
        steps.collect()
    }
}

/// How a frame looks.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Face {
    /// Function, file, line.
    Symbol(u32, u32, u32),
    Address(u32),
}

/// A frame, as far as it matters for telling stacks apart.
#[derive(Clone, Copy)]
struct Step {
    class: Class,
    /// The number of its [`Face`], not 0.
    face: u32,
    /// The number of its function, not 0.
    operation: u32,
}

/// What has been seen of a stack, walking from the root inwards. 0 is nothing.
#[derive(Clone, Copy, Default)]
struct State {
    /// The chain of the program's own frames.
    user: u32,
    /// The first function of the standard library since the last of the program's own frames.
    operation: u32,
    /// The chain of all frames, for as long as none is the program's own.
    all: u32,
}

impl State {
    fn visible(self) -> (bool, u32, u32) {
        if self.user == 0 { (false, self.all, 0) } else { (true, self.user, self.operation) }
    }
}

/// Numbers for chains of frames: a chain is an outer chain (0: none) and a face.
struct Chains(HashMap<(u32, u32), u32>);

impl Chains {
    fn chain(&mut self, outer: u32, face: u32) -> u32 {
        let next = self.0.len() as u32 + 1;
        *self.0.entry((outer, face)).or_insert(next)
    }

    /// The state one frame further in.
    fn enter(&mut self, mut state: State, step: &Step) -> State {
        if step.class == Class::User {
            state.user = self.chain(state.user, step.face);
            state.operation = 0;
        } else {
            if step.class == Class::Std && state.operation == 0 {
                state.operation = step.operation;
            }
            if state.user == 0 {
                state.all = self.chain(state.all, step.face);
            }
        }
        state
    }
}
