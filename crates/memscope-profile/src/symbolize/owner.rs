//! Which functions are methods of a type of known size: a unit's declarations of methods stand inside of its types.
//!
//! An entry does not know what it stands in, so a unit is gone through once, at the first question about it.
//!
//! Invariants: each unit is read at most once; what cannot be read has no methods. Deliberately absent: names of types,
//! which functions carry in theirs, and methods of traits, whose entries stand elsewhere.

use std::collections::HashMap;

use gimli::{DwTag, EntriesRaw, UnitOffset, UnitRef};

use super::guard::Bounded;

/// Sizes of the types that methods belong to, by unit and place of the method's declaration there.
#[derive(Debug, Default)]
pub(super) struct Owners(HashMap<usize, HashMap<usize, Owner>>);

/// A type that has methods.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owner {
    /// Where its entry is in the unit.
    pub(super) offset: UnitOffset,
    /// Bytes of a value, if they are known.
    pub(super) bytes: Option<u64>,
}

impl Owners {
    /// The type that the method declared at `offset` belongs to; `None` if it is no method. `key` is the unit's own.
    pub(super) fn owner(
        &mut self,
        key: usize,
        unit: UnitRef<'_, Bounded<'_>>,
        offset: UnitOffset,
    ) -> Option<Owner> {
        let methods = self.0.entry(key).or_insert_with(|| {
            let mut methods = HashMap::new();
            // Where reading ends early, what was read is still true.
            if let Ok(entries) = unit.entries_raw(None) {
                let _ = read(entries, &mut methods);
            }
            methods
        });
        methods.get(&offset.0).copied()
    }
}

fn read(
    mut entries: EntriesRaw<'_, Bounded<'_>>,
    methods: &mut HashMap<usize, Owner>,
) -> gimli::Result<()> {
    // For each entry around the next one: the type, if it is one.
    let mut around: Vec<Option<Owner>> = Vec::new();
    while !entries.is_empty() {
        let (offset, depth) = (entries.next_offset(), entries.next_depth());
        let Some(abbreviation) = entries.read_abbreviation()? else { continue };
        around.truncate(usize::try_from(depth).unwrap_or(0));
        let mut owner = None;
        if is_type(abbreviation.tag()) {
            let mut bytes = None;
            for specification in abbreviation.attributes() {
                let attribute = entries.read_attribute(*specification)?;
                if attribute.name() == gimli::DW_AT_byte_size {
                    bytes = attribute.udata_value();
                }
            }
            owner = Some(Owner { offset, bytes });
        } else {
            entries.skip_attributes(abbreviation.attributes())?;
        }
        if abbreviation.tag() == gimli::DW_TAG_subprogram
            && let Some(Some(owner)) = around.last()
        {
            methods.insert(offset.0, *owner);
        }
        around.push(owner);
    }
    Ok(())
}

fn is_type(tag: DwTag) -> bool {
    matches!(
        tag,
        gimli::DW_TAG_structure_type
            | gimli::DW_TAG_class_type
            | gimli::DW_TAG_union_type
            | gimli::DW_TAG_enumeration_type
    )
}
