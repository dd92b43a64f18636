//! The command beside a server that waits.

use crate::Desk;
use rmcp::ServerHandler as _;
use rmcp::model::{CallToolRequestParams, CallToolResponse, CallToolResult, Tool, object};
use sec0::mcp::detached_context;
use sec0::{MapRegistry, Sec0Options, Sec0SecurityLayer};
use serde_json::json;
use std::time::Duration;

fn policy(desk: &Desk) -> String {
    let member = |id: &str| {
        let key = sec0::sign::key_file::read_public(&desk.path(&format!("{id}.pub"))).unwrap();
        format!("{{id: {id}, public_key: '{key}'}}")
    };
    format!(
        "tenant: acme\n\
         default_retention: 30d\n\
         signing: {{enabled: true}}\n\
         tools: {{allowlist: ['*'], deny_if_unpinned_version: false}}\n\
         enforcement: {{mode: enforce}}\n\
         security: {{side_effects: {{human_escalation: {{approval_set_id: prod, wait_ms: 60000, \
         approval_strategy: human_quorum, min_approvals: 2}}}}}}\n\
         approval_sets: {{prod: {{members: [{}, {}]}}}}\n\
         rules: [{{id: big, tool: 'mcp://demo/*', pointer: /sum, op: exists, effect: ask, reason: large}}]\n",
        member("ana"),
        member("bo"),
    )
}

/// Waits until the command lists one question; its id.
async fn pending(desk: &Desk) -> String {
    loop {
        let listed = desk.run(&["approvals", "list", "--json"]).ended(0).json();
        if let Some(id) = listed[0]["id"].as_str().or(listed[0]["escalation_id"].as_str()) {
            return id.to_owned();
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Both vote, each with the command in a process of its own.
async fn both_approve(desk: &Desk) {
    let id = pending(desk).await;
    for name in ["ana", "bo"] {
        let vote = ["approvals", "approve", &id, "--key", &format!("{name}.key"), "--as", name];
        desk.run(&vote).ended(0);
    }
}

/// A call that is held while both decide, and its layer's log is verified.
async fn held() -> CallToolResult {
    let desk = Desk::new();
    for name in ["ana", "bo"] {
        desk.run(&["keygen", "--out", name]).ended(0);
    }
    desk.write("policy.yaml", &policy(&desk));
    let options = Sec0Options::from_policy_file(desk.path("policy.yaml")).unwrap();
    let layer = Sec0SecurityLayer::try_new(options.audit_dir(desk.path(".sec0"))).unwrap();
    let pay = Tool::new("pay", "", serde_json::Map::new());
    let server = MapRegistry::new("demo", "1.0.0")
        .tool(pay, |_| std::future::ready(CallToolResult::success(Vec::new())))
        .layer(layer.clone());
    let call = CallToolRequestParams::new("pay").with_arguments(object(json!({"sum": 900})));
    // On another thread than the command is waited for.
    let mut calls = tokio::task::JoinSet::new();
    calls.spawn(async move { server.call_tool(call, detached_context()).await });
    both_approve(&desk).await;
    let answer = calls.join_next().await.unwrap().unwrap();
    layer.try_shutdown().await.unwrap();
    let verify = ["audit", "verify", ".sec0", "--public-key", ".sec0/keys/ed25519.pub"];
    desk.run(&verify).ended(0);
    let log = std::fs::read_dir(desk.path(".sec0")).unwrap().map(|entry| entry.unwrap().path());
    let log: String = log
        .filter(|file| file.extension().is_some_and(|end| end == "ndjson"))
        .map(|file| std::fs::read_to_string(file).unwrap())
        .collect();
    assert_eq!(log.matches("\"event\":\"approval_vote\"").count(), 2, "{log}");
    let CallToolResponse::Complete(result) = answer.unwrap() else {
        panic!("not a complete result")
    };
    result
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_a_server_holds_goes_on_when_the_command_approves_it() {
    let run = held().await;
    assert_ne!(run.is_error, Some(true), "{run:?}");
}
