use crate::call::Hex;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::hint::black_box;
use std::str::FromStr;

/// Names an escalation, and is the token with which a call presents its grant: 128 random bits.
/// Prints as 32 lower-case hex digits.
///
/// Two ids are compared in the same time wherever they differ. The order of ids is for maps, and is
/// not: a store that looks an id up by an index may take longer for a better guess, which is
/// nothing against 128 bits and a grant that is bound to call and caller besides.
#[derive(Clone, Copy, PartialOrd, Ord)]
pub struct EscalationId([u8; 16]);

/// A text that is no id. It is not shown: it may be one with a slip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an escalation id has 32 digits, each 0 to 9 or a to f")]
#[non_exhaustive]
pub struct NotAnId;

impl EscalationId {
    /// The first in the order of ids.
    pub(super) const LEAST: Self = Self([0; 16]);

    /// The id with these bits, which must come from the system's source of randomness.
    pub fn from_random(bits: [u8; 16]) -> Self {
        Self(bits)
    }

    /// Its 16 bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl FromStr for EscalationId {
    type Err = NotAnId;

    /// Reads only what is printed, so that one escalation has one name.
    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let digits: &[u8; 32] = text.as_bytes().try_into().map_err(|_other_length| NotAnId)?;
        let mut bits = [0; 16];
        for (byte, pair) in bits.iter_mut().zip(digits.as_chunks::<2>().0) {
            for digit in pair {
                let value = match digit {
                    b'0'..=b'9' => digit - b'0',
                    b'a'..=b'f' => digit - b'a' + 10,
                    _ => return Err(NotAnId),
                };
                *byte = *byte << 4 | value;
            }
        }
        Ok(Self(bits))
    }
}

impl PartialEq for EscalationId {
    fn eq(&self, other: &Self) -> bool {
        let pairs = self.0.iter().zip(&other.0);
        black_box(pairs.fold(0, |differ, (ours, theirs)| black_box(differ | (ours ^ theirs)))) == 0
    }
}

impl Eq for EscalationId {}

impl Hash for EscalationId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Display for EscalationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Hex(&self.0), f)
    }
}

impl fmt::Debug for EscalationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EscalationId({self})")
    }
}

impl Serialize for EscalationId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'d> Deserialize<'d> for EscalationId {
    fn deserialize<D: Deserializer<'d>>(from: D) -> Result<Self, D::Error> {
        Cow::<'d, str>::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_only_what_it_prints() {
        let id =
            EscalationId::from_random(std::array::from_fn(|at| u8::try_from(at).unwrap() * 17));
        let text = id.to_string();
        assert_eq!(text, "00112233445566778899aabbccddeeff");
        assert_eq!(text.parse(), Ok(id));
        let long = format!("{text}0");
        for other in
            ["", &text.replacen('0', "", 1), &long, &text.to_uppercase(), &text.replace('f', "g")]
        {
            assert_eq!(other.parse::<EscalationId>(), Err(NotAnId), "{other}");
        }
    }

    #[test]
    fn one_bit_makes_another_id() {
        let id = EscalationId::from_random([0x5A; 16]);
        for bit in 0..128 {
            let mut bits = [0x5A; 16];
            bits[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(EscalationId::from_random(bits), id);
        }
        assert_eq!(EscalationId::from_random([0x5A; 16]), id);
    }
}
