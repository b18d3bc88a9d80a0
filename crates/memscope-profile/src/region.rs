//! Reads the region that a profiled program writes, while it runs or after it ended.
//!
//! ```text
//! file -> layout (header, where the chunks lie) -> rows (only what is really there)
//!      -> counters (sums by site) -> stacks (modules, addresses, nodes, sites) -> assemble -> Profile
//!      -> blocks (the records of live blocks)
//! ```
//!
//! Invariants:
//! - By positioned reads only: a mapping would fill the holes of the sparse file and pin the program's pages.
//! - Nothing is trusted. Rows are counted against what the layout allows and what the file holds; a chunk that lies
//!   over another is left out; memory and time are in proportion to the data that is really in the file.
//! - What refers is read before what it refers to (counters, sites, nodes, addresses, modules), and the number of
//!   rows anew before each, so that everything a row names is already complete, also in a running program.
//!
//! Deliberately absent: symbols.

mod assemble;
mod blocks;
mod counters;
mod layout;
mod names;
mod rows;
mod stacks;
mod whose;

#[cfg(test)]
mod synthetic;
#[cfg(test)]
mod tests;

pub use blocks::{Block, Blocks};
pub(crate) use counters::SiteTotal;
pub use counters::SiteTotals;
pub use stacks::SitePlaces;
pub use whose::MAX_THREADS_OF_SITE;

use crate::error::{Cause, FileError, Result};
use crate::model::{Completeness, End, Profile, Totals};
use layout::Layout;
use std::fs::File;
use std::io;
use std::path::Path;

/// The region of one process.
///
/// ```
/// use memscope_profile::Region;
/// use memscope_rs::Memscope;
///
/// #[global_allocator]
/// static ALLOC: Memscope = Memscope::system().in_file(c"/tmp/shop.region");
///
/// let kept = vec![0_u8; 1000];
/// let path = format!("/tmp/shop.region.{}", std::process::id());
/// let region = Region::open_path(path.as_ref())?;
/// assert!(region.totals()?.live_bytes >= 1000); // while it is being written
/// # std::fs::remove_file(path).ok();
/// # drop(kept);
/// # Ok::<(), memscope_profile::FileError>(())
/// ```
#[derive(Debug)]
pub struct Region {
    file: File,
    name: String,
}

/// What [`Region::read`] gives: the profile, and where the region's sites went in it.
///
/// ```
/// use memscope_profile::Region;
/// use memscope_profile::model::End;
/// use memscope_rs::Memscope;
///
/// #[global_allocator]
/// static ALLOC: Memscope = Memscope::system().in_file(c"/tmp/shop.region");
///
/// let kept = vec![0_u8; 1000];
/// let path = format!("/tmp/shop.region.{}", std::process::id());
/// let region = Region::open_path(path.as_ref())?;
/// let block = region.blocks()?.flatten().find(|block| block.size_bytes == 1000).expect("it is alive");
/// let reading = region.read(End::Running)?;
/// let place = reading.sites.get(block.site).expect("a block has a site");
/// assert_eq!(reading.profile.sites[place as usize].counts.live_bytes(), 1000);
/// # std::fs::remove_file(path).ok();
/// # drop(kept);
/// # Ok::<(), memscope_profile::FileError>(())
/// ```
#[derive(Debug)]
pub struct Reading {
    /// The profile, not yet symbolized and without a timeline. What was found to be damaged stands in its warnings.
    pub profile: Profile,
    /// From the site ids of the region (as in [`SiteTotals`] and [`Block`]) to places in [`Profile::sites`].
    pub sites: SitePlaces,
}

impl Region {
    /// Takes a region: a memfd, `/proc/PID/fd/N`, or a region file. Reads only the header,
    /// which takes some microseconds.
    ///
    /// The file is read by positioned reads and its offset is moved (to find holes); nobody else may depend on it.
    ///
    /// # Errors
    /// If it cannot be read, is no region, has another layout version, or was never completed.
    ///
    /// ```
    /// use memscope_profile::Region;
    /// use memscope_rs::Memscope;
    ///
    /// #[global_allocator]
    /// static ALLOC: Memscope = Memscope::system().in_file(c"/tmp/shop.region");
    ///
    /// let kept = vec![0_u8; 1000];
    /// let path = format!("/tmp/shop.region.{}", std::process::id());
    /// let region = Region::open_path(path.as_ref())?;
    /// let again = Region::open(std::fs::File::open(&path).expect("it is there"))?;
    /// assert_eq!(again.pid()?, region.pid()?);
    /// # std::fs::remove_file(path).ok();
    /// # drop(kept);
    /// # Ok::<(), memscope_profile::FileError>(())
    /// ```
    pub fn open(file: File) -> Result<Self> {
        Self::named(file, "the region".into())
    }

    /// Opens the region at `path`. Costs as [`Region::open`].
    ///
    /// # Errors
    /// As [`Region::open`]; they name the path.
    ///
    /// ```
    /// let error = memscope_profile::Region::open_path("/no/such.region".as_ref()).unwrap_err();
    /// assert!(error.to_string().starts_with("/no/such.region could not be opened"));
    /// ```
    pub fn open_path(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let file =
            File::open(path).map_err(|error| FileError::new(&name, Cause::Io("opened", error)))?;
        Self::named(file, name)
    }

    fn named(file: File, name: String) -> Result<Self> {
        let region = Self { file, name };
        region.layout()?;
        Ok(region)
    }

    /// The file, for writing the tick. A field.
    ///
    /// ```
    /// use memscope_profile::Region;
    /// use memscope_rs::Memscope;
    ///
    /// #[global_allocator]
    /// static ALLOC: Memscope = Memscope::system().in_file(c"/tmp/shop.region");
    ///
    /// let kept = vec![0_u8; 1000];
    /// let path = format!("/tmp/shop.region.{}", std::process::id());
    /// let region = Region::open_path(path.as_ref())?;
    /// assert!(region.file().metadata().expect("it is open").len() > 0);
    /// # std::fs::remove_file(path).ok();
    /// # drop(kept);
    /// # Ok::<(), memscope_profile::FileError>(())
    /// ```
    pub fn file(&self) -> &File {
        &self.file
    }

    /// CLOCK_MONOTONIC at the process's start in nanoseconds, from which all times in the region count. Reads the header.
    ///
    /// # Errors
    /// If the file cannot be read any more, or its header makes no sense.
    ///
    /// ```
    /// use memscope_profile::Region;
    /// use memscope_rs::Memscope;
    ///
    /// #[global_allocator]
    /// static ALLOC: Memscope = Memscope::system().in_file(c"/tmp/shop.region");
    ///
    /// let kept = vec![0_u8; 1000];
    /// let path = format!("/tmp/shop.region.{}", std::process::id());
    /// let region = Region::open_path(path.as_ref())?;
    /// assert!(region.start_monotonic_ns()? > 0);
    /// # std::fs::remove_file(path).ok();
    /// # drop(kept);
    /// # Ok::<(), memscope_profile::FileError>(())
    /// ```
    pub fn start_monotonic_ns(&self) -> Result<u64> {
        Ok(self.layout()?.header.start_monotonic_ns)
    }

    /// The id of the process that wrote it. Reads the header.
    ///
    /// # Errors
    /// As [`Region::start_monotonic_ns`].
    ///
    /// ```
    /// use memscope_profile::Region;
    /// use memscope_rs::Memscope;
    ///
    /// #[global_allocator]
    /// static ALLOC: Memscope = Memscope::system().in_file(c"/tmp/shop.region");
    ///
    /// let kept = vec![0_u8; 1000];
    /// let path = format!("/tmp/shop.region.{}", std::process::id());
    /// let region = Region::open_path(path.as_ref())?;
    /// assert_eq!(region.pid()?, std::process::id());
    /// # std::fs::remove_file(path).ok();
    /// # drop(kept);
    /// # Ok::<(), memscope_profile::FileError>(())
    /// ```
    pub fn pid(&self) -> Result<u32> {
        Ok(self.layout()?.header.pid)
    }

    /// Reads everything. `end` is what is known of the process's end; with [`End::Running`] the duration is taken
    /// from the clock, otherwise from the last tick in the region (the caller may know better).
    ///
    /// Costs 0.8 s of processor time for 430,000 sites on a tree of 1.7 million nodes; the program is not disturbed.
    ///
    /// # Errors
    /// If the file cannot be read or its header makes no sense. All other damage becomes a warning.
    ///
    /// ```
    /// use memscope_profile::Region;
    /// use memscope_profile::model::End;
    /// use memscope_rs::Memscope;
    ///
    /// #[global_allocator]
    /// static ALLOC: Memscope = Memscope::system().in_file(c"/tmp/shop.region");
    ///
    /// let kept = vec![0_u8; 1000];
    /// let path = format!("/tmp/shop.region.{}", std::process::id());
    /// let region = Region::open_path(path.as_ref())?;
    /// let profile = region.read(End::Running)?.profile;
    /// assert!(profile.sites.iter().any(|site| site.counts.live_bytes() == 1000));
    /// # std::fs::remove_file(path).ok();
    /// # drop(kept);
    /// # Ok::<(), memscope_profile::FileError>(())
    /// ```
    pub fn read(&self, end: End) -> Result<Reading> {
        assemble::read(self, end)
    }

    /// The sums over the whole process, from the header and the rows of threads alone; `peak_blocks` is left 0.
    /// Costs a few system calls.
    ///
    /// # Errors
    /// As [`Region::start_monotonic_ns`].
    ///
    /// ```
    /// use memscope_profile::Region;
    /// use memscope_rs::Memscope;
    ///
    /// #[global_allocator]
    /// static ALLOC: Memscope = Memscope::system().in_file(c"/tmp/shop.region");
    ///
    /// let kept = vec![0_u8; 1000];
    /// let path = format!("/tmp/shop.region.{}", std::process::id());
    /// let region = Region::open_path(path.as_ref())?;
    /// assert!(region.totals()?.allocated_bytes >= 1000);
    /// # std::fs::remove_file(path).ok();
    /// # drop(kept);
    /// # Ok::<(), memscope_profile::FileError>(())
    /// ```
    pub fn totals(&self) -> Result<Totals> {
        let layout = self.layout()?;
        let threads = assemble::Threads::read(self, &layout)?;
        Ok(threads.totals(&layout.header))
    }

    /// How much of what happened was recorded. Costs as [`Region::totals`].
    ///
    /// # Errors
    /// As [`Region::start_monotonic_ns`].
    ///
    /// ```
    /// use memscope_profile::Region;
    /// use memscope_rs::Memscope;
    ///
    /// #[global_allocator]
    /// static ALLOC: Memscope = Memscope::system().in_file(c"/tmp/shop.region");
    ///
    /// let kept = vec![0_u8; 1000];
    /// let path = format!("/tmp/shop.region.{}", std::process::id());
    /// let region = Region::open_path(path.as_ref())?;
    /// let completeness = region.completeness()?;
    /// assert!(completeness.successes <= completeness.attempts);
    /// # std::fs::remove_file(path).ok();
    /// # drop(kept);
    /// # Ok::<(), memscope_profile::FileError>(())
    /// ```
    pub fn completeness(&self) -> Result<Completeness> {
        let layout = self.layout()?;
        let threads = assemble::Threads::read(self, &layout)?;
        Ok(threads.completeness(&layout.header))
    }

    /// Fills `totals` with the sums by site as they are now, for a timeline. Reads the counter rows only; its
    /// memory is used again. Costs 16 ms for the rows of 430,000 sites.
    ///
    /// # Errors
    /// As [`Region::start_monotonic_ns`].
    ///
    /// ```
    /// use memscope_profile::Region;
    /// use memscope_profile::region::SiteTotals;
    /// use memscope_rs::Memscope;
    ///
    /// #[global_allocator]
    /// static ALLOC: Memscope = Memscope::system().in_file(c"/tmp/shop.region");
    ///
    /// let kept = vec![0_u8; 1000];
    /// let path = format!("/tmp/shop.region.{}", std::process::id());
    /// let region = Region::open_path(path.as_ref())?;
    /// let mut totals = SiteTotals::default();
    /// region.site_totals(&mut totals)?;
    /// assert!(totals.iter().any(|(_site, blocks, bytes, _allocations)| (blocks, bytes) == (1, 1000)));
    /// # std::fs::remove_file(path).ok();
    /// # drop(kept);
    /// # Ok::<(), memscope_profile::FileError>(())
    /// ```
    pub fn site_totals(&self, totals: &mut SiteTotals) -> Result<()> {
        let layout = self.layout()?;
        totals.read(self, &layout)
    }

    /// The blocks that are alive, in the order of their addresses. Each is as it was when its record was read. Costs in proportion
    /// to the records that are there as they are iterated, some milliseconds for a small program.
    ///
    /// # Errors
    /// As [`Region::start_monotonic_ns`]; and the iterator gives an error, and ends, if the file cannot be read further.
    ///
    /// ```
    /// use memscope_profile::Region;
    /// use memscope_rs::Memscope;
    ///
    /// #[global_allocator]
    /// static ALLOC: Memscope = Memscope::system().in_file(c"/tmp/shop.region");
    ///
    /// let kept = vec![0_u8; 1000];
    /// let path = format!("/tmp/shop.region.{}", std::process::id());
    /// let region = Region::open_path(path.as_ref())?;
    /// let blocks = region.blocks()?.collect::<Result<Vec<_>, _>>()?;
    /// assert!(blocks.iter().any(|block| block.address == kept.as_ptr() as u64 && block.size_bytes == 1000));
    /// # std::fs::remove_file(path).ok();
    /// # drop(kept);
    /// # Ok::<(), memscope_profile::FileError>(())
    /// ```
    pub fn blocks(&self) -> Result<Blocks<'_>> {
        Blocks::new(self, &self.layout()?)
    }

    fn layout(&self) -> Result<Layout> {
        Layout::read(self)
    }

    fn io_error(&self, error: io::Error) -> FileError {
        FileError::new(&self.name, Cause::Io("read", error))
    }
}
