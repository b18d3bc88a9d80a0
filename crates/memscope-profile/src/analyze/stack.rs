//! The frames of a stack, one after the other, as a person would read them: innermost first, with the functions
//! that the compiler inlined.
//!
//! Nothing is left out and nothing is judged here; see [`super::class`] for whose code a frame is.

use crate::model::{Address, Frame, Module, Profile, StackId};

impl Profile {
    /// The text with this number, empty if there is none. A load.
    ///
    /// ```
    /// use memscope_profile::Profile;
    ///
    /// let profile = Profile { strings: vec!["".into(), "shop::fill".into()], ..Profile::default() };
    /// assert_eq!((profile.string(1), profile.string(9)), ("shop::fill", ""));
    /// ```
    pub fn string(&self, id: u32) -> &str {
        self.strings.get(id as usize).map_or("", String::as_str)
    }

    /// The frames of `stack`, innermost first, inlined functions included. An address without a symbol gives one
    /// view without a frame. Costs nothing until iterated.
    ///
    /// ```
    /// use memscope_profile::model::{Address, Frame, Profile, StackNode};
    ///
    /// let profile = Profile {
    ///     strings: ["", "alloc::alloc::alloc", "shop::fill"].map(String::from).to_vec(),
    ///     frames: vec![Frame { function: 1, ..Frame::default() }, Frame { function: 2, line: 7, ..Frame::default() }],
    ///     addresses: vec![Address { address: 0x1010, frames_len: 2, ..Address::default() }],
    ///     stacks: vec![StackNode { parent: 0, address: 0 }],
    ///     ..Profile::default()
    /// };
    /// let functions: Vec<_> = profile.stack_frames(1).map(|frame| frame.function()).collect();
    /// assert_eq!(functions, ["alloc::alloc::alloc", "shop::fill"]);
    /// ```
    pub fn stack_frames(&self, stack: StackId) -> StackFrames<'_> {
        StackFrames { profile: self, stack, address: 0, frames: 0..0 }
    }

    /// The views of one address: its frames, or one view without a frame. The address is its place in
    /// [`Profile::addresses`]. Costs nothing until iterated.
    ///
    /// ```
    /// use memscope_profile::model::{Address, Frame, Profile, StackNode};
    ///
    /// let profile = Profile {
    ///     strings: ["", "alloc::alloc::alloc", "shop::fill"].map(String::from).to_vec(),
    ///     frames: vec![Frame { function: 1, ..Frame::default() }, Frame { function: 2, line: 7, ..Frame::default() }],
    ///     addresses: vec![Address { address: 0x1010, frames_len: 2, ..Address::default() }],
    ///     stacks: vec![StackNode { parent: 0, address: 0 }],
    ///     ..Profile::default()
    /// };
    /// assert_eq!(profile.address_frames(0).count(), 2);
    /// assert_eq!(profile.address_frames(9).filter_map(|it| it.frame()).count(), 0); // there is none
    /// ```
    pub fn address_frames(&self, address: u32) -> StackFrames<'_> {
        let mut frames = self.stack_frames(0);
        frames.enter(address);
        frames
    }
}

/// A frame of a stack, with all that is known of it.
///
/// ```
/// use memscope_profile::model::{Address, Frame, Profile, StackNode};
///
/// let profile = Profile {
///     strings: ["", "alloc::alloc::alloc", "shop::fill"].map(String::from).to_vec(),
///     frames: vec![Frame { function: 1, ..Frame::default() }, Frame { function: 2, line: 7, ..Frame::default() }],
///     addresses: vec![Address { address: 0x1010, frames_len: 2, ..Address::default() }],
///     stacks: vec![StackNode { parent: 0, address: 0 }],
///     ..Profile::default()
/// };
/// let view = profile.stack_frames(1).last().unwrap();
/// assert_eq!((view.function(), view.line(), view.file_address()), ("shop::fill", 7, 0x1010));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct FrameView<'a> {
    profile: &'a Profile,
    /// Place of the address in [`Profile::addresses`].
    pub address_index: u32,
    /// Place of the frame in [`Profile::frames`]; `None` if no symbol is known for the address.
    pub frame_index: Option<u32>,
}

impl<'a> FrameView<'a> {
    /// The return address. A load.
    ///
    /// ```
    /// use memscope_profile::model::{Address, Frame, Profile, StackNode};
    ///
    /// let profile = Profile {
    ///     strings: ["", "alloc::alloc::alloc", "shop::fill"].map(String::from).to_vec(),
    ///     frames: vec![Frame { function: 1, ..Frame::default() }, Frame { function: 2, line: 7, ..Frame::default() }],
    ///     addresses: vec![Address { address: 0x1010, frames_len: 2, ..Address::default() }],
    ///     stacks: vec![StackNode { parent: 0, address: 0 }],
    ///     ..Profile::default()
    /// };
    /// let view = profile.stack_frames(1).last().unwrap();
    /// assert_eq!(view.address().address, 0x1010);
    /// ```
    pub fn address(&self) -> Address {
        self.profile.addresses.get(self.address_index as usize).copied().unwrap_or_default()
    }

    /// The symbolized frame; `None` if no symbol is known for the address. A load.
    ///
    /// ```
    /// use memscope_profile::model::{Address, Frame, Profile, StackNode};
    ///
    /// let profile = Profile {
    ///     strings: ["", "alloc::alloc::alloc", "shop::fill"].map(String::from).to_vec(),
    ///     frames: vec![Frame { function: 1, ..Frame::default() }, Frame { function: 2, line: 7, ..Frame::default() }],
    ///     addresses: vec![Address { address: 0x1010, frames_len: 2, ..Address::default() }],
    ///     stacks: vec![StackNode { parent: 0, address: 0 }],
    ///     ..Profile::default()
    /// };
    /// let view = profile.stack_frames(1).last().unwrap();
    /// assert_eq!(view.frame().map(|it| it.line), Some(7));
    /// ```
    pub fn frame(&self) -> Option<&'a Frame> {
        self.profile.frames.get(self.frame_index? as usize)
    }

    /// The mapped object that the address lies in, if one is known. Two loads.
    ///
    /// ```
    /// use memscope_profile::model::{Address, Frame, Profile, StackNode};
    ///
    /// let profile = Profile {
    ///     strings: ["", "alloc::alloc::alloc", "shop::fill"].map(String::from).to_vec(),
    ///     frames: vec![Frame { function: 1, ..Frame::default() }, Frame { function: 2, line: 7, ..Frame::default() }],
    ///     addresses: vec![Address { address: 0x1010, frames_len: 2, ..Address::default() }],
    ///     stacks: vec![StackNode { parent: 0, address: 0 }],
    ///     ..Profile::default()
    /// };
    /// let view = profile.stack_frames(1).last().unwrap();
    /// assert_eq!(view.module(), None); // no object is known
    /// ```
    pub fn module(&self) -> Option<&'a Module> {
        self.profile.modules.get((self.address().module as usize).checked_sub(1)?)
    }

    /// The function's demangled name, empty if none is known. Two loads.
    ///
    /// ```
    /// use memscope_profile::model::{Address, Frame, Profile, StackNode};
    ///
    /// let profile = Profile {
    ///     strings: ["", "alloc::alloc::alloc", "shop::fill"].map(String::from).to_vec(),
    ///     frames: vec![Frame { function: 1, ..Frame::default() }, Frame { function: 2, line: 7, ..Frame::default() }],
    ///     addresses: vec![Address { address: 0x1010, frames_len: 2, ..Address::default() }],
    ///     stacks: vec![StackNode { parent: 0, address: 0 }],
    ///     ..Profile::default()
    /// };
    /// let view = profile.stack_frames(1).last().unwrap();
    /// assert_eq!(view.function(), "shop::fill");
    /// ```
    pub fn function(&self) -> &'a str {
        self.frame().map_or("", |frame| self.profile.string(frame.function))
    }

    /// The source file, empty if none is known. Two loads.
    ///
    /// ```
    /// use memscope_profile::model::{Address, Frame, Profile, StackNode};
    ///
    /// let profile = Profile {
    ///     strings: ["", "alloc::alloc::alloc", "shop::fill"].map(String::from).to_vec(),
    ///     frames: vec![Frame { function: 1, ..Frame::default() }, Frame { function: 2, line: 7, ..Frame::default() }],
    ///     addresses: vec![Address { address: 0x1010, frames_len: 2, ..Address::default() }],
    ///     stacks: vec![StackNode { parent: 0, address: 0 }],
    ///     ..Profile::default()
    /// };
    /// let view = profile.stack_frames(1).last().unwrap();
    /// assert_eq!(view.file(), ""); // it is not known
    /// ```
    pub fn file(&self) -> &'a str {
        self.frame().map_or("", |frame| self.profile.string(frame.file))
    }

    /// The line in [`Self::file`], 0 if none is known. A load.
    ///
    /// ```
    /// use memscope_profile::model::{Address, Frame, Profile, StackNode};
    ///
    /// let profile = Profile {
    ///     strings: ["", "alloc::alloc::alloc", "shop::fill"].map(String::from).to_vec(),
    ///     frames: vec![Frame { function: 1, ..Frame::default() }, Frame { function: 2, line: 7, ..Frame::default() }],
    ///     addresses: vec![Address { address: 0x1010, frames_len: 2, ..Address::default() }],
    ///     stacks: vec![StackNode { parent: 0, address: 0 }],
    ///     ..Profile::default()
    /// };
    /// let view = profile.stack_frames(1).last().unwrap();
    /// assert_eq!(view.line(), 7);
    /// ```
    pub fn line(&self) -> u32 {
        self.frame().map_or(0, |frame| frame.line)
    }

    /// Whether the function was inlined into the next frame. A load.
    ///
    /// ```
    /// use memscope_profile::model::{Address, Frame, Profile, StackNode};
    ///
    /// let profile = Profile {
    ///     strings: ["", "alloc::alloc::alloc", "shop::fill"].map(String::from).to_vec(),
    ///     frames: vec![Frame { function: 1, ..Frame::default() }, Frame { function: 2, line: 7, ..Frame::default() }],
    ///     addresses: vec![Address { address: 0x1010, frames_len: 2, ..Address::default() }],
    ///     stacks: vec![StackNode { parent: 0, address: 0 }],
    ///     ..Profile::default()
    /// };
    /// let view = profile.stack_frames(1).last().unwrap();
    /// assert!(!view.is_inlined());
    /// ```
    pub fn is_inlined(&self) -> bool {
        self.frame().is_some_and(|frame| frame.inlined)
    }

    /// The address in the terms of its object's file; the address itself if no object is known. A few loads.
    ///
    /// ```
    /// use memscope_profile::model::{Address, Frame, Profile, StackNode};
    ///
    /// let profile = Profile {
    ///     strings: ["", "alloc::alloc::alloc", "shop::fill"].map(String::from).to_vec(),
    ///     frames: vec![Frame { function: 1, ..Frame::default() }, Frame { function: 2, line: 7, ..Frame::default() }],
    ///     addresses: vec![Address { address: 0x1010, frames_len: 2, ..Address::default() }],
    ///     stacks: vec![StackNode { parent: 0, address: 0 }],
    ///     ..Profile::default()
    /// };
    /// let view = profile.stack_frames(1).last().unwrap();
    /// assert_eq!(view.file_address(), 0x1010);
    /// ```
    pub fn file_address(&self) -> u64 {
        let bias = self.module().map_or(0, |module| module.bias);
        self.address().address.wrapping_sub(bias)
    }
}

/// The frames of a stack, innermost first. Made by [`Profile::stack_frames`].
///
/// ```
/// use memscope_profile::model::{Address, Frame, Profile, StackNode};
///
/// let profile = Profile {
///     strings: ["", "alloc::alloc::alloc", "shop::fill"].map(String::from).to_vec(),
///     frames: vec![Frame { function: 1, ..Frame::default() }, Frame { function: 2, line: 7, ..Frame::default() }],
///     addresses: vec![Address { address: 0x1010, frames_len: 2, ..Address::default() }],
///     stacks: vec![StackNode { parent: 0, address: 0 }],
///     ..Profile::default()
/// };
/// let mut frames = profile.stack_frames(1);
/// assert_eq!(frames.next().map(|it| it.function()), Some("alloc::alloc::alloc"));
/// assert_eq!(frames.next().map(|it| it.function()), Some("shop::fill"));
/// assert!(frames.next().is_none());
/// ```
#[derive(Clone, Debug)]
pub struct StackFrames<'a> {
    profile: &'a Profile,
    stack: StackId,
    address: u32,
    frames: std::ops::Range<u32>,
}

/// The place that stands for "this address has no frame" in a range of frames.
const NO_FRAME: u32 = u32::MAX;

impl StackFrames<'_> {
    fn enter(&mut self, address: u32) {
        self.address = address;
        let all = self.profile.frames.len() as u32;
        let known = self.profile.addresses.get(address as usize).map(|address| {
            let end = address.frames_start.saturating_add(address.frames_len);
            address.frames_start..end.min(all)
        });
        self.frames = match known {
            Some(frames) if !frames.is_empty() => frames,
            _ => NO_FRAME - 1..NO_FRAME,
        };
    }
}

impl<'a> Iterator for StackFrames<'a> {
    type Item = FrameView<'a>;

    fn next(&mut self) -> Option<FrameView<'a>> {
        if self.frames.is_empty() {
            let node = self.profile.stacks.get((self.stack as usize).checked_sub(1)?)?;
            // A parent that is not smaller would be a cycle; such a profile ends its stacks here.
            self.stack = if node.parent < self.stack { node.parent } else { 0 };
            self.enter(node.address);
        }
        let index = self.frames.next()?;
        let known = (index as usize) < self.profile.frames.len();
        Some(FrameView {
            profile: self.profile,
            address_index: self.address,
            frame_index: known.then_some(index),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::StackNode;

    fn profile() -> Profile {
        let frame = |function, inlined| Frame { function, inlined, ..Frame::default() };
        Profile {
            strings: ["", "push", "work", "main"].map(String::from).to_vec(),
            frames: vec![frame(1, true), frame(2, false), frame(3, false)],
            modules: vec![Module { bias: 0x1000, path: "/bin/x".into(), ..Module::default() }],
            addresses: vec![
                Address { address: 0x1010, module: 1, frames_len: 2, ..Address::default() },
                Address { address: 0x1020, module: 1, ..Address::default() },
                Address { address: 0x30, frames_start: 2, frames_len: 1, ..Address::default() },
            ],
            stacks: vec![
                StackNode { parent: 0, address: 2 },
                StackNode { parent: 1, address: 1 },
                StackNode { parent: 2, address: 0 },
            ],
            ..Profile::default()
        }
    }

    #[test]
    fn innermost_first_with_inlined_functions_and_bare_addresses() {
        let profile = profile();
        let seen: Vec<_> = profile
            .stack_frames(3)
            .map(|view| (view.function(), view.is_inlined(), view.file_address()))
            .collect();
        assert_eq!(
            seen,
            [("push", true, 0x10), ("work", false, 0x10), ("", false, 0x20), ("main", false, 0x30)]
        );
        assert_eq!(profile.stack_frames(0).count(), 0);
        assert_eq!(profile.stack_frames(9).count(), 0);
    }

    #[test]
    fn a_cycle_ends() {
        let mut profile = profile();
        profile.stacks[0].parent = 3;
        profile.stacks[1].parent = 2;
        assert_eq!(profile.stack_frames(3).take(9).count(), 3);
    }
}
