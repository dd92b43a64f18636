//! Texts that programs trip over, wherever a text may stand.

use super::wire::{Era, Puppet, Twins};
use super::{Folder, json, tried};
use sec0::digest::Digest;
use sec0::policy::Policy;
use serde_json::json;
use std::collections::BTreeSet;

#[tokio::test]
async fn strings() {
    let Some(folder) = Folder::find("strings") else { return };
    for path in folder.files("", "", ".json") {
        let texts: BTreeSet<String> = serde_json::from_value(json(&path)).unwrap();
        let (mut taken, mut refused) = (0, 0);
        for text in &texts {
            let (one, other) = as_policy_entries(text);
            taken += one;
            refused += other;
        }
        let recorded = as_calls(&texts).await;
        tried(&format!(
            "strings: {}: {} texts, {recorded} calls recorded, {taken} policies taken, \
             {refused} refused",
            path.display(),
            texts.len()
        ));
    }
}

/// Arguments, names of arguments, names of tools that exist and that do not, claims, other
/// `_meta`: each call is answered as without the layer, and leaves one record.
async fn as_calls(texts: &BTreeSet<String>) -> usize {
    let echo = "the echo of these tests";
    let names = texts.iter().cloned().chain([echo.to_owned()]);
    let mut twins = Twins::open(Era::Sessions, Puppet::echoing(names)).await;
    let mut called = Vec::new();
    for text in texts {
        let arguments = json!({"v": text, "inner": {text.as_str(): [text]}});
        let meta = json!({
            "sec0/nodeId": text, "sec0/agentRef": text, "sec0/idempotencyKey": text,
            "traceparent": text, "acme/any": text, format!("acme/{text}"): text,
        });
        let nowhere = format!("no tool: {text}");
        for name in [echo, text, &nowhere] {
            let line = json!({"jsonrpc": "2.0", "id": text, "method": "tools/call", "params": {
                "name": name, "arguments": arguments, "_meta": meta,
            }});
            let said = twins.ask(line.to_string().as_bytes(), true).await;
            let result = &said[0]["result"];
            assert_eq!(result.is_null(), name == nowhere, "{said:?}");
            assert!(result.is_null() || result["structuredContent"] == arguments, "{said:?}");
            called.push((name.to_owned(), arguments.clone()));
        }
    }
    let records = twins.close().await;
    assert_eq!(records.len(), called.len());
    for (record, (name, arguments)) in records.iter().zip(called) {
        let digest = Digest::of(&sec0::canonical::to_vec(&arguments).unwrap()).to_string();
        assert_eq!(record["input_sha256"], digest);
        // A name that is too long for a record is cut, and says so.
        let recorded = record["target_tool"].as_str().unwrap();
        let start = recorded.strip_suffix('…').unwrap_or(&name);
        assert!(name.starts_with(start) && (recorded == name || name.len() > 256), "{name}");
    }
    records.len()
}

/// How many policies with this text in them were taken, and how many were refused with a place.
fn as_policy_entries(text: &str) -> (usize, usize) {
    let mut document = json!({
        "tenant": "acme", "default_retention": "30d", "signing": {"enabled": true},
        "tools": {"allowlist": []}, "enforcement": {},
    });
    let places = ["/tenant", "/signing/key_ref", "/tools/allowlist/0", "/enforcement/deny_on/0"];
    let (mut taken, mut refused) = (0, 0);
    document["signing"]["key_ref"] = json!("file://k");
    document["tools"]["allowlist"] = json!(["*"]);
    document["enforcement"]["deny_on"] = json!(["handler_swap"]);
    for place in places {
        let mut document = document.clone();
        *document.pointer_mut(place).unwrap() = json!(text);
        // Once as JSON, once as a block of YAML with the text as it is: both have an answer.
        let plain = format!("tenant: {text}\ndefault_retention: 30d\n");
        assert!(Policy::from_yaml(&plain).is_err());
        match Policy::from_yaml(&document.to_string()) {
            Ok(policy) => {
                taken += 1;
                assert!(place != "/tenant" || policy.tenant() == text, "{text}");
            }
            Err(error) => {
                refused += 1;
                let problem = &error.problems()[0];
                assert!(problem.line > 0 && problem.column > 0, "{error}");
                assert!(!error.to_string().replace('\n', "").chars().any(char::is_control));
            }
        }
    }
    (taken, refused)
}
