//! What is taken as a note or a checkpoint prints as the same bytes, and a genuine note that was
//! changed no longer verifies.
//!
//! Input: a note; and a place in a genuine one (one byte), how many bytes go there, and what comes
//! in their stead.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sec0::tlog::{Checkpoint, Edge, Note, VerifierKey, leaf_hash};
use sec0::{LocalDevSigner, Signer as _};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(note) = Note::parse(bytes) {
        assert_eq!(note.to_string().as_bytes(), bytes);
    }
    if let Ok(text) = str::from_utf8(bytes) {
        if let Ok(checkpoint) = Checkpoint::parse(text) {
            assert_eq!(checkpoint.to_string(), text);
            if let Ok(resume) = checkpoint.resume() {
                assert_eq!(resume.edge.root(), checkpoint.root());
            }
        }
        if let Ok(key) = text.parse::<VerifierKey>() {
            assert_eq!(key.to_string(), text);
        }
    }
    let [at, gone, put @ ..] = bytes else { return };
    let signer = LocalDevSigner::from_seed([7; 32]);
    let key = VerifierKey::new("log", signer.public_key()).expect("a name");
    let genuine = genuine(&signer, &key);
    let text = genuine.to_string();
    let at = usize::from(*at) % text.len();
    let end = (at + usize::from(*gone)).min(text.len());
    let forged = [&text.as_bytes()[..at], put, &text.as_bytes()[end..]].concat();
    if let Ok(checkpoint) = Checkpoint::open(&forged, &key) {
        assert_eq!(checkpoint.to_string(), genuine.text());
    }
});

fn genuine(signer: &LocalDevSigner, key: &VerifierKey) -> Note {
    let mut edge = Edge::new();
    for line in [&b"one"[..], b"two", b"three"] {
        edge.push(leaf_hash(line));
    }
    let last = sec0::digest::Digest::of(b"three");
    let text = Checkpoint::new("log", &edge, Some(last)).expect("an origin").to_string();
    let signature = signer.sign_now(Note::to_sign(&text).expect("a text"));
    Note::assemble(&text, key, &signature).expect("a text")
}
