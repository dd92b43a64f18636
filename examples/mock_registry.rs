//! A policy under test: a mock registry, an allowed call, a refused one, and their records. This is
//! the shape of an integration test.
//!
//! `cargo run --example mock_registry`
#![expect(clippy::print_stdout, reason = "what happened is the program's answer")]

use rmcp::model::{CallToolResult, ContentBlock, Tool};
use sec0::audit::MemorySink;
use sec0::{LocalDevSigner, MapRegistry, Policy, Sec0Options, Sec0SecurityLayer};
use serde_json::{Map, Value, json};
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let policy = Policy::from_yaml(
        "tenant: acme\n\
         default_retention: 30d\n\
         signing: {enabled: true}\n\
         tools: {allowlist: ['mcp://orders/read'], deny_if_unpinned_version: false}\n\
         enforcement: {deny_on: [tool_not_in_allowlist]}\n",
    )?;
    let records = MemorySink::new();
    let options = Sec0Options::new(policy)
        .audit_sink(records.clone())
        .signer(LocalDevSigner::from_seed([7; 32]));
    let sec0 = Sec0SecurityLayer::try_new(options)?;

    let deleted = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&deleted);
    let tool = |name: &'static str| Tool::new(name, "", Map::new());
    let registry = MapRegistry::new("orders", "1.0.0")
        .tool(tool("read"), |_| async {
            CallToolResult::success(vec![ContentBlock::text("order 17: two of everything")])
        })
        .tool(tool("delete"), move |_| {
            counter.fetch_add(1, Ordering::SeqCst);
            async { CallToolResult::success(vec![]) }
        })
        .layer(sec0.clone());

    let read = registry.call("read", json!({ "id": 17 })).await?;
    assert_eq!(read.is_error, Some(false));

    let refused = registry.call("delete", json!({ "id": 17 })).await?;
    let denial = refused.meta.as_ref().and_then(|meta| meta.0.get("sec0/denial"));
    assert_eq!(denial.map(|denial| &denial["reason"]), Some(&json!("tool_not_in_allowlist")));
    assert_eq!(deleted.load(Ordering::SeqCst), 0, "a refused call never reaches the handler");

    sec0.try_shutdown().await?;
    let records = records.lines();
    assert_eq!(records.len(), 2, "one record for each call");
    for record in records {
        let record: Value = serde_json::from_str(&record)?;
        let member = |name: &str| record.get(name).unwrap_or(&Value::Null);
        println!("{} {} {}", member("target_tool"), member("status"), member("policy"));
    }
    Ok(())
}
