use super::{Folder, left_out, rows, text, tried};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sec0::tlog::{Checkpoint, Note, NoteError, VerifierKey};
use serde_json::Value;

#[test]
fn signed_note() {
    let Some(folder) = Folder::find("signed_note") else { return };
    for path in folder.files("", "", ".jsonl") {
        let mut judged = 0;
        for row in rows(&path) {
            match text(&row, "kind") {
                "note_open" => note_open(&row),
                "vkey" => {
                    let key: Result<VerifierKey, _> = text(&row, "vkey").parse();
                    assert_eq!(key.is_ok(), is_wanted(&row), "{row}");
                    let printed = key.map(|key| key.to_string());
                    assert!(printed.is_err() || printed.as_deref() == Ok(text(&row, "vkey")));
                }
                "checkpoint_parse" => {
                    let body = decoded(&row, "body_b64");
                    let parsed = str::from_utf8(&body).is_ok_and(|body| {
                        Checkpoint::parse(body).is_ok_and(|parsed| parsed.to_string() == body)
                    });
                    assert_eq!(parsed, is_wanted(&row), "{row}");
                }
                other => {
                    left_out(&format!("{}: the kind {other} is not known", path.display()));
                    continue;
                }
            }
            judged += 1;
        }
        tried(&format!("{}: {judged} rows have the verdict that is given", path.display()));
    }
}

/// The verdicts begin with `error` or are `reject`; all others accept.
fn is_wanted(row: &Value) -> bool {
    let expect = text(row, "expect");
    !expect.starts_with("error") && expect != "reject"
}

fn decoded(row: &Value, name: &str) -> Vec<u8> {
    STANDARD.decode(text(row, name)).unwrap()
}

fn note_open(row: &Value) {
    let bytes = decoded(row, "note_b64");
    let verifiers = row["verifiers"].as_array().map_or(&[][..], Vec::as_slice);
    let known: Vec<VerifierKey> =
        verifiers.iter().map(|key| key.as_str().unwrap().parse().unwrap()).collect();
    let opened = Note::parse(&bytes).and_then(|note| {
        assert_eq!(note.to_string().as_bytes(), bytes, "{row}");
        Ok(note.verify(&known)?.len())
    });
    assert_eq!(opened.is_ok(), is_wanted(row), "{row}");
    let expect = text(row, "expect");
    match &opened {
        Ok(count) => {
            if let Some(verified) = row["verified"].as_array() {
                assert_eq!(*count, verified.len(), "{row}");
            }
        }
        Err(NoteError::Ambiguous { .. }) => {
            assert!(expect.starts_with("error: ambiguous key"), "{row}");
        }
        Err(NoteError::Invalid { .. }) => {
            assert!(expect.starts_with("error: invalid signature"), "{row}");
        }
        Err(NoteError::Unsigned { .. }) => assert_eq!(expect, "reject", "{row}"),
        Err(_) => assert_eq!(expect, "error: malformed note", "{row}"),
    }
}
