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
