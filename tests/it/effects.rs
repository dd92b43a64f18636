//! What a call does: what the record says of it, and side effects that want an idempotency key.

use crate::drive::{Era, House, HttpServer, call};
use crate::support::{
    Answer, Rules, Runs, Site, annotated, ask, ask_in, assert_agree, demo, denial, is_fine, tool,
};
use crate::transport::layered;
use rmcp::model::{CallToolResponse, Tool};
use rmcp::service::{RequestContext, RoleServer};
use sec0::Sec0SecurityLayer;
use sec0::mcp::detached_context;
use serde_json::{Value, json};

const KEYLESS: &str = "missing_idempotency_for_side_effect";

/// One call of `tool` under `rules`: the answer, how often the handler ran, the record.
async fn once(
    rules: Rules,
    tool: Tool,
    context: RequestContext<RoleServer>,
) -> (Answer, usize, Value) {
    let (site, runs) = (Site::default(), Runs::default());
    let layer = site.layer(&rules);
    let name = tool.name.to_string();
    let server = demo().tool(tool, runs.handler()).layer(layer.clone());
    let answer = match ask_in(&server, &name, json!({}), context).await {
        Ok(CallToolResponse::Complete(result)) => Ok(result),
        Ok(other) => panic!("not a complete result: {other:?}"),
        Err(error) => Err(error),
    };
    let record = site.close(&layer).await.only().clone();
    (answer, runs.get(), record)
}

fn with_meta_key(key: &str) -> RequestContext<RoleServer> {
    let mut context = detached_context();
    context.meta = serde_json::from_value(json!({ "sec0/idempotencyKey": key })).unwrap();
    context
}

fn with_header_key(key: &str) -> RequestContext<RoleServer> {
    let mut context = detached_context();
    let request = http::Request::builder().header("x-idempotency-key", key).body(()).unwrap();
    context.extensions.insert(request.into_parts().0);
    context
}

#[tokio::test]
async fn a_side_effect_without_a_key_is_refused_before_the_handler_runs() {
    let rules = || Rules::with(Some("enforce"), &[KEYLESS]).keyed();
    let wipe = || annotated("wipe", json!({ "destructiveHint": true }));
    for context in [detached_context(), with_meta_key("  "), with_header_key(&"k".repeat(257))] {
        let (answer, runs, record) = once(rules(), wipe(), context).await;
        let denied = denial(&answer);
        assert_eq!(
            (&denied["code"], &denied["reason"]),
            (&json!("POLICY_DENIED"), &json!(KEYLESS))
        );
        assert_eq!(runs, 0);
        assert_agree(&denied, &record);
        assert_eq!(record["op"], "update");
        assert_eq!(
            (&record["side_effect"], &record["op_basis"]),
            (&json!(true), &json!("annotations"))
        );
    }
    for context in [with_meta_key("order-17"), with_header_key("order-17")] {
        let (answer, runs, record) = once(rules(), wipe(), context).await;
        assert!(is_fine(&answer), "{answer:?}");
        assert_eq!((runs, &record["idempotency_key"]), (1, &json!("order-17")));
        assert_eq!(record["policy"]["decision"], "allow");
        assert_eq!(record["side_effect"], true);
    }
}

#[tokio::test]
async fn in_observe_a_missing_key_is_recorded_and_the_handler_runs() {
    let wipe = annotated("wipe", json!({ "readOnlyHint": false }));
    let (answer, runs, record) = once(Rules::observe().keyed(), wipe, detached_context()).await;
    assert!(is_fine(&answer));
    assert_eq!((runs, &record["policy"]["decision"]), (1, &json!("would_deny")));
    assert_eq!(
        (&record["policy"]["reason"], &record["risk_tags"]),
        (&json!(KEYLESS), &json!([KEYLESS]))
    );
}

#[tokio::test]
async fn without_the_key_in_the_policy_nothing_is_asked_for() {
    let (answer, runs, record) =
        once(Rules::enforce(), tool("write", Some("1.0")), detached_context()).await;
    assert!(is_fine(&answer));
    assert_eq!((runs, &record["policy"]["decision"]), (1, &json!("allow")));
    assert_eq!(record["side_effect"], true);
}

#[tokio::test]
async fn the_record_says_what_the_call_did_and_whose_word_that_is() {
    let read_only = json!({ "readOnlyHint": true });
    let policy = || {
        Rules::enforce()
            .keyed()
            .overriding("{tool: 'mcp://demo/compute', op: read, side_effect: false}")
    };
    for (rules, tool, expected) in [
        (Rules::enforce(), tool("look", Some("1.0")), json!(["read", false, "name"])),
        (Rules::enforce(), tool("compute", Some("1.0")), json!(["update", true, "name"])),
        (Rules::enforce(), annotated("compute", read_only), json!(["read", false, "annotations"])),
        (
            Rules::enforce(),
            annotated("delete_all", json!({ "destructiveHint": true })),
            json!(["delete", true, "annotations"]),
        ),
        (policy(), tool("compute", Some("1.0")), json!(["read", false, "policy"])),
    ] {
        let name = tool.name.to_string();
        let (answer, _, record) = once(rules, tool, detached_context()).await;
        assert!(is_fine(&answer), "{name}: {answer:?}");
        assert_eq!(
            json!([record["op"], record["side_effect"], record["op_basis"]]),
            expected,
            "{name}"
        );
    }
}

#[tokio::test]
async fn annotations_of_other_peoples_tools_take_no_side_effect_away() {
    let rules = Rules::enforce().keyed();
    for (tool, refused) in [
        (annotated("write", json!({ "readOnlyHint": true })), true),
        (annotated("look", json!({ "destructiveHint": false })), true),
        (annotated("look", json!({ "readOnlyHint": true })), false),
    ] {
        let (site, runs) = (Site::default(), Runs::default());
        let options = site.options(&rules).annotations_are_claims();
        let layer = Sec0SecurityLayer::try_new(options).unwrap();
        let name = tool.name.to_string();
        let server = demo().tool(tool, runs.handler()).layer(layer.clone());
        let answer = ask(&server, &name, json!({})).await;
        assert_eq!(is_fine(&answer), !refused, "{name}: {answer:?}");
        assert_eq!(runs.get(), usize::from(!refused));
        site.close(&layer).await;
    }
}

#[tokio::test]
async fn a_call_that_ended_before_its_tool_was_known_does_nothing() {
    let (site, runs) = (Site::default(), Runs::default());
    let layer = site.layer(&Rules::enforce().max_kb(1));
    let server = demo().tool(tool("write", Some("1.0")), runs.handler()).layer(layer.clone());
    assert!(!is_fine(&ask(&server, "nothing", json!({})).await));
    assert!(!is_fine(&ask(&server, "write", json!({ "text": "x".repeat(2000) })).await));
    let lines = site.close(&layer).await;
    assert_eq!(lines.calls.len(), 2);
    for record in lines.calls {
        for absent in ["op", "op_basis", "side_effect"] {
            assert_eq!(record.get(absent), None, "{absent}: {record:#}");
        }
    }
}

/// Over HTTP, with the tool whose argument `method` says what it does.
#[tokio::test]
async fn a_key_in_the_header_lets_a_side_effect_pass_over_http() {
    const POLICY: &str = "\
tenant: acme
default_retention: 30d
signing: {enabled: true}
tools: {allowlist: ['mcp://demo/*']}
side_effects: {require_idempotency_key: true}
enforcement: {mode: enforce, deny_on: [idempotency_missing]}
";
    let post = || json!({ "url": "http://localhost/", "method": "POST" });
    for era in Era::ALL {
        let house = House::new(POLICY);
        let sec0 = house.layer();
        let server = layered(&sec0);
        let http = HttpServer::start(move || server.clone()).await;
        for (headers, passes) in
            [(&[][..], false), (&[("x-idempotency-key", b"order-17".as_slice())][..], true)]
        {
            let client = era.connect_http(&http.url, headers).await;
            let got = call(&client, "fetch", json!({ "url": "http://localhost/" })).await.unwrap();
            assert_eq!(got.is_error, Some(false), "{era:?} GET needs no key");
            let answer = call(&client, "fetch", post()).await.unwrap();
            assert_eq!(answer.is_error, Some(!passes), "{era:?} {answer:?}");
            client.cancel().await.unwrap();
        }
        http.stop().await;
        sec0.try_shutdown().await.unwrap();
        let records = house.records();
        let said: Vec<_> =
            records.iter().map(|it| json!([it["op"], it["side_effect"], it["executed"]])).collect();
        let (looked, posted) = (json!(["read", false, true]), |ran| json!(["create", true, ran]));
        assert_eq!(said, [looked.clone(), posted(false), looked, posted(true)], "{era:?}");
    }
}
