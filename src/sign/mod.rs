//! Signatures: who signs the records, and how a reader checks them.

use crate::digest::Digest;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

/// A signature that is still being made.
pub type Signing<'a> = Pin<Box<dyn Future<Output = Result<Signature, SignError>> + Send + 'a>>;

/// Signs records with one Ed25519 key.
///
/// A local key answers at once; a key management service may take its time and may fail. The
/// writer of the log calls it one record at a time, off the reply path, and refuses calls while it
/// fails.
///
/// # Cancel safety
///
/// The future may be dropped at any time; a signature that nobody waits for has no effect.
pub trait Signer: fmt::Debug + Send + Sync {
    /// The public half of the key.
    fn public_key(&self) -> PublicKey;

    /// Signs `message`: Ed25519 over exactly these bytes (RFC 8032).
    fn sign<'a>(&'a self, message: &'a [u8]) -> Signing<'a>;
}

/// An Ed25519 signature: 64 bytes.
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

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(…)")
    }
}

/// An Ed25519 public key: 32 bytes.
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
        format!("ed25519:{}", Digest::of(&self.0))
    }
}

/// Why a signer did not sign. The text goes to the operator's log, never to a caller.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SignError(String);

impl SignError {
    /// The failure that `cause` describes, in words for an operator and without secrets.
    pub fn new(cause: impl fmt::Display) -> Self {
        Self(cause.to_string())
    }
}
