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
use memscope_region::row::CounterCells;
use memscope_region::sys;
use memscope_region::table::REGION_BYTES;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Once, PoisonError, RwLock, RwLockReadGuard, TryLockError};
use std::{mem, ptr};

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
        PROCESS.start(&Start { fd, granule_shift: 5, ..Start::default() }).expect("a region");
        PROCESS.add_rule(OUTERMOST, Found { rule: Rule::plain(Shape::End), address: 1 });
        for (f, function) in FUNCTIONS.iter().enumerate() {
            for call in 0..CALLS {
                let address = (2 + f * CALLS + call) as u32;
                PROCESS.add_rule(pc(f, call), Found { rule: rule(*function), address });
            }
        }
    });
}

/// Held by a machine, so that no module is unloaded meanwhile; taken alone by a test that unloads one.
static MODULES: RwLock<()> = RwLock::new(());

/// Unloads the module that covers some addresses: a machine that is there already belongs to the caller.
fn unload(range: Range<usize>) {
    // Not waited for in line: a test may hold two machines.
    let _alone = loop {
        match MODULES.try_write() {
            Err(TryLockError::WouldBlock) => std::thread::yield_now(),
            Err(TryLockError::Poisoned(poisoned)) => break poisoned.into_inner(),
            Ok(alone) => break alone,
        }
    };
    PROCESS.forget_rules(range);
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
    /// What stack (and salt) each counter was given to.
    counted: HashMap<*const CounterCells, (Vec<usize>, u64)>,
    recalled: usize,
    /// `None` once the test is about to unload a module itself.
    stay: Option<RwLockReadGuard<'static, ()>>,
}

impl Machine {
    fn new(seed: u64) -> Self {
        start();
        let stay = Some(MODULES.read().unwrap_or_else(PoisonError::into_inner));
        let memory = vec![0usize; 1 << 14];
        let low = memory.as_ptr() as usize;
        let high = low + memory.len() * 8;
        let mut arena = Arena::new();
        let walker = Walker::new(&mut arena, &PROCESS, Bounds { low, high }).expect("memory");
        Self {
            memory,
            sp: high,
            rbp: 0,
            truth: vec![],
            saved: vec![],
            walker,
            arena,
            random: seed,
            counted: HashMap::new(),
            recalled: 0,
            stay,
        }
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

    /// Whether no walk from there, under any salt, is taken for one made before.
    fn recalls_nothing(&mut self, entry: Entry) -> bool {
        (0..2).all(|salt| self.recall(entry, salt).is_none())
    }

    /// What is recalled of a call from there, looked for as the hooks do.
    fn recall(&mut self, entry: Entry, salt: u64) -> Option<&'static CounterCells> {
        // SAFETY: the entry is of the simulated stack, whose bounds the walker has.
        unsafe {
            let first = self.walker.recall(&PROCESS, entry, salt);
            let found = self.walker.recall_beyond(&PROCESS, entry, salt);
            assert!(first.is_none() || first.map(ptr::from_ref) == found.map(ptr::from_ref));
            found
        }
    }

    /// Allocates at the same place until a walk is recalled: every salt has its own.
    fn allocate_until_recalled(&mut self, call: usize) {
        let before = self.recalled;
        while self.recalled == before {
            self.allocate(call);
        }
    }

    /// The running function calls the allocator; what is recalled must be the truth, and the walk must find it.
    fn allocate(&mut self, call: usize) {
        let from = self.saved.last().map_or(OUTERMOST, |saved| pc(saved.function, call));
        self.push(from);
        let entry = Entry { sp: self.sp, rbp: self.rbp };
        let salt = self.below(2) as u64;
        if let Some(counter) = self.recall(entry, salt) {
            let (mut truth, counted) = (self.truth.clone(), &self.counted[&ptr::from_ref(counter)]);
            truth.push(from);
            assert_eq!(counted, &(truth, salt));
            self.recalled += 1;
            // The hooks walk only if nothing was recalled; here a walk may follow, as another call's would.
            if self.below(4) != 0 {
                self.sp += 8;
                return;
            }
        }
        // SAFETY: the entry is of the simulated stack, whose bounds the walker has.
        let taken = unsafe { self.walker.take(&mut self.arena, &PROCESS, entry, |_| ()) };
        assert_eq!(taken.marks, 0);
        let found: Vec<usize> = self.walker.frames().iter().map(|frame| frame.pc()).collect();
        let mut truth = self.truth.clone();
        truth.push(from);
        assert_eq!(found, truth);
        // SAFETY: all zeroes are a row of counters.
        let counter: &'static CounterCells = Box::leak(Box::new(unsafe { mem::zeroed() }));
        self.walker.remember(entry, salt, counter);
        self.counted.insert(counter, (truth, salt));
        self.sp += 8;
    }
}

/// Runs a random program for so many steps, with the first `functions` and `calls` and no deeper than `depth`; how
/// many stacks were recalled.
fn run(seed: u64, steps: usize, functions: usize, calls: usize, depth: usize) -> usize {
    let mut machine = Machine::new(seed * 0x9e37_79b9);
    let offset = machine.below(FUNCTIONS.len());
    for _ in 0..steps {
        let frames = machine.saved.len();
        match machine.below(10) {
            0..=3 if frames < depth => {
                let function = (machine.below(functions) + offset) % FUNCTIONS.len();
                let call = machine.below(calls);
                machine.call(function, call);
            }
            4 | 5 if frames > 1 => machine.leave(1),
            6 if frames > 1 => {
                let left = 1 + machine.below(frames - 1);
                machine.leave(left);
            }
            _ => {
                let call = machine.below(calls);
                machine.allocate(call);
            }
        }
    }
    machine.recalled
}

#[test]
fn random_programs_are_walked_as_they_ran() {
    for seed in 1..=300 {
        run(seed, 400, FUNCTIONS.len(), CALLS, 120);
    }
}

/// Programs of few functions come back to the same places all the time, with other frames outside them.
#[test]
fn small_random_programs_are_recalled_as_they_ran() {
    let recalled: usize = (1..=200).map(|seed| run(seed, 1000, 3, 2, 12)).sum();
    assert!(recalled > 10_000, "only {recalled} stacks were recalled");
}

/// Several ways to one place, taken by turns, are remembered side by side. (Not all are recalled each time: where one of them
/// was met by a walk that ended further in, the cached frame that it met may have gone.)
#[test]
fn walks_that_part_further_out_are_recalled() {
    let mut machine = Machine::new(5);
    machine.call(0, 0);
    machine.call(0, 1);
    let mut recalled_before = 0;
    for round in 0..200 {
        if round == 100 {
            recalled_before = machine.recalled;
        }
        machine.call(1, round % 2);
        machine.call(0, round / 2 % 2);
        machine.allocate(0);
        machine.leave(2);
    }
    let recalled = machine.recalled - recalled_before;
    assert!(recalled > 50, "{recalled} of 100 stacks were recalled");
}

/// A walk that is made no more does not stand for ever where another is looked for first.
#[test]
fn a_walk_that_is_made_again_and_again_comes_to_its_first_place() {
    let mut machine = Machine::new(7);
    machine.call(0, 0);
    machine.call(0, 1);
    let enter = |machine: &mut Machine, way: usize| {
        machine.call(1, way);
        machine.call(0, way);
    };
    let is_first = |machine: &mut Machine| {
        machine.push(pc(0, 0));
        let entry = Entry { sp: machine.sp, rbp: machine.rbp };
        machine.sp += 8;
        // SAFETY: the entry is of the simulated stack, whose bounds the walker has.
        (0..2).all(|salt| unsafe { machine.walker.recall(&PROCESS, entry, salt) }.is_some())
    };
    // By turns, so that each is remembered as far out as they part.
    for round in 0..40 {
        enter(&mut machine, round % 2);
        machine.allocate(0);
        machine.leave(2);
    }
    for way in [0, 1] {
        enter(&mut machine, way);
        for _ in 0..2000 {
            machine.allocate(0);
        }
        assert!(is_first(&mut machine));
        machine.leave(2);
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
    machine.allocate_until_recalled(0);
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
    machine.allocate_until_recalled(0);
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
    assert!(machine.recalls_nothing(entry));
    // SAFETY: as in `allocate`.
    unsafe { machine.walker.take(&mut machine.arena, &PROCESS, entry, |_| ()) };
    // The outermost frame was found one word lower, so the walk did look again.
    assert_eq!(machine.walker.frames()[0].sp(), machine.saved[0].sp - 8);
}

/// A frame whose rbp matters further out is not joined if rbp differs.
#[test]
fn another_rbp_is_another_frame() {
    let mut machine = Machine::new(3);
    machine.call(4, 0);
    machine.call(0, 0);
    machine.allocate_until_recalled(0);
    let frame = machine.rbp;
    // The same code with the frame pointer of a copy of the outer frame, one word further down.
    let (up, down) = (*machine.place(frame + 8), *machine.place(frame));
    *machine.place(frame) = up;
    *machine.place(frame - 8) = down;
    machine.rbp = frame - 8;
    let from = pc(0, 0);
    machine.push(from);
    let entry = Entry { sp: machine.sp, rbp: machine.rbp };
    assert!(machine.recalls_nothing(entry));
    // SAFETY: as in `allocate`.
    unsafe { machine.walker.take(&mut machine.arena, &PROCESS, entry, |_| ()) };
    assert_eq!(machine.walker.frames()[0].sp(), machine.saved[0].sp - 8);
}

/// The frame that a recalled walk would join must be where that walk met one, not its like on another stack.
#[test]
fn a_frame_elsewhere_with_the_same_stack_is_not_joined() {
    let mut machine = Machine::new(13);
    let (high, chain) = (machine.sp, |machine: &mut Machine, outer: usize| {
        machine.call(0, 0);
        machine.call(1, outer);
        machine.call(0, 0);
    });
    machine.sp = high - 4096;
    chain(&mut machine, 0);
    machine.allocate(1);
    machine.allocate(0);
    let entry = Entry { sp: machine.sp - 8, rbp: machine.rbp };
    // The same calls, further up in the same memory.
    machine.leave(3);
    machine.sp = high;
    chain(&mut machine, 0);
    machine.allocate(1);
    // The first stack again, with another outer call; the second stays as it is.
    machine.leave(3);
    machine.sp = high - 4096;
    chain(&mut machine, 1);
    machine.push(pc(0, 0));
    assert_eq!(machine.sp, entry.sp);
    assert!(machine.recalls_nothing(entry));
}

/// Nor may it have been found there by another rbp.
#[test]
fn a_frame_that_was_cached_with_another_rbp_is_not_joined() {
    let mut machine = Machine::new(3);
    machine.call(4, 0);
    machine.call(0, 0);
    machine.allocate(1);
    machine.allocate_until_recalled(0);
    let frame = machine.rbp;
    let (up, down) = (*machine.place(frame + 8), *machine.place(frame));
    *machine.place(frame) = up;
    *machine.place(frame - 8) = down;
    machine.push(pc(0, 1));
    let entry = Entry { sp: machine.sp, rbp: frame - 8 };
    // SAFETY: as in `allocate`.
    unsafe { machine.walker.take(&mut machine.arena, &PROCESS, entry, |_| ()) };
    // What the recalled walk had read further out is no longer true.
    *machine.place(frame + 8) = pc(1, 1);
    *machine.place(entry.sp) = pc(0, 0);
    assert!(machine.recalls_nothing(Entry { sp: entry.sp, rbp: frame }));
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
    let taken = unsafe { machine.walker.take(&mut machine.arena, &PROCESS, entry, |_| ()) };
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
    unload(at - 1..at + 1);
    // SAFETY: as above.
    assert_eq!(unsafe { PROCESS.rules().find(at) }, None);
    let other = Found { rule: Rule::new(Shape::Rsp, 32, 0), address: 100 };
    PROCESS.add_rule(at, other);
    // SAFETY: as above.
    assert_eq!(unsafe { PROCESS.rules().find(at) }, Some(other));
}

#[test]
fn nothing_is_recalled_after_an_unloading() {
    let mut machine = Machine::new(17);
    machine.call(0, 0);
    machine.allocate(1);
    machine.allocate_until_recalled(0);
    machine.push(pc(0, 0));
    machine.stay = None;
    unload(0x60_0000..0x60_0001);
    assert!(machine.recalls_nothing(Entry { sp: machine.sp, rbp: machine.rbp }));
}
