//! What a log holds of the contents of calls: nothing, unless somebody asks for it.

use crate::support::{Rules, ask_in, demo, key, sha256_of, tool};
use rmcp::model::{CallToolResult, ContentBlock};
use sec0::audit::{RawPayloads, verify_dir};
use sec0::mcp::{MockCall, detached_context};
use sec0::{AuditMode, Policy, Sec0Options, Sec0SecurityLayer, Signer};
use serde_json::{Value, json};
use std::io::Write;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

const SECRET: &str = "hunter2-correct-horse";

/// What not even a raw payload has.
const GRANT: &str = "hunter2-battery-staple";

/// What is logged on this thread.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heard(Arc<Mutex<Vec<u8>>>);

impl Heard {
    /// Hears what is logged until what it gives is dropped.
    pub(crate) fn listen(&self) -> tracing::subscriber::DefaultGuard {
        let writer = self.clone();
        let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE);
        let subscriber = subscriber.with_ansi(false).with_writer(move || writer.clone()).finish();
        tracing::subscriber::set_default(subscriber)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Heard {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Every file below `dir`, the folders too.
fn everything(dir: &Path) -> Vec<PathBuf> {
    let mut found = vec![dir.to_owned()];
    let mut at = 0;
    while let Some(path) = found.get(at).cloned() {
        if path.is_dir() {
            found.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        }
        at += 1;
    }
    found
}

/// Answers with the secret: as a result, as a failure, as a panic.
async fn tell(call: MockCall) -> CallToolResult {
    let tool = call.name.clone();
    assert!(tool != "panic", "{SECRET}");
    let blocks = vec![ContentBlock::text(SECRET)];
    if tool == "fail" { CallToolResult::error(blocks) } else { CallToolResult::success(blocks) }
}

/// Calls of every kind, each with the secret wherever a caller can put it.
async fn busy(layer: &Sec0SecurityLayer) {
    let tools = ["tell", "fail", "panic", "forbidden"].map(|name| tool(name, Some("1.0")));
    let server = tools.into_iter().fold(demo(), |server, tool| server.tool(tool, tell));
    let server = server.layer(layer.clone());
    for name in ["tell", "fail", "panic", "forbidden", "unknown"] {
        for _ in 0..5 {
            let mut context = detached_context();
            context.meta = serde_json::from_value(json!({
                "sec0/nodeId": "node-1",
                "sec0/agentRef": "run-1",
                "sec0/idempotencyKey": format!("{SECRET}{}", "k".repeat(64)),
                "sec0/authContext": { "scheme": "bearer", "token": SECRET },
                "sec0/agentState": SECRET,
                "traceparent": SECRET,
                "sec0/approvalToken": GRANT,
            }))
            .unwrap();
            let arguments = json!({
                "pin": SECRET,
                SECRET: [{ "deep": SECRET }],
                "approval_token": GRANT,
                "approvalToken": GRANT,
            });
            drop(ask_in(&server, name, arguments, context).await);
        }
    }
}

fn options(dir: &Path, more: &str) -> Sec0Options {
    let yaml = Rules::enforce().allow(&["mcp://demo/tell", "mcp://demo/fail", "mcp://demo/panic"]);
    let policy = Policy::from_yaml(&format!("{}{more}", yaml.yaml())).unwrap();
    Sec0Options::new(policy).audit_dir(dir).signer(key())
}

#[tokio::test]
async fn no_file_and_no_message_of_a_busy_log_holds_what_is_in_the_calls() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("log");
    let heard = Heard::default();
    let writer = heard.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE);
    let subscriber = subscriber.with_writer(move || writer.clone()).finish();
    let _listening = tracing::subscriber::set_default(subscriber);
    for mode in AuditMode::ALL {
        let options = options(&dir, "").audit_mode(mode).agent_copies(1000);
        let layer = Sec0SecurityLayer::try_new(options).unwrap();
        busy(&layer).await;
        let look = || {
            for path in everything(&dir) {
                let meta = std::fs::metadata(&path).unwrap();
                let mode = if meta.is_dir() { 0o700 } else { 0o600 };
                assert_eq!(meta.permissions().mode() & 0o7777, mode, "{}", path.display());
                let text = if meta.is_dir() { Vec::new() } else { std::fs::read(&path).unwrap() };
                let text = String::from_utf8_lossy(&text);
                assert!(!text.contains("hunter2"), "{}", path.display());
            }
        };
        look();
        layer.try_shutdown().await.unwrap();
        look();
    }
    let totals = verify_dir(&dir, &[key().public_key()]).unwrap();
    assert_eq!(totals.records, 75);
    let copies = everything(&dir.join("agents")).len();
    assert_eq!(copies, 4, "agents, node, day, run");
    let heard = String::from_utf8(heard.0.lock().unwrap().clone()).unwrap();
    assert!(!heard.contains("hunter2"), "{heard}");
}

fn lines(dir: &Path, of: &str) -> Vec<Value> {
    let names = everything(dir).into_iter().filter(|path| path.to_str().unwrap().contains(of));
    let text: String = names.map(|path| std::fs::read_to_string(path).unwrap()).collect();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn payloads_that_the_policy_asks_for_lead_to_the_signed_lines_and_fit_their_digests() {
    let dir = tempfile::tempdir().unwrap();
    let layer = Sec0SecurityLayer::try_new(options(
        dir.path(),
        "privacy: {store_raw_payloads: true}\naudit: {mode: batch}\n",
    ))
    .unwrap();
    busy(&layer).await;
    layer.try_shutdown().await.unwrap();
    let (records, payloads) = (lines(dir.path(), "/audit-"), lines(dir.path(), "/raw-"));
    let of =
        |direction: &str| payloads.iter().filter(|line| line["direction"] == direction).count();
    // A call of a tool that does not exist or is not allowed has arguments, and no result.
    assert_eq!((records.len(), of("input"), of("output")), (25, 25, 10));
    for line in &payloads {
        let seq = usize::try_from(line["seq"].as_u64().unwrap()).unwrap();
        let (record, name) =
            (&records[seq], format!("{}_sha256", line["direction"].as_str().unwrap()));
        for member in ["seq", "trace_id", "span_id", "ts", "nodeId", &name] {
            assert_eq!(line[member], record[member], "{member}");
        }
        assert_eq!(line["metadata"]["decision"], record["policy"]["decision"]);
        assert!(!line.to_string().contains(GRANT), "{line}");
        assert_eq!(line[&name], sha256_of(&line["payload"]));
    }
}

#[tokio::test]
async fn payloads_are_redacted_before_anything_of_them_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let raw = RawPayloads::default().redact(|payload, _| *payload = "taken out".into());
    let options = options(dir.path(), "").raw_payloads(raw);
    let layer = Sec0SecurityLayer::try_new(options).unwrap();
    busy(&layer).await;
    layer.try_shutdown().await.unwrap();
    assert!(lines(dir.path(), "/raw-").iter().all(|line| line["payload"] == "taken out"));
    for path in everything(dir.path()).into_iter().filter(|path| path.is_file()) {
        let text = std::fs::read(&path).unwrap();
        assert!(!String::from_utf8_lossy(&text).contains("hunter2"), "{}", path.display());
    }
}
