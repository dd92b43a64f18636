use super::{Digest, DigestKey};
use crate::call::Hex;
use std::fmt;

/// A digest that is taken under a key where there is one, and says which it is.
///
/// Prints as `sha256:` or `hmac-sha256:` and 64 lower-case hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a record has a member for each")]
pub enum Fingerprint {
    /// HMAC-SHA-256: only who has the key can take it again.
    Hmac([u8; 32]),
    /// SHA-256: anybody who can guess the bytes can check the guess.
    Sha256([u8; 32]),
}

impl Fingerprint {
    /// The fingerprint of `bytes`, under `key` if there is one.
    pub fn of(bytes: &[u8], key: Option<&DigestKey>) -> Self {
        match key {
            Some(key) => Self::Hmac(key.digest(bytes)),
            None => Self::Sha256(*Digest::of(bytes).as_bytes()),
        }
    }

    /// The digest, where no key took part in it.
    pub fn sha256(self) -> Option<[u8; 32]> {
        match self {
            Self::Hmac(_) => None,
            Self::Sha256(digest) => Some(digest),
        }
    }

    /// The digest, where a key took part in it.
    pub fn hmac(self) -> Option<[u8; 32]> {
        match self {
            Self::Hmac(digest) => Some(digest),
            Self::Sha256(_) => None,
        }
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, digest) = match self {
            Self::Hmac(digest) => ("hmac-sha256", digest),
            Self::Sha256(digest) => ("sha256", digest),
        };
        write!(f, "{name}:{}", Hex(digest))
    }
}
