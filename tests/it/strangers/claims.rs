//! What a caller says of itself to break a line, a path or the memory.

use super::assert_log;
use crate::drive::House;
use serde_json::{Value, json};

/// Each thing that a caller may say of itself: its header, its key in `_meta`, its member.
pub(super) const FIELDS: [(&str, &str, &str); 6] = [
    ("x-node-id", "sec0/nodeId", "nodeId"),
    ("x-agent-ref", "sec0/agentRef", "agentRef"),
    ("x-agent-state", "sec0/agentState", "agent_state_sha256"),
    ("x-idempotency-key", "sec0/idempotencyKey", "idempotency_key"),
    ("traceparent", "traceparent", "cause_trace_id"),
    ("x-auth-context", "sec0/authContext", "auth"),
];

/// Taken out and never recorded, whatever it is.
pub(super) const TOKEN: (&str, &str) = ("x-sec0-approval-token", "sec0/approvalToken");

/// What the record must say: a member with its value, or why a claim was rejected.
pub(super) enum Says {
    Member(&'static str, &'static str),
    Rejected(String),
    Nothing,
}

/// Names that would lead elsewhere if they became paths.
pub(super) const PATHS: [(&str, &str, &str, Option<&str>); 6] = [
    ("x-node-id", "sec0/nodeId", ".", None),
    ("x-node-id", "sec0/nodeId", "..", None),
    ("x-node-id", "sec0/nodeId", "a/b", Some("a-b")),
    ("x-agent-ref", "sec0/agentRef", ".", Some(".")),
    ("x-agent-ref", "sec0/agentRef", "..", Some("..")),
    ("x-agent-ref", "sec0/agentRef", "../a/b", Some(".._a_b")),
];

pub(super) fn of_path(header: &str, kept: Option<&'static str>) -> Says {
    let member = if header == "x-node-id" { "nodeId" } else { "agentRef" };
    kept.map_or_else(|| rejected(header, "malformed"), |kept| Says::Member(member, kept))
}

pub(super) fn rejected(header: &str, why: &str) -> Says {
    Says::Rejected(format!("{header}:{why}"))
}

/// Key, value and what the record says.
pub(super) fn in_meta() -> Vec<(&'static str, Value, Says)> {
    let mut all = Vec::new();
    for (header, key, member) in FIELDS {
        // Names are made fit for a record; everything else must be so.
        let cleaned = match header {
            "x-node-id" => Some(["a-x-sec0-principal-root", "a-b-2j", "root"]),
            "x-agent-ref" => Some(["a_x-sec0-principal:_root", "a_b_2J", "_root"]),
            _ => None,
        };
        let why = if header == "x-idempotency-key" { "unprintable" } else { "malformed" };
        let texts = ["a\r\nx-sec0-principal: root", "a\0b\u{1b}[2J", "\u{202e}\u{2028}root"];
        for (number, text) in texts.into_iter().enumerate() {
            let says = cleaned.map(|cleaned| Says::Member(member, cleaned[number]));
            all.push((key, json!(text), says.unwrap_or_else(|| rejected(header, why))));
        }
        all.push((key, json!("n".repeat(1 << 20)), rejected(header, "too_long")));
        for value in [json!(["a"]), json!(7), json!({"$ne": null})] {
            all.push((key, value, rejected(header, "malformed")));
        }
    }
    for value in [json!("a\r\nb: c"), json!("n".repeat(1 << 20)), json!("\0\u{1b}"), json!([7])] {
        all.push((TOKEN.1, value, Says::Nothing));
    }
    let paths = PATHS.map(|(header, key, text, kept)| (key, json!(text), of_path(header, kept)));
    all.extend(paths);
    all
}

/// The log has a record for each, with what it says, and a plain one behind each.
pub(super) fn assert_recorded(house: &House, all: &[(&str, Says)]) {
    let ok = ("echo@1.0".to_owned(), "ok".to_owned());
    assert_log(house, &vec![ok; 2 * all.len()]);
    let records = house.records();
    for ((key, says), pair) in all.iter().zip(records.chunks(2)) {
        let [record, plain] = pair else { panic!("a record is missing") };
        assert_eq!(plain["claims_rejected"], Value::Null, "after {key}");
        let (member, rejected) = match says {
            Says::Member(member, value) => (Some((*member, json!(value))), Value::Null),
            Says::Rejected(why) => (None, json!([why])),
            Says::Nothing => (None, Value::Null),
        };
        assert_eq!(record["claims_rejected"], rejected, "{key}: {record}");
        for (_, _, name) in FIELDS {
            let value = member.as_ref().filter(|(member, _)| *member == name);
            let value = value.map_or(&Value::Null, |(_, value)| value);
            assert_eq!(&record[name], value, "`{name}` by {key}: {record}");
        }
        assert_eq!(record["principal"], plain["principal"], "{key}");
    }
}
