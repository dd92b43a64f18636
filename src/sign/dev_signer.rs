//! A signer whose key lies in a file on this machine.

use super::{KeyError, PublicKey, Signature, Signer, Signing, key_dirs, key_file};
use crate::secret::Secret;
use ed25519_dalek::{Signer as _, SigningKey};
use std::fmt;
use std::path::{Path, PathBuf};

/// Signs with an Ed25519 key in the memory of this process, and answers at once.
///
/// Whoever can read the memory or the file has the key, so it suits development and machines that
/// are guarded otherwise. The memory is wiped when the signer is dropped.
pub struct LocalDevSigner {
    key: SigningKey,
}

impl LocalDevSigner {
    /// Loads the key that a configuration names: `file://` and a path, trimmed, from the current
    /// directory on, without URL decoding.
    ///
    /// The file must lie in an allowed directory once links are resolved on both sides:
    /// `.sec0/keys`, `keys`, `config/keys`, `.sec0/secrets` or `secrets` in the current directory,
    /// or those that the environment variable `SEC0_SIGNER_KEY_DIRS` lists, with commas, in their
    /// place. The variable is read at each load.
    ///
    /// # Errors
    ///
    /// When the reference is not such a one, the file lies elsewhere, or
    /// [`read_seed`](key_file::read_seed) refuses it.
    pub fn from_key_ref(key_ref: &str) -> Result<Self, KeyError> {
        Self::from_key_ref_in(key_ref, &key_dirs::from_env()?)
    }

    /// Loads the key that a configuration names, as [`from_key_ref`](Self::from_key_ref), from
    /// these directories and no others.
    ///
    /// # Errors
    ///
    /// As [`from_key_ref`](Self::from_key_ref).
    pub fn from_key_ref_in(key_ref: &str, dirs: &[PathBuf]) -> Result<Self, KeyError> {
        let path = key_dirs::path_of(key_ref)?;
        let resolved = key_dirs::contained(&path, dirs)?;
        key_file::read_resolved(&path, &resolved).map(|seed| Self::from_secret(&seed))
    }

    /// Loads the key from a file that the caller names, wherever it lies.
    ///
    /// # Errors
    ///
    /// When [`read_seed`](key_file::read_seed) refuses the file.
    pub fn from_file(path: &Path) -> Result<Self, KeyError> {
        key_file::read_seed(path).map(|seed| Self::from_secret(&seed))
    }

    /// The signer with this seed (RFC 8032 calls it the private key), for tests and for keys that
    /// come from elsewhere.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self::from_secret(&Secret::new(seed))
    }

    /// Signs at once, where nobody needs to wait.
    pub fn sign_now(&self, message: &[u8]) -> Signature {
        Signature::from_bytes(self.key.sign(message).to_bytes())
    }

    fn from_secret(seed: &Secret<[u8; 32]>) -> Self {
        Self { key: SigningKey::from_bytes(seed.expose()) }
    }
}

impl Signer for LocalDevSigner {
    fn public_key(&self) -> PublicKey {
        PublicKey::from_bytes(self.key.verifying_key().to_bytes())
    }

    fn sign<'a>(&'a self, message: &'a [u8]) -> Signing<'a> {
        Box::pin(std::future::ready(Ok(self.sign_now(message))))
    }
}

impl fmt::Debug for LocalDevSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalDevSigner({})", self.public_key().key_id())
    }
}
