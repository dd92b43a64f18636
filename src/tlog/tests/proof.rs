use super::super::{
    Checkpoint, CheckpointError, Edge, NoteError, PathBuilder, PathError, Proof, ProofError,
};
use super::{edge, leaf, line, signed, signer};
use crate::sign::{PublicKey, Signer as _};
use proptest::prelude::*;

const ORIGIN: &str = "sec0-audit/t";

fn public_key() -> PublicKey {
    signer(1).public_key()
}

fn proof(index: u64, size: u64) -> Proof {
    let text = Checkpoint::new(ORIGIN, &edge(size), None).unwrap().to_string();
    let mut builder = PathBuilder::new(index, size, Edge::new()).unwrap();
    for index in 0..size {
        builder.push(leaf(index));
    }
    Proof::new(index, builder.finish().unwrap(), signed(&text, ORIGIN, 1))
}

fn parse(text: &str) -> Result<Proof, ProofError> {
    Proof::parse(text.as_bytes())
}

#[test]
fn holds_for_its_line_alone() {
    for index in 0..7 {
        let read = parse(&proof(index, 7).to_string()).unwrap();
        for other in 0..7 {
            let verdict = read.verify(&line(other), &public_key(), Some(ORIGIN));
            assert_eq!(verdict.is_ok(), other == index, "{index} {other}");
        }
        assert_eq!(read.verify(&line(index), &public_key(), None).unwrap().size(), 7);
    }
}

#[test]
fn says_what_does_not_hold() {
    let good = proof(2, 5);
    let error = |proof: &Proof, line: &[u8], seed, origin| {
        proof.verify(line, &signer(seed).public_key(), origin).unwrap_err()
    };
    assert_eq!(
        error(&good, b"line 9", 1, None).to_string(),
        "the line is not in the log: the path does not lead from leaf 2 to the root of the tree of \
         5 leaves"
    );
    let other_key = error(&good, b"line 2", 2, None);
    assert!(matches!(
        other_key,
        ProofError::Checkpoint(CheckpointError::Note(NoteError::Unsigned { .. }))
    ));
    assert_eq!(
        error(&good, b"line 2", 1, Some("sec0-audit/u")).to_string(),
        "the checkpoint is of the log `sec0-audit/t`, not of `sec0-audit/u`"
    );
    let text = good.to_string();
    let moved = parse(&text.replace("index 2", "index 5")).unwrap();
    let beyond = PathError::NoSuchLeaf { index: 5, size: 5 };
    assert_eq!(error(&moved, b"line 2", 1, None), ProofError::NotIncluded(beyond));
    let edited = parse(&text.replace("\n5\n", "\n6\n")).unwrap();
    assert!(matches!(
        error(&edited, b"line 2", 1, None),
        ProofError::Checkpoint(CheckpointError::Note(NoteError::Invalid { .. }))
    ));
    let (_, shorter) = good.path().split_last().unwrap();
    let shorter = Proof::new(2, shorter.to_vec(), good.checkpoint().clone());
    assert!(matches!(error(&shorter, b"line 2", 1, None), ProofError::NotIncluded(_)));
}

#[test]
fn refuses_what_is_not_a_proof_and_says_where() {
    let good = proof(2, 5).to_string();
    let hash = good.lines().nth(2).unwrap().to_owned();
    let with = |from: &str, to: &str| parse(&good.replacen(from, to, 1)).unwrap_err();
    assert_eq!(parse(""), Err(ProofError::NoCheckpoint));
    assert_eq!(with("proof@v1", "proof@v2"), ProofError::OtherFormat);
    assert_eq!(with("index 2", "extra \nindex 2"), ProofError::Extra);
    assert_eq!(with("index 2", "extra AA=\nindex 2"), ProofError::Extra);
    let index = |line, found: &str| ProofError::Index { line, found: found.to_owned() };
    assert_eq!(with("index 2", "index 02"), index(2, "index 02"));
    assert_eq!(with("index 2", "index -2"), index(2, "index -2"));
    assert_eq!(with("index 2", "extra AAA=\nindex"), index(3, "index"));
    assert_eq!(with("index 2\n", ""), index(2, &hash));
    assert_eq!(parse("c2sp.org/tlog-proof@v1\n\n"), Err(index(2, "")));
    assert_eq!(with(&hash, "AA=="), ProofError::NotAHash { line: 3 });
}

#[test]
fn refuses_what_is_too_much_or_no_text() {
    let good = proof(2, 5).to_string();
    let hash = good.lines().nth(2).unwrap().to_owned();
    let with = |from: &str, to: &str| parse(&good.replacen(from, to, 1)).unwrap_err();
    let long = format!("{hash}\n").repeat(64);
    assert_eq!(with(&format!("{hash}\n"), &long), ProofError::PathTooLong);
    assert_eq!(Proof::parse(&vec![b'\n'; Proof::MAX_LEN + 1]), Err(ProofError::TooLong));
    assert!(ProofError::TooLong.to_string().contains(&Proof::MAX_LEN.to_string()));
    assert_eq!(Proof::parse(b"\xFF\n\n"), Err(ProofError::NotUtf8));
    assert!(matches!(with("\u{2014} ", "- "), ProofError::Note(_)));
}

#[test]
fn keeps_extra_data_and_does_not_trust_it() {
    let text = proof(2, 5).to_string().replace("index 2", "extra AAECAw==\nindex 2");
    let read = parse(&text).unwrap();
    assert_eq!(read.extra(), Some(&[0, 1, 2, 3][..]));
    assert_eq!(read.to_string(), text);
    assert!(read.verify(b"line 2", &public_key(), Some(ORIGIN)).is_ok());
}

proptest! {
    #[test]
    fn prints_what_it_reads_at_every_size((index, size) in (1u64..80).prop_flat_map(
        |size| (0..size, Just(size)),
    )) {
        let made = proof(index, size);
        let read = parse(&made.to_string()).unwrap();
        prop_assert_eq!(&read, &made);
        prop_assert!(read.verify(&line(index), &public_key(), Some(ORIGIN)).is_ok());
    }

    /// Whatever byte is changed, the proof no longer parses, no longer holds, or what was changed
    /// is a signature that nobody asked for.
    #[test]
    fn no_byte_can_be_changed(at: prop::sample::Index, bit in 0u8..8) {
        let mut bytes = proof(2, 5).to_string().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let verdict = Proof::parse(&bytes)
            .and_then(|proof| proof.verify(b"line 2", &public_key(), Some(ORIGIN)));
        prop_assert!(verdict.is_err(), "{}", String::from_utf8_lossy(&bytes));
    }
}
