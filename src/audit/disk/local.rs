use super::look::{self, is_at};
use super::seam::{Disk, DiskFile};
use crate::audit::error::OpenError;
use crate::audit::stream::Stream;
use parking_lot::Mutex;
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use std::fs::{DirBuilder, File, Metadata, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// A directory of this machine: ours, private, no link, and locked as long as this lives.
#[derive(Debug)]
pub struct LocalDisk {
    path: PathBuf,
    lock: String,
    held: Mutex<Held>,
}

/// What is open. It is replaced when the directory was removed or moved.
#[derive(Debug)]
struct Held {
    dir: File,
    /// The lock lasts as long as the file is open.
    lock: File,
    epoch: u64,
}

impl LocalDisk {
    /// Makes the directory if it is missing, tightens it to 0700 and locks it for `stream`.
    ///
    /// # Errors
    ///
    /// The directory cannot be made or opened, is a link, belongs to somebody else, or another
    /// process writes this log there.
    pub fn open(path: impl AsRef<Path>, stream: &Stream) -> Result<Self, OpenError> {
        let (path, lock) = (path.as_ref().to_owned(), stream.lock());
        let held = Mutex::new(Held::take(&path, &lock)?);
        Ok(Self { path, lock, held })
    }

    /// Runs `act` on the folder of `name` and on what is behind its last `/`.
    fn within<T>(
        &self,
        name: &str,
        create: bool,
        act: impl FnOnce(&File, &str) -> io::Result<T>,
    ) -> io::Result<T> {
        let (folders, last) = match name.rsplit_once('/') {
            Some((folders, last)) => (Some(folders), last),
            None => (None, name),
        };
        if name.split('/').any(|part| matches!(part, "" | "." | "..") || part.contains('\0')) {
            let why = format!("`{name}` is no name of a file in the audit directory");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        let held = self.held.lock();
        match folders {
            Some(folders) => act(&self.folder(&held.dir, folders, create)?, last),
            None => act(&held.dir, last),
        }
    }

    /// Opens a folder in the directory, step by step and never through a link.
    fn folder(&self, dir: &File, folders: &str, create: bool) -> io::Result<File> {
        let mut at = dir.try_clone()?;
        let mut path = self.path.clone();
        for part in folders.split('/') {
            path.push(part);
            if create {
                match rustix::fs::mkdirat(&at, part, Mode::RWXU) {
                    Ok(()) => at.sync_all()?,
                    Err(Errno::EXIST) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            let next = match rustix::fs::openat(&at, part, FOLDER, Mode::empty()) {
                Ok(next) => File::from(next),
                Err(Errno::NOTDIR | Errno::LOOP) => {
                    return Err(OpenError::unfit(&path, NO_FOLDER).into());
                }
                Err(error) => return Err(error.into()),
            };
            let meta = next.metadata()?;
            if !is_ours(&meta) {
                return Err(OpenError::unfit(&path, "belongs to another user; move it away").into());
            }
            tighten(&next, &meta, 0o700)?;
            at = next;
        }
        Ok(at)
    }
}

const FOLDER: OFlags =
    OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC).union(OFlags::RDONLY);
const NO_FOLDER: &str = "not a directory, or a link to one; move it away";

impl Disk for LocalDisk {
    fn place(&self) -> String {
        self.path.display().to_string()
    }

    fn epoch(&self) -> u64 {
        self.held.lock().epoch
    }

    fn open(&self, name: &str, create: bool) -> io::Result<Box<dyn DiskFile>> {
        let path = self.path.join(name);
        self.within(name, create, |dir, last| {
            let (file, is_new) = open_in(dir, last, create).map_err(|error| named(&path, error))?;
            let meta = file.metadata()?;
            if let Some(why) = unfit(&meta) {
                return Err(OpenError::unfit(&path, why).into());
            }
            tighten(&file, &meta, 0o600)?;
            if is_new {
                file.sync_all()?;
                dir.sync_all()?;
            }
            let file: Box<dyn DiskFile> = Box::new(LocalFile { path: path.clone(), file });
            Ok(file)
        })
    }

    fn names(&self, folder: &str) -> io::Result<Vec<String>> {
        let held = self.held.lock();
        let dir = match folder {
            "" => held.dir.try_clone()?,
            folder => match self.folder(&held.dir, folder, false) {
                Ok(dir) => dir,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
                Err(error) => return Err(error),
            },
        };
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&dir)? {
            if let Ok(name) = entry?.file_name().to_str()
                && !matches!(name, "." | "..")
            {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.within(name, true, |dir, last| {
            let next = format!("{last}~");
            unlink(dir, &next)?;
            let (mut file, _) =
                open_in(dir, &next, true).map_err(|error| named(&self.path.join(name), error))?;
            file.write_all(bytes)?;
            file.sync_all()?;
            rustix::fs::renameat(dir, &next, dir, last)?;
            dir.sync_all()
        })
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let removed = self.within(name, false, |dir, last| {
            unlink(dir, last)?;
            dir.sync_all()
        });
        match removed {
            // Not even its folder is there.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    fn remove_folder(&self, name: &str) -> io::Result<()> {
        let removed = self.within(name, false, |dir, last| {
            match rustix::fs::unlinkat(dir, last, AtFlags::REMOVEDIR) {
                Ok(()) | Err(Errno::NOENT | Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR) => {
                    Ok(())
                }
                Err(error) => Err(error.into()),
            }
        });
        match removed {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    fn hold(&self) -> io::Result<()> {
        let mut held = self.held.lock();
        if !held.is_in_place(&self.path, &self.lock) {
            *held = Held::take(&self.path, &self.lock)?;
        }
        Ok(())
    }
}

/// One file of a [`LocalDisk`].
#[derive(Debug)]
struct LocalFile {
    path: PathBuf,
    file: File,
}

impl DiskFile for LocalFile {
    fn length(&self) -> io::Result<u64> {
        look::length(&self.file)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(bytes, offset)
    }

    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.file.write_at(bytes, offset)
    }

    fn set_length(&mut self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn is_in_place(&self) -> io::Result<bool> {
        is_at(&self.path, &self.file)
    }
}

impl Held {
    fn take(path: &Path, lock_name: &str) -> Result<Self, OpenError> {
        make(path)?;
        let dir = match rustix::fs::open(path, FOLDER, Mode::empty()) {
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
        let (lock, epoch) = lock(path, lock_name, &dir)?;
        Ok(Self { dir, lock, epoch })
    }

    /// True while the path still leads to this directory, and the name of the lock to our lock.
    fn is_in_place(&self, path: &Path, lock_name: &str) -> bool {
        let is_there = |path: &Path, file: &File| {
            // Whoever cannot tell takes the directory anew, which fails with the reason.
            is_at(path, file).unwrap_or(false)
        };
        is_there(path, &self.dir) && is_there(&path.join(lock_name), &self.lock)
    }
}

fn unlink(dir: &File, name: &str) -> io::Result<()> {
    match rustix::fs::unlinkat(dir, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
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

fn lock(path: &Path, name: &str, dir: &File) -> Result<(File, u64), OpenError> {
    let at = path.join(name);
    // The file may be removed between opening and locking it; then the lock would be on nothing.
    for _ in 0..8 {
        let (mut file, _) = open_in(dir, name, true).map_err(|error| named(&at, error))?;
        let meta = file.metadata().map_err(OpenError::io(&at, "cannot be examined"))?;
        if let Some(why) = unfit(&meta).filter(|_| meta.nlink() > 0) {
            return Err(OpenError::unfit(&at, why));
        }
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let pid = Label::read(&mut file).pid;
                return Err(OpenError::Locked { path: path.to_owned(), pid });
            }
            Err(TryLockError::Error(error)) => {
                return Err(OpenError::io(&at, "cannot be locked")(error));
            }
        }
        if is_at(&at, &file).map_err(OpenError::io(&at, "cannot be examined"))? {
            let epoch = Label::read(&mut file).epoch.saturating_add(1);
            write_label(&mut file, epoch).map_err(OpenError::io(&at, "cannot be written"))?;
            return Ok((file, epoch));
        }
    }
    Err(OpenError::unfit(&at, "removed again and again while it was being locked; leave it alone"))
}

fn write_label(file: &mut File, epoch: u64) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(format!("{}\n{epoch}\n", std::process::id()).as_bytes())
}

/// What stands in a lock file: two lines, the process and the epoch.
#[derive(Default)]
struct Label {
    /// `None` while the holder has not written it yet.
    pid: Option<u32>,
    epoch: u64,
}

impl Label {
    /// Reads it; what is not there or no number counts as not written.
    fn read(file: &mut File) -> Self {
        let mut text = String::new();
        if file.take(64).read_to_string(&mut text).is_err() {
            return Self::default();
        }
        let mut lines = text.lines();
        let pid = lines.next().and_then(|line| line.trim().parse().ok());
        Self { pid, epoch: lines.next().and_then(|line| line.trim().parse().ok()).unwrap_or(0) }
    }
}

/// Puts the path to what was found when the file there was opened.
fn named(path: &Path, error: Errno) -> OpenError {
    match error {
        Errno::LOOP => OpenError::unfit(path, "a link, which is never followed; move it away"),
        error => OpenError::io(path, "cannot be opened")(error.into()),
    }
}

fn open_in(dir: &File, name: &str, create: bool) -> Result<(File, bool), Errno> {
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
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
