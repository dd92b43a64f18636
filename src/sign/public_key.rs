//! The public half of a key.

use super::encoding::{self, EncodingError};
use crate::digest::Digest;
use std::fmt;
use std::str::FromStr;

/// An Ed25519 public key: 32 bytes. Prints as `ed25519:` and its base64, and is read from that or
/// from the bare base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// The key with these bytes; whether it is a point is seen when it verifies something.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key's name: `ed25519:` and the SHA-256 of the key in hex.
    pub fn key_id(&self) -> String {
        format!("{}{}", encoding::PREFIX, Digest::of(&self.0))
    }

    /// The key in bare base64, as `.pub` files hold it.
    pub fn to_base64(&self) -> String {
        encoding::encode(&self.0)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", encoding::PREFIX, self.to_base64())
    }
}

impl FromStr for PublicKey {
    type Err = EncodingError;

    fn from_str(text: &str) -> Result<Self, EncodingError> {
        let bare = text.strip_prefix(encoding::PREFIX).unwrap_or(text);
        encoding::decode_any(bare.as_bytes(), |bytes| bytes.try_into().map(Self).ok()).ok_or(
            EncodingError {
                what: "a public key",
                prefix: "`ed25519:`, or nothing, and ",
                bytes: 32,
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_prints() {
        let key = PublicKey::from_bytes([0xFB; 32]);
        assert_eq!(key.to_string().parse(), Ok(key));
        assert_eq!(key.to_base64().parse(), Ok(key));
        assert_eq!("-_".repeat(21).parse::<PublicKey>().unwrap_err().bytes, 32);
    }

    #[test]
    fn names_a_key_by_its_digest() {
        let id = PublicKey::from_bytes([0; 32]).key_id();
        assert_eq!(id, "ed25519:66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925");
    }
}
