//! Consistency: a tree grew out of an earlier one (RFC 6962, 2.1.2).

use super::climb::Climb;
use super::edge::Edge;
use super::hash::node_hash;
use crate::digest::Digest;

/// Builds the proof that a tree grew out of an earlier one, while the hashes of the leaves that
/// came since go by. Memory grows with the logarithm of the tree.
#[derive(Debug, Clone)]
pub struct ConsistencyBuilder {
    first: Edge,
    second: u64,
    behind: Climb,
}

impl ConsistencyBuilder {
    /// The proof from the tree with the edge `first` to one of `second` leaves.
    ///
    /// # Errors
    ///
    /// When the first tree is empty, or the second one is smaller or beyond [`Edge::MAX_SIZE`].
    pub fn new(first: Edge, second: u64) -> Result<Self, ConsistencyError> {
        if first.size() == 0 {
            return Err(ConsistencyError::FromNothing);
        }
        if first.size() > second || second > Edge::MAX_SIZE {
            return Err(ConsistencyError::Shrunk { first: first.size(), second });
        }
        let behind = Climb::from_tree(first.size(), second);
        Ok(Self { first, second, behind })
    }

    /// Takes the hash of the next leaf: the first is that of the index `first.size()`.
    pub fn push(&mut self, leaf: Digest) {
        self.behind.push(leaf);
    }

    /// The hashes of the proof; none when the trees are the same.
    ///
    /// # Errors
    ///
    /// When more or fewer leaves were pushed than the second tree has behind the first.
    pub fn finish(self) -> Result<Vec<Digest>, ConsistencyError> {
        let (expected, found) = (self.second, self.behind.position());
        let wrong = ConsistencyError::LeafCount { expected, found };
        if found != expected {
            return Err(wrong);
        }
        self.behind.finish(self.first.hashes()).ok_or(wrong)
    }
}

/// Checks that the tree `second` holds all leaves of the tree `first` at their places, and more
/// behind them: the algorithm of RFC 9162, 2.1.4.2. Each tree is its size and its root. Trees of one
/// size must be the same, with an empty proof.
///
/// # Errors
///
/// When the second tree is the smaller one, the first one alone is empty, or the proof does not lead from the one root to the
/// other.
pub fn verify_consistency(
    first: (u64, &Digest),
    second: (u64, &Digest),
    proof: &[Digest],
) -> Result<(), ConsistencyError> {
    let ((first, first_root), (second, second_root)) = (first, second);
    if first > second {
        return Err(ConsistencyError::Shrunk { first, second });
    }
    let differs = ConsistencyError::NotGrown { first, second };
    if first == second {
        let is_same = proof.is_empty() && first_root == second_root;
        return if is_same { Ok(()) } else { Err(differs) };
    }
    if first == 0 {
        return Err(ConsistencyError::FromNothing);
    }
    // The first tree's last subtree: known where the tree is perfect, else the proof begins with it.
    let (seed, rest) = match proof {
        rest if first.is_power_of_two() => (first_root, rest),
        [seed, rest @ ..] => (seed, rest),
        [] => return Err(differs),
    };
    let below = first.trailing_zeros();
    let (mut place, mut last) = ((first - 1) >> below, (second - 1) >> below);
    let (mut old, mut new) = (*seed, *seed);
    for hash in rest {
        if last == 0 {
            return Err(differs);
        }
        if place & 1 == 1 || place == last {
            old = node_hash(hash, &old);
            new = node_hash(hash, &new);
            // A last node without a sibling is its own parent, level by level.
            let alone = place.trailing_zeros();
            place >>= alone;
            last >>= alone;
        } else {
            new = node_hash(&new, hash);
        }
        place >>= 1;
        last >>= 1;
    }
    let holds = last == 0 && old == *first_root && new == *second_root;
    if holds { Ok(()) } else { Err(differs) }
}

/// Why a proof of consistency cannot be built or does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConsistencyError {
    /// The second tree has fewer leaves, or more than [`Edge::MAX_SIZE`].
    #[error("a tree of {second} leaves cannot have grown out of one of {first}")]
    Shrunk {
        /// The size of the first tree.
        first: u64,
        /// The size of the second.
        second: u64,
    },
    /// The first tree is empty.
    #[error("every tree grew out of the empty one: there is nothing to prove")]
    FromNothing,
    /// Other leaves went by than the tree has.
    #[error("{found} leaves are there where the second tree has {expected}")]
    LeafCount {
        /// The size of the second tree.
        expected: u64,
        /// How many leaves there were, with those of the first tree.
        found: u64,
    },
    /// The trees differ in what the first one holds, or the proof is another one's.
    #[error("the proof does not show that the tree of {second} leaves grew out of that of {first}")]
    NotGrown {
        /// The size of the first tree.
        first: u64,
        /// The size of the second.
        second: u64,
    },
}
