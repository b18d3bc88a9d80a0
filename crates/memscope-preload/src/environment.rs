//! The environment: read where the kernel put it, cleaned for the program, and made anew for an image that the program
//! executes in its place.
//!
//! Invariants:
//! - The program never sees a variable of ours: the constructor takes them out, and what an execution needs of them is
//!   kept in memory of our own, since the program may change the strings that it was started with.
//! - An environment for another image lies in memory of its own. Neither the program's array nor its `environ` is
//!   ever changed, so no other thread can meet ours.
//! - Other threads may change what is read while it is read: lengths are taken once and kept to.
//!
//! Deliberately absent: whether another image is to have ours (see [`crate::exec`]).

use crate::mapping::{Mapping, Owner, Purpose};
use core::ffi::{CStr, c_char};
use memscope_region::hello::{ORDER_VARIABLE, SOCKET_VARIABLE, USER_PRELOAD_VARIABLE, VARIABLES};

/// The dynamic linker's variable.
const PRELOAD_VARIABLE: &str = "LD_PRELOAD";

/// Those of our variables that hold for one start only: another image has another LD_PRELOAD and another order.
const OF_ONE_START: [&str; 2] = [USER_PRELOAD_VARIABLE, ORDER_VARIABLE];

/// Whether an entry is of a variable of ours.
fn is_ours(entry: &CStr) -> bool {
    let is_of = |name: &str| {
        let rest = entry.to_bytes().strip_prefix(name.as_bytes());
        rest.is_some_and(|rest| rest.first() == Some(&b'='))
    };
    VARIABLES.into_iter().any(is_of)
}

/// An environment as C has it: pointers to entries, ended by a null.
pub(crate) type Entries = *const *const c_char;

/// The entries, as far as there are any.
///
/// # Safety
/// `environment` is null, or an array of C strings that ends with a null. They are taken to live on.
unsafe fn entries(environment: Entries) -> impl Iterator<Item = &'static CStr> {
    let mut next = environment;
    core::iter::from_fn(move || {
        // SAFETY: the caller's promise; `next` never goes beyond the null.
        unsafe {
            let entry = if next.is_null() { next.cast() } else { *next };
            if entry.is_null() {
                return None;
            }
            next = next.add(1);
            Some(CStr::from_ptr(entry))
        }
    })
}

/// The entry's value if it is of the variable `name`.
fn value<'a>(entry: &'a CStr, name: &str) -> Option<&'a CStr> {
    let rest = entry.to_bytes_with_nul().strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
    CStr::from_bytes_with_nul(rest).ok()
}

/// The value of the variable `name`, the first if there are more.
///
/// # Safety
/// `environment` is null, or an array of C strings that ends with a null. They are taken to live on.
pub(crate) unsafe fn variable(environment: Entries, name: &str) -> Option<&'static CStr> {
    // SAFETY: the caller's promise.
    unsafe { entries(environment) }.find_map(|entry| value(entry, name))
}

/// Makes the environment what the user gave: our variables go, LD_PRELOAD becomes the user's own or goes, and the entries
/// stand as they stood.
///
/// # Safety
/// `environment` is the process's, nobody else uses it yet.
pub(crate) unsafe fn restore(environment: *mut *mut c_char) {
    // SAFETY: the caller's promise.
    let user = unsafe { variable(environment.cast_const().cast(), USER_PRELOAD_VARIABLE) };
    // SAFETY: the caller's promise.
    let order = unsafe { variable(environment.cast_const().cast(), ORDER_VARIABLE) };
    let (mut from, mut to) = (environment, environment);
    // SAFETY: both go along the array, which ends with a null; `to` is never beyond `from`.
    unsafe {
        while !(*from).is_null() {
            let entry = *from;
            from = from.add(1);
            let text = CStr::from_ptr(entry);
            if is_ours(text) {
                continue;
            }
            if let Some(preload) = value(text, PRELOAD_VARIABLE) {
                let Some(user) = user.map(CStr::to_bytes_with_nul) else { continue };
                // Ours stands before the user's, so theirs fits where both were.
                if user.len() <= preload.to_bytes_with_nul().len() {
                    let place = entry.add(PRELOAD_VARIABLE.len() + 1);
                    core::ptr::copy(user.as_ptr().cast(), place, user.len());
                }
            }
            *to = entry;
            to = to.add(1);
        }
        *to = core::ptr::null_mut();
        let count = to.offset_from(environment) as usize;
        reorder(core::slice::from_raw_parts_mut(environment, count), order.unwrap_or_default());
    }
}

/// Exchanges entries as [`ORDER_VARIABLE`] says, if it speaks of as many as there are.
fn reorder(entries: &mut [*mut c_char], order: &CStr) {
    let numbers = || order.to_bytes().split(|byte| *byte == b',');
    if numbers().count() != entries.len() {
        return;
    }
    for (place, number) in numbers().enumerate() {
        let other = str::from_utf8(number).ok().and_then(|digits| digits.parse().ok());
        if let Some(other) = other.filter(|&other: &usize| other < entries.len()) {
            entries.swap(place, other);
        }
    }
}

/// What another image needs in its environment to be recorded, kept from the program's start.
#[derive(Clone, Copy)]
pub(crate) struct Ours {
    /// The path of this library.
    library: &'static CStr,
    /// Our variables but those [`OF_ONE_START`]: an array that ends with a null.
    variables: Entries,
}

impl Ours {
    /// Copies it from the environment that the process was started with. `None`: it is not as memscope makes it, or
    /// there is no memory.
    ///
    /// # Safety
    /// `environment` is the process's, nobody else uses it yet.
    pub(crate) unsafe fn keep(environment: Entries) -> Option<Self> {
        let is_of_one_start =
            |entry: &CStr| OF_ONE_START.into_iter().any(|name| value(entry, name).is_some());
        let is_kept = |entry: &&CStr| is_ours(entry) && !is_of_one_start(entry);
        // SAFETY: the caller's promise.
        let kept = || unsafe { entries(environment) }.filter(is_kept);
        // SAFETY: the caller's promise.
        let preload = unsafe { variable(environment, PRELOAD_VARIABLE) }?.to_bytes();
        // Ours stands first.
        let library = preload.split(|byte| matches!(byte, b':' | b' ')).next()?;
        let (mut count, mut bytes) = (1, library.len() + 1);
        for entry in kept() {
            count += 1;
            bytes += entry.to_bytes_with_nul().len();
        }
        let mut memory = Mapping::new(count * size_of::<*const c_char>() + bytes)?;
        let variables: *mut *const c_char = memory.take(count * size_of::<*const c_char>())?.cast();
        for (i, entry) in kept().enumerate() {
            // SAFETY: there is a place for each entry, and one more, which stays null.
            unsafe { *variables.add(i) = memory.text(&[entry.to_bytes()])? };
        }
        let library = memory.text(&[library])?;
        memory.keep_for_ever();
        // SAFETY: just made, a C string, and never unmapped.
        Some(Self { library: unsafe { CStr::from_ptr(library) }, variables })
    }

    /// The path of this library, as the dynamic linker was given it.
    pub(crate) fn library(&self) -> &'static CStr {
        self.library
    }

    /// The value of a variable of ours, as it was at the start; empty if it was not set.
    pub(crate) fn value(&self, name: &str) -> &'static [u8] {
        // SAFETY: made in `keep`, and never changed.
        unsafe { variable(self.variables, name) }.map_or(&[], CStr::to_bytes)
    }

    /// The environment `theirs` with ours added to it, in memory of `owner`: the library stands before what they preload. `None`: there is
    /// no memory, or something is preloaded in a way that cannot be added to, or theirs makes memscope run already.
    ///
    /// # Safety
    /// `theirs` is null, or an array of C strings that ends with a null.
    pub(crate) unsafe fn added_to(&self, theirs: Entries, owner: Owner) -> Option<Environment> {
        let (mut count, mut preload) = (0, None);
        // SAFETY: the caller's promise.
        for entry in unsafe { entries(theirs) } {
            count += 1;
            if let Some(value) = value(entry, PRELOAD_VARIABLE)
                && preload.replace(value.to_bytes()).is_some()
            {
                return None;
            }
            if value(entry, SOCKET_VARIABLE).is_some() {
                return None;
            }
        }
        // SAFETY: made in `keep`, and never changed.
        let ours = || unsafe { entries(self.variables) };
        // LD_PRELOAD, what it was, and the null.
        let places = count + ours().count() + 3;
        let names = PRELOAD_VARIABLE.len() + USER_PRELOAD_VARIABLE.len();
        let texts = names + self.library.to_bytes().len() + 2 * preload.map_or(0, <[u8]>::len);
        let bytes = places * size_of::<*const c_char>() + texts + 8;
        let mut memory = Mapping::of(owner, Purpose::Environment, bytes)?;
        let array: *mut *const c_char = memory.take(places * size_of::<*const c_char>())?.cast();
        let mut used = 0;
        let mut add = |entry: *const c_char| {
            // SAFETY: there are as many places as entries are added, and one more, which stays null.
            unsafe { *array.add(used) = entry };
            used += 1;
        };
        let name = PRELOAD_VARIABLE.as_bytes();
        let both = match preload {
            Some(theirs) if !theirs.is_empty() => {
                memory.text(&[name, b"=", self.library.to_bytes(), b":", theirs])?
            }
            _ => memory.text(&[name, b"=", self.library.to_bytes()])?,
        };
        let mut is_there = false;
        // SAFETY: the caller's promise.
        for entry in unsafe { entries(theirs) }.take(count) {
            // In its place, so that the order is theirs when the image has taken ours out.
            let is_preload = !is_there && value(entry, PRELOAD_VARIABLE).is_some();
            is_there |= is_preload;
            add(if is_preload { both } else { entry.as_ptr() });
        }
        if !is_there {
            add(both);
        }
        if let Some(theirs) = preload {
            add(memory.text(&[USER_PRELOAD_VARIABLE.as_bytes(), b"=", theirs])?);
        }
        ours().map(CStr::as_ptr).for_each(add);
        Some(Environment { entries: array.cast_const(), memory })
    }
}

/// An environment made for another image. It lies in memory that goes with this value.
pub(crate) struct Environment {
    entries: Entries,
    memory: Mapping,
}

impl Environment {
    /// The environment, as C has it.
    pub(crate) fn entries(&self) -> Entries {
        self.entries
    }

    /// Never gives its memory back.
    pub(crate) fn keep_for_ever(self) {
        self.memory.keep_for_ever();
    }
}
