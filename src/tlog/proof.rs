//! Proofs for one line that stand alone (C2SP tlog-proof): a `.tlog-proof` file.

use super::checkpoint::{Checkpoint, CheckpointError, decimal};
use super::hash::leaf_hash;
use super::note::{Note, NoteError};
use super::path::{PathError, verify_inclusion};
use super::shown::shown;
use super::verifier_key::{VerifierKey, VerifierKeyError};
use crate::digest::Digest;
use crate::sign::PublicKey;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt;

const MAGIC: &str = "c2sp.org/tlog-proof@v1";
const EXTRA: &str = "extra ";
const INDEX: &str = "index ";

/// The longest path: no tree has more levels.
const MAX_PATH: usize = 63;
/// The longest text of extra data.
const MAX_EXTRA: usize = 64 * 1024;
/// The two first lines, the index and the path, and extra data in base64.
const MAX_HEAD: usize = 4 * 1024 + MAX_EXTRA;

/// A proof that one line is in a log: where it stands, the path from it to the root, and the signed
/// checkpoint with that root. Prints as a `.tlog-proof` file; what was parsed prints as the same
/// bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    extra: Option<Vec<u8>>,
    index: u64,
    path: Vec<Digest>,
    checkpoint: Note,
}

impl Proof {
    /// The longest proof, in bytes.
    pub const MAX_LEN: usize = MAX_HEAD + Note::MAX_LEN;

    /// The proof for the line `index`, with its inclusion path in the tree of `checkpoint`, a signed
    /// checkpoint. Nothing is verified.
    pub fn new(index: u64, path: Vec<Digest>, checkpoint: Note) -> Self {
        Self { extra: None, index, path, checkpoint }
    }

    /// The same proof with extra data, such as the line itself. Nobody signs it.
    ///
    /// # Errors
    ///
    /// There is no data, or its base64 has more than 65536 characters.
    pub fn with_extra(mut self, extra: Vec<u8>) -> Result<Self, ProofError> {
        if extra.is_empty() || extra.len().div_ceil(3) * 4 > MAX_EXTRA {
            return Err(ProofError::Extra);
        }
        self.extra = Some(extra);
        Ok(self)
    }

    /// Reads a proof. Nothing is verified.
    ///
    /// # Errors
    ///
    /// When it is not a proof to the last byte, or beyond the bounds.
    pub fn parse(bytes: &[u8]) -> Result<Self, ProofError> {
        if bytes.len() > Self::MAX_LEN {
            return Err(ProofError::TooLong);
        }
        let gap = bytes.windows(2).position(|pair| pair == b"\n\n");
        let (head, note) = gap
            .and_then(|at| Some((bytes.get(..at)?, bytes.get(at + 2..)?)))
            .ok_or(ProofError::NoCheckpoint)?;
        let head = str::from_utf8(head).map_err(|_is_no_text| ProofError::NotUtf8)?;
        let mut lines = head.split('\n').zip(1..).peekable();
        if lines.next().is_none_or(|(first, _)| first != MAGIC) {
            return Err(ProofError::OtherFormat);
        }
        let extra = lines
            .next_if(|(line, _)| line.starts_with(EXTRA))
            .map(|(line, _)| extra_of(line).ok_or(ProofError::Extra))
            .transpose()?;
        let (line, at) = lines.next().unwrap_or(("", 2));
        let index = line.strip_prefix(INDEX).and_then(decimal);
        let index = index.ok_or_else(|| ProofError::Index { line: at, found: shown(line) })?;
        let mut path = Vec::new();
        for (line, at) in lines {
            if path.len() == MAX_PATH {
                return Err(ProofError::PathTooLong);
            }
            path.push(Digest::from_base64(line).ok_or(ProofError::NotAHash { line: at })?);
        }
        Ok(Self { extra, index, path, checkpoint: Note::parse(note)? })
    }

    /// Checks that `line` is in the log that `key` signs: the checkpoint is signed by the key under
    /// the name of the log, the log is `origin` where one is given, and the path leads from the
    /// line, at its place, to the root. Needs nothing but the proof. Gives the checkpoint that
    /// holds it.
    ///
    /// The line is given byte for byte as it was hashed for the tree. Without an `origin` the log
    /// may be any whose checkpoints the key signs.
    ///
    /// # Errors
    ///
    /// When one of this does not hold.
    pub fn verify(
        &self,
        line: &[u8],
        key: &PublicKey,
        origin: Option<&str>,
    ) -> Result<Checkpoint, ProofError> {
        let own = Checkpoint::parse(self.checkpoint.text())?;
        let key = VerifierKey::new(origin.unwrap_or(own.origin()), *key)?;
        if own.origin() != key.name() {
            return Err(CheckpointError::other_log(key.name(), own.origin()).into());
        }
        let checkpoint = Checkpoint::from_note(&self.checkpoint, &key)?;
        let (size, root) = (checkpoint.size(), checkpoint.root());
        verify_inclusion(self.index, size, &leaf_hash(line), &self.path, &root)?;
        Ok(checkpoint)
    }

    /// The number of the line, from 0.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The hashes from the line's sibling up to the child of the root.
    pub fn path(&self) -> &[Digest] {
        &self.path
    }

    /// The signed checkpoint.
    pub fn checkpoint(&self) -> &Note {
        &self.checkpoint
    }

    /// What the maker of the proof added; nobody signed it.
    pub fn extra(&self) -> Option<&[u8]> {
        self.extra.as_deref()
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{MAGIC}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "{EXTRA}{}", STANDARD.encode(extra))?;
        }
        writeln!(f, "{INDEX}{}", self.index)?;
        self.path.iter().try_for_each(|hash| writeln!(f, "{}", hash.to_base64()))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

/// The data of an extra line; a line without data must be left out.
fn extra_of(line: &str) -> Option<Vec<u8>> {
    let text = line.strip_prefix(EXTRA)?;
    if text.is_empty() || text.len() > MAX_EXTRA { None } else { STANDARD.decode(text).ok() }
}

/// Why bytes are not a proof, or why a proof does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// More bytes than [`Proof::MAX_LEN`].
    #[error("the proof is longer than 331776 bytes")]
    TooLong,
    /// No empty line, so no checkpoint behind it.
    #[error("the proof has no checkpoint; it follows the path behind an empty line")]
    NoCheckpoint,
    /// Something other than text.
    #[error("the proof is not UTF-8 text")]
    NotUtf8,
    /// The first line is another one.
    #[error("the proof does not begin with the line `c2sp.org/tlog-proof@v1`")]
    OtherFormat,
    /// The extra line is malformed.
    #[error("line 2 of the proof is not `extra ` and base64 of at most 65536 characters")]
    Extra,
    /// The index line is malformed or missing.
    #[error(
        "line {line} of the proof is not `index ` and a number without a leading zero: `{found}`"
    )]
    Index {
        /// The line, from 1.
        line: usize,
        /// The beginning of the line.
        found: String,
    },
    /// A line of the path is malformed.
    #[error("line {line} of the proof is not a hash: expected the base64 of 32 bytes")]
    NotAHash {
        /// The line, from 1.
        line: usize,
    },
    /// More hashes than a tree has levels.
    #[error("the path of the proof has more than 63 hashes")]
    PathTooLong,
    /// The note around the checkpoint is malformed.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The checkpoint is malformed, not signed by the key, or of another log.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The log's name cannot be that of a key.
    #[error(transparent)]
    Key(#[from] VerifierKeyError),
    /// The line is not where the proof says.
    #[error("the line is not in the log: {0}")]
    NotIncluded(#[from] PathError),
}
