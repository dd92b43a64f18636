//! The table: every reason that this version raises, in every mode, denied and not.

use crate::faults::{Fault, FaultySink};
use crate::layers::{Odd, Way};
use crate::support::{
    Answer, NAMEABLE, Rules, Runs, Site, TokioClock, ask, assert_agree, demo, denial, done,
    is_fine, text, tool, trace,
};
use Force::{Always, ByPolicy, InEnforce};
use parking_lot::RwLock;
use rmcp::handler::server::router::tool::{ToolRoute, ToolRouter};
use rmcp::model::{CallToolResult, Implementation, ServerCapabilities, ServerConfig};
use rmcp::{ErrorData, ServerHandler};
use sec0::call::{Raised, Reason};
use sec0::{MapRegistry, Sec0SecurityLayer, ToolRouterExt};
use serde_json::{Value, json};
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;
use tower::limit::ConcurrencyLimitLayer;
use tower::load_shed::LoadShedLayer;

/// What the caller must never get back.
const SECRET: &str = "c0nfidential";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Force {
    Always,
    ByPolicy,
    InEnforce,
}

/// What a refusal for this reason looks like.
#[derive(Debug, Clone, Copy)]
struct Row {
    wire: &'static str,
    force: Force,
    code: &'static str,
    retryable: bool,
    executed: bool,
    status: &'static str,
}

const fn row(wire: &'static str, force: Force, code: &'static str) -> Row {
    Row { wire, force, code, retryable: false, executed: false, status: "denied" }
}

const TABLE: [Row; 21] = [
    Row { retryable: true, ..row("missing_audit_signature", Always, "AUDIT_UNAVAILABLE") },
    row("tool_not_in_allowlist", ByPolicy, "POLICY_DENIED"),
    row("version_unpinned", ByPolicy, "POLICY_DENIED"),
    row("missing_idempotency_for_side_effect", ByPolicy, "POLICY_DENIED"),
    row("egress_violation", ByPolicy, "POLICY_DENIED"),
    row("fs_violation", ByPolicy, "POLICY_DENIED"),
    row("payload_too_large", ByPolicy, "POLICY_DENIED"),
    Row {
        executed: true,
        status: "timeout",
        ..row("duration_too_long", ByPolicy, "DEADLINE_EXCEEDED")
    },
    row("registry_mutation", Always, "REGISTRY_FROZEN"),
    row("handler_swap", Always, "HANDLER_SWAP"),
    row("server_code_changed", ByPolicy, "POLICY_DENIED"),
    row("tool_code_changed", ByPolicy, "POLICY_DENIED"),
    row("layer_failed", Always, "POLICY_DENIED"),
    row("malformed_arguments", Always, "POLICY_DENIED"),
    Row { retryable: true, ..row("overloaded", Always, "RATE_LIMITED") },
    Row { retryable: true, ..row("rate_limited", InEnforce, "RATE_LIMITED") },
    Row { retryable: true, ..row("circuit_open", InEnforce, "CIRCUIT_OPEN") },
    row("rule_denied", InEnforce, "POLICY_DENIED"),
    row("no_rule_allows", InEnforce, "POLICY_DENIED"),
    row("rule_error", InEnforce, "POLICY_DENIED"),
    // On the wire it is rmcp's own error.
    row("unknown_tool", Always, "-32602"),
];

/// Reasons that nothing can raise from outside.
const OUT_OF_REACH: [(&str, &str); 19] = [
    ("approval_expired", "it takes an escalation: `approving` has it"),
    ("approval_invalid", "it takes a token: `approving` has it"),
    ("approval_other_arguments", "the caller is not told: `approving` has it"),
    ("approval_other_policy", "the caller is not told: `approving` has it"),
    ("approval_other_principal", "the caller is not told: `approving` has it"),
    ("approval_other_tool", "the caller is not told: `approving` has it"),
    ("approval_pending", "it takes an escalation: `approving` has it"),
    ("approval_rejected", "it takes a vote: `approving` has it"),
    ("approval_required", "a rule that asks has its own reason, too: `arguments` has it"),
    ("approval_spent", "the caller is not told: `approving` has it"),
    ("approval_unavailable", "it takes a store that fails: `approving` has it"),
    ("approval_unknown", "the caller is not told: `approving` has it"),
    ("no_approvers_configured", "a rule that asks has its own reason, too: `approving` has it"),
    ("idempotency_conflict", "it takes two calls: `dedupe` has it"),
    ("idempotency_in_progress", "it takes two calls: `dedupe` has it"),
    ("idempotency_not_kept", "it takes two calls: `dedupe` has it"),
    ("idempotency_unavailable", "it takes a store that fails: `dedupe` has it"),
    ("idempotency_unknown", "it takes two calls: `dedupe` has it"),
    ("cancelled", "it takes a call that waits: `records` and `layers` have it"),
];

#[test]
fn every_reason_that_this_version_raises_has_a_row() {
    for reason in Reason::ALL {
        let rows = TABLE.iter().map(|row| row.wire).chain(OUT_OF_REACH.map(|(wire, _why)| wire));
        let rows = rows.filter(|wire| *wire == reason.as_str()).count();
        let expected = usize::from(reason.raised() == Raised::Here);
        assert_eq!(rows, expected, "`{reason}`: give it a row, and a scene that raises it");
        let nameable = reason.is_in_schema() && reason.raised() == Raised::Here;
        assert_eq!(NAMEABLE.contains(&reason.as_str()), nameable, "{reason}");
    }
}

#[tokio::test]
async fn every_reason_does_in_every_mode_what_its_row_says() {
    for row in TABLE {
        for mode in [None, Some("observe"), Some("enforce")] {
            for listed in [false, true] {
                if listed && !NAMEABLE.contains(&row.wire) {
                    continue; // `deny_on` does not take it.
                }
                let deny_on: Vec<_> = match (mode, listed) {
                    (None, false) => vec![],
                    (None, true) => vec![row.wire],
                    (Some(_), _) => {
                        NAMEABLE.into_iter().filter(|name| listed || *name != row.wire).collect()
                    }
                };
                let enforces = mode.map_or(listed, |mode| mode == "enforce");
                let refuses = match row.force {
                    Always => true,
                    ByPolicy => enforces && listed,
                    InEnforce => enforces,
                };
                let shot = raise(row.wire, Rules::with(mode, &deny_on)).await;
                let case = format!("{} mode={mode:?} listed={listed}", row.wire);
                match (row.wire, refuses) {
                    ("missing_audit_signature", _) => shot.is_refused_unrecorded(&row, &case),
                    ("unknown_tool", _) => shot.is_unknown(&row, &case),
                    (_, true) => shot.is_refused(&row, &case),
                    (_, false) => shot.is_let_through(&row, &case),
                }
            }
        }
    }
}

/// One call and what came of it.
struct Shot {
    answer: Answer,
    runs: usize,
    calls: Vec<Value>,
    events: Vec<Value>,
}

impl Shot {
    fn record(&self, case: &str) -> &Value {
        assert_eq!(self.calls.len(), 1, "{case}: {:#?}", self.calls);
        &self.calls[0]
    }

    fn is_refused(&self, row: &Row, case: &str) {
        let (denial, record) = (self.is_denied_on_the_wire(row, case), self.record(case));
        assert_agree(&denial, record);
        assert_eq!(record["policy"]["reason"], row.wire, "{case}");
        assert_eq!(record["status"], row.status, "{case}");
    }

    fn is_denied_on_the_wire(&self, row: &Row, case: &str) -> Value {
        let denial = denial(&self.answer);
        assert_eq!(denial["code"], row.code, "{case}");
        assert_eq!(denial["reason"], row.wire, "{case}");
        assert_eq!(denial["reasons"], json!([row.wire]), "{case}");
        assert_eq!(denial["retryable"], row.retryable, "{case}");
        assert_eq!(denial["executed"], row.executed, "{case}");
        assert_eq!(self.runs, usize::from(row.executed), "{case}");
        let text = text(&self.answer);
        assert!(text.contains(row.code) && text.contains(row.wire), "{case}: {text}");
        assert_eq!(text.contains("refused"), !row.executed, "{case}: {text}");
        let whole = serde_json::to_string(self.answer.as_ref().unwrap()).unwrap();
        assert!(!whole.contains(SECRET), "{case}: {whole}");
        denial
    }

    fn is_let_through(&self, row: &Row, case: &str) {
        let record = self.record(case);
        assert!(is_fine(&self.answer), "{case}: {:?}", self.answer);
        assert_eq!(self.runs, 1, "{case}");
        let ids = json!({"trace_id": record["trace_id"], "span_id": record["span_id"]});
        assert_eq!(trace(&self.answer), ids, "{case}");
        assert_eq!(record["policy"]["decision"], "would_deny", "{case}");
        assert_eq!(record["policy"]["reason"], row.wire, "{case}");
        assert_eq!(record["decision_reason"], row.wire, "{case}");
        assert_eq!(record["risk_tags"], json!([row.wire]), "{case}");
        assert_eq!(record.get("denial_level"), None, "{case}");
        assert_eq!(record["status"], "ok", "{case}");
        assert_eq!(record["executed"], true, "{case}");
    }

    fn is_unknown(&self, row: &Row, case: &str) {
        let record = self.record(case);
        let error = self.answer.as_ref().unwrap_err();
        assert_eq!(error.code.0.to_string(), row.code, "{case}");
        assert!(!format!("{error:?}").contains(SECRET), "{case}");
        assert_eq!(self.runs, 0, "{case}");
        assert_eq!(record["policy"]["decision"], "deny", "{case}");
        assert_eq!(record["policy"]["reason"], row.wire, "{case}");
        assert_eq!(record["risk_tags"], json!([row.wire]), "{case}");
        assert_eq!(record["denial_level"], "middleware", "{case}");
        assert_eq!(record["status"], "denied", "{case}");
        assert_eq!(record["executed"], false, "{case}");
    }

    /// It cannot be recorded, so it is counted.
    fn is_refused_unrecorded(&self, row: &Row, case: &str) {
        self.is_denied_on_the_wire(row, case);
        assert!(self.calls.is_empty(), "{case}: {:#?}", self.calls);
        assert_eq!(self.events.len(), 1, "{case}: {:#?}", self.events);
        assert_eq!(self.events[0]["event"], "recovery", "{case}");
        assert_eq!(self.events[0]["refused_calls"], 1, "{case}");
    }
}

const DENYING: &str = "{id: r, tool: add, pointer: /text, op: prefix, value: c0n, effect: deny}";
const ALLOWING: &str = "{id: r, tool: add, pointer: /text, op: eq, value: word, effect: allow}";
const READING_NUMBERS: &str = "{id: r, tool: add, pointer: /text, op: gt, value: 1, effect: deny}";

/// Makes a call that raises this reason and no other.
async fn raise(wire: &str, rules: Rules) -> Shot {
    match wire {
        "missing_audit_signature" => broken_log(&rules).await,
        "tool_not_in_allowlist" => plain(rules.allow(&["mcp://demo/echo"]), small()).await,
        "version_unpinned" => unpinned(rules.pinned()).await,
        "missing_idempotency_for_side_effect" => keyless(rules.keyed()).await,
        "egress_violation" => plain(rules.egress(&["api.example.com"]), elsewhere()).await,
        "fs_violation" => plain(rules.files(&["/srv/data/*"]), elsewhere()).await,
        "payload_too_large" => plain(rules.max_kb(1), large()).await,
        "duration_too_long" => slow(rules.max_ms(50)).await,
        "registry_mutation" => another_registry(&rules).await,
        "handler_swap" => swapped(&rules).await,
        "server_code_changed" => unlocked(&rules, "0.9.0", "1.0").await,
        "tool_code_changed" => unlocked(&rules, "1.0.0", "0.9").await,
        "layer_failed" => failing_layer(&rules).await,
        "malformed_arguments" => plain(rules, nested(200)).await,
        "overloaded" => overloaded(&rules).await,
        "rate_limited" => {
            second(rules.limits("rate: [{tool: add, per_second: 0.001}]"), done).await
        }
        "circuit_open" => {
            let breakers = "circuit_breakers: {error_rate_pct: 50, min_samples: 1}";
            second(rules.enforcing(breakers), || CallToolResult::error(Vec::new())).await
        }
        "unknown_tool" => unknown(&rules).await,
        "rule_denied" => plain(rules.on_arguments(DENYING), small()).await,
        "no_rule_allows" => plain(rules.on_arguments(ALLOWING), small()).await,
        "rule_error" => plain(rules.on_arguments(READING_NUMBERS), small()).await,
        other => panic!("no scene raises `{other}`"),
    }
}

fn small() -> Value {
    json!({ "text": SECRET })
}

/// Outside of whatever is allowed.
fn elsewhere() -> Value {
    json!({ "url": format!("https://{SECRET}.example/"), "path": format!("/{SECRET}") })
}

fn large() -> Value {
    json!({ "text": SECRET.repeat(200) })
}

fn nested(levels: usize) -> Value {
    (0..levels).fold(json!(SECRET), |inner, _| json!({ "in": inner }))
}

async fn plain(rules: Rules, arguments: Value) -> Shot {
    let (site, runs) = (Site::default(), Runs::default());
    let layer = site.layer(&rules);
    let server = demo().tool(tool("add", Some("1.0")), runs.handler()).layer(layer.clone());
    let answer = ask(&server, "add", arguments).await;
    shot(answer, &runs, &site, &layer).await
}

/// The second of two calls; only the first is answered so.
async fn second(rules: Rules, first: impl Fn() -> CallToolResult + Send + Sync + 'static) -> Shot {
    let (site, runs) = (Site::default(), Runs::default());
    let layer = site.layer(&rules);
    let counted = runs.clone();
    let server = demo().tool(tool("add", Some("1.0")), move |_| {
        let reply = if counted.get() == 0 { first() } else { done() };
        counted.up();
        std::future::ready(reply)
    });
    let server = server.layer(layer.clone());
    drop(ask(&server, "add", small()).await.unwrap());
    let answer = ask(&server, "add", small()).await;
    let lines = site.close(&layer).await;
    let calls = lines.calls.into_iter().skip(1).collect();
    Shot { answer, runs: runs.get() - 1, calls, events: lines.events }
}

async fn unpinned(rules: Rules) -> Shot {
    let (site, runs) = (Site::default(), Runs::default());
    let layer = site.layer(&rules);
    let server = demo().tool(tool("add", None), runs.handler()).layer(layer.clone());
    let answer = ask(&server, "add", small()).await;
    shot(answer, &runs, &site, &layer).await
}

async fn keyless(rules: Rules) -> Shot {
    let (site, runs) = (Site::default(), Runs::default());
    let layer = site.layer(&rules);
    let server = demo().tool(tool("write", Some("1.0")), runs.handler()).layer(layer.clone());
    let answer = ask(&server, "write", small()).await;
    shot(answer, &runs, &site, &layer).await
}

async fn unknown(rules: &Rules) -> Shot {
    let (site, runs) = (Site::default(), Runs::default());
    let layer = site.layer(rules);
    let server = demo().tool(tool("add", Some("1.0")), runs.handler()).layer(layer.clone());
    let answer = ask(&server, "sub", small()).await;
    shot(answer, &runs, &site, &layer).await
}

async fn slow(rules: Rules) -> Shot {
    tokio::time::pause();
    let (site, runs) = (Site::default(), Runs::default());
    let options = site.options(&rules).clock(Arc::new(TokioClock));
    let layer = Sec0SecurityLayer::try_new(options).unwrap();
    let counted = runs.clone();
    let server = demo().tool(tool("add", Some("1.0")), move |_| {
        counted.up();
        async {
            tokio::time::sleep(Duration::from_hours(1)).await;
            done()
        }
    });
    let server = server.layer(layer.clone());
    let answer = ask(&server, "add", small()).await;
    tokio::time::resume();
    shot(answer, &runs, &site, &layer).await
}

/// A second session of the same layer that has one tool more.
async fn another_registry(rules: &Rules) -> Shot {
    let (site, runs) = (Site::default(), Runs::default());
    let layer = site.layer(rules);
    let add = || demo().tool(tool("add", Some("1.0")), runs.handler());
    let _first = add().layer(layer.clone());
    let second = add().tool(tool("evil", Some("1.0")), runs.handler()).layer(layer.clone());
    let answer = ask(&second, "add", small()).await;
    shot(answer, &runs, &site, &layer).await
}

/// A server that can change its routes.
struct Plugins;

impl ServerHandler for Plugins {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("demo", "1.0.0"))
    }
}

async fn swapped(rules: &Rules) -> Shot {
    let (site, runs) = (Site::default(), Runs::default());
    let layer = site.layer(rules);
    let route = || {
        let runs = runs.clone();
        ToolRoute::new_dyn(tool("add", Some("1.0")), move |_| {
            runs.up();
            Box::pin(async { Ok(done().into()) })
        })
    };
    let routes = |route| {
        let mut router = ToolRouter::new();
        router.add_route(route);
        router
    };
    let held: Arc<RwLock<ToolRouter<Plugins>>> = Arc::new(RwLock::new(routes(route())));
    let server = Arc::clone(&held).serving(Plugins).layer(layer.clone());
    *held.write() = routes(route());
    let answer = ask(&server, "add", small()).await;
    shot(answer, &runs, &site, &layer).await
}

/// A server whose lock file has it in this version, and its tool in that.
async fn unlocked(rules: &Rules, server: &str, version: &str) -> Shot {
    let (site, runs) = (Site::default(), Runs::default());
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("sec0.lock");
    let before = Site::default().layer(rules);
    let _locked = MapRegistry::new("demo", server)
        .tool(tool("add", Some(version)), runs.handler())
        .layer(before.clone());
    before.write_lock(&file).unwrap();
    let layer = Sec0SecurityLayer::try_new(site.options(rules).lock_file(file)).unwrap();
    let server = demo().tool(tool("add", Some("1.0")), runs.handler()).layer(layer.clone());
    let answer = ask(&server, "add", small()).await;
    shot(answer, &runs, &site, &layer).await
}

async fn failing_layer(rules: &Rules) -> Shot {
    let (site, runs) = (Site::default(), Runs::default());
    let layer = site.layer(rules).around(Odd(Way::FailsBefore));
    let server = demo().tool(tool("add", Some("1.0")), runs.handler()).layer(layer.clone());
    let answer = ask(&server, "add", small()).await;
    shot(answer, &runs, &site, &layer).await
}

async fn overloaded(rules: &Rules) -> Shot {
    let (site, runs) = (Site::default(), Runs::default());
    let none_at_once = ConcurrencyLimitLayer::new(0);
    let layer = site.layer(rules).around(none_at_once).around(LoadShedLayer::new());
    let server = demo().tool(tool("add", Some("1.0")), runs.handler()).layer(layer.clone());
    let answer = ask(&server, "add", small()).await;
    shot(answer, &runs, &site, &layer).await
}

/// The first call breaks the log, the second one is the one that is looked at.
async fn broken_log(rules: &Rules) -> Shot {
    let (site, runs, fault) = (Site::default(), Runs::default(), Fault::none());
    let sink = FaultySink { inner: site.sink.clone(), fault: fault.clone() };
    let layer = Sec0SecurityLayer::try_new(site.options(rules).audit_sink(sink)).unwrap();
    let server = demo().tool(tool("add", Some("1.0")), runs.handler()).layer(layer.clone());
    fault.begin(ErrorKind::StorageFull);
    assert!(is_fine(&ask(&server, "add", json!({})).await));
    fault.known().await;
    let before = runs.get();
    let answer = ask(&server, "add", small()).await;
    let ran = runs.get() - before;
    fault.end();
    let mut lines = site.close(&layer).await;
    assert_eq!(lines.only()["status"], "ok");
    lines.calls.clear();
    Shot { answer, runs: ran, calls: lines.calls, events: lines.events }
}

async fn shot<M>(answer: Answer, runs: &Runs, site: &Site, layer: &Sec0SecurityLayer<M>) -> Shot {
    let lines = site.close(layer).await;
    Shot { answer, runs: runs.get(), calls: lines.calls, events: lines.events }
}

#[tokio::test]
async fn reasons_keep_the_order_in_which_they_were_found() {
    let unlisted = |rules: Rules| rules.allow(&["mcp://demo/echo"]).pinned().max_kb(1);
    let all = ["payload_too_large", "tool_not_in_allowlist", "version_unpinned"];

    let shot = unpinned_with(unlisted(Rules::observe()), large()).await;
    let record = shot.record("observe");
    assert_eq!(record["risk_tags"], json!(all));
    assert_eq!(record["policy"]["decision"], "would_deny");
    assert_eq!(record["policy"]["reason"], all[0]);
    assert_eq!((shot.runs, is_fine(&shot.answer)), (1, true));

    // Of all that was found, the first that refuses is the reason.
    let last = Rules::with(Some("enforce"), &["version_unpinned"]);
    let shot = unpinned_with(unlisted(last), large()).await;
    let denied = denial(&shot.answer);
    assert_eq!((&denied["reason"], &denied["reasons"]), (&json!(all[2]), &json!(all)));
    assert_agree(&denied, shot.record("the last"));

    let both = Rules::with(Some("enforce"), &["version_unpinned", "tool_not_in_allowlist"]);
    let shot = unpinned_with(unlisted(both), small()).await;
    let denied = denial(&shot.answer);
    assert_eq!((&denied["reason"], &denied["reasons"]), (&json!(all[1]), &json!(all[1..])));
    assert_agree(&denied, shot.record("both"));

    // What is refused for its size is not judged further.
    let shot = unpinned_with(unlisted(Rules::enforce()), large()).await;
    let denied = denial(&shot.answer);
    assert_eq!((&denied["reason"], &denied["reasons"]), (&json!(all[0]), &json!([all[0]])));
    assert_agree(&denied, shot.record("size"));
    assert_eq!(shot.runs, 0);
}

async fn unpinned_with(rules: Rules, arguments: Value) -> Shot {
    let (site, runs) = (Site::default(), Runs::default());
    let layer = site.layer(&rules);
    let server = demo().tool(tool("add", None), runs.handler()).layer(layer.clone());
    let answer = ask(&server, "add", arguments).await;
    shot(answer, &runs, &site, &layer).await
}

#[tokio::test]
async fn what_was_found_before_stands_before_the_hard_reason() {
    let shot = {
        let (site, runs) = (Site::default(), Runs::default());
        let layer = site.layer(&Rules::observe().max_kb(1));
        let server = demo().tool(tool("add", None), runs.handler()).layer(layer.clone());
        let answer = ask(&server, "sub", large()).await;
        shot(answer, &runs, &site, &layer).await
    };
    let record = shot.record("unknown and too large");
    assert_eq!(shot.answer.as_ref().map_err(|ErrorData { code, .. }| code.0).unwrap_err(), -32602);
    assert_eq!(record["policy"]["reason"], "unknown_tool");
    assert_eq!(record["risk_tags"], json!(["payload_too_large", "unknown_tool"]));
}

#[tokio::test]
async fn a_call_with_nothing_against_it_is_allowed_and_says_so() {
    let shot = plain(Rules::enforce().pinned().max_kb(1), small()).await;
    let record = shot.record("allowed");
    assert!(is_fine(&shot.answer));
    assert_eq!(record["policy"]["decision"], "allow");
    for absent in ["decision_reason", "denial_level", "risk_tags", "risk_score"] {
        assert_eq!(record.get(absent), None, "{absent}");
    }
    assert_eq!(record["policy"].get("reason"), None);
    assert_eq!((&record["status"], &record["executed"]), (&json!("ok"), &json!(true)));
    assert_eq!(record["target_server"], "demo@1.0.0");
    assert_eq!(record["target_tool"], "add@1.0");
    assert_eq!(record["target_tool_ref"], "demo@1.0.0 add@1.0");
    assert_eq!((&record["tenant"], &record["tool"]), (&json!("acme"), &json!("mcp.enforce@1.0")));
}
