use super::error::DbError;
use crate::call::Hex;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// The folder of the files that say which processes live.
const FOLDER: &str = "sec0.db-owners";

/// How many files of ended processes are removed at a start.
const CLEANED: usize = 1000;

/// An id that others can see to live: a file of that name, locked as long as this lives. The system
/// takes the lock when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct Owner {
    id: [u8; 16],
    folder: PathBuf,
    file: File,
}

impl Owner {
    /// A new one, in the audit directory.
    pub(super) fn new(dir: &Path) -> Result<Self, DbError> {
        let folder = dir.join(FOLDER);
        let failed = |error: std::io::Error| DbError::open(&folder, &error);
        match DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(failed(error)),
            Ok(()) | Err(_) => {}
        }
        let found = fs::symlink_metadata(&folder).map_err(failed)?;
        if !found.is_dir() || found.uid() != rustix::process::geteuid().as_raw() {
            return Err(DbError::open(&folder, &"it is not a directory of this user; remove it"));
        }
        clean(&folder);
        loop {
            let id = random()?;
            let path = folder.join(Hex(&id).to_string());
            let file = create(&path).map_err(failed)?;
            file.lock().map_err(failed)?;
            // Whoever cleans up may have removed it between the two.
            if is_at(&file, &path) {
                return Ok(Self { id, folder, file });
            }
        }
    }

    pub(super) fn id(&self) -> [u8; 16] {
        self.id
    }

    /// Whether the process with this id lives.
    pub(super) fn lives(&self, id: [u8; 16]) -> bool {
        id == self.id || lives(&self.folder, id)
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let path = self.folder.join(Hex(&self.id).to_string());
        // What stays is removed by the next process that starts.
        if is_at(&self.file, &path) && fs::remove_file(path).is_err() {
            tracing::debug!("the file that says that this process lives was not removed");
        }
    }
}

/// Whether the process with this id lives, by its file in the audit directory.
pub(super) fn lives_in(dir: &Path, id: [u8; 16]) -> bool {
    lives(&dir.join(FOLDER), id)
}

/// A file that cannot be opened for another reason than that it is gone counts as one of a process
/// that lives: a key is rather held too long.
fn lives(folder: &Path, id: [u8; 16]) -> bool {
    match open(&folder.join(Hex(&id).to_string())) {
        Ok(file) => file.try_lock_shared().is_err(),
        Err(error) => error.kind() != ErrorKind::NotFound,
    }
}

pub(super) fn random() -> Result<[u8; 16], DbError> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(DbError::Random)?;
    Ok(id)
}

fn create(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn open(path: &Path) -> std::io::Result<File> {
    let flags = rustix::fs::OFlags::RDONLY
        | rustix::fs::OFlags::NOFOLLOW
        | rustix::fs::OFlags::NONBLOCK
        | rustix::fs::OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, rustix::fs::Mode::empty())?.into())
}

fn is_at(file: &File, path: &Path) -> bool {
    let (Ok(ours), Ok(there)) = (file.metadata(), fs::symlink_metadata(path)) else { return false };
    (ours.dev(), ours.ino()) == (there.dev(), there.ino())
}

/// Removes files of processes that have ended. What fails stays for the next one.
fn clean(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.take(CLEANED).flatten() {
        let path = entry.path();
        let ended =
            open(&path).is_ok_and(|file| file.try_lock().is_ok() && fs::remove_file(&path).is_ok());
        if ended {
            tracing::debug!("the file of a process that has ended was removed");
        }
    }
}
