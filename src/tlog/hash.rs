//! The two hashes of the tree.

use crate::digest::Digest;
use sha2::{Digest as _, Sha256};

/// What a leaf's hash begins with; with it no line of a log can stand for a node.
const LEAF: [u8; 1] = [0x00];
/// What a node's hash begins with.
const NODE: [u8; 1] = [0x01];

/// The hash of one entry of the log, `SHA-256(0x00 || line)` (RFC 6962, 2.1). The caller decides
/// what the line is; a newline counts when it is given.
pub fn leaf_hash(line: &[u8]) -> Digest {
    Digest::from_bytes(Sha256::new().chain_update(LEAF).chain_update(line).finalize().into())
}

/// The hash over two subtrees, `SHA-256(0x01 || left || right)` (RFC 6962, 2.1).
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    let both = Sha256::new().chain_update(NODE).chain_update(left.as_bytes());
    Digest::from_bytes(both.chain_update(right.as_bytes()).finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_leaves_and_nodes_as_rfc_6962_does() {
        let leaf = leaf_hash(b"");
        assert_eq!(leaf.to_base64(), "bjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=");
        assert_eq!(leaf, Digest::of(&[0]));
        let both = [&[1][..], leaf.as_bytes(), leaf.as_bytes()].concat();
        assert_eq!(node_hash(&leaf, &leaf), Digest::of(&both));
        assert_ne!(leaf_hash(&both[1..]), node_hash(&leaf, &leaf));
    }
}
