//! Key files: reading them with care, and making new ones.

use super::{KeyError, PublicKey, encoding};
use crate::secret::Secret;
use ed25519_dalek::SigningKey;
use rustix::fs::{Mode, OFlags};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// No key file is longer; what is, is not read.
pub(super) const LONGEST: usize = 4096;

/// A key pair that [`generate`] made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// The file with the secret seed.
    pub key_file: PathBuf,
    /// The file with the public key.
    pub public_file: PathBuf,
    /// The public key.
    pub public_key: PublicKey,
}

/// Makes a key pair: `X.key` (base64 of the seed, mode 0600) and `X.pub` (base64 of the public
/// key), where `path` is `X` or `X.key`. Missing directories are made with mode 0700. Both files
/// are on the disk when it returns.
///
/// # Errors
///
/// When either file exists, or one cannot be written; then neither is left behind.
pub fn generate(path: &Path) -> Result<Generated, KeyError> {
    let (key_file, public_file) = pair(path);
    let directory = match key_file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        Some(_) | None => PathBuf::from("."),
    };
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut_slice()).map_err(KeyError::NoEntropy)?;
    let key = SigningKey::from_bytes(&seed);
    let public_key = PublicKey::from_bytes(key.verifying_key().to_bytes());

    let unwritable = |cause| KeyError::Unwritable { path: directory.clone(), cause };
    DirBuilder::new().recursive(true).mode(0o700).create(&directory).map_err(unwritable)?;
    // Both are whole before either has its name: a process that is killed leaves no half key.
    let secret = NewFile::write(key_file, 0o600, &Zeroizing::new(encoding::encode(&*seed)))?;
    let public = NewFile::write(public_file, 0o644, &public_key.to_base64())?;
    let (secret, public) = (secret.publish()?, public.publish()?);
    File::open(&directory).and_then(|opened| opened.sync_all()).map_err(unwritable)?;
    Ok(Generated { key_file: secret.keep(), public_file: public.keep(), public_key })
}

/// Writes the public half of `key` beside its key file, if it is not there: the process that made
/// the key may have been killed before it came to that.
pub(crate) fn complete(key_file: &Path, key: PublicKey) -> Result<(), KeyError> {
    let (_, public_file) = pair(key_file);
    if public_file.symlink_metadata().is_ok() {
        return Ok(());
    }
    NewFile::write(public_file, 0o644, &key.to_base64())?.publish()?.keep();
    Ok(())
}

/// Reads a public key: base64 of 32 bytes, bare or behind `ed25519:`.
///
/// # Errors
///
/// When the file cannot be read or holds something else.
pub fn read_public(path: &Path) -> Result<PublicKey, KeyError> {
    let mut room = [0; LONGEST + 1];
    let text = File::open(path)
        .and_then(|file| fill(file, &mut room))
        .map_err(|cause| KeyError::PublicUnreadable { path: path.to_owned(), cause })?;
    let key = str::from_utf8(text).ok().and_then(|text| text.trim().parse().ok());
    key.ok_or_else(|| KeyError::NotAPublicKey { path: path.to_owned() })
}

/// Reads the seed from a key file: base64 of the seed, or of seed and public key. Links are
/// followed; the file they lead to must be a regular one of this user or of root, which only its
/// owner may read and write.
///
/// # Errors
///
/// When the file cannot be read, is another user's or open to others, or does not hold a key.
pub fn read_seed(path: &Path) -> Result<Secret<[u8; 32]>, KeyError> {
    let unreadable = |cause| KeyError::Unreadable { path: path.to_owned(), cause };
    let resolved = path.canonicalize().map_err(unreadable)?;
    read_resolved(path, &resolved)
}

/// Refuses a link at `path`, for places where a key is made or looked for without being named.
pub(crate) fn refuse_link(path: &Path) -> Result<(), KeyError> {
    match path.symlink_metadata() {
        Ok(meta) if meta.is_symlink() => Err(KeyError::Linked { path: path.to_owned() }),
        // What cannot be examined cannot be opened either, and that error says more.
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Reads the seed from `resolved`, which holds no links; errors speak of `path`.
pub(super) fn read_resolved(path: &Path, resolved: &Path) -> Result<Secret<[u8; 32]>, KeyError> {
    let mut room = Zeroizing::new([0; LONGEST + 1]);
    let text = read_private(path, resolved, room.as_mut_slice())?;
    let seed = encoding::decode_any(text.trim_ascii(), |bytes| match bytes.len() {
        32 => bytes.try_into().map(|seed| Some(Secret::new(seed))).ok(),
        64 => Some(checked_seed(bytes)),
        _ => None,
    });
    match seed {
        Some(Some(seed)) => Ok(seed),
        Some(None) => Err(KeyError::HalvesDiffer { path: path.to_owned() }),
        None => Err(KeyError::NotAKey { path: path.to_owned() }),
    }
}

/// Reads a file that nobody but its owner may read and write: `resolved`, which holds no links.
/// Errors speak of `path`.
pub(super) fn read_private<'r>(
    path: &Path,
    resolved: &Path,
    room: &'r mut [u8],
) -> Result<&'r [u8], KeyError> {
    let unreadable = |cause| KeyError::Unreadable { path: path.to_owned(), cause };
    let file = open_regular(resolved).map_err(unreadable)?;
    let meta = file.metadata().map_err(unreadable)?;
    // Root reads the files of all users, and may be read by none: what is root's is no stranger's.
    if meta.uid() != 0 && meta.uid() != rustix::process::geteuid().as_raw() {
        return Err(KeyError::Foreign { path: resolved.to_owned() });
    }
    let mode = meta.mode() & 0o7777;
    if mode & 0o066 != 0 {
        return Err(KeyError::OpenToOthers { path: resolved.to_owned(), mode });
    }
    fill(file, room).map_err(unreadable)
}

/// The seed of a 64-byte secret key, when the public half is its own.
fn checked_seed(secret_key: &[u8]) -> Option<Secret<[u8; 32]>> {
    let (seed, public) = secret_key.split_first_chunk()?;
    let own = SigningKey::from_bytes(seed).verifying_key();
    (own.as_bytes() == public).then(|| Secret::new(*seed))
}

/// Opens a regular file, without waiting for the other end of anything else.
fn open_regular(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags | OFlags::NOCTTY, Mode::empty())?);
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("not a regular file")) }
}

/// Reads all of `file` into `room`; a file that fills it is too long.
fn fill(mut file: File, room: &mut [u8]) -> io::Result<&[u8]> {
    let mut filled = 0;
    while let Some(rest) = room.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    if filled == room.len() {
        let words = format!("longer than {LONGEST} bytes");
        return Err(io::Error::new(ErrorKind::FileTooLarge, words));
    }
    room.get(..filled).ok_or_else(|| io::Error::other("more was read than asked for"))
}

fn pair(path: &Path) -> (PathBuf, PathBuf) {
    let stem = match path.extension() {
        Some(extension) if extension == "key" => path.with_extension(""),
        Some(_) | None => path.to_owned(),
    };
    let with = |extension| {
        let mut name = stem.clone().into_os_string();
        name.push(extension);
        PathBuf::from(name)
    };
    (with(".key"), with(".pub"))
}

/// A file that was not there before, and is removed again unless it is kept.
struct NewFile {
    /// Where it is to be.
    path: PathBuf,
    /// Where it is.
    at: PathBuf,
}

impl NewFile {
    /// Writes the whole file, under a name of its own.
    fn write(path: PathBuf, mode: u32, text: &str) -> Result<Self, KeyError> {
        if path.symlink_metadata().is_ok() {
            return Err(KeyError::Exists { path });
        }
        let mut at = path.clone().into_os_string();
        at.push(format!(".{}.new", std::process::id()));
        let file = Self { at: at.into(), path };
        match file.fill(mode, text) {
            Ok(()) => Ok(file),
            Err(cause) => Err(KeyError::Unwritable { path: file.path.clone(), cause }),
        }
    }

    fn fill(&self, mode: u32, text: &str) -> io::Result<()> {
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(mode).open(&self.at)?;
        file.write_all(text.as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()
    }

    /// Gives it its name, unless somebody else has that.
    fn publish(self) -> Result<Self, KeyError> {
        match std::fs::hard_link(&self.at, &self.path) {
            Ok(()) => Ok(Self { at: self.path.clone(), path: self.path.clone() }),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                Err(KeyError::Exists { path: self.path.clone() })
            }
            Err(cause) => Err(KeyError::Unwritable { path: self.path.clone(), cause }),
        }
    }

    fn keep(mut self) -> PathBuf {
        self.at = PathBuf::new();
        std::mem::take(&mut self.path)
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if self.at.as_os_str().is_empty() {
            return;
        }
        match std::fs::remove_file(&self.at) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                tracing::warn!(path = %self.at.display(), %error, "an unfinished key file is left");
            }
            Ok(()) | Err(_) => {}
        }
    }
}
