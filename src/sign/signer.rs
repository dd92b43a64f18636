//! The seam between the records and whoever signs them.

use super::{PublicKey, Signature};
use std::fmt;
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
