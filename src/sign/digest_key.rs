//! The key file of the digests.

use super::{KeyError, encoding, key_dirs, key_file};
use crate::digest::DigestKey;
use crate::secret::Secret;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// Reads the key of the digests that a configuration names: base64 of 32 bytes.
///
/// The reference, the directories that it may lead to and the file are held to the rules of the
/// signing key: see [`LocalDevSigner::from_key_ref`](super::LocalDevSigner::from_key_ref).
///
/// # Errors
///
/// When the reference is not such a one, the file lies elsewhere, cannot be read, is open to
/// others, or holds something else.
pub fn read_digest_key(key_ref: &str) -> Result<DigestKey, KeyError> {
    read_digest_key_in(key_ref, &key_dirs::from_env()?)
}

/// Reads the key of the digests as [`read_digest_key`], from these directories and no others.
///
/// # Errors
///
/// As [`read_digest_key`].
pub fn read_digest_key_in(key_ref: &str, dirs: &[PathBuf]) -> Result<DigestKey, KeyError> {
    let path = key_dirs::path_of(key_ref)?;
    let resolved = key_dirs::contained(&path, dirs).map_err(of_digests)?;
    let mut room = Zeroizing::new([0; key_file::LONGEST + 1]);
    let text = key_file::read_private(&path, &resolved, room.as_mut_slice()).map_err(of_digests)?;
    let key = encoding::decode_any(text.trim_ascii(), |bytes| {
        bytes.try_into().map(|key| DigestKey::new(&Secret::new(key))).ok()
    });
    key.ok_or(KeyError::NotADigestKey { path })
}

/// The same error, of a file that is no signing key.
fn of_digests(error: KeyError) -> KeyError {
    if let KeyError::Unreadable { path, cause } = error {
        return KeyError::DigestKeyUnreadable { path, cause };
    }
    if let KeyError::OpenToOthers { path, mode } = error {
        return KeyError::DigestKeyOpenToOthers { path, mode };
    }
    error
}
