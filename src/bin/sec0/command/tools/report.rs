//! A drift as JSON.

use crate::failure::Failure;
use sec0::registry::lock::{ToolChange, visible_json};
use sec0::registry::{LockDrift, LockError};
use serde_json::{Value, json};
use std::io::Write as _;

/// What differs: the members `changes`, `server` and `binary` of a report.
pub(super) fn changes(drift: &LockDrift, with_diff: bool) -> Value {
    drift.tools.iter().map(|change| one(change, with_diff)).collect()
}

/// The server, where it is another one.
pub(super) fn server(drift: &LockDrift) -> Value {
    drift
        .server
        .as_ref()
        .map_or(Value::Null, |server| json!({ "locked": server.locked, "now": server.now }))
}

/// The executable, where it is another one.
pub(super) fn binary(drift: &LockDrift) -> Value {
    drift.binary.as_ref().map_or(Value::Null, |binary| {
        json!({
            "locked_sha256": binary.locked.to_string(),
            "sha256": binary.now.map(|digest| digest.to_string()),
        })
    })
}

fn one(change: &ToolChange, with_diff: bool) -> Value {
    let (locked, now) = (change.locked(), change.now());
    let mut report = json!({
        "kind": change.kind(),
        "tool": change.name(),
        "locked_name": locked.map(|tool| &tool.name),
        "locked_sha256": locked.map(|tool| tool.digest.to_string()),
        "sha256": now.map(|tool| tool.digest.to_string()),
    });
    if let Value::Object(report) = &mut report
        && with_diff
    {
        let line = |line: sec0::registry::lock::DiffLine| {
            Value::String(format!("{}{}", line.side.mark(), line.text))
        };
        report.insert("diff".to_owned(), change.diff().into_iter().map(line).collect());
    }
    report
}

/// One JSON value on a line of its own. A server chooses the texts in it, so none of its characters
/// is one that hides or that a terminal obeys.
pub(super) fn print(out: &mut Vec<u8>, report: &Value) -> Result<(), Failure> {
    Ok(writeln!(out, "{}", visible_json(&report.to_string()))?)
}

/// A file that is there and is no lock file is nobody's to replace.
pub(super) fn foreign(error: &LockError) -> Failure {
    Failure::Usage(format!("{error} (remove it first, or name another file with `--lock`)"))
}
