//! Entries of functions and types, followed from one to the other across units.
//!
//! Units are parsed when an entry of another one refers to them (as link-time optimization makes them do), and kept.
//!
//! Invariants: as all reading of DWARF here, see [`super::guard`]; chains of references and lists of children are cut at
//! lengths that no compiler reaches. Deliberately absent: variables, fields of types, and types in units of their own.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::sync::Arc;

use addr2line::Context;
use gimli::{
    AttributeValue, DebugInfoOffset, DwTag, Dwarf, DwarfFileType, Unit, UnitOffset, UnitRef,
};

use super::demangle::MAX_NAME_BYTES;
use super::guard::Bounded;
use super::owner::Owners;

/// How often a function's entry may refer to another for its name.
const MAX_REFERENCES: usize = 8;

/// Children of a function's entry that are looked at for its generic arguments.
const MAX_CHILDREN: usize = 256;

/// Bytes of a pointer, where its entry does not say so.
const POINTER_BYTES: u64 = 8;

/// A generic argument of a function.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TypeParameter {
    /// The type's own name, without its path; empty if it has none (an array).
    pub(super) name: String,
    /// Bytes of its values.
    pub(super) bytes: Option<u64>,
    /// Bytes of an element, if it is an array.
    pub(super) element_bytes: Option<u64>,
}

/// Units that were parsed only because entries of other units refer to them.
#[derive(Default)]
pub(super) struct Units<'a> {
    starts: OnceCell<Vec<DebugInfoOffset<usize>>>,
    parsed: HashMap<usize, Option<Arc<Unit<Bounded<'a>>>>>,
    owners: Owners,
}

/// An entry: in the unit that covers the address, or in another one.
#[derive(Clone)]
enum Place<'a> {
    Covering(UnitOffset),
    Other(Arc<Unit<Bounded<'a>>>, UnitOffset),
}

impl<'a> Place<'a> {
    fn offset(&self) -> UnitOffset {
        match self {
            Place::Covering(offset) | Place::Other(_, offset) => *offset,
        }
    }

    fn unit<'u>(&'u self, covering: UnitRef<'u, Bounded<'a>>) -> UnitRef<'u, Bounded<'a>> {
        match self {
            Place::Covering(_) => covering,
            Place::Other(unit, _) => UnitRef::new(covering.dwarf, unit),
        }
    }
}

impl<'a> Units<'a> {
    /// The name (not the linker's) of the function whose entry is at `offset` in the unit that covers `address`.
    pub(super) fn debug_name(
        &mut self,
        context: &Context<Bounded<'a>>,
        address: u64,
        offset: UnitOffset,
    ) -> Option<String> {
        let covering = context.find_dwarf_and_unit(address).skip_all_loads()?;
        let mut place = Place::Covering(offset);
        for _ in 0..MAX_REFERENCES {
            let unit = place.unit(covering);
            let entry = unit.entry(place.offset()).ok()?;
            if let Some(name) = entry.attr_value(gimli::DW_AT_name) {
                return Some(unit.attr_string(name).ok()?.text(MAX_NAME_BYTES)?.into_owned());
            }
            place = self.origin(covering, &place, &entry)?;
        }
        None
    }

    /// The types that the function at `offset` has as generic arguments, in their order. None if debug information is
    /// not of the level that has them.
    pub(super) fn type_parameters(
        &mut self,
        context: &Context<Bounded<'a>>,
        address: u64,
        offset: UnitOffset,
    ) -> Option<Vec<TypeParameter>> {
        let covering = context.find_dwarf_and_unit(address).skip_all_loads()?;
        let mut place = Place::Covering(offset);
        for _ in 0..MAX_REFERENCES {
            let unit = place.unit(covering);
            let types = children(unit, place.offset(), gimli::DW_TAG_template_type_parameter);
            if !types.is_empty() {
                let mut parameters = Vec::new();
                for parameter in types {
                    let of = self.referred(covering, &place, parameter?);
                    parameters.push(match of {
                        Some(of) => self.parameter(covering, &of)?,
                        // The unit type has no entry.
                        None => TypeParameter {
                            name: "()".to_owned(),
                            bytes: Some(0),
                            element_bytes: None,
                        },
                    });
                }
                return Some(parameters);
            }
            let entry = unit.entry(place.offset()).ok()?;
            place = self.origin(covering, &place, &entry)?;
        }
        None
    }

    /// Bytes of a value of the type that the function at `offset` is a method of. None if it is no method, or debug
    /// information is not of the level that says so.
    pub(super) fn owner_bytes(
        &mut self,
        context: &Context<Bounded<'a>>,
        address: u64,
        offset: UnitOffset,
    ) -> Option<u64> {
        let covering = context.find_dwarf_and_unit(address).skip_all_loads()?;
        let place = self.declaration(covering, offset)?;
        let unit = place.unit(covering);
        let start = unit.header.debug_info_offset()?.0;
        self.owners.owner(start, unit, place.offset())?.bytes
    }

    /// Bytes of a value of the first type that the class of the function at `offset` has as an argument.
    pub(super) fn owner_argument_bytes(
        &mut self,
        context: &Context<Bounded<'a>>,
        address: u64,
        offset: UnitOffset,
    ) -> Option<u64> {
        let covering = context.find_dwarf_and_unit(address).skip_all_loads()?;
        let place = self.declaration(covering, offset)?;
        let unit = place.unit(covering);
        let start = unit.header.debug_info_offset()?.0;
        let owner = self.owners.owner(start, unit, place.offset())?.offset;
        let argument = children(unit, owner, gimli::DW_TAG_template_type_parameter);
        let argument = argument.into_iter().next()??;
        let place = match place {
            Place::Covering(_) => Place::Covering(owner),
            Place::Other(unit, _) => Place::Other(unit, owner),
        };
        let mut of = self.referred(covering, &place, argument)?;
        // A name for another type has no size of its own.
        for _ in 0..MAX_REFERENCES {
            if let Some(bytes) = self.bytes(covering, &of, 0) {
                return Some(bytes);
            }
            let entry = of.unit(covering).entry(of.offset()).ok()?;
            of = self.attribute_type(covering, &of, &entry)?;
        }
        None
    }

    /// Where the function at `offset` is declared.
    fn declaration(
        &mut self,
        covering: UnitRef<'_, Bounded<'a>>,
        offset: UnitOffset,
    ) -> Option<Place<'a>> {
        let mut place = Place::Covering(offset);
        for _ in 0..MAX_REFERENCES {
            let entry = place.unit(covering).entry(place.offset()).ok()?;
            let Some(next) = self.origin(covering, &place, &entry) else { return Some(place) };
            place = next;
        }
        None
    }

    fn parameter(
        &mut self,
        covering: UnitRef<'_, Bounded<'a>>,
        place: &Place<'a>,
    ) -> Option<TypeParameter> {
        let entry = place.unit(covering).entry(place.offset()).ok()?;
        let name = match entry.attr_value(gimli::DW_AT_name) {
            Some(name) => {
                let text = place.unit(covering).attr_string(name).ok()?;
                text.text(MAX_NAME_BYTES)?.into_owned()
            }
            None => String::new(),
        };
        let is_array = entry.tag() == gimli::DW_TAG_array_type;
        let element = if is_array { self.attribute_type(covering, place, &entry) } else { None };
        let element_bytes = element.and_then(|element| self.bytes(covering, &element, 0));
        Some(TypeParameter { name, bytes: self.bytes(covering, place, 0), element_bytes })
    }

    /// Bytes of a value of the type at `place`.
    fn bytes(
        &mut self,
        covering: UnitRef<'_, Bounded<'a>>,
        place: &Place<'a>,
        depth: usize,
    ) -> Option<u64> {
        let entry = place.unit(covering).entry(place.offset()).ok()?;
        if let Some(bytes) = entry.attr_value(gimli::DW_AT_byte_size) {
            return bytes.udata_value();
        }
        match entry.tag() {
            gimli::DW_TAG_pointer_type | gimli::DW_TAG_reference_type => Some(POINTER_BYTES),
            gimli::DW_TAG_array_type if depth < MAX_REFERENCES => {
                let element = self.attribute_type(covering, place, &entry)?;
                let unit = place.unit(covering);
                let mut bytes = self.bytes(covering, &element, depth + 1)?;
                for range in children(unit, place.offset(), gimli::DW_TAG_subrange_type) {
                    let count = match range? {
                        Reference::Count(count) => count,
                        Reference::Type(_) => return None,
                    };
                    bytes = bytes.checked_mul(count)?;
                }
                Some(bytes)
            }
            _ => None,
        }
    }

    fn attribute_type(
        &mut self,
        covering: UnitRef<'_, Bounded<'a>>,
        place: &Place<'a>,
        entry: &gimli::DebuggingInformationEntry<Bounded<'a>>,
    ) -> Option<Place<'a>> {
        self.follow(covering, place, entry.attr_value(gimli::DW_AT_type)?)
    }

    fn referred(
        &mut self,
        covering: UnitRef<'_, Bounded<'a>>,
        place: &Place<'a>,
        reference: Reference<'a>,
    ) -> Option<Place<'a>> {
        match reference {
            Reference::Type(value) => self.follow(covering, place, value?),
            Reference::Count(_) => None,
        }
    }

    /// What an entry is an instance of.
    fn origin(
        &mut self,
        covering: UnitRef<'_, Bounded<'a>>,
        place: &Place<'a>,
        entry: &gimli::DebuggingInformationEntry<Bounded<'a>>,
    ) -> Option<Place<'a>> {
        let origin = entry.attr_value(gimli::DW_AT_abstract_origin);
        self.follow(
            covering,
            place,
            origin.or_else(|| entry.attr_value(gimli::DW_AT_specification))?,
        )
    }

    fn follow(
        &mut self,
        covering: UnitRef<'_, Bounded<'a>>,
        place: &Place<'a>,
        value: AttributeValue<Bounded<'a>>,
    ) -> Option<Place<'a>> {
        let dwarf = covering.dwarf;
        match value {
            AttributeValue::UnitRef(next) => Some(match place {
                Place::Covering(_) => Place::Covering(next),
                Place::Other(unit, _) => Place::Other(unit.clone(), next),
            }),
            AttributeValue::DebugInfoRef(next) if dwarf.file_type == DwarfFileType::Main => {
                let unit = self.containing(dwarf, next)?;
                let offset = next.to_unit_offset(&unit.header)?;
                Some(Place::Other(unit, offset))
            }
            _ => None,
        }
    }

    fn containing(
        &mut self,
        dwarf: &Dwarf<Bounded<'a>>,
        offset: DebugInfoOffset,
    ) -> Option<Arc<Unit<Bounded<'a>>>> {
        let starts = self.starts.get_or_init(|| {
            let mut headers = dwarf.units();
            let mut starts = Vec::new();
            while let Ok(Some(header)) = headers.next() {
                starts.extend(header.debug_info_offset());
            }
            starts
        });
        let start = starts[..starts.partition_point(|start| start.0 <= offset.0)].last()?;
        let parse = || dwarf.unit(dwarf.unit_header(*start).ok()?).ok().map(Arc::new);
        self.parsed.entry(start.0).or_insert_with(parse).clone()
    }
}

/// What a child says: its type, or how many.
enum Reference<'a> {
    Type(Option<AttributeValue<Bounded<'a>>>),
    Count(u64),
}

/// The children of an entry with a tag; `None` among them for one that says nothing.
fn children<'a>(
    unit: UnitRef<'_, Bounded<'a>>,
    offset: UnitOffset,
    tag: DwTag,
) -> Vec<Option<Reference<'a>>> {
    let mut found = Vec::new();
    let Ok(mut tree) = unit.entries_tree(Some(offset)) else { return found };
    let Ok(root) = tree.root() else { return found };
    let mut all = root.children();
    for _ in 0..MAX_CHILDREN {
        let Ok(Some(child)) = all.next() else { break };
        let entry = child.entry();
        if entry.tag() != tag {
            // Generic arguments follow each other.
            if !found.is_empty() {
                break;
            }
            continue;
        }
        found.push(if tag == gimli::DW_TAG_subrange_type {
            let count = entry.attr_value(gimli::DW_AT_count).and_then(|count| count.udata_value());
            count.map(Reference::Count)
        } else {
            Some(Reference::Type(entry.attr_value(gimli::DW_AT_type)))
        });
    }
    found
}
