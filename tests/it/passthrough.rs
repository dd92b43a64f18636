//! Everything that is not a tool call passes untouched, and so does what a tool answers: a real
//! client asks a server with and without the layer, and what the two say is the same, letter by
//! letter.

use crate::drive::{Client, Era, House, HttpServer, OPEN_POLICY, PATIENCE, Session, outcomes};
use crate::everything::{Everything, Human, METHODS, Seen, made};
use parking_lot::RwLock;
use rmcp::model::*;
use rmcp::service::{PeerRequestOptions, ServiceError};
use rmcp::{ClientHandler, ServerHandler};
use sec0::{Sec0SecurityLayer, ToolRouterExt};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The requests that both eras know, and some that only one of them knows: the other refuses them,
/// which has to look the same, too.
fn requests() -> Vec<Value> {
    let plain = [
        ("ping", json!({})),
        ("server/discover", json!({})),
        (
            "completion/complete",
            json!({
                "ref": {"type": "ref/prompt", "name": "p"},
                "argument": {"name": "a", "value": "v"},
                "context": {"arguments": {"b": "w"}},
            }),
        ),
        ("logging/setLevel", json!({"level": "debug"})),
        ("prompts/list", json!({"cursor": "prompts"})),
        ("prompts/get", json!({"name": "p", "arguments": {"a": "x"}})),
        ("prompts/get", json!({"name": "asks_back"})),
        ("resources/list", json!({"cursor": "resources"})),
        ("resources/templates/list", json!({"cursor": "templates"})),
        ("resources/read", json!({"uri": "file:///a"})),
        ("resources/read", json!({"uri": "file:///nowhere"})),
        ("resources/subscribe", json!({"uri": "file:///a"})),
        ("resources/unsubscribe", json!({"uri": "file:///a"})),
        ("resources/directory/read", json!({"uri": "skill://pdf"})),
        ("skills/list", json!({"cursor": "skills"})),
        ("skills/get", json!({"uri": "skill://pdf/SKILL.md"})),
        ("skills/get", json!({"uri": "skill://pdf/other.md"})),
        ("tasks/get", json!({"taskId": "task-1"})),
        (
            "tasks/update",
            json!({"taskId": "task-1", "inputResponses": {"q": {"action": "accept"}}}),
        ),
        ("tasks/cancel", json!({"taskId": "task-1"})),
        ("tools/list", json!({"cursor": "tools"})),
        ("acme/custom", json!({"any": ["thing", 1]})),
        ("acme/fails", json!({})),
    ];
    plain.into_iter().map(request).collect()
}

/// Calls of every tool, and of tools that are none.
fn calls() -> Vec<Value> {
    let arguments = [
        ("contents", json!({})),
        ("structured", json!({"a": 40, "b": 2})),
        ("structured", json!({"a": "forty", "b": 2})),
        ("structured", json!({"a": 40})),
        ("structured", json!({})),
        ("list", json!({})),
        ("fails", json!({})),
        ("errs", json!({})),
        ("picky", json!({})),
        ("context", json!({"un": "asked"})),
        ("progress", json!({})),
        ("notifies", json!({})),
        ("samples", json!({})),
        ("elicits", json!({})),
        ("roots", json!({})),
        ("asks_back", json!({"a": 1, "b": 2})),
        ("becomes_task", json!({})),
        ("hidden", json!({})),
        ("nowhere", json!({})),
    ];
    let call =
        |(name, arguments)| request(("tools/call", json!({"name": name, "arguments": arguments})));
    let mut calls: Vec<_> = arguments.into_iter().map(call).collect();
    calls.push(request(("tools/call", json!({"name": "contents"}))));
    calls.push(request(("tools/call", json!({"name": "structured"}))));
    for state in ["st.ate \"1\"", "a state that it did not give"] {
        calls.push(request((
            "tools/call",
            json!({
                "name": "asks_back",
                "arguments": {"a": 1, "b": 2},
                "requestState": state,
                "inputResponses": {"answer": {"action": "accept", "content": {"name": "Ferris"}}},
            }),
        )));
    }
    calls
}

fn request((method, mut params): (&str, Value)) -> Value {
    params["_meta"] = json!({"acme/mark": {"of": method}, "progressToken": "mine"});
    json!({"method": method, "params": params})
}

async fn ask(client: &Client<Human>, request: Value) {
    let request: ClientRequest = made(request);
    // What comes back is kept by the tap, errors included.
    let answer = tokio::time::timeout(PATIENCE, client.send_request(request)).await;
    assert!(!matches!(answer.expect("no answer"), Err(ServiceError::TransportClosed)));
}

async fn tell(client: &Client<Human>, method: &str, params: Value) {
    let notification: ClientNotification = made(json!({"method": method, "params": params}));
    client.send_notification(notification).await.unwrap();
}

/// What a server said, and what it was asked.
#[derive(Debug, Default)]
struct Transcript {
    said: Vec<String>,
    seen: Vec<Seen>,
}

impl Transcript {
    async fn of(session: Session<Human>, server: &Everything) -> Self {
        let mut transcript = Self { said: session.close().await, seen: server.seen() };
        transcript.seen.sort();
        transcript
    }

    /// What was asked, without what rmcp asks as often as it likes, or what the layer answers.
    fn delegated(&self) -> Vec<&Seen> {
        let ours = ["call_tool", "get_tool"];
        self.seen.iter().filter(|seen| !ours.contains(&seen.method)).collect()
    }
}

/// Runs `drive` on the bare server, on one whose routes the layer owns, and on one that holds its
/// routes behind a lock: all three must say the same, and be asked the same. Returns the transcript
/// and the records of a layered one, which must be alike, too.
async fn compared(
    era: Era,
    drive: impl AsyncFn(&Client<Human>, &Everything),
) -> (Transcript, Vec<Value>) {
    let server = Everything::new();
    let session = Session::open_with(era, server.clone(), Human).await;
    drive(&session.client, &server).await;
    let bare = Transcript::of(session, &server).await;

    let mut both = Vec::new();
    for held in [false, true] {
        let house = House::new(OPEN_POLICY);
        let sec0 = Sec0SecurityLayer::try_new(house.options().without_trace_meta()).unwrap();
        let server = Everything::new();
        let service = if held {
            let mut router = server.router();
            router.remove_route("hidden");
            Arc::new(RwLock::new(router)).serving(server.clone())
        } else {
            server.router().serving(server.clone())
        };
        let session = Session::open_with(era, service.layer(sec0.clone()), Human).await;
        drive(&session.client, &server).await;
        let layered = Transcript::of(session, &server).await;
        sec0.try_shutdown().await.unwrap();
        same(&bare, &layered);
        both.push(house.records());
    }
    assert_eq!(outcomes(&both[0]), outcomes(&both[1]));
    (bare, both.remove(0))
}

fn same(bare: &Transcript, layered: &Transcript) {
    for (bare, layered) in bare.said.iter().zip(&layered.said) {
        assert_eq!(bare, layered);
    }
    assert_eq!(bare.said.len(), layered.said.len());
    assert_eq!(bare.delegated(), layered.delegated());
}

#[tokio::test]
async fn every_request_is_answered_as_the_bare_server_answers_it() {
    for era in Era::ALL {
        let (bare, records) = compared(era, async |client, _| {
            for request in requests() {
                ask(client, request).await;
            }
        })
        .await;
        assert!(bare.said.len() > requests().len());
        assert_eq!(records.len(), 0, "only calls are recorded");
    }
}

#[tokio::test]
async fn every_tool_call_is_answered_as_the_bare_server_answers_it() {
    for era in Era::ALL {
        let (bare, records) = compared(era, async |client, _| {
            for call in calls() {
                ask(client, call).await;
            }
        })
        .await;
        assert_eq!(records.len(), calls().len(), "one record for each call");
        let unknown = records.iter().filter(|record| record["status"] == "denied");
        let unknown: Vec<_> =
            unknown.map(|record| record["target_tool"].as_str().unwrap()).collect();
        assert_eq!(unknown, ["hidden", "nowhere"]);
        let task = records.iter().find(|record| record["target_tool"] == "becomes_task").unwrap();
        assert_eq!(task["task_id"], "task-1");
        let said = bare.said.concat();
        let mut words = vec!["on the way", "it did not work", "failed to deserialize", "task-1"];
        words.extend(match era {
            Era::Sessions => vec!["sampling/createMessage", "elicitation/create", "roots/list"],
            Era::Stateless => vec!["input_required", "Ferris", "[1,2,3]"],
        });
        for word in words {
            assert!(
                said.contains(word),
                "{era:?}: `{word}` was never said, so nothing was compared"
            );
        }
    }
}

#[tokio::test]
async fn a_client_answers_a_tools_question_through_the_layer() {
    let (_, records) = compared(Era::Stateless, async |client, _| {
        let params =
            CallToolRequestParams::new("asks_back").with_arguments(object(json!({"a": 1, "b": 2})));
        // The client itself asks the human, and calls again with state and answer.
        let result = client.call_tool(params).await.unwrap();
        let text = &result.content[0].as_text().unwrap().text;
        assert!(text.contains("Ferris") && text.contains("\"sum\":3"), "{text}");
    })
    .await;
    assert_eq!(records.len(), 2);
    assert!(records.iter().all(|record| record["status"] == "ok"));
}

#[tokio::test]
async fn notifications_of_the_client_reach_the_server() {
    let (_, _) = compared(Era::Sessions, async |client, server| {
        server.has_seen("on_initialized").await;
        let meta = json!({"acme/mark": "n"});
        tell(client, "notifications/roots/list_changed", json!({"_meta": meta})).await;
        server.has_seen("on_roots_list_changed").await;
        let progress = json!({"progressToken": "p", "progress": 1.5, "total": 3, "message": "m"});
        tell(client, "notifications/progress", progress).await;
        server.has_seen("on_progress").await;
        tell(client, "notifications/acme", json!({"any": "thing", "_meta": meta})).await;
        server.has_seen("on_custom_notification").await;
    })
    .await;
}

#[tokio::test]
async fn cancelling_reaches_the_tool_and_the_server() {
    for era in Era::ALL {
        let (_, records) = compared(era, async |client, server| {
            let call = made(request(("tools/call", json!({"name": "waits"}))));
            let options = PeerRequestOptions::no_options();
            let handle = client.send_cancellable_request(call, options).await.unwrap();
            server.has_seen("tool waits").await;
            handle.cancel(Some("changed my mind".to_owned())).await.unwrap();
            server.has_seen("tool was cancelled").await;
            server.has_seen("on_cancelled").await;
        })
        .await;
        assert_eq!(records.len(), 1);
        assert_eq!(records[0]["status"], "cancelled");
    }
}

#[tokio::test]
async fn a_subscription_is_served_through_the_layer() {
    let (_, _) = compared(Era::Stateless, async |client, _| {
        let filter = SubscriptionFilter::builder()
            .tools_list_changed()
            .prompts_list_changed()
            .resource_subscriptions(["file:///a", "file:///b"])
            .build();
        let mut subscription = client.listen(filter).await.unwrap();
        let accepted = json!(subscription.acknowledged());
        let expected = json!({"toolsListChanged": true, "resourceSubscriptions": ["file:///a"]});
        assert_eq!(accepted, expected);
        let mut heard = Vec::new();
        while let Some(notification) = subscription.next().await.unwrap() {
            heard.push(json!(notification)["method"].clone());
        }
        let methods = ["notifications/tools/list_changed", "notifications/resources/updated"];
        assert_eq!(json!(heard), json!(methods));
    })
    .await;
}

/// Over HTTP a tool's question to the client must travel with the call in which it is asked, which
/// rmcp knows by the task that runs the handler.
#[tokio::test]
async fn calls_over_http_are_answered_as_the_bare_server_answers_them() {
    for era in Era::ALL {
        let house = House::new(OPEN_POLICY);
        let sec0 = Sec0SecurityLayer::try_new(house.options().without_trace_meta()).unwrap();
        let server = Everything::new();
        let layered = server.router().serving(server.clone()).layer(sec0.clone());
        let bare = HttpServer::start(Everything::new).await;
        let layered = HttpServer::start(move || layered.clone()).await;
        let mut heard = Vec::new();
        for http in [&bare, &layered] {
            let client = era.connect_http_as(Human, &http.url, &[]).await;
            let mut answers = Vec::new();
            for call in calls() {
                let call: ClientRequest = made(call);
                let answer = tokio::time::timeout(PATIENCE, client.send_request(call)).await;
                answers.push(match answer.expect("no answer") {
                    Ok(result) => json!(result).to_string(),
                    Err(error) => format!("{error:?}"),
                });
            }
            client.cancel().await.unwrap();
            heard.push(answers);
        }
        for (bare, layered) in heard[0].iter().zip(&heard[1]) {
            assert_eq!(bare, layered, "{era:?}");
        }
        if era == Era::Sessions {
            let all = heard[1].concat();
            assert!(all.contains("Because") && all.contains("Ferris") && all.contains("/home"));
        }
        bare.stop().await;
        layered.stop().await;
        sec0.try_shutdown().await.unwrap();
        assert_eq!(house.records().len(), calls().len());
    }
}

/// Asks for one page of the tools.
async fn page(cursor: &str) {
    compared(Era::Sessions, async |client, _| {
        ask(client, request(("tools/list", json!({"cursor": cursor})))).await;
    })
    .await;
}

#[tokio::test]
async fn a_tool_list_that_the_server_refuses_is_refused() {
    page("no cursor of ours").await;
}

#[tokio::test]
async fn a_page_of_the_tool_list_without_tools_has_none() {
    page("behind the last").await;
}

#[tokio::test]
async fn a_held_router_with_a_disabled_route_lists_as_the_bare_server_does() {
    let house = House::new(OPEN_POLICY);
    let sec0 = house.layer();
    let server = Everything::new();
    let router = Arc::new(RwLock::new(server.router()));
    assert!(router.read().is_disabled("hidden"));
    let layered = router.serving(server.clone()).layer(sec0.clone());
    let session = Session::open_with(Era::Sessions, layered, Human).await;
    let tools = session.client.list_tools(None).await.unwrap().tools;
    assert_eq!(tools, server.router().list_all());
    session.close().await;
    sec0.try_shutdown().await.unwrap();
}

#[tokio::test]
async fn the_trace_is_all_that_a_result_gains() {
    for era in Era::ALL {
        let bare = Everything::new();
        let house = House::new(OPEN_POLICY);
        let sec0 = house.layer();
        let server = Everything::new();
        let layered = server.router().serving(server.clone()).layer(sec0.clone());
        let mut said = Vec::new();
        let mut traced = 0;
        for session in [
            Session::open_with(era, bare, Human).await,
            Session::open_with(era, layered, Human).await,
        ] {
            for call in calls() {
                ask(&session.client, call).await;
            }
            let lines = session.close().await;
            let strip = |line: &String| {
                let mut line: Value = serde_json::from_str(line).unwrap();
                let meta = line.pointer_mut("/result/_meta").and_then(Value::as_object_mut);
                let trace = meta.and_then(|meta| meta.remove("sec0/trace"));
                if trace.is_some_and(|t| t["trace_id"].is_string() && t["span_id"].is_string()) {
                    traced += 1;
                }
                if line.pointer("/result/_meta") == Some(&json!({})) {
                    line["result"].as_object_mut().unwrap().remove("_meta");
                }
                line
            };
            said.push(lines.iter().map(strip).collect::<Vec<_>>());
        }
        sec0.try_shutdown().await.unwrap();
        assert_eq!(said[0], said[1], "{era:?}");
        assert!(traced > 5, "only {traced} results have a trace");
    }
}

#[tokio::test]
async fn what_is_asked_of_the_server_directly_is_answered_by_it() {
    let house = House::new(OPEN_POLICY);
    let sec0 = house.layer();
    let bare = Everything::new();
    let layered = bare.router().serving(bare.clone()).layer(sec0.clone());
    assert_eq!(json!(layered.get_info()), json!(bare.get_info()));
    assert_eq!(layered.supported_protocol_versions(), bare.supported_protocol_versions());
    let mut hello = Human.get_info();
    for version in ["2024-11-05", "2025-11-25", "2026-07-28", "never"] {
        hello.protocol_version = made(json!(version));
        let (ours, theirs) =
            (layered.negotiate_initialize(&hello), bare.negotiate_initialize(&hello));
        assert_eq!(json!(ours.unwrap()), json!(theirs.unwrap()));
    }
    let filter = SubscriptionFilter::builder().tools_list_changed().build();
    assert_eq!(
        json!(layered.accepted_subscription_filter(&filter)),
        json!(bare.accepted_subscription_filter(&filter))
    );
    for tool in bare.router().list_all() {
        assert_eq!(layered.get_tool(&tool.name), bare.get_tool(&tool.name));
    }
    for none in ["hidden", "nowhere", ""] {
        assert_eq!(layered.get_tool(none), None);
    }
    sec0.try_shutdown().await.unwrap();
}

/// If rmcp's trait gains a method, clippy says so at the fixture; this counts that none of those
/// that the fixture has is left out here.
#[tokio::test]
async fn these_tests_call_every_method_of_the_trait() {
    let mut methods = BTreeSet::new();
    for era in Era::ALL {
        let (bare, _) = compared(era, async |client, server| {
            for request in requests().into_iter().chain(calls()) {
                ask(client, request).await;
            }
            for method in ["notifications/roots/list_changed", "notifications/acme"] {
                tell(client, method, json!({})).await;
            }
            tell(client, "notifications/progress", json!({"progressToken": 1, "progress": 1}))
                .await;
            tell(client, "notifications/cancelled", json!({"requestId": 999})).await;
            server.has_seen("on_progress").await;
            server.has_seen("on_roots_list_changed").await;
            server.has_seen("on_custom_notification").await;
            server.has_seen("on_cancelled").await;
            if era == Era::Stateless {
                let filter = SubscriptionFilter::builder().tools_list_changed();
                let filter = filter.resource_subscriptions(["file:///a"]).build();
                let mut subscription = client.listen(filter).await.unwrap();
                while subscription.next().await.unwrap().is_some() {}
            }
        })
        .await;
        methods.extend(bare.seen.iter().map(|seen| seen.method));
    }
    // rmcp asks for it on HTTP alone; the test above does so directly.
    methods.insert("get_tool");
    assert_eq!(methods.len(), METHODS, "{methods:?}");
}
