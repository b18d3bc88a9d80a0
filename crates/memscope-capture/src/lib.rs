//! The hot path: what happens between an allocator's call and its return.
//!
//! # The law
//! This code runs inside other people's `malloc`. It never allocates (the crate is `no_std` and links no allocator),
//! never takes a lock that it could wait for without bound, never panics, never logs, never blocks, and leaves
//! `errno` alone. Thread-local state has no destructor. A free is recorded before the real free, and so is the old half
//! of a realloc: another thread may be given the address at once. Whatever cannot be recorded is counted, by its
//! cause, and the program goes on. A function that may only run un-reentered takes the [`thread::Guard`].
//!
//! One exception: with a C library from before glibc 2.35 the first sight of a return address takes the loader's lock
//! (see [`object`]).
//!
//! # How an event becomes a number
//! ```text
//! hooks    the bodies of malloc & co   ->  event   attempts, record of the block, counters, peak
//!                                            |
//!          recall  a walk made lately from the same place, compared slot by slot instead of made again
//!            |
//!          stack   the walk, reusing what has not changed since the thread's last walk  <- rule <- cfi <- module
//!            |
//!          site    stack hash -> the thread's counter row (first sight: address, node, site are interned)
//!
//! global   the same for a Rust global allocator (road: which way)   side    threads that are set aside, or watched
//! own      a process that records itself                   switched, counted   its modes, and changing them
//! keeper   a process that stays when this one is killed, and keeps its recording
//! growth   what reallocs make larger and smaller
//! name     names that the program gives to blocks           task    what is current when a block is made
//! door     all of this, for a program that carries the library and is preloaded as well
//! process  the region and what is shared between threads      thread  what belongs to one thread
//! trie     insert-only, lock-free hash trie                    arena   private memory that is never given back
//! ```
#![no_std]

pub mod arch;
pub mod arena;
pub mod cfi;
mod counted;
pub mod counting;
pub mod door;
pub mod event;
pub mod fork;
pub mod frame;
pub mod global;
pub mod growth;
pub mod hooks;
pub mod keeper;
pub mod module;
pub mod name;
pub mod object;
pub mod own;
mod prefix;
pub mod process;
pub mod recall;
mod road;
pub mod rule;
pub mod sampled;
pub mod side;
pub mod site;
pub mod slow;
pub mod stack;
mod switched;
pub mod task;
pub mod thread;
pub mod trie;
