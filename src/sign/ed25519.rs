//! Checking a signature, under one policy.
//!
//! RFC 8032 leaves open what libraries therefore decide differently. Here, a signature is accepted
//! when all of this holds:
//!
//! - The public key is the one encoding of a point of the curve, and not a point of low order:
//!   such a key accepts one signature for nearly every message.
//! - R is the one encoding of a point, and not of low order.
//! - S is below the order of the group, so that no second signature can be made from a first.
//! - `[S]B = R + [k]A` holds as it stands, without the factor 8, where k is taken over R and A as
//!   they came. What holds only with the factor is refused.
//!
//! A key or an R with a part of low order (but not of low order itself) is accepted when the
//! equation holds exactly. Only whoever holds the key can make such a signature, and only on
//! purpose.
//!
//! Every verdict of the Wycheproof vectors is the same. The other collections give no verdicts but
//! flags. Where libraries differ on them, this is the policy of `verify_strict` in ed25519-dalek,
//! with one difference: that one accepts a key in a second encoding of its point when its order is
//! high.

use super::{PublicKey, Signature};
use ed25519_dalek::VerifyingKey;

/// Checks that `signature` is the signature of `key` over exactly `message`. To check many with
/// one key, make a [`Verifier`].
///
/// # Errors
///
/// When the key is not one, or the signature is not the key's over this message.
pub fn verify(key: &PublicKey, message: &[u8], signature: &Signature) -> Result<(), VerifyError> {
    Verifier::new(key)?.verify(message, signature)
}

/// A public key that was checked and unpacked once, to verify many signatures.
#[derive(Debug, Clone)]
pub struct Verifier {
    key: VerifyingKey,
}

impl Verifier {
    /// Unpacks `key`.
    ///
    /// # Errors
    ///
    /// When it is no point of the curve, not in its one encoding, or of low order.
    pub fn new(key: &PublicKey) -> Result<Self, VerifyError> {
        let unpacked = VerifyingKey::from_bytes(key.as_bytes())
            .map_err(|_says_no_more| VerifyError::KeyNotAPoint)?;
        // The library unpacks a point from any of its encodings.
        if unpacked.to_edwards().compress().as_bytes() != key.as_bytes() {
            return Err(VerifyError::KeyNotCanonical);
        }
        if unpacked.is_weak() {
            return Err(VerifyError::KeyOfLowOrder);
        }
        Ok(Self { key: unpacked })
    }

    /// The key it checks with.
    pub fn public_key(&self) -> PublicKey {
        PublicKey::from_bytes(self.key.to_bytes())
    }

    /// Checks that `signature` is the key's over exactly `message`.
    ///
    /// # Errors
    ///
    /// When it is not.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), VerifyError> {
        let signature = ed25519_dalek::Signature::from_bytes(signature.as_bytes());
        self.key.verify_strict(message, &signature).map_err(|_says_no_more| VerifyError::NotSigned)
    }
}

/// Why a signature was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The key is 32 bytes that stand for no point.
    #[error("the public key is not a point of the Ed25519 curve")]
    KeyNotAPoint,
    /// The key has another encoding, which is the right one.
    #[error("the public key is not in its canonical encoding")]
    KeyNotCanonical,
    /// The key would accept signatures that nobody made.
    #[error("the public key is of low order, so anyone could sign for it")]
    KeyOfLowOrder,
    /// The signature is malformed, or of another key, or over other bytes.
    #[error("the signature is not this key's over these bytes")]
    NotSigned,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign::{LocalDevSigner, Signer};

    fn key(hex: &str) -> PublicKey {
        let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
        let bytes: Vec<u8> = hex.as_bytes().chunks(2).map(byte).collect();
        PublicKey::from_bytes(bytes.try_into().unwrap())
    }

    #[test]
    fn accepts_the_signature_and_refuses_any_flipped_bit() {
        let signer = LocalDevSigner::from_seed([7; 32]);
        let signature = signer.sign_now(b"message");
        let verifier = Verifier::new(&signer.public_key()).unwrap();
        assert_eq!(verifier.verify(b"message", &signature), Ok(()));
        assert_eq!(verifier.verify(b"massage", &signature), Err(VerifyError::NotSigned));
        for bit in (0..512).step_by(7) {
            let mut bytes = *signature.as_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let flipped = Signature::from_bytes(bytes);
            assert_eq!(verifier.verify(b"message", &flipped), Err(VerifyError::NotSigned));
        }
    }

    #[test]
    fn accepts_the_second_test_of_rfc_8032() {
        let signer = LocalDevSigner::from_seed(
            *key("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb").as_bytes(),
        );
        let public = key("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
        assert_eq!(signer.public_key(), public);
        let signature = signer.sign_now(&[0x72]);
        assert_eq!(signature.as_bytes()[..4], [0x92, 0xa0, 0x09, 0xa9]);
        assert_eq!(verify(&public, &[0x72], &signature), Ok(()));
    }

    #[test]
    fn refuses_keys_that_are_no_points_or_stand_for_them_twice() {
        let field_prime_plus = |n: &str| key(&format!("{n}{}7f", "ff".repeat(30)));
        let error = |key| Verifier::new(&key).unwrap_err();
        assert_eq!(error(PublicKey::from_bytes([2; 32])), VerifyError::KeyNotAPoint);
        assert_eq!(error(PublicKey::from_bytes([0; 32])), VerifyError::KeyOfLowOrder);
        assert_eq!(error(field_prime_plus("ee")), VerifyError::KeyNotCanonical);
        // p + 3 is not of low order, and still a second encoding.
        assert_eq!(error(field_prime_plus("f0")), VerifyError::KeyNotCanonical);
    }
}
