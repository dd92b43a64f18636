//! Going on from a checkpoint: two extension lines of our own.
//!
//! `edge <base64> …` holds the right edge of the tree, the largest subtree first, and
//! `last <base64>` the SHA-256 of the last line of the log, to which the next line is chained. With
//! them a writer goes on without reading the log again. An empty log has neither.

use super::edge::{Edge, EdgeError};
use crate::digest::Digest;

const EDGE: &str = "edge";
const LAST: &str = "last";

/// All that a writer needs to go on where a checkpoint was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resume {
    /// The right edge of the tree.
    pub edge: Edge,
    /// The SHA-256 of the last line; none in an empty log.
    pub last_line: Option<Digest>,
}

impl Resume {
    /// What the extension lines of a checkpoint say; the edge must be that of `size` and `root`.
    pub(super) fn from_lines(
        size: u64,
        root: &Digest,
        lines: &[String],
    ) -> Result<Self, ResumeError> {
        let edge = the_one(EDGE, size, lines)?;
        let last_line = the_one(LAST, size, lines)?;
        let hashes: Option<Vec<Digest>> = match edge {
            Some(text) => text.split(' ').map(Digest::from_base64).collect(),
            None => Some(Vec::new()),
        };
        let hashes = hashes.ok_or(ResumeError::NotADigest { word: EDGE })?;
        let edge = Edge::from_parts(size, hashes)?;
        if edge.root() != *root {
            return Err(ResumeError::OtherRoot);
        }
        let digest = |text| Digest::from_base64(text).ok_or(ResumeError::NotADigest { word: LAST });
        Ok(Self { edge, last_line: last_line.map(digest).transpose()? })
    }
}

/// The extension lines of a log that stands at `edge`.
pub(super) fn lines(edge: &Edge, last_line: Option<Digest>) -> Vec<String> {
    if edge.size() == 0 {
        return Vec::new();
    }
    let hashes: Vec<String> = edge.hashes().iter().map(Digest::to_base64).collect();
    let last_line = last_line.map(|digest| format!("{LAST} {}", digest.to_base64()));
    [format!("{EDGE} {}", hashes.join(" "))].into_iter().chain(last_line).collect()
}

/// What follows `word` on the one line that begins with it; an empty log has no such line.
fn the_one<'l>(
    word: &'static str,
    size: u64,
    lines: &'l [String],
) -> Result<Option<&'l str>, ResumeError> {
    let mut found = lines.iter().filter_map(|line| line.strip_prefix(word)?.strip_prefix(' '));
    match (found.next(), found.next()) {
        (Some(_), Some(_)) => Err(ResumeError::Twice { word }),
        (None, _) if size > 0 => Err(ResumeError::Missing { word }),
        (Some(_), None) if size == 0 => Err(ResumeError::Empty { word }),
        (first, _) => Ok(first),
    }
}

/// Why a writer cannot go on from a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResumeError {
    /// A line is missing.
    #[error("the checkpoint has no `{word}` line, so the log must be read to go on")]
    Missing {
        /// `edge` or `last`.
        word: &'static str,
    },
    /// A line is there twice.
    #[error("the checkpoint has more than one `{word}` line")]
    Twice {
        /// `edge` or `last`.
        word: &'static str,
    },
    /// A line of a log with lines stands in the checkpoint of an empty one.
    #[error("the checkpoint is of an empty log and has a line `{word}`")]
    Empty {
        /// `edge` or `last`.
        word: &'static str,
    },
    /// A hash is not one.
    #[error(
        "the `{word}` line of the checkpoint holds something other than the base64 of 32 bytes"
    )]
    NotADigest {
        /// `edge` or `last`.
        word: &'static str,
    },
    /// The edge cannot be that of a tree of this size.
    #[error("the `edge` line does not fit the size of the checkpoint: {0}")]
    Edge(#[from] EdgeError),
    /// The edge is that of another tree.
    #[error("the `edge` line of the checkpoint does not lead to its root hash")]
    OtherRoot,
}
