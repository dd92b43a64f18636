//! A signature and its text.

use super::encoding::{self, EncodingError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt;
use std::str::FromStr;

/// An Ed25519 signature: 64 bytes. Prints as records carry it, `ed25519:` and padded base64, and is
/// read from exactly that: no other text stands for the same signature.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature([u8; 64]);

impl Signature {
    /// The signature with these bytes; whether it is one is seen when it is verified.
    pub fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// Its 64 bytes.
    pub fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", encoding::PREFIX, encoding::encode(&self.0))
    }
}

impl FromStr for Signature {
    type Err = EncodingError;

    fn from_str(text: &str) -> Result<Self, EncodingError> {
        let read = || {
            let mut room = [0; 66];
            let bare = text.strip_prefix(encoding::PREFIX)?;
            let len = STANDARD.decode_slice(bare, &mut room).ok()?;
            room.get(..len)?.try_into().ok()
        };
        read().map(Self).ok_or(EncodingError {
            what: "a signature",
            prefix: "`ed25519:` and ",
            bytes: 64,
        })
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_only_the_text_it_prints() {
        let signature = Signature::from_bytes([0xFF; 64]);
        let text = signature.to_string();
        assert_eq!(text.parse(), Ok(signature));
        for other in [
            text.replace('/', "_"),
            text.trim_end_matches('=').to_owned(),
            text.replace("w==", "x=="),
            text.replace("ed25519:", ""),
            format!("{text} "),
            format!("{text}AAAA"),
            "ed25519:".to_owned(),
        ] {
            assert!(other.parse::<Signature>().is_err(), "{other}");
        }
    }

    #[test]
    fn says_what_was_expected_and_not_what_was_found() {
        let error = "c2VjcmV0".parse::<Signature>().unwrap_err().to_string();
        assert_eq!(error, "expected a signature: `ed25519:` and the base64 of 64 bytes");
    }
}
