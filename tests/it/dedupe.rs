//! A repeated idempotency key: what the caller gets, how often the tool ran, what the log says.

use crate::drive::{Client, Era, House, Session, example};
use crate::support::{
    Answer, Latch, Rules, Runs, Site, TokioClock, annotated, ask_in, assert_agree, demo, denial,
    done, eventually, is_fine, soon,
};
use futures::future::join;
use rmcp::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, InputRequiredResult,
    RequestMetaObject, Tool, object,
};
use sec0::clock::Timestamp;
use sec0::dedupe::{
    Answer as StoreAnswer, Asked, Begun, DedupeOptions, DedupeStore, MemoryStore, StoreError,
};
use sec0::identity::VerifiedPrincipal;
use sec0::mcp::{DEDUPE_META, detached_context};
use sec0::store::sqlite::{Freed, KeyDesk};
use sec0::{AuditMode, Sec0SecurityLayer, ToolRouterExt};
use serde_json::{Value, json};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;

fn writer() -> Tool {
    annotated("pay", json!({"readOnlyHint": false}))
}

fn reader() -> Tool {
    annotated("look", json!({"readOnlyHint": true}))
}

/// What a caller sends beside the arguments.
#[derive(Clone, Copy)]
struct Caller<'a> {
    key: Option<&'a str>,
    user: Option<&'a str>,
}

const ANA: Caller<'_> = Caller { key: Some("order-17"), user: Some("user:ana") };

async fn response<S: ServerHandler>(
    server: &S,
    tool: &str,
    arguments: Value,
    caller: Caller<'_>,
) -> Result<CallToolResponse, rmcp::ErrorData> {
    let mut context = detached_context();
    if let Some(key) = caller.key {
        context.meta.0.0.insert("sec0/idempotencyKey".to_owned(), key.into());
    }
    if let Some(user) = caller.user {
        context.extensions.insert(VerifiedPrincipal::new(user).unwrap());
    }
    soon(ask_in(server, tool, arguments, context)).await
}

async fn pay<S: ServerHandler>(server: &S, arguments: Value, caller: Caller<'_>) -> Answer {
    match response(server, "pay", arguments, caller).await? {
        CallToolResponse::Complete(result) => Ok(result),
        other => panic!("not a complete result: {other:?}"),
    }
}

fn became(answer: &Answer) -> Option<String> {
    let meta = answer.as_ref().unwrap().meta.as_ref()?;
    Some(meta.0.get(DEDUPE_META)?.as_str().unwrap().to_owned())
}

fn assert_refused(answer: &Answer, reason: &str, retryable: bool) -> Value {
    let denial = denial(answer);
    assert_eq!(denial["code"], "IDEMPOTENT_DUPLICATE", "{denial:#}");
    assert_eq!(denial["reason"], reason, "{denial:#}");
    assert_eq!(denial["executed"], false, "{denial:#}");
    assert_eq!(denial["retryable"], retryable, "{denial:#}");
    denial
}

#[tokio::test]
async fn a_repeat_gets_the_result_of_the_first_and_nothing_runs() {
    let (site, runs) = (Site::default(), Runs::default());
    let layer = site.layer(&Rules::enforce());
    let server = demo().tool(writer(), runs.handler()).layer(layer.clone());
    let first = pay(&server, json!({"to": "x"}), ANA).await;
    let second = pay(&server, json!({"to": "x"}), ANA).await;
    assert_eq!(runs.get(), 1);
    assert_eq!((became(&first), became(&second)), (Some("first".into()), Some("replay".into())));
    assert_eq!(first.unwrap().content, second.unwrap().content);
    let calls = site.close(&layer).await.calls;
    for (call, (dedupe, executed)) in calls.iter().zip([("first", true), ("replay", false)]) {
        assert_eq!((&call["dedupe"], &call["executed"]), (&json!(dedupe), &json!(executed)));
        assert_eq!((&call["status"], &call["idempotency_key"]), (&json!("ok"), &json!("order-17")));
        assert_eq!(call["policy"]["decision"], "allow");
        assert_eq!(call["output_sha256"], calls[0]["output_sha256"]);
    }
    assert_ne!(calls[0]["trace_id"], calls[1]["trace_id"]);
}

#[tokio::test]
async fn only_calls_with_side_effects_and_a_key_are_deduplicated() {
    let (site, runs) = (Site::default(), Runs::default());
    let layer = site.layer(&Rules::enforce());
    let server =
        demo().tool(writer(), runs.handler()).tool(reader(), runs.handler()).layer(layer.clone());
    for (tool, key) in [("pay", None), ("look", Some("k"))] {
        for _ in 0..2 {
            let caller = Caller { key, ..ANA };
            let CallToolResponse::Complete(result) =
                response(&server, tool, json!({}), caller).await.unwrap()
            else {
                panic!("not a complete result")
            };
            assert_eq!(became(&Ok(result)), None);
        }
    }
    assert_eq!(runs.get(), 4);
    for call in site.close(&layer).await.calls {
        assert_eq!(call.get("dedupe"), None);
    }
}

#[tokio::test]
async fn a_key_belongs_to_principal_and_tool_and_to_its_arguments() {
    let (site, runs) = (Site::default(), Runs::default());
    let layer = site.layer(&Rules::enforce());
    let other = annotated("refund", json!({"readOnlyHint": false}));
    let server =
        demo().tool(writer(), runs.handler()).tool(other, runs.handler()).layer(layer.clone());
    assert!(is_fine(&pay(&server, json!({"to": "x"}), ANA).await));
    let conflict = pay(&server, json!({"to": "y"}), ANA).await;
    let conflict = assert_refused(&conflict, "idempotency_conflict", false);
    assert_eq!(runs.get(), 1);
    // The same key of somebody else, and for another tool, is another.
    let bob = Caller { user: Some("user:bob"), ..ANA };
    assert_eq!(became(&pay(&server, json!({"to": "y"}), bob).await).as_deref(), Some("first"));
    response(&server, "refund", json!({"to": "y"}), ANA).await.unwrap();
    assert_eq!(runs.get(), 3);
    let calls = site.close(&layer).await.calls;
    assert_agree(&conflict, &calls[1]);
    assert_eq!(calls[1]["status"], "denied");
}

#[tokio::test]
async fn a_repeat_while_the_first_runs_waits_for_its_result() {
    let (site, runs, latch) = (Site::default(), Runs::default(), Latch::new());
    let layer = site.layer(&Rules::enforce());
    let server = demo().tool(writer(), latch.handler(&runs)).layer(layer.clone());
    let first = pay(&server, json!({}), ANA);
    let second = async {
        latch.entered(1).await;
        let mut repeat = JoinSet::new();
        let again = server.clone();
        repeat.spawn(async move { pay(&again, json!({}), ANA).await });
        latch.release(1);
        repeat.join_next().await.unwrap().unwrap()
    };
    let (first, second) = join(first, second).await;
    assert_eq!((became(&first), became(&second)), (Some("first".into()), Some("replay".into())));
    assert_eq!(runs.get(), 1);
    assert_eq!(site.close(&layer).await.calls.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_repeat_does_not_wait_for_ever_and_may_come_again() {
    for (wait, max_ms) in [(Duration::from_secs(3), 0), (Duration::from_hours(1), 2000)] {
        let (site, runs, latch) = (Site::default(), Runs::default(), Latch::new());
        // A deadline that does not deny still bounds the wait.
        let rules = Rules::observe().max_ms(max_ms);
        let options = site.options(&rules).dedupe(DedupeOptions::default().wait(wait));
        // The disk's threads do not know of a paused clock.
        let options = options.audit_mode(AuditMode::Batch).clock(Arc::new(TokioClock));
        let layer = Sec0SecurityLayer::try_new(options).unwrap();
        let server = demo().tool(writer(), latch.handler(&runs)).layer(layer.clone());
        let first = pay(&server, json!({}), ANA);
        let second = async {
            latch.entered(1).await;
            let begun = tokio::time::Instant::now();
            let refused = pay(&server, json!({}), ANA).await;
            assert!(begun.elapsed() < Duration::from_secs(4), "it waited too long");
            latch.release(1);
            refused
        };
        let (_, second) = join(first, second).await;
        let refused = assert_refused(&second, "idempotency_in_progress", true);
        assert_eq!(refused["retry_after_ms"], 1000);
        assert_eq!(became(&pay(&server, json!({}), ANA).await).as_deref(), Some("replay"));
        assert_eq!(runs.get(), 1);
        layer.shutdown().await;
    }
}

#[tokio::test]
async fn a_repeat_that_waits_stops_when_its_caller_gives_up() {
    let (site, runs, latch) = (Site::default(), Runs::default(), Latch::new());
    let options = site.options(&Rules::enforce());
    let options = options.dedupe(DedupeOptions::default().wait(Duration::from_hours(1)));
    let layer = Sec0SecurityLayer::try_new(options).unwrap();
    let server = demo().tool(writer(), latch.handler(&runs)).layer(layer.clone());
    let second = async {
        latch.entered(1).await;
        let mut context = detached_context();
        context.meta.0.0.insert("sec0/idempotencyKey".to_owned(), "order-17".into());
        context.extensions.insert(VerifiedPrincipal::new("user:ana").unwrap());
        context.ct.cancel();
        let ended = soon(ask_in(&server, "pay", json!({}), context)).await;
        latch.release(1);
        ended
    };
    let (_, second) = join(pay(&server, json!({}), ANA), second).await;
    assert!(second.is_err(), "{second:?}");
    let calls = site.close(&layer).await.calls;
    assert_eq!(calls[0]["status"], "cancelled");
}

/// A handler that ends in another way each time.
#[tokio::test]
async fn a_failure_frees_the_key_and_an_end_without_a_word_does_not() {
    for (way, expected) in [("error", "first"), ("protocol", "first"), ("panic", "unknown")] {
        let (site, runs) = (Site::default(), Runs::default());
        let layer = site.layer(&Rules::enforce());
        let counted = runs.clone();
        let server = demo().tool(writer(), move |_| {
            counted.up();
            let way = if counted.get() == 1 { way } else { "" };
            async move {
                match way {
                    "error" => Ok(CallToolResult::error(vec![ContentBlock::text("no")])),
                    "protocol" => Err(rmcp::ErrorData::internal_error("no", None)),
                    "panic" => panic!("on purpose"),
                    _ => Ok(done()),
                }
            }
        });
        let server = server.layer(layer.clone());
        let first = pay(&server, json!({}), ANA).await;
        assert!(!is_fine(&first), "{way}");
        let second = pay(&server, json!({}), ANA).await;
        if expected == "unknown" {
            assert_refused(&second, "idempotency_unknown", false);
        } else {
            assert_eq!(became(&second).as_deref(), Some(expected), "{way}");
            assert_eq!(became(&pay(&server, json!({}), ANA).await).as_deref(), Some("replay"));
        }
        assert_eq!(runs.get(), if expected == "unknown" { 1 } else { 2 });
        layer.shutdown().await;
    }
}

#[tokio::test]
async fn a_call_that_is_dropped_while_the_tool_runs_leaves_its_key_unknown() {
    let (site, runs, latch) = (Site::default(), Runs::default(), Latch::new());
    let layer = site.layer(&Rules::enforce());
    let server = demo().tool(writer(), latch.handler(&runs)).layer(layer.clone());
    let mut running = JoinSet::new();
    let dropped = server.clone();
    running.spawn(async move { pay(&dropped, json!({}), ANA).await });
    latch.entered(1).await;
    running.shutdown().await;
    assert_refused(&pay(&server, json!({}), ANA).await, "idempotency_unknown", false);
    assert_eq!(runs.get(), 1);
    layer.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_ends_a_running_tool_leaves_its_key_unknown() {
    let (site, runs, latch) = (Site::default(), Runs::default(), Latch::new());
    let options = site.options(&Rules::enforce().max_ms(50)).audit_mode(AuditMode::Batch);
    let options = options.clock(Arc::new(TokioClock));
    let layer = Sec0SecurityLayer::try_new(options).unwrap();
    let server = demo().tool(writer(), latch.handler(&runs)).layer(layer.clone());
    let late = denial(&pay(&server, json!({}), ANA).await);
    assert_eq!((&late["reason"], &late["executed"]), (&json!("duration_too_long"), &json!(true)));
    assert_refused(&pay(&server, json!({}), ANA).await, "idempotency_unknown", false);
    layer.shutdown().await;
}

#[tokio::test]
async fn a_call_that_is_refused_below_frees_its_key() {
    let (site, runs) = (Site::default(), Runs::default());
    let refusing = tower::util::MapRequestLayer::new(|call| call);
    let odd = crate::layers::Odd(crate::layers::Way::FailsBefore);
    let store = MemoryStore::default();
    let options = || site.options(&Rules::enforce()).dedupe_store(store.clone());
    let layer = Sec0SecurityLayer::try_new(options()).unwrap().around(odd);
    let server = demo().tool(writer(), runs.handler()).layer(layer);
    let refused = denial(&pay(&server, json!({}), ANA).await);
    assert_eq!((&refused["reason"], &refused["executed"]), (&json!("layer_failed"), &json!(false)));
    // The same store, without the layer that fails.
    let layer = Sec0SecurityLayer::try_new(options()).unwrap().around(refusing);
    let server = demo().tool(writer(), runs.handler()).layer(layer);
    assert_eq!(became(&pay(&server, json!({}), ANA).await).as_deref(), Some("first"));
}

/// The step is behind the policy and before everything that a call does.
#[tokio::test]
async fn a_repeat_is_judged_by_the_policy_of_today() {
    let (site, runs, store) = (Site::default(), Runs::default(), MemoryStore::default());
    let server = |rules: &Rules| {
        let options = site.options(rules).dedupe_store(store.clone());
        let layer = Sec0SecurityLayer::try_new(options).unwrap();
        (demo().tool(writer(), runs.handler()).layer(layer.clone()), layer)
    };
    // Each log is closed before the next one writes: the lines stand in one sink.
    let (open, first_layer) = server(&Rules::enforce());
    assert!(is_fine(&pay(&open, json!({}), ANA).await));
    first_layer.shutdown().await;
    let (closed, second_layer) = server(&Rules::enforce().allow(&["mcp://demo/look"]));
    let refused = denial(&pay(&closed, json!({}), ANA).await);
    assert_eq!(refused["reason"], "tool_not_in_allowlist");
    second_layer.shutdown().await;
    let (observing, last_layer) = server(&Rules::observe().allow(&["mcp://demo/look"]));
    assert_eq!(became(&pay(&observing, json!({}), ANA).await).as_deref(), Some("replay"));
    assert_eq!(runs.get(), 1);
    last_layer.shutdown().await;
    let lines = site.sink.lines();
    let last: Value = serde_json::from_str(lines.last().unwrap()).unwrap();
    assert_eq!(
        (&last["dedupe"], &last["policy"]["decision"]),
        (&json!("replay"), &json!("would_deny"))
    );
}

/// Nothing runs, so there is nothing to approve.
#[tokio::test]
async fn a_repeat_for_which_the_policy_asks_today_gets_its_stored_result() {
    const ASK: &str =
        "{id: r, tool: '*', pointer: /to, op: exists, effect: ask, reason: ask_first}";
    let (site, runs, store) = (Site::default(), Runs::default(), MemoryStore::default());
    let layer = |rules: &Rules| {
        let options = site.options(rules).dedupe_store(store.clone());
        Sec0SecurityLayer::try_new(options).unwrap()
    };
    let first = layer(&Rules::enforce());
    let open = demo().tool(writer(), runs.handler()).layer(first.clone());
    assert!(is_fine(&pay(&open, json!({"to": "x"}), ANA).await));
    first.shutdown().await;
    let last = layer(&Rules::enforce().on_arguments(ASK));
    let asking = demo().tool(writer(), runs.handler()).layer(last.clone());
    let replayed = pay(&asking, json!({"to": "x"}), ANA).await;
    assert!(is_fine(&replayed), "{replayed:?}");
    assert_eq!(became(&replayed).as_deref(), Some("replay"));
    assert_eq!(runs.get(), 1);
    last.shutdown().await;
    let lines = site.sink.lines();
    let record: Value = serde_json::from_str(lines.last().unwrap()).unwrap();
    assert_eq!(record["policy"]["decision"], "would_deny");
    assert_eq!(record.get("escalation_id"), None);
}

/// The digest in the record takes numbers as doubles; a key must not.
#[tokio::test]
async fn arguments_that_differ_in_a_digit_of_a_large_number_are_other_arguments() {
    let (site, runs) = (Site::default(), Runs::default());
    let layer = site.layer(&Rules::enforce());
    let server = demo().tool(writer(), runs.handler()).layer(layer.clone());
    let to = |account: u64| json!({"to": [{"account": account}]});
    assert!(is_fine(&pay(&server, to(9_007_199_254_740_993), ANA).await));
    let other = pay(&server, to(9_007_199_254_740_992), ANA).await;
    assert_refused(&other, "idempotency_conflict", false);
    let same = pay(&server, to(9_007_199_254_740_993), ANA).await;
    assert_eq!(became(&same).as_deref(), Some("replay"));
    assert_eq!(runs.get(), 1);
}

#[tokio::test]
async fn a_tool_whose_name_looks_like_another_with_its_version_shares_no_key() {
    let (site, runs) = (Site::default(), Runs::default());
    let layer = site.layer(&Rules::enforce());
    let mut bare = annotated("pay@1.0", json!({"readOnlyHint": false}));
    bare.meta = None;
    let server =
        demo().tool(writer(), runs.handler()).tool(bare, runs.handler()).layer(layer.clone());
    for tool in ["pay", "pay@1.0"] {
        let CallToolResponse::Complete(result) =
            response(&server, tool, json!({}), ANA).await.unwrap()
        else {
            panic!("not a complete result")
        };
        assert_eq!(became(&Ok(result)).as_deref(), Some("first"), "{tool}");
    }
    assert_eq!(runs.get(), 2);
}

#[tokio::test]
async fn a_question_to_the_caller_is_no_result_and_its_answer_no_duplicate() {
    let (site, runs) = (Site::default(), Runs::default());
    let layer = site.layer(&Rules::enforce());
    let server = Asking { runs: runs.clone() };
    let server = sec0::ServerHandlerExt::layer(server, layer.clone());
    let asked = response(&server, "pay", json!({}), ANA).await.unwrap();
    assert!(matches!(asked, CallToolResponse::InputRequired(_)), "{asked:?}");
    let answered = pay(&server, json!({}), ANA).await;
    assert_eq!(became(&answered).as_deref(), Some("first"));
    assert_eq!(became(&pay(&server, json!({}), ANA).await).as_deref(), Some("replay"));
    assert_eq!(runs.get(), 2);
    layer.shutdown().await;
}

/// Asks its caller something the first time.
struct Asking {
    runs: Runs,
}

impl ServerHandler for Asking {
    fn get_info(&self) -> rmcp::model::ServerConfig {
        let capabilities = rmcp::model::ServerCapabilities::builder().enable_tools().build();
        rmcp::model::ServerConfig::new(capabilities)
            .with_server_info(rmcp::model::Implementation::new("demo", "1.0.0"))
    }

    async fn list_tools(
        &self,
        _: Option<rmcp::model::PaginatedRequestParams>,
        _: rmcp::service::RequestContext<rmcp::RoleServer>,
    ) -> Result<rmcp::model::ListToolsResult, rmcp::ErrorData> {
        Ok(rmcp::model::ListToolsResult::with_all_items(vec![writer()]))
    }

    async fn call_tool(
        &self,
        _: CallToolRequestParams,
        _: rmcp::service::RequestContext<rmcp::RoleServer>,
    ) -> Result<CallToolResponse, rmcp::ErrorData> {
        self.runs.up();
        if self.runs.get() == 1 {
            let question =
                json!({"resultType": "input_required", "inputRequests": {}, "requestState": "s"});
            let question: InputRequiredResult = serde_json::from_value(question).unwrap();
            return Ok(CallToolResponse::InputRequired(question));
        }
        Ok(done().into())
    }
}

#[tokio::test]
async fn a_result_that_is_too_large_to_keep_is_given_once() {
    let (site, runs) = (Site::default(), Runs::default());
    let options = site.options(&Rules::enforce());
    let options = options.dedupe(DedupeOptions::default().max_result_bytes(8));
    let layer = Sec0SecurityLayer::try_new(options).unwrap();
    let server = demo().tool(writer(), runs.handler()).layer(layer.clone());
    assert!(is_fine(&pay(&server, json!({}), ANA).await));
    assert_refused(&pay(&server, json!({}), ANA).await, "idempotency_not_kept", false);
    assert_eq!(runs.get(), 1);
    layer.shutdown().await;
}

#[tokio::test]
async fn turned_off_a_repeat_runs_again() {
    let (site, runs) = (Site::default(), Runs::default());
    let options = site.options(&Rules::enforce()).dedupe(DedupeOptions::off());
    let layer = Sec0SecurityLayer::try_new(options).unwrap();
    let server = demo().tool(writer(), runs.handler()).layer(layer.clone());
    for _ in 0..2 {
        assert_eq!(became(&pay(&server, json!({}), ANA).await), None);
    }
    assert_eq!(runs.get(), 2);
    layer.shutdown().await;
}

/// A store that fails as often as it is told to.
#[derive(Debug, Clone, Default)]
struct Failing {
    left: Arc<AtomicUsize>,
    store: MemoryStore,
}

impl DedupeStore for Failing {
    fn begin(&self, asked: &Arc<Asked>, now: Timestamp) -> StoreAnswer<Begun> {
        let take = |left: usize| left.checked_sub(1);
        if self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).is_ok() {
            return Box::pin(std::future::ready(Err(StoreError::Slow)));
        }
        self.store.begin(asked, now)
    }

    fn flush(&self) -> StoreAnswer<()> {
        self.store.flush()
    }

    fn is_durable(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn a_call_whose_key_cannot_be_looked_up_is_refused() {
    let (site, runs, store) = (Site::default(), Runs::default(), Failing::default());
    store.left.store(1, Ordering::SeqCst);
    let options = site.options(&Rules::observe()).dedupe_store(store);
    let layer = Sec0SecurityLayer::try_new(options).unwrap();
    let server = demo().tool(writer(), runs.handler()).layer(layer.clone());
    let refused = denial(&pay(&server, json!({}), ANA).await);
    assert_eq!(refused["code"], "IDEMPOTENCY_UNAVAILABLE");
    assert_eq!(refused["reason"], "idempotency_unavailable");
    assert_eq!((&refused["executed"], &refused["retryable"]), (&json!(false), &json!(true)));
    assert_eq!(runs.get(), 0);
    assert_eq!(became(&pay(&server, json!({}), ANA).await).as_deref(), Some("first"));
    layer.shutdown().await;
}

const POLICY: &str = "\
tenant: acme
default_retention: 30d
signing: {enabled: true}
tools:
  allowlist: ['mcp://demo/*']
  overrides: [{tool: 'mcp://demo/slow', side_effect: true}]
enforcement: {deny_on: [tool_not_in_allowlist]}
";

/// A request with a key, from a real client.
async fn send(client: &Client, tool: &'static str, arguments: Value, key: &str) -> CallToolResult {
    let mut params = CallToolRequestParams::new(tool).with_arguments(object(arguments));
    let meta: RequestMetaObject =
        serde_json::from_value(json!({"sec0/idempotencyKey": key})).unwrap();
    params.meta = Some(meta);
    soon(client.call_tool(params)).await.unwrap()
}

#[tokio::test]
async fn a_client_that_writes_a_file_twice_with_one_key_writes_it_once_also_after_a_restart() {
    for era in Era::ALL {
        let house = House::new(POLICY);
        let file = house.path("order.txt");
        let arguments = json!({"path": file, "text": "one"});
        for round in 0..2 {
            let layer = house.layer();
            let server = crate::demo::Demo::tool_router().serving(crate::demo::Demo);
            let session = Session::open(era, server.layer(layer.clone())).await;
            for at in 0..2 {
                let result = send(&session.client, "write_file", arguments.clone(), "k").await;
                let expected = if (round, at) == (0, 0) { "first" } else { "replay" };
                assert_eq!(became(&Ok(result)).as_deref(), Some(expected), "{era:?} {round}");
                // A second write would bring it back.
                assert_eq!(file.exists(), expected == "first");
                if file.exists() {
                    std::fs::remove_file(&file).unwrap();
                }
            }
            session.close().await;
            layer.try_shutdown().await.unwrap();
        }
        assert!(!file.exists());
        let became: Vec<_> = house.records().iter().map(|call| call["dedupe"].clone()).collect();
        assert_eq!(became, ["first", "replay", "replay", "replay"]);
    }
}

/// A program with the layer, and a client on its stdio.
async fn program(house: &House) -> (tokio::process::Child, Client) {
    let mut command = example("server_stdio");
    command.args(["--policy".as_ref(), house.policy().as_os_str()]);
    command.args(["--dir".as_ref(), house.audit().as_os_str()]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let halves = (child.stdout.take().unwrap(), child.stdin.take().unwrap());
    let client = Era::Sessions.connect((), halves).await;
    (child, client)
}

#[tokio::test]
async fn a_call_in_whose_course_the_program_was_killed_never_runs_again_by_itself() {
    let house = House::new(POLICY);
    let (mut child, client) = program(&house).await;
    let mut params =
        CallToolRequestParams::new("slow").with_arguments(object(json!({"ms": 3_600_000})));
    params.meta = Some(serde_json::from_value(json!({"sec0/idempotencyKey": "k"})).unwrap());
    let mut running = JoinSet::new();
    running.spawn(async move { client.call_tool(params).await });
    // Its intent is durable, so the tool runs or is about to.
    let desk = || KeyDesk::open(&house.audit());
    let journal = house.audit().join("journal");
    let has_intent = || {
        let files = std::fs::read_dir(&journal).into_iter().flatten().flatten();
        files.filter_map(|file| file.metadata().ok()).any(|file| file.len() > 200)
    };
    eventually(async || has_intent()).await;
    child.kill().await.unwrap();
    assert!(running.join_next().await.unwrap().unwrap().is_err());

    let (child, client) = program(&house).await;
    let again = Ok(send(&client, "slow", json!({"ms": 3_600_000}), "k").await);
    assert_refused(&again, "idempotency_unknown", false);
    let held = desk().unwrap().unknown().unwrap();
    assert_eq!(held.len(), 1);
    assert_eq!((&*held[0].about.tool, &*held[0].about.key), ("slow@1.0", "k"));
    assert_eq!(desk().unwrap().release(&held[0].id).unwrap(), Freed::Released);
    let released = Ok(send(&client, "slow", json!({"ms": 0}), "k").await);
    assert_eq!(became(&released).as_deref(), Some("first"));
    client.cancel().await.unwrap();
    drop(child);
}
