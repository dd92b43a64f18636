use super::{Folder, tried};
use sec0::digest::Digest;
use sec0::tlog::{
    Checkpoint, ConsistencyBuilder, Edge, Note, PathBuilder, Proof, VerifierKey, leaf_hash,
    verify_consistency,
};
use std::fs;
use std::path::PathBuf;

/// The key that signs the log of the Tessera project's tests, as that project publishes it.
const KEY: &str = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";

/// A log of a few entries in tiles, with a checkpoint at every size: each checkpoint opens and has
/// the root over its entries, every entry is proven in each, and each is proven to have grown out of
/// those before it.
#[test]
fn tlog_tiles() {
    let Some(folder) = Folder::find("tlog_tiles") else { return };
    let key: VerifierKey = KEY.parse().unwrap();
    let entries = entries(&folder);
    let leaves: Vec<Digest> = entries.iter().map(|entry| leaf_hash(entry)).collect();
    for path in folder.files("log/tile/0/000.p", "", "") {
        let of_tile = fs::read(&path).unwrap();
        for (hash, leaf) in of_tile.chunks(32).zip(&leaves) {
            assert_eq!(hash, leaf.as_bytes(), "{}", path.display());
        }
    }
    let mut heads: Vec<(u64, Digest)> = Vec::new();
    for path in folder.files("log", "checkpoint", "") {
        let note = Note::parse(&fs::read(&path).unwrap()).unwrap();
        let checkpoint = Checkpoint::from_note(&note, &key).unwrap();
        let size = usize::try_from(checkpoint.size()).unwrap();
        if size > leaves.len() {
            continue;
        }
        assert_eq!(edge(&leaves[..size]).root(), checkpoint.root(), "{}", path.display());
        for (index, entry) in entries[..size].iter().enumerate() {
            let index = u64::try_from(index).unwrap();
            let mut builder = PathBuilder::new(index, checkpoint.size(), Edge::new()).unwrap();
            for leaf in &leaves[..size] {
                builder.push(*leaf);
            }
            let proof = Proof::new(index, builder.finish().unwrap(), note.clone());
            let read = Proof::parse(proof.to_string().as_bytes()).unwrap();
            assert_eq!(read.verify(entry, &key.public_key(), None), Ok(checkpoint.clone()));
        }
        heads.push((checkpoint.size(), checkpoint.root()));
    }
    for (first, one) in heads.iter().filter(|(first, _)| *first > 0) {
        for (second, two) in heads.iter().filter(|(second, _)| second >= first) {
            let [from, to] = [*first, *second].map(|size| usize::try_from(size).unwrap());
            let mut builder = ConsistencyBuilder::new(edge(&leaves[..from]), *second).unwrap();
            for leaf in &leaves[from..to] {
                builder.push(*leaf);
            }
            let proof = builder.finish().unwrap();
            assert_eq!(verify_consistency((*first, one), (*second, two), &proof), Ok(()));
        }
    }
    tried(&format!("tlog_tiles: {} entries, {} checkpoints", entries.len(), heads.len()));
}

fn edge(leaves: &[Digest]) -> Edge {
    let mut edge = Edge::new();
    for leaf in leaves {
        edge.push(*leaf);
    }
    edge
}

/// The entries of the widest tile; each has its length before it, in two bytes.
fn entries(folder: &Folder) -> Vec<Vec<u8>> {
    let width = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let tiles = folder.files("log/tile/entries/000.p", "", "");
    let Some(widest) = tiles.iter().max_by_key(|path| width(path)) else { return Vec::new() };
    let bytes = fs::read(widest).unwrap();
    let mut rest = bytes.as_slice();
    let mut entries = Vec::new();
    while let [high, low, behind @ ..] = rest {
        let (entry, next) = behind.split_at(u16::from_be_bytes([*high, *low]).into());
        entries.push(entry.to_vec());
        rest = next;
    }
    entries
}
