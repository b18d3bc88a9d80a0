//! Modules, addresses, nodes and sites: from rows that refer to each other by number to the vectors of a profile.
//!
//! The program writes a row more than once where threads race or an object is loaded again; here equal modules are
//! one, so equal addresses are one, so equal stacks are one, so equal sites are one.
//!
//! Invariants: a node's parent comes before the node, so there are no cycles; every number in what is built is in
//! range; what could not be had is counted in [`Damage`] and replaced by something harmless.

use super::Region;
use super::counters::{Peak, Sum};
use super::layout::{Layout, read_up_to};
use super::names::Names;
use super::rows::{Buffer, each_row};
use crate::error::Result;
use crate::model::{Address, Kind, Mode, Module, Profile, Site, StackNode};
use memscope_region::record::Birth;
use memscope_region::row::{LABEL_SHIFT, ODD};
use memscope_region::{AddressRow, ModuleRow, NodeRow, SiteRow, Table};
use std::collections::HashMap;
use std::hash::Hash;

/// The longest path that the kernel knows.
const PATH_BYTES: u32 = 4096;
/// The bit of a site's `kind` that says that its stack is truncated.
const TRUNCATED: u32 = 1 << 8;

/// What was found to be wrong.
#[derive(Debug, Default)]
pub(super) struct Damage {
    /// Nodes whose parent does not come before them or is not there.
    pub(super) parents: usize,
    /// Rows that name a row that is not there.
    pub(super) references: usize,
    /// Texts that do not lie in the table.
    pub(super) texts: usize,
    /// Sites whose kind of call is none.
    pub(super) kinds: usize,
}

/// From numbers in the region to places in the profile.
#[derive(Debug, Default)]
struct Places {
    /// Ascending.
    rows: Vec<u32>,
    places: Vec<u32>,
}

impl Places {
    fn push(&mut self, row: u32, place: u32) {
        self.rows.push(row);
        self.places.push(place);
    }

    fn get(&self, row: u32) -> Option<u32> {
        // Threads claim several rows at a time and do not fill all, so a few are not there: a row lies by no more than these
        // before the place that has its number.
        let row_count = self.rows.last().map_or(0, |last| *last as usize + 1);
        let end = self.rows.len().min(row as usize + 1);
        let first = (row as usize).saturating_sub(row_count - self.rows.len()).min(end);
        let at = self.rows[first..end].binary_search(&row).ok()?;
        self.places.get(first + at).copied()
    }
}

/// From the site ids of a region to places in [`Profile::sites`].
///
/// ```
/// use memscope_profile::Region;
/// use memscope_profile::{model::End, region::SiteTotals};
/// use memscope_rs::Memscope;
///
/// #[global_allocator]
/// static ALLOC: Memscope = Memscope::system().in_file(c"/tmp/shop.region");
///
/// let kept = vec![0_u8; 1000];
/// let path = format!("/tmp/shop.region.{}", std::process::id());
/// let region = Region::open_path(path.as_ref())?;
/// let reading = region.read(End::Running)?;
/// let mut totals = SiteTotals::default();
/// region.site_totals(&mut totals)?;
/// let known = totals.iter().filter_map(|(site, ..)| reading.sites.get(site));
/// assert!(known.into_iter().all(|place| (place as usize) < reading.profile.sites.len()));
/// # std::fs::remove_file(path).ok();
/// # drop(kept);
/// # Ok::<(), memscope_profile::FileError>(())
/// ```
#[derive(Debug, Default)]
pub struct SitePlaces(HashMap<u32, u32>);

impl SitePlaces {
    /// Where the site with this id went; `None` if nothing was counted there when the profile was read. A look-up, 10 ns.
    ///
    /// ```
    /// use memscope_profile::region::SitePlaces;
    ///
    /// assert_eq!(SitePlaces::default().get(1), None);
    /// ```
    pub fn get(&self, site: u32) -> Option<u32> {
        self.0.get(&site).copied()
    }

    #[cfg(test)]
    pub(crate) fn from_pairs(pairs: impl IntoIterator<Item = (u32, u32)>) -> Self {
        Self(pairs.into_iter().collect())
    }
}

/// Rows of the tables that make up stacks, by number.
#[derive(Debug, Default)]
pub(super) struct Rows {
    modules: Vec<(u32, ModuleRow)>,
    addresses: Vec<(u32, AddressRow)>,
    nodes: Vec<(u32, NodeRow)>,
    sites: Vec<(u32, SiteRow)>,
}

impl Rows {
    /// Reads what refers before what it refers to, each with the row count of that moment.
    pub(super) fn read(region: &Region, buffer: &mut Buffer) -> Result<Self> {
        let mut rows = Self::default();
        each_row(region, &region.layout()?, Table::Sites, buffer, |row, bytes| {
            rows.sites.extend(SiteRow::decode(bytes).filter(|it| it.kind != 0).map(|it| (row, it)));
        })?;
        each_row(region, &region.layout()?, Table::Nodes, buffer, |row, bytes| {
            rows.nodes.extend(NodeRow::decode(bytes).filter(|it| it.word != 0).map(|it| (row, it)));
        })?;
        each_row(region, &region.layout()?, Table::Addresses, buffer, |row, bytes| {
            let address = AddressRow::decode(bytes).filter(|it| it.flags != 0);
            rows.addresses.extend(address.map(|it| (row, it)));
        })?;
        each_row(region, &region.layout()?, Table::Modules, buffer, |row, bytes| {
            rows.modules
                .extend(ModuleRow::decode(bytes).filter(|it| it.end != 0).map(|it| (row, it)));
        })?;
        Ok(rows)
    }
}

/// Puts rows into a profile. `sums` are the counts by site id.
pub(super) struct Build<'a> {
    pub(super) region: &'a Region,
    pub(super) layout: &'a Layout,
    pub(super) profile: &'a mut Profile,
    pub(super) damage: &'a mut Damage,
}

impl Build<'_> {
    /// Fills modules, addresses, stacks and sites. The profile's `run.exe` must be there: it is the path of the
    /// module without one.
    pub(super) fn build(
        &mut self,
        rows: &Rows,
        sums: HashMap<u32, Sum>,
        peak: Peak,
    ) -> Result<SitePlaces> {
        let modules = self.modules(rows)?;
        let addresses = self.addresses(rows, &modules);
        let nodes = self.nodes(rows, &addresses);
        let names = Names::read(self)?;
        Ok(self.sites(rows, &nodes, &names, sums, peak))
    }

    fn modules(&mut self, rows: &Rows) -> Result<Places> {
        let mut texts = HashMap::new();
        let mut distinct = Distinct::default();
        for (row, module) in &rows.modules {
            let path = match module.path_bytes {
                0 => self.profile.run.exe.clone(),
                bytes => match texts.get(&(module.path_row, bytes)) {
                    Some(path) => String::clone(path),
                    None => {
                        let path = self.path(module.path_row, bytes)?;
                        texts.insert((module.path_row, bytes), path.clone());
                        path
                    }
                },
            };
            let build_id: Vec<u8> =
                module.build_id.iter().flat_map(|it| it.to_ne_bytes()).collect();
            let build_id = build_id.get(..module.build_id_bytes as usize).unwrap_or_default();
            let key = (path, build_id.to_vec(), module.start, module.end, module.bias);
            distinct.push(*row, key);
        }
        self.profile.modules = distinct.values(|(path, build_id, start, end, bias)| Module {
            path,
            build_id,
            start,
            end,
            bias,
            ..Module::default()
        });
        Ok(distinct.places)
    }

    fn path(&mut self, row: u32, bytes: u32) -> Result<String> {
        let text = if bytes <= PATH_BYTES { self.text(row, bytes)? } else { None };
        if text.is_none() {
            self.damage.texts += 1;
        }
        Ok(text.map_or_else(String::new, |text| String::from_utf8_lossy(&text).into_owned()))
    }

    /// A text; `None` if it does not lie in the table.
    pub(super) fn text(&self, row: u32, bytes: u32) -> Result<Option<Vec<u8>>> {
        if bytes == 0 {
            return Ok(Some(Vec::new()));
        }
        let Some(offset) = self.layout.text_offset(row, bytes) else { return Ok(None) };
        let mut text = vec![0; bytes as usize];
        let there = read_up_to(self.region, &mut text, offset)?;
        text.truncate(there);
        Ok(Some(text))
    }

    fn addresses(&mut self, rows: &Rows, modules: &Places) -> Places {
        let mut distinct = Distinct::default();
        for (row, address) in &rows.addresses {
            let module = match address.module.checked_sub(1) {
                None => 0,
                Some(row) => match modules.get(row) {
                    Some(place) => place + 1,
                    None => {
                        self.damage.references += 1;
                        0
                    }
                },
            };
            distinct.push(*row, (address.address, module, address.flags & 2 != 0));
        }
        self.profile.addresses = distinct.values(|(address, module, is_instruction)| Address {
            address,
            module,
            is_instruction,
            ..Address::default()
        });
        distinct.places
    }

    fn nodes(&mut self, rows: &Rows, addresses: &Places) -> Places {
        let mut places = Places::default();
        let mut known = HashMap::new();
        for (row, node) in &rows.nodes {
            let address = (node.word >> 32) as u32;
            let parent = match node.word as u32 {
                0 => 0,
                // Only what came before has a place yet: a parent that comes later is no parent.
                id => places.get(id - 1).unwrap_or_else(|| {
                    self.damage.parents += 1;
                    0
                }),
            };
            let Some(address) = address.checked_sub(1).and_then(|row| addresses.get(row)) else {
                // A frame that is not known is left out of the stack.
                self.damage.references += 1;
                places.push(*row, parent);
                continue;
            };
            let next = self.profile.stacks.len() as u32 + 1;
            let stack = *known.entry((parent, address)).or_insert(next);
            if stack == next {
                self.profile.stacks.push(StackNode { parent, address });
            }
            places.push(*row, stack);
        }
        places
    }

    fn sites(
        &mut self,
        rows: &Rows,
        nodes: &Places,
        names: &Names,
        mut sums: HashMap<u32, Sum>,
        peak: Peak,
    ) -> SitePlaces {
        sums.retain(|_, sum| !sum.is_empty());
        let is_sampled = self.profile.run.mode == Mode::Sampled;
        let mut places = SitePlaces::default();
        let mut known = HashMap::new();
        // In a sampled region all are in its units, in another what was sampled is.
        let mut put = |profile: &mut Profile, id: u32, site: Site, sum: &Sum, is_odd: bool| {
            let key = (site.stack, site.kind, site.truncated, site.task, site.label);
            let place = *known.entry(key).or_insert(profile.sites.len());
            if place == profile.sites.len() {
                profile.sites.push(site);
            }
            let there = &mut profile.sites[place];
            there.first_ms = there.first_ms.min(site.first_ms);
            there.counts.add(&if is_sampled || is_odd {
                sum.estimates(peak)
            } else {
                sum.counts(peak)
            });
            places.0.insert(id, place as u32);
        };
        for (row, site) in &rows.sites {
            let Some(sum) = sums.remove(&(row + 1)) else { continue };
            let stack = match site.node {
                0 => 0,
                id => nodes.get(id - 1).unwrap_or_else(|| {
                    self.damage.references += 1;
                    0
                }),
            };
            let is_odd = site.kind & ODD != 0;
            let kind = Kind::from_u8(site.kind as u8).unwrap_or_else(|| {
                self.damage.kinds += 1;
                Kind::Malloc
            });
            let site = Site {
                stack,
                kind: kind as u8,
                truncated: site.kind & TRUNCATED != 0,
                task: names.task(site.task),
                label: names.label(site.kind >> LABEL_SHIFT),
                first_ms: Birth(site.birth as u16).ms(),
                ..Site::default()
            };
            put(self.profile, row + 1, site, &sum, is_odd);
        }
        // What was counted at sites that are not there is kept, without a stack: the totals must hold.
        let mut lost: Vec<_> = sums.into_iter().collect();
        lost.sort_unstable_by_key(|(id, _)| *id);
        self.damage.references += lost.len();
        for (id, sum) in lost {
            let site = Site { kind: Kind::Malloc as u8, truncated: true, ..Site::default() };
            put(self.profile, id, site, &sum, false);
        }
        places
    }
}

/// Values without repetition, in the order in which they first came, and where each row's value went.
#[derive(Debug)]
struct Distinct<T> {
    known: HashMap<T, u32>,
    places: Places,
}

impl<T> Default for Distinct<T> {
    fn default() -> Self {
        Self { known: HashMap::new(), places: Places::default() }
    }
}

impl<T: Eq + Hash> Distinct<T> {
    fn push(&mut self, row: u32, value: T) {
        let next = self.known.len() as u32;
        self.places.push(row, *self.known.entry(value).or_insert(next));
    }

    fn values<U>(&mut self, make: impl Fn(T) -> U) -> Vec<U> {
        let mut values: Vec<_> = self.known.drain().collect();
        values.sort_unstable_by_key(|(_, place)| *place);
        values.into_iter().map(|(value, _)| make(value)).collect()
    }
}
