//! Inclusion: a leaf is in a tree (RFC 6962, 2.1.1).

use super::climb::Climb;
use super::edge::Edge;
use super::hash::node_hash;
use crate::digest::Digest;

/// Builds the inclusion path of one leaf while the hashes of all leaves go by. Memory grows with
/// the logarithm of the tree.
#[derive(Debug, Clone)]
pub struct PathBuilder {
    index: u64,
    size: u64,
    before: Edge,
    has_leaf: bool,
    behind: Climb,
}

impl PathBuilder {
    /// The path of the leaf `index` in a tree of `size` leaves, beginning where the tree had the
    /// edge `start`: an empty one, or that of a checkpoint at or before the leaf.
    ///
    /// # Errors
    ///
    /// When there is no such leaf, or `start` lies behind it.
    pub fn new(index: u64, size: u64, start: Edge) -> Result<Self, PathError> {
        if index >= size || size > Edge::MAX_SIZE {
            return Err(PathError::NoSuchLeaf { index, size });
        }
        if start.size() > index {
            return Err(PathError::StartsBehind { start: start.size(), index });
        }
        let behind = Climb::from_leaf(index, size);
        Ok(Self { index, size, before: start, has_leaf: false, behind })
    }

    /// Takes the hash of the next leaf: the first is that of the index `start.size()`.
    pub fn push(&mut self, leaf: Digest) {
        if self.before.size() < self.index {
            self.before.push(leaf);
        } else if self.has_leaf {
            self.behind.push(leaf);
        } else {
            self.has_leaf = true;
        }
    }

    /// The hashes from the leaf's sibling up to the child of the root.
    ///
    /// # Errors
    ///
    /// When more or fewer leaves were pushed than the tree has.
    pub fn finish(self) -> Result<Vec<Digest>, PathError> {
        let found = if self.has_leaf { self.behind.position() } else { self.before.size() };
        let wrong = PathError::LeafCount { expected: self.size, found };
        if found != self.size {
            return Err(wrong);
        }
        self.behind.finish(self.before.hashes()).ok_or(wrong)
    }
}

/// Checks that the leaf hash `leaf` is number `index`, from 0, in the tree of `size` leaves with
/// the root `root`: the algorithm of RFC 9162, 2.1.3.2.
///
/// # Errors
///
/// When there is no such leaf, or the path does not lead from it to the root.
pub fn verify_inclusion(
    index: u64,
    size: u64,
    leaf: &Digest,
    path: &[Digest],
    root: &Digest,
) -> Result<(), PathError> {
    if index >= size {
        return Err(PathError::NoSuchLeaf { index, size });
    }
    // The place of the node on its level, and the last place there.
    let (mut place, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for sibling in path {
        if last == 0 {
            return Err(PathError::NotInTree { index, size });
        }
        if place & 1 == 1 || place == last {
            hash = node_hash(sibling, &hash);
            // A last node without a sibling is its own parent, level by level.
            let alone = place.trailing_zeros();
            place >>= alone;
            last >>= alone;
        } else {
            hash = node_hash(&hash, sibling);
        }
        place >>= 1;
        last >>= 1;
    }
    if last != 0 || hash != *root {
        return Err(PathError::NotInTree { index, size });
    }
    Ok(())
}

/// Why a path cannot be built or does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// The index is not below the size, or the size is beyond [`Edge::MAX_SIZE`].
    #[error("there is no leaf {index} in a tree of {size} leaves; leaves count from 0")]
    NoSuchLeaf {
        /// The leaf that was asked for.
        index: u64,
        /// The size of the tree.
        size: u64,
    },
    /// The leaf lies before the edge that was to be started from.
    #[error(
        "the path of leaf {index} cannot start from an edge of {start} leaves; take an earlier one"
    )]
    StartsBehind {
        /// How many leaves the edge has.
        start: u64,
        /// The leaf that was asked for.
        index: u64,
    },
    /// Other leaves went by than the tree has.
    #[error("{found} leaves went by where the tree has {expected}")]
    LeafCount {
        /// The size of the tree.
        expected: u64,
        /// How many leaves there were, with those before the start.
        found: u64,
    },
    /// The leaf is not there, or the path is not its own.
    #[error("the path does not lead from leaf {index} to the root of the tree of {size} leaves")]
    NotInTree {
        /// The leaf that was asked for.
        index: u64,
        /// The size of the tree.
        size: u64,
    },
}
