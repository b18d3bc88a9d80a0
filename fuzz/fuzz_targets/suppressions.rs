//! A file of suppressions, and its patterns against names that are as foreign: what stands behind the first zero byte.
#![no_main]

use libfuzzer_sys::fuzz_target;
use memscope_fuzz::bounded;
use memscope_profile::model::{Address, Frame, Profile, Site, StackNode};
use memscope_profile::suppression::Suppressions;

fn profile(name: &str) -> Profile {
    Profile {
        strings: vec![String::new(), name.to_owned()],
        frames: vec![Frame { function: 1, file: 1, ..Frame::default() }],
        addresses: vec![Address { frames_len: 1, ..Address::default() }],
        stacks: vec![StackNode { parent: 0, address: 0 }],
        sites: vec![Site { stack: 1, kind: 1, ..Site::default() }],
        ..Profile::default()
    }
}

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let (text, name) = text.split_once('\0').unwrap_or((&text, "main"));
    bounded((64 << 10) + 200 * bytes.len(), || match text.parse::<Suppressions>() {
        Ok(suppressions) => {
            let mut profile = profile(name);
            let gone = suppressions.apply(&mut profile);
            assert_eq!(gone.len() + profile.sites.len(), 1, "a site is there or suppressed");
        }
        Err(mistake) => assert!(mistake.line >= 1 && mistake.line <= text.lines().count()),
    });
});
