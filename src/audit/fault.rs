use crate::tlog::{CheckpointError, NoteError, ResumeError, VerifierKeyError};
use std::io;

/// Why a log does not verify: the first thing that does not hold.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// A line does not hold.
    #[error("{file}:{line}: {fault}")]
    Line {
        /// The file's name.
        file: String,
        /// The line's number, from 1.
        line: u64,
        /// What is wrong with it.
        fault: Fault,
    },
    /// A checkpoint does not hold, or is missing.
    #[error("{file}: {fault}")]
    Checkpoint {
        /// The file's name, or what the checkpoint was given as.
        file: String,
        /// What is wrong with it.
        fault: CheckpointFault,
    },
    /// A file, or the directory, cannot be read.
    #[error("{file}: cannot be read: {source}")]
    Unreadable {
        /// The file's name, or the directory.
        file: String,
        /// Why not.
        source: io::Error,
    },
    /// A key to verify with is none.
    #[error("the key with the id `{id}` cannot be used: {source}; check its file")]
    Key {
        /// The key's id.
        id: String,
        /// Why not.
        source: crate::sign::VerifyError,
    },
}

impl VerifyError {
    pub(super) fn checkpoint(file: &str, fault: CheckpointFault) -> Self {
        Self::Checkpoint { file: file.to_owned(), fault }
    }
}

/// What is wrong with a line, and the likely cause.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// No JSON object.
    #[error("not a JSON object ({0}); the line was damaged or changed")]
    NotJson(String),
    /// JSON, but not as sec0 writes it.
    #[error(
        "not in canonical form from column {0} on; the line was changed, or rewritten by another \
         program"
    )]
    NotCanonical(usize),
    /// No line end.
    #[error(
        "the line is incomplete; the writer was stopped while writing it, or the file was cut (the \
         next start of the writer removes an incomplete last line and records that)"
    )]
    Torn,
    /// Longer than any record.
    #[error("the line has more than 1048576 bytes; this is no record, or line ends were removed")]
    TooLong,
    /// A member that every line has is missing.
    #[error("`{0}` is missing or has the wrong type; the line was changed, or is not from sec0")]
    Missing(&'static str),
    /// Not the next number.
    #[error("`seq` is {found} where {expected} belongs; {}", likely(*expected, *found))]
    Sequence {
        /// The number after the line before.
        expected: u64,
        /// The number in the line.
        found: u64,
    },
    /// The line before is another one.
    #[error(
        "`prev_sha256` is not the SHA-256 of the line before; that line was changed or replaced"
    )]
    Previous,
    /// Signed by a key that was not given.
    #[error(
        "signed by the key `{0}`, which is none of the given keys; give that key too if you trust \
         it"
    )]
    UnknownKey(String),
    /// The signature has no form.
    #[error("`sig` is no `ed25519:` signature in base64; the line was changed")]
    NotASignature,
    /// The signature is not one of this line.
    #[error("the signature does not fit the line; the line was changed, or made without the key")]
    BadSignature,
    /// Signed by a key that had given way to another.
    #[error(
        "signed by the key `{id}`, which gave way to another one with line {seq} of the log; the \
         line was made with the old key afterwards"
    )]
    RetiredKey {
        /// The key's id.
        id: String,
        /// The `seq` of the line that introduced the next key.
        seq: u64,
    },
    /// What a line about an approval says does not hold.
    #[error("a line about an approval does not hold: {0}")]
    Approval(String),
    /// A key change without a key.
    #[error(
        "`new_key_id` and `new_public_key` are not one Ed25519 key and its id; the line was made \
         with the old key, and not by sec0"
    )]
    NotAKey,
    /// The first line has predecessors of which nothing is left.
    #[error(
        "`seq` is {0}, so older lines are gone, and no checkpoint of an earlier day says that the \
         log had so many; bring `checkpoints` back, or the older files"
    )]
    OlderGone(u64),
    /// Neither signed nor under a checkpoint, and nobody is about to make one.
    #[error(
        "the line is covered by no checkpoint and has no signature, and no process writes here; it \
         was added by somebody, or the newest checkpoint was replaced by an older one, or the \
         writer was killed (its next start settles that)"
    )]
    NotCovered,
    /// The tree up to here is another one.
    #[error(
        "{} not the one that `{checkpoint}` covers; it was changed or replaced",
        which(*behind)
    )]
    NotInTree {
        /// The checkpoint.
        checkpoint: String,
        /// How many lines behind this one may be the changed one instead.
        behind: u64,
    },
    /// The record is of a later day than the file.
    #[error("`ts` is `{0}`, which belongs to a later file or is no time; the line was moved")]
    WrongDay(String),
}

fn likely(expected: u64, found: u64) -> String {
    match found.checked_sub(expected) {
        Some(1) => "one line, or the file that held it, is missing before it".to_owned(),
        Some(gap) => format!("{gap} lines, or the files that held them, are missing before it"),
        None => "the line was duplicated or moved, or the log was started anew".to_owned(),
    }
}

fn which(behind: u64) -> String {
    match behind {
        0 => "the line is".to_owned(),
        1 => "the line, or the one behind it, is".to_owned(),
        _ => format!("the line, or one of the {behind} behind it, is"),
    }
}

/// What is wrong with a checkpoint, or with the log that it speaks of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointFault {
    /// There is none.
    #[error(
        "missing; a log has one from its first line on, so it was removed, or the log is not from \
         this version of sec0"
    )]
    Missing,
    /// The end of a day has none.
    #[error("missing; the log went on in the file of a later day, so it was removed")]
    DayMissing,
    /// No checkpoint, or not signed.
    #[error("{0}; the checkpoint was damaged, changed, or made without the key")]
    Malformed(CheckpointError),
    /// Its origin cannot be the name of a key.
    #[error(transparent)]
    Name(VerifierKeyError),
    /// Signed by none of the keys.
    #[error(
        "signed by none of the keys that were given or introduced by a line before; give its key \
         too if you trust it ({0})"
    )]
    UnknownKey(NoteError),
    /// The same signature twice.
    #[error("the same signature stands under it twice; the checkpoint was changed")]
    SignedTwice,
    /// Of another log.
    #[error(
        "it is of the log `{found}`, and this one is `{expected}`; a checkpoint of another log was \
         put here"
    )]
    OtherLog {
        /// The name of this log.
        expected: String,
        /// The name in the checkpoint.
        found: String,
    },
    /// The log has fewer lines.
    #[error(
        "the log is shorter than its checkpoint: it has {lines} lines of {size}; lines at the end \
         were cut off, or files removed"
    )]
    Shorter {
        /// The lines under the checkpoint.
        size: u64,
        /// The lines that there are.
        lines: u64,
    },
    /// The root is another one, and no line can be named.
    #[error(
        "its root is not that of the first {size} lines; lines were changed, or the checkpoint is \
         of another log of the same name"
    )]
    Root {
        /// The lines under the checkpoint.
        size: u64,
    },
    /// The extension lines do not fit.
    #[error("{0}; whoever holds the key made it otherwise than sec0 does")]
    Resume(ResumeError),
    /// The `last` line is of another line.
    #[error(
        "its line `last` is not the SHA-256 of line {0} of the log; whoever holds the key made it otherwise than sec0 does"
    )]
    Last(u64),
    /// Not at the end of its day.
    #[error(
        "it is for {size} lines, and the log has {lines} at the end of that day; a file was \
         shortened, moved or removed, or the checkpoint is of another day"
    )]
    Seam {
        /// The lines under the checkpoint.
        size: u64,
        /// The lines up to the end of the day.
        lines: u64,
    },
}

impl CheckpointFault {
    pub(super) fn note(error: NoteError) -> Self {
        if matches!(error, NoteError::Unsigned { .. }) {
            Self::UnknownKey(error)
        } else {
            Self::Malformed(error.into())
        }
    }
}
