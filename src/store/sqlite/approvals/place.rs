use crate::store::sqlite::error::DbError;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Where the file is that was opened. SQLite goes on with one that was removed, and nobody else would
/// ever see what it writes there.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    file: Option<(u64, u64)>,
}

impl Place {
    pub(super) fn of(path: &Path) -> Self {
        let path = path.canonicalize().unwrap_or_else(|_missing| path.to_owned());
        Self { file: found(&path), path }
    }

    /// # Errors
    ///
    /// Another file is there, or none.
    pub(super) fn check(&self) -> Result<(), DbError> {
        let is_there = self.file.is_some() && found(&self.path) == self.file;
        if is_there { Ok(()) } else { Err(DbError::Gone(self.path.clone())) }
    }
}

/// What tells the file there from all others; one that cannot be looked at is not there.
fn found(path: &Path) -> Option<(u64, u64)> {
    fs::symlink_metadata(path).map(|found| (found.dev(), found.ino())).ok()
}
