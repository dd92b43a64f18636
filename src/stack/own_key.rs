use crate::sign::{KeyError, LocalDevSigner, Signer as _, key_file};
use std::path::Path;

/// The key that the policy names, else the one in the audit directory. There it is made when the
/// directory has none and no log either: a log that exists must go on under its own key.
pub(super) fn open_key(
    key_ref: Option<&str>,
    audit_dir: Option<&Path>,
) -> Result<LocalDevSigner, KeyError> {
    let dir = match (key_ref, audit_dir) {
        (None, Some(dir)) => dir,
        // Without either this is the error that says so.
        (key_ref, _) => return LocalDevSigner::from_key_ref(key_ref.unwrap_or_default()),
    };
    let (keys, key) = (dir.join("keys"), dir.join("keys/ed25519.key"));
    // They may be older than the directory's being private.
    key_file::refuse_link(&keys)?;
    key_file::refuse_link(&key)?;
    if !key.exists() && !may_have_log(dir) {
        key_file::generate(&key)?;
    }
    let signer = LocalDevSigner::from_file(&key)?;
    key_file::complete(&key, signer.public_key())?;
    Ok(signer)
}

/// A directory of which it cannot be said counts as one with a log.
fn may_have_log(dir: &Path) -> bool {
    let is_day =
        |entry: std::fs::DirEntry| entry.file_name().to_string_lossy().starts_with("audit-");
    std::fs::read_dir(dir)
        .map_or(true, |mut entries| entries.any(|entry| entry.map_or(true, is_day)))
}
