use super::super::{Note, NoteError, VerifierKey};
use super::{key, signed, signer};
use proptest::prelude::*;
use signed_note::{StandardVerifier, VerifierList};

/// From the specification.
const KEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const NOTE: &str = "This is an example message.\n\n\u{2014} example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

#[test]
fn verifies_the_note_of_the_specification() {
    let note = Note::parse(NOTE.as_bytes()).unwrap();
    assert_eq!(note.text(), "This is an example message.\n");
    assert_eq!(note.to_string(), NOTE);
    let keys: [VerifierKey; 1] = [KEY.parse().unwrap()];
    assert_eq!(note.verify(&keys), Ok(vec![&keys[0]]));
    let changed = Note::parse(NOTE.replace("example m", "example\nm").as_bytes()).unwrap();
    let error = changed.verify(&keys).unwrap_err().to_string();
    assert!(error.starts_with("the signature of `example.com/foo` under the note"), "{error}");
}

#[test]
fn ignores_signatures_of_others_and_wants_one_of_a_known_key() {
    let known = [key("log", 1), key("witness", 2)];
    let mut both = signed("text\n", "log", 1).to_string();
    both.push_str(signed("text\n", "stranger", 3).to_string().split_at(6).1);
    let note = Note::parse(both.as_bytes()).unwrap();
    assert_eq!(note.signatures().len(), 2);
    assert_eq!(note.verify(&known), Ok(vec![&known[0]]));
    // The same name with another key is another key.
    let error = note.verify(&[key("log", 9)]).unwrap_err().to_string();
    assert_eq!(
        error,
        "the note is not signed by `log`, or under this name by another key; it is signed by \
         `log`, `stranger`"
    );
    assert!(matches!(note.verify(&[]), Err(NoteError::Unsigned { .. })));
    let twice = [known[0].clone(), known[0].clone()];
    assert!(matches!(note.verify(&twice), Err(NoteError::Ambiguous { .. })));
}

#[test]
fn refuses_a_wrong_signature_of_a_known_key_beside_a_right_one() {
    let (one, other) = (signed("text\n", "log", 1), signed("other\n", "log", 1));
    let forged = format!("{one}{}", other.to_string().split_at(7).1);
    let note = Note::parse(forged.as_bytes()).unwrap();
    assert_eq!(note.signatures().len(), 2);
    assert!(matches!(note.verify(&[key("log", 1)]), Err(NoteError::Invalid { .. })));
}

#[test]
fn refuses_what_is_not_a_note_and_says_where() {
    let good = "text\n\n\u{2014} log AAAAAQE=\n";
    assert!(Note::parse(good.as_bytes()).is_ok());
    let line = "\u{2014} log AAAAAQE=\n";
    let cases = [
        ("", NoteError::NoSignatures),
        ("text\n", NoteError::NoSignatures),
        ("text\n\n", NoteError::NoSignatures),
        ("text\n\n\u{2014} log AAAAAQE=", NoteError::Unfinished),
        ("te\rxt\n\n\u{2014} log AAAAAQE=\n", NoteError::Control { line: 1 }),
        ("text\n\n\u{2014} log AAAAAQE=\r\n", NoteError::Control { line: 3 }),
        ("text\n\n- log AAAAAQE=\n", NoteError::NotASignature { line: 3 }),
        ("text\n\n\u{2014}  AAAAAQE=\n", NoteError::NotASignature { line: 3 }),
        ("text\n\n\u{2014} l g AAAAAQE=\n", NoteError::NotASignature { line: 3 }),
        ("text\n\n\u{2014} l+g AAAAAQE=\n", NoteError::NotASignature { line: 3 }),
        ("text\n\n\u{2014} log AAAAAQE\n", NoteError::NotASignature { line: 3 }),
        ("text\n\n\u{2014} log AAAAAQF=\n", NoteError::NotASignature { line: 3 }),
        ("text\n\n\u{2014} log AAAAAQ==\n", NoteError::NotASignature { line: 3 }),
        ("a\nb\n\n\u{2014} log AAAAAQE=\nx\n", NoteError::NotASignature { line: 5 }),
    ];
    for (text, expected) in cases {
        assert_eq!(Note::parse(text.as_bytes()), Err(expected), "{text:?}");
    }
    assert_eq!(Note::parse(b"te\xFFxt"), Err(NoteError::NotUtf8 { offset: 2 }));
    let with = |count| format!("text\n\n{}", line.repeat(count));
    assert!(Note::parse(with(16).as_bytes()).is_ok());
    assert_eq!(Note::parse(with(17).as_bytes()), Err(NoteError::TooMany));
}

#[test]
fn holds_the_bounds_that_its_messages_name() {
    assert_eq!((Note::MAX_LEN, Note::MAX_TEXT, Note::MAX_SIGNATURES), (262_144, 65_536, 16));
    let text = |len: usize| format!("{}\n", "x".repeat(len - 1));
    assert!(Note::to_sign(&text(Note::MAX_TEXT)).is_ok());
    assert_eq!(Note::to_sign(&text(Note::MAX_TEXT + 1)), Err(NoteError::TextTooLong));
    assert_eq!(Note::parse(&vec![b'x'; Note::MAX_LEN + 1]), Err(NoteError::TooLong));
    assert_eq!(Note::to_sign("text"), Err(NoteError::TextUnfinished));
    assert_eq!(Note::to_sign(""), Err(NoteError::TextUnfinished));
    // The largest note that the bounds promise to take: post-quantum signatures, long names.
    let line = format!("\u{2014} {} {}\n", "n".repeat(4096), "AAAA".repeat(1900));
    let largest = format!("{}\n{}", text(Note::MAX_TEXT), line.repeat(16));
    assert!(Note::parse(largest.as_bytes()).is_ok());
}

proptest! {
    #[test]
    fn what_is_signed_here_is_read_alike_here_and_elsewhere(
        text in "([a-c \u{2014}é]{0,4}\n){1,6}",
        seed: u8,
    ) {
        let note = signed(&text, "example.com/log", seed);
        let bytes = note.to_string();
        let again = Note::parse(bytes.as_bytes()).unwrap();
        prop_assert_eq!(&again, &note);
        let known = key("example.com/log", seed);
        prop_assert!(again.verify(std::slice::from_ref(&known)).is_ok());
        let theirs = signed_note::Note::from_bytes(bytes.as_bytes()).unwrap();
        prop_assert_eq!(theirs.text(), text.as_bytes());
        let verifier = StandardVerifier::new(&known.to_string()).unwrap();
        prop_assert!(theirs.verify(&VerifierList::new(vec![Box::new(verifier)])).is_ok());
    }

    /// A mangled note is taken here only when it is taken elsewhere, and then it is the same.
    #[test]
    fn takes_no_note_that_others_do_not(at in 0usize..200, put in "[\u{2014} \n+=A\u{1}]{0,3}") {
        let mut bytes = signed("text\n", "log", 1).to_string().into_bytes();
        let at = at % bytes.len();
        bytes.splice(at..=at, put.bytes());
        if let Ok(ours) = Note::parse(&bytes) {
            prop_assert_eq!(ours.to_string().into_bytes(), bytes.clone());
            let theirs = signed_note::Note::from_bytes(&bytes).unwrap();
            prop_assert_eq!(theirs.text(), ours.text().as_bytes());
        }
    }

    #[test]
    fn anything_that_parses_prints_back(bytes in "[a\n\u{2014}= A]{0,40}") {
        if let Ok(note) = Note::parse(bytes.as_bytes()) {
            prop_assert_eq!(note.to_string(), bytes);
        }
    }
}

#[test]
fn a_signature_of_another_length_is_wrong_and_no_fault() {
    use crate::sign::Signer as _;
    let key = VerifierKey::new("log", signer(1).public_key()).unwrap();
    let note = signed("text\n", "log", 1).to_string();
    let whole = note.split(' ').next_back().unwrap().trim_end().to_owned();
    // 68 bytes are 92 characters, of which the last group holds two bytes.
    let short = note.replace(&whole, whole.split_at(88).0);
    let short = Note::parse(short.as_bytes()).unwrap();
    assert!(matches!(short.verify(&[key]), Err(NoteError::Invalid { .. })));
}
