//! The body of a profile file, in a frame whose length and checksum fit, and what stands on a profile that was read:
//! rankings, and the same file written again.
#![no_main]

use flate2::{Compression, write::DeflateEncoder};
use libfuzzer_sys::fuzz_target;
use memscope_fuzz::bounded;
use memscope_profile::analyze::{Analysis, Metric};
use memscope_profile::file;
use std::io::Write;

fn framed(body: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::none());
    encoder.write_all(body).expect("memory");
    let stored = encoder.finish().expect("memory");
    let mut all = file::MAGIC.to_vec();
    all.extend(file::VERSION.to_le_bytes());
    all.extend((body.len() as u64).to_le_bytes());
    all.extend((stored.len() as u64).to_le_bytes());
    all.extend(stored);
    let checksum = crc32fast::hash(&all);
    all.extend(checksum.to_le_bytes());
    all
}

fuzz_target!(|body: &[u8]| {
    let whole = framed(body);
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
