//! What stands in a reply, as the options say.

use crate::support::{
    Rules, Runs, Site, ask, ask_in, assert_agree, demo, denial, done, is_fine, sha256_of, text,
    tool, trace,
};
use rmcp::ErrorData;
use rmcp::model::{CallToolResult, ContentBlock, ErrorCode, MetaObject, object};
use sec0::Sec0SecurityLayer;
use sec0::call::{Reason, Refusal};
use sec0::mcp::{DENIAL_META, DENIED, REGISTRY_FROZEN, TRACE_META, detached_context};
use serde_json::{Value, json};

#[test]
fn the_names_on_the_wire_are_those_of_the_interface() {
    assert_eq!((DENIAL_META, TRACE_META), ("sec0/denial", "sec0/trace"));
    assert_eq!((DENIED, REGISTRY_FROZEN), (ErrorCode(-31051), ErrorCode(-31050)));
}

#[tokio::test]
async fn denials_may_be_errors_with_the_same_object() {
    let site = Site::default();
    let rules = Rules::enforce().allow(&["mcp://demo/add"]);
    let layer = Sec0SecurityLayer::try_new(site.options(&rules).denials_as_errors()).unwrap();
    let runs = Runs::default();
    let server = demo()
        .tool(tool("add", Some("1.0")), runs.handler())
        .tool(tool("rm", Some("1.0")), runs.handler())
        .layer(layer.clone());
    let error = ask(&server, "rm", json!({ "text": "c0nfidential" })).await.unwrap_err();
    assert!(is_fine(&ask(&server, "add", json!({})).await), "only denials are errors");
    assert_eq!(ask(&server, "none", json!({})).await.unwrap_err().code.0, -32602);

    assert_eq!((error.code.0, runs.get()), (-31051, 1));
    assert!(error.message.contains("POLICY_DENIED"), "{}", error.message);
    assert!(!format!("{error:?}").contains("c0nfidential"));
    let lines = site.close(&layer).await;
    let data = error.data.unwrap();
    assert_agree(&data, &lines.calls[0]);

    // The same call as a result has the same members.
    let site = Site::default();
    let layer = site.layer(&rules);
    let server = demo().tool(tool("rm", Some("1.0")), runs.handler()).layer(layer.clone());
    let answer = ask(&server, "rm", json!({})).await;
    let mut one = denial(&answer);
    let mut other = data;
    for ids in ["trace_id", "span_id"] {
        assert!(one.as_object_mut().unwrap().remove(ids).is_some());
        assert!(other.as_object_mut().unwrap().remove(ids).is_some());
    }
    assert_eq!(one, other);
    site.close(&layer).await;
}

#[tokio::test]
async fn a_denial_has_exactly_the_members_of_the_interface() {
    let site = Site::default();
    let layer = site.layer(&Rules::enforce().allow(&[]));
    let server = demo().tool(tool("rm", Some("1.0")), Runs::default().handler());
    let server = server.layer(layer.clone());
    let answer = ask(&server, "rm", json!({ "path": "/c0nfidential" })).await;
    let denial = denial(&answer);
    let lines = site.close(&layer).await;
    let record = lines.only();
    assert_eq!(
        denial,
        json!({
            "code": "POLICY_DENIED", "reason": "tool_not_in_allowlist",
            "reasons": ["tool_not_in_allowlist"], "executed": false, "retryable": false,
            "trace_id": record["trace_id"], "span_id": record["span_id"],
        })
    );
    let (trace_id, span_id) = (&record["trace_id"], &record["span_id"]);
    assert_eq!((trace_id.as_str().unwrap().len(), span_id.as_str().unwrap().len()), (32, 16));
    let result = answer.as_ref().unwrap();
    assert_eq!((result.is_error, &result.structured_content), (Some(true), &None));
    assert_eq!(result.meta.as_ref().unwrap().0.len(), 1, "nothing but the denial");
    assert!(text(&answer).contains("refused") && !text(&answer).contains("c0nfidential"));
}

#[tokio::test]
async fn a_result_passes_unchanged_but_for_its_trace() {
    let original = || {
        let mut result =
            CallToolResult::success(vec![ContentBlock::text("one"), ContentBlock::text("two")]);
        result.structured_content = Some(json!({ "sum": 3 }));
        result.meta = Some(MetaObject(object(json!({ "theirs": [1, 2] }))));
        result
    };
    for hidden in [false, true] {
        let site = Site::default();
        let mut options = site.options(&Rules::enforce());
        if hidden {
            options = options.without_trace_meta();
        }
        let layer = Sec0SecurityLayer::try_new(options).unwrap();
        let server = demo().tool(tool("add", Some("1.0")), move |_| async move { original() });
        let server = server.layer(layer.clone());
        let mut answer = ask(&server, "add", json!({})).await;
        let lines = site.close(&layer).await;
        let record = lines.only();
        if hidden {
            assert_eq!(answer.unwrap(), original());
        } else {
            let ids = json!({"trace_id": record["trace_id"], "span_id": record["span_id"]});
            assert_eq!(trace(&answer), ids);
            let meta = &mut answer.as_mut().unwrap().meta.as_mut().unwrap().0;
            meta.remove(TRACE_META);
            assert_eq!(answer.unwrap(), original());
        }
        assert_eq!(record["output_sha256"], sha256_of(&original()), "as the handler made it");
    }
}

#[tokio::test]
async fn a_result_without_meta_has_none_where_the_trace_is_hidden() {
    let site = Site::default();
    let options = site.options(&Rules::enforce()).without_trace_meta();
    let layer = Sec0SecurityLayer::try_new(options).unwrap();
    let server = demo().tool(tool("add", Some("1.0")), |_| async { done() }).layer(layer.clone());
    assert_eq!(ask(&server, "add", json!({})).await.unwrap().meta, None);
    site.close(&layer).await;
}

#[tokio::test]
async fn a_failure_of_the_handler_passes_unchanged_and_is_recorded_as_error() {
    let site = Site::default();
    let layer = site.layer(&Rules::enforce());
    let error = || {
        ErrorData::new(ErrorCode(-32042), "the tool's own words", Some(json!({ "theirs": true })))
    };
    let server = demo()
        .tool(tool("result", Some("1.0")), |_| async {
            CallToolResult::error(vec![ContentBlock::text("it did not work")])
        })
        .tool(tool("error", Some("1.0")), move |_| async move {
            Err::<CallToolResult, ErrorData>(error())
        })
        .layer(layer.clone());
    let failed = ask(&server, "result", json!({})).await.unwrap();
    assert_eq!(failed.is_error, Some(true));
    assert_eq!(failed.content, [ContentBlock::text("it did not work")]);
    assert!(failed.meta.is_none_or(|meta| !meta.0.contains_key(DENIAL_META)));
    let reply = ask_in(&server, "error", json!({}), detached_context()).await.unwrap_err();
    assert_eq!(reply, error());
    let lines = site.close(&layer).await;
    assert_eq!(lines.calls.len(), 2);
    for record in &lines.calls {
        assert_eq!((&record["status"], &record["executed"]), (&json!("error"), &json!(true)));
        assert_eq!(record["policy"]["decision"], "allow");
        assert_eq!(record.get("risk_tags"), None);
    }
    let result = CallToolResult::error(vec![ContentBlock::text("it did not work")]);
    assert_eq!(lines.calls[0]["output_sha256"], sha256_of(&result));
    assert_eq!(lines.calls[1]["output_sha256"], Value::Null);
}

#[test]
fn no_text_says_refused_where_the_tool_ran() {
    for reason in Reason::ALL {
        let before = Refusal::new(*reason);
        assert!(before.to_string().contains("refused"), "{before}");
        let after = before.after_execution();
        assert!(after.executed() && !after.to_string().contains("refused"), "{after}");
    }
}
