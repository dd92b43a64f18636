//! Signatures: who signs the records, and how a reader checks them.
//!
//! [`Signer`] is the seam: the writer of the log knows only it. [`LocalDevSigner`] signs with a
//! key file on this machine. [`Verifier`] checks signatures under one written policy.

mod dev_signer;
mod digest_key;
mod ed25519;
mod encoding;
mod key_dirs;
mod key_error;
pub mod key_file;
mod public_key;
mod signature;
mod signer;

#[cfg(test)]
mod tests;

// Whoever names keys otherwise asks for the same directories.
pub(crate) use key_dirs::{DIRS as KEY_DIRS_VARIABLE, absolute, allowed as allowed_key_dirs};

pub use dev_signer::LocalDevSigner;
pub use digest_key::{read_digest_key, read_digest_key_in};
pub use ed25519::{Verifier, VerifyError, verify};
pub use encoding::EncodingError;
pub use key_error::KeyError;
pub use public_key::PublicKey;
pub use signature::Signature;
pub use signer::{SignError, Signer, Signing};
