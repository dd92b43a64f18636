//! Notes, checkpoints and proofs, as a whole and held against other people's implementations.

mod checkpoint;
mod note;
mod proof;
mod tree;

use super::{Edge, Note, VerifierKey, leaf_hash};
use crate::digest::Digest;
use crate::sign::{LocalDevSigner, Signer as _};

/// Line number `index` of a log.
fn line(index: u64) -> Vec<u8> {
    format!("line {index}").into_bytes()
}

fn leaf(index: u64) -> Digest {
    leaf_hash(&line(index))
}

/// The edge after the first `size` lines.
fn edge(size: u64) -> Edge {
    let mut edge = Edge::new();
    for index in 0..size {
        edge.push(leaf(index));
    }
    edge
}

fn signer(seed: u8) -> LocalDevSigner {
    LocalDevSigner::from_seed([seed; 32])
}

fn key(name: &str, seed: u8) -> VerifierKey {
    VerifierKey::new(name, signer(seed).public_key()).unwrap()
}

fn signed(text: &str, name: &str, seed: u8) -> Note {
    let signature = signer(seed).sign_now(Note::to_sign(text).unwrap());
    Note::assemble(text, &key(name, seed), &signature).unwrap()
}
