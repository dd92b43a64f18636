use super::approvals::DamagedApproval;
use crate::canonical::CanonicalError;
use std::path::PathBuf;

/// Why `sec0.db` cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DbError {
    /// A line for the log has no text.
    #[error("an approval cannot be written down: {0}")]
    Canonical(#[from] CanonicalError),
    /// It was closed.
    #[error("the store is closed")]
    Closed,
    /// What stands in it is not what was put there.
    #[error(
        "the store has a damaged row; move `sec0.db` away with `sec0.db-wal` and `sec0.db-shm`"
    )]
    Damaged,
    /// An escalation is not what was put there.
    #[error("{0}")]
    DamagedApproval(DamagedApproval),
    /// It is another program's.
    #[error("`{0}` is a database, but not one of sec0; move it away")]
    Foreign(PathBuf),
    /// Its file was removed, or another was put in its place.
    #[error(
        "`{0}` was removed or replaced while it was open; put it back, or start the server anew"
    )]
    Gone(PathBuf),
    /// It is missing, and was not to be made.
    #[error(
        "`{0}` does not exist; name the audit directory of a server that uses idempotency keys or approvals"
    )]
    Missing(PathBuf),
    /// It was written by a later version.
    #[error(
        "`{path}` has schema version {found}, and this version of sec0 knows {known}; use the newer sec0, or another audit directory"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The latest that is known.
        known: i64,
    },
    /// It cannot be opened or made.
    #[error("`{path}` cannot be opened: {why}")]
    Open {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// SQLite said no.
    #[error("the store failed: {0}")]
    Sql(#[from] rusqlite::Error),
    /// The system gave no thread.
    #[error("the system gave no thread for watching the store: {0}; allow this user more threads")]
    Thread(Box<str>),
    /// No random number was to be had.
    #[error("the system gave no random number: {0}")]
    Random(#[source] getrandom::Error),
}

impl DbError {
    pub(super) fn open(path: &std::path::Path, why: &dyn std::fmt::Display) -> Self {
        Self::Open { path: path.to_owned(), why: why.to_string() }
    }
}

impl From<DamagedApproval> for DbError {
    fn from(damaged: DamagedApproval) -> Self {
        Self::DamagedApproval(damaged)
    }
}
