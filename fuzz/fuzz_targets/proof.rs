//! What is taken as a proof prints as the same bytes, and holds for nothing that was not logged.
//!
//! Input: a proof; and a place in a genuine one (two bytes), how many bytes go there, and what comes
//! in their stead.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sec0::tlog::{Checkpoint, Edge, Note, PathBuilder, Proof, VerifierKey, leaf_hash};
use sec0::{LocalDevSigner, Signer as _};

const LINES: [&[u8]; 5] = [b"one", b"two", b"three", b"four", b"five"];

fuzz_target!(|bytes: &[u8]| {
    let signer = LocalDevSigner::from_seed([7; 32]);
    let read = |bytes: &[u8]| {
        let proof = Proof::parse(bytes).ok()?;
        assert_eq!(proof.to_string().as_bytes(), bytes);
        assert!(proof.verify(b"six", &signer.public_key(), None).is_err());
        Some(proof)
    };
    read(bytes);
    let [high, low, gone, put @ ..] = bytes else { return };
    let genuine = genuine(&signer).to_string();
    let at = usize::from(u16::from_be_bytes([*high, *low])) % genuine.len();
    let end = (at + usize::from(*gone)).min(genuine.len());
    let forged = [&genuine.as_bytes()[..at], put, &genuine.as_bytes()[end..]].concat();
    let Some(proof) = read(&forged) else { return };
    for (index, line) in (0u64..).zip(LINES) {
        let holds = proof.verify(line, &signer.public_key(), Some("log")).is_ok();
        assert!(!holds || index == proof.index());
    }
});

/// The proof for the third line.
fn genuine(signer: &LocalDevSigner) -> Proof {
    let mut edge = Edge::new();
    let mut path = PathBuilder::new(2, 5, Edge::new()).expect("a leaf");
    for line in LINES {
        edge.push(leaf_hash(line));
        path.push(leaf_hash(line));
    }
    let key = VerifierKey::new("log", signer.public_key()).expect("a name");
    let text = Checkpoint::new("log", &edge, None).expect("an origin").to_string();
    let signature = signer.sign_now(Note::to_sign(&text).expect("a text"));
    let note = Note::assemble(&text, &key, &signature).expect("a text");
    Proof::new(2, path.finish().expect("all leaves"), note)
}
