//! How well types are named, on programs that say themselves what their blocks are.

#[path = "../../src/listener.rs"]
#[allow(dead_code, reason = "the command's own, of which the test uses a part")]
mod listener;
mod score;
#[path = "../support/mod.rs"]
mod support;

use score::record;
use testprograms::build::Build;

#[test]
fn every_labelled_block_is_found_by_its_address() {
    let (profile, labelled) = record(&Build::USUAL.program("types_dev"));
    assert!(labelled.len() > 400 && labelled.len() < profile.totals.live_blocks as usize);
    for block in labelled {
        let counts = profile.sites[block.site].counts;
        assert!(counts.live_bytes() >= block.size_bytes, "{block:?}");
    }
}
