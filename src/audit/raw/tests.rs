use super::*;
use crate::audit::tests::{LONG, MORNING, TestSigner, facts_at, numbers, options, partly, push};
use crate::audit::{AuditSink, FileSink, Health, LeftOut, Log};
use crate::call::{Facts, KeyedDigests, ServerIdent};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

fn log(sink: impl AuditSink + 'static, raw: RawPayloads) -> Log {
    Log::open(options(&TestSigner::new(), sink).raw_payloads(raw)).unwrap()
}

/// The record of a call with these arguments and this result.
fn with(log: &Log, n: u64, input: &Value, output: &Value) -> Box<Facts> {
    let mut facts = facts_at(n, MORNING);
    let server = ServerIdent::new("demo", "1.0.0");
    let capture = log.capture().unwrap();
    let take = |direction, value| capture.take(value, &RawContext::new(direction, &server, "add"));
    let payloads = facts.payloads.get_or_insert_default();
    payloads.input = take(Direction::Input, input);
    payloads.output = take(Direction::Output, output);
    facts
}

fn raw(dir: &Path) -> Vec<Value> {
    let text = fs::read_to_string(dir.join("raw/raw-2026-11-23.ndjson")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn a_payload_has_the_members_of_the_original_and_the_digest_and_place_of_its_record() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(FileSink::open(dir.path()).unwrap(), RawPayloads::default());
    let mut facts = with(&log, 3, &json!({"a": 1}), &json!({"sum": "…"}));
    facts.claimed.node_id = Some("node".into());
    facts.claimed.agent_ref = Some("run".into());
    push(&log, facts);
    let mut facts = with(&log, 4, &json!({}), &json!(null));
    facts.keyed = Some(Box::new(KeyedDigests::under([7; 8])));
    facts.keyed.as_mut().unwrap().input = Some([0x55; 32]);
    (facts.input_sha256, facts.output_sha256) = (None, None);
    push(&log, facts);
    log.shutdown(LONG).await.unwrap();
    assert_eq!(log.left_out(), LeftOut::default());
    let text = fs::read_to_string(dir.path().join("raw/raw-2026-11-23.ndjson")).unwrap();
    let digest = "22".repeat(32);
    let input = format!(
        r#"{{"ts":"2026-11-23T08:15:30.042Z","trace_id":"{}","span_id":"0000000000000004","runId":"run","tenant":"acme","client":"demo","clientVersion":"1.0.0","direction":"input","nodeId":"node","tool":"add@1.0","payload":{{"a":1}},"payload_truncated":false,"payload_bytes":7,"metadata":{{"decision":"allow","idempotency_key":"3"}},"input_sha256":"{digest}","seq":0}}"#,
        "ab".repeat(16)
    );
    assert_eq!(text.lines().next(), Some(&*input));
    let lines = raw(dir.path());
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[1]["payload"], json!({"sum": "…"}));
    assert_eq!((&lines[1]["direction"], &lines[1]["seq"]), (&json!("output"), &json!(0)));
    assert_eq!(lines[1]["output_sha256"], "33".repeat(32));
    assert_eq!(lines[2]["input_hmac_sha256"], "55".repeat(32));
    assert_eq!((lines[2].get("input_sha256"), &lines[3]["payload"]), (None, &json!(null)));
}

#[tokio::test]
async fn a_long_payload_has_a_preview_of_whole_characters() {
    let dir = tempfile::tempdir().unwrap();
    let raw_payloads = RawPayloads::default().max_bytes(10);
    let log = log(FileSink::open(dir.path()).unwrap(), raw_payloads);
    push(&log, with(&log, 0, &json!("12345678"), &json!("1234567ééé")));
    log.shutdown(LONG).await.unwrap();
    let lines = raw(dir.path());
    assert_eq!(
        (&lines[0]["payload"], &lines[0]["payload_bytes"]),
        (&json!("12345678"), &json!(10))
    );
    assert_eq!(lines[1].get("payload"), None);
    assert_eq!(lines[1]["payload_preview"], "\"1234567é");
    assert_eq!(
        (&lines[1]["payload_truncated"], &lines[1]["payload_bytes"]),
        (&json!(true), &json!(15))
    );
}

#[tokio::test]
async fn what_redaction_takes_out_is_in_no_file_and_what_it_panics_on_neither() {
    let dir = tempfile::tempdir().unwrap();
    let raw_payloads = RawPayloads::default().redact(|payload, context| {
        assert!(payload.get("bad").is_none(), "a function that panics");
        assert_eq!((context.server.name(), context.tool), ("demo", "add"));
        payload["pin"] = format!("{} taken out", context.direction.as_str()).into();
    });
    let log = log(FileSink::open(dir.path()).unwrap(), raw_payloads);
    push(&log, with(&log, 0, &json!({"pin": "hunter2"}), &json!({"pin": "hunter2"})));
    push(&log, with(&log, 1, &json!({"bad": "hunter2"}), &json!({"pin": "hunter2"})));
    log.shutdown(LONG).await.unwrap();
    assert_eq!(log.left_out().payloads, 1);
    let text = fs::read_to_string(dir.path().join("raw/raw-2026-11-23.ndjson")).unwrap();
    assert!(!text.contains("hunter2"), "{text}");
    assert_eq!(raw(dir.path())[0]["payload"]["pin"], "input taken out");
    assert_eq!(raw(dir.path()).len(), 3);
}

#[tokio::test]
async fn only_what_is_wanted_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    for raw in [RawPayloads::default().without_inputs(), RawPayloads::default().without_outputs()] {
        let log = log(FileSink::open(dir.path()).unwrap(), raw);
        push(&log, with(&log, 0, &json!({}), &json!({})));
        log.shutdown(LONG).await.unwrap();
        assert_eq!(log.left_out(), LeftOut::default());
    }
    let directions: Vec<_> = raw(dir.path()).iter().map(|line| line["direction"].clone()).collect();
    assert_eq!(directions, ["output", "input"]);
    let plain =
        Log::open(options(&TestSigner::new(), FileSink::open(dir.path()).unwrap())).unwrap();
    assert!(plain.capture().is_none());
}

#[tokio::test]
async fn payloads_that_find_no_room_refuse_no_call_and_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let (sink, full) = partly(dir.path(), Some("raw/"));
    let log = log(sink, RawPayloads::default());
    push(&log, with(&log, 0, &json!({}), &json!({})));
    crate::audit::tests::faults::until(|| log.left_out().payloads == 2).await;
    assert_eq!(log.health(), Health::Working);
    *full.lock() = None;
    push(&log, with(&log, 1, &json!({}), &json!({})));
    log.shutdown(LONG).await.unwrap();
    assert_eq!((log.left_out().payloads, raw(dir.path()).len()), (2, 2));
    let lines = fs::read_to_string(dir.path().join("audit-2026-11-23.ndjson")).unwrap();
    let lines: Vec<_> = lines.lines().map(str::to_owned).collect();
    assert_eq!(numbers(&lines), [0, 1]);
}

#[tokio::test]
async fn the_memory_of_payloads_is_bounded_while_the_log_cannot_be_written() {
    let dir = tempfile::tempdir().unwrap();
    let (sink, full) = partly(dir.path(), Some("audit-"));
    let log = log(sink, RawPayloads::default().max_bytes(RawPayloads::MOST_BYTES));
    let large = json!("x".repeat(RawPayloads::MOST_BYTES));
    (0..100).for_each(|n| push(&log, with(&log, n, &large, &large)));
    assert_eq!(log.left_out().payloads, 200 - 128);
    *full.lock() = None;
    log.shutdown(LONG).await.unwrap();
    let kept = raw(dir.path()).len();
    assert_eq!(u64::try_from(kept).unwrap() + log.left_out().payloads, 200);
}

#[tokio::test]
async fn a_link_in_the_place_of_the_payloads_is_not_followed() {
    let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    symlink(elsewhere.path(), dir.path().join("raw")).unwrap();
    let log = log(FileSink::open(dir.path()).unwrap(), RawPayloads::default());
    push(&log, with(&log, 0, &json!({}), &json!({})));
    log.shutdown(LONG).await.unwrap();
    assert_eq!(log.left_out().payloads, 2);
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
}
