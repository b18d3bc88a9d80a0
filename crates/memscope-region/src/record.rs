//! The record of a block: 64 bits for each granule of address space.
//!
//! ```text
//! bit  0..24   site id (0: no block begins here)
//!     24..47   requested size in bytes; all ones: the size stands in the next record
//!     47..63   birth
//!     63       mark: the site has a label or a task; without a site: made while its thread was set aside
//! ```
//!
//! The record of a block stands at the granule in which the block begins. A block of 64 bytes or more covers the
//! next granule whole, no other block can begin there, and so that record is free to hold the size of a block
//! that is too large for 23 bits. The size is therefore exact, and no allocator need be asked for it.

/// Bits for the site.
pub const SITE_BITS: u32 = 24;
/// Bits for the size.
pub const SIZE_BITS: u32 = 23;
/// Bits for the birth.
pub const BIRTH_BITS: u32 = 16;
/// The size field of a block whose size stands in the next record.
pub const SIZE_ELSEWHERE: u64 = (1 << SIZE_BITS) - 1;

const SITE_MASK: u64 = (1 << SITE_BITS) - 1;
const BIRTH_SHIFT: u32 = SITE_BITS + SIZE_BITS;
/// The mark.
pub const MARK: u64 = 1 << (BIRTH_SHIFT + BIRTH_BITS);

const _: () = assert!(SITE_BITS + SIZE_BITS + BIRTH_BITS + 1 == 64);

/// A record. Zero: no block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record(pub u64);

impl Record {
    /// The record of a block of `size` bytes. If [`Record::size_is_elsewhere`], the caller stores the size in the
    /// next record.
    #[inline(always)]
    pub const fn new(site: u32, size: u64, birth: Birth) -> Self {
        let field = if size < SIZE_ELSEWHERE { size } else { SIZE_ELSEWHERE };
        Self(site as u64 & SITE_MASK | field << SITE_BITS | (birth.0 as u64) << BIRTH_SHIFT)
    }

    /// The site id, 0 if no block begins here.
    #[inline(always)]
    pub const fn site(self) -> u32 {
        (self.0 & SITE_MASK) as u32
    }

    /// The size field.
    #[inline(always)]
    pub const fn size_field(self) -> u64 {
        self.0 >> SITE_BITS & SIZE_ELSEWHERE
    }

    /// Whether the size stands in the next record.
    #[inline(always)]
    pub const fn size_is_elsewhere(self) -> bool {
        self.size_field() == SIZE_ELSEWHERE
    }

    /// When the block was allocated.
    #[inline(always)]
    pub const fn birth(self) -> Birth {
        Birth((self.0 >> BIRTH_SHIFT) as u16)
    }

    /// The record of the same block at another site, which has a label.
    pub const fn moved_to(self, site: u32) -> Self {
        Self(self.0 & !SITE_MASK | site as u64 & SITE_MASK | MARK)
    }

    /// Whether it bears the mark, so that whoever frees the block looks at its site.
    #[inline(always)]
    pub const fn is_marked(self) -> bool {
        self.0 & MARK != 0
    }
}

/// A time since the process's start in 16 bits: milliseconds as a floating-point number with 11 bits of mantissa
/// and 5 of exponent, so exact up to 4 s, then to within 1/2048 of the time passed.
///
/// ```
/// use memscope_region::record::Birth;
/// assert_eq!(Birth::from_ms(1_234).ms(), 1_234);
/// let hour = Birth::from_ms(3_600_000);
/// assert!(hour.ms() <= 3_600_000 && hour.ms() > 3_600_000 - 3_600_000 / 1024);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Birth(pub u16);

impl Birth {
    /// The last time at or before `ms` that can be written. Times from 2^42 ms (140 years) on are cut to the last.
    pub const fn from_ms(ms: u64) -> Self {
        Self(short(ms))
    }

    /// Milliseconds since the start.
    pub const fn ms(self) -> u64 {
        from_short(self.0)
    }
}

const MANTISSA_BITS: u32 = 11;

/// A number in 16 bits, rounded down: exact below 4096, then to within 1/2048 of it. Larger numbers have larger short forms,
/// and below 4096 the short form is the number. From 2^42 on it is cut to the last.
///
/// ```
/// use memscope_region::record::{from_short, short};
/// assert_eq!(short(4095), 4095);
/// assert_eq!(from_short(short(24 << 20)), 24 << 20);
/// assert_eq!(from_short(short(1_000_001)), 999_936);
/// ```
pub const fn short(number: u64) -> u16 {
    let bits = u64::BITS - number.leading_zeros();
    if bits <= MANTISSA_BITS {
        return number as u16;
    }
    // The leading one is implied, as in IEEE 754; exponent 0 is the subnormal range, exact.
    let exponent = bits - MANTISSA_BITS;
    if exponent > 31 {
        return u16::MAX;
    }
    let mantissa = (number >> (exponent - 1)) & ((1 << MANTISSA_BITS) - 1);
    (exponent << MANTISSA_BITS) as u16 | mantissa as u16
}

/// The number that [`short`] made of it, but for what was rounded off.
pub const fn from_short(short: u16) -> u64 {
    let exponent = short as u32 >> MANTISSA_BITS;
    let mantissa = short as u64 & ((1 << MANTISSA_BITS) - 1);
    if exponent == 0 {
        mantissa
    } else {
        mantissa << (exponent - 1) | 1 << (MANTISSA_BITS + exponent - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn births_are_monotonic_and_within_their_bound() {
        let mut last = Birth(0);
        for ms in (0..20_000).chain((15..42).map(|bit| 1 << bit)).chain([u64::MAX]) {
            let birth = Birth::from_ms(ms);
            assert!(birth >= last);
            last = birth;
            if ms < 1 << 42 {
                assert!(
                    birth.ms() <= ms && ms - birth.ms() <= ms / 2048,
                    "{ms} became {}",
                    birth.ms()
                );
            }
        }
    }

    #[test]
    fn a_record_keeps_what_it_is_given() {
        for size in [0, 1, 47, SIZE_ELSEWHERE - 1, SIZE_ELSEWHERE, SIZE_ELSEWHERE + 1, u64::MAX] {
            let record = Record::new((1 << 24) - 1, size, Birth(0xabcd));
            assert_eq!(
                (record.site(), record.birth(), record.is_marked()),
                ((1 << 24) - 1, Birth(0xabcd), false)
            );
            assert_eq!(record.size_is_elsewhere(), size >= SIZE_ELSEWHERE);
            assert!(record.size_is_elsewhere() || record.size_field() == size);
        }
    }
}
