//! From a place in a tree up to its root: which subtrees lie beside the way, and their hashes while
//! the leaves go by.

use super::edge::Edge;
use crate::digest::Digest;

/// Where the subtree beside one step of the way lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    /// Before the place: a hash of the right edge there.
    Left,
    /// Behind it.
    Right,
}

/// The hashes beside the way from a place up to the root, gathered while the leaves behind the
/// place are pushed. Memory is that of one edge and one hash for each level.
#[derive(Debug, Clone)]
pub(super) struct Climb {
    /// From the root down.
    sides: Vec<Side>,
    /// Where the subtrees on the right end, the last to be reached first. They lie one behind the
    /// other.
    ends: Vec<u64>,
    at: u64,
    /// Of the subtree on the right that is being filled.
    filling: Edge,
    rights: Vec<Digest>,
}

impl Climb {
    /// The way from the leaf `index` in a tree of `size` leaves (RFC 6962, 2.1.1): the leaves behind
    /// it are to be pushed.
    pub(super) fn from_leaf(index: u64, size: u64) -> Self {
        let mut climb = Self::at(index.saturating_add(1));
        climb.descend(size, |start, half| index < start + half, |_| false);
        climb
    }

    /// The way from the tree of the `first` leaves to that of `second` (RFC 6962, 2.1.2): the leaves
    /// behind the first tree are to be pushed.
    pub(super) fn from_tree(first: u64, second: u64) -> Self {
        let mut climb = Self::at(first);
        let start = climb.descend(second, |start, half| first <= start + half, |end| end == first);
        // The last subtree of the first tree, unless it is all of it and so is known.
        if start > 0 {
            climb.sides.push(Side::Left);
        }
        climb
    }

    fn at(at: u64) -> Self {
        Self { sides: Vec::new(), ends: Vec::new(), at, filling: Edge::new(), rights: Vec::new() }
    }

    /// Goes down from the root of `size` leaves to a leaf, or to the subtree whose end `is_there`,
    /// and notes what lies beside the way. `goes_left` is asked with the start of the subtree and
    /// the size of its left half. The start of the subtree that it comes to.
    fn descend(
        &mut self,
        mut size: u64,
        goes_left: impl Fn(u64, u64) -> bool,
        is_there: impl Fn(u64) -> bool,
    ) -> u64 {
        let mut start = 0;
        while size > 1 && !is_there(start + size) {
            let half = half_of(size);
            if goes_left(start, half) {
                self.sides.push(Side::Right);
                self.ends.push(start + size);
                size = half;
            } else {
                self.sides.push(Side::Left);
                start += half;
                size -= half;
            }
        }
        start
    }

    /// How many leaves the tree has up to the one that is pushed next.
    pub(super) fn position(&self) -> u64 {
        self.at
    }

    /// Takes the next leaf behind the place.
    pub(super) fn push(&mut self, leaf: Digest) {
        self.filling.push(leaf);
        self.at += 1;
        if self.ends.last() == Some(&self.at) {
            self.ends.pop();
            self.rights.push(self.filling.root());
            self.filling = Edge::new();
        }
    }

    /// The hashes from the place up, where `lefts` is the right edge before the place. `None` while
    /// leaves are missing.
    pub(super) fn finish(self, lefts: &[Digest]) -> Option<Vec<Digest>> {
        let mut lefts = lefts.iter().rev().copied();
        let mut rights = self.rights.into_iter();
        let hash = |side: &Side| match side {
            Side::Left => lefts.next(),
            Side::Right => rights.next(),
        };
        self.sides.iter().rev().map(hash).collect()
    }
}

/// The size of the left half of a tree of more than one leaf: the largest power of two below it.
fn half_of(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}
