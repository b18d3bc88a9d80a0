//! Call frame information: from a return address to a packed [`Rule`], and one step of the walk with all registers.
//!
//! Both evaluate `.eh_frame` where it lies in memory, with gimli, without allocating. This is the cold side: an
//! address comes here once for its rule, and again only if its frame needs more than rsp and rbp.

use crate::arch::{RBP, REGISTERS, RIP, RSP, Registers};
use crate::object::Object;
use crate::rule::{Rule, Shape};
use gimli::{
    BaseAddresses, CfaRule, EhFrame, EhFrameHdr, EndianSlice, Expression, FrameDescriptionEntry,
    NativeEndian, Operation, RegisterRule, UnwindContext, UnwindContextStorage, UnwindSection,
    UnwindTableRow,
};

/// How far the code at an object's entry reaches that nobody called.
const ENTRY_BYTES: usize = 256;

type Bytes = EndianSlice<'static, NativeEndian>;

/// Storage on the stack, small enough for an alternate signal stack. A function whose table needs more has no rule.
#[derive(Debug)]
struct Storage;

impl UnwindContextStorage<usize> for Storage {
    type Rules = [(gimli::Register, RegisterRule<usize>); 24];
    type Stack = [UnwindTableRow<usize, Self>; 3];
}

/// Runs `work` on what the object's unwind table says of `address`, which lies in it.
fn with_entry<T>(
    object: &Object,
    address: usize,
    work: impl FnOnce(&FrameDescriptionEntry<Bytes>, &EhFrame<Bytes>, &BaseAddresses) -> Option<T>,
) -> Option<T> {
    if object.unwind_header == 0 || object.unwind_header >= object.end {
        return None;
    }
    let slice = |from: usize| -> Bytes {
        // SAFETY: the object is mapped from `from` to its end, for as long as code in it can be on the stack. A gap
        // between segments is never reached: tables say where they end.
        EndianSlice::new(
            unsafe { core::slice::from_raw_parts(from as *const u8, object.end - from) },
            NativeEndian,
        )
    };
    let bases = BaseAddresses::default().set_eh_frame_hdr(object.unwind_header as u64);
    let header = EhFrameHdr::from(slice(object.unwind_header)).parse(&bases, 8).ok()?;
    let gimli::Pointer::Direct(frame) = header.eh_frame_ptr() else { return None };
    if (frame as usize) < object.start || frame as usize >= object.end {
        return None;
    }
    let bases = bases.set_eh_frame(frame);
    let section = EhFrame::from(slice(frame as usize));
    let entry = header
        .table()?
        .fde_for_address(&section, &bases, address as u64, EhFrame::cie_from_offset)
        .ok()?;
    work(&entry, &section, &bases)
}

/// Runs `work` on the unwind row for `address`, which lies in `object`.
fn with_row<T>(
    object: &Object,
    address: usize,
    work: impl FnOnce(&UnwindTableRow<usize, Storage>, &EhFrame<Bytes>, gimli::Encoding) -> Option<T>,
) -> Option<T> {
    with_entry(object, address, |entry, section, bases| {
        let mut context = UnwindContext::<usize, Storage>::new_in();
        let row =
            entry.unwind_info_for_address(section, bases, &mut context, address as u64).ok()?;
        work(row, section, entry.cie().encoding())
    })
}

/// Whether a function begins at `address`.
fn begins_function(object: &Object, address: usize) -> bool {
    with_entry(object, address, |entry, _, _| {
        (entry.initial_address() == address as u64).then_some(())
    })
    .is_some()
}

/// The rule for the frame whose code is at `address` (for a return address: the address less one).
pub fn rule(object: &Object, address: usize) -> Rule {
    with_row(object, address, |row, section, encoding| {
        let below_cfa = |register: u16| match row.register(gimli::Register(register)) {
            None | Some(RegisterRule::SameValue | RegisterRule::Undefined) => Some(0),
            Some(RegisterRule::Offset(offset)) if offset < 0 => Some(-offset),
            _ => None,
        };
        if matches!(row.register(gimli::Register(RIP)), Some(RegisterRule::Undefined)) {
            return Some(Rule::plain(Shape::End));
        }
        if below_cfa(RIP) != Some(8) {
            return Some(Rule::plain(Shape::Slow));
        }
        Some(match row.cfa() {
            CfaRule::RegisterAndOffset { register, offset } => match (register.0, below_cfa(RBP)) {
                (RSP, Some(rbp)) => Rule::new(Shape::Rsp, *offset, rbp),
                (RBP, Some(rbp)) => Rule::new(Shape::Rbp, *offset, rbp),
                _ => Rule::plain(Shape::Slow),
            },
            CfaRule::Expression(expression) => {
                // What GCC writes for a function that realigned its stack: CFA at [rbp - n], rbp at [rbp].
                let cfa =
                    expression.get(section).ok().and_then(|e| based_on_rbp(e, encoding, true));
                let saved = match row.register(gimli::Register(RBP)) {
                    Some(RegisterRule::Expression(e)) => e.get(section).ok(),
                    _ => None,
                };
                match (cfa, saved.and_then(|e| based_on_rbp(e, encoding, false))) {
                    (Some(offset), Some(0)) => Rule::new(Shape::RbpIndirect, -offset, 0),
                    _ => Rule::plain(Shape::Slow),
                }
            }
        })
    })
    .unwrap_or_else(|| {
        // The loader's own start has no unwind information: the few instructions after its entry are outermost. So is
        // a return address at which a function begins: no call left it there, but whoever made the stack did
        // (makecontext).
        let outermost =
            object.entry().is_some_and(|entry| (entry..entry + ENTRY_BYTES).contains(&address))
                || begins_function(object, address + 1);
        Rule::plain(if outermost { Shape::End } else { Shape::Unknown })
    })
}

/// The offset of an expression that is rbp plus it, followed (or not) by one load.
fn based_on_rbp(
    expression: Expression<Bytes>,
    encoding: gimli::Encoding,
    load: bool,
) -> Option<i64> {
    let mut operations = expression.operations(encoding);
    let Operation::RegisterOffset { register: gimli::Register(RBP), offset, .. } =
        operations.next().ok()??
    else {
        return None;
    };
    let then = operations.next().ok()?;
    let fits = match then {
        None => !load,
        Some(Operation::Deref { .. }) => load && operations.next().ok()?.is_none(),
        Some(_) => false,
    };
    fits.then_some(offset)
}

/// Memory that the walk may read.
pub trait Memory {
    /// The word at `address`, if it may be read.
    fn word(&self, address: usize) -> Option<usize>;
}

/// What one full step found.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// The caller's registers; its return address stands at [`RIP`], and the flag tells that the frame was
    /// interrupted there rather than in a call.
    Caller(Registers, bool),
    /// This was the outermost frame.
    End,
}

/// Steps out of the frame with these registers. `None`: it cannot be told.
pub fn step(
    object: &Object,
    address: usize,
    registers: &Registers,
    memory: &impl Memory,
) -> Option<Step> {
    with_row(object, address, |row, section, encoding| {
        let evaluate = |expression: &gimli::UnwindExpression<usize>, start: Option<usize>| {
            evaluate(expression.get(section).ok()?, encoding, start, registers, memory)
        };
        let cfa = match row.cfa() {
            CfaRule::RegisterAndOffset { register, offset } => {
                registers.value.get(register.0 as usize)?.wrapping_add_signed(*offset as isize)
            }
            CfaRule::Expression(expression) => evaluate(expression, None)?,
        };
        let mut caller = *registers;
        caller.value[RSP as usize] = cfa;
        for number in 0..REGISTERS as u16 {
            let value = match row.register(gimli::Register(number)) {
                None | Some(RegisterRule::SameValue) => continue,
                Some(RegisterRule::Undefined) if number == RIP => return Some(Step::End),
                Some(RegisterRule::Undefined) => 0,
                Some(RegisterRule::Offset(offset)) => {
                    memory.word(cfa.wrapping_add_signed(offset as isize))?
                }
                Some(RegisterRule::ValOffset(offset)) => cfa.wrapping_add_signed(offset as isize),
                Some(RegisterRule::Register(other)) => *registers.value.get(other.0 as usize)?,
                Some(RegisterRule::Expression(expression)) => {
                    memory.word(evaluate(&expression, Some(cfa))?)?
                }
                Some(RegisterRule::ValExpression(expression)) => evaluate(&expression, Some(cfa))?,
                Some(RegisterRule::Constant(value)) => value as usize,
                Some(_) => return None,
            };
            caller.value[number as usize] = value;
        }
        // A frame whose return address is found by an expression is the kernel's signal frame: what it interrupted
        // was not in a call.
        let interrupted =
            matches!(row.register(gimli::Register(RIP)), Some(RegisterRule::Expression(_)));
        Some(Step::Caller(caller, interrupted))
    })
}

/// Evaluates the operations that unwind tables are made of (registers, constants, loads, simple arithmetic).
fn evaluate(
    expression: Expression<Bytes>,
    encoding: gimli::Encoding,
    start: Option<usize>,
    registers: &Registers,
    memory: &impl Memory,
) -> Option<usize> {
    let mut stack = [0usize; 8];
    let mut depth = 0;
    if let Some(start) = start {
        stack[0] = start;
        depth = 1;
    }
    let mut operations = expression.operations(encoding);
    while let Some(operation) = operations.next().ok()? {
        let value = match operation {
            Operation::RegisterOffset { register, offset, .. } => {
                registers.value.get(register.0 as usize)?.wrapping_add_signed(offset as isize)
            }
            Operation::UnsignedConstant { value } => value as usize,
            Operation::SignedConstant { value } => value as usize,
            Operation::Deref { size: 8, space: false, .. } => {
                depth = usize::checked_sub(depth, 1)?;
                memory.word(stack[depth])?
            }
            Operation::PlusConstant { value } => {
                depth = usize::checked_sub(depth, 1)?;
                stack[depth].wrapping_add(value as usize)
            }
            Operation::Plus
            | Operation::Minus
            | Operation::And
            | Operation::Shl
            | Operation::Ge => {
                depth = usize::checked_sub(depth, 2)?;
                let (a, b) = (stack[depth], stack[depth + 1]);
                match operation {
                    Operation::Plus => a.wrapping_add(b),
                    Operation::Minus => a.wrapping_sub(b),
                    Operation::And => a & b,
                    Operation::Shl => a.checked_shl(u32::try_from(b).ok()?).unwrap_or(0),
                    _ => usize::from(a as isize >= b as isize),
                }
            }
            _ => return None,
        };
        *stack.get_mut(depth)? = value;
        depth += 1;
    }
    stack.get(depth.checked_sub(1)?).copied()
}
