//! Rules on arguments, from the outside: rmcp's own client, allowed and refused calls, the record.

use crate::drive::{DEMO_POLICY, Era, House, Session, call, text};
use crate::support::{
    self, Rules, Runs, Site, ask, assert_agree, demo, denial, done, is_fine, tool,
};
use crate::transport::layered;
use rmcp::model::CallToolResult;
use sec0::mcp::DENIAL_META;
use serde_json::{Value, json};

const RULES: &str = "
rules:
- {id: no-secrets, tool: mcp://demo/echo, pointer: /text, op: regex, value: '(?i)secret', effect: deny, reason: secret_text}
- {id: ends, tool: echo@1.0, pointer: /text, op: suffix, value: '.', effect: allow}
- {id: short, tool: echo, pointer: /text, op: len_gt, value: 20, effect: deny, mode: audit}
- {id: careful, tool: add, pointer: /a, op: ge, value: 1000, effect: ask, reason: large_sum}
";

fn denied(result: &CallToolResult) -> Value {
    assert_eq!(result.is_error, Some(true), "{result:?}");
    result.meta.as_ref().unwrap().0[DENIAL_META].clone()
}

#[tokio::test]
async fn a_client_gets_what_the_rules_allow_and_no_more() {
    for era in Era::ALL {
        let house = House::new(&format!("{DEMO_POLICY}{RULES}"));
        let sec0 = house.layer();
        let session = Session::open(era, layered(&sec0)).await;
        let echo =
            async |text: &str| call(&session.client, "echo", json!({"text": text})).await.unwrap();

        assert_eq!(text(&echo("fine.").await), "fine.");
        assert_eq!(
            text(&echo("fine, and longer than twenty.").await),
            "fine, and longer than twenty."
        );
        let secret = denied(&echo("a SECRET.").await);
        let open = denied(&echo("no end").await);
        let sum = call(&session.client, "add", json!({"a": 1, "b": 2})).await.unwrap();
        assert_ne!(sum.is_error, Some(true), "{sum:?}");
        let large = call(&session.client, "add", json!({"a": 1000, "b": 2})).await.unwrap();
        let unread = call(&session.client, "add", json!({"a": "1000", "b": 2})).await.unwrap();
        session.close().await;
        sec0.try_shutdown().await.unwrap();

        let records = house.records();
        let record = |of: &Value| {
            records.iter().find(|record| record["trace_id"] == of["trace_id"]).unwrap().clone()
        };
        assert_eq!(
            (&secret["code"], &secret["reason"]),
            (&json!("POLICY_DENIED"), &json!("secret_text"))
        );
        assert_eq!(
            (&secret["reasons"], &secret["retryable"]),
            (&json!(["secret_text"]), &json!(false))
        );
        assert_agree(&secret, &record(&secret));
        assert_eq!(record(&secret)["policy"]["rule"], "no-secrets");
        assert_eq!(record(&secret)["policy"]["rules"], json!(["no-secrets"]));

        assert_eq!(open["reason"], "no_rule_allows");
        assert_agree(&open, &record(&open));
        assert_eq!(record(&open)["policy"]["rule"], "ends");

        let large = denied(&large);
        assert_eq!(large["reason"], "no_approvers_configured");
        assert_eq!(large["reasons"], json!(["large_sum", "no_approvers_configured"]));
        assert_agree(&large, &record(&large));
        assert_eq!(record(&large)["policy"]["rule"], "careful");

        let unread = denied(&unread);
        assert_eq!((&unread["reason"], &unread["executed"]), (&json!("rule_error"), &json!(false)));
        assert_agree(&unread, &record(&unread));

        let audited = records.iter().find(|record| record["policy"]["decision"] == "would_deny");
        let audited = audited.unwrap();
        assert_eq!(
            (&audited["policy"]["reason"], &audited["status"]),
            (&json!("rule_denied"), &json!("ok"))
        );
        assert_eq!(
            (&audited["policy"]["rule"], &audited["policy"]["rules"]),
            (&json!("short"), &json!(["short"]))
        );
        let plain = records.iter().find(|record| record["policy"]["decision"] == "allow").unwrap();
        assert_eq!((plain["policy"].get("rule"), plain["policy"].get("rules")), (None, None));
    }
}

#[tokio::test]
async fn a_call_that_a_rule_refuses_never_reaches_the_handler_and_shows_nothing() {
    let (site, runs) = (Site::default(), Runs::default());
    let rules = Rules::enforce().on_arguments(
        "{id: a, tool: add, pointer: /n, op: in, value: [hidden-1, hidden-2], effect: deny}",
    );
    let layer = site.layer(&rules);
    let server = demo().tool(tool("add", Some("1.0")), runs.handler()).layer(layer.clone());
    assert!(is_fine(&ask(&server, "add", json!({"n": "other"})).await));
    assert!(is_fine(&ask(&server, "add", json!({})).await));
    assert!(is_fine(&ask(&server, "add", json!(null)).await));
    let answer = ask(&server, "add", json!({"n": "hidden-2"})).await;
    assert_eq!(denial(&answer)["reason"], "rule_denied");
    assert_eq!(support::text(&answer), "POLICY_DENIED: refused by policy (rule_denied)");
    let whole = serde_json::to_string(answer.as_ref().unwrap()).unwrap();
    assert!(!whole.contains("hidden") && !whole.contains("/n"), "{whole}");
    assert_eq!(runs.get(), 3);
    let lines = site.close(&layer).await;
    assert!(!json!(lines.calls).to_string().contains("hidden"));
    assert_eq!(lines.calls[3]["policy"]["rule"], "a");
}

#[tokio::test]
async fn in_observe_nothing_that_rules_find_refuses() {
    for rule in [
        "{id: a, tool: add, pointer: /n, op: eq, value: 1, effect: deny, reason: one}",
        "{id: a, tool: add, pointer: /n, op: eq, value: 1, effect: ask, reason: one}",
        "{id: a, tool: add, pointer: /n, op: eq, value: 2, effect: allow}",
        "{id: a, tool: add, pointer: /n, op: prefix, value: x, effect: deny}",
    ] {
        let (site, runs) = (Site::default(), Runs::default());
        let layer = site.layer(&Rules::observe().on_arguments(rule));
        let server = demo().tool(tool("add", Some("1.0")), runs.handler()).layer(layer.clone());
        assert!(is_fine(&ask(&server, "add", json!({"n": 1})).await), "{rule}");
        let lines = site.close(&layer).await;
        assert_eq!(lines.only()["policy"]["decision"], "would_deny", "{rule}");
        assert_eq!(lines.only()["policy"]["rule"], "a", "{rule}");
        assert_eq!((&lines.only()["status"], runs.get()), (&json!("ok"), 1));
    }
}

#[tokio::test]
async fn what_decides_elsewhere_is_not_said_to_be_a_rule() {
    let site = Site::default();
    let rules = Rules::enforce().allow(&["mcp://demo/echo"]).on_arguments(
        "{id: a, tool: add, pointer: /n, op: eq, value: 1, effect: deny, reason: one}",
    );
    let layer = site.layer(&rules);
    let server =
        demo().tool(tool("add", Some("1.0")), |_| std::future::ready(done())).layer(layer.clone());
    let denied = denial(&ask(&server, "add", json!({"n": 1})).await);
    assert_eq!(denied["reasons"], json!(["tool_not_in_allowlist", "one"]));
    let lines = site.close(&layer).await;
    assert_agree(&denied, lines.only());
    assert_eq!(lines.only()["policy"]["reason"], "tool_not_in_allowlist");
    assert_eq!(lines.only()["policy"].get("rule"), None);
    assert_eq!(lines.only()["policy"]["rules"], json!(["a"]));
}
