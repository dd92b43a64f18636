//! Why a key could not be had.

use std::path::{Path, PathBuf};

/// Why a key was not loaded, read or made. The text names the file and the fix, and never what the
/// file holds. Texts that start with `[sec0-signer] ` are those of the TypeScript original.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// No key reference was given.
    #[error("[sec0-signer] keyRef is required to load the ED25519 signer")]
    RefMissing,
    /// The reference is not a `file://` one.
    #[error("[sec0-signer] Unsupported keyRef \"{key_ref}\". Only file:// key refs are supported.")]
    RefUnsupported {
        /// The reference as it was given.
        key_ref: String,
    },
    /// Nothing follows `file://`.
    #[error("[sec0-signer] keyRef file path is empty")]
    PathEmpty,
    /// The file lies, or a link on the way to it leads, outside the allowed directories.
    #[error(
        "[sec0-signer] keyRef path \"{}\" is outside allowed directories. \
         Set SEC0_SIGNER_KEY_DIRS to permit it.", path.display()
    )]
    Outside {
        /// The path, made absolute.
        path: PathBuf,
    },
    /// The list of allowed directories cannot be read.
    #[error("[sec0-signer] SEC0_SIGNER_KEY_DIRS is not valid UTF-8; write it anew")]
    DirsNotText,
    /// The current directory, which paths are resolved from, is not to be had.
    #[error("[sec0-signer] the current directory cannot be read: {0}; use absolute paths")]
    NoCurrentDir(std::io::Error),
    /// The file cannot be read.
    #[error(
        "[sec0-signer] Failed to read signing key file \"{}\": {cause}{}",
        path.display(),
        fix_of(path, cause)
    )]
    Unreadable {
        /// The path, made absolute.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// Someone else may read or change the file.
    #[error(
        "[sec0-signer] Signing key file \"{0}\" can be read or changed by others (mode {mode:04o}); \
         run `chmod 600 {0}`", path.display()
    )]
    OpenToOthers {
        /// The file, with links resolved.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Someone else owns the file.
    #[error(
        "[sec0-signer] Signing key file \"{}\" belongs to another user, who can read and change it; \
         make a key of your own, or run `chown` on this one", path.display()
    )]
    Foreign {
        /// The file, with links resolved.
        path: PathBuf,
    },
    /// A link stands where the audit directory has its own key.
    #[error(
        "[sec0-signer] the key of the audit directory is not read through the link `{}`; put the \
         key itself there, or name it with `signing.key_ref`", path.display()
    )]
    Linked {
        /// The link.
        path: PathBuf,
    },
    /// The file holds something else.
    #[error(
        "[sec0-signer] Signing key must be base64 for a 32-byte seed or 64-byte secret key; \
         the file `{}` holds something else", path.display()
    )]
    NotAKey {
        /// The path, made absolute.
        path: PathBuf,
    },
    /// The file holds 64 bytes that do not belong together.
    #[error(
        "[sec0-signer] Signing key file \"{}\" holds a secret key whose public half is not its \
         own; restore the file, or keep only the base64 of its first 32 bytes", path.display()
    )]
    HalvesDiffer {
        /// The path, made absolute.
        path: PathBuf,
    },
    /// The file with the key of the digests cannot be read.
    #[error("the digest key file `{}` cannot be read: {cause}", path.display())]
    DigestKeyUnreadable {
        /// The path, made absolute.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// Someone else may read or change the key of the digests.
    #[error(
        "the digest key file `{0}` can be read or changed by others (mode {mode:04o}); \
         run `chmod 600 {0}`", path.display()
    )]
    DigestKeyOpenToOthers {
        /// The file, with links resolved.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file with the key of the digests holds something else.
    #[error(
        "the digest key file `{}` must hold the base64 of 32 bytes and holds something else; \
         make one with `sec0 keygen`", path.display()
    )]
    NotADigestKey {
        /// The path, made absolute.
        path: PathBuf,
    },
    /// A public key file cannot be read.
    #[error("the public key file `{}` cannot be read: {cause}", path.display())]
    PublicUnreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// A public key file holds something else.
    #[error(
        "the file `{}` holds no public key: expected the base64 of 32 bytes, bare or behind \
         `ed25519:`", path.display()
    )]
    NotAPublicKey {
        /// The file.
        path: PathBuf,
    },
    /// A key must not be overwritten.
    #[error("the file `{}` exists and is not overwritten; name another or move it", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A new key cannot be written.
    #[error(
        "the file `{}` cannot be written: {cause}; put that right, or name another place",
        path.display()
    )]
    Unwritable {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// The system has no random numbers for a new key.
    #[error("no key can be made without random numbers from the system: {0}")]
    NoEntropy(getrandom::Error),
}

fn fix_of(path: &Path, cause: &std::io::Error) -> String {
    if cause.kind() == std::io::ErrorKind::NotFound {
        format!("; make a key with `sec0 keygen --out {}`", path.display())
    } else if cause.kind() == std::io::ErrorKind::PermissionDenied {
        "; run this program as the owner of the key, or give it a key of its own".to_owned()
    } else {
        String::new()
    }
}
