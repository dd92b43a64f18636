use crate::call::Hex;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::Digest as _;
use std::{fmt, io};

/// A SHA-256 digest. Prints as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// The digest of all that `source` has to give.
    ///
    /// # Errors
    ///
    /// What reading it comes to.
    pub fn of_reader(mut source: impl io::Read) -> io::Result<Self> {
        let mut state = sha2::Sha256::new();
        let mut room = vec![0; 64 * 1024];
        loop {
            match source.read(&mut room) {
                Ok(0) => return Ok(Self(state.finalize().into())),
                Ok(count) => state.update(room.get(..count).unwrap_or(&room)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The digest with this value.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The digest that prints as `text`; `None` for every other text.
    pub fn from_hex(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        let mut bytes = [0; 32];
        if digits.len() != 64 {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            for digit in pair {
                let value = match digit {
                    b'0'..=b'9' => digit - b'0',
                    b'a'..=b'f' => digit - b'a' + 10,
                    _ => return None,
                };
                *byte = *byte << 4 | value;
            }
        }
        Some(Self(bytes))
    }

    /// The digest in base64 of the standard alphabet, padded: 44 characters.
    pub fn to_base64(&self) -> String {
        STANDARD.encode(self.0)
    }

    /// The digest that [`Digest::to_base64`] writes as `text`; `None` for every other text, so that
    /// one digest has one base64.
    pub fn from_base64(text: &str) -> Option<Self> {
        let mut room = [0; 33];
        // What does not fit is no digest either.
        let len = STANDARD.decode_slice(text, &mut room).ok()?;
        room.get(..len)?.try_into().ok().map(Self)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Hex(&self.0), f)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{self}")
    }
}

#[cfg(test)]
mod tests {
    use crate::digest::Digest;

    #[test]
    fn reads_from_hex_only_what_it_prints() {
        let digest = Digest::of(b"abc");
        let text = digest.to_string();
        assert_eq!(Digest::from_hex(&text), Some(digest));
        let (longer, other) = (format!("{text}00"), text.replace('b', "g"));
        for other in [&*text.to_uppercase(), &longer, &other, "", "ab"] {
            assert_eq!(Digest::from_hex(other), None, "{other}");
        }
    }

    #[test]
    fn a_reader_has_the_digest_of_its_bytes() {
        let bytes = vec![7; 200_000];
        assert_eq!(Digest::of_reader(bytes.as_slice()).unwrap(), Digest::of(&bytes));
    }

    #[test]
    fn reads_from_base64_only_what_it_writes() {
        let digest = Digest::from_bytes([0xFF; 32]);
        let text = digest.to_base64();
        assert_eq!(Digest::from_base64(&text), Some(digest));
        let stray_bits = text.replace("8=", "9=");
        let unpadded = text.trim_end_matches('=');
        let longer = format!("{text}{text}");
        for other in [&*stray_bits, unpadded, &longer, &text.replace('/', "_"), "/w==", "", " "] {
            assert_eq!(Digest::from_base64(other), None, "{other}");
        }
    }
}
