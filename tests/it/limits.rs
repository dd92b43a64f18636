//! Rate limits, circuit breakers and retries, on a clock that is moved by hand.

use crate::support::{
    Answer, Rules, Runs, Site, TokioClock, annotated, ask, ask_in, assert_agree, demo, denial,
    done, is_fine, soon, tool,
};
use futures::poll;
use parking_lot::Mutex;
use rmcp::ErrorData;
use rmcp::model::{CallToolResponse, CallToolResult};
use sec0::clock::{Clock, System, Timestamp};
use sec0::identity::VerifiedPrincipal;
use sec0::mcp::{MockCall, detached_context};
use sec0::{AuditMode, Sec0SecurityLayer};
use serde_json::{Value, json};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Stands still until it is moved.
#[derive(Debug)]
struct HandClock(Mutex<Instant>);

impl HandClock {
    fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(System::shared().monotonic())))
    }

    fn move_by(&self, millis: u64) {
        *self.0.lock() += Duration::from_millis(millis);
    }
}

impl Clock for HandClock {
    fn wall(&self) -> Timestamp {
        System::shared().wall()
    }

    fn monotonic(&self) -> Instant {
        *self.0.lock()
    }
}

fn layer_on(site: &Site, rules: &Rules, clock: Arc<dyn Clock>) -> Sec0SecurityLayer {
    Sec0SecurityLayer::try_new(site.options(rules).clock(clock)).unwrap()
}

/// The answer to one call of `tool` by this verified caller.
async fn ask_as<S: rmcp::ServerHandler>(server: &S, tool: &str, caller: &str) -> Answer {
    let mut context = detached_context();
    context.extensions.insert(VerifiedPrincipal::new(caller).unwrap());
    match ask_in(server, tool, json!({}), context).await? {
        CallToolResponse::Complete(result) => Ok(result),
        other @ (CallToolResponse::InputRequired(_) | CallToolResponse::Task(_) | _) => {
            panic!("not a complete result: {other:?}")
        }
    }
}

/// A caller is over its rate, and told for how long.
fn assert_limited(answer: &Answer, millis: u64) -> Value {
    let denied = denial(answer);
    assert_eq!(
        (&denied["code"], &denied["reason"]),
        (&json!("RATE_LIMITED"), &json!("rate_limited"))
    );
    assert_eq!(denied["retryable"], true);
    assert_eq!(denied["retry_after_ms"], millis);
    denied
}

#[tokio::test]
async fn a_caller_over_its_rate_is_refused_and_may_come_back_when_it_was_told() {
    let (site, runs, clock) = (Site::default(), Runs::default(), HandClock::new());
    let rules = Rules::enforce().limits("rate: [{tool: add, per_second: 2}]");
    let layer = layer_on(&site, &rules, clock.clone());
    let server = demo().tool(tool("add", Some("1.0")), runs.handler()).layer(layer.clone());

    assert!(is_fine(&ask(&server, "add", json!({"n": 1})).await));
    assert!(is_fine(&ask(&server, "add", json!({"n": 2})).await));
    let refused = ask(&server, "add", json!({"n": 3})).await;
    let denied = assert_limited(&refused, 500);
    clock.move_by(499);
    assert_limited(&ask(&server, "add", json!({"n": 3})).await, 1);
    assert_eq!(runs.get(), 2);
    clock.move_by(1);
    assert!(is_fine(&ask(&server, "add", json!({"n": 3})).await));

    let lines = site.close(&layer).await;
    let record = &lines.calls[2];
    assert_agree(&denied, record);
    // It was not worth a look at its arguments.
    assert_eq!((&record["status"], &record["input_sha256"]), (&json!("denied"), &Value::Null));
    assert_eq!(lines.calls.len(), 5);
}

#[tokio::test]
async fn sessions_share_what_a_caller_has_and_callers_do_not() {
    let (site, runs, clock) = (Site::default(), Runs::default(), HandClock::new());
    let rules = Rules::enforce().limits("rate: [{tool: 'mcp://demo/*', per_second: 1}]");
    let layer = layer_on(&site, &rules, clock);
    let session = || demo().tool(tool("add", Some("1.0")), runs.handler()).layer(layer.clone());
    let (one, other) = (session(), session());
    assert!(is_fine(&ask_as(&one, "add", "user:alice").await));
    assert_limited(&ask_as(&one, "add", "user:alice").await, 1000);
    assert_limited(&ask_as(&other, "add", "user:alice").await, 1000);
    assert_limited(&ask_as(&session(), "add", "user:alice").await, 1000);
    assert!(is_fine(&ask_as(&other, "add", "user:bob").await));
    // Nobody's word but the server's own makes another caller.
    assert!(is_fine(&ask(&one, "add", json!({})).await));
    let mut context = detached_context();
    let claims = json!({"sec0/nodeId": "other", "sec0/agentRef": "run:9"});
    context.meta = serde_json::from_value(claims).unwrap();
    let answer = ask_in(&other, "add", json!({}), context).await.map(|reply| match reply {
        CallToolResponse::Complete(result) => result,
        other => panic!("{other:?}"),
    });
    assert_limited(&answer, 1000);
    assert_eq!(runs.get(), 3);
    site.close(&layer).await;
}

#[tokio::test]
async fn all_entries_that_match_must_have_room_and_the_version_of_the_frozen_tool_counts() {
    let (site, runs, clock) = (Site::default(), Runs::default(), HandClock::new());
    let rules = Rules::enforce().limits(
        "rate: [{tool: 'add@1.0', per_second: 1}, {tool: 'add@2.0', per_second: 0.001}, \
         {tool: '*', per_second: 0.1, burst: 3}]",
    );
    let layer = layer_on(&site, &rules, clock.clone());
    let server = demo()
        .tool(tool("add", Some("1.0")), runs.handler())
        .tool(tool("sub", Some("1.0")), runs.handler())
        .layer(layer.clone());
    assert!(is_fine(&ask(&server, "add", json!({})).await));
    assert_limited(&ask(&server, "add", json!({})).await, 1000);
    // The refused call has taken nothing from the entry for all tools, of which two are left.
    assert!(is_fine(&ask(&server, "sub", json!({})).await));
    clock.move_by(1000);
    assert!(is_fine(&ask(&server, "add", json!({})).await));
    assert_limited(&ask(&server, "sub", json!({})).await, 9000);
    // A made-up name is a call, too, as far as an entry matches it.
    assert_limited(&ask(&server, "nothing", json!({})).await, 9000);
    assert_eq!(runs.get(), 3);
    site.close(&layer).await;
}

#[tokio::test]
async fn in_observe_a_rate_and_a_circuit_are_only_recorded() {
    let (site, runs, clock) = (Site::default(), Runs::default(), HandClock::new());
    let rules = Rules::observe()
        .limits("rate: [{tool: add, per_second: 1}]")
        .enforcing("circuit_breakers: {error_rate_pct: 50, min_samples: 1}");
    let layer = layer_on(&site, &rules, clock);
    let failing = runs.clone();
    let server = demo().tool(tool("add", Some("1.0")), move |_| {
        failing.up();
        std::future::ready(CallToolResult::error(Vec::new()))
    });
    let server = server.layer(layer.clone());
    for _ in 0..3 {
        drop(ask(&server, "add", json!({})).await.unwrap());
    }
    assert_eq!(runs.get(), 3);
    let lines = site.close(&layer).await;
    assert_eq!(lines.calls[0]["policy"]["decision"], "allow");
    for record in &lines.calls[1..] {
        assert_eq!(record["policy"]["decision"], "would_deny");
        assert_eq!(record["risk_tags"], json!(["rate_limited", "circuit_open"]));
        assert_eq!(record["executed"], true);
    }
    assert_eq!(lines.events_of("circuit").len(), 1);
}

/// Handlers that go as the test says.
#[derive(Debug, Clone, Default)]
struct Script(Arc<Mutex<Vec<Go>>>, Arc<AtomicUsize>);

#[derive(Debug, Clone)]
enum Go {
    Well,
    Error,
    Internal,
    Invalid,
    Panic,
    Hang,
}

type Going = Pin<Box<dyn Future<Output = Result<CallToolResult, ErrorData>> + Send>>;

impl Script {
    /// The next calls go so, in this order; those after them go well.
    fn of(goes: &[Go]) -> Self {
        Self(Arc::new(Mutex::new(goes.iter().rev().cloned().collect())), Arc::default())
    }

    fn then(&self, go: Go) {
        self.0.lock().push(go);
    }

    fn runs(&self) -> usize {
        self.1.load(Ordering::SeqCst)
    }

    fn handler(&self) -> impl Fn(MockCall) -> Going + Send + Sync + 'static {
        let script = self.clone();
        move |_| {
            script.1.fetch_add(1, Ordering::SeqCst);
            let go = script.0.lock().pop().unwrap_or(Go::Well);
            Box::pin(async move {
                match go {
                    Go::Well => Ok(done()),
                    Go::Error => Ok(CallToolResult::error(Vec::new())),
                    Go::Internal => Err(ErrorData::internal_error("x", None)),
                    Go::Invalid => Err(ErrorData::invalid_params("x", None)),
                    Go::Panic => panic!("as the script says"),
                    Go::Hang => std::future::pending().await,
                }
            })
        }
    }
}

const BREAKERS: &str = "circuit_breakers: {error_rate_pct: 50, min_samples: 2, open_ms: 1000}";

#[tokio::test]
async fn a_tool_that_fails_is_left_alone_and_tried_again_after_a_while() {
    let (site, clock, script) =
        (Site::default(), HandClock::new(), Script::of(&[Go::Error, Go::Panic]));
    let layer = layer_on(&site, &Rules::enforce().enforcing(BREAKERS), clock.clone());
    let runs = Runs::default();
    let server = demo()
        .tool(tool("add", Some("1.0")), script.handler())
        .tool(tool("sub", Some("1.0")), runs.handler())
        .layer(layer.clone());
    drop(ask(&server, "add", json!({})).await.unwrap());
    assert!(ask(&server, "add", json!({})).await.is_err(), "it panicked");

    let refused = denial(&ask(&server, "add", json!({})).await);
    assert_eq!(
        (&refused["code"], &refused["reason"]),
        (&json!("CIRCUIT_OPEN"), &json!("circuit_open"))
    );
    assert_eq!((&refused["retryable"], &refused["retry_after_ms"]), (&json!(true), &json!(1000)));
    assert_eq!(script.runs(), 2);
    // Another tool has a circuit of its own.
    assert!(is_fine(&ask(&server, "sub", json!({})).await));

    clock.move_by(1000);
    script.then(Go::Error);
    drop(ask(&server, "add", json!({})).await.unwrap());
    assert_eq!(denial(&ask(&server, "add", json!({})).await)["retry_after_ms"], 1000);
    clock.move_by(1000);
    assert!(is_fine(&ask(&server, "add", json!({})).await));
    assert!(is_fine(&ask(&server, "add", json!({})).await));

    let lines = site.close(&layer).await;
    assert_agree(&refused, &lines.calls[2]);
    let events = lines.events_of("circuit");
    let told: Vec<_> = events
        .iter()
        .map(|line| {
            (line["state"].as_str().unwrap(), line["calls"].as_u64(), line["failed_calls"].as_u64())
        })
        .collect();
    assert_eq!(told, [("open", Some(2), Some(2)), ("closed", Some(1), Some(0))]);
    assert_eq!((&events[0]["target_name"], &events[0]["status"]), (&json!("add"), &json!("error")));
    assert_eq!(events[0]["span_id"], lines.calls[1]["span_id"]);
}

#[tokio::test]
async fn refused_calls_and_given_up_ones_open_no_circuit() {
    let (site, clock, script) = (Site::default(), HandClock::new(), Script::of(&[]));
    let rules = Rules::enforce().enforcing(BREAKERS).max_kb(1);
    let layer = layer_on(&site, &rules, clock);
    let server = demo().tool(tool("add", Some("1.0")), script.handler()).layer(layer.clone());
    for _ in 0..10 {
        let large = ask(&server, "add", json!({"text": "x".repeat(2000)})).await;
        assert_eq!(denial(&large)["reason"], "payload_too_large");
        script.then(Go::Hang);
        let mut held = Box::pin(ask(&server, "add", json!({})));
        assert!(poll!(held.as_mut()).is_pending());
    }
    assert!(is_fine(&ask(&server, "add", json!({})).await));
    let lines = site.close(&layer).await;
    assert!(lines.events_of("circuit").is_empty());
}

#[tokio::test]
async fn only_one_call_tries_an_open_circuit_and_a_dropped_one_gives_its_place_back() {
    let (site, clock) = (Site::default(), HandClock::new());
    let script = Script::of(&[Go::Error, Go::Error, Go::Hang, Go::Well]);
    let rules = Rules::enforce().enforcing(BREAKERS).keyed();
    let layer = layer_on(&site, &rules, clock.clone());
    let server = demo().tool(tool("look", Some("1.0")), script.handler()).layer(layer.clone());
    for _ in 0..2 {
        drop(ask(&server, "look", json!({})).await.unwrap());
    }
    clock.move_by(1000);
    {
        let mut tried = pin!(ask(&server, "look", json!({})));
        assert!(poll!(tried.as_mut()).is_pending());
        for _ in 0..3 {
            let refused = denial(&ask(&server, "look", json!({})).await);
            assert_eq!(
                (&refused["code"], &refused["retry_after_ms"]),
                (&json!("CIRCUIT_OPEN"), &json!(1000))
            );
        }
        assert_eq!(script.runs(), 3);
    }
    assert!(is_fine(&ask(&server, "look", json!({})).await));
    assert_eq!(script.runs(), 4);
    let lines = site.close(&layer).await;
    assert_eq!(lines.events_of("circuit").len(), 2);
}

#[tokio::test]
async fn a_tool_that_is_slow_opens_its_circuit() {
    let (site, clock) = (Site::default(), HandClock::new());
    let rules =
        Rules::enforce().enforcing("circuit_breakers: {p95_latency_ms: 100, min_samples: 2}");
    let layer = layer_on(&site, &rules, clock.clone());
    let server = demo().tool(tool("add", Some("1.0")), move |_| {
        clock.move_by(100);
        std::future::ready(done())
    });
    let server = server.layer(layer.clone());
    for _ in 0..2 {
        assert!(is_fine(&ask(&server, "add", json!({})).await));
    }
    assert_eq!(denial(&ask(&server, "add", json!({})).await)["code"], "CIRCUIT_OPEN");
    let lines = site.close(&layer).await;
    let events = lines.events_of("circuit");
    assert_eq!((&events[0]["slow_calls"], &events[0]["failed_calls"]), (&json!(2), &json!(0)));
}

/// One call of a tool with these annotations that goes as the script says; the answer, and the one
/// record.
async fn retried(rules: Rules, annotations: Value, script: &Script) -> (Answer, Value) {
    tokio::time::pause();
    let site = Site::default();
    // In a paused test nothing waits for the disk.
    let options = site.options(&rules).clock(Arc::new(TokioClock)).audit_mode(AuditMode::Batch);
    let layer = Sec0SecurityLayer::try_new(options).unwrap();
    let server = demo().tool(annotated("look", annotations), script.handler()).layer(layer.clone());
    let answer = soon(ask(&server, "look", json!({"n": 1}))).await;
    tokio::time::resume();
    let lines = site.close(&layer).await;
    (answer, lines.only().clone())
}

#[tokio::test]
async fn a_failed_call_of_an_idempotent_tool_is_run_again_and_recorded_once() {
    let idempotent = || json!({"readOnlyHint": false, "idempotentHint": true});
    for (goes, runs, status) in [
        (vec![Go::Well], 1, "ok"),
        (vec![Go::Error, Go::Well], 2, "ok"),
        (vec![Go::Internal, Go::Error, Go::Well], 3, "ok"),
        (vec![Go::Error, Go::Error, Go::Error, Go::Well], 3, "error"),
        (vec![Go::Invalid, Go::Well], 1, "error"),
        (vec![Go::Panic, Go::Well], 1, "panicked"),
        (vec![Go::Error, Go::Panic, Go::Well], 2, "panicked"),
    ] {
        let script = Script::of(&goes);
        let (answer, record) = retried(Rules::enforce().retries(2), idempotent(), &script).await;
        assert_eq!(script.runs(), runs, "{goes:?}");
        assert_eq!(is_fine(&answer), status == "ok", "{goes:?}");
        assert_eq!(
            (&record["retries"], &record["status"]),
            (&json!(runs - 1), &json!(status)),
            "{goes:?}"
        );
    }
}

#[tokio::test]
async fn what_is_not_declared_idempotent_runs_once() {
    let enforce = || Rules::enforce().retries(5);
    let overriding = enforce().overriding("{tool: look, side_effect: false}");
    for (rules, annotations, runs) in [
        (enforce(), json!({"readOnlyHint": true}), 2),
        (enforce(), json!({"readOnlyHint": true, "destructiveHint": true}), 1),
        (enforce(), json!({"readOnlyHint": false}), 1),
        (enforce(), json!({"destructiveHint": false, "idempotentHint": false}), 1),
        // `look` reads by its name, which is a guess.
        (enforce(), json!({"openWorldHint": true}), 1),
        (overriding, json!({}), 2),
        (Rules::enforce(), json!({"readOnlyHint": true}), 1),
    ] {
        let script = Script::of(&[Go::Error, Go::Well]);
        let (_, record) = retried(rules, annotations.clone(), &script).await;
        assert_eq!(record["retries"], runs - 1, "{annotations}");
        assert_eq!(script.runs(), runs, "{annotations}");
    }
}

#[tokio::test]
async fn no_try_begins_after_the_deadline_or_for_a_caller_who_gave_up() {
    // Half of 50 ms is the shortest pause there is.
    for rules in [Rules::enforce(), Rules::observe()] {
        let script = Script::of(&[Go::Error, Go::Error]);
        let rules = rules.retries(5).max_ms(20);
        let (answer, record) = retried(rules, json!({"readOnlyHint": true}), &script).await;
        assert_eq!((script.runs(), &record["status"]), (1, &json!("error")), "{answer:?}");
    }
    tokio::time::pause();
    let (site, script) = (Site::default(), Script::of(&[Go::Error]));
    let layer = layer_on(&site, &Rules::enforce().retries(5), Arc::new(TokioClock));
    let look = annotated("look", json!({"readOnlyHint": true}));
    let server = demo().tool(look, script.handler()).layer(layer.clone());
    let context = detached_context();
    let cancel = context.ct.clone();
    let mut call = pin!(ask_in(&server, "look", json!({}), context));
    assert!(poll!(call.as_mut()).is_pending(), "it waits for its next try");
    cancel.cancel();
    assert!(call.await.is_ok(), "the reply of the last try");
    tokio::time::resume();
    let lines = site.close(&layer).await;
    assert_eq!(
        (&lines.only()["status"], &lines.only()["retries"]),
        (&json!("cancelled"), &json!(0))
    );
    assert_eq!(script.runs(), 1);
}

/// However often it runs, a call has one intent, and one sample of its circuit.
#[tokio::test]
async fn a_circuit_counts_a_call_once_however_often_it_runs() {
    let script = Script::of(&[Go::Error, Go::Error, Go::Error]);
    let rules = Rules::enforce().retries(2).enforcing(BREAKERS);
    tokio::time::pause();
    let site = Site::default();
    let layer = layer_on(&site, &rules, Arc::new(TokioClock));
    let look = annotated("look", json!({"readOnlyHint": true}));
    let server = demo().tool(look, script.handler()).layer(layer.clone());
    drop(soon(ask(&server, "look", json!({}))).await.unwrap());
    tokio::time::resume();
    assert!(is_fine(&ask(&server, "look", json!({})).await));
    assert_eq!(script.runs(), 4);
    let lines = site.close(&layer).await;
    let events = lines.events_of("circuit");
    assert_eq!(events.len(), 1);
    assert_eq!((&events[0]["calls"], &events[0]["failed_calls"]), (&json!(2), &json!(1)));
}
