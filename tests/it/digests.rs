//! Digests of arguments and replies: under a key where there is one, and never without it then.

use crate::support::{Rules, Runs, Site, ask, ask_in, demo, done, sha256_of, tool};
use sec0::Sec0SecurityLayer;
use sec0::digest::Digest;
use sec0::mcp::detached_context;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const KEY: [u8; 32] = [0x6b; 32];

/// HMAC-SHA-256 by the letter of RFC 2104, in hex.
fn hmac(key: &[u8; 32], message: &[u8]) -> String {
    let pad = |byte: u8| {
        let mut block = [byte; 64];
        block.iter_mut().zip(key).for_each(|(to, from)| *to ^= from);
        block
    };
    let inner = Sha256::new_with_prefix(pad(0x36)).chain_update(message).finalize();
    hex(&Sha256::new_with_prefix(pad(0x5c)).chain_update(inner).finalize())
}

fn hex(bytes: &[u8]) -> String {
    Digest::from_bytes(bytes.try_into().unwrap()).to_string()
}

fn canonical(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json_canonicalizer::to_vec(value).unwrap()
}

/// The record of one call, made with this digest key.
async fn record(key: Option<[u8; 32]>, arguments: Value) -> Value {
    let site = Site::default();
    let mut options = site.options(&Rules::enforce());
    if let Some(key) = key {
        options = options.digest_key(key);
    }
    assert!(!format!("{options:?}").contains("107, 107"), "the key is not shown");
    let layer = Sec0SecurityLayer::try_new(options).unwrap();
    assert!(!format!("{layer:?}").contains("107, 107"), "the key is not shown");
    let runs = Runs::default();
    let server = demo().tool(tool("add", Some("1.0")), runs.handler()).layer(layer.clone());
    let mut context = detached_context();
    context.meta =
        serde_json::from_value(json!({ "sec0/idempotencyKey": "k".repeat(65) })).unwrap();
    assert!(ask_in(&server, "add", arguments, context).await.is_ok());
    site.close(&layer).await.only().clone()
}

#[tokio::test]
async fn digests_under_a_key_are_hmacs_of_the_canonical_arguments_and_result() {
    for arguments in [json!({}), json!({ "pin": 1234, "é": [1e21, null] })] {
        let record = record(Some(KEY), arguments.clone()).await;
        assert_eq!(record["input_hmac_sha256"], hmac(&KEY, &canonical(&arguments)));
        assert_eq!(record["output_hmac_sha256"], hmac(&KEY, &canonical(&done())));
        let id = hex(&Sha256::digest([b"sec0 digest key".as_slice(), &KEY].concat()));
        assert_eq!(record["digest_key_id"].as_str(), id.get(..16));
        assert_eq!(
            record["idempotency_key"],
            format!("hmac-sha256:{}", hmac(&KEY, "k".repeat(65).as_bytes()))
        );
    }
}

#[tokio::test]
async fn with_a_key_no_digest_of_arguments_or_result_is_in_the_record_without_it() {
    let arguments = json!({ "pin": 1234 });
    let record = record(Some(KEY), arguments.clone()).await;
    assert_eq!((&record["input_sha256"], &record["output_sha256"]), (&Value::Null, &Value::Null));
    let text = record.to_string();
    for digest in [sha256_of(&arguments), sha256_of(&done())] {
        assert!(!text.contains(&digest), "{record:#}");
    }
    assert!(!text.contains(&"k".repeat(65)));
    assert_ne!(
        record["input_hmac_sha256"],
        self::record(Some([1; 32]), arguments).await["input_hmac_sha256"],
        "another key, another digest"
    );
}

#[tokio::test]
async fn without_a_key_a_record_has_no_members_for_digests_under_one() {
    let record = record(None, json!({ "a": 1 })).await;
    assert_eq!(record["input_sha256"], sha256_of(&json!({ "a": 1 })));
    for absent in ["digest_key_id", "input_hmac_sha256", "output_hmac_sha256"] {
        assert_eq!(record.get(absent), None, "{absent}");
    }
    let digest = hex(&Sha256::digest("k".repeat(65)));
    assert_eq!(record["idempotency_key"], format!("sha256:{digest}"));
}

#[tokio::test]
async fn a_call_that_ends_before_its_digests_says_which_key_they_would_be_under() {
    let site = Site::default();
    let options = site.options(&Rules::enforce()).digest_key(KEY);
    let layer = Sec0SecurityLayer::try_new(options).unwrap();
    let server = demo().layer(layer.clone());
    assert!(ask(&server, "no_such_tool", Value::Null).await.is_err());
    let lines = site.close(&layer).await;
    let record = lines.only();
    assert_eq!(record["digest_key_id"].as_str().unwrap().len(), 16);
    for null in ["input_hmac_sha256", "input_sha256", "output_hmac_sha256", "output_sha256"] {
        assert_eq!(record.get(null), Some(&Value::Null), "{null}");
    }
}
