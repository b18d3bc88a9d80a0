//! The incremental walk against a machine that knows its own stack.
//!
//! A simulated processor calls, returns, jumps and scribbles on a piece of memory that serves as a stack, by functions
//! whose unwind rules are entered by hand. Its true list of return addresses is compared with what the walker takes, at
//! random moments of random runs. Each soundness condition of the walk has a run of its own in which a walk that ignored
//! it would be wrong.

use memscope_capture::arch::Entry;
use memscope_capture::arena::Arena;
use memscope_capture::frame::{Bounds, Taken};
use memscope_capture::process::{PROCESS, Start};
use memscope_capture::rule::{Found, Rule, Shape};
use memscope_capture::stack::Walker;
use memscope_region::sys;
use memscope_region::table::REGION_BYTES;
use std::sync::Once;

/// A function of the simulated program: how its frame is laid out. All sizes are in words.
#[derive(Clone, Copy, Debug)]
enum Function {
    /// Keeps rbp as it is.
    Plain { locals: usize },
    /// Saves rbp and uses the register for something else.
    Saving { locals: usize },
    /// Uses rbp as its frame pointer.
    Framed { locals: usize },
    /// Realigned its stack: the CFA stands in memory.
    Realigned { locals: usize, gap: usize },
}

const FUNCTIONS: [Function; 8] = [
    Function::Plain { locals: 1 },
    Function::Plain { locals: 7 },
    Function::Saving { locals: 2 },
    Function::Saving { locals: 5 },
    Function::Framed { locals: 1 },
    Function::Framed { locals: 6 },
    Function::Realigned { locals: 3, gap: 2 },
    Function::Realigned { locals: 1, gap: 5 },
];

/// Return addresses in a function.
const CALLS: usize = 3;

/// The return address into function `function` from its call number `call`.
fn pc(function: usize, call: usize) -> usize {
    0x1000 + (function * CALLS + call) * 16
}

/// The return address into the outermost frame.
const OUTERMOST: usize = 0x900;

fn rule(function: Function) -> Rule {
    match function {
        Function::Plain { locals } => Rule::new(Shape::Rsp, (locals as i64 + 1) * 8, 0),
        Function::Saving { locals } => Rule::new(Shape::Rsp, (locals as i64 + 2) * 8, 16),
        Function::Framed { .. } => Rule::new(Shape::Rbp, 16, 16),
        Function::Realigned { .. } => Rule::new(Shape::RbpIndirect, 8, 0),
    }
}

fn start() {
    static START: Once = Once::new();
    START.call_once(|| {
        let fd = sys::memory_file(c"walk", REGION_BYTES).expect("a memory file");
        assert!(PROCESS.claim_start());
        PROCESS.start(&Start { fd, granule_shift: 5, command: b"", exe: b"" }).expect("a region");
        PROCESS.add_rule(OUTERMOST, Found { rule: Rule::plain(Shape::End), address: 1 });
        for (f, function) in FUNCTIONS.iter().enumerate() {
            for call in 0..CALLS {
                let address = (2 + f * CALLS + call) as u32;
                PROCESS.add_rule(pc(f, call), Found { rule: rule(*function), address });
            }
        }
    });
}

/// A frame as the machine itself remembers it: what unwinding it must restore.
#[derive(Clone, Copy, Debug)]
struct Saved {
    function: usize,
    sp: usize,
    rbp: usize,
}

/// The simulated processor.
struct Machine {
    memory: Vec<usize>,
    sp: usize,
    rbp: usize,
    /// Return addresses, outermost first.
    truth: Vec<usize>,
    saved: Vec<Saved>,
    walker: Walker,
    arena: Arena,
    random: u64,
}

impl Machine {
    fn new(seed: u64) -> Self {
        start();
        let memory = vec![0usize; 1 << 14];
        let low = memory.as_ptr() as usize;
        let high = low + memory.len() * 8;
        let mut arena = Arena::new();
        let walker = Walker::new(&mut arena, &PROCESS, Bounds { low, high }).expect("memory");
        Self { memory, sp: high, rbp: 0, truth: vec![], saved: vec![], walker, arena, random: seed }
    }

    fn below(&mut self, bound: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as usize % bound
    }

    fn place(&mut self, address: usize) -> &mut usize {
        let at = (address - self.memory.as_ptr() as usize) / 8;
        &mut self.memory[at]
    }

    fn push(&mut self, value: usize) {
        self.sp -= 8;
        let sp = self.sp;
        *self.place(sp) = value;
    }

    /// The running function (or the outermost code) calls `function`; its return address is the call's number.
    fn call(&mut self, function: usize, call: usize) {
        self.saved.push(Saved { function, sp: self.sp, rbp: self.rbp });
        let from = match self.saved.len() {
            1 => OUTERMOST,
            n => pc(self.saved[n - 2].function, call),
        };
        self.truth.push(from);
        let cfa = self.sp;
        self.push(from);
        match FUNCTIONS[function] {
            Function::Plain { locals } => self.sp -= locals * 8,
            Function::Saving { locals } => {
                let rbp = self.rbp;
                self.push(rbp);
                self.sp -= locals * 8;
                // Any value, and sometimes the same as before: that must not fool the walk.
                self.rbp = if self.below(2) == 0 { rbp } else { self.below(1 << 20) };
            }
            Function::Framed { locals } => {
                let rbp = self.rbp;
                self.push(rbp);
                self.rbp = self.sp;
                self.sp -= locals * 8;
            }
            Function::Realigned { locals, gap } => {
                self.sp -= gap * 8;
                let rbp = self.rbp;
                self.push(rbp);
                self.rbp = self.sp;
                self.push(cfa);
                self.sp -= locals * 8;
            }
        }
    }

    /// Returns from `frames` frames at once: a return, or a longjmp.
    fn leave(&mut self, frames: usize) {
        let to = self.saved[self.saved.len() - frames];
        (self.sp, self.rbp) = (to.sp, to.rbp);
        self.saved.truncate(self.saved.len() - frames);
        self.truth.truncate(self.truth.len() - frames);
    }

    /// The running function calls the allocator; the walk must find the truth.
    fn allocate(&mut self, call: usize) {
        let from = self.saved.last().map_or(OUTERMOST, |saved| pc(saved.function, call));
        self.push(from);
        let entry = Entry { sp: self.sp, rbp: self.rbp };
        // SAFETY: the entry is of the simulated stack, whose bounds the walker has.
        let taken = unsafe { self.walker.take(&mut self.arena, &PROCESS, entry) };
        assert_eq!(taken.marks, 0);
        let found: Vec<usize> = self.walker.frames().iter().map(|frame| frame.pc()).collect();
        let mut truth = self.truth.clone();
        truth.push(from);
        assert_eq!(found, truth);
        self.sp += 8;
    }
}

#[test]
fn random_programs_are_walked_as_they_ran() {
    for seed in 1..=300 {
        let mut machine = Machine::new(seed * 0x9e37_79b9);
        for _ in 0..400 {
            let depth = machine.saved.len();
            match machine.below(10) {
                0..=3 if depth < 120 => {
                    let (function, call) = (machine.below(FUNCTIONS.len()), machine.below(CALLS));
                    machine.call(function, call);
                }
                4 | 5 if depth > 1 => machine.leave(1),
                6 if depth > 1 => {
                    let frames = 1 + machine.below(depth - 1);
                    machine.leave(frames);
                }
                _ => {
                    let call = machine.below(CALLS);
                    machine.allocate(call);
                }
            }
        }
    }
}

/// Returning and calling again through the same sites writes the same words below, while an outer frame differs.
#[test]
fn an_outer_frame_that_changed_is_seen_through_equal_inner_frames() {
    let mut machine = Machine::new(1);
    machine.call(0, 0);
    machine.call(1, 0);
    machine.call(0, 0);
    machine.call(1, 0);
    machine.allocate(0);
    machine.leave(3);
    machine.call(1, 1); // another call site of the outer function
    machine.call(0, 0);
    machine.call(1, 0);
    machine.allocate(0);
}

/// The saved rbp of the very frame at which the walk joins must be compared, not only those of older frames.
#[test]
fn the_joined_frames_own_saved_rbp_counts() {
    let mut machine = Machine::new(1);
    machine.call(4, 0); // its frame is found through rbp
    machine.call(2, 0); // saves rbp; the frame that will be joined
    machine.allocate(0);
    // The slot changes as it would if the outer function had moved its frame: nothing else differs.
    let slot = machine.saved[1].sp - 16;
    let (old, rbp_of_outer) = (*machine.place(slot), machine.saved[1].rbp);
    assert_eq!(old, rbp_of_outer);
    // Move the outer frame's contents down by one word and point the saved rbp there.
    let moved = rbp_of_outer - 8;
    let (up, down) = (*machine.place(rbp_of_outer + 8), *machine.place(rbp_of_outer));
    *machine.place(moved + 8) = up;
    *machine.place(moved) = down;
    *machine.place(slot) = moved;
    let from = pc(2, 0);
    machine.push(from);
    let entry = Entry { sp: machine.sp, rbp: machine.rbp };
    // SAFETY: as in `allocate`.
    unsafe { machine.walker.take(&mut machine.arena, &PROCESS, entry) };
    // The outermost frame was found one word lower, so the walk did look again.
    assert_eq!(machine.walker.frames()[0].sp(), machine.saved[0].sp - 8);
}

/// A frame whose rbp matters further out is not joined if rbp differs.
#[test]
fn another_rbp_is_another_frame() {
    let mut machine = Machine::new(3);
    machine.call(4, 0);
    machine.call(0, 0);
    machine.allocate(0);
    let frame = machine.rbp;
    // The same code with the frame pointer of a copy of the outer frame, one word further down.
    let (up, down) = (*machine.place(frame + 8), *machine.place(frame));
    *machine.place(frame) = up;
    *machine.place(frame - 8) = down;
    machine.rbp = frame - 8;
    let from = pc(0, 0);
    machine.push(from);
    let entry = Entry { sp: machine.sp, rbp: machine.rbp };
    // SAFETY: as in `allocate`.
    unsafe { machine.walker.take(&mut machine.arena, &PROCESS, entry) };
    assert_eq!(machine.walker.frames()[0].sp(), machine.saved[0].sp - 8);
}

#[test]
fn recursion_far_beyond_the_first_room_is_walked_whole() {
    let mut machine = Machine::new(5);
    for _ in 0..3000 {
        machine.call(0, 0);
    }
    machine.allocate(0);
    machine.leave(2999);
    machine.allocate(1);
}

/// The room for frames grows, and so moves, while the walk looks for the cached frame to join.
#[test]
fn a_cached_frame_is_joined_though_the_room_grew_on_the_way() {
    for fresh in [63, 64, 65, 1000, 4000] {
        let mut machine = Machine::new(11);
        for _ in 0..40 {
            machine.call(2, 0);
        }
        machine.allocate(0);
        for _ in 0..fresh {
            machine.call(0, 1);
        }
        machine.allocate(1);
        machine.leave(fresh);
        machine.allocate(0);
    }
}

/// A stack outside the bounds is walked plainly; nothing of it is taken over by the next walk.
#[test]
fn a_foreign_stack_is_not_taken_over() {
    let mut machine = Machine::new(7);
    machine.call(0, 0);
    machine.call(1, 1);
    machine.allocate(0);
    let mut other = Machine::new(9);
    for _ in 0..10 {
        other.call(0, 2);
    }
    let from = pc(0, 1);
    other.push(from);
    let entry = Entry { sp: other.sp, rbp: 0 };
    // SAFETY: the other machine's memory is a live mapping, and its walk ends within.
    let taken = unsafe { machine.walker.take(&mut machine.arena, &PROCESS, entry) };
    assert_eq!(taken.marks, Taken::FOREIGN);
    assert_eq!(machine.walker.frames().len(), 11);
    machine.allocate(0);
}

/// After an unloading nothing is taken over: the rules may be others.
#[test]
fn rules_of_an_unloaded_module_are_forgotten() {
    // A run of its own rules, so that the other tests' stay.
    start();
    let at = 0x50_0000;
    let found = Found { rule: Rule::new(Shape::Rsp, 16, 0), address: 99 };
    PROCESS.add_rule(at, found);
    // SAFETY: the view is of a table.
    assert_eq!(unsafe { PROCESS.rules().find(at) }, Some(found));
    PROCESS.forget_rules(at - 1..at + 1);
    // SAFETY: as above.
    assert_eq!(unsafe { PROCESS.rules().find(at) }, None);
    let other = Found { rule: Rule::new(Shape::Rsp, 32, 0), address: 100 };
    PROCESS.add_rule(at, other);
    // SAFETY: as above.
    assert_eq!(unsafe { PROCESS.rules().find(at) }, Some(other));
}
