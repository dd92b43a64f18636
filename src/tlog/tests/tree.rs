//! The tree and its proofs against the definitions and against other implementations.

use super::super::{
    ConsistencyBuilder, ConsistencyError, Edge, PathBuilder, PathError, node_hash,
    verify_consistency, verify_inclusion,
};
use super::{edge, leaf, line};
use crate::digest::Digest;
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use proptest::prelude::*;
use tlog_tiles::{Hash, HashReader};

/// The path of `index`, built from the edge at `start` on.
fn path(index: u64, size: u64, start: u64) -> Vec<Digest> {
    let mut builder = PathBuilder::new(index, size, edge(start)).unwrap();
    for index in start..size {
        builder.push(leaf(index));
    }
    builder.finish().unwrap()
}

fn growth(first: u64, second: u64) -> Vec<Digest> {
    let mut builder = ConsistencyBuilder::new(edge(first), second).unwrap();
    for index in first..second {
        builder.push(leaf(index));
    }
    builder.finish().unwrap()
}

/// Everything about small trees: each path holds for its own leaf, place and size, and for nothing
/// else.
#[test]
fn a_path_holds_for_one_leaf_at_one_place_in_one_tree() {
    for size in 1..=17 {
        for index in 0..size {
            let found = path(index, size, 0);
            let holds = |index, size, of| {
                verify_inclusion(index, size, &leaf(of), &found, &edge(size).root()).is_ok()
            };
            for other_size in 1..=18 {
                for other in 0..other_size {
                    let same = (other, other_size) == (index, size);
                    assert_eq!(holds(other, other_size, index), same, "{index}/{size}");
                    assert_eq!(holds(other, other_size, other), same, "{index}/{size}");
                }
            }
            assert!(!holds(index, size, index + 1));
        }
    }
}

#[test]
fn a_proof_of_growth_holds_for_its_two_trees() {
    let roots: Vec<Digest> = (0..=20).map(|size| edge(size).root()).collect();
    let root = |size: u64| &roots[usize::try_from(size).unwrap()];
    for second in 1..=20 {
        for first in 1..=second {
            let proof = growth(first, second);
            let holds = |first, one, second, two| {
                verify_consistency((first, root(one)), (second, root(two)), &proof).is_ok()
            };
            assert!(holds(first, first, second, second), "{first} {second}");
            for other in (0..=20).filter(|other| *other != first) {
                assert!(!holds(first, other, second, second), "{first} {second} {other}");
            }
            for other in (0..=20).filter(|other| *other != second) {
                assert!(!holds(first, first, second, other), "{first} {second} {other}");
            }
        }
    }
}

#[test]
fn builders_refuse_wrong_counts_and_places() {
    let new = |index, size, start| PathBuilder::new(index, size, edge(start)).map(|_| ());
    assert_eq!(new(5, 5, 0), Err(PathError::NoSuchLeaf { index: 5, size: 5 }));
    assert_eq!(new(0, 0, 0), Err(PathError::NoSuchLeaf { index: 0, size: 0 }));
    let beyond = Edge::MAX_SIZE + 1;
    assert_eq!(new(0, beyond, 0), Err(PathError::NoSuchLeaf { index: 0, size: beyond }));
    assert_eq!(new(2, 5, 3), Err(PathError::StartsBehind { start: 3, index: 2 }));
    for count in (0..9).filter(|count| *count != 5) {
        let mut path = PathBuilder::new(2, 5, Edge::new()).unwrap();
        for index in 0..count {
            path.push(leaf(index));
        }
        assert_eq!(path.finish(), Err(PathError::LeafCount { expected: 5, found: count }));
    }
}

#[test]
fn growth_is_shown_from_something_to_no_less() {
    for more in (0..9).filter(|more| *more != 2) {
        let mut growth = ConsistencyBuilder::new(edge(3), 5).unwrap();
        for index in 0..more {
            growth.push(leaf(index));
        }
        let wrong = ConsistencyError::LeafCount { expected: 5, found: 3 + more };
        assert_eq!(growth.finish(), Err(wrong));
    }
    let error = ConsistencyBuilder::new(Edge::new(), 5).map(|_| ()).unwrap_err();
    assert_eq!(error, ConsistencyError::FromNothing);
    let (none, some) = (edge(0).root(), edge(5).root());
    let error = verify_consistency((0, &none), (5, &some), &[]).unwrap_err();
    assert_eq!(error, ConsistencyError::FromNothing);
    assert_eq!(verify_consistency((0, &none), (0, &none), &[]), Ok(()));
    let error = ConsistencyBuilder::new(edge(6), 5).map(|_| ()).unwrap_err();
    assert_eq!(error, ConsistencyError::Shrunk { first: 6, second: 5 });
}

/// The largest trees there can be: no overflow, and an answer at once.
#[test]
fn hostile_sizes_are_refused_and_break_nothing() {
    let (hash, long) = (leaf(0), vec![leaf(1); 70]);
    for size in [u64::MAX, u64::MAX - 1, 1 << 63, (1 << 63) - 1, 1 << 62] {
        for index in [0, 1, size / 2, size - 2, size - 1] {
            for count in 0..long.len() {
                let path = &long[..count];
                assert!(verify_inclusion(index, size, &hash, path, &leaf(2)).is_err());
                let trees = ((index + 1, &leaf(2)), (size, &leaf(3)));
                assert!(verify_consistency(trees.0, trees.1, path).is_err());
            }
            if size <= Edge::MAX_SIZE {
                let builder = PathBuilder::new(index, size, Edge::new()).unwrap();
                assert!(matches!(builder.finish(), Err(PathError::LeafCount { .. })));
            }
        }
    }
    // 63 levels of a tree that is there only on the way.
    let (mut root, path) = (hash, &long[..63]);
    for sibling in path {
        root = node_hash(&root, sibling);
    }
    assert_eq!(verify_inclusion(0, 1 << 63, &hash, path, &root), Ok(()));
}

/// All leaves and nodes of a log in the order of tlog tiles.
struct Stored(Vec<Hash>);

impl HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        Ok(indexes.iter().map(|index| self.0[usize::try_from(*index).unwrap()]).collect())
    }
}

fn stored(size: u64) -> Stored {
    let mut stored = Stored(Vec::new());
    for index in 0..size {
        let more = tlog_tiles::stored_hashes(index, &line(index), &stored).unwrap();
        stored.0.extend(more);
    }
    stored
}

fn hashes(digests: &[Digest]) -> Vec<Hash> {
    digests.iter().map(|digest| Hash(*digest.as_bytes())).collect()
}

/// A tree of ct-merkle, whose leaves are the lines.
fn other_tree(size: u64) -> MemoryBackedTree<sha2::Sha256, Vec<u8>> {
    let mut tree = MemoryBackedTree::new();
    for index in 0..size {
        tree.push(line(index));
    }
    tree
}

fn bytes(digests: &[Digest]) -> Vec<u8> {
    digests.iter().flat_map(|digest| *digest.as_bytes()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn paths_are_those_of_two_other_implementations((size, index, start) in (1u64..300)
        .prop_flat_map(|size| (Just(size), 0..size))
        .prop_flat_map(|(size, index)| (Just(size), Just(index), 0..=index)))
    {
        let (ours, root) = (path(index, size, start), edge(size).root());
        let tiles = stored(size);
        prop_assert_eq!(&tlog_tiles::tree_hash(size, &tiles).unwrap().0, root.as_bytes());
        prop_assert_eq!(hashes(&ours), tlog_tiles::prove_record(size, index, &tiles).unwrap());
        let tree = other_tree(size);
        prop_assert_eq!(bytes(&[root]), tree.root().as_bytes().to_vec());
        let theirs = tree.prove_inclusion(index.try_into().unwrap());
        prop_assert_eq!(bytes(&ours), theirs.as_bytes());
        prop_assert!(verify_inclusion(index, size, &leaf(index), &ours, &root).is_ok());
        // One flipped bit anywhere, and it holds no longer.
        for at in 0..ours.len() {
            let mut wrong = ours.clone();
            let mut bytes = *wrong[at].as_bytes();
            bytes[at % 32] ^= 1;
            wrong[at] = Digest::from_bytes(bytes);
            prop_assert!(verify_inclusion(index, size, &leaf(index), &wrong, &root).is_err());
        }
    }

    #[test]
    fn proofs_of_growth_are_those_of_two_other_implementations((second, first) in (1u64..300)
        .prop_flat_map(|second| (Just(second), 1..=second)))
    {
        let (one, two) = (edge(first).root(), edge(second).root());
        let ours = growth(first, second);
        let theirs = tlog_tiles::prove_tree(second, first, &stored(second)).unwrap();
        prop_assert_eq!(hashes(&ours), theirs);
        let added = usize::try_from(second - first).unwrap();
        if added > 0 {
            let theirs = other_tree(second).prove_consistency(added);
            prop_assert_eq!(bytes(&ours), theirs.as_bytes());
        }
        prop_assert!(verify_consistency((first, &one), (second, &two), &ours).is_ok());
    }

    /// The two verifiers agree on proofs that nobody made, too.
    #[test]
    fn verdicts_on_made_up_proofs_are_those_of_another_implementation(
        (second, first) in (1u64..40).prop_flat_map(|second| (Just(second), 1..=second)),
        cut in 0usize..8,
        swap in any::<bool>(),
        other in 0u64..40,
    ) {
        let mut proof = growth(first, second);
        proof.truncate(cut);
        if swap {
            proof.reverse();
        }
        let (one, two) = (edge(first).root(), edge(other).root());
        let ours = verify_consistency((first, &one), (second, &two), &proof);
        let (one, two) = (Hash(*one.as_bytes()), Hash(*two.as_bytes()));
        let theirs = tlog_tiles::check_tree(&hashes(&proof), second, two, first, one);
        prop_assert_eq!(ours.is_ok(), theirs.is_ok());
    }
}
