//! Digests of exact bytes: SHA-256, and HMAC-SHA-256 under a key of the operator's.
//!
//! A SHA-256 of arguments that somebody can guess says whether the guess is right. Under a
//! [`DigestKey`] only who has the key can try.

mod key;
mod sha256;

mod fingerprint;

pub use fingerprint::Fingerprint;
pub use key::DigestKey;
pub use sha256::Digest;
