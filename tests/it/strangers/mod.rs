//! The example programs among strangers: bytes on the wire that no client would send, and what
//! other users of the machine leave where the log and the key should lie.

mod claims;
mod http;
mod messages;
mod stdio;
mod users;

use crate::drive::{House, PATIENCE};
use messages::{Case, Fate};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::process::Child;

/// What a caller sends who means well, and what its answer holds.
const FINE: &str = "still here";

fn fine(id: usize) -> Vec<u8> {
    messages::echo(&json!({ "text": FINE }).to_string()).with_id(&id.to_string()).bytes
}

fn assert_fine(answer: &Value, id: usize, after: &str) {
    assert_eq!(answer["id"], id, "after {after}: {answer}");
    assert_eq!(answer["result"]["content"][0]["text"], FINE, "after {after}: {answer}");
}

/// What the answer to a message must be, where there is one.
fn assert_answer(case: &Case, answer: &Value) {
    let label = case.label;
    let error = (answer["error"]["code"].as_i64(), answer["error"]["message"].as_str());
    match &case.fate {
        Fate::Dropped => panic!("{label} is answered: {answer}"),
        Fate::Invalid => assert_eq!(error, (Some(-32600), Some("Invalid request")), "{label}"),
        Fate::Error(code, message) => {
            assert_eq!(error, (Some(*code), Some(*message)), "{label}: {answer}");
        }
        Fate::Unknown(_) => assert_eq!(error, (Some(-32602), Some("tool not found")), "{label}"),
        Fate::Denied(reason) => {
            let denial = &answer["result"]["_meta"]["sec0/denial"];
            let told = (denial["reason"].as_str(), denial["executed"].as_bool());
            assert_eq!(told, (Some(*reason), Some(false)), "{label}: {answer}");
        }
        Fate::Failed => assert_eq!(answer["result"]["isError"], true, "{label}: {answer}"),
        Fate::Ran => assert_eq!(answer["result"]["isError"], false, "{label}: {answer}"),
    }
    if !matches!(case.fate, Fate::Invalid) {
        assert_eq!(answer["id"], case.id, "{label}: {answer}");
    }
}

/// Tool and status of the records that a message leaves, with the good call after it.
fn expected(cases: &[Case]) -> Vec<(String, String)> {
    let own = |tool: &str, status: &str| (tool.to_owned(), status.to_owned());
    let mut all = Vec::new();
    for case in cases {
        match &case.fate {
            Fate::Dropped | Fate::Invalid | Fate::Error(..) => {}
            Fate::Unknown(tool) => all.push(own(tool, "denied")),
            // Before the tool is looked up, so under the name that was asked for.
            Fate::Denied(_) => all.push(own("echo", "denied")),
            Fate::Failed => all.push(own("echo@1.0", "error")),
            Fate::Ran => all.push(own("echo@1.0", "ok")),
        }
        all.push(own("echo@1.0", "ok"));
    }
    all
}

/// The log verifies, has these records in this order and nothing else, and lies alone.
fn assert_log(house: &House, expected: &[(String, String)]) {
    let text = |record: &Value, name: &str| record[name].as_str().unwrap().to_owned();
    let lines = house.lines();
    let found = lines.iter().map(|line| (text(line, "target_tool"), text(line, "status")));
    for (number, (found, expected)) in found.zip(expected).enumerate() {
        assert_eq!(&found, expected, "record {number}");
    }
    assert_eq!(lines.len(), expected.len());
    let mut files = names(&house.audit());
    files.retain(|name| !name.starts_with("audit-") && !name.starts_with("sec0.db"));
    assert_eq!(files, ["checkpoint", "keys", "lock"]);
    for name in names(&house.audit()).iter().filter(|name| name.starts_with("audit-")) {
        let text = std::fs::read_to_string(house.audit().join(name)).unwrap();
        assert!(
            text.lines().all(|line| line.len() < 4096),
            "a line is as long as its caller likes"
        );
        assert!(
            !text.chars().any(|c| c.is_control() && c != '\n'),
            "control characters in the log"
        );
    }
}

fn names(dir: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The most memory that a running program has had so far, in KiB; where the system tells it.
fn peak(child: &Child) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()?)).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

fn assert_peak_below(child: &Child, kib: u64) {
    match peak(child) {
        Some(peak) => assert!(peak < kib, "{peak} KiB of memory, and {kib} at most were expected"),
        None => println!("/proc has no peak of memory here: its bound is left out"),
    }
}

/// What a child wrote to stderr until it ended.
async fn complaints(child: &mut Child) -> String {
    let mut text = String::new();
    let mut stderr = child.stderr.take().unwrap();
    tokio::time::timeout(PATIENCE, stderr.read_to_string(&mut text)).await.unwrap().unwrap();
    text
}
