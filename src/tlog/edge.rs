//! The right edge of a tree: all that is needed to let it grow.

use super::hash::node_hash;
use crate::digest::Digest;

/// The right edge of a tree: the roots of the perfect subtrees that it is made of, one for each
/// binary one in its size. A tree of a million leaves has at most 20 of them, and a new leaf or the
/// root needs nothing else of the tree.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Edge {
    size: u64,
    /// The largest subtree first.
    hashes: Vec<Digest>,
}

impl Edge {
    /// The most leaves that a tree may have here, 2^63 - 1, which is also the bound of other
    /// implementations.
    pub const MAX_SIZE: u64 = u64::MAX >> 1;

    /// The edge of the empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// The edge of a tree of `size` leaves, from its hashes, the largest subtree first. Whether
    /// they are the right ones is seen when the root is compared.
    ///
    /// # Errors
    ///
    /// When a tree of this size has another number of hashes, or is larger than
    /// [`Edge::MAX_SIZE`].
    pub fn from_parts(size: u64, hashes: Vec<Digest>) -> Result<Self, EdgeError> {
        if size > Self::MAX_SIZE {
            return Err(EdgeError::TooLarge { size });
        }
        let expected = size.count_ones();
        if u32::try_from(hashes.len()) != Ok(expected) {
            return Err(EdgeError::Count { size, expected, found: hashes.len() });
        }
        Ok(Self { size, hashes })
    }

    /// Adds the hash of the next leaf. Two hashes on average, 63 at worst; no allocation once the
    /// tree is large.
    pub fn push(&mut self, leaf: Digest) {
        let mut hash = leaf;
        // As in binary counting: each trailing one is a subtree that the new leaf completes.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.hashes.pop() {
                hash = node_hash(&left, &hash);
            }
        }
        self.hashes.push(hash);
        self.size += 1;
    }

    /// How many leaves the tree has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root hash of the tree (RFC 6962, 2.1); of the empty tree, the SHA-256 of nothing.
    pub fn root(&self) -> Digest {
        let folded =
            self.hashes.iter().rev().copied().reduce(|right, left| node_hash(&left, &right));
        folded.unwrap_or_else(|| Digest::of(b""))
    }

    /// The roots of the perfect subtrees, the largest first.
    pub fn hashes(&self) -> &[Digest] {
        &self.hashes
    }
}

/// Why hashes are not the edge of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EdgeError {
    /// The size is beyond [`Edge::MAX_SIZE`].
    #[error("a tree of {size} leaves is beyond the limit of 9223372036854775807")]
    TooLarge {
        /// The size.
        size: u64,
    },
    /// Hashes are missing, or there are too many.
    #[error("the right edge of a tree of {size} leaves has {expected} hashes, not {found}")]
    Count {
        /// The size of the tree.
        size: u64,
        /// How many hashes that needs.
        expected: u32,
        /// How many there were.
        found: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlog::leaf_hash;
    use proptest::prelude::*;

    /// The definition of RFC 6962, 2.1, word for word.
    fn root_of(leaves: &[Digest]) -> Digest {
        match leaves {
            [] => Digest::of(b""),
            [leaf] => *leaf,
            _ => {
                let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
                node_hash(&root_of(left), &root_of(right))
            }
        }
    }

    fn leaves(size: u16) -> Vec<Digest> {
        (0..size).map(|index| leaf_hash(&index.to_be_bytes())).collect()
    }

    #[test]
    fn has_the_root_of_the_definition_at_every_size() {
        let all = leaves(300);
        let mut edge = Edge::new();
        for (size, leaf) in all.iter().enumerate() {
            assert_eq!(edge.root(), root_of(&all[..size]), "{size}");
            assert_eq!(edge.size(), u64::try_from(size).unwrap());
            edge.push(*leaf);
        }
    }

    proptest! {
        #[test]
        fn goes_on_from_its_parts(first in 0u16..300, more in 0u16..300) {
            let all = leaves(first + more);
            let (one, two) = all.split_at(first.into());
            let mut edge = Edge::new();
            for leaf in one {
                edge.push(*leaf);
            }
            let mut again = Edge::from_parts(edge.size(), edge.hashes().to_vec()).unwrap();
            prop_assert_eq!(&again, &edge);
            for leaf in two {
                again.push(*leaf);
            }
            prop_assert_eq!(again.root(), root_of(&all));
        }
    }

    #[test]
    fn refuses_another_number_of_hashes_and_too_many_leaves() {
        let hashes = leaves(64);
        for size in [0, 1, 2, 3, 255, 256, Edge::MAX_SIZE] {
            let right: usize = size.count_ones().try_into().unwrap();
            assert!(Edge::from_parts(size, hashes[..right].to_vec()).is_ok());
            for wrong in (0..hashes.len()).filter(|count| *count != right) {
                assert!(
                    Edge::from_parts(size, hashes[..wrong].to_vec()).is_err(),
                    "{size} {wrong}"
                );
            }
        }
        let error = Edge::from_parts(Edge::MAX_SIZE + 1, hashes[..1].to_vec()).unwrap_err();
        assert_eq!(error, EdgeError::TooLarge { size: 1 << 63 });
        let error = Edge::from_parts(3, Vec::new()).unwrap_err().to_string();
        assert_eq!(error, "the right edge of a tree of 3 leaves has 2 hashes, not 0");
    }
}
