//! A profile file, byte for byte as it comes. Few inputs pass its checksum: `profile_body` goes on behind it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use memscope_fuzz::bounded;
use memscope_profile::file;

fuzz_target!(|bytes: &[u8]| {
    // A file may claim a hundred times what it stores, and 16 MiB more.
    bounded((32 << 20) + 400 * bytes.len(), || {
        if let Err(error) = file::read(bytes, "x") {
            assert!(!error.to_string().is_empty() && !error.hint().is_empty());
        }
    });
});
