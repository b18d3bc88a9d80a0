//! The walk: from a hook's entry to the whole stack, reusing what has not changed since this thread's last walk.
//!
//! Stepping out of a frame is a function of its state (pc, sp, and rbp where an outer frame still uses it), of the
//! rules, and of the stack slots that it reads. So the outer part of the last stack may be taken over, exactly, if
//!
//! 1. the fresh walk arrives at the state of a cached frame: the same sp and pc, and the same rbp if some outer
//!    frame uses rbp before another reloads it (`needs_rbp`);
//! 2. every slot that was read when stepping out of that frame and of all older ones still holds its value: the
//!    return addresses, and the saved rbp where it matters. The frame's own slots count, not only older ones';
//! 3. the rules are the same: no module was unloaded since (`generation`);
//! 4. the slots can be read: they lie between the current sp and the end of the thread's own stack.
//!
//! How the stack came to be what it is (longjmp, exceptions, alloca, tail calls) does not matter. Stopping early,
//! at the first frame that looks the same, would not be sound: returning and calling again through the same sites
//! writes the same bytes below while an outer frame may differ. So all slots are compared, from the outside in, and
//! where one differs the frames outside it stay good.
//!
//! Stacks that are not the thread's own (coroutines, alternate signal stacks) are walked plainly and not kept.

use crate::arch::Entry;
use crate::arena::Arena;
use crate::frame::{Bounds, CHECKS_PER_FRAME, CachedFrame, Check, Fresh, SENTINEL, Taken};
use crate::process::Process;
use crate::recall::Recent;
use crate::rule::{Found, Rule, RuleView, Shape};
use crate::trie::mix;
use crate::{cfi, object, site, slow};
use core::hint::select_unpredictable;
use core::sync::atomic::Ordering;

/// Frames that there is room for at first.
const FIRST_DEPTH: usize = 64;

/// The deepest stack that is recorded; deeper ones are cut at the outer end and counted as truncated.
pub const MAX_DEPTH: usize = 1 << 18;

/// Frames that differ between stacks which belong together: those of the allocator's callers and of containers.
const INNER_FRAMES: usize = 4;

/// Slots that are compared for each branch.
const AT_ONCE: usize = 8;

/// Hash of the empty stack.
const SEED: u64 = 0x6d65_6d73_636f_7065;
/// Hash of the empty stack when what follows is truncated: such a stack is never taken for a whole one.
const TRUNCATED_SEED: u64 = 0x7472_756e_6361_7465;

/// Why the fresh part of a walk ended.
enum End {
    /// At a cached frame: this many of the cached frames are good.
    Joined(usize),
    /// At the outermost frame.
    Outermost,
    /// At a return address of zero, in this slot.
    Zero(usize),
    /// It could not go on.
    Truncated,
    /// A frame needs more registers.
    Slow,
    /// An address could not be given an id.
    Full,
}

/// One thread's last stack, and room for the next.
#[derive(Debug)]
pub struct Walker {
    pub(crate) frames: *mut CachedFrame,
    pub(crate) checks: *mut Check,
    fresh: *mut Fresh,
    capacity: usize,
    /// Frames that may be taken over.
    pub(crate) reusable: usize,
    /// Frames of the last stack taken.
    pub(crate) depth: usize,
    /// How many of them were taken over from the stack before.
    pub(crate) joined: usize,
    pub(crate) generation: u32,
    rules: RuleView,
    own: Bounds,
    foreign: Bounds,
    pub(crate) recent: Recent,
}

impl Walker {
    /// A walker for a thread with this stack. `None` if there is no memory.
    pub fn new(arena: &mut Arena, process: &Process, own: Bounds) -> Option<Self> {
        let mut walker = Self {
            frames: core::ptr::null_mut(),
            checks: core::ptr::null_mut(),
            fresh: core::ptr::null_mut(),
            capacity: 0,
            reusable: 0,
            depth: 0,
            joined: 0,
            generation: 0,
            rules: RuleView::none(),
            own,
            foreign: Bounds::default(),
            recent: Recent::new(arena)?,
        };
        walker.grow(arena)?;
        walker.refresh(process);
        Some(walker)
    }

    /// Begins anew for another thread.
    pub fn restart(&mut self, own: Bounds) {
        (self.reusable, self.depth, self.own, self.foreign) = (0, 0, own, Bounds::default());
        self.recent.clear();
    }

    /// The frames of the last stack taken, from the outermost in.
    pub fn frames(&mut self) -> &mut [CachedFrame] {
        // SAFETY: `depth` never exceeds the capacity, and frames below it are written.
        unsafe { core::slice::from_raw_parts_mut(self.frames, self.depth) }
    }

    /// The hash of the last stack's outer part, all but a few inner frames: stacks with the same home are neighbours.
    #[inline(always)]
    pub fn home(&self) -> u64 {
        if self.depth <= INNER_FRAMES {
            return 0;
        }
        // SAFETY: below the depth.
        unsafe { (*self.frames.add(self.depth - 1 - INNER_FRAMES)).hash }
    }

    /// Doubles the room. The frames and checks stay.
    #[cold]
    fn grow(&mut self, arena: &mut Arena) -> Option<()> {
        let capacity = if self.capacity == 0 { FIRST_DEPTH } else { self.capacity * 2 };
        if capacity > MAX_DEPTH {
            return None;
        }
        // One frame more, before the first: see `SENTINEL`.
        let sizes = |capacity: usize| {
            (
                (capacity + 1) * size_of::<CachedFrame>(),
                capacity * CHECKS_PER_FRAME * size_of::<Check>(),
                capacity * size_of::<Fresh>(),
            )
        };
        let (frames, checks, fresh) = sizes(capacity);
        let place = arena.take(frames + checks + fresh)?;
        let (new_checks, new_fresh) =
            (place.wrapping_add(frames), place.wrapping_add(frames + checks));
        // SAFETY: the first frame's place in memory just taken.
        unsafe { place.cast::<CachedFrame>().write(SENTINEL) };
        if self.capacity != 0 {
            let old = self.frames.wrapping_sub(1);
            let (old_frames, old_checks, old_fresh) = sizes(self.capacity);
            // SAFETY: each part is copied to a larger one; then nobody uses the old piece.
            unsafe {
                place.copy_from_nonoverlapping(old.cast(), old_frames);
                new_checks.copy_from_nonoverlapping(self.checks.cast(), old_checks);
                new_fresh.copy_from_nonoverlapping(self.fresh.cast(), old_fresh);
                arena.give_back(old.cast(), old_frames + old_checks + old_fresh);
            }
        }
        self.frames = place.cast::<CachedFrame>().wrapping_add(1);
        (self.checks, self.fresh) = (new_checks.cast(), new_fresh.cast());
        self.capacity = capacity;
        Some(())
    }

    /// Takes over the present rules; a cached stack from before an unloading is dropped.
    #[cold]
    fn refresh(&mut self, process: &Process) {
        // ORDERING: acquire pairs with the release after the unloaded module's rules were forgotten.
        self.generation = process.generation.load(Ordering::Acquire);
        self.rules = process.rules();
        self.reusable = 0;
        self.recent.clear();
    }

    /// Takes the stack of the caller that entered at `entry`. `ahead` is told the stack's home as soon as that is known,
    /// which is mostly before the stack's own hash; but never twice, and not for every stack.
    ///
    /// # Safety
    /// `entry` is of a hook that this thread is in.
    #[inline]
    pub unsafe fn take(
        &mut self,
        arena: &mut Arena,
        process: &Process,
        entry: Entry,
        ahead: impl FnOnce(u64),
    ) -> Taken {
        // ORDERING: relaxed; unloading while another thread runs in the module is the program's own race, and a
        // thread that unloads sees its own store.
        if process.generation.load(Ordering::Relaxed) != self.generation {
            self.refresh(process);
        }
        if !self.own.contains(entry.sp) {
            // SAFETY: the caller's promise.
            return unsafe { self.take_foreign(arena, process, entry) };
        }
        let mut count = 0;
        // SAFETY: the caller's promise.
        match unsafe { self.walk(arena, process, entry, self.own.high, &mut count) } {
            End::Joined(joined) if joined + count <= self.capacity => {
                let home = (joined + count).wrapping_sub(1 + INNER_FRAMES);
                if home < joined {
                    // SAFETY: below the number of frames that stay.
                    ahead(unsafe { (*self.frames.add(home)).hash });
                }
                let hash = self.commit(joined, count, SEED, 0);
                self.reusable = self.depth;
                Taken { hash, marks: 0 }
            }
            // SAFETY: the caller's promise.
            end => unsafe { self.finish(arena, process, entry, self.own, count, end) },
        }
    }

    /// Takes a stack that is not the thread's own; nothing of it is kept for the next walk.
    ///
    /// # Safety
    /// As for [`Walker::take`].
    #[cold]
    #[inline(never)]
    unsafe fn take_foreign(&mut self, arena: &mut Arena, process: &Process, entry: Entry) -> Taken {
        let bounds = self.foreign_bounds(entry.sp);
        self.reusable = 0;
        let mut count = 0;
        // SAFETY: the caller's promise.
        let end = unsafe { self.walk(arena, process, entry, bounds.high, &mut count) };
        // SAFETY: the caller's promise.
        let taken = unsafe { self.finish(arena, process, entry, bounds, count, end) };
        self.reusable = 0;
        Taken { marks: taken.marks | Taken::FOREIGN, ..taken }
    }

    /// What follows a walk that did not end as most do.
    ///
    /// # Safety
    /// As for [`Walker::take`].
    #[cold]
    #[inline(never)]
    unsafe fn finish(
        &mut self,
        arena: &mut Arena,
        process: &Process,
        entry: Entry,
        bounds: Bounds,
        count: usize,
        end: End,
    ) -> Taken {
        let (joined, seed, marks, zero) = match end {
            End::Joined(joined) => (joined, SEED, 0, 0),
            End::Outermost => (0, SEED, 0, 0),
            End::Zero(slot) => (0, SEED, 0, slot),
            End::Truncated => (0, TRUNCATED_SEED, Taken::TRUNCATED, 0),
            End::Slow => {
                // SAFETY: the caller's promise.
                return unsafe { self.take_slowly(arena, process, entry, bounds) };
            }
            End::Full => {
                (self.reusable, self.depth) = (0, 0);
                return Taken { hash: 0, marks: Taken::FAILED };
            }
        };
        while joined + count > self.capacity {
            if self.grow(arena).is_none() {
                // Deeper than may be: keep the innermost frames.
                self.reusable = 0;
                let hash = self.commit(0, count.min(self.capacity), TRUNCATED_SEED, 0);
                return Taken { hash, marks: Taken::TRUNCATED };
            }
        }
        let hash = self.commit(joined, count, seed, zero);
        self.reusable = if marks == 0 { self.depth } else { 0 };
        Taken { hash, marks }
    }

    /// Walks outwards until a cached frame is met or the stack ends. Fresh frames go into `fresh[..count]`.
    ///
    /// # Safety
    /// As for [`Walker::take`]; memory from the entry's sp to `high` can be read.
    #[inline(always)]
    unsafe fn walk(
        &mut self,
        arena: &mut Arena,
        process: &Process,
        entry: Entry,
        high: usize,
        count: &mut usize,
    ) -> End {
        let word = |address: usize| {
            // SAFETY: every address passed was checked to lie between the entry's sp and `high`, a word below it.
            unsafe { *(address as *const usize) }
        };
        let (mut pc, mut sp, mut rbp) = (word(entry.sp), entry.sp + 8, entry.rbp);
        // SAFETY: the frame before the first is the sentinel.
        let mut cached = unsafe { self.frames.add(self.reusable).sub(1) };
        // Whether `cached` and all frames outside it were compared already.
        let mut is_compared = false;
        loop {
            // SAFETY: `cached` goes down from the innermost frame that may be taken over, and never below the sentinel,
            // which ends the search.
            let frame = unsafe {
                // Nearly always one frame, or none: which of them is as hard to predict as the walk.
                cached = cached.sub(usize::from((*cached).sp < sp));
                while (*cached).sp < sp {
                    cached = cached.sub(1);
                }
                &*cached
            };
            if frame.sp == sp && frame.pc == pc && (!frame.needs_rbp || frame.rbp == rbp) {
                let changed =
                    if is_compared { None } else { self.first_changed(frame.checks_end as usize) };
                match changed {
                    None => {
                        // SAFETY: both are of the frames' memory; the sentinel is not joined.
                        let place = unsafe { cached.offset_from(self.frames) };
                        return End::Joined(place as usize + 1);
                    }
                    Some(check) => {
                        cached = self.outside_of_check(check, cached);
                        is_compared = true;
                    }
                }
            }
            // SAFETY: the view is of a table since `new`.
            let found = match unsafe { self.rules.find(pc) } {
                Some(found) => found,
                None => match self.find_slowly(process, pc) {
                    Some(found) => found,
                    None => return End::Full,
                },
            };
            if *count == self.capacity {
                // SAFETY: both are of the frames' memory.
                let place = unsafe { cached.offset_from(self.frames) };
                if self.grow(arena).is_none() {
                    return End::Truncated;
                }
                // The frames have moved.
                // SAFETY: the place is that of the same frame, or of the sentinel.
                cached = unsafe { self.frames.offset(place) };
            }
            // SAFETY: `count` is below the capacity.
            unsafe { self.fresh.add(*count).write(Fresh { sp, pc, rbp, found }) };
            *count += 1;
            let rule = found.rule;
            let cfa;
            if rule.is_simple() {
                cfa =
                    select_unpredictable(rule.uses_rbp(), rbp, sp).wrapping_add(rule.cfa_offset());
                let below = rule.rbp_below();
                // The stack grows downwards: a caller's frame lies above, in the same stack. What is saved lies between.
                if cfa <= sp || cfa > high || cfa % 8 != 0 || cfa.wrapping_sub(below) < sp {
                    return End::Truncated;
                }
                // Whether rbp is loaded is as hard to predict as which frame this is; the return address's slot can be
                // read in any case.
                let saves = below != 0;
                let saved = word(cfa - select_unpredictable(saves, below, 8));
                rbp = select_unpredictable(saves, saved, rbp);
            } else {
                match rule.shape() {
                    Shape::RbpIndirect => {}
                    Shape::End => return End::Outermost,
                    Shape::Slow => return End::Slow,
                    _ => return End::Truncated,
                }
                let slot = rbp.wrapping_sub(rule.cfa_offset());
                if slot < sp || rbp > high - 8 || rbp % 8 != 0 {
                    return End::Truncated;
                }
                cfa = word(slot);
                if cfa <= sp || cfa > high || cfa % 8 != 0 || rbp < sp {
                    return End::Truncated;
                }
                rbp = word(rbp);
            }
            pc = word(cfa - 8);
            sp = cfa;
            if pc == 0 {
                return End::Zero(cfa - 8);
            }
        }
    }

    /// Whether the slots of the outermost `end` checks still hold their values: the first that does not.
    #[inline(always)]
    pub(crate) fn first_changed(&self, end: usize) -> Option<usize> {
        let checks = self.checks;
        let changed = |i: usize| {
            // SAFETY: `i` is below the number of checks written. The slot lies between the current sp and the end of
            // the stack: its frame is outside a frame that was just met.
            unsafe {
                let check = &*checks.add(i);
                *(check.slot as *const usize) ^ check.value
            }
        };
        if end < AT_ONCE {
            return (0..end).find(|&i| changed(i) != 0);
        }
        // Eight independent loads for each branch: the cost is that of the loads. The last eight overlap those before, so
        // that there is no rest, whose length nothing could predict.
        let mut first = 0;
        loop {
            let is_last = first + AT_ONCE >= end;
            if is_last {
                first = end - AT_ONCE;
            }
            let difference = (0..AT_ONCE).fold(0, |sum, k| sum | changed(first + k));
            if difference != 0 {
                let mask =
                    (0..AT_ONCE).fold(0, |mask, k| mask | u32::from(changed(first + k) != 0) << k);
                return Some(first + mask.trailing_zeros() as usize);
            }
            if is_last {
                return None;
            }
            first += AT_ONCE;
        }
    }

    /// The frame just outside the one that this check belongs to, which is `innermost` or lies outside it. What changed is
    /// nearly always a call or two further out, so it is looked for from there.
    #[inline(always)]
    fn outside_of_check(&self, check: usize, innermost: *mut CachedFrame) -> *mut CachedFrame {
        let mut frame = innermost;
        // SAFETY: from `innermost` outwards; the sentinel, which ends the search, has no checks.
        unsafe {
            while (*frame).checks_end as usize > check {
                frame = frame.sub(1);
            }
        }
        frame
    }

    /// Puts the fresh frames onto the first `joined` cached ones; returns the stack's hash.
    #[inline(always)]
    fn commit(&mut self, joined: usize, count: usize, seed: u64, zero: usize) -> u64 {
        let (mut hash, mut needs_rbp, mut checks) = (seed, false, 0);
        let (mut outer_sp, mut outer_pc, mut outer_rbp) = (0, 0, 0);
        if joined > 0 {
            // SAFETY: `joined` frames are there.
            let frame = unsafe { &*self.frames.add(joined - 1) };
            (hash, needs_rbp, checks) = (frame.hash, frame.needs_rbp, frame.checks_end as usize);
            (outer_sp, outer_pc, outer_rbp) = (frame.sp, frame.pc, frame.rbp);
        } else if zero != 0 {
            (outer_sp, outer_pc) = (zero + 8, 0);
        }
        let mut at = joined;
        for i in (0..count).rev() {
            // SAFETY: `count` fresh frames were written, and the caller saw to the capacity.
            let Fresh { sp, pc, rbp, found } = unsafe { *self.fresh.add(i) };
            let rule = found.rule;
            let mut check = |slot: usize, value: usize, is_needed: bool| {
                // SAFETY: there is room for three checks a frame.
                unsafe { self.checks.add(checks).write(Check { slot, value }) };
                checks += usize::from(is_needed);
            };
            let loads_rbp = rule.loads_rbp();
            if outer_sp != 0 {
                check(outer_sp - 8, outer_pc, true);
                if rule.shape() == Shape::RbpIndirect {
                    check(rbp - rule.cfa_offset(), outer_sp, true);
                    check(rbp, outer_rbp, needs_rbp);
                } else {
                    check(
                        outer_sp.wrapping_sub(rule.rbp_below()),
                        outer_rbp,
                        needs_rbp & loads_rbp,
                    );
                }
            }
            needs_rbp = rule.uses_rbp() | (needs_rbp & !loads_rbp);
            hash = mix(hash, u64::from(found.address));
            let frame = CachedFrame {
                sp,
                pc,
                rbp,
                hash,
                address: found.address,
                node: 0,
                checks_end: checks as u32,
                needs_rbp,
            };
            // SAFETY: as above.
            unsafe { self.frames.add(at).write(frame) };
            at += 1;
            (outer_sp, outer_pc, outer_rbp) = (sp, pc, rbp);
        }
        (self.depth, self.joined) = (at, joined);
        hash
    }

    /// The rule of an address that the table does not have yet.
    #[cold]
    fn find_slowly(&mut self, process: &Process, pc: usize) -> Option<Found> {
        // Another thread may have put a larger table in place, or the address into it.
        self.rules = process.rules();
        // SAFETY: the view is of a table.
        if let Some(found) = unsafe { self.rules.find(pc) } {
            return Some(found);
        }
        let Some(object) = object::find(pc.wrapping_sub(1)) else {
            // Code that no module covers may be gone or another's tomorrow: its rule is not kept.
            let address = site::address(process, pc, 0, false)?;
            return Some(Found { rule: Rule::plain(Shape::Unknown), address });
        };
        let module = process.modules()?.row_of(process, &object);
        let found = Found {
            rule: cfi::rule(&object, pc - 1),
            address: site::address(process, pc, module, false)?,
        };
        process.add_rule(pc, found);
        Some(found)
    }

    /// The bounds of the stack that `sp` lies on, which is not the thread's own.
    #[cold]
    fn foreign_bounds(&mut self, sp: usize) -> Bounds {
        if !self.foreign.contains(sp) {
            self.foreign =
                crate::thread::mapping_of(sp).unwrap_or(Bounds { low: sp, high: sp + 8 });
        }
        self.foreign
    }

    /// Walks with all registers, from the entry on.
    ///
    /// # Safety
    /// As for [`Walker::take`].
    #[cold]
    unsafe fn take_slowly(
        &mut self,
        arena: &mut Arena,
        process: &Process,
        entry: Entry,
        bounds: Bounds,
    ) -> Taken {
        (self.reusable, self.depth) = (0, 0);
        let memory = slow::Stacks::new(bounds, self.own);
        // SAFETY: the caller's promise.
        let mut walk = unsafe { slow::Walk::begin(entry, memory) };
        let (mut count, mut truncated) = (0, false);
        loop {
            match walk.outwards() {
                slow::Next::Frame { pc, interrupted } => {
                    if count == self.capacity && self.grow(arena).is_none() {
                        truncated = true;
                        break;
                    }
                    let address = if interrupted {
                        let module = object::find(pc)
                            .and_then(|object| Some(process.modules()?.row_of(process, &object)));
                        site::address(process, pc, module.unwrap_or(0), true)
                    } else {
                        // SAFETY: the view is of a table.
                        let found = unsafe { self.rules.find(pc) };
                        found.or_else(|| self.find_slowly(process, pc)).map(|found| found.address)
                    };
                    let Some(address) = address else {
                        return Taken { hash: 0, marks: Taken::FAILED };
                    };
                    let found = Found { rule: Rule::plain(Shape::Slow), address };
                    // SAFETY: `count` is below the capacity.
                    unsafe { self.fresh.add(count).write(Fresh { sp: 0, pc, rbp: 0, found }) };
                    count += 1;
                }
                slow::Next::End => break,
                slow::Next::Lost => {
                    truncated = true;
                    break;
                }
            }
        }
        let (seed, marks) = if truncated { (TRUNCATED_SEED, Taken::TRUNCATED) } else { (SEED, 0) };
        let hash = self.commit(0, count, seed, 0);
        Taken { hash, marks: marks | Taken::SLOW }
    }
}
