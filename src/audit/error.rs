use super::fault::{Fault, VerifyError};
use std::io;
use std::path::{Path, PathBuf};

/// Why a log did not open. Each text says what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The directory, or a file in it, is not one to write a log to.
    #[error("{path}: {why}", path = Quoted(path))]
    Unfit {
        /// The directory or file.
        path: PathBuf,
        /// What is wrong with it, and the fix.
        why: &'static str,
    },
    /// The machine refused.
    #[error("{path}: {what}: {source}; {fix}", path = Quoted(path), fix = fix_of(source.kind()))]
    Io {
        /// The directory or file.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// Another log writes to the directory.
    #[error(
        "{path}: {holder} writes its audit log here; stop it, or give this one another directory or a writer id",
        path = Quoted(path), holder = Holder(*pid)
    )]
    Locked {
        /// The directory.
        path: PathBuf,
        /// The process, when it has said so.
        pid: Option<u32>,
    },
    /// The end of the log could not be read.
    #[error("the end of the audit log cannot be read: {0}")]
    Tail(#[source] io::Error),
    /// The last line is not one that a log can go on from.
    #[error(
        "{place}: the last line is no record that this log can go on from ({why}); run `sec0 audit \
         verify` on the directory, then move its files elsewhere and start with an empty one"
    )]
    NotARecord {
        /// File and line.
        place: String,
        /// What is wrong with the line.
        why: String,
    },
    /// The journal of the process before could not be read.
    #[error("the journal of the audit log cannot be read: {0}")]
    Journal(#[source] io::Error),
    /// The newest checkpoint has more lines than the log.
    #[error(
        "the log has {lines} lines and its checkpoint {size}: lines were lost, or taken away; run \
         `sec0 audit verify` on the directory, then move its files elsewhere and start with an \
         empty one"
    )]
    Shorter {
        /// The lines that are there.
        lines: u64,
        /// The lines that the checkpoint covers.
        size: u64,
    },
    /// The last line that the newest checkpoint covers is another one.
    #[error(
        "line {seq} of the log (by its `seq`) is not the one that its checkpoint covers; run `sec0 \
         audit verify` on the directory, then move its files elsewhere and start with an empty one"
    )]
    Rewritten {
        /// The number of the line.
        seq: u64,
    },
    /// A line is missing, so the tree over all lines cannot be had.
    #[error(
        "line {seq} of the log (by its `seq`) is missing, or is no line of this log; run `sec0 audit \
         verify` on the directory, then move its files elsewhere and start with an empty one"
    )]
    Gap {
        /// The number of the line.
        seq: u64,
    },
    /// A line that no checkpoint covers is not one of this log's writer, as far as can be told.
    #[error("{place}: {fault}; a new checkpoint would vouch for this line; {fix}")]
    Untrusted {
        /// File and line.
        place: String,
        /// What is wrong with the line.
        fault: Fault,
        /// What to do about it.
        fix: &'static str,
    },
    /// A key of the log is none.
    #[error(transparent)]
    Key(VerifyError),
    /// Something is to be kept beside the lines, and there is no disk to put it on.
    #[error(
        "the audit modes `blocking` and `blocking-strict`, signing by `checkpoint`, retention, copies \
         by agent and payloads need a log in a directory, and this sink has none; set the audit mode \
         `batch`, sign by `record` and leave the others out, or write to a directory"
    )]
    NoDisk,
    /// A thread of the log did not start.
    #[error("a thread of the audit log cannot be started: {0}")]
    Thread(#[source] io::Error),
}

impl OpenError {
    pub(super) fn unfit(path: &Path, why: &'static str) -> Self {
        Self::Unfit { path: path.to_owned(), why }
    }

    pub(super) fn untrusted(place: String, fault: Fault) -> Self {
        let fix = if matches!(fault, Fault::UnknownKey(_)) {
            "name the key with `Sec0Options::former_key` if it was this log's, or move the files of \
             the log elsewhere and start with an empty directory"
        } else if fault == Fault::Missing("sig") {
            "if `audit.signing` was `checkpoint` until now, start once more with that, else move the \
             files of the log elsewhere and start with an empty directory"
        } else {
            "run `sec0 audit verify` on the directory, then move its files elsewhere and start with \
             an empty one"
        };
        Self::Untrusted { place, fault, fix }
    }

    /// Puts the path to an error of the machine; made for `map_err`.
    pub(super) fn io(path: &Path, what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { path: path.to_owned(), what, source }
    }
}

impl From<OpenError> for io::Error {
    fn from(error: OpenError) -> Self {
        let kind = match &error {
            OpenError::Io { source, .. }
            | OpenError::Journal(source)
            | OpenError::Tail(source)
            | OpenError::Thread(source) => source.kind(),
            OpenError::NoDisk => io::ErrorKind::Unsupported,
            OpenError::Shorter { .. }
            | OpenError::Rewritten { .. }
            | OpenError::Gap { .. }
            | OpenError::NotARecord { .. }
            | OpenError::Untrusted { .. }
            | OpenError::Key(_) => io::ErrorKind::InvalidData,
            OpenError::Locked { .. } => io::ErrorKind::WouldBlock,
            OpenError::Unfit { .. } => io::ErrorKind::PermissionDenied,
        };
        Self::new(kind, error)
    }
}

/// Why a log did not come to a clean end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShutdownError {
    /// Time was up. The writer goes on; shutting down again waits for it again.
    #[error(
        "the audit log was not done in time: {unwritten} records are not written and {in_flight} \
         calls are still under way; wait longer, and see that the disk and the signer work"
    )]
    Late {
        /// Records that wait to be written.
        unwritten: usize,
        /// Calls that were admitted and have not ended.
        in_flight: usize,
    },
    /// Everything was written, but the last sync failed.
    #[error("the audit log was written but not synced ({0}); a loss of power may take its end")]
    NotSynced(String),
    /// The writer gave up after the last handle was dropped.
    #[error("the audit log was given up with {0} records unwritten")]
    GivenUp(usize),
    /// The writer's thread ended by a panic.
    #[error("the thread `sec0-audit` panicked; its last records may be missing")]
    Panicked,
}

fn fix_of(kind: io::ErrorKind) -> &'static str {
    if kind == io::ErrorKind::PermissionDenied {
        "let the user that runs this program write there, or name another audit directory"
    } else {
        "put that right, or name another audit directory"
    }
}

struct Quoted<'a>(&'a Path);

impl std::fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}`", self.0.display())
    }
}

struct Holder(Option<u32>);

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(pid) => write!(f, "process {pid}"),
            None => f.write_str("another process"),
        }
    }
}
