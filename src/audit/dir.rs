use super::error::OpenError;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::fs::{DirBuilder, File, Metadata, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// The audit directory, held open and locked: ours, private, and no link.
#[derive(Debug)]
pub(super) struct AuditDir {
    path: PathBuf,
    dir: File,
    /// Its lock lasts as long as the file is open.
    _lock: File,
}

const LOCK: &str = "lock";

impl AuditDir {
    /// Makes the directory if it is missing, tightens it to 0700 and locks it.
    pub(super) fn open(path: &Path) -> Result<Self, OpenError> {
        make(path)?;
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY;
        let dir = match rustix::fs::open(path, flags, Mode::empty()) {
            Ok(dir) => File::from(dir),
            Err(Errno::NOTDIR | Errno::LOOP) => {
                let why = "not a directory, or a link to one; name the directory itself";
                return Err(OpenError::unfit(path, why));
            }
            Err(error) => return Err(OpenError::io(path, "cannot be opened")(error.into())),
        };
        let meta = dir.metadata().map_err(OpenError::io(path, "cannot be examined"))?;
        if !is_ours(&meta) {
            let why = "belongs to another user; name a directory of your own";
            return Err(OpenError::unfit(path, why));
        }
        tighten(&dir, &meta, 0o700).map_err(OpenError::io(path, "cannot be made private"))?;
        let lock = lock(path, &dir)?;
        Ok(Self { path: path.to_owned(), dir, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// True while the path still leads to this directory.
    pub(super) fn is_in_place(&self) -> bool {
        match (std::fs::symlink_metadata(&self.path), self.dir.metadata()) {
            (Ok(there), Ok(here)) => same_file(&there, &here),
            (Err(_), _) | (_, Err(_)) => false,
        }
    }

    /// Opens a file of the log for reading and appending; makes it, durably, if `create` is set.
    pub(super) fn open_file(&self, name: &str, create: bool) -> io::Result<File> {
        let (file, is_new) = open_in(&self.dir, name, OFlags::APPEND, create)
            .map_err(|error| named(&self.path.join(name), error))?;
        let meta = file.metadata()?;
        if let Some(why) = unfit(&meta) {
            return Err(OpenError::unfit(&self.path.join(name), why).into());
        }
        tighten(&file, &meta, 0o600)?;
        if is_new {
            file.sync_all()?;
            self.dir.sync_all()?;
        }
        Ok(file)
    }
}

/// True when both are the same file of the same disk.
pub(super) fn same_file(one: &Metadata, other: &Metadata) -> bool {
    one.dev() == other.dev() && one.ino() == other.ino()
}

/// Makes the directory and its missing parents, each private and each durable in its parent.
fn make(path: &Path) -> Result<(), OpenError> {
    let named = |at: &&Path| !at.as_os_str().is_empty();
    let missing = path.ancestors().filter(named).take_while(|at| at.symlink_metadata().is_err());
    for at in missing.collect::<Vec<_>>().into_iter().rev() {
        match DirBuilder::new().mode(0o700).create(at) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(OpenError::io(at, "cannot be made")(error));
            }
            Ok(()) | Err(_) => {}
        }
        let parent = at.parent().filter(named).unwrap_or(Path::new("."));
        let synced = File::open(parent).and_then(|parent| parent.sync_all());
        synced.map_err(OpenError::io(parent, "cannot be synced"))?;
    }
    Ok(())
}

fn lock(path: &Path, dir: &File) -> Result<File, OpenError> {
    let at = path.join(LOCK);
    // The file may be removed between opening and locking it; then the lock would be on nothing.
    for _ in 0..8 {
        let (mut file, _) =
            open_in(dir, LOCK, OFlags::empty(), true).map_err(|error| named(&at, error))?;
        let meta = file.metadata().map_err(OpenError::io(&at, "cannot be examined"))?;
        if let Some(why) = unfit(&meta).filter(|_| meta.nlink() > 0) {
            return Err(OpenError::unfit(&at, why));
        }
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::Locked { path: path.to_owned(), pid: holder(&mut file) });
            }
            Err(TryLockError::Error(error)) => {
                return Err(OpenError::io(&at, "cannot be locked")(error));
            }
        }
        if std::fs::symlink_metadata(&at).is_ok_and(|there| same_file(&there, &meta)) {
            write_pid(&mut file).map_err(OpenError::io(&at, "cannot be written"))?;
            return Ok(file);
        }
    }
    Err(OpenError::unfit(&at, "removed again and again while it was being locked; leave it alone"))
}

fn write_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(format!("{}\n", std::process::id()).as_bytes())
}

/// Who holds the lock; `None` while the holder has not written its number yet.
fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    match file.take(16).read_to_string(&mut text) {
        Ok(_) => text.trim().parse().ok(),
        Err(_) => None,
    }
}

/// Puts the path to what was found when the file there was opened.
fn named(path: &Path, error: Errno) -> OpenError {
    match error {
        Errno::LOOP => OpenError::unfit(path, "a link, which is never followed; move it away"),
        error => OpenError::io(path, "cannot be opened")(error.into()),
    }
}

fn open_in(dir: &File, name: &str, extra: OFlags, create: bool) -> Result<(File, bool), Errno> {
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | extra;
    let mode = Mode::RUSR | Mode::WUSR;
    if create {
        match rustix::fs::openat(dir, name, flags | OFlags::CREATE | OFlags::EXCL, mode) {
            Ok(file) => return Ok((file.into(), true)),
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error),
        }
    }
    Ok((rustix::fs::openat(dir, name, flags, mode)?.into(), false))
}

fn unfit(meta: &Metadata) -> Option<&'static str> {
    if !meta.is_file() {
        Some("not a regular file; move it away")
    } else if !is_ours(meta) {
        Some("belongs to another user; move it away")
    } else if meta.nlink() != 1 {
        Some("has more than one name; remove the other hard links")
    } else {
        None
    }
}

fn is_ours(meta: &Metadata) -> bool {
    meta.uid() == rustix::process::geteuid().as_raw()
}

fn tighten(file: &File, meta: &Metadata, mode: u32) -> io::Result<()> {
    if meta.mode() & 0o7777 == mode {
        return Ok(());
    }
    file.set_permissions(std::fs::Permissions::from_mode(mode))
}
