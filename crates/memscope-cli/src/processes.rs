//! The processes of a run: each with its region while it lives, and who made whom.
//!
//! A process enters when it says hello, or when somebody says that it is not followed. Another image in its place says
//! hello again and takes the place of the one before.
//!
//! Invariants: a process comes after the one that made it; the first is the program, which is there from the start.
//! Deliberately absent: waiting (see [`crate::supervise`]), and what a child's exit code was, which only its parent is
//! told.

use crate::hookable;
use crate::keeper::{Keeper, Remains};
use crate::listener::Message;
use crate::live::Live;
use crate::recording::{Recording, Seen};
use crate::sampler::Sampler;
use crate::tick::{Clock, elapsed_ns};
use memscope_profile::model::{End, Mark, ProcessSummary, Totals};
use memscope_profile::region::Region;
use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

/// A region while its process runs.
#[derive(Debug)]
struct Watch {
    region: File,
    clock: Clock,
    sampler: Sampler,
}

impl Watch {
    fn start(region: File) -> io::Result<Self> {
        let clock = Clock::new(region.try_clone()?)?;
        let sampler = Sampler::start(region.try_clone()?, clock.start_ns())?;
        Ok(Self { region, clock, sampler })
    }

    fn finish(self) -> Recording {
        let duration_ns = elapsed_ns(self.clock.start_ns());
        Recording { region: self.region, duration_ns, sampler: self.sampler }
    }
}

/// A process.
#[derive(Debug)]
struct Node {
    /// As this process numbers it; `None` if that is not known.
    pid: Option<Pid>,
    /// As it numbers itself, or whoever told of it.
    said: u32,
    parent: Option<usize>,
    /// Readable when it has ended.
    end: Option<OwnedFd>,
    /// It had ended before it could be got hold of.
    is_gone: bool,
    /// It has ended and said all that it had to say.
    is_parted: bool,
    watch: Option<Watch>,
    /// The moments that were noted.
    marks: Vec<Mark>,
    /// How many images said hello.
    images: usize,
    /// The program that it is, or became, without being followed.
    unfollowed: PathBuf,
}

impl Node {
    fn new(pid: Option<Pid>, said: u32, parent: Option<usize>) -> Self {
        Self {
            pid,
            said,
            parent,
            end: None,
            is_gone: false,
            is_parted: false,
            watch: None,
            marks: Vec::new(),
            images: 0,
            unfollowed: PathBuf::new(),
        }
    }

    /// Gets hold of the process, to see its end.
    fn hold(&mut self) {
        let Some(pid) = self.pid else { return };
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(end) => self.end = Some(end),
            Err(Errno::SRCH) => self.is_gone = true,
            // The kernel has no such thing; its folder tells.
            Err(_) => {}
        }
    }

    fn is_over(&self) -> bool {
        match (&self.end, self.pid) {
            (Some(end), _) => {
                let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
                let mut watched = [PollFd::from_borrowed_fd(end.as_fd(), PollFlags::IN)];
                rustix::event::poll(&mut watched, Some(&now)).is_ok_and(|ready| ready > 0)
            }
            (None, Some(pid)) => {
                !std::path::Path::new(&format!("/proc/{}", pid.as_raw_nonzero())).exists()
            }
            (None, None) => true,
        }
    }

    fn runs(&self) -> bool {
        self.watch.is_some() && !self.is_gone
    }

    fn seen(&self, end: End, waited: bool) -> Seen {
        Seen {
            end,
            waited,
            marks: self.marks.clone(),
            images_before: self.images.saturating_sub(1),
            replaced_by: self.unfollowed.clone(),
        }
    }
}

/// The processes of a run.
#[derive(Debug)]
pub(crate) struct Processes {
    all: Vec<Node>,
    keeper: Keeper,
    /// Whether recording begins with the first mark, and whether that was made.
    waits: bool,
    is_marked: bool,
}

/// What a run leaves.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The program's recording, if it said hello, and what was seen of it.
    pub(crate) program: (Option<Recording>, Seen),
    /// The processes in short, in their order, the first not yet filled in; empty if there is but the program.
    pub(crate) processes: Vec<ProcessSummary>,
    /// Packed profiles, with the places of their processes.
    pub(crate) profiles: Vec<(usize, Vec<u8>)>,
    /// How many of the program's children were followed.
    pub(crate) followed_children: u64,
}

impl Processes {
    /// The program has been started.
    pub(crate) fn new(program: Pid, keeper: Keeper, waits: bool) -> Self {
        let said = program.as_raw_nonzero().get().unsigned_abs();
        let all = vec![Node::new(Some(program), said, None)];
        Self { all, keeper, waits, is_marked: false }
    }

    /// A message arrived.
    pub(crate) fn hear(&mut self, message: Message) {
        match message {
            Message::Hello { pid, hello, region } => {
                let place = self.living(pid).unwrap_or_else(|| {
                    let parent = self.said(hello.parent);
                    self.add(Node::new(Some(pid), hello.pid, parent))
                });
                let node = &mut self.all[place];
                node.said = hello.pid;
                if let Ok(watch) = Watch::start(region) {
                    if self.is_marked {
                        watch.clock.end_waiting();
                    }
                    node.marks.clear();
                    node.watch = Some(watch);
                    node.images += 1;
                    node.unfollowed = PathBuf::new();
                }
                if place > 0 && node.end.is_none() {
                    node.hold();
                }
            }
            Message::Notice { pid, notice, path } => {
                // Whoever is about to become the image says it itself, or its parent did it for it.
                let own = self.living(pid).filter(|_| notice.pid == notice.parent);
                let place = own.unwrap_or_else(|| {
                    let known = (notice.pid != 0).then_some(notice.pid);
                    let pid = known.and_then(|pid| Pid::from_raw(pid.cast_signed()));
                    let parent = self.said(notice.parent);
                    self.add(Node::new(pid, notice.pid, parent))
                });
                self.all[place].unfollowed = path;
            }
        }
    }

    fn add(&mut self, node: Node) -> usize {
        self.all.push(node);
        self.all.len() - 1
    }

    /// The process that has this id now.
    fn living(&self, pid: Pid) -> Option<usize> {
        self.all.iter().rposition(|node| node.pid == Some(pid) && !node.is_parted)
    }

    /// The process that last called itself so.
    fn said(&self, said: u32) -> Option<usize> {
        self.all.iter().rposition(|node| node.said == said && node.said != 0)
    }

    /// What to wait on for [`Processes::over`] to have something to do.
    pub(crate) fn ends(&self) -> impl Iterator<Item = PollFd<'_>> {
        let living = self.all.iter().filter(|node| !node.is_parted);
        living
            .filter_map(|node| node.end.as_ref())
            .map(|end| PollFd::from_borrowed_fd(end.as_fd(), PollFlags::IN))
    }

    /// Lets the clocks go on.
    pub(crate) fn tick(&mut self) {
        for watch in self.all.iter_mut().filter_map(|node| node.watch.as_mut()) {
            watch.clock.tick();
        }
    }

    /// The children that have ended and were not parted with yet. What they said last may still be unheard.
    pub(crate) fn over(&self) -> Vec<usize> {
        let children = self.all.iter().enumerate().skip(1);
        children
            .filter(|(_, node)| node.watch.is_some() && (node.is_gone || node.is_over()))
            .map(|(place, _)| place)
            .collect()
    }

    /// Whether [`Processes::over`] has something that nobody waits on.
    pub(crate) fn any_is_gone(&self) -> bool {
        self.all.iter().any(|node| node.is_gone && node.watch.is_some())
    }

    /// Parts with children that have ended and said all that they had to say.
    pub(crate) fn part(&mut self, over: &[usize]) {
        for &place in over {
            let node = &mut self.all[place];
            node.is_parted = true;
            node.end = None;
            if let Some(watch) = node.watch.take() {
                self.keeper.take(place, watch.finish(), node.seen(End::Unknown, self.waits));
            }
        }
    }

    /// The running process that is called so: by its id, or the program by memscope's own.
    fn called(&self, pid: u32) -> Option<usize> {
        let is_it = |node: &Node| {
            let known = node.pid.map(|pid| pid.as_raw_nonzero().get().cast_unsigned());
            node.watch.is_some() && (known == Some(pid) || node.said == pid)
        };
        if pid == std::process::id() { Some(0) } else { self.all.iter().rposition(is_it) }
    }

    /// What is needed to read a process that runs and records; `None` if there is none of this id.
    pub(crate) fn live(&self, pid: u32) -> Option<Live> {
        let node = &self.all[self.called(pid)?];
        let watch = node.watch.as_ref()?;
        let region = watch.region.try_clone().ok()?;
        let seen = node.seen(End::Running, self.waits);
        Some(Live { region, asker: watch.sampler.asker(), seen })
    }

    /// Notes a moment of a process that runs; whether there is one of this id. The first ends all waiting.
    pub(crate) fn mark(&mut self, pid: u32, text: String) -> bool {
        let Some(node) = self.called(pid).map(|place| &mut self.all[place]) else { return false };
        let Some(watch) = &node.watch else { return false };
        let totals = watch
            .region
            .try_clone()
            .ok()
            .and_then(|region| Region::open(region).and_then(|region| region.totals()).ok());
        let totals = totals.unwrap_or_default();
        let ms = elapsed_ns(watch.clock.start_ns()) / 1_000_000;
        let Totals { live_bytes, allocations, .. } = totals;
        node.marks.push(Mark { ms, text, live_bytes, allocations });
        self.is_marked = true;
        self.all
            .iter()
            .filter_map(|node| node.watch.as_ref())
            .for_each(|it| it.clock.end_waiting());
        true
    }

    /// Whether the program has an image that records.
    pub(crate) fn program_records(&self) -> bool {
        self.all[0].watch.is_some()
    }

    /// The program was seen to run `exe`, which is what it said that it is if it is followed.
    pub(crate) fn saw_program(&mut self, exe: PathBuf) {
        self.all[0].unfollowed = exe;
    }

    /// Whether a process that lives, or the program, made more children than were heard of.
    pub(crate) fn awaits_children(&self) -> bool {
        self.all.iter().enumerate().any(|(place, node)| {
            let made = node.watch.as_ref().map_or(0, |watch| watch.clock.children());
            let heard = self.all.iter().filter(|other| other.parent == Some(place)).count();
            made > heard as u64
        })
    }

    /// Whether a child that is followed still runs.
    pub(crate) fn any_child_runs(&self) -> bool {
        self.all.iter().skip(1).any(Node::runs)
    }

    /// The run is over; `end` is that of the program.
    pub(crate) fn finish(mut self, end: End) -> Outcome {
        let recording = self.all[0].watch.take().map(Watch::finish);
        let seen = self.all[0].seen(end, self.waits);
        for (place, node) in self.all.iter_mut().enumerate() {
            if let Some(watch) = node.watch.take() {
                self.keeper.take(place, watch.finish(), node.seen(End::Running, self.waits));
            }
        }
        let mut followed = vec![0; self.all.len()];
        for node in self.all.iter().filter(|node| node.images > 0) {
            node.parent.into_iter().for_each(|parent| followed[parent] += 1);
        }
        let mut processes: Vec<ProcessSummary> = Vec::new();
        let mut profiles = Vec::new();
        if self.all.len() > 1 {
            let mut reasons = HashMap::new();
            processes.extend(self.all.iter().map(|node| in_short(node, &mut reasons)));
            for Remains { place, process, profile, .. } in self.keeper.finish() {
                let short = &mut processes[place];
                *short = ProcessSummary {
                    pid: short.pid,
                    parent: short.parent,
                    replaced_by: std::mem::take(&mut short.replaced_by),
                    ..process
                };
                profiles.extend(profile.map(|profile| (place, profile)));
            }
            for (process, followed) in processes.iter_mut().zip(&followed) {
                let unfollowed = &mut process.unfollowed_children;
                *unfollowed = unfollowed.saturating_sub(*followed);
            }
        }
        Outcome { program: (recording, seen), processes, profiles, followed_children: followed[0] }
    }
}

/// What is known of a process from outside. `reasons` holds why programs are not followed, by their paths.
fn in_short(node: &Node, reasons: &mut HashMap<PathBuf, String>) -> ProcessSummary {
    let path = node.unfollowed.to_string_lossy().into_owned();
    let mut process = ProcessSummary {
        pid: node.pid.map_or(node.said, |pid| pid.as_raw_nonzero().get().unsigned_abs()),
        parent: node.parent.map_or(0, |parent| parent as u32 + 1),
        ..ProcessSummary::default()
    };
    if node.images > 0 {
        process.replaced_by = path;
    } else {
        let reason = || match hookable::check(&node.unfollowed) {
            Err(error) => error.message,
            // Of a shell that the C library starts, nobody learns the id.
            Ok(()) if node.said == 0 => {
                "it was started by `system` or `popen`, in a process with threads".to_owned()
            }
            Ok(()) => "it was started in a way that cannot be followed".to_owned(),
        };
        process.unfollowed = reasons.entry(node.unfollowed.clone()).or_insert_with(reason).clone();
        process.command = vec![path.clone()];
        process.exe = path;
    }
    process
}
