//! Texts that are JSON, texts that are not, and texts on which parsers differ.

use super::wire::{Era, Puppet, Twins};
use super::{Folder, rows, text, tried};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sec0::digest::Digest;
use serde_json::Value;

#[tokio::test]
async fn json() {
    let Some(folder) = Folder::find("json") else { return };
    for path in folder.files("", "", ".jsonl") {
        let mut twins = Twins::open(Era::Sessions, Puppet::echoing(["echo".to_owned()])).await;
        let (mut taken, mut canonical, mut refused, mut calls) = (0, 0, 0, Vec::new());
        for row in rows(&path) {
            let (name, expect) = (text(&row, "name"), text(&row, "expect"));
            let bytes = STANDARD.decode(text(&row, "b64")).unwrap();
            let parsed = serde_json::from_slice::<Value>(&bytes);
            match expect {
                "accept" => assert!(parsed.is_ok(), "{name}: {parsed:?}"),
                "reject" => assert!(parsed.is_err(), "{name}: {parsed:?}"),
                _ => {}
            }
            // As a whole message, and as an argument of a call.
            ask_raw(&mut twins, &bytes).await;
            let line = [
                b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":\
                  {\"name\":\"echo\",\"arguments\":{\"v\":"
                    .as_slice(),
                &bytes,
                b"}}}",
            ]
            .concat();
            let said = ask_raw(&mut twins, &line).await;
            let Ok(value) = parsed else {
                assert!(said.iter().all(|said| said.get("result").is_none()), "{name}: {said:?}");
                refused += 1;
                continue;
            };
            taken += 1;
            assert_eq!(said[0]["result"]["structuredContent"]["v"], value, "{name}");
            let arguments = serde_json::json!({ "v": value });
            match sec0::canonical::to_vec(&arguments) {
                Ok(text) => {
                    canonical += 1;
                    let again: Value = serde_json::from_slice(&text).unwrap();
                    assert_eq!(sec0::canonical::to_vec(&again).unwrap(), text, "{name}");
                    calls.push(Some(Digest::of(&text).to_string()));
                }
                Err(error) => {
                    assert!(!error.to_string().is_empty());
                    calls.push(None);
                }
            }
        }
        let records = twins.close().await;
        assert_eq!(records.len(), calls.len(), "one record for each call that was read");
        for (record, digest) in records.iter().zip(&calls) {
            assert_eq!(record["input_sha256"].as_str(), digest.as_deref(), "{record}");
        }
        tried(&format!(
            "json: {}: {taken} taken ({canonical} canonical), {refused} refused by the parser, \
             {} calls recorded",
            path.display(),
            records.len()
        ));
    }
}

/// The line ends where the bytes have an end of line, as it would on a wire; in a text that is
/// JSON these are blanks.
async fn ask_raw(twins: &mut Twins, bytes: &[u8]) -> Vec<Value> {
    let blank = |byte: &u8| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte };
    let line: Vec<u8> = bytes.iter().map(blank).collect();
    let request = serde_json::from_slice::<Value>(&line).ok();
    let answered = request
        .is_some_and(|request| request.get("method").is_some() && request.get("id").is_some());
    twins.ask(&line, answered).await
}
