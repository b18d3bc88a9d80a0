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
use super::owner::{Owner, Owners};

/// How often a function's entry may refer to another for its name.
const MAX_REFERENCES: usize = 8;

/// Children of a function's entry that are looked at for its generic arguments.
const MAX_CHILDREN: usize = 256;

/// At a call: the type of what is allocated. LLVM 22 writes it for `new`, and DWARF 6 has the like.
const DW_AT_LLVM_ALLOC_TYPE: gimli::DwAt = gimli::DwAt(0x3e0e);

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
    /// Whether a unit was written in C++, by where it starts.
    cpp: HashMap<usize, bool>,
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
        self.owner(covering, offset)?.1.bytes
    }

    /// Bytes of a value of the first type that the class of the function at `offset` has as an argument.
    pub(super) fn owner_argument_bytes(
        &mut self,
        context: &Context<Bounded<'a>>,
        address: u64,
        offset: UnitOffset,
    ) -> Option<u64> {
        let covering = context.find_dwarf_and_unit(address).skip_all_loads()?;
        let (place, owner) = self.owner(covering, offset)?;
        let argument =
            children(place.unit(covering), owner.offset, gimli::DW_TAG_template_type_parameter);
        let argument = argument.into_iter().next()??;
        let place = match place {
            Place::Covering(_) => Place::Covering(owner.offset),
            Place::Other(unit, _) => Place::Other(unit, owner.offset),
        };
        let of = self.referred(covering, &place, argument)?;
        self.aliased_bytes(covering, of)
    }

    /// The type that the function at `offset` is a method of, and where its declaration stands.
    fn owner(
        &mut self,
        covering: UnitRef<'_, Bounded<'a>>,
        offset: UnitOffset,
    ) -> Option<(Place<'a>, Owner)> {
        let place = self.declaration(covering, offset)?;
        let unit = place.unit(covering);
        let start = unit.header.debug_info_offset()?.0;
        let owner = self.owners.owner(start, unit, place.offset())?;
        Some((place, owner))
    }

    /// What the call allocates that returns to `return_address`, in the function at `offset`: the type as C++ writes it, with
    /// `[]` behind it if there may be many, and the bytes of a value. None if debug information does not say, as of most compilers it does not.
    pub(super) fn allocated_by_call(
        &mut self,
        context: &Context<Bounded<'a>>,
        address: u64,
        offset: UnitOffset,
        return_address: u64,
    ) -> Option<(String, u64)> {
        let covering = context.find_dwarf_and_unit(address).skip_all_loads()?;
        if !self.is_cpp(covering) {
            return None;
        }
        let call = call_site(covering, offset, return_address).ok()??;
        let here = Place::Covering(offset);
        let called = self.follow(covering, &here, call.called?)?;
        let of = self.follow(covering, &here, call.allocated?)?;
        let name = self.cpp_name(covering, &of, 0)?;
        let name = match &*self.cpp_name(covering, &called, 0)? {
            "operator new" => name,
            "operator new[]" => name + "[]",
            _ => return None,
        };
        Some((name, self.aliased_bytes(covering, of)?))
    }

    /// Whether a unit was written in C++.
    fn is_cpp(&mut self, unit: UnitRef<'_, Bounded<'a>>) -> bool {
        let Some(start) = unit.header.debug_info_offset() else { return false };
        *self.cpp.entry(start.0).or_insert_with(|| {
            let language = unit.entry(unit.header.root_offset()).ok();
            let language = language.and_then(|root| root.attr_value(gimli::DW_AT_language));
            matches!(
                language,
                Some(AttributeValue::Language(
                    gimli::DW_LANG_C_plus_plus
                        | gimli::DW_LANG_C_plus_plus_03
                        | gimli::DW_LANG_C_plus_plus_11
                        | gimli::DW_LANG_C_plus_plus_14
                        | gimli::DW_LANG_C_plus_plus_17
                        | gimli::DW_LANG_C_plus_plus_20
                ))
            )
        })
    }

    /// A type as C++ writes it, without namespaces; `None` where that takes more than a name and asterisks.
    fn cpp_name(
        &mut self,
        covering: UnitRef<'_, Bounded<'a>>,
        place: &Place<'a>,
        depth: usize,
    ) -> Option<String> {
        let unit = place.unit(covering);
        let entry = unit.entry(place.offset()).ok()?;
        if let Some(name) = entry.attr_value(gimli::DW_AT_name) {
            return Some(unit.attr_string(name).ok()?.text(MAX_NAME_BYTES)?.into_owned());
        }
        let end = match entry.tag() {
            gimli::DW_TAG_pointer_type => "*",
            gimli::DW_TAG_const_type => "",
            _ => return None,
        };
        if depth == MAX_REFERENCES {
            return None;
        }
        let inner = match entry.attr_value(gimli::DW_AT_type) {
            Some(_) => {
                let inner = self.attribute_type(covering, place, &entry)?;
                self.cpp_name(covering, &inner, depth + 1)?
            }
            None => "void".to_owned(),
        };
        Some(inner + end)
    }

    /// Bytes of a value of a type that may be a name for another.
    fn aliased_bytes(
        &mut self,
        covering: UnitRef<'_, Bounded<'a>>,
        mut of: Place<'a>,
    ) -> Option<u64> {
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

/// What is said of a call.
#[derive(Default)]
struct CallSite<'a> {
    called: Option<AttributeValue<Bounded<'a>>>,
    allocated: Option<AttributeValue<Bounded<'a>>>,
}

/// What is said of the call that returns to `return_address`, in the function at `offset`.
fn call_site<'a>(
    unit: UnitRef<'_, Bounded<'a>>,
    offset: UnitOffset,
    return_address: u64,
) -> gimli::Result<Option<CallSite<'a>>> {
    let mut entries = unit.entries_raw(Some(offset))?;
    while !entries.is_empty() {
        // Beside the function's entry is the next one.
        if entries.next_depth() <= 0 && entries.next_offset() != offset {
            break;
        }
        let Some(abbreviation) = entries.read_abbreviation()? else { continue };
        // The second is an extension, before DWARF 5.
        if !matches!(abbreviation.tag(), gimli::DW_TAG_call_site | gimli::DW_TAG_GNU_call_site) {
            entries.skip_attributes(abbreviation.attributes())?;
            continue;
        }
        let (mut is_wanted, mut call) = (false, CallSite::default());
        for specification in abbreviation.attributes() {
            let attribute = entries.read_attribute(*specification)?;
            match attribute.name() {
                gimli::DW_AT_call_return_pc | gimli::DW_AT_low_pc => {
                    is_wanted = unit.attr_address(attribute.value())? == Some(return_address);
                }
                gimli::DW_AT_call_origin | gimli::DW_AT_abstract_origin => {
                    call.called = Some(attribute.value());
                }
                DW_AT_LLVM_ALLOC_TYPE => call.allocated = Some(attribute.value()),
                _ => {}
            }
        }
        if is_wanted {
            return Ok(Some(call));
        }
    }
    Ok(None)
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
