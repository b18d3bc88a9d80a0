//! The coarse clock that the program takes birth times from.
//!
//! A clock read costs the program more than the rest of an allocation's record; a load from its own region does not.
//! So the time is written into the region from outside, in the form in which a record keeps it (see [`Birth`]).

use memscope_region::HeaderRow;
use memscope_region::header::{MAGIC, TICK_OFFSET, VERSION, WAITING_OFFSET};
use memscope_region::record::Birth;
use rustix::time::{ClockId, clock_gettime};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Time between two ticks, in milliseconds.
pub(crate) const TICK_MS: u64 = 10;

/// Writes the time into a region.
#[derive(Debug)]
pub(crate) struct Clock {
    region: File,
    start_ns: u64,
    last: Option<Birth>,
}

impl Clock {
    /// A clock for a region, begun when the region says that it began. An error if it is none, or of another version.
    pub(crate) fn new(region: File) -> io::Result<Self> {
        let mut bytes = [0; HeaderRow::BYTES];
        region.read_exact_at(&mut bytes, 0)?;
        let header = HeaderRow::decode(&bytes);
        match header.filter(|header| header.magic == MAGIC && header.version == VERSION) {
            Some(header) => Ok(Self { region, start_ns: header.start_monotonic_ns, last: None }),
            None => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    /// The region's start by the monotonic clock, in nanoseconds.
    pub(crate) fn start_ns(&self) -> u64 {
        self.start_ns
    }

    /// How many processes this one made. 0 if that cannot be read.
    pub(crate) fn children(&self) -> u64 {
        let mut bytes = [0; HeaderRow::BYTES];
        let header = self.region.read_exact_at(&mut bytes, 0).ok();
        header.and_then(|()| HeaderRow::decode(&bytes)).map_or(0, |header| header.children)
    }

    /// Tells the process to begin to record.
    pub(crate) fn end_waiting(&self) {
        // As with the tick, it can only fail when the region was not a memfd.
        let _ = self.region.write_all_at(&0_u32.to_ne_bytes(), WAITING_OFFSET);
    }

    /// Writes the time, if it can be told from the time written last.
    pub(crate) fn tick(&mut self) {
        let birth = Birth::from_ms(elapsed_ns(self.start_ns) / 1_000_000);
        if self.last != Some(birth) {
            // It can only fail when the region was not a memfd; birth times are then coarser still.
            let _ = self.region.write_all_at(&u32::from(birth.0).to_ne_bytes(), TICK_OFFSET);
            self.last = Some(birth);
        }
    }
}

/// Nanoseconds since `start_ns` by the monotonic clock.
pub(crate) fn elapsed_ns(start_ns: u64) -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let now_ns = now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned();
    now_ns.saturating_sub(start_ns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    #[test]
    fn the_tick_stands_where_the_program_looks() {
        let file = tempfile::tempfile().unwrap();
        assert!(Clock::new(file.try_clone().unwrap()).is_err());
        file.write_all_at(&[0; HeaderRow::BYTES], 0).unwrap();
        assert!(Clock::new(file.try_clone().unwrap()).is_err());
        file.write_all_at(&MAGIC.to_ne_bytes(), 0).unwrap();
        let version = offset_of!(memscope_region::Header, version) as u64;
        file.write_all_at(&VERSION.to_ne_bytes(), version).unwrap();

        // Started at the clock's own zero, the time is the time since boot, which is not zero.
        let mut clock = Clock::new(file.try_clone().unwrap()).unwrap();
        clock.tick();
        let mut bytes = [0; HeaderRow::BYTES];
        file.read_exact_at(&mut bytes, 0).unwrap();
        let header = HeaderRow::decode(&bytes).unwrap();
        assert!(header.tick != 0 && header.tick == u32::from(clock.last.unwrap().0));
        assert_eq!((header.magic, header.peak_epoch), (MAGIC, 0));
    }
}
