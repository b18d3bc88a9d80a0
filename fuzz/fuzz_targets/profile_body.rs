//! The body of a profile file, in a frame whose length and checksum fit, and what stands on a profile that was read:
//! rankings, and the same file written again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use memscope_fuzz::{bounded, framed};
use memscope_profile::analyze::{Analysis, Metric};
use memscope_profile::file;

/// What a profile file begins with.
fn head() -> Vec<u8> {
    [&file::MAGIC[..], &file::VERSION.to_le_bytes()].concat()
}

fuzz_target!(|body: &[u8]| {
    let whole = framed(&head(), body);
    let profile = bounded((1 << 20) + 400 * whole.len(), || file::read(&whole[..], "x"));
    let Ok(profile) = profile else { return };
    // What comes next takes ten times as long, so one in eight has to do.
    if !crc32fast::hash(body).is_multiple_of(8) {
        return;
    }
    bounded((8 << 20) + 2000 * whole.len(), || {
        let analysis = Analysis::new(&profile);
        for metric in Metric::ALL {
            let _ = analysis.rank(metric, 5);
        }
        // What was read can be kept and is then the same.
        let mut again = Vec::new();
        file::write(&profile, &mut again).expect("a profile that was read can be written");
        assert_eq!(file::read(&again[..], "y").ok(), Some(profile));
    });
});
