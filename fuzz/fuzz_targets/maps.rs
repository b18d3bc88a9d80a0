//! The text of /proc/self/maps, which is read in the profiled program where the kernel answers no better question. The
//! first eight bytes are the address that is sought.
#![no_main]

use libfuzzer_sys::fuzz_target;
use memscope_fuzz::{Memory, bounded};
use memscope_region::sys::mapping_in_text;
use rustix::fs::{SeekFrom, seek};
use std::os::fd::AsRawFd;

thread_local! {
    static MEMORY: Memory = Memory::new();
}

fuzz_target!(|bytes: &[u8]| {
    let Some((address, text)) = bytes.split_first_chunk() else { return };
    let address = usize::from_ne_bytes(*address);
    MEMORY.with(|memory| {
        memory.fill(text);
        let find = |is_writable| {
            seek(memory.file(), SeekFrom::Start(0)).expect("at its start");
            let descriptor = memory.file().as_raw_fd();
            bounded(0, || mapping_in_text(descriptor, address, is_writable))
        };
        let found = find(false);
        assert!(found.is_none_or(|(low, high)| (low..high).contains(&address)));
        let writable = find(true);
        assert!(writable.is_none_or(|(low, high)| (low..high).contains(&address)));
    });
});
