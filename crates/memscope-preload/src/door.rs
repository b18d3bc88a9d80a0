//! What a program that carries the library finds: the table by which it names blocks, sets tasks and stays out of the
//! recording while it reads (see [`memscope_capture::door`]).

use memscope_capture::door::Door;

/// The table. The library refers to it weakly.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals, reason = "a symbol's name")]
pub(crate) static memscope_door: Door = Door::here();
