//! A public key with the name under which it signs notes.

use super::shown::shown;
use crate::call::Hex;
use crate::digest::Digest;
use crate::sign::PublicKey;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt;
use std::str::FromStr;

/// The longest name of a key, in bytes.
const MAX_NAME: usize = 4096;

/// The type byte of plain Ed25519 in C2SP signed-note.
const ED25519: u8 = 0x01;

/// An Ed25519 key that signs notes, with its name (C2SP signed-note). Prints as a verifier key,
/// `<name>+<key id in hex>+<base64 of the type and the key>`, and is read from exactly that.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VerifierKey {
    name: String,
    key: PublicKey,
    id: [u8; 4],
}

impl VerifierKey {
    /// The key `key` under the name `name`.
    ///
    /// # Errors
    ///
    /// When the name is empty, longer than 4096 bytes, or has a blank of any kind, a plus or a
    /// control character.
    pub fn new(name: &str, key: PublicKey) -> Result<Self, VerifierKeyError> {
        if !is_name(name) {
            return Err(VerifierKeyError::Name { name: shown(name) });
        }
        Ok(Self { name: name.to_owned(), key, id: id_of(name, &key) })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its public key.
    pub fn public_key(&self) -> PublicKey {
        self.key
    }

    /// The four bytes that a signature on a note carries to find its key:
    /// `SHA-256(name || 0x0A || 0x01 || key)[..4]`. They find a key and prove nothing.
    pub fn id(&self) -> [u8; 4] {
        self.id
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let typed = [&[ED25519], &self.key.as_bytes()[..]].concat();
        write!(f, "{}+{}+{}", self.name, Hex(&self.id), STANDARD.encode(typed))
    }
}

impl FromStr for VerifierKey {
    type Err = VerifierKeyError;

    fn from_str(text: &str) -> Result<Self, VerifierKeyError> {
        // The name has no plus, the base64 may.
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(typed)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(VerifierKeyError::Form { text: shown(text) });
        };
        let read = |typed| {
            let mut room = [0; 36];
            let len = STANDARD.decode_slice(typed, &mut room).ok()?;
            let (kind, key) = room.get(..len)?.split_first()?;
            (*kind == ED25519).then_some(PublicKey::from_bytes(key.try_into().ok()?))
        };
        let Some(key) = read(typed) else {
            return Err(VerifierKeyError::NotEd25519 { name: shown(name) });
        };
        let key = Self::new(name, key)?;
        if Hex(&key.id).to_string() != id {
            let expected = Hex(&key.id).to_string();
            return Err(VerifierKeyError::Id { name: shown(name), expected, found: shown(id) });
        }
        Ok(key)
    }
}

/// Whether a key may have this name.
pub(super) fn is_name(name: &str) -> bool {
    let is_refused = |c: char| c.is_whitespace() || c == '+' || c < ' ';
    !name.is_empty() && name.len() <= MAX_NAME && !name.contains(is_refused)
}

fn id_of(name: &str, key: &PublicKey) -> [u8; 4] {
    let hashed = [name.as_bytes(), &[b'\n', ED25519], key.as_bytes()].concat();
    let [a, b, c, d, ..] = *Digest::of(&hashed).as_bytes();
    [a, b, c, d]
}

/// Why a text is not the key of notes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifierKeyError {
    /// The name is not one.
    #[error(
        "`{name}` cannot be the name of a key on notes: a name has 1 to 4096 bytes, no blanks, no \
         `+` and no control characters"
    )]
    Name {
        /// The beginning of the name.
        name: String,
    },
    /// The three parts are not there.
    #[error(
        "`{text}` is not a verifier key: expected `name+id+key`, the id in hex, the key in base64"
    )]
    Form {
        /// The beginning of the text.
        text: String,
    },
    /// The key is of another kind, or malformed.
    #[error(
        "the verifier key `{name}` does not hold an Ed25519 key: expected the base64 of the byte 1 \
         and of 32 bytes"
    )]
    NotEd25519 {
        /// The beginning of the name.
        name: String,
    },
    /// The key id is not that of the name and the key: one of the three was changed.
    #[error(
        "the verifier key `{name}` has the id `{found}`, but its name and key make `{expected}`"
    )]
    Id {
        /// The beginning of the name.
        name: String,
        /// The id that the name and the key make.
        expected: String,
        /// The id in the text.
        found: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the specification.
    const SPEC: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";

    #[test]
    fn reads_and_prints_the_key_of_the_specification() {
        let key: VerifierKey = SPEC.parse().unwrap();
        assert_eq!((key.name(), key.id()), ("example.com/foo", [0x53, 0x0d, 0x90, 0x3a]));
        assert_eq!(key.to_string(), SPEC);
        assert_eq!(VerifierKey::new(key.name(), key.public_key()), Ok(key));
    }

    #[test]
    fn refuses_a_key_with_any_character_changed() {
        for at in 0..SPEC.len() {
            for other in ["A", "f", "+", "=", " ", "", "é"] {
                let (before, from) = SPEC.split_at(at);
                let changed = [before, other, from.split_at(1).1].concat();
                assert!(changed == SPEC || changed.parse::<VerifierKey>().is_err(), "{changed}");
            }
        }
        assert!(SPEC.replace("530d903a", "530D903A").parse::<VerifierKey>().is_err());
        assert!(format!("{SPEC}\n").parse::<VerifierKey>().is_err());
    }

    #[test]
    fn refuses_names_that_would_break_a_note() {
        let key = PublicKey::from_bytes([1; 32]);
        for name in
            ["", "a b", "a\u{a0}b", "a\u{2003}b", "a+b", "a\nb", "a\u{1}b", &"x".repeat(4097)]
        {
            assert!(VerifierKey::new(name, key).is_err(), "{name:?}");
        }
        assert!(VerifierKey::new(&"é".repeat(2048), key).is_ok());
    }
}
