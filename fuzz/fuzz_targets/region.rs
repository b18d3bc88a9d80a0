//! A region: parts of a sparse file, as `memscope_fuzz::pack` makes them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use memscope_fuzz::{Memory, bounded};
use memscope_profile::model::End;
use memscope_profile::region::{Region, SiteTotals};
use std::cell::RefCell;

thread_local! {
    static SPACE: RefCell<(Memory, SiteTotals)> = RefCell::new((Memory::new(), SiteTotals::default()));
}

fuzz_target!(|packed: &[u8]| {
    SPACE.with_borrow_mut(|(memory, totals)| {
        memory.fill_sparse(packed, 256);
        // The table of the command has 512 KiB, which may be as many arguments; they are held twice while they are kept.
        bounded((40 << 20) + 400 * packed.len(), || {
            let file = memory.file().try_clone().expect("a descriptor");
            let Ok(region) = Region::open(file) else { return };
            if let Ok(reading) = region.read(End::Unknown) {
                let mut kept = Vec::new();
                // Writing checks all promises of a profile.
                memscope_profile::file::write(&reading.profile, &mut kept)
                    .expect("a sound profile");
            }
            let _ = (region.totals(), region.completeness());
            let _ = region.site_totals(totals);
            let blocks = region.blocks().map(|blocks| blocks.take(1_000_000).count());
            assert!(blocks.unwrap_or(0) < 1_000_000, "blocks without end");
        });
    });
});
