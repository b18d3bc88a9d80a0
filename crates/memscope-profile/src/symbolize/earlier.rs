//! What was found for one look at a process, for the next: a process that runs is looked at again and again, and nearly
//! all its addresses were there before.
//!
//! Invariant: only what is the same is taken over. The reader of a region gives modules and addresses their places in the
//! order in which the program met them, so an earlier look's are the first of a later one's; where they are not, it is
//! another process, and nothing is taken over. Deliberately absent: what was found on disk, which does not outlive us.

use super::warning::Outcome;
use crate::model::{Address, Frame, Module, Profile};
use crate::types::TypeSizes;

/// What is known from earlier looks at a process. Made empty, and given to each
/// [`symbolize_again`](super::symbolize_again).
///
/// ```
/// use memscope_profile::Profile;
/// use memscope_profile::symbolize::{KnownSymbols, SymbolSearch, symbolize_again};
///
/// let mut known = KnownSymbols::default();
/// for _look in 0..2 {
///     let mut profile = Profile::default(); // of Region::read, each time anew
///     symbolize_again(&mut profile, &mut known, &SymbolSearch::default(), &|_| ());
///     assert!(profile.warnings.is_empty());
/// }
/// ```
#[derive(Debug, Default)]
pub struct KnownSymbols {
    modules: Vec<Module>,
    addresses: Vec<Address>,
    frames: Vec<Frame>,
    strings: Vec<String>,
    pub(super) sizes: TypeSizes,
    pub(super) outcomes: Vec<Outcome>,
}

/// Whether both are the same place in the same object, whatever is known of it.
fn is_same_address(a: &Address, b: &Address) -> bool {
    (a.address, a.module, a.is_instruction) == (b.address, b.module, b.is_instruction)
}

fn is_same_module(a: &Module, b: &Module) -> bool {
    (&a.path, &a.build_id, a.start, a.end, a.bias) == (&b.path, &b.build_id, b.start, b.end, b.bias)
}

impl KnownSymbols {
    /// Enters into a profile without symbols what is known, and gives how many addresses, from the first on, need not be
    /// looked up.
    pub(super) fn recall(&mut self, profile: &mut Profile) -> usize {
        let addresses = self.addresses.iter().zip(&profile.addresses);
        let modules = self.modules.iter().zip(&profile.modules);
        let is_later = profile.frames.is_empty()
            && profile.strings.iter().all(String::is_empty)
            && self.addresses.len() <= profile.addresses.len()
            && self.modules.len() <= profile.modules.len()
            && { addresses }.all(|(a, b)| is_same_address(a, b))
            && { modules }.all(|(a, b)| is_same_module(a, b));
        if !is_later {
            *self = Self::default();
            return 0;
        }
        profile.frames.clone_from(&self.frames);
        if !self.strings.is_empty() {
            profile.strings.clone_from(&self.strings);
        }
        profile.addresses[..self.addresses.len()].copy_from_slice(&self.addresses);
        profile.modules[..self.modules.len()].clone_from_slice(&self.modules);
        self.addresses.len()
    }

    /// Notes what is known now.
    pub(super) fn keep(&mut self, profile: &Profile) {
        self.modules.clone_from(&profile.modules);
        self.addresses.clone_from(&profile.addresses);
        self.frames.clone_from(&profile.frames);
        self.strings.clone_from(&profile.strings);
    }
}
