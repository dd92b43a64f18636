//! Checkpoints (C2SP tlog-checkpoint): what a log held at one moment, in one short note.

use super::edge::Edge;
use super::note::{Note, NoteError};
use super::resume::{self, Resume, ResumeError};
use super::shown::shown;
use super::verifier_key::VerifierKey;
use crate::digest::Digest;
use std::fmt;

/// The head of a log: its name, how many lines it has, and the root over all of them. Prints as the
/// text that is signed; what was parsed prints as the same text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    size: u64,
    root: Digest,
    extensions: Vec<String>,
}

impl Checkpoint {
    /// The checkpoint of the log `origin`, whose tree has this `edge` and whose last line has the
    /// SHA-256 `last_line`: [`Checkpoint::resume`] gives both back. An empty log has no last line,
    /// whatever is given.
    ///
    /// # Errors
    ///
    /// When the origin is not one line of text.
    pub fn new(
        origin: &str,
        edge: &Edge,
        last_line: Option<Digest>,
    ) -> Result<Self, CheckpointError> {
        if origin.is_empty() || origin.contains('\n') {
            return Err(CheckpointError::Origin { origin: shown(origin) });
        }
        let checkpoint = Self {
            origin: origin.to_owned(),
            size: edge.size(),
            root: edge.root(),
            extensions: resume::lines(edge, last_line),
        };
        Note::to_sign(&checkpoint.to_string())?;
        Ok(checkpoint)
    }

    /// Reads the text of a checkpoint. Extension lines are kept as they are, known or not.
    ///
    /// # Errors
    ///
    /// When it is not a checkpoint to the last byte, or not the text of a note.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        Note::to_sign(text)?;
        let lines: Vec<&str> = text.split_terminator('\n').collect();
        if let Some(at) = lines.iter().position(|line| line.is_empty()) {
            return Err(CheckpointError::EmptyLine { line: at + 1 });
        }
        let [origin, size, root, extensions @ ..] = lines.as_slice() else {
            return Err(CheckpointError::TooShort);
        };
        Ok(Self {
            origin: (*origin).to_owned(),
            size: size_of(size).ok_or_else(|| CheckpointError::Size { found: shown(size) })?,
            root: Digest::from_base64(root).ok_or(CheckpointError::Root)?,
            extensions: extensions.iter().copied().map(str::to_owned).collect(),
        })
    }

    /// Reads a signed checkpoint that `key` must have signed and whose origin must be the key's
    /// name.
    ///
    /// # Errors
    ///
    /// When it is not a checkpoint, is of another log, or is not signed by the key.
    pub fn open(note: &[u8], key: &VerifierKey) -> Result<Self, CheckpointError> {
        Self::from_note(&Note::parse(note)?, key)
    }

    /// The checkpoint in a note that was parsed already; else as [`Checkpoint::open`].
    ///
    /// # Errors
    ///
    /// As [`Checkpoint::open`].
    pub fn from_note(note: &Note, key: &VerifierKey) -> Result<Self, CheckpointError> {
        note.verify(std::slice::from_ref(key))?;
        let checkpoint = Self::parse(note.text())?;
        if checkpoint.origin != key.name() {
            return Err(CheckpointError::other_log(key.name(), &checkpoint.origin));
        }
        Ok(checkpoint)
    }

    /// Where a writer can go on: the right edge, whose root is the checkpoint's, and the digest of
    /// the last line.
    ///
    /// A root does not tell its size (trees of 5 and of 6 can have the same one, over other leaves),
    /// and the digest is not part of the tree: for both, the signature is all there is. Open the
    /// checkpoint with its key first.
    ///
    /// # Errors
    ///
    /// When the checkpoint lacks one of the two lines or has it twice, or when the edge is not that
    /// of its size and root. A checkpoint that others made has no such lines.
    pub fn resume(&self) -> Result<Resume, ResumeError> {
        Resume::from_lines(self.size, &self.root, &self.extensions)
    }

    /// The name of the log.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// How many lines the log had.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root over them.
    pub fn root(&self) -> Digest {
        self.root
    }

    /// The lines below the root, in their order.
    pub fn extensions(&self) -> &[String] {
        &self.extensions
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, self.root.to_base64())?;
        self.extensions.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// A tree size as the specification writes it: digits, and no leading zero.
fn size_of(text: &str) -> Option<u64> {
    let size = decimal(text)?;
    (size <= Edge::MAX_SIZE).then_some(size)
}

/// A decimal without a sign and without leading zeros.
pub(super) fn decimal(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let has_leading_zero = text.len() > 1 && text.starts_with('0');
    if is_plain && !has_leading_zero { text.parse().ok() } else { None }
}

/// Why a text is not a checkpoint, or not the one that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The note around it, or its signature, is wrong.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Lines are missing.
    #[error("the checkpoint has fewer than three lines: the origin, the size and the root hash")]
    TooShort,
    /// A line is empty.
    #[error("line {line} of the checkpoint is empty")]
    EmptyLine {
        /// The line, from 1.
        line: usize,
    },
    /// The size is not a number, or too large.
    #[error(
        "line 2 of the checkpoint is not a size: `{found}`; expected digits without a leading zero, \
         at most 9223372036854775807"
    )]
    Size {
        /// The beginning of the line.
        found: String,
    },
    /// The root hash is not one.
    #[error("line 3 of the checkpoint is not a root hash: expected the base64 of 32 bytes")]
    Root,
    /// The origin would break the text.
    #[error("`{origin}` cannot be the origin of a checkpoint: it must be one line, and not empty")]
    Origin {
        /// The beginning of the origin.
        origin: String,
    },
    /// It is signed, but speaks of another log.
    #[error("the checkpoint is of the log `{found}`, not of `{expected}`")]
    OtherLog {
        /// The beginning of the origin that was asked for.
        expected: String,
        /// The beginning of its own origin.
        found: String,
    },
}

impl CheckpointError {
    pub(super) fn other_log(expected: &str, found: &str) -> Self {
        Self::OtherLog { expected: shown(expected), found: shown(found) }
    }
}
