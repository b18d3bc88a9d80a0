//! What blocks are, and how that is known. Made by [`crate::types`].

use super::{Profile, Site};
use serde::{Deserialize, Serialize};

/// What the blocks of some sites are.
///
/// ```
/// use memscope_profile::model::{HeapType, TypeEvidence, TypeLayout};
///
/// let orders = HeapType {
///     name: "Vec<Order>".into(),
///     evidence: TypeEvidence::SizeChecked,
///     layout: TypeLayout::Array,
///     value_bytes: 24,
/// };
/// assert_eq!(orders.capacity(1, 240), Some(10)); // room for so many orders
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct HeapType {
    /// As a person would write it: `Vec<Order>`, `HashMap<u64, Session> table`, `task: async fn worker`. Where only a
    /// function is known: `in parse_config`.
    pub name: String,
    /// How it is known.
    pub evidence: TypeEvidence,
    /// How values lie in a block.
    pub layout: TypeLayout,
    /// Bytes of a value (of an element, of a pair of a map); 0 if not known.
    pub value_bytes: u64,
}

/// How a type is known, the surest first.
///
/// ```
/// use memscope_profile::model::TypeEvidence;
///
/// assert!(TypeEvidence::SizeChecked < TypeEvidence::Named); // the surest first
/// assert!(!TypeEvidence::Raw.is_typed());
/// ```
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum TypeEvidence {
    /// A function names it, and its size fits all that was recorded of the site's blocks.
    SizeChecked,
    /// A function names it. There is no size to compare, or every size would fit.
    Named,
    /// Only the function is known that asked for the block. This is not called a type.
    Raw,
    /// Nothing is known.
    #[default]
    Unknown,
}

impl TypeEvidence {
    /// Whether it is evidence of a type. A comparison.
    ///
    /// ```
    /// use memscope_profile::model::TypeEvidence;
    ///
    /// assert!(TypeEvidence::Named.is_typed() && !TypeEvidence::Unknown.is_typed());
    /// ```
    pub fn is_typed(self) -> bool {
        matches!(self, TypeEvidence::SizeChecked | TypeEvidence::Named)
    }
}

/// How values lie in a block.
///
/// ```
/// use memscope_profile::model::{HeapType, TypeLayout};
///
/// let of = |layout| HeapType { layout, value_bytes: 8, ..HeapType::default() };
/// assert_eq!(of(TypeLayout::Array).capacity(1, 80), Some(10));
/// assert_eq!(of(TypeLayout::SharedArray).capacity(1, 80), Some(8)); // behind two counts of 8 bytes
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TypeLayout {
    /// Not known.
    #[default]
    Unknown,
    /// One value.
    Value,
    /// Values side by side.
    Array,
    /// A hash table.
    Table,
    /// Two counts, then values side by side.
    SharedArray,
}

impl Profile {
    /// What the blocks of a site of this profile are; `None` if nothing is known. A load.
    ///
    /// ```
    /// use memscope_profile::model::{HeapType, Profile, Site};
    ///
    /// let types = vec![HeapType { name: "String".into(), ..HeapType::default() }];
    /// let profile = Profile { types, ..Profile::default() };
    /// let site = Site { heap_type: 1, ..Site::default() };
    /// assert_eq!(profile.heap_type(&site).map(|it| it.name.as_str()), Some("String"));
    /// assert_eq!(profile.heap_type(&Site::default()), None);
    /// ```
    pub fn heap_type(&self, site: &Site) -> Option<&HeapType> {
        self.types.get((site.heap_type as usize).checked_sub(1)?)
    }
}
