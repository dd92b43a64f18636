use crate::call::Hex;
use crate::secret::Secret;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use std::fmt;
use zeroize::Zeroizing;

/// A key under which digests are taken: HMAC-SHA-256 (RFC 2104, FIPS 198-1).
///
/// It is never shown, and wiped from memory when it is dropped.
#[derive(Clone)]
pub struct DigestKey {
    /// With the key worked in, so that each digest begins behind it.
    keyed: Hmac<Sha256>,
    id: [u8; 8],
}

impl DigestKey {
    /// The key with these bytes. They must be random: who can guess the key can guess what was
    /// hashed.
    pub fn new(key: &Secret<[u8; 32]>) -> Self {
        let key = key.expose();
        let mut name = Sha256::new_with_prefix(b"sec0 digest key");
        name.update(key);
        let mut id = [0; 8];
        id.iter_mut().zip(name.finalize()).for_each(|(to, from)| *to = from);
        // A key as long as a block, which is what zeros make of a shorter one.
        let mut block = Zeroizing::new([0; 64]);
        block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
        Self { keyed: Hmac::new((&*block).into()), id }
    }

    /// What tells one key from another, and says nothing else of it: the first 8 bytes of
    /// SHA-256 over `sec0 digest key` and the key.
    pub fn id(&self) -> [u8; 8] {
        self.id
    }

    /// The digest of `bytes` under this key.
    pub fn digest(&self, bytes: &[u8]) -> [u8; 32] {
        self.keyed.clone().chain_update(bytes).finalize().into_bytes().into()
    }
}

/// Shows the id.
impl fmt::Debug for DigestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DigestKey({})", Hex(&self.id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(bytes: &[u8]) -> DigestKey {
        let mut padded = [0; 32];
        padded[..bytes.len()].copy_from_slice(bytes);
        DigestKey::new(&Secret::new(padded))
    }

    /// RFC 4231, cases 1 to 3: their keys are shorter, and zeros at the end are no other key.
    #[test]
    fn digests_are_those_of_rfc_4231() {
        for (key_bytes, data, expected) in [
            (
                &[0x0b; 20][..],
                &b"Hi There"[..],
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                &[0xaa; 20],
                &[0xdd; 50],
                "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
            ),
        ] {
            assert_eq!(Hex(&key(key_bytes).digest(data)).to_string(), expected);
        }
    }

    #[test]
    fn another_key_gives_another_digest_and_another_id() {
        let (one, other) = (key(&[1; 32]), key(&[2; 32]));
        assert_ne!(one.digest(b"x"), other.digest(b"x"));
        assert_ne!(one.id(), other.id());
        assert_eq!(one.clone().digest(b"x"), one.digest(b"x"), "a digest leaves nothing behind");
        let mut named = b"sec0 digest key".to_vec();
        named.extend([1; 32]);
        assert_eq!(one.id(), crate::digest::Digest::of(&named).as_bytes()[..8]);
    }

    #[test]
    fn a_key_is_never_shown() {
        let shown = format!("{:?}", key(&[0x5a; 32]));
        assert_eq!(shown, format!("DigestKey({})", Hex(&key(&[0x5a; 32]).id())));
        assert!(!shown.contains("5a5a"));
    }
}
